"""Maps of several methods and layers beside one another, as figures and as pages."""

import base64
import re
from html import unescape
from io import BytesIO

import numpy as np
import pytest
import torch
from helpers.networks import pixels, randomise, signed
from matplotlib.image import imread
from torch import nn

import relprop
from relprop.errors import InputError
from relprop.plot.colours import input_colours, relevance_colours

NAMES = ["cat", "dog", "cow"]


@pytest.fixture(scope="module")
def explained():
    layers = (nn.Conv2d(2, 4, 3), nn.ReLU(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(36, 3))
    explainer = relprop.Explainer(randomise(nn.Sequential(*layers)), "epsilon")
    x = pixels(3, 2, 8, 8).float()
    return explainer, x, explainer(x, layers=["0", "2", "4"])


def images(figure):
    return [axes.images[0].get_array() for axes in figure.axes if axes.images]


def test_methods_stand_beside_one_another(explained):
    explainer, x, e = explained
    gamma = explainer.with_recipe("gamma")(x, target=1)
    noise = signed(3, 2, 8, 8)
    grid = relprop.MapGrid({"epsilon": e, "gamma": gamma, "noise": noise})
    figure = grid.plot([2, 0], class_names=NAMES)
    drawn = images(figure)
    assert len(drawn) == 2 * 4
    for row, i in enumerate((2, 0)):
        np.testing.assert_array_equal(drawn[4 * row], input_colours(x[i].mean(0)))
        for k, relevance in enumerate((e.relevance, gamma.relevance, noise)):
            expected = relevance_colours(relevance[i].double().sum(0))
            np.testing.assert_array_equal(drawn[4 * row + k + 1], expected)
        said = [axes.get_xlabel().replace("\n", " ") for axes in figure.axes[4 * row :][:4]]
        best = int(e.prediction[i])
        limits = [f"{float(r[i].sum(0).abs().max()):.2g}" for r in (e.relevance, noise)]
        assert said[0] == f"{NAMES[best]}: {float(e.probabilities[i, best]):.1%}"
        assert said[1] == f"explained: {NAMES[best]}; limit {limits[0]}"
        assert said[2].startswith("explained: dog; ")
        assert said[3] == f"limit {limits[1]}"
    assert [axes.get_title() for axes in figure.axes[:4]] == ["input", "epsilon", "gamma", "noise"]


def test_layers_are_drawn_at_the_size_of_the_picture(explained):
    _, _, e = explained
    grid = relprop.MapGrid({"input": e, "0": e.layers["0"], "2": e.layers["2"]})
    drawn = images(grid.plot(1, panels=["relevance"]))
    pooled = e.layers["2"][1].sum(0)  # 3 x 3
    # The middle of pixel i of 8 lies in entry floor((i + 0.5) * 3 / 8).
    places = np.floor((np.arange(8) + 0.5) * 3 / 8).astype(int)
    expected = relevance_colours(pooled[places][:, places], float(pooled.abs().max()))
    np.testing.assert_array_equal(drawn[2], expected)
    assert drawn[1].shape == (8, 8, 4)


def test_a_map_larger_than_the_picture_drops_no_entry(explained):
    _, _, e = explained
    large = torch.zeros(3, 1, 16, 16)
    large[:, :, 1, 1] = 4.0  # one of the four of pixel (0, 0)
    drawn = images(relprop.MapGrid({"input": e, "large": large}).plot(0, panels=["relevance"]))
    expected = torch.zeros(8, 8)
    expected[0, 0] = 1.0
    np.testing.assert_array_equal(drawn[1], relevance_colours(expected))


def test_one_limit_for_all_maps_of_the_batch(explained):
    _, _, e = explained
    weak, size = e.relevance / 10, float(e.relevance.sum(1).abs().max())
    figure = relprop.MapGrid({"whole": e, "weak": weak}).plot(
        0, limits="batch", panels=["relevance"]
    )
    expected = relevance_colours(weak[0].double().sum(0), size)
    np.testing.assert_array_equal(images(figure)[1], expected)
    assert figure.axes[2].get_ylim() == pytest.approx((-size, size))


def test_a_module_with_several_outputs_has_a_column_for_each(explained):
    _, _, e = explained
    both = (e.layers["0"], e.layers["2"])
    figure = relprop.MapGrid({"input": e, "block": both}).plot(0, panels=["relevance"])
    titles = [axes.get_title() for axes in figure.axes[:3]]
    assert titles == ["input", "block, output 0", "block, output 1"]


def test_a_page_shows_a_card_for_each_sample(explained, tmp_path):
    explainer, x, e = explained
    gamma = explainer.with_recipe("gamma")(x)
    grid = relprop.MapGrid({"<epsilon>": e, "gamma": gamma})
    grid.to_html(tmp_path / "grid.html", [0, 1], class_names=NAMES)
    page = (tmp_path / "grid.html").read_text()
    assert page.count("<article") == 2
    assert "and 1 more in this batch" in page
    assert not re.search(r"""(src|href)=["'](?!data:)|url\(|@import|<script""", page)
    found = re.findall(r'base64,([^"]+)" alt="([^"]+)".*?<figcaption>(.*?)</figcaption>', page)
    assert len(found) == 6
    data, alt, below = found[4]
    expected = relevance_colours(e.relevance[1].double().sum(0))
    np.testing.assert_allclose(imread(BytesIO(base64.b64decode(data))) * 255, expected, atol=0.5)
    limit = float(e.relevance[1].sum(0).abs().max())
    words = f"explained: {NAMES[int(e.prediction[1])]}; limit {limit:.2g}"
    assert unescape(below) == f"<epsilon>: {words}"
    assert unescape(alt) == f"<epsilon> of sample 1, {words}"
    assert "limit of each map" in page
    assert grid._repr_html_().count("<article") == 3
    grid.to_html(tmp_path / "twice.html", [0, 0])
    page = (tmp_path / "twice.html").read_text()
    assert page.count("<article") == 2
    assert "and 2 more in this batch" in page
    assert repr(grid) == "MapGrid(3 pictures: <epsilon>, gamma)"


def test_a_notebook_tells_that_the_pictures_were_written_into(explained):
    explainer, x, _ = explained
    own = x.clone()
    grid = relprop.MapGrid({"epsilon": explainer(own)})
    own[0] = 0
    page = grid._repr_html_()
    assert page.startswith("<pre>MapGrid(3 pictures: epsilon)\n")
    assert "written" in page


# ---- bad input -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "given", "todo"),
    [
        (lambda e: {}, "no maps", "write relprop.MapGrid({"),
        (lambda e: [e], "maps of type list", "write relprop.MapGrid({"),
        (lambda e: {"a": e.relevance}, "relevance alone, without", 'write {"input": e'),
        (lambda e: {"a": e, "b": e.relevance.numpy()}, '"b" of type ndarray', "write torch.as"),
        (lambda e: {"a": e, "4": e.layers["4"]}, '"4" of shape (3, 3)', "leave it out"),
        (lambda e: {"a": e, "b": torch.ones(3, 5, 6)}, '"b" of shape (3, 5, 6)', "leave it out"),
        (lambda e: {"a": e, "b": e.relevance[:2]}, '"b" of 2 samples beside', "compute it on"),
    ],
)
def test_what_is_no_map_is_refused(explained, make, given, todo):
    with pytest.raises(InputError) as error:
        relprop.MapGrid(make(explained[2]))
    assert error.value.given.startswith(given)
    assert error.value.todo.startswith(todo)


def test_explanations_of_other_pictures_or_of_several_targets_are_refused(explained):
    explainer, x, e = explained
    with pytest.raises(InputError, match="of other pictures than the first"):
        relprop.MapGrid({"a": e, "b": explainer(x.flip(0))})
    with pytest.raises(InputError, match="an explanation of several targets") as error:
        relprop.MapGrid({"a": explainer(x, target=[0, 1])})
    assert "e.plot()" in error.value.todo
    table = relprop.explain(randomise(nn.Linear(4, 3)), signed(2, 4).float(), "zero")
    with pytest.raises(InputError, match=r"explanations of inputs of shape \(2, 4\)"):
        relprop.MapGrid({"a": table})


def test_wrong_options_are_refused(explained, tmp_path):
    grid = relprop.MapGrid({"a": explained[2]})
    with pytest.raises(InputError, match='channels="apart" of a grid'):
        grid.plot(channels="apart")
    with pytest.raises(InputError, match="tokens for a grid of pictures"):
        grid.plot(0, tokens=["a"])
    with pytest.raises(InputError, match="the option 'cmaps' of a plot"):
        grid.to_html(tmp_path / "grid.html", cmaps="bwr")
    with pytest.raises(InputError, match="another format"):
        grid.to_html(tmp_path / "grid.png")
    assert list(tmp_path.iterdir()) == []
