"""The ledger where a mask puts -inf: what is masked has a relevance of 0, and NaN is not hidden."""

import pytest
import torch
from helpers.networks import randomise, signed
from torch import nn
from torch.nn import functional as F

import relprop
from relprop import Back, Recipe
from relprop.observe.ledger import concatenate_ledgers

INF = torch.inf
AHEAD = torch.ones(5, 5, dtype=torch.bool).triu(1)
HIDDEN = torch.tensor([True, False, True, True, False])
MASKS = {
    "add": lambda scores: scores + torch.full((5, 5), -INF).triu(1),
    "masked_fill": lambda scores: scores.masked_fill(AHEAD, -INF),
    "where": lambda scores: torch.where(AHEAD, -INF, scores),
    "cat": lambda scores: torch.cat([scores, torch.full_like(scores, -INF)], -1),
    "scaled and shifted": lambda scores: scores.masked_fill(AHEAD, -INF) * 0.5 - 1,
    "leaky_relu": lambda scores: F.leaky_relu(scores.masked_fill(AHEAD, -INF)),
    # finite in float64, infinite in the float32 that softmax computes in
    "lowest number": lambda scores: scores.masked_fill(AHEAD, torch.finfo(scores.dtype).min),
}


class Attention(nn.Module):
    """One head of attention, written out, with a mask."""

    def __init__(self, mask, dtype=None):
        super().__init__()
        self.to_q, self.to_k, self.to_v = (nn.Linear(4, 4) for _ in range(3))
        self.mask, self.dtype, self.head = mask, dtype, nn.Linear(4, 3)

    def forward(self, x):  # (batch, 5, 4)
        scores = self.to_q(x) @ self.to_k(x).transpose(1, 2)
        weights = self.mask(scores).softmax(-1, dtype=self.dtype).to(x.dtype)
        return self.head((weights[..., :5] @ self.to_v(x)).sum(1))


@pytest.mark.parametrize("recipe", ["epsilon", "attnlrp"])
@pytest.mark.parametrize("mask", MASKS)
def test_rows_of_masked_scores_are_those_of_the_scores_that_are_left(mask, recipe):
    """Taylor at a softmax s of u: x (J^T c) with J = diag(s) - s s^T over finite scores alone."""
    dtype = torch.float32 if mask == "lowest number" else None
    model, x = randomise(Attention(MASKS[mask], dtype).double()), signed(2, 5, 4)
    e = relprop.Explainer(model, recipe)(x, target=1, ledger=True, layers=["*"])
    limit = 1e-5 if dtype else 1e-12
    assert e.ledger.error < limit
    (softmax,) = [entry for entry in e.ledger.entries if entry.operation == "softmax"]
    with torch.no_grad():
        u = model.mask(model.to_q(x) @ model.to_k(x).transpose(1, 2))
        s, v = u.softmax(-1), model.to_v(x)
        c = 0.5 * (model.head.weight[1] * v).sum(-1)[:, None].expand(2, 5, 5)  # of the weights
        c = F.pad(c, (0, u.shape[-1] - 5))
        u = u.masked_fill(s == 0, 0)
        expected = (u * s * (c - (s * c).sum(-1, keepdim=True))).sum((1, 2))
        left_out = (c * (s - s * (u - (s * u).sum(-1, keepdim=True)))).sum((1, 2))
    torch.testing.assert_close(softmax.relevance_in, (c * s).sum((1, 2)), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(softmax.relevance_out, expected, rtol=1e-4, atol=1e-6)
    amount = softmax.absorbed["linearisation"]
    torch.testing.assert_close(amount, left_out, rtol=1e-4, atol=1e-6)
    assert all(r.isfinite().all() for r in e.layers.values() if isinstance(r, torch.Tensor))


OTHERS = {
    "masked max pooling": lambda h: h.masked_fill(HIDDEN, -INF).amax(-1, keepdim=True),
    "top two": lambda h: h.masked_fill(HIDDEN, -INF).topk(2).values,
    "maximum": lambda h: torch.maximum(h.masked_fill(HIDDEN, -INF), torch.zeros(5)),
    "square root where there is one": lambda h: torch.where(h > 0, h.sqrt(), 0.0),
    "log of a softmax": lambda h: h.masked_fill(HIDDEN, -INF).log_softmax(-1).exp(),
}


@pytest.mark.parametrize("head", ["epsilon", "w-squared"])
@pytest.mark.parametrize("name", OTHERS)
def test_other_operations_after_a_mask_balance(name, head):
    """W-squared gives relevance to what is 0 as well, such as exp(-inf), so that some arrives."""

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.head = nn.Linear(4, 5), nn.LazyLinear(3)

        def forward(self, x):
            return self.head(OTHERS[name](self.layer(x)))

    model, x = Model().double(), signed(3, 4)
    model(x)
    recipe = Recipe.preset("zero").using("head", head)
    ledger = relprop.Explainer(randomise(model), recipe)(x, target=0, ledger=True).ledger
    assert ledger.error < 1e-12
    assert all(entry.error.abs().max() < 1e-12 for entry in ledger.entries)


def test_what_an_activation_makes_of_minus_infinity_is_a_constant():
    """The score is 2 clamp(z, min=-3): the masked entry has -3 of the relevance, twice."""

    class Model(nn.Module):
        def forward(self, x):
            h = x.masked_fill(torch.tensor([False, True]), -INF)
            return 2 * h.clamp(min=-3, max=9).sum(1, keepdim=True)

    x = torch.tensor([[4.0, 1.0]]).double()
    e = relprop.Explainer(Model().eval(), "zero")(x, target=relprop.at(0), ledger=True)
    (clamp,) = [entry for entry in e.ledger.entries if entry.operation == "clamp"]
    assert e.relevance.tolist() == [[8.0, 0.0]]
    assert float(clamp.absorbed["constants"]) == -6.0
    assert e.ledger.error == 0.0


def test_an_error_over_nan_is_nan():
    """A rule that gives NaN to what nobody reads: relevance is right, the ledger is not."""

    @relprop.rule()
    def careless(layer) -> Back:
        return Back(lambda v: layer.transpose(v, layer.weights), lambda v: {"bias": v * torch.nan})

    model = randomise(nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))).double()
    explainer = relprop.Explainer(model, Recipe.preset("zero").using("0", careless))
    ledger = explainer(signed(2, 4), target=0, ledger=True).ledger
    assert ledger.error != ledger.error
    # One operation gives infinity and the next one takes it: in and out of the whole are finite.
    sound = relprop.Explainer(model, "zero")(signed(2, 4), target=0, ledger=True).ledger
    first, second = sound.entries
    broken = first.relevance_out.clone()
    broken[1] = INF
    object.__setattr__(first, "relevance_out", broken)
    object.__setattr__(second, "relevance_in", broken)
    assert sound.imbalance[0] < 1e-12
    assert sound.imbalance[1].isnan()
    assert concatenate_ledgers([sound, sound]).error != sound.error
    assert "imbalance nan" in str(sound)
