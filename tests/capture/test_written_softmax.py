"""A softmax that a model's code writes out is explained as torch's own."""

import warnings
from functools import cache

import pytest
import torch
from helpers.close_maps import assert_same
from helpers.networks import randomise, signed
from helpers.written_softmax import (
    PRESETS,
    Form,
    assert_explained_alike,
    attention,
    build,
    normalised,
    softmax,
    stable,
    weighted,
)
from torch import Tensor, nn

import relprop
from relprop.errors import RelpropError, UnreadSoftmaxWarning


def by_max(k: Tensor, v: Tensor) -> Tensor:
    e = (k - k.max(-1, keepdim=True).values).exp()
    return e / e.sum(-1).unsqueeze(-1)


def expanded(k: Tensor, v: Tensor) -> Tensor:
    return k.exp() / k.exp().sum(-1, keepdim=True).expand_as(k)


FORMS: dict[str, tuple[Form, Form]] = {
    "e / sum": (lambda k, v: k.exp() / k.exp().sum(-1, keepdim=True), softmax),
    "minus the maximum": (by_max, softmax),
    "minus the whole maximum": (
        lambda k, v: stable(k, 1) / stable(k, 1).sum(1, keepdim=True),
        lambda k, v: k.softmax(1),
    ),
    "expanded": (expanded, softmax),
    "indexed by None": (
        lambda k, v: k.exp() / k.exp().sum(-1)[:, :, None],
        softmax,
    ),
    "temperature": (
        lambda k, v: (k / 3).exp() / (k / 3).exp().sum(-1, keepdim=True),
        lambda k, v: (k / 3).softmax(-1),
    ),
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
        softmax,
    ),
    "the reciprocal first": (
        lambda k, v: k.exp().sum(-1)[..., None].reciprocal() * k.exp(),
        softmax,
    ),
    "times the sum to the power of -1": (
        lambda k, v: stable(k) * stable(k).sum(-1, keepdim=True) ** -1,
        softmax,
    ),
    "weighted sum, times the reciprocal": (
        lambda k, v: (k.exp()[..., None] * v).sum(2) * k.exp().sum(2)[..., None].reciprocal(),
        weighted,
    ),
    "by the norm": (
        lambda k, v: k.exp() / torch.linalg.vector_norm(k.exp(), 1, -1, keepdim=True),
        softmax,
    ),
    "the sum of a softmax": (
        lambda k, v: k.softmax(-1) / k.softmax(-1).sum(-1, keepdim=True),
        softmax,
    ),
}


def ones_appended(k: Tensor, v: Tensor) -> Tensor:
    both = stable(k) @ torch.cat([v, torch.ones_like(v[..., :1])], -1)
    return both[..., :-1] / both[..., -1:]


SQUARE_FORMS: dict[str, tuple[Form, Form]] = {
    "matrix product": (
        lambda k, v: (stable(k) @ v) / stable(k).sum(-1, keepdim=True),
        attention,
    ),
    "matrix product of the quotient": (
        lambda k, v: (k.exp() / k.exp().sum(-1, keepdim=True)) @ v,
        attention,
    ),
    "einsum above": (
        lambda k, v: (
            torch.einsum("bhmn,bhnd->bhmd", stable(k), v) / stable(k).sum(-1, keepdim=True)
        ),
        attention,
    ),
    "einsum below": (
        lambda k, v: (stable(k) / torch.einsum("bhmn->bhm", stable(k))[..., None]) @ v,
        attention,
    ),
    "einsum with the reciprocal": (
        lambda k, v: torch.einsum("bhmn,bhm->bhmn", k.exp(), 1 / k.exp().sum(-1)) @ v,
        attention,
    ),
    "einsum of a matrix product with the reciprocal": (
        lambda k, v: torch.einsum("bhm,bhmd->bhmd", 1 / k.exp().sum(-1), k.exp() @ v),
        attention,
    ),
    "a column of ones": (
        lambda k, v: (stable(k) @ v) / (stable(k) @ torch.ones(5, 1).double()),
        attention,
    ),
    "ones appended to the values": (ones_appended, attention),
    "transposed": (
        lambda k, v: (v.mT @ stable(k).mT) / stable(k).sum(-1)[:, :, None],
        lambda k, v: v.mT @ k.softmax(-1).mT,
    ),
    "the last cumulative sum": (
        lambda k, v: (stable(k) / stable(k).cumsum(-1)[..., -1:]) @ v,
        attention,
    ),
    "the larger one of sum and epsilon": (
        lambda k, v: (
            (e := k.exp()) / torch.maximum(e.sum(-1, keepdim=True), torch.tensor(1e-6).double())
        ),
        softmax,
    ),
    "means": (
        lambda k, v: (
            (stable(k)[..., None] * v[:, :, None]).mean(3) / stable(k).mean(-1, keepdim=True)
        ),
        lambda k, v: (k.softmax(-1)[..., None] * v[:, :, None]).sum(3),
    ),
}
SCALED: dict[str, tuple[Form, Form]] = {
    "the mean": (
        lambda k, v: k.exp() / k.exp().mean(-1, keepdim=True),
        lambda k, v: softmax(k, v) * 5,
    ),
    "the sum twice": (
        lambda k, v: k.exp() / (2 * k.exp().sum(-1, keepdim=True)),
        lambda k, v: softmax(k, v) * 0.5,
    ),
}
FORMS |= SCALED
LONGER = (
    "the larger one of sum and epsilon",
    "means",
    "einsum",
    "ones appended",
)  # in steps than torch's
ALL = {name: (*pair, False) for name, pair in FORMS.items()}
ALL |= {name: (*pair, True) for name, pair in SQUARE_FORMS.items()}


@pytest.fixture(scope="module")
def explainer():
    return cache(lambda form, square: relprop.Explainer(build(form, square)))


@pytest.mark.parametrize("name", ALL)
def test_it_is_explained_as_the_operation(name, explainer):
    written, torchs, square = ALL[name]
    presets = PRESETS if name in list(ALL)[::4] else PRESETS[:1]
    got, want = relprop.Explainer(build(written, square)), explainer(torchs, square)
    assert_explained_alike(got, want, presets, same_steps=not name.startswith(LONGER))


def test_relevance_of_a_written_softmax_by_hand():
    """One key for each value, AttnLRP: half to the values, and half to the softmax's expansion."""

    class Softmax(nn.Module):
        def forward(self, x):
            k, v = x.unbind(-1)
            w = torch.exp(k - k.amax(1, keepdim=True))
            return (w * v).sum(1, keepdim=True) / w.sum(1, keepdim=True)

    x = signed(4, 7, 2)
    e = relprop.Explainer(Softmax().eval())(x, target=relprop.at(0))
    k, v = x.unbind(-1)
    share = k.softmax(1)
    mean = (share * v).sum(1, keepdim=True)
    assert_same(e.relevance[..., 1], share * v / 2, 1e-14)
    assert_same(e.relevance[..., 0], k * share * (v - mean) / 2, 1e-13)


SIGNS = torch.tensor([1.0, -1, 1, 0, 1])
NOT_SOFTMAX: dict[str, Form] = {
    "one more in the sum": lambda k, v: k.exp() / (1 + k.exp().sum(-1, keepdim=True)),
    "the sum of another": lambda k, v: k.exp() / v[..., 0].exp().sum(-1, keepdim=True),
    "the sum of powers": lambda k, v: (2 * k).exp() / k.exp().sum(-1, keepdim=True),
    "summed over another axis": lambda k, v: (
        (k.exp()[..., None] * v).sum(1) / k.exp().sum(-1)[:, :1, None]
    ),
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
    "by no sum": lambda k, v: k.exp() / (1 + k.exp()),
    "a tanh": lambda k, v: (k.exp() - (-k).exp()) / (k.exp() + (-k).exp()),
    "of a sine": lambda k, v: k.sin() / k.exp().sum(-1, keepdim=True),
}


# Of these the two sides have no exponentials in common, or the divisor is no sum of them.
OTHER_FUNCTIONS = (
    *("the sum of another", "the sum of powers", "the square of the reciprocal", "the sum itself"),
    *("divided by the reciprocal", "the other norm", "of a sine"),
    *("by no sum", "a tanh"),
)


def block_sums(k: Tensor, v: Tensor) -> Tensor:
    first, second = stable(k).split([2, 3], -1)
    return first / (first.sum(-1, keepdim=True) + second.sum(-1, keepdim=True))


def column_of_numbers(k: Tensor, v: Tensor) -> Tensor:
    return k.exp() / (k.exp() @ torch.tensor([1.0, 1, 2, 1, 1]).double()[:, None])


NOT_SOFTMAX |= {"sums of blocks": block_sums, "a column of numbers": column_of_numbers}


@pytest.mark.parametrize("name", NOT_SOFTMAX)
def test_what_is_no_softmax_stays_what_it_is(name):
    net = build(NOT_SOFTMAX[name], square=False)
    x = signed(3, 6)
    explainer = relprop.Explainer(net, "epsilon")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        e = explainer(x)
    assert "softmax" not in [step.node.operation for step in explainer.plan(x).steps]
    torch.testing.assert_close(e.output, net(x), rtol=1e-12, atol=1e-12)
    unread = [one for one in caught if one.category is UnreadSoftmaxWarning]
    assert len(unread) == (name not in OTHER_FUNCTIONS)


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


def test_ones_in_a_parameter_are_not_taken_for_the_models_code():
    """They may be other numbers at the next call."""

    class Ones(nn.Module):
        def __init__(self):
            super().__init__()
            self.keys, self.head = nn.Linear(6, 5), nn.Linear(5, 3)
            self.ones = nn.Parameter(torch.ones(5, 1))

        def forward(self, x):
            e = self.keys(x).exp()
            return self.head(e / (e @ self.ones.abs()))

    model, x = randomise(Ones().double()), signed(3, 6)
    model.ones.data.fill_(1)
    explainer = relprop.Explainer(model, "epsilon")
    with pytest.warns(UnreadSoftmaxWarning):
        explainer(x)
    model.ones.data[1] = 3
    torch.testing.assert_close(explainer(x).output, model(x), rtol=1e-12, atol=1e-12)


def test_the_warning_names_the_module_and_a_line_that_silences_it():
    net, x = nn.Sequential(build(block_sums, square=False)).double(), signed(3, 6)
    explainer = relprop.Explainer(net, "epsilon")
    with pytest.warns(UnreadSoftmaxWarning, match='both sides of "0" .div.') as caught:
        want = explainer(x, target=1).relevance
    assert 'torch.softmax(logits, dim) in the forward of "0"' in caught[0].message.todo
    line = caught[0].message.todo.split("; if it is none, ")[1].rpartition(" holds its")[0]
    again = relprop.Explainer(net, eval(line, {"relprop": relprop}))
    assert_same(again(x, target=1).relevance, want)
