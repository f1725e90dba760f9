"""A small sample of benchmarks/tuned.py: two runs as its page writes them."""

import json

import pytest
import torch
from torch import nn
from tuned_networks import SmallViT
from tuned_page import page

import relprop
from relprop.recipes.presets import PRESETS


@pytest.fixture(scope="module")
def run():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 3)).eval()
    x = torch.randn(120, 8)
    tuned = relprop.tune(model, x, trials=6, steps=8, other_fills=["mean"])
    own = {"accuracy": 0.5, "test": 120, "seconds": 90.0, "classes": ["a", "b", "c"]}
    return json.loads(json.dumps({**own, **tuned.to_dict()}))


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_page_has_each_gain_with_its_interval(run):
    lines = page({"small": run}, ["small"]).splitlines()
    row = next(cells(line) for line in lines if line.startswith("| small | 50.0 |"))
    best = max(
        (m for m in run["scores"][0]["methods"] if m["method"] in PRESETS),
        key=lambda m: m["mean"],
    )
    low, high = best["gain_interval"]
    assert row[6] == f"{best['gain']:+.3f} [{low:+.3f}, {high:+.3f}]"
    assert row[5] == f"{best['method']} {best['mean']:.3f}"
    assert any(line.startswith("| small | mean |") for line in lines)
    assert run["verdict"] in "\n".join(lines)


def test_networks_that_beat_every_preset_are_counted(run):
    def with_gains(ends):
        methods = [{**m, "gain_interval": ends} for m in run["scores"][0]["methods"]]
        return {**run, "scores": [{**run["scores"][0], "methods": methods}]}

    runs = {"better": with_gains([0.1, 0.2]), "null": with_gains([-0.1, 0.2])}
    assert "on 1 of 2 networks" in " ".join(page(runs, list(runs)).split())


@pytest.mark.slow
def test_the_small_vit_can_be_explained():
    torch.manual_seed(0)
    model, x = SmallViT().eval(), torch.rand(2, 1, 28, 28)
    e = relprop.Explainer(model)(x, ledger=True)
    assert e.relevance.shape == x.shape
    assert e.ledgers[0].error < 1e-4
