"""torch's multi-head attention has one packed weight: taken apart, each part is a layer."""

from functools import cache

import pytest
import torch
from helpers.counters import flops
from helpers.networks import randomise, signed
from torch import Tensor, nn

import relprop

WIDTH, HEADS, LENGTH = 8, 2, 5


class Attending(nn.Module):
    """Attention of torch's over a sequence, and a head."""

    def __init__(self, **options: object) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(WIDTH, HEADS, **options)
        self.head = nn.Linear(LENGTH * WIDTH, 3)
        self.swaps = not self.attention.batch_first

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """What the layer makes of sequences (batch, length, width)."""
        if not self.swaps:
            return self.attention(q, k, v, need_weights=False)[0]
        q, k, v = (t.transpose(0, 1) for t in (q, k, v))
        return self.attention(q, k, v, need_weights=False)[0].transpose(0, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (batch, classes) of a sequence that attends to itself."""
        return self.head(self.attend(x, x, x).flatten(1))


class Crossing(Attending):
    """Attention to another sequence, made of the same."""

    def forward(self, x: Tensor) -> Tensor:
        """Scores (batch, classes)."""
        other = x.flip(1).tanh()
        return self.head(self.attend(x, other, other).flatten(1))


class Apart(nn.Module):
    """The same out of layers of their own."""

    def __init__(self, packed: Attending) -> None:
        super().__init__()
        attention = packed.attention
        weights = attention.in_proj_weight.detach().chunk(3)
        biases = [None] * 3 if attention.in_proj_bias is None else attention.in_proj_bias.chunk(3)
        self.layers = nn.ModuleList(
            nn.Linear(WIDTH, WIDTH, bias is not None).double() for bias in biases
        )
        for layer, weight, bias in zip(self.layers, weights, biases, strict=True):
            layer.weight.data = weight
            if bias is not None:
                layer.bias.data = bias.detach()
        self.out, self.head = attention.out_proj, packed.head
        self.crosses = isinstance(packed, Crossing)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (batch, classes)."""
        other = x.flip(1).tanh() if self.crosses else x
        q, k, v = (layer(t) for layer, t in zip(self.layers, (x, other, other), strict=True))
        q, k, v = (t.unflatten(-1, (HEADS, -1)).transpose(1, 2) for t in (q, k, v))
        found = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.head(self.out(found.transpose(1, 2).flatten(2)).flatten(1))


class Renamed(nn.MultiheadAttention):
    """A subclass that changes nothing."""


class Extended(nn.MultiheadAttention):
    """A subclass with its own forward, which calls torch's."""

    def forward(self, *args: Tensor, **options: object) -> tuple[Tensor, Tensor | None]:
        """Attend as the class that it derives from."""
        return super().forward(*args, **options)


def packed(kind: type[Attending] = Attending, **options: object) -> Attending:
    return randomise(kind(**{"batch_first": True, **options}).double())


@cache
def explainers(kind: type[Attending], options: str) -> tuple[relprop.Explainer, relprop.Explainer]:
    """Explainers of a model and of its layers apart; all recipes share the captured graphs."""
    model = packed(kind, **OPTIONS[options])
    return relprop.Explainer(model), relprop.Explainer(Apart(model))


OPTIONS = {"plain": {}, "length first": {"batch_first": False}, "no bias": {"bias": False}}


@pytest.mark.parametrize("recipe", ["attnlrp", "cp-lrp", "gamma"])
@pytest.mark.parametrize("kind", [Attending, Crossing])
@pytest.mark.parametrize("options", OPTIONS)
def test_a_packed_projection_is_three_layers(kind, options, recipe):
    (explainer, apart), x = explainers(kind, options), signed(2, LENGTH, WIDTH)
    if recipe == "gamma":
        recipe = relprop.Recipe.preset("attnlrp").using("attention", "gamma", gamma=0.3)
        plain = relprop.Recipe.preset("attnlrp")
        for name in ("layers.*", "out"):
            plain = plain.using(name, "gamma", gamma=0.3)
    else:
        plain = recipe
    if kind is Attending:  # of a sequence that crosses, two of three are packed
        rows = str(explainer.with_recipe(recipe).plan(x)).splitlines()
        assert sum(row.split()[:2] == ["attention", "linear"] for row in rows) == 3 + 1  # and out
    got, want = explainer.with_recipe(recipe)(x), apart.with_recipe(plain)(x)
    torch.testing.assert_close(got.output, explainer.model(x))
    torch.testing.assert_close(got.relevance, want.relevance, rtol=1e-9, atol=1e-12)


def test_constant_weights_of_attention_cost_no_way_back_to_queries_and_keys():
    model, x = packed(), signed(4, LENGTH, WIDTH)
    explainer = relprop.Explainer(model, "cp-lrp")
    explainer(x)
    projection, head = 2 * 4 * LENGTH * WIDTH * WIDTH, 2 * 4 * LENGTH * WIDTH * 3
    weights = 2 * 4 * LENGTH * LENGTH * WIDTH
    forward, back = 4 * projection + head, 2 * projection + head  # back through out and values
    # torch counts no fused attention on CPUs, but the weights once more, and their product with c
    assert flops(lambda: explainer(x)) == forward + back + 2 * weights


@pytest.mark.parametrize(
    "change", [lambda w: w.add_(1.0), lambda w: w.data.mul_(1.5)], ids=["in place", "data"]
)
def test_what_is_derived_of_a_part_follows_the_whole(change):
    model, x = packed(), signed(2, LENGTH, WIDTH)
    recipe = relprop.Recipe.preset("attnlrp").using("attention", "gamma", gamma=0.3)
    explainer = relprop.Explainer(model, recipe)
    before = explainer(x).relevance
    with torch.no_grad():
        change(model.attention.in_proj_weight)
    after = explainer(x).relevance
    assert torch.equal(after, relprop.explain(model, x, recipe).relevance)
    assert not torch.allclose(after, before)


@pytest.mark.parametrize("kind", [Renamed, Extended])
def test_a_subclass_is_split_as_the_class_itself(kind):
    """By a rule that must tell samples from positions, which are one dimension in torch's code."""
    model, x = packed(), signed(2, LENGTH, WIDTH)
    recipe = relprop.Recipe.preset("attnlrp").using("*", "epsilon", epsilon=0.1, relative=True)
    want = relprop.explain(model, x, recipe)
    own = kind(WIDTH, HEADS, batch_first=True).double().eval()
    own.load_state_dict(model.attention.state_dict())
    model.attention = own
    explainer = relprop.Explainer(model, recipe)
    rows = str(explainer.plan(x)).splitlines()
    assert sum(row.split()[:2] == ["attention", "linear"] for row in rows) == 3 + 1
    torch.testing.assert_close(explainer(x).relevance, want.relevance)
