"""A small sample of benchmarks/recipe_ideas.py: what it averages, its rule of heads, its page."""

import pytest
import torch
from recipe_ideas import average, measure, rule_of_heads, search_heads
from recipe_ideas_page import page
from torch import nn
from tuned_networks import Ready

import relprop
from relprop import Recipe, Selector


class Attending(nn.Module):
    """Rows of pictures as tokens, through one attention layer of two heads."""

    def __init__(self):
        super().__init__()
        self.embed, self.out = nn.Linear(6, 8), nn.Linear(8, 3)
        self.qkv, self.position = nn.Linear(8, 24), nn.Parameter(torch.randn(1, 5, 8))

    def forward(self, x):
        tokens = self.embed(x[:, 0]) + self.position
        q, k, v = (t.unflatten(-1, (2, 4)).transpose(1, 2) for t in self.qkv(tokens).chunk(3, -1))
        mixed = nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return self.out((tokens + mixed).relu().mean(1))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return Attending().double().eval()


@pytest.mark.parametrize(("chosen", "preset"), [(True, "attnlrp"), (False, "cp-lrp")])
def test_heads_of_one_rule_are_that_rule(model, chosen, preset):
    x = torch.randn(3, 1, 5, 6, dtype=torch.float64)
    attention = Selector(kinds=("attention",))
    recipe = Recipe.preset("attnlrp").using(attention, rule_of_heads([chosen] * 2))
    got = relprop.Explainer(model, recipe)(x, 1).relevance
    want = relprop.Explainer(model, Recipe.preset("attnlrp").using(attention, preset))(x, 1)
    torch.testing.assert_close(got, want.relevance, rtol=1e-10, atol=1e-14)


def test_maps_are_averaged_as_shares_of_their_size():
    maps = [torch.tensor([[3.0, -1.0]]), torch.tensor([[0.0, 10.0]])]
    mean = average([lambda x, target, m=m: m for m in maps])(None, None)
    torch.testing.assert_close(mean, torch.tensor([[0.375, 0.375]]))


def test_the_search_finds_what_single_changes_lead_to():
    best, tries = search_heads(lambda heads: sum(map(sum, heads)), 2, 3)
    assert best == [[True] * 3] * 2
    assert tries == 16 + 2 * 6


def test_the_page_has_a_row_for_each_comparison(model):
    x = torch.randn(48, 1, 5, 6, dtype=torch.float64)
    ready = Ready(model, x, torch.zeros(48), "mean", (), None, ())
    run = measure(ready, 48)
    text = page({"small": run})
    rows = [line for line in text.splitlines() if line.startswith("| small |")]
    ideas = [one["idea"] for one in run["rows"]]
    assert {"libragrad", "gamma-by-sign", "libragrad, position-to-token"} <= set(ideas)
    assert [ideas.count(one) for one in ideas[2:4]] == [
        2,
        2,
    ]  # against rules of layers, and a preset
    assert len(rows) == len(run["rows"]) >= 8
    first = run["rows"][0]
    low, high = first["interval"]
    assert rows[0].endswith(f"| {first['gain']:+.3f} [{low:+.3f}, {high:+.3f}] |")
    assert first["gain"] == pytest.approx(first["srg"] - first["other"])


def test_only_intervals_above_zero_count_as_won():
    one = {"idea": "a", "against": "b", "srg": 0.5, "other": 0.4, "gain": 0.1}
    ends = ([0.01, 0.2], [-0.01, 0.2], [-0.2, -0.1], None)
    run = {"samples": (1, 1, 2), "seconds": 60, "rows": [{**one, "interval": e} for e in ends]}
    assert "1 of 4 comparisons have an interval above zero" in page({"small": run})
