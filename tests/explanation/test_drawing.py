"""Explanations as figures and as files of images, looked at through what the figures hold."""

import numpy as np
import pytest
import torch
from helpers.networks import mnist_cnn, pixels, randomise, signed
from helpers.tokenizers import Bag, small_tokenizer
from matplotlib.colors import to_hex
from matplotlib.image import imread
from torch import nn

import relprop
from relprop.errors import InputError
from relprop.plot.colours import input_colours, overlay_colours, relevance_colours
from relprop.plot.style import MapStyle
from relprop.plot.table_figure import AGAINST, FOR

NAMES = ["age", "job=cook", "job=clerk", "hours"]


@pytest.fixture(scope="module")
def pictures() -> relprop.Explanation:
    return relprop.Explainer(randomise(mnist_cnn()), "epsilon")(pixels(10, 1, 28, 28).float())


@pytest.fixture(scope="module")
def table() -> tuple[nn.Module, torch.Tensor, relprop.Explanation]:
    linear, x = randomise(nn.Linear(4, 3)), signed(2, 4).float()
    return linear, x, relprop.explain(linear, x, "zero", target=2)


def images(figure):
    return [axes.images[0].get_array() for axes in figure.axes if axes.images]


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def titles(figure):
    return [axes.get_title() or axes.get_title(loc="left") for axes in figure.axes]


def test_a_row_for_each_picture_with_a_scale_of_its_own(pictures):
    e = pictures
    figure = e.plot([3, 0], panels=["input", "relevance", "overlay"])
    drawn = images(figure)
    for row, i in enumerate((3, 0)):
        relevance = e.relevance[i, 0]
        limit = float(relevance.abs().max())
        picture = input_colours(e.input[i, 0])
        np.testing.assert_array_equal(drawn[3 * row], picture)
        np.testing.assert_array_equal(drawn[3 * row + 1], relevance_colours(relevance))
        overlay = overlay_colours(picture, relevance, limit, MapStyle())
        np.testing.assert_array_equal(drawn[3 * row + 2], overlay)
        best = int(e.prediction[i])
        said = [axes.get_xlabel() for axes in figure.axes[3 * row : 3 * row + 3]]
        assert said[0] == f"{best}: {float(e.probabilities[i, best]):.1%}"
        assert said[2] == f"explained: class {best}"
    assert titles(figure)[:3] == ["input", "relevance", "overlay"]
    scales = [axes.get_ylim() for axes in figure.axes[6:]]
    limits = [float(e.relevance[i].abs().max()) for i in (3, 0)]
    assert scales == [pytest.approx((-limit, limit)) for limit in limits]


def test_one_scale_for_the_batch_and_half_of_it_for_one_sign(pictures):
    figure = pictures.plot([1, 2], limits="batch", sign="positive")
    (scale,) = figure.axes[4:]
    largest = float(pictures.relevance.max())
    assert scale.get_ylim() == pytest.approx((0, largest))
    expected = relevance_colours(pictures.relevance[1, 0], largest, MapStyle(sign="positive"))
    np.testing.assert_array_equal(images(figure)[1], expected)


def test_channels_apart_and_several_targets():
    model = randomise(nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(32, 3)))
    e = relprop.explain(model, pixels(3, 3, 6, 6).float(), "zero", target=[0, 2])
    figure = e.plot(0, panels=["relevance"], channels="apart", class_names=["cat", "dog", "cow"])
    drawn = images(figure)
    assert len(drawn) == 6  # in one row
    assert titles(figure)[:6] == [
        f"{target}: relevance, channel {i}" for target in ("class 0", "class 2") for i in range(3)
    ]
    for k in (0, 1):
        limit = float(e.relevance[0, k].abs().max())
        for channel in range(3):
            expected = relevance_colours(e.relevance[0, k, channel], limit)
            np.testing.assert_array_equal(drawn[3 * k + channel], expected)
        said = [axes.get_xlabel().replace("\n", " ") for axes in figure.axes[3 * k : 3 * k + 3]]
        assert said == [f"explained: {('cat', 'cow')[k]}; limit {limit:.2g}"] * 3


def test_a_picture_is_a_row_and_a_target_a_column():
    model = randomise(nn.Sequential(nn.Conv2d(3, 2, 3), nn.Flatten(), nn.Linear(32, 3)))
    x = pixels(3, 3, 6, 6).float()
    e = relprop.explain(model, x, "zero", target=["predicted", "runner-up", 2])
    figure = e.plot([2, 0], panels=["input", "relevance", "overlay"])
    drawn = images(figure)
    assert len(drawn) == 2 * 7
    assert titles(figure)[:7] == [
        *("input", "predicted", "predicted: overlay", "runner-up", "runner-up: overlay"),
        *("class 2", "class 2: overlay"),
    ]
    for row, i in enumerate((2, 0)):
        np.testing.assert_array_equal(drawn[7 * row], input_colours(x[i]))
        for k in range(3):
            expected = relevance_colours(e.relevance[i, k].sum(0))
            np.testing.assert_array_equal(drawn[7 * row + 1 + 2 * k], expected)
        best = int(e.prediction[i])
        said = figure.axes[7 * row + 1].get_xlabel()
        assert said.startswith(f"explained: class {best}; limit")
    (scale,) = figure.axes[14:]
    assert [label.get_text() for label in scale.get_yticklabels()] == ["-limit", "0", "limit"]
    shared = e.plot(0, limits="batch", panels=["relevance"])
    largest = float(e.relevance.sum(2).abs().max())
    expected = relevance_colours(e.relevance[0, 1].sum(0), largest)
    np.testing.assert_array_equal(images(shared)[1], expected)
    assert shared.axes[3].get_ylim() == pytest.approx((-largest, largest))
    assert shared.axes[2].get_xlabel() == "explained: class 2"


def test_the_first_eight_are_drawn(pictures):
    assert len(images(pictures.plot(panels=["input"]))) == 8


def test_images_are_saved_with_squares_for_pixels(pictures, tmp_path):
    written = pictures.save_images(tmp_path / "new" / "folder", [9, 0], panels=["relevance"])
    assert [path.name for path in written] == ["00009-relevance.png", "00000-relevance.png"]
    saved = imread(written[0], "png")
    assert saved.shape == (224, 224, 4)
    expected = relevance_colours(pictures.relevance[9, 0])
    np.testing.assert_allclose(saved[4::8, 4::8] * 255, expected, atol=0.5)


def test_a_table_shows_signed_bars_with_the_users_names(table):
    linear, x, e = table
    figure = e.plot(1, feature_names=NAMES, groups={"job": ["job=cook", "job=clerk"]})
    relevance = (x[1] * linear.weight[2].detach()).tolist()
    expected = {
        f"age = {float(x[1, 0]):.4g}": relevance[0],
        "job": relevance[1] + relevance[2],
        f"hours = {float(x[1, 3]):.4g}": relevance[3],
    }
    ranked = sorted(expected.items(), key=lambda item: -abs(item[1]))
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [name for name, _ in ranked]
    bars = axes.patches
    assert [bar.get_width() for bar in bars] == pytest.approx([value for _, value in ranked])
    colours = [FOR if value >= 0 else AGAINST for _, value in ranked]
    assert [to_hex(bar.get_facecolor()) for bar in bars] == colours
    assert texts(figure) == [f"{value:+.3g}" for _, value in ranked]
    best = int(e.prediction[1])
    assert titles(figure) == [f"{best}: {float(e.probabilities[1, best]):.1%}; explained: class 2"]


@pytest.mark.parametrize("feature_names", [None, ["a feature of a long name", *"bcd"]])
@pytest.mark.parametrize(
    "name", ["class of a name of many words", "Class" * 20, "NAME IN CAPITALS " * 3]
)
def test_the_title_of_a_table_is_not_cut_off(table, name, feature_names):
    figure = table[2].plot(
        class_names=[f"{name} {k}" for k in range(3)], feature_names=feature_names
    )
    figure.draw_without_rendering()
    for axes, text in zip(figure.axes, titles(figure), strict=True):
        assert "".join(f"explained: {name} 2".split()) in "".join(text.split())
        drawn = axes.get_tightbbox().transformed(figure.dpi_scale_trans.inverted())
        assert 0 <= drawn.x0 <= drawn.x1 <= figure.get_size_inches()[0]
        assert 0 <= drawn.y0 <= drawn.y1 <= figure.get_size_inches()[1]
        assert axes.get_position().height * figure.get_size_inches()[1] > 0.8


def test_a_waterfall_goes_from_zero_to_the_sum(table):
    *_, e = table
    bars = e.plot(0, waterfall=True, features=2).axes[0].patches
    starts, widths = [bar.get_x() for bar in bars], [bar.get_width() for bar in bars]
    assert starts[0] == 0
    for i in (1, 2):
        assert starts[i] == pytest.approx(starts[i - 1] + widths[i - 1])
    assert (starts[3], widths[3]) == (0, pytest.approx(float(e.relevance[0].sum()), rel=1e-5))


def test_a_time_series_is_a_line_on_the_colours_of_its_relevance():
    model = randomise(nn.Sequential(nn.Conv1d(2, 3, 3), nn.Flatten(), nn.Linear(18, 3)))
    e = relprop.explain(model, signed(2, 2, 8).float(), "zero")
    figure = e.plot(1, feature_names=["left", "right"])
    limit = float(e.relevance[1].abs().max())
    for axes, name, line, relevance in zip(
        figure.axes, ("left", "right"), e.input[1], e.relevance[1], strict=True
    ):
        assert axes.get_ylabel() == name
        np.testing.assert_allclose(axes.lines[0].get_ydata(), line, rtol=1e-6)
        np.testing.assert_array_equal(
            axes.images[0].get_array(), relevance_colours(relevance[None], limit)
        )
        assert axes.images[0].get_extent()[:2] == [-0.5, 7.5]  # a cell around each step


def test_a_text_shows_words_on_the_colours_of_their_relevance():
    named = small_tokenizer()
    ids = named(["a unlikely film $ $", "a film"], padding=True, return_tensors="pt")["input_ids"]
    e = relprop.explain(randomise(Bag()), ids, "zero")
    figure = e.plot(tokens=named, words=True)
    assert texts(figure) == ["a", "unlikely", "film", "$", "$", "a", "film", *["[PAD]"] * 4]
    parts = e.relevance[0]
    words = [float(parts[0]), float(parts[1] + parts[2]), *parts[3:].tolist()]
    word, limit = words[1], max(map(abs, words))
    colour = relevance_colours(torch.tensor([[word]]), limit)[0, 0, :3] / 255
    assert figure.axes[0].patches[1].get_facecolor()[:3] == pytest.approx(tuple(colour))
    plain = e.plot(0, tokens=[named.convert_ids_to_tokens(one) for one in ids])
    assert texts(plain) == ["a", "un", "likely", "film", "$", "$"]
    assert texts(e.plot(1)) == [str(i) for i in ids[1].tolist()]


def test_of_embedded_tokens_the_relevance_of_each_is_its_sum():
    model, x = randomise(nn.Sequential(nn.Flatten(), nn.Linear(12, 3))), signed(2, 3, 4).float()
    e = relprop.explain(model, x, "zero")
    figure = e.plot(1, tokens=[["a", "b", "c"], ["d", "e", "f"]])
    assert texts(figure) == ["d", "e", "f"]
    sums = e.relevance[1].sum(-1)
    colours = relevance_colours(sums[None], float(sums.abs().max()))[0, :, :3] / 255
    drawn = [patch.get_facecolor()[:3] for patch in figure.axes[0].patches]
    np.testing.assert_allclose(drawn, colours)


def test_a_regression_and_an_output_of_another_shape_have_a_title():
    x = signed(2, 4).float()
    e = relprop.explain(randomise(nn.Linear(4, 1)), x, "zero")
    (title,) = titles(e.plot(0))
    assert title == f"0: {float(e.output[0, 0]):.5g}; explained: the output"
    model = randomise(nn.Sequential(nn.Linear(4, 6), nn.Unflatten(1, (3, 2))))
    e = relprop.explain(model, x, "zero", target=relprop.at(1, 0))
    assert titles(e.plot(0)) == ["explained: at(1, 0)"]


def test_a_unit_with_a_probability_is_drawn_as_two_classes():
    """The unit gives the probability of class 1, and is explained whichever class is predicted."""
    x = signed(6, 1, 6, 6).float() * torch.tensor([1.0, -1.0] * 3).view(6, 1, 1, 1)
    model = randomise(nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(32, 1)))
    e = relprop.explain(nn.Sequential(model, nn.Sigmoid()).eval(), x)
    assert set(e.prediction.tolist()) == {0, 1}
    captions = [axes.get_xlabel() for axes in e.plot(slice(0, 6)).axes]
    for i in range(6):
        p = float(e.probabilities[i, 0])
        top = f"1: {p:.1%}" if int(e.prediction[i]) else f"0: {1 - p:.1%}"
        assert captions[2 * i : 2 * i + 2] == [top, "explained: logit of class 1"]
    named = [axes.get_xlabel() for axes in e.plot(0, class_names=["five", "three"]).axes]
    assert named[0].startswith("three" if int(e.prediction[0]) else "five")
    assert named[1] == "explained: logit of three"


def test_long_captions_are_broken_into_lines(pictures):
    figure = pictures.plot(0, class_names=["the name of a class that is long"] * 10)
    for axes in figure.axes[:2]:
        lines = axes.get_xlabel().split("\n")
        assert len(lines) > 1
        assert all(len(line) <= 30 for line in lines)


def test_samples_are_chosen_by_a_slice_or_a_tensor(pictures):
    expected = images(pictures.plot([1, 3]))
    for samples in (slice(1, 4, 2), torch.tensor([1, 3]), np.array([1, -7]), range(1, 4, 2)):
        for one, other in zip(images(pictures.plot(samples)), expected, strict=True):
            np.testing.assert_array_equal(one, other)


def test_each_target_has_files_of_its_own(pictures, tmp_path):
    model = randomise(mnist_cnn())
    x, targets = pictures.input[:2], ["predicted", (3, 5), 3, relprop.at(3), lambda out: out[:, 3]]
    e = relprop.explain(model, x, "epsilon", target=targets)
    written = e.save_images(tmp_path, 1, panels=["relevance"])
    assert e.targets == (
        *("predicted", "class 3 against class 5", "class 3", "at(3)"),
        "a function of the output",
    )
    words = ["predicted-class", "class-3-against-class-5", "class-3", "at-3"]
    assert [path.name for path in written] == [
        f"00001-{word}-relevance.png" for word in [*words, "a-function-of-the-output"]
    ]
    for path, relevance in zip(written, e.relevance[1], strict=True):
        colours = imread(path, "png")[4::8, 4::8] * 255
        np.testing.assert_allclose(colours, relevance_colours(relevance[0]), atol=0.5)
    twice = relprop.explain(model, x, "epsilon", target=[3, relprop.at(3), 3])
    names = [path.name for path in twice.save_images(tmp_path / "b", 0, panels=["relevance"])]
    assert names == [f"00000-class-3-relevance{end}.png" for end in ("", "-2", "-3")]


@pytest.mark.parametrize(
    ("samples", "options", "given", "todo"),
    [
        (10, {}, "sample 10 of 10", "leave samples out"),
        ([], {}, "samples is empty", "leave samples out"),
        (torch.ones(10).bool(), {}, "samples as a mask of True and False", "write samples=mask."),
        ("all", {}, "samples is 'all'", "write samples=[0, 1]"),
        (["a"], {}, "sample 'a' of 10", "leave samples out"),
        (0, {"panels": ["overlays"]}, "panels is ['overlays']", 'write "overlay"'),
        (0, {"panels": "input"}, "panels is 'input'", 'write panels=["input", "overlay"]'),
        (0, {"channels": "mean"}, "channels is 'mean'", 'write channels="sum"'),
        (0, {"bounds": (1, 0)}, "bounds is (1, 0)", "write bounds=(-1, 1)"),
        (0, {"class_names": ["a"]}, "1 class_names for 10 classes", "leave class_names out"),
        (0, {"colormap": "bwr"}, "the option 'colormap' of a plot", 'write "cmap"'),
        (0, {"tokenizer": str}, "the option 'tokenizer' of a plot", "write tokens=tokenizer"),
    ],
)
def test_what_cannot_be_drawn_is_refused(pictures, samples, options, given, todo):
    with pytest.raises(InputError) as error:
        pictures.plot(samples, **options)
    assert error.value.given == given
    assert error.value.todo.startswith(todo)


def test_only_pictures_are_saved_as_images(table, tmp_path):
    with pytest.raises(InputError, match=r"images of samples of shape \(4,\)"):
        table[2].save_images(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []
