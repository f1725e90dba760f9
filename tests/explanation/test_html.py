"""Explanations as HTML: in notebooks, and as pages of their own."""

import base64
import re
from html import unescape
from io import BytesIO
from itertools import pairwise

import numpy as np
import pytest
import torch
from helpers.heads import X, headed
from helpers.networks import mnist_cnn, pixels, randomise, signed
from helpers.tokenizers import Bag, small_tokenizer
from matplotlib.colors import to_hex
from matplotlib.image import imread
from torch import nn

import relprop
from relprop.errors import FileError, InputError
from relprop.explanation.html import explanation_html
from relprop.plot.colours import input_colours, relevance_colours

NAMES = ["age", "job=cook", "job=clerk", "hours"]


def images(page):
    """The pictures of a page with their alt texts, by their place."""
    found = re.findall(r'<img src="data:image/png;base64,([^"]+)" alt="([^"]+)"', page)
    return [(imread(BytesIO(base64.b64decode(data)), "png") * 255, alt) for data, alt in found]


def rows(page, kind):
    """Bars of the tables of a kind: name, value, and place as percentages."""
    tables = "".join(re.findall(rf'<table class="{kind}">(.*?)</table>', page, re.S))
    pattern = (
        r'<th scope="row">(.*?)</th><td class="number">(.*?)</td>'
        r'(?:<td class="room"><div><i class="(\w+)" style="left:(.*?)%;width:(.*?)%">)?'
    )
    return [tuple(map(unescape, row)) for row in re.findall(pattern, tables)]


def words(page):
    pattern = r'<span( class="special")? style="background:(.*?);color:.*?" title="(.*?)">(.*?)<'
    return re.findall(pattern, page)


@pytest.fixture(scope="module")
def explained() -> tuple[nn.Module, torch.Tensor, relprop.Explanation]:
    net, x = randomise(mnist_cnn()), pixels(3, 1, 28, 28).float()
    return net, x, relprop.Explainer(net, "epsilon")(x)


def test_a_notebook_shows_input_heatmap_and_probabilities(explained):
    *_, e = explained
    page = e._repr_html_()
    drawn = images(page)
    assert len(drawn) == 6
    outputs = rows(page, "outputs")
    for i in range(3):
        np.testing.assert_allclose(drawn[2 * i][0], input_colours(e.input[i, 0]), atol=0.5)
        heatmap, alt = drawn[2 * i + 1]
        np.testing.assert_allclose(heatmap, relevance_colours(e.relevance[i, 0]), atol=0.5)
        low, high = float(e.relevance[i].min()), float(e.relevance[i].max())
        best = int(e.prediction[i])
        assert alt == (
            f"relevance of sample {i}, relevance from {low:+.2g} to {high:+.2g}, "
            f"explained: class {best}"
        )
        assert f"explained: class {best}" in page
        p = float(e.probabilities[i, best])
        assert outputs[5 * i][:2] == (str(best), f"{p:.1%}")
        assert float(outputs[5 * i][4]) == pytest.approx(100 * p, abs=0.01)


def test_a_page_loads_nothing_and_says_how_many_samples_it_leaves_out(explained, tmp_path):
    *_, e = explained
    e.to_html(
        tmp_path / "new.html", samples=[2], panels=["overlay"], class_names=list("<bcdefghij")
    )
    page = (tmp_path / "new.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "<title>Explanation of 3 samples</title>" in page
    assert len(images(page)) == 1
    assert "and 2 more in this batch" in page
    assert not re.search(r"""(src|href)=["'](?!data:)|url\(|@import|<script""", page)
    names = [name for name, *_ in rows(page, "outputs")]
    assert len(names) == 5
    assert "<b>" + ("&lt;" if names[0] == "<" else names[0]) in page


def test_a_picture_with_several_targets_is_one_card_with_a_map_for_each(explained):
    net, x, _ = explained
    e = relprop.explain(net, x, "epsilon", target=["predicted", 3])
    page = e._repr_html_()
    assert page.count("<article") == 3
    drawn = images(page)
    assert len(drawn) == 3 * 3
    for i in range(3):
        for k in range(2):
            colours, alt = drawn[3 * i + 1 + k]
            np.testing.assert_allclose(colours, relevance_colours(e.relevance[i, k, 0]), atol=0.5)
            target = ("predicted", "class 3")[k]
            assert alt.startswith(f"{target} of sample {i}, explained: class {e.target[i, k]}; ")


def test_what_cannot_be_written_is_refused(explained, tmp_path):
    *_, e = explained
    with pytest.raises(InputError, match=r"another format") as error:
        e.to_html(tmp_path / "new.png")
    assert error.value.todo == f'write explanation.to_html("{tmp_path}/new.html")'
    with pytest.raises(FileError):
        e.to_html(tmp_path / "missing" / "new.html")
    with pytest.raises(InputError, match="the option 'cmaps' of a plot"):
        e.to_html(tmp_path / "new.html", cmaps="bwr")
    assert list(tmp_path.iterdir()) == []


def test_a_text_has_the_colours_and_values_of_its_tokens():
    named = small_tokenizer()
    ids = named(["a unlikely film $ $", "a film"], padding=True, return_tensors="pt")["input_ids"]
    e = relprop.explain(randomise(Bag()), ids, "zero")
    page = explanation_html(e, None, {"tokens": named})
    texts = [(special, text) for special, _, _, text in words(page)]
    special = ' class="special"'
    assert texts == [
        *[("", one) for one in ("a", "un", "likely", "film", "$", "$")],
        *[("", "a"), ("", "film"), *[(special, "[PAD]")] * 4],
    ]
    for i in range(2):
        grounds = relevance_colours(e.relevance[i][None])[0]
        for k in range(6):
            _, ground, value, _ = words(page)[6 * i + k]
            assert ground == to_hex(grounds[k] / 255)
            assert value == f"{float(e.relevance[i, k]):+.3g}"
    joined = explanation_html(e, 0, {"tokens": named, "words": True})
    _, _, value, _ = next(one for one in words(joined) if one[3] == "unlikely")
    assert value == f"{float(e.relevance[0, 1] + e.relevance[0, 2]):+.3g}"


def test_a_table_has_signed_bars_from_one_zero():
    linear, x = randomise(nn.Linear(4, 3)), torch.tensor([[1.0, 0.0, 1.0, -2.0]])
    e = relprop.explain(linear, x, "zero", target=2)
    options = {"feature_names": NAMES, "groups": {"job": ["job=cook", "job=clerk"]}}
    page = explanation_html(e, None, options)
    weight = linear.weight[2].detach()
    relevance = {
        "age = 1": float(weight[0]),
        "job = clerk": float(weight[2]),
        "hours = -2": float(-2 * weight[3]),
    }
    ranked = sorted(relevance.items(), key=lambda item: -abs(item[1]))
    low, high = min(0, *relevance.values()), max(0, *relevance.values())
    for (name, value), row in zip(ranked, rows(page, "features"), strict=True):
        assert row[:3] == (name, f"{value:+.3g}", "positive" if value >= 0 else "negative")
        start = (min(0, value) - low) / (high - low)
        assert float(row[3]) == pytest.approx(100 * start, abs=0.01)
        assert float(row[4]) == pytest.approx(100 * abs(value) / (high - low), abs=0.01)
    options["waterfall"] = True
    bars = rows(explanation_html(e, None, options), "features")
    assert bars[-1][0] == "sum"
    total = sum(relevance.values())
    assert bars[-1][1] == f"{total:+.3g}"
    edges = np.cumsum([0, *(value for _, value in ranked)])
    left = [min(a, b) for a, b in pairwise(edges)]
    span = edges.max() - edges.min()
    for bar, start in zip(bars, left, strict=False):
        assert float(bar[3]) == pytest.approx(100 * (start - edges.min()) / span, abs=0.01)


def test_the_bars_of_several_rows_are_on_one_scale():
    linear, x = randomise(nn.Linear(4, 3)), torch.tensor([[1.0, 0.5, 1.0, -2.0], [0, 0.1, 0, 0.2]])
    e = relprop.explain(linear, x, "zero", target=2)
    page = explanation_html(e, None, {"feature_names": NAMES})
    low, high = min(0, float(e.relevance.min())), max(0, float(e.relevance.max()))
    expected = [
        100 * abs(float(value)) / (high - low)
        for i in range(2)
        for value in e.relevance[i, e.relevance[i].abs().argsort(descending=True, stable=True)]
    ]
    found = {(name, value): float(width) for name, value, _, _, width in rows(page, "features")}
    assert sorted(found.values()) == pytest.approx(sorted(expected)[-len(found) :], abs=0.01)
    assert "The bars of these samples are on one scale" in page
    assert "on one scale" not in explanation_html(e, 0, {"feature_names": NAMES})


def test_a_series_is_drawn_with_its_scale():
    model = randomise(nn.Sequential(nn.Conv1d(2, 3, 3), nn.Flatten(), nn.Linear(18, 3)))
    e = relprop.explain(model, signed(2, 2, 8).float(), "zero")
    page = e._repr_html_()
    assert [alt.split(",")[0] for _, alt in images(page)] == [
        "time series of sample 0",
        "time series of sample 1",
    ]
    for i in range(2):
        assert f"<span>{float(e.relevance[i].abs().max()):.2g} relevance</span>" in page


def test_an_input_with_many_features_is_drawn_by_its_largest():
    """Names are made of those that are shown alone."""
    x = torch.zeros(1, 2, 100, 100, 40)
    x[0, 1, 7, 9, 3] = 5
    model = nn.Sequential(nn.Flatten(), nn.Linear(800_000, 2, bias=False)).eval()
    e = relprop.explain(model, x, "zero", target=0)
    assert rows(e._repr_html_(), "features")[0][0] == "(1, 7, 9, 3) = 5"


def test_a_notebook_shows_the_largest_features_of_a_table_row():
    net = randomise(nn.Sequential(nn.Linear(4, 3)))
    e = relprop.explain(net, torch.tensor([[0.5, -3.0, 2.0, 1.0]]), recipe="zero", target=(0, 1))
    page = e._repr_html_()
    expected = {str(i): float(e.relevance[0, i]) for i in range(4)}
    for name, value, *_ in rows(page, "features"):
        assert value == f"{expected[name.split(' = ')[0]]:+.3g}"
    assert any(name == "1 = -3" for name, *_ in rows(page, "features"))
    assert "class 0 against class 1" in page


def test_a_notebook_shows_the_probabilities_of_a_head_as_they_are():
    e = relprop.explain(headed(torch.sigmoid), X, target=1)
    page = e._repr_html_()
    shown = [row[:2] for row in rows(page, "outputs")]
    for i in range(5):
        for k in range(3):
            assert (str(k), f"{float(e.output[i, k]):.1%}") in shown[3 * i : 3 * i + 3]
    assert "explained: logit of class 1" in page


def test_a_notebook_shows_one_unit_without_a_bar_unless_it_is_a_probability():
    linear, x = randomise(nn.Linear(4, 1)).double(), signed(2, 4)
    e = relprop.explain(linear, x)
    page = e._repr_html_()
    value = float(e.output[0, 0])
    assert rows(page, "outputs")[0] == ("0", f"{value:.5g}", "", "", "")
    page = relprop.explain(nn.Sequential(linear, nn.Sigmoid()).eval(), x)._repr_html_()
    p = float(e.output[0, 0].sigmoid())
    for row in rows(page, "outputs")[:2]:
        expected = {"0": 1 - p, "1": p}[row[0]]
        assert row[1:] == (f"{expected:.1%}", "positive", "0.00", f"{100 * expected:.2f}")
    assert "explained: logit of class 1" in page
