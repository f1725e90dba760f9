"""The page about pruning on a small network: its cells against the functions of the library."""

import json

import pytest
import torch
from torch import nn

pytest.importorskip("torch_pruning")

import pruning
import pruning_advice
import pruning_intervals
import pruning_page
from pruning_criteria import gradient, taylor, weight_norm
from pruning_networks import Pictures, Task, accuracy
from torch.nn.functional import cross_entropy

from relprop.use import prune_channels


@pytest.fixture(scope="module")
def task():
    torch.manual_seed(0)
    x, y = torch.randn(120, 1, 6, 6), torch.arange(120) % 2
    x[y == 1, :, :3] += 1
    model = nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.Flatten(), nn.Linear(96, 2)).eval()
    return Task("small", model, Pictures(x, y), Pictures(x, y).first(40))


@pytest.fixture(scope="module")
def written(task, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        small = {"SEEDS": (0, 1), "FEWER": (0,), "VALIDATION": 20, "TUNED": 20, "ROUNDS": 1}
        for name, value in small.items():
            patch.setattr(pruning, name, value)
        known = {"small": vars(pruning.measure(task))}
    advice = {
        "sentences": ["0: all"],
        "networks": {"a": {"widths": [1], "weights": 5, "accuracy": [0.5]}},
    }
    pruning_page.write(folder, known, advice)
    return known["small"], folder


def test_the_curve_of_relevance_is_that_of_the_library(task, written):
    known, _ = written
    x, y = task.train.x[:-20], task.train.y[:-20]
    test = task.test.x, task.test.y
    expected = [prune_channels(task.model, x, y, 0.5, seed=s, test=test) for s in (0, 1)]
    mean = sum(one.accuracy_after for one in expected) / 2
    assert known["curves"]["relevance"]["0.5"][0] == pytest.approx(mean, abs=1e-12)
    once = {"rounds": 1, "rescale": False}
    expected = [prune_channels(task.model, x, y, 0.5, seed=s, test=test, **once) for s in (0, 1)]
    mean = sum(one.accuracy_after for one in expected) / 2
    assert known["settings"]["at once, as it is"]["relevance"][0] == pytest.approx(mean, abs=1e-12)
    assert known["accuracy"] == accuracy(task.model, task.test)
    assert known["sizes"]["0.5"]["parameters"] == 3 * 10 + 2 * 48 + 2


def test_the_page_says_what_was_measured(written):
    known, folder = written
    text = (folder / "pruning.md").read_text()
    assert (folder / "pruning.png").stat().st_size > 1_000
    mean, low, high = known["curves"]["Taylor"]["0.5"]
    assert f"{100 * mean:.1f} [{100 * low:.1f}, {100 * high:.1f}]" in text
    assert json.loads(json.dumps(known)) == known
    assert "| a | 1 | 5 | 50.0 (50.0) |" in text


def test_intervals_resample_draws_and_pictures_and_stay_within_bounds():
    """Against the same draws in a loop; differences are of the same draws and pictures."""
    generator = torch.Generator().manual_seed(3)
    right = torch.rand(4, 50, generator=generator) < 0.9
    mean, low, high = pruning_intervals.interval(right)
    assert mean == pytest.approx(float(right.double().mean()))
    generator, means = torch.Generator().manual_seed(0), []
    draws = torch.randint(4, (2_000, 4), generator=generator)
    pictures = torch.randint(50, (2_000, 50), generator=generator)
    for rows, columns in zip(draws, pictures, strict=True):
        means.append(right[rows][:, columns].double().mean())
    ends = torch.stack(means).quantile(torch.tensor([0.025, 0.975]).double()).tolist()
    assert [low, high] == pytest.approx(ends)
    assert pruning_intervals.interval(torch.ones(3, 9)) == [1, 1, 1]
    assert pruning_intervals.difference(right, right) == [0, 0, 0]
    assert pruning_intervals.difference(right, ~right)[0] == pytest.approx(2 * mean - 1)


def test_a_verdict_counts_networks_whose_intervals_are_apart():
    gains = {"Taylor": [0.1, 0.05, 0.2], "weight norm": [0.1, 0.01, 0.2]}
    won = {"relevance": [0.9, 0.88, 0.92], "Taylor": [0.8, 0.7, 0.85], "weight norm": [0.5] * 3}
    tied = {**won, "Taylor": [0.8, 0.7, 0.89]}
    none = {"Taylor": [0.1, -0.05, 0.2], "weight norm": [0.1, 0.01, 0.2]}
    known = {
        name: {"settings": {"so": halves}, "gains": {"so": gain}}
        for name, halves, gain in (("a", won, gains), ("b", tied, gains), ("c", tied, none))
    }
    text = pruning_page.verdict(known, "so")
    assert "above those of both on 1 of 3 networks (a)" in text
    assert "above 0 on 2 of 3 networks (a, b)" in text


def test_criteria_are_their_formulas(task):
    """Sample by sample, with the gradient of one loss."""
    model, x, y = task.model, task.train.x[:4], task.train.y[:4]
    products, sizes = torch.zeros(6).double(), torch.zeros(6).double()
    for i in range(4):
        output = model[0](x[i : i + 1])
        (g,) = torch.autograd.grad(cross_entropy(model[1:](output), y[i : i + 1]), output)
        products += (output * g)[0].detach().double().mean((1, 2)).abs() / 4
        sizes += g[0].double().abs().mean((1, 2)) / 4
    assert torch.allclose(taylor(model, x, y, ["0"])["0"], products, rtol=1e-4)
    assert torch.allclose(gradient(model, x, y, ["0"])["0"], sizes, rtol=1e-4)
    norms = [float((model[0].weight.detach()[c] ** 2).sum() ** 0.5) for c in range(6)]
    assert weight_norm(model, x, y, ["0"])["0"].tolist() == pytest.approx(norms)


def test_narrower_networks_have_about_as_many_weights():
    widths = pruning_advice.narrower(50_000)
    assert abs(pruning_advice.count(pruning_advice.network(widths)) - 50_000) < 2_500
    assert pruning_advice.count(pruning_advice.network(pruning_advice.WIDTHS)) == 435_370
