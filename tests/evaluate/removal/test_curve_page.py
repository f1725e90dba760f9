"""Removal curves as pages and as files, of one method and of several."""

import base64
import csv
import re
import sys
from html import unescape

import pytest
import torch
from matplotlib import rc_context, style
from torch import nn

from relprop.errors import FileError, InputError, MissingExtraError
from relprop.evaluate import RemovalCurves, bootstrap_mean, removal_curve, removal_curves


@pytest.fixture(scope="module")
def curves():
    torch.manual_seed(0)
    model, x = nn.Linear(6, 3).eval(), torch.rand(20, 6)
    return removal_curves(model, x, {"<x>": x, "noise": torch.rand(20, 6)}, steps=3)


def tables(page):
    """Tables of numbers, by their titles: rows of cells."""
    found = {}
    for title, body in re.findall(r"<caption>(.*?)</caption>(.*?)</table>", page, re.S):
        lines = re.findall(r"<tr>(.*?)</tr>", body, re.S)
        found[unescape(title)] = [
            [unescape(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line)]
            for line in lines
        ]
    return found


def text_of(values) -> str:
    got = bootstrap_mean(values.double())
    return f"{got.mean:.3f} ({got.interval.low:.3f} to {got.interval.high:.3f})"


def test_a_page_has_areas_and_steps_of_every_method(curves, tmp_path):
    curves.to_html(tmp_path / "curves.html")
    page = (tmp_path / "curves.html").read_text()
    assert not re.search(r"""(src|href|srcset)=["'](?!data:)|url\(|@import|<script""", page)
    assert curves._repr_html_() in page
    found = tables(page)
    assert list(found) == ["Areas under the curves", "Every step of <x>", "Every step of noise"]
    for (name, c), row in zip(curves.items(), found["Areas under the curves"][1:], strict=True):
        assert row == [name, *(text_of(v) for v in (c.morf.auc, c.lerf.auc, c.random.auc, c.srg))]
        steps = found[f"Every step of {name}"]
        assert steps[0] == [
            *("removed (%)", "most relevant first", "least relevant first", "random order")
        ]
        listed = (c.morf, c.lerf, c.random)
        assert steps[3] == ["66.7", *(text_of(one.scores[:, 2]) for one in listed)]
    (alt,) = re.findall(r'alt="(.*?)"', page)
    first = curves["<x>"].morf.scores.double().mean(0).tolist()
    words = f"<x>: most relevant first {first[0]:.3g} to {first[-1]:.3g}, least relevant first"
    assert words in unescape(alt)


def test_a_figure_is_drawn_for_light_and_for_dark_pages(curves):
    page = curves["noise"]._repr_html_()
    pattern = r'media="\(prefers-color-scheme: dark\)" srcset="data:image/svg\+xml;base64,(.*?)"'
    (dark,) = re.findall(pattern, page)
    (light,) = re.findall(r'img src="data:image/svg\+xml;base64,(.*?)"', page)
    grounds = [base64.b64decode(one).decode() for one in (light, dark)]
    fills = [re.search(r'id="patch_1".*?fill: (#\w+)', one, re.S).group(1) for one in grounds]
    assert fills == ["#ffffff", "#1c2025"]
    assert "#e8eaed" in grounds[1]  # letters
    assert "#e8eaed" not in grounds[0]


def test_one_curve_has_a_page_without_a_gain(curves):
    page = curves["noise"].lerf._repr_html_()
    found = tables(page)
    assert found["Areas under the curves"] == [
        ["method", "area, least relevant first"],
        ["relevance", text_of(curves["noise"].lerf.auc)],
    ]
    assert "Mean probability of 20 samples" in page


def test_one_sample_has_no_intervals():
    x = torch.rand(1, 4)
    curve = removal_curve(lambda x: x.sum(1), x, x, score=lambda y: y, steps=2)
    page = curve._repr_html_()
    assert "interval" not in page
    assert tables(page)["Every step"][1] == ["0", f"{float(x.sum()):.3f}"]


def test_files_name_method_and_order(curves, tmp_path):
    curves.to_csv(tmp_path / "all.csv")
    curves["noise"].to_csv(tmp_path / "one.csv")
    with (tmp_path / "all.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 3 * 20 * 4
    row = rows[3 * 20 * 4 + 20 * 4 + 5 * 4 + 2]
    assert (row["method"], row["order"], row["sample"], row["removed"]) == (
        *("noise", "lerf", "5", "4"),
    )
    assert float(row["score"]) == float(curves["noise"].lerf.scores[5, 2])
    with (tmp_path / "one.csv").open(newline="") as file:
        alone = list(csv.DictReader(file))
    for row in rows:
        row.pop("method")
    assert alone == rows[len(alone) :]


def test_the_curves_are_a_mapping(curves):
    assert list(curves) == ["<x>", "noise"]
    assert len(curves) == 2
    assert isinstance(curves, RemovalCurves)
    gain = float(curves["noise"].srg.double().mean())
    assert repr(curves).endswith(f"noise: SRG {gain:.3f}>")
    titles = [axes.get_title(loc="left") for axes in curves.plot().axes]
    assert titles == ["<x>", "noise"]
    with pytest.raises(KeyError):
        curves["x"]


def test_a_notebook_without_matplotlib_shows_text(curves, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for shown in (curves, curves["noise"].morf):
        page = shown._repr_html_()
        assert page.startswith("<pre>&lt;Removal")
        assert "pip install &quot;relprop[plot]&quot;" in page
    with pytest.raises(MissingExtraError):
        curves.to_html(tmp_path / "curves.html")
    assert list(tmp_path.iterdir()) == []


# ---- bad input -------------------------------------------------------------------------


def test_scores_that_are_not_finite_are_told_and_no_notebook_fails(tmp_path):
    x = torch.tensor([[1.0, 2.0], [-1.0, -1.0], [3.0, 1.0]])
    curves = removal_curves(
        lambda x: x.sum(1) + 0.5, x, {"<x>": x}, score=lambda output: output.sqrt(), steps=2
    )
    given = "scores of <x> that are not finite, of 1 of 3 samples: the first is 1"
    for call in (curves.plot, lambda: curves.to_html(tmp_path / "curves.html")):
        with pytest.raises(InputError) as error:
            call()
        assert error.value.given == given
        assert "x[curve.scores.isfinite().all(1)]" in error.value.todo
    assert not list(tmp_path.iterdir())
    for shown in (curves, curves["<x>"], curves["<x>"].morf):
        page = shown._repr_html_()
        assert "that are not finite, of 1 of 3 samples" in unescape(page)
        assert unescape(page).startswith(f"<pre>{shown!r}")


def test_pages_do_not_depend_on_the_style_of_the_user(curves):
    page = curves._repr_html_()
    with rc_context({"savefig.facecolor": "white", "svg.fonttype": "none", "lines.linewidth": 9}):
        assert curves._repr_html_() == page
    with style.context("dark_background"):
        assert curves._repr_html_() == page


def test_names_of_other_formats_are_refused(curves, tmp_path):
    one, curve = curves["noise"], curves["noise"].morf
    for call, todo in (
        (lambda: curves.to_csv(tmp_path / "a.html"), 'curves.to_csv("{}/a.csv")'),
        (lambda: one.to_html(tmp_path / "a.csv"), 'curves.to_html("{}/a.html")'),
        (lambda: curve.to_csv(tmp_path / "a.png"), 'curve.to_csv("{}/a.csv")'),
        (lambda: curve.to_html(tmp_path / "a.png"), 'curve.to_html("{}/a.html")'),
    ):
        with pytest.raises(InputError) as error:
            call()
        assert error.value.todo == "write " + todo.format(tmp_path)
    with pytest.raises(FileError):
        one.to_html(tmp_path / "missing" / "a.html")
    assert list(tmp_path.iterdir()) == []
