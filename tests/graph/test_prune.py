"""Values that the output reads at few positions are computed only there, with the same explanation.

The reference is the same model without pruning: one captured per input, or a call with `layers=`.
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


def layer_flops(run: Callable[[], object], *more: object) -> int:
    """Count the operations of linear layers, and of `more`."""

    def counted() -> int:
        counts = counter.get_flop_counts()["Global"]
        return sum(counts.get(name, 0) for name in (torch.ops.aten.mm, torch.ops.aten.addmm, *more))

    with FlopCounterMode(display=False) as counter:
        run()  # the counter's hooks change the model: a first call captures it again
        before = counted()
        run()
    return int(counted() - before)


def saved_by(explainer: relprop.Explainer, x: Tensor, layer: str, *more: object) -> int:
    """Count the operations of linear layers that pruning saves."""
    whole = layer_flops(lambda: explainer(x, layers=[layer]), *more)
    return whole - layer_flops(lambda: explainer(x), *more)


def by_values(h: Tensor) -> Tensor:
    return h[torch.arange(h.shape[0]), h.detach()[..., 0].argmax(1)]


READS = {  # what the last layer reads -> how many positions are computed
    "the last": (lambda h: h[:, -1], 1),
    "two of them": (lambda h: h[:, 1:3].sum(1), 2),
    "every second": (lambda h: h[:, ::2].mean(1), 2),
    "three of them": (lambda h: h[:, 1:].sum(1), SIZE),  # not worth a slice
    "the same twice": (lambda h: h[:, 1] + h[:, 1].tanh(), 1),
    "one and another": (lambda h: h[:, 1] + h[:, 2].tanh(), SIZE),
    "after another dimension": (lambda h: h.transpose(0, 1)[2], 1),
    "one chosen by its values": (by_values, SIZE),
}


@pytest.mark.parametrize(("read", "count"), READS.values(), ids=READS)
def test_positions_are_those_that_are_read(read, count):
    assert positions_computed(ReadsPart(torch.tanh, read), signed(SIZE, SIZE, SIZE)) == count


# ---- attention -----------------------------------------------------------------------------------


class Attending(nn.Module):
    """One transformer layer over embedded tokens, and a head that reads one token."""

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
    """With a bias for each head, and as many heads as samples: its shape looks like a batch's."""
    distance = torch.arange(q.shape[2])[:, None] - torch.arange(k.shape[2])
    scores = q @ k.mT + (-0.5 * distance.abs().double())[None]
    return scores.softmax(-1) @ v


def inside_another(q: Tensor, k: Tensor, v: Tensor, real: Tensor) -> Tensor:
    """With a dimension of size 1 before the batch dimension."""
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
        pruned, whole = explainer(ids), explainer(ids, layers=["norm"])
        torch.testing.assert_close(pruned.output, model(ids), rtol=1e-11, atol=1e-11)
        torch.testing.assert_close(pruned.relevance, whole.relevance, rtol=1e-9, atol=1e-11)
        # Layers in units of width x width: o, up, down and head are 10, and queries one more.
        # Queries stay whole under is_causal, where a query's position decides on its mask.
        units = 10 + queries + 10 + (queries if recipe == "attnlrp" else 0)
        assert saved_by(explainer, ids, "norm") == 2 * 8 * 8 * units * 3 * (6 - 1)


@pytest.mark.parametrize("read", [None, last])
@pytest.mark.parametrize("attend", [biased_for_all, inside_another])
def test_values_without_a_batch_dimension_in_front_stay_whole(attend, read):
    model = randomise(Attending(attend, read)).double()
    ids = torch.tensor([[5, 6, 7, 8, 9, 10], [11, 12, 13, 1, 1, 1]])
    explainer = relprop.Explainer(model, "attnlrp")
    pruned, whole = explainer(ids), explainer(ids, layers=["norm"])
    torch.testing.assert_close(pruned.output, model(ids), rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(pruned.relevance, whole.relevance, rtol=1e-9, atol=1e-11)


class Pointing(nn.Module):
    """Reads one position of each sample, given as an index."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x: Tensor, where: Tensor) -> Tensor:
        """Scores (batch, classes)."""
        return self.last(self.first(x).tanh()[torch.arange(x.shape[0]), where])


def test_an_index_may_be_negative_and_must_be_in_range():
    model, x = randomise(Pointing()).double(), signed(3, 5, 4)
    explainer = relprop.Explainer(model)
    inputs = x, torch.tensor([1, 0, 2])
    explainer(inputs)
    assert flops(lambda: explainer(inputs)) < flops(lambda: explainer(inputs, layers=["first"]))
    for where in (torch.tensor([0, -1, 2]), torch.tensor([3, 4, -5], dtype=torch.int32)):
        whole = relprop.Explainer(model, capture="per-input")((x, where))
        torch.testing.assert_close(explainer((x, where)).relevance, whole.relevance)
    with pytest.raises(IndexError, match="out of bounds"):
        model(x, torch.tensor([0, 5, 2]))
    with pytest.raises((IndexError, RuntimeError), match="out of bounds"):
        explainer((x, torch.tensor([0, 5, 2])))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # what torch.compile imports is old
def test_a_pruned_model_compiles_once_for_all_batch_sizes():
    model, x = randomise(Pointing()).double(), signed(5, 5, 4)
    where = torch.tensor([0, -1, 2, 3, 1])
    compiled, plain = (relprop.Explainer(model, compile=c) for c in (True, False))
    for size in (3, 5, 2):
        part = x[:size], where[:size]
        torch.testing.assert_close(compiled(part).relevance, plain(part).relevance)


class Encoding(nn.Module):
    """A transformer layer of torch.nn, and a head that reads the first token."""

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
    pruned, whole = explainer(x), explainer(x, layers=["layer"])
    torch.testing.assert_close(pruned.output, model(x), rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(pruned.relevance, whole.relevance, rtol=1e-9, atol=1e-11)
    bmm = torch.ops.aten.bmm  # torch multiplies by it where values are not contiguous
    units = 10  # of 12 in a layer; keys and values stay whole
    assert saved_by(explainer, x, "layer", bmm) == 2 * 8 * 8 * (units + units) * 3 * (6 - 1)


# ---- rules, recipes and options ------------------------------------------------------------------


def test_rules_that_mix_positions_get_all_of_them():
    model, x = randomise(ReadsPart(torch.tanh, first_token)).double(), signed(SIZE, SIZE, SIZE)
    share = relprop.rule(("linear",))(by_the_largest)
    bounds = {"low": -4 - torch.rand(SIZE, SIZE).double(), "high": 4.0}
    for row in (("epsilon", {"epsilon": 0.3, "relative": True}), ("z-box", bounds), (share, {})):
        recipe = relprop.Recipe.preset("zero").using("first", row[0], **row[1])
        explainer = relprop.Explainer(model, recipe)
        whole = explainer(x, layers=["first"]).relevance
        torch.testing.assert_close(explainer(x).relevance, whole, rtol=0, atol=0)


@pytest.mark.parametrize("operation", ["index", "slice", "gather"])
def test_a_row_for_an_operation_fits_no_operation_that_pruning_inserts(operation):
    model, x = randomise(Pointing()).double(), signed(3, 5, 4)
    row = relprop.Selector(operation=operation)
    explainer = relprop.Explainer(model, relprop.Recipe.preset("auto").using(row, "gradient"))
    inputs = x, torch.tensor([0, -1, 2])
    if operation != "index":
        with pytest.raises(PlanError, match="matches no module"):
            explainer(inputs)
        return
    torch.testing.assert_close(
        explainer(inputs).relevance, relprop.explain(model, inputs).relevance
    )


def by_the_largest(step) -> relprop.Back:
    """Scale each sample by its largest output."""
    size = step.z.abs().amax((1, 2), keepdim=True)
    return relprop.Back(lambda c: (c / size) @ step.weights.raw, lambda c: {})


def test_both_programs_share_derived_weights_that_follow_the_model():
    model, x = randomise(ReadsPart(F.relu, first_token)).double(), signed(SIZE, SIZE, SIZE)
    explainer = relprop.Explainer(model, "epsilon-plus")
    for _ in range(2):
        pruned, whole = explainer(x), explainer(x, layers=["first"])
        torch.testing.assert_close(pruned.relevance, whole.relevance)
        torch.testing.assert_close(
            relprop.explain(model, x, "epsilon-plus").relevance, pruned.relevance
        )
        with torch.no_grad():
            model.first.weight.mul_(-1.5)


def test_an_index_is_gathered_on_its_own_device():
    model, x = randomise(Pointing()).double(), signed(3, 5, 4)
    explainer, inputs = relprop.Explainer(model), (x, torch.tensor([0, -1, 2]))
    want = explainer(inputs).relevance
    with torch.device("meta"):
        assert explainer(inputs).relevance.equal(want)


def test_every_option_of_a_call_works_on_a_pruned_model():
    model = randomise(Attending(masked, last)).double()
    ids = torch.randint(2, 20, (3, 6), generator=torch.Generator().manual_seed(0))
    explainer = relprop.Explainer(model, "attnlrp")
    for call in (
        {"target": "all"},
        {"target": "all", "recompute": True},
        {"batch_size": 2, "initial": "one"},
        {"create_graph": True},
    ):
        pruned, whole = explainer(ids, **call), explainer(ids, layers=["norm"], **call)
        torch.testing.assert_close(pruned.relevance, whole.relevance, rtol=1e-9, atol=1e-11)
        torch.testing.assert_close(pruned.output, whole.output, rtol=1e-9, atol=1e-11)
    gradients = [
        torch.autograd.grad(e.relevance.square().sum(), model.up.weight)[0] for e in (pruned, whole)
    ]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-11)
