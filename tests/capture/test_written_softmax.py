"""A softmax that a model's code writes out is explained as torch's own."""

from collections.abc import Callable

import pytest
import torch
from helpers.close_maps import assert_same
from helpers.networks import randomise, signed
from torch import Tensor, nn

import relprop
from relprop.capture.model import capture_model, current_state
from relprop.errors import RelpropError
from relprop.explanation.check_inputs import check_inputs

Form = Callable[[Tensor, Tensor], Tensor]
HEADS = (2, 5, 3)  # of the values v: keys are (batch, 2, 5), or (batch, 2, 5, 5) where said


class Net(nn.Module):
    """Keys and values by linear layers, combined by `form`, and a linear layer at the end."""

    def __init__(self, form: Form, square: bool = False) -> None:
        super().__init__()
        self.form, self.square = form, square
        self.keys, self.values = nn.Linear(6, 50 if square else 10), nn.Linear(6, 30)
        self.head = nn.LazyLinear(3)

    def forward(self, x: Tensor) -> Tensor:
        k = self.keys(x).unflatten(1, (2, 5, 5) if self.square else (2, 5))
        v = self.values(x)
        formed = self.form(k, v.unflatten(1, HEADS)).flatten(1)
        return self.head(torch.cat([formed, v], 1))


def stable(k: Tensor, dim: int = -1) -> Tensor:
    return (k - k.amax(dim, keepdim=True)).exp()


def weighted(k: Tensor, v: Tensor) -> Tensor:
    return (k.softmax(-1)[..., None] * v).sum(2)


def by_max(k: Tensor, v: Tensor) -> Tensor:
    e = (k - k.max(-1, keepdim=True).values).exp()
    return e / e.sum(-1).unsqueeze(-1)


def expanded(k: Tensor, v: Tensor) -> Tensor:
    return k.exp() / k.exp().sum(-1, keepdim=True).expand_as(k)


def shifted_logsumexp(k: Tensor, v: Tensor) -> Tensor:
    shifted = k - k.amax(-1, keepdim=True)
    return shifted - shifted.exp().sum(-1, keepdim=True).log()


FORMS: dict[str, tuple[Form, Form]] = {
    "e / sum": (lambda k, v: k.exp() / k.exp().sum(-1, keepdim=True), lambda k, v: k.softmax(-1)),
    "minus the maximum": (by_max, lambda k, v: k.softmax(-1)),
    "minus the whole maximum": (
        lambda k, v: stable(k, 1) / stable(k, 1).sum(1, keepdim=True),
        lambda k, v: k.softmax(1),
    ),
    "expanded": (expanded, lambda k, v: k.softmax(-1)),
    "indexed by None": (
        lambda k, v: k.exp() / k.exp().sum(-1)[:, :, None],
        lambda k, v: k.softmax(-1),
    ),
    "temperature": (
        lambda k, v: (k / 3).exp() / (k / 3).exp().sum(-1, keepdim=True),
        lambda k, v: (k / 3).softmax(-1),
    ),
    "exp of k - logsumexp": (
        lambda k, v: (k - k.logsumexp(-1, keepdim=True)).exp(),
        lambda k, v: k.softmax(-1),
    ),
    "k - log of the sum": (
        lambda k, v: k - k.exp().sum(-1, keepdim=True).log(),
        lambda k, v: k.log_softmax(-1),
    ),
    "k - logsumexp, shifted": (shifted_logsumexp, lambda k, v: k.log_softmax(-1)),
    "exp of log_softmax": (lambda k, v: k.log_softmax(-1).exp(), lambda k, v: k.softmax(-1)),
    "weighted sum": (
        lambda k, v: (stable(k)[..., None] * v).sum(2) / stable(k).sum(-1, keepdim=True),
        weighted,
    ),
    "weighted sum, values first": (
        lambda k, v: (v * k.exp().unsqueeze(-1)).sum(2) / k.exp().sum(2)[..., None],
        lambda k, v: (v * k.softmax(-1).unsqueeze(-1)).sum(2),
    ),
    "weighted sum of one value": (
        lambda k, v: (k.exp() * v[..., 0]).sum(-1) / k.exp().sum(-1),
        lambda k, v: (k.softmax(-1) * v[..., 0]).sum(-1),
    ),
    "over both dimensions": (
        lambda k, v: k.exp() / k.exp().sum((1, 2), keepdim=True),
        lambda k, v: k.flatten(1).softmax(1).unflatten(1, (2, 5)),
    ),
}
FORMS |= {
    "times one over the sum": (
        lambda k, v: k.exp() * (1 / k.exp().sum(-1, keepdim=True)),
        lambda k, v: k.softmax(-1),
    ),
    "the reciprocal first": (
        lambda k, v: k.exp().sum(-1)[..., None].reciprocal() * k.exp(),
        lambda k, v: k.softmax(-1),
    ),
    "times the sum to the power of -1": (
        lambda k, v: stable(k) * stable(k).sum(-1, keepdim=True) ** -1,
        lambda k, v: k.softmax(-1),
    ),
    "weighted sum, times the reciprocal": (
        lambda k, v: (k.exp()[..., None] * v).sum(2) * k.exp().sum(2)[..., None].reciprocal(),
        weighted,
    ),
    "by the norm": (
        lambda k, v: k.exp() / torch.linalg.vector_norm(k.exp(), 1, -1, keepdim=True),
        lambda k, v: k.softmax(-1),
    ),
    "the sum of a softmax": (
        lambda k, v: k.softmax(-1) / k.softmax(-1).sum(-1, keepdim=True),
        lambda k, v: k.softmax(-1),
    ),
}
KEPT = torch.ones(5, 5, dtype=torch.bool).tril()
WEIGHTS = torch.tensor([0.5, 0, 1, 2, 0.25])


def normalised(e: Tensor) -> Tensor:
    return e / e.sum(-1, keepdim=True)


def causal(k: Tensor, v: Tensor) -> Tensor:
    return k.masked_fill(~KEPT, -torch.inf).softmax(-1)


MASKED_FORMS: dict[str, tuple[Form, Form]] = {
    "tril": (lambda k, v: normalised(stable(k).tril()), causal),
    "triu": (
        lambda k, v: normalised(k.exp().triu(-1)),
        lambda k, v: k.masked_fill(torch.ones(5, 5).tril(-2).bool(), -torch.inf).softmax(-1),
    ),
    "masked_fill": (lambda k, v: normalised(stable(k).masked_fill(~KEPT, 0)), causal),
    "masked_fill of zero as a tensor": (
        lambda k, v: normalised(k.exp().masked_fill(~KEPT, torch.zeros(()))),
        causal,
    ),
    "where": (lambda k, v: normalised(torch.where(KEPT, stable(k), 0.0)), causal),
    "where, zeros first": (
        lambda k, v: normalised(torch.where(~KEPT, torch.zeros_like(k), stable(k))),
        causal,
    ),
    "mask of booleans": (lambda k, v: normalised(stable(k) * KEPT), causal),
    "mask of integers": (lambda k, v: normalised(KEPT.long() * stable(k)), causal),
    "mask of numbers": (lambda k, v: normalised(stable(k) * KEPT.double()), causal),
    "twice masked": (
        lambda k, v: normalised(stable(k).tril(1).clone() * KEPT),
        lambda k, v: (k + KEPT.log()).masked_fill(~KEPT, -torch.inf).softmax(-1),
    ),
    "mask of a row": (
        lambda k, v: normalised(stable(k) * torch.tensor([1.0, 0, 1, 1, 0])),
        lambda k, v: k.masked_fill(
            torch.tensor([False, True, False, False, True]), -torch.inf
        ).softmax(-1),
    ),
    "matrix product of masked": (
        lambda k, v: ((k.exp() * KEPT) @ v) / (k.exp() * KEPT).sum(-1, keepdim=True),
        lambda k, v: causal(k, v) @ v,
    ),
    "by comparison with the input": (
        lambda k, v: normalised(k.exp() * (k > k[..., :1] - 9)),
        lambda k, v: k.masked_fill(k <= k[..., :1] - 9, -torch.inf).softmax(-1),
    ),
    "a masked softmax again": (lambda k, v: normalised(k.softmax(-1) * KEPT), causal),
    "weights": (
        lambda k, v: normalised(stable(k) * WEIGHTS),
        lambda k, v: (k + WEIGHTS.log()).softmax(-1),
    ),
}
SQUARE_FORMS: dict[str, tuple[Form, Form]] = {
    "matrix product": (
        lambda k, v: (stable(k) @ v) / stable(k).sum(-1, keepdim=True),
        lambda k, v: k.softmax(-1) @ v,
    ),
    "matrix product of the quotient": (
        lambda k, v: (k.exp() / k.exp().sum(-1, keepdim=True)) @ v,
        lambda k, v: k.softmax(-1) @ v,
    ),
}
ALL = {name: (*pair, False) for name, pair in FORMS.items()}
ALL |= {name: (*pair, True) for name, pair in (MASKED_FORMS | SQUARE_FORMS).items()}


def build(form: Form, square: bool) -> Net:
    net = Net(form, square).double()
    net(torch.zeros(1, 6).double())
    return randomise(net)


PRESETS = ("attnlrp", "cp-lrp", "epsilon")


@pytest.mark.parametrize("name", ALL)
def test_it_is_explained_as_the_operation(name):
    written, torchs, square = ALL[name]
    got, want = (relprop.Explainer(build(form, square)) for form in (written, torchs))
    x = signed(3, 6)
    for preset in PRESETS if name in list(ALL)[::4] else PRESETS[:1]:
        a, b = (each.with_recipe(preset)(x, target=1, ledger=True) for each in (got, want))
        torch.testing.assert_close(a.output, b.output, rtol=1e-12, atol=1e-12)
        assert_same(a.relevance, b.relevance, 1e-12)
        assert a.ledger.error < 1e-12
        assert len(a.ledger.entries) == len(b.ledger.entries)


LARGE = 1e-3  # as large as a stabiliser may be: what it takes is seen in float64


def share(e: Tensor, least: float = 0.0) -> Tensor:
    """Compute what a stabiliser leaves of a sum, as a constant: S / (S + 1e-3) without a bound."""
    total = e.sum(-1, keepdim=True)
    return (total / (total.clamp(min=least) if least else total + LARGE)).detach()


def strict_causal(e: Tensor) -> Tensor:
    """Mask all of the first row, and fill it for the softmax."""
    return e.tril(-1)


def filled(k: Tensor) -> Tensor:
    masked = k.masked_fill(~KEPT.tril(-1), -torch.inf)
    return masked.masked_fill(torch.tensor([True, *[False] * 4])[:, None], 0.0)


STABILISED: dict[str, tuple[Form, Form]] = {
    "sum plus epsilon": (
        lambda k, v: k.exp() / (k.exp().sum(-1, keepdim=True) + LARGE),
        lambda k, v: k.softmax(-1) * share(k.exp()),
    ),
    "minus the maximum": (
        lambda k, v: stable(k) / (LARGE + stable(k).sum(-1))[..., None],
        lambda k, v: k.softmax(-1) * share(stable(k)),
    ),
    "clamped": (
        lambda k, v: (k - 9).exp() / (k - 9).exp().sum(-1, keepdim=True).clamp(min=LARGE),
        lambda k, v: (k - 9).softmax(-1) * share((k - 9).exp(), LARGE),
    ),
    "normalize": (
        lambda k, v: nn.functional.normalize((k - 9).exp(), p=1, dim=-1, eps=LARGE),
        lambda k, v: (k - 9).softmax(-1) * share((k - 9).exp(), LARGE),
    ),
    "times one over it": (
        lambda k, v: k.exp() * (1 / (k.exp().sum(-1, keepdim=True) + LARGE)),
        lambda k, v: k.softmax(-1) * share(k.exp()),
    ),
    "matrix product": (
        lambda k, v: (k.exp() @ v) / (k.exp().sum(-1, keepdim=True) + LARGE),
        lambda k, v: (k.softmax(-1) @ v) * share(k.exp()),
    ),
    "product with values": (
        lambda k, v: k.exp() / (k.exp().sum(-1, keepdim=True) + LARGE) * v[..., :1],
        lambda k, v: (k.softmax(-1) * share(k.exp())) * v[..., :1],
    ),
    "over both dimensions": (
        lambda k, v: k.exp() / (k.exp().sum((2, 3), keepdim=True) + LARGE),
        lambda k, v: (k.flatten(2).softmax(-1) * share(k.exp().flatten(2))).view_as(k),
    ),
    "a row that is masked whole": (
        lambda k, v: strict_causal(k.exp()) / (strict_causal(k.exp()).sum(-1, True) + LARGE),
        lambda k, v: filled(k).softmax(-1) * share(strict_causal(k.exp())),
    ),
    "logits of minus infinity in a row": (
        lambda k, v: (
            (e := k.masked_fill(~KEPT.tril(-1), -torch.inf).exp()) / (e.sum(-1)[..., None] + LARGE)
        ),
        lambda k, v: filled(k).softmax(-1) * share(strict_causal(k.exp())),
    ),
}


@pytest.mark.parametrize("name", STABILISED)
def test_a_stabilised_one_is_the_operation_times_a_constant(name):
    written, torchs = (build(form, square=True) for form in STABILISED[name])
    detached = relprop.Selector(operation="detach")
    x = signed(3, 6)
    got, want = relprop.Explainer(written), relprop.Explainer(torchs)
    for preset in PRESETS:
        recipe = relprop.Recipe.preset(preset)
        a = got.with_recipe(recipe)(x, target=1, ledger=True)
        b = want.with_recipe(recipe.using(detached, "constant"))(x, target=1)
        torch.testing.assert_close(a.output, written(x), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(a.output, b.output, rtol=1e-12, atol=1e-12)
        assert_same(a.relevance, b.relevance, 1e-12)
        assert a.ledger.error < 1e-12


def test_a_stabilised_one_counts_as_constant_and_depends_on_the_input_yet():
    """Derivatives of relevance take the stabiliser's share for the function that it is."""
    model = build(STABILISED["clamped"][0], square=True)
    x = signed(2, 6).requires_grad_()
    e = relprop.Explainer(model, "attnlrp")(x, target=1, create_graph=True)
    (got,) = torch.autograd.grad(e.output[:, 1].sum(), x, retain_graph=True)
    (want,) = torch.autograd.grad(model(x)[:, 1].sum(), x)
    torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-12)


class Masked(nn.Module):
    """Weights of which the second input masks some."""

    def __init__(self) -> None:
        super().__init__()
        self.keys, self.head = nn.Linear(6, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        return self.head(normalised(self.keys(x).exp() * mask))


def test_a_mask_may_be_another_input_and_hold_weights_later():
    """The graph of the first call is right for all numbers >= 0, and not in silence for others."""
    model, x = randomise(Masked().double()), signed(3, 6)
    explainer = relprop.Explainer(model, "attnlrp")
    masks = [torch.tensor([[1, 0, 1, 1, 0]] * 3).double(), signed(3, 5).abs()]
    for mask in masks:
        e = explainer((x, mask), explain="x", target=1)
        assert "softmax" in [step.node.operation for step in explainer.plan((x, mask)).steps]
        torch.testing.assert_close(e.output, model(x, mask), rtol=1e-12, atol=1e-12)
    with pytest.raises(RelpropError, match="not finite"):
        explainer((x, -masks[0]), explain="x", target=1)
    weighted = relprop.Explainer(model, "epsilon").plan((x, masks[0]), explain=("x", "mask"))
    assert "softmax" not in [step.node.operation for step in weighted.steps]


PLACES = {
    "of all": lambda k, v: normalised(k.exp() * KEPT),
    "of a row": lambda k, v: normalised(k.exp() * WEIGHTS),
    "of heads": lambda k, v: normalised(torch.ones(2, 1, 1) * k.exp()),
    "of the input": lambda k, v: normalised(k.exp() * (k[:, :, :1] > -9)),
    "stabilised": lambda k, v: (e := k.exp().tril()) / (e.sum(-1) + 1e-9)[..., None],
    "over both dimensions": lambda k, v: k.exp() / (k.exp().sum((2, 3))[:, :, None, None] + 1e-9),
}


@pytest.mark.parametrize("name", PLACES)
def test_new_nodes_have_the_shapes_that_they_compute(name):
    model, x = build(PLACES[name], square=True), signed(3, 6)
    inputs = check_inputs(model, x, None)
    with torch.no_grad():
        graph = capture_model(model, inputs, None, per_input=False).graph
        values = graph.initial_values(inputs.tensors, current_state(model, graph))
        values = graph.compute(graph.output, values)
    assert "softmax" in [node.operation for node in graph.nodes]
    for node in graph.nodes:
        sizes = zip(values[node.name].shape, node.shape, strict=True) if node.shape else ()
        assert all(size == stated or (stated is None and size != 1) for size, stated in sizes), node


def test_a_mask_of_integers_keeps_the_dtype():
    model = build(MASKED_FORMS["mask of integers"][0], square=True).to(torch.bfloat16)
    e = relprop.Explainer(model, "epsilon")(signed(2, 6).bfloat16(), target=1)
    assert e.output.dtype is torch.bfloat16


def test_relevance_of_a_written_softmax_by_hand():
    """One key for each value, LRP-0: the values take all, R_i = s_i v_i."""

    class Softmax(nn.Module):
        def forward(self, x):
            k, v = x.unbind(-1)
            w = torch.exp(k - k.amax(1, keepdim=True))
            return (w * v).sum(1, keepdim=True) / w.sum(1, keepdim=True)

    x = signed(4, 7, 2)
    e = relprop.Explainer(Softmax().eval())(x, target=relprop.at(0))
    want = x[..., 0].softmax(1) * x[..., 1]
    assert_same(e.relevance[..., 1], want, 1e-14)
    assert not e.relevance[..., 0].any()


SIGNS = torch.tensor([1.0, -1, 1, 0, 1])
NOT_SOFTMAX: dict[str, Form] = {
    "one more in the sum": lambda k, v: k.exp() / (1 + k.exp().sum(-1, keepdim=True)),
    "the sum of another": lambda k, v: k.exp() / v[..., 0].exp().sum(-1, keepdim=True),
    "the mean": lambda k, v: k.exp() / k.exp().mean(-1, keepdim=True),
    "the sum of powers": lambda k, v: (2 * k).exp() / k.exp().sum(-1, keepdim=True),
    "summed over another axis": lambda k, v: (
        (k.exp()[..., None] * v).sum(1) / k.exp().sum(-1)[:, :1, None]
    ),
    "the sum twice": lambda k, v: k.exp() / (2 * k.exp().sum(-1, keepdim=True)),
    "the square of the reciprocal": lambda k, v: k.exp() * k.exp().sum(-1, keepdim=True) ** -2,
    "the sum itself": lambda k, v: k.exp() * k.exp().sum(-1, keepdim=True),
    "divided by the reciprocal": lambda k, v: k.exp() / k.exp().sum(-1, keepdim=True).reciprocal(),
    "one more in the reciprocal": lambda k, v: (
        k.exp() * (k.exp().sum(-1, keepdim=True) + 1).reciprocal()
    ),
    "a stabiliser after the reciprocal": lambda k, v: (
        k.exp() * (k.exp().sum(-1, keepdim=True).reciprocal() + 1e-3)
    ),
    "less than the sum": lambda k, v: k.exp() / (k.exp().sum(-1, keepdim=True) + -1e-3),
    "clamped above": lambda k, v: k.exp() / k.exp().sum(-1, keepdim=True).clamp(max=1e-3),
    "clamped below and above": lambda k, v: k.exp() / k.exp().sum(-1, keepdim=True).clamp(1e-3, 2),
    "a large bound": lambda k, v: k.exp() / k.exp().sum(-1, keepdim=True).clamp(min=1),
    "the other norm": lambda k, v: k.exp() / k.exp().norm(2, -1, keepdim=True),
    "negative weights": lambda k, v: normalised(k.exp() * SIGNS),
    "masked in the sum alone": lambda k, v: k.exp() / (k.exp() * SIGNS.abs()).sum(-1, keepdim=True),
    "a mask that receives relevance": lambda k, v: normalised(
        k.exp() * (1e9 * v[..., 0]).sigmoid()
    ),
    "filled with ones": lambda k, v: normalised(k.exp().masked_fill(SIGNS < 0, 1)),
    "of a sine": lambda k, v: k.sin() / k.exp().sum(-1, keepdim=True),
}


@pytest.mark.parametrize("name", NOT_SOFTMAX)
def test_what_is_no_softmax_stays_what_it_is(name):
    net = build(NOT_SOFTMAX[name], square=False)
    x = signed(3, 6)
    explainer = relprop.Explainer(net, "epsilon")
    assert "softmax" not in [step.node.operation for step in explainer.plan(x).steps]
    torch.testing.assert_close(explainer(x).output, net(x), rtol=1e-12, atol=1e-12)


def test_a_softmax_that_is_normalised_over_another_dimension_is_divided_as_before():
    net, x = build(lambda k, v: normalised(k.softmax(1)), square=False), signed(3, 6)
    explainer = relprop.Explainer(net, "epsilon")
    assert "div" in [step.node.operation for step in explainer.plan(x).steps]
    torch.testing.assert_close(explainer(x).output, net(x), rtol=1e-12, atol=1e-12)


def test_a_saved_plan_loads_though_the_models_own_softmax_overflows(tmp_path):
    """For a sample many times as large, which shows other branches, its output is NaN."""
    model, x = build(FORMS["e / sum"][0], square=False), signed(2, 6)
    explainer = relprop.Explainer(model, "epsilon")
    want = explainer(x).relevance
    assert not model(4096 * x).isfinite().all()
    explainer.save(tmp_path / "model.plans")
    assert_same(relprop.Explainer.load(tmp_path / "model.plans", model)(x).relevance, want)


def test_a_softmax_over_the_batch_is_refused_as_before():
    net = build(lambda k, v: k.exp() / k.exp().sum(0, keepdim=True), square=False)
    with pytest.raises(RelpropError, match="mixes the samples"):
        relprop.Explainer(net, "epsilon")(signed(3, 6))
