"""The rules of sums, compared with their formulas, term by term in float64."""

import pytest
import torch
from torch import nn

import relprop
from relprop import Recipe, Selector
from relprop.errors import VanishingWarning


class Residual(nn.Module):
    """Score = w (x + alpha y), with y = tanh(x A)."""

    def __init__(self, alpha=1.0, wide=False):
        super().__init__()
        self.a, self.w = nn.Linear(4, 1 if wide else 4, bias=False), nn.Linear(4, 3, bias=False)
        self.alpha = alpha

    def forward(self, x):
        return self.w(torch.add(x, self.a(x).tanh(), alpha=self.alpha))


def positive(value):
    return max(value, 0.0)


def expected(model, x, target, size):
    """Share R_z of each sum by size, entry by entry, then carry it through tanh and the layer."""
    y = (x @ model.a.weight.T).tanh()
    pre = x @ model.a.weight.T
    found = torch.zeros_like(x)
    for n in range(len(x)):
        of_y = torch.zeros(y.shape[1], dtype=x.dtype)
        for i in range(4):
            k = i if y.shape[1] == 4 else 0
            a, b = x[n, i].item(), model.alpha * y[n, k].item()
            r = (a + b) * model.w.weight[target, i].item()
            total = size(a) + size(b)
            if total:
                found[n, i] += size(a) / total * r
                of_y[k] += size(b) / total * r
        for k in range(y.shape[1]):
            for i in range(4):
                contribution = x[n, i] * model.a.weight[k, i]
                found[n, i] += contribution / pre[n, k] * of_y[k]
    return found.detach()


@pytest.mark.parametrize("wide", [False, True], ids=["same shape", "broadcast"])
@pytest.mark.parametrize("alpha", [1.0, -0.5])
@pytest.mark.parametrize(("rule", "size"), [("positive-sum", positive), ("absolute-sum", abs)])
def test_rule_is_its_formula(rule, size, alpha, wide):
    torch.manual_seed(0)
    model, x = Residual(alpha, wide).double().eval(), torch.randn(6, 4, dtype=torch.float64)
    recipe = Recipe.preset("zero").using(Selector(operation="add"), rule)
    explained = relprop.Explainer(model, recipe)(x, 1, ledger=True)
    torch.testing.assert_close(
        explained.relevance, expected(model, x, 1, size), rtol=1e-10, atol=1e-12
    )
    assert explained.ledgers[0].error < 1e-10


def test_all_of_a_negative_sum_is_absorbed():
    model = Residual().double().eval()
    with torch.no_grad():
        model.a.weight.copy_(torch.eye(4))
    x = -torch.ones(1, 4, dtype=torch.float64)
    recipe = Recipe.preset("zero").using(Selector(operation="add"), "positive-sum")
    with pytest.warns(VanishingWarning):
        explained = relprop.Explainer(model, recipe)(x, 0, ledger=True)
    assert explained.relevance.abs().max() == 0
    absorbed = explained.ledgers[0].absorbed
    torch.testing.assert_close(absorbed["zero denominator"], explained.output[:, 0])


def test_a_sum_with_a_constant_is_left_as_it_is():
    class Shifted(nn.Module):
        def forward(self, x):
            return x + 2.0 * torch.ones(3)

    x = torch.tensor([[1.0, -2.0, 3.0]])
    plain = relprop.Explainer(Shifted().eval(), "zero")(x, 0).relevance
    recipe = Recipe.preset("zero").using(Selector(operation="add"), "absolute-sum")
    assert torch.equal(relprop.Explainer(Shifted().eval(), recipe)(x, 0).relevance, plain)


def test_relevance_itself_that_arrives_is_shared_alike():
    """Behind the flat rule, relevance itself arrives at the sum: the same shares."""
    torch.manual_seed(0)
    model, x = Residual().double().eval(), torch.randn(3, 4, dtype=torch.float64)
    recipe = Recipe.preset("zero").using("w", "flat")
    recipe = recipe.using(Selector(operation="add"), "absolute-sum")
    e = relprop.Explainer(model, recipe)(x, 1, layers=["a"])
    y = (x @ model.a.weight.T).tanh()
    r = e.output[:, 1:2] / 4
    torch.testing.assert_close(
        e.layers["a"], (y.abs() / (x.abs() + y.abs()) * r).detach(), rtol=1e-5, atol=1e-6
    )


class Positioned(nn.Module):
    """Tokens by numbers, or patches of a picture, with learned positions; score = w relu(A z)."""

    def __init__(self, patches):
        super().__init__()
        self.tokens = nn.Conv2d(1, 4, 2, 2, bias=False) if patches else nn.Embedding(9, 4)
        self.position = nn.Parameter(torch.randn(1, 6, 4))
        self.kind = nn.Parameter(torch.randn(4))
        self.a, self.w = nn.Linear(4, 8, bias=False), nn.Linear(8, 3, bias=False)

    def embedded(self, x):
        tokens = self.tokens(x)
        return tokens.flatten(2).transpose(1, 2) if tokens.ndim == 4 else tokens

    def read(self, z):
        return self.w(self.a(z).relu().mean(1))

    def forward(self, x):
        return self.read(torch.add(self.embedded(x) + self.kind, self.position, alpha=2))


def positioned(model, x, target):
    """Return relevance of each feature of each token, term by term: (n, tokens, features)."""
    tokens = model.embedded(x).detach()
    z = (tokens + model.kind + 2 * model.position).detach().requires_grad_()
    (c,) = torch.autograd.grad(model.read(z)[:, target].sum(), z)
    found = torch.zeros_like(tokens)
    for n in range(len(tokens)):
        for t in range(6):
            shifted = tokens[n, t] + model.kind
            of_position = sum(2 * model.position[0, t, d] * c[n, t, d] for d in range(4))
            share = shifted.abs() / sum(abs(s) for s in shifted)
            kept = shifted * c[n, t] + share * of_position  # of the token with its kind
            per_unit = kept / shifted
            of_kind = sum(model.kind[d] * per_unit[d] for d in range(4))
            share = tokens[n, t].abs() / sum(abs(s) for s in tokens[n, t])
            found[n, t] = tokens[n, t] * per_unit + share * of_kind
    return found.detach(), (z * c).sum(-1).detach()


@pytest.mark.parametrize("patches", [False, True], ids=["token ids", "patches"])
def test_relevance_of_positions_stays_at_their_tokens(patches):
    torch.manual_seed(0)
    model = Positioned(patches).double().eval()
    shape = (3, 1, 4, 6) if patches else (3, 6)
    x = torch.randn(shape).double() if patches else torch.randint(9, shape)
    recipe = Recipe.preset("zero").using(Selector(operation="add"), "position-to-token")
    e = relprop.Explainer(model, recipe)(x, 1, ledger=True, layers=["tokens"])
    want, of_tokens = positioned(model, x, 1)
    torch.testing.assert_close(want.sum(-1), of_tokens)  # PA-LRP: of tokens with their positions
    got = e.layers["tokens"].flatten(2).transpose(1, 2) if patches else e.layers["tokens"]
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-12)
    assert e.ledgers[0].error < 1e-10
    torch.testing.assert_close(e.relevance.flatten(1).sum(1), e.output[:, 1].detach())


def test_a_token_of_zeros_has_no_place_for_its_position():
    torch.manual_seed(0)
    model = Positioned(False).double().eval()
    with torch.no_grad():
        model.tokens.weight[0] = 0
        model.kind.zero_()
    recipe = Recipe.preset("zero").using(Selector(operation="add"), "position-to-token")
    e = relprop.Explainer(model, recipe)(torch.tensor([[0, 1, 2, 3, 4, 5]]), 1, ledger=True)
    _, of_tokens = positioned(model, torch.tensor([[0, 1, 2, 3, 4, 5]]), 1)
    torch.testing.assert_close(e.ledgers[0].absorbed["constants"], of_tokens[:, 0])
    assert e.relevance[0, 0].abs().sum() == 0
