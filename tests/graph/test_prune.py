"""What the output reads at few positions is computed at these alone, and explained as ever.

Read for one input, a model is run whole: with that everything here is compared.
"""

from collections.abc import Callable

import pytest
import torch
from helpers.counters import flops
from helpers.networks import randomise, signed
from helpers.pruning import SIZE, Function, ReadsPart, first_token, positions_computed
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

import relprop
from relprop.errors import PlanError


def products(run: Callable[[], object], *more: object) -> int:
    """The operations of all layers."""
    with FlopCounterMode(display=False) as counter:
        run()
    counts = counter.get_flop_counts()["Global"]
    return sum(counts.get(name, 0) for name in (torch.ops.aten.mm, torch.ops.aten.addmm, *more))


def saved_by(explainer: relprop.Explainer, x: Tensor, layer: str, *more: object) -> int:
    """The operations of all layers that are run for whoever looks inside alone."""
    whole = products(lambda: explainer(x, layers=[layer]), *more)
    return whole - products(lambda: explainer(x), *more)


def by_numbers(h: Tensor) -> Tensor:
    return h[torch.arange(h.shape[0]), h.detach()[..., 0].argmax(1)]


READS = {
    "the last": (lambda h: h[:, -1], 1),
    "two of them": (lambda h: h[:, 1:3].sum(1), 2),
    "every second": (lambda h: h[:, ::2].mean(1), 2),
    "three of them": (lambda h: h[:, 1:].sum(1), SIZE),  # would hardly be less
    "the same twice": (lambda h: h[:, 1] + h[:, 1].tanh(), 1),
    "one and another": (lambda h: h[:, 1] + h[:, 2].tanh(), SIZE),
    "after another dimension": (lambda h: h.transpose(0, 1)[2], 1),
    "one by the numbers": (by_numbers, SIZE),
}


@pytest.mark.parametrize(("read", "count"), READS.values(), ids=READS)
def test_positions_are_those_that_are_read(read, count):
    assert positions_computed(ReadsPart(torch.tanh, read), signed(SIZE, SIZE, SIZE)) == count


# ---- attention -----------------------------------------------------------------------------------


class Attending(nn.Module):
    """A layer of a transformer over embedded tokens, and a head that reads one of them."""

    def __init__(self, attend: Callable[..., Tensor], read: Function | None) -> None:
        super().__init__()
        self.attend, self.read = attend, read
        self.embedding = nn.Embedding(20, 8)
        self.q, self.k, self.v, self.o = (nn.Linear(8, 8) for _ in range(4))
        self.norm, self.up, self.down = nn.LayerNorm(8), nn.Linear(8, 32), nn.Linear(32, 8)
        self.head = nn.Linear(8, 8)

    def forward(self, ids: Tensor) -> Tensor:
        """Scores (batch, classes)."""
        h, real = self.embedding(ids), ids > 3
        q, k, v = (f(h).unflatten(2, (2, -1)).transpose(1, 2) for f in (self.q, self.k, self.v))
        h = h + self.o(self.attend(q, k, v, real).transpose(1, 2).flatten(2))
        h = self.head(self.norm(h + self.down(F.gelu(self.up(h)))))
        return h[:, 0] if self.read is None else h[torch.arange(ids.shape[0]), self.read(real)]


def last(real: Tensor) -> Tensor:
    return (torch.arange(real.shape[1]) * real).argmax(-1)


def fused(q: Tensor, k: Tensor, v: Tensor, real: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v)


def masked(q: Tensor, k: Tensor, v: Tensor, real: Tensor) -> Tensor:
    before = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool).tril()
    mask = (real[:, None, None] & before) | torch.eye(q.shape[2], dtype=torch.bool)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)


def biased(q: Tensor, k: Tensor, v: Tensor, real: Tensor) -> Tensor:
    distance = torch.arange(q.shape[2])[:, None] - torch.arange(k.shape[2])
    return F.scaled_dot_product_attention(q, k, v, -0.5 * distance.abs().double()[None, None])


def written_out(q: Tensor, k: Tensor, v: Tensor, real: Tensor) -> Tensor:
    scores = (q @ k.mT / q.shape[-1] ** 0.5).masked_fill(~real[:, None, None], -1e9)
    return scores.softmax(-1) @ v


def biased_for_all(q: Tensor, k: Tensor, v: Tensor, real: Tensor) -> Tensor:
    """With one row a head's own, and as many heads as samples."""
    distance = torch.arange(q.shape[2])[:, None] - torch.arange(k.shape[2])
    scores = q @ k.mT + (-0.5 * distance.abs().double())[None]
    return scores.softmax(-1) @ v


def inside_another(q: Tensor, k: Tensor, v: Tensor, real: Tensor) -> Tensor:
    """In a dimension of size 1 before that of samples."""
    return torch.stack([fused(q, k, v, real)]).mean(0)


def causal(q: Tensor, k: Tensor, v: Tensor, real: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


@pytest.mark.parametrize("read", [None, last])
@pytest.mark.parametrize("attend", [fused, masked, biased, written_out, causal])
def test_a_layer_of_a_transformer_runs_at_the_token_that_is_read(attend, read):
    model, queries = randomise(Attending(attend, read)).double(), 0 if attend is causal else 1
    ids = torch.randint(4, 20, (3, 6), generator=torch.Generator().manual_seed(0))
    ids[0, 4:] = 1
    explainer = relprop.Explainer(model, "attnlrp")
    for recipe in ("attnlrp", "cp-lrp"):
        explainer = explainer.with_recipe(recipe)
        found, whole = explainer(ids), explainer(ids, layers=["norm"])
        torch.testing.assert_close(found.output, model(ids), rtol=1e-11, atol=1e-11)
        torch.testing.assert_close(found.relevance, whole.relevance, rtol=1e-9, atol=1e-11)
        # Layers in units of width x width: o, up, down and head are 10. Queries are one more; but
        # not where what comes before a token is told by its place.
        units = 10 + queries + 10 + (queries if recipe == "attnlrp" else 0)
        assert saved_by(explainer, ids, "norm") == 2 * 8 * 8 * units * 3 * (6 - 1)


@pytest.mark.parametrize("read", [None, last])
@pytest.mark.parametrize("attend", [biased_for_all, inside_another])
def test_what_holds_samples_elsewhere_or_not_at_all(attend, read):
    model = randomise(Attending(attend, read)).double()
    ids = torch.tensor([[5, 6, 7, 8, 9, 10], [11, 12, 13, 1, 1, 1]])
    explainer = relprop.Explainer(model, "attnlrp")
    found, whole = explainer(ids), explainer(ids, layers=["norm"])
    torch.testing.assert_close(found.output, model(ids), rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(found.relevance, whole.relevance, rtol=1e-9, atol=1e-11)


class Pointing(nn.Module):
    """Reads the position that a number says, given beside the text."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor, where: Tensor) -> Tensor:
        """Scores (batch, classes)."""
        return self.last(self.first(x).tanh()[torch.arange(x.shape[0]), where])


def test_a_position_is_what_torch_takes_for_one():
    model, x = randomise(Pointing()).double(), signed(3, 5, 4)
    explainer = relprop.Explainer(model)
    given = x, torch.tensor([1, 0, 2])
    explainer(given)
    assert flops(lambda: explainer(given)) < flops(lambda: explainer(given, layers=["first"]))
    for where in (torch.tensor([0, -1, 2]), torch.tensor([3, 4, -5], dtype=torch.int32)):
        whole = relprop.Explainer(model, capture="per-input")((x, where))
        torch.testing.assert_close(explainer((x, where)).relevance, whole.relevance)
    with pytest.raises(IndexError, match="out of bounds"):
        model(x, torch.tensor([0, 5, 2]))
    with pytest.raises((IndexError, RuntimeError), match="out of bounds"):
        explainer((x, torch.tensor([0, 5, 2])))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what torch.compile imports is old
def test_compiled_once_for_batches_of_any_size():
    model, x = randomise(Pointing()).double(), signed(5, 5, 4)
    where = torch.tensor([0, -1, 2, 3, 1])
    compiled, plain = (relprop.Explainer(model, compile=c) for c in (True, False))
    for size in (3, 5, 2):
        part = x[:size], where[:size]
        torch.testing.assert_close(compiled(part).relevance, plain(part).relevance)


class Encoding(nn.Module):
    """A layer of torch's, and a head that reads the first token."""

    def __init__(self, batch_first: bool, norm_first: bool) -> None:
        super().__init__()
        options = {"batch_first": batch_first, "norm_first": norm_first, "activation": "gelu"}
        self.layer = nn.TransformerEncoderLayer(8, 2, 32, **options)
        self.head, self.swaps = nn.Linear(8, 3), not batch_first

    def forward(self, x: Tensor) -> Tensor:
        """Scores (batch, classes) of a text (batch, length, width)."""
        return self.head(self.layer(x.transpose(0, 1))[0] if self.swaps else self.layer(x)[:, 0])


@pytest.mark.parametrize(("batch_first", "norm_first"), [(False, False), (True, True)])
def test_a_layer_of_torch_runs_at_the_token_that_is_read(batch_first, norm_first):
    model, x = randomise(Encoding(batch_first, norm_first)).double(), signed(3, 6, 8)
    explainer = relprop.Explainer(model, "attnlrp")
    found, whole = explainer(x), explainer(x, layers=["layer"])
    torch.testing.assert_close(found.output, model(x), rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(found.relevance, whole.relevance, rtol=1e-9, atol=1e-11)
    bmm = torch.ops.aten.bmm  # as which torch multiplies what is not contiguous
    of_12 = 10  # two are keys and values
    assert saved_by(explainer, x, "layer", bmm) == 2 * 8 * 8 * (of_12 + of_12) * 3 * (6 - 1)


# ---- what else asks for all positions ------------------------------------------------------------


def test_rules_that_look_at_all_positions_get_them():
    model, x = randomise(ReadsPart(torch.tanh, first_token)).double(), signed(SIZE, SIZE, SIZE)
    share = relprop.rule(("linear",))(by_the_largest)
    bounds = {"low": -4 - torch.rand(SIZE, SIZE).double(), "high": 4.0}
    for row in (("epsilon", {"epsilon": 0.3, "relative": True}), ("z-box", bounds), (share, {})):
        recipe = relprop.Recipe.preset("zero").using("first", row[0], **row[1])
        explainer = relprop.Explainer(model, recipe)
        whole = explainer(x, layers=["first"]).relevance
        torch.testing.assert_close(explainer(x).relevance, whole, rtol=0, atol=0)


@pytest.mark.parametrize("operation", ["index", "slice", "gather"])
def test_rows_for_an_operation_are_for_those_of_the_model(operation):
    model, x = randomise(Pointing()).double(), signed(3, 5, 4)
    row = relprop.Selector(operation=operation)
    explainer = relprop.Explainer(model, relprop.Recipe.preset("auto").using(row, "gradient"))
    given = x, torch.tensor([0, -1, 2])
    if operation != "index":
        with pytest.raises(PlanError, match="matches no module"):
            explainer(given)
        return
    torch.testing.assert_close(explainer(given).relevance, relprop.explain(model, given).relevance)


def by_the_largest(step) -> relprop.Back:
    """Of each sample, scaled by its largest output."""
    size = step.z.abs().amax((1, 2), keepdim=True)
    return relprop.Back(lambda c: (c / size) @ step.weights.raw, lambda c: {})


def test_weights_that_a_rule_derives_are_the_same_for_both_and_follow_the_model():
    model, x = randomise(ReadsPart(F.relu, first_token)).double(), signed(SIZE, SIZE, SIZE)
    explainer = relprop.Explainer(model, "epsilon-plus")
    for _ in range(2):
        found, whole = explainer(x), explainer(x, layers=["first"])
        torch.testing.assert_close(found.relevance, whole.relevance)
        torch.testing.assert_close(
            relprop.explain(model, x, "epsilon-plus").relevance, found.relevance
        )
        with torch.no_grad():
            model.first.weight.mul_(-1.5)


def test_positions_are_looked_up_where_they_are():
    model, x = randomise(Pointing()).double(), signed(3, 5, 4)
    explainer, given = relprop.Explainer(model), (x, torch.tensor([0, -1, 2]))
    want = explainer(given).relevance
    with torch.device("meta"):
        assert explainer(given).relevance.equal(want)


def test_in_every_way_of_calling():
    model = randomise(Attending(masked, last)).double()
    ids = torch.randint(2, 20, (3, 6), generator=torch.Generator().manual_seed(0))
    explainer = relprop.Explainer(model, "attnlrp")
    for call in (
        {"target": "all"},
        {"target": "all", "recompute": True},
        {"batch_size": 2, "seed": "one"},
        {"create_graph": True},
    ):
        found, whole = explainer(ids, **call), explainer(ids, layers=["norm"], **call)
        torch.testing.assert_close(found.relevance, whole.relevance, rtol=1e-9, atol=1e-11)
        torch.testing.assert_close(found.output, whole.output, rtol=1e-9, atol=1e-11)
    one, other = (
        torch.autograd.grad(e.relevance.square().sum(), model.up.weight)[0] for e in (found, whole)
    )
    torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)
