"""A softmax whose sum has a stabiliser is explained as torch's own, times a constant."""

import pytest
import torch
from helpers.close_maps import assert_same
from helpers.networks import signed
from helpers.written_softmax import KEPT, PRESETS, Form, build, stable
from torch import Tensor, nn

import relprop

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
