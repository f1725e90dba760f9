"""Overall importance of features, against pandas and numpy on the relevance of each sample."""

import csv
import re
import sys
from dataclasses import replace
from html import unescape

import numpy as np
import pandas
import pytest
import torch
from helpers.networks import randomise, signed
from helpers.tokenizers import Bag
from matplotlib.colors import to_hex
from torch import nn

import relprop
from relprop.errors import FileError, InputError, MissingExtraError
from relprop.evaluate import bootstrap_mean
from relprop.plot.importance_figure import NO_VALUE, swarm_offsets, value_shades
from relprop.plot.table_figure import AGAINST, FOR

NAMES = ["age", "job=cook", "job=clerk", "hours", "job=smith"]
GROUPS = {"job": ["job=cook", 2, "job=smith"]}


@pytest.fixture(scope="module")
def table():
    """A net, rows of which a third has each job, and their relevance as a DataFrame."""
    net = randomise(nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 2)))
    x = signed(30, 5).float()
    x[:, [1, 2, 4]] = torch.eye(3).repeat(10, 1)
    e = relprop.explain(net, x, "epsilon", target=1)
    return net, x, e, pandas.DataFrame(e.relevance.double().numpy(), columns=NAMES)


@pytest.fixture(scope="module")
def overall(table):
    return table[2].overall(feature_names=NAMES, groups=GROUPS)


def summed(frame):
    """One-hot columns summed in each sample: not the sum of their means of |R|."""
    jobs = ["job=cook", "job=clerk", "job=smith"]
    return frame.assign(job=frame[jobs].sum(axis=1))[["age", "job", "hours"]]


def test_means_are_those_of_the_summed_columns(table, overall):
    frame = summed(table[3])
    sizes, means = frame.abs().mean(), frame.mean()
    order = sizes.sort_values(ascending=False).index.tolist()
    assert [f.name for f in overall.features] == order
    for f in overall.features:
        assert f.mean_absolute.mean == pytest.approx(sizes[f.name], rel=1e-12)
        assert f.mean.mean == pytest.approx(means[f.name], rel=1e-12)
        column = torch.tensor(frame[f.name].to_numpy())
        for got, values in ((f.mean_absolute, column.abs()), (f.mean, column)):
            alone = bootstrap_mean(values).interval  # of equal resamples, summed in another order
            assert got.interval.low == pytest.approx(alone.low, rel=1e-12)
            assert got.interval.high == pytest.approx(alone.high, rel=1e-12)
        assert f.mean.n == overall.n == 30
    np.testing.assert_allclose(overall.samples.relevance, frame[order], rtol=1e-12)
    for k, name in enumerate(order):
        values = overall.samples.values[:, k]
        if name == "job":
            assert bool(values.isnan().all())
        else:
            torch.testing.assert_close(values, table[1][:, NAMES.index(name)])


def test_batches_give_what_all_samples_together_give(table, overall):
    net, x, *_ = table
    explainer, alive = relprop.Explainer(net, "epsilon"), []

    def one_at_a_time():
        for part in x.split(7):
            alive.append(explainer(part, target=1))
            yield alive.pop()

    got = relprop.overall_importance(one_at_a_time(), feature_names=NAMES, groups=GROUPS)
    assert got.n == 30
    assert [f.name for f in got.features] == [f.name for f in overall.features]
    for one, other in zip(got.features, overall.features, strict=True):
        assert one.mean_absolute.mean == pytest.approx(other.mean_absolute.mean, rel=1e-5)
        assert one.mean.interval.high == pytest.approx(other.mean.interval.high, rel=1e-4)
    mapped = explainer.map(x.split(7), target=1, progress=False)
    assert relprop.overall_importance(mapped, feature_names=NAMES).n == 30


def test_entries_without_names_are_named_by_their_place():
    model = randomise(nn.Sequential(nn.Flatten(), nn.Linear(6, 2)))
    e = relprop.explain(model, signed(4, 2, 3).float(), "zero")
    sizes = e.relevance.double().abs().mean(0)
    best = np.unravel_index(int(sizes.argmax()), (2, 3))
    assert e.overall().features[0].name == str(tuple(map(int, best)))


def test_columns_of_category_numbers_are_features_if_they_are_named():
    ids = torch.tensor([[1, 2, 3], [2, 3, 1]])
    e = relprop.explain(randomise(Bag()), ids, "zero")
    overall = e.overall(feature_names=["a", "b", "c"])
    expected = e.relevance.double().abs().mean(0).tolist()
    assert {f.name: f.mean_absolute.mean for f in overall.features} == pytest.approx(
        dict(zip("abc", expected, strict=True))
    )


def test_it_prints_as_a_table(overall):
    lines = str(overall).splitlines()
    assert lines[0] == ("Means over 30 samples, explained: class 1; 95 % bootstrap intervals")
    first = overall.features[0]
    low, high = first.mean_absolute.interval.low, first.mean_absolute.interval.high
    assert lines[2].split()[:5] == [
        *(first.name, f"{first.mean_absolute.mean:.3g}", f"{low:.3g}", "to", f"{high:.3g}")
    ]
    assert len(lines) == 2 + 3


def test_files_and_frames_have_every_number(overall, tmp_path):
    overall.to_csv(tmp_path / "overall.csv")
    with (tmp_path / "overall.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    pandas.testing.assert_frame_equal(
        pandas.read_csv(tmp_path / "overall.csv"), overall.to_frame(), rtol=1e-15
    )
    for row, f in zip(rows, overall.features, strict=True):
        assert row == {
            "feature": f.name,
            "mean_absolute": repr(f.mean_absolute.mean),
            "mean_absolute_low": repr(f.mean_absolute.interval.low),
            "mean_absolute_high": repr(f.mean_absolute.interval.high),
            "mean": repr(f.mean.mean),
            "mean_low": repr(f.mean.interval.low),
            "mean_high": repr(f.mean.interval.high),
            "n": "30",
        }


def test_a_page_shows_bars_and_intervals(overall, tmp_path):
    overall.to_html(tmp_path / "overall.html")
    page = (tmp_path / "overall.html").read_text()
    assert page.startswith("<!doctype html>")
    assert overall._repr_html_() in page
    assert not re.search(r"""(src|href)=["'](?!data:)|url\(|@import|<script""", page)
    pattern = r'<th scope="row">(.*?)</th>.*?left:0;width:(.*?)%.*?left:(.*?)%;width:(.*?)%'
    room = max(f.mean_absolute.interval.high for f in overall.features)
    for found, f in zip(re.findall(pattern, page), overall.features, strict=True):
        end = f.mean_absolute.interval
        assert unescape(found[0]) == f.name
        expected = [f.mean_absolute.mean, end.low, end.high - end.low]
        assert [float(one) for one in found[1:]] == pytest.approx(
            [100 * one / room for one in expected], abs=0.006
        )


def test_bars_have_the_lengths_of_the_means_and_lines_their_intervals(overall):
    axes = overall.plot(features=2).axes[0]
    shown = overall.features[:2]
    assert [label.get_text() for label in axes.get_yticklabels()] == [f.name for f in shown]
    assert [bar.get_width() for bar in axes.patches] == [f.mean_absolute.mean for f in shown]
    segments = [one.get_segments() for one in axes.collections]
    for line, f in zip(segments[0], shown, strict=True):
        assert line[:, 0] == pytest.approx(
            [f.mean_absolute.interval.low, f.mean_absolute.interval.high]
        )
    points = {
        to_hex(line.get_color()): line
        for line in axes.lines
        if to_hex(line.get_color()) in (FOR, AGAINST) and line.get_marker() in ("D", "s")
    }
    drawn = sorted(x for line in points.values() for x in line.get_xdata())
    assert drawn == pytest.approx(sorted(f.mean.mean for f in shown))
    for colour, line in points.items():
        assert all((x >= 0) == (colour == FOR) for x in line.get_xdata())
    assert axes.get_title(loc="left") == "30 samples, explained: class 1; 2 of 3 features"


def test_a_swarm_has_a_dot_for_each_sample(overall):
    axes = overall.plot("beeswarm").axes[0]
    for k, dots in enumerate(axes.collections):
        places = np.asarray(dots.get_offsets())
        np.testing.assert_allclose(places[:, 0], overall.samples.relevance[:, k], rtol=1e-6)
        assert np.abs(places[:, 1] - k).max() < 0.5
        colours = dots.get_facecolor()
        if overall.features[k].name == "job":
            assert {to_hex(colour) for colour in colours} == {NO_VALUE}
        else:  # from dark blue to light green
            values = overall.samples.values[:, k].numpy()
            assert np.corrcoef(values, colours[:, 1])[0, 1] > 0.8


def test_grey_dots_are_explained_where_there_are_any(table):
    singles = [f.name for f in table[2].overall(feature_names=NAMES).features]
    overall = table[2].overall(feature_names=NAMES, groups={"weak": singles[-2:]})
    place = [f.name for f in overall.features].index("weak")
    assert place > 0
    for count in (1, place, place + 1):
        label = overall.plot("beeswarm", features=count).axes[1].get_ylabel()
        assert label == "value of the feature" + ("; grey: several columns" * (place < count))


@pytest.mark.parametrize("kind", ["bars", "beeswarm"])
def test_the_title_is_not_cut_off_beside_long_names(overall, kind):
    long = [replace(f, name=f.name + " and a longer name") for f in overall.features]
    wide = replace(overall, features=tuple(long), explained="logit of the runner-up class " * 2)
    figure = wide.plot(kind, features=2)
    figure.draw_without_rendering()
    assert figure.axes[0].get_title(loc="left").replace("\n", " ") == (
        f"30 samples, explained: {wide.explained.strip()} ; 2 of 3 features"
    )
    drawn = figure.get_tightbbox()
    assert drawn.x1 <= figure.get_size_inches()[0]


def test_dots_on_one_another_are_moved_apart_by_hand():
    offsets = swarm_offsets(np.array([0.0, 0.0, 5.0, 0.0, 10.0]), width=10.0)
    np.testing.assert_allclose(offsets, [0, -0.08, 0, 0.08, 0])
    crowd = swarm_offsets(np.zeros(1001), width=1.0)
    assert (crowd.min(), crowd.max()) == pytest.approx((-0.42, 0.42))
    assert len(np.unique(crowd)) == 1001


def test_values_are_coloured_from_low_to_high():
    values = np.arange(101.0)
    assert value_shades(values)[[0, 5, 50, 95, 100]] == pytest.approx([0, 0, 0.5, 1, 1])
    rare = np.zeros(100)
    rare[3] = 1
    np.testing.assert_array_equal(value_shades(rare), rare)
    assert value_shades(np.ones(3)).tolist() == [0.5] * 3


def test_one_sample_has_no_intervals(table, tmp_path):
    overall = relprop.explain(table[0], table[1][:1], "epsilon", target=1).overall()
    assert [f.mean.interval for f in overall.features] == [None] * 5
    assert str(overall).splitlines()[0] == ("Means over 1 sample, explained: class 1")
    overall.to_csv(tmp_path / "one.csv")
    assert pandas.read_csv(tmp_path / "one.csv")["mean_low"].isna().all()
    assert [bar.get_width() for bar in overall.plot().axes[0].patches] == [
        f.mean_absolute.mean for f in overall.features
    ]
    assert 'class="line"' not in overall._repr_html_()


class Two(nn.Module):
    def forward(self, a, b):
        return (a * b).sum(1, keepdim=True)


# ---- bad input -------------------------------------------------------------------------


def refusal(call) -> InputError:
    with pytest.raises(InputError) as error:
        call()
    return error.value


def test_explanations_without_one_number_for_each_feature_are_refused(table):
    net, x, *_ = table
    error = refusal(relprop.explain(net, x, "epsilon", target=[0, 1]).overall)
    assert error.given == "an explanation of 2 targets of each sample"
    two = relprop.Explainer(Two().eval(), "zero")({"a": x, "b": x}, explain=["a", "b"])
    error = refusal(two.overall)
    assert error.given == "an explanation of several inputs: a, b"
    assert error.todo == 'explain one at a time: explainer(x, explain="a")'
    error = refusal(relprop.explain(randomise(Bag()), torch.ones(2, 3).long(), "zero").overall)
    assert error.given.startswith("token ids")


def test_relevance_that_is_not_finite_is_refused(table):
    e = table[2]
    relevance = e.relevance.clone()
    relevance[7, 2] = torch.nan
    wrong = replace(e, relevances={"x": relevance})
    error = refusal(lambda: relprop.overall_importance([e, wrong], feature_names=NAMES))
    assert error.given == "relevance of sample 37 that is not finite"
    assert error.todo.endswith("x[e.relevance.flatten(1).isfinite().all(1)]")


def test_names_and_groups_that_do_not_fit_are_refused(table):
    e = table[2]
    error = refusal(lambda: e.overall(feature_names=NAMES[:3]))
    assert error.given == "3 feature_names for samples of shape (5,)"
    error = refusal(lambda: e.overall(feature_names=NAMES, groups={"job": ["job=cock"]}))
    assert error.todo == 'write "job=cook"'


def test_explanations_of_other_columns_or_targets_are_refused(table):
    net, x, e, _ = table
    narrow = relprop.explain(randomise(nn.Linear(3, 2)), x[:, :3], "zero", target=1)
    error = refusal(lambda: relprop.overall_importance([e, narrow]))
    assert error.given == "samples of shape (3,) after those of shape (5,)"
    other = relprop.explain(net, x, "epsilon", target=0)
    error = refusal(lambda: relprop.overall_importance([e, other]))
    assert error.given == "an explanation of class 0 after those of class 1"


@pytest.mark.parametrize(
    ("wrong", "given"),
    [
        ([], "no explanations"),
        (3, "explanations of type int"),
        (torch.ones(2), "explanations of type Tensor"),
        ([torch.ones(2)], "a Tensor among the explanations"),
    ],
)
def test_what_is_no_explanation_is_refused(wrong, given):
    error = refusal(lambda: relprop.overall_importance(wrong))
    assert error.given == given
    assert "explainer.map(loader)" in error.todo


def test_one_explanation_in_the_place_of_several_is_refused(table):
    assert refusal(lambda: relprop.overall_importance(table[2])).todo == (
        "write explanation.overall()"
    )


def test_too_many_features_are_refused():
    model = nn.Sequential(nn.Flatten(), nn.Linear(10_001, 2)).eval()
    e = relprop.explain(model, torch.ones(2, 10_001), "zero")
    assert refusal(e.overall).given == "the overall importance of 10,001 features"
    assert len(e.overall(groups={"rest": range(1, 10_001)}).features) == 2


@pytest.mark.parametrize("kind", ["bars", "beeswarm"])
def test_without_matplotlib_the_line_that_installs_it_is_named(overall, kind, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r'pip install "relprop\[plot\]"'):
        overall.plot(kind)
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MissingExtraError, match=r'pip install "relprop\[explain\]"'):
        overall.to_frame()


def test_what_cannot_be_drawn_or_written_is_refused(overall, tmp_path):
    assert refusal(lambda: overall.plot("beswarm")).todo == 'write "beeswarm"'
    assert refusal(lambda: overall.plot(features=0)).given == "features is 0"
    error = refusal(lambda: overall.to_csv(tmp_path / "a.html"))
    assert error.todo == f'write importance.to_csv("{tmp_path}/a.csv")'
    assert refusal(lambda: overall.to_html(tmp_path / "a.png")).given.startswith("the file")
    with pytest.raises(FileError):
        overall.to_html(tmp_path / "missing" / "a.html")
    assert list(tmp_path.iterdir()) == []
