"""What each rule absorbs, cause by cause: the formula of each cause, written out in float64."""

from collections.abc import Callable

import pytest
import torch
from helpers.networks import randomise, signed
from torch import Tensor, nn

import relprop
from relprop import Recipe

STABILISER = 1e-6
CAUSES = ("bias", "stabiliser", "zero denominator", "constants", "linearisation")

# Of each output: weights of the two inputs (3, 2) and the bias.
SIGNS = {
    "contributions of both signs": (1.0, -1.0, 0.5),
    "no negative contribution": (2.0, 1.0, 0.5),
    "no positive contribution": (-2.0, -1.0, -0.5),
    "no contribution": (0.0, 0.0, 0.0),
    "contributions that cancel": (2.0, -3.0, 0.0),
    "a bias alone": (0.0, 0.0, 1.5),
}
X = (3.0, 2.0)


def terms(x: Tensor, rows: Tensor) -> Tensor:
    """Return x_i w_ij of each output j, with the bias as the weight of an input of 1."""
    return rows * torch.cat([x, x.new_ones(1)])


def stab(total: Tensor) -> Tensor:
    return torch.where(total < 0, -STABILISER, STABILISER).double()


# Rule -> (numerators n_ij by share with the bias last, the share's number, its stabiliser)
Shares = list[tuple[Tensor, float, Callable[[Tensor], Tensor]]]


def nothing(total: Tensor) -> Tensor:
    return torch.zeros_like(total)


def gamma_terms(n: Tensor) -> Tensor:
    sign = n.sum(-1, keepdim=True).sign()
    return n + 0.25 * torch.where(n.sign() == sign, n, 0)


def without_bias(n: Tensor) -> Tensor:
    return torch.cat([n[:, :-1], torch.zeros_like(n[:, -1:])], -1)


RULES: dict[str, tuple[dict[str, float], Callable[[Tensor, Tensor], Shares]]] = {
    "zero": ({}, lambda x, w: [(terms(x, w), 1, nothing)]),
    "epsilon": ({"epsilon": 0.1}, lambda x, w: [(terms(x, w), 1, lambda z: 1e5 * stab(z))]),
    "gamma": ({"gamma": 0.25}, lambda x, w: [(gamma_terms(terms(x, w)), 1, stab)]),
    "z-plus": ({}, lambda x, w: [(terms(x, w).clamp(min=0), 1, stab)]),
    "alpha-beta": (
        {"alpha": 2.0, "beta": 1.0},
        lambda x, w: [
            (terms(x, w).clamp(min=0), 2, stab),
            (terms(x, w).clamp(max=0), -1, lambda z: -stab(-z)),
        ],
    ),
    "flat": ({}, lambda x, w: [(without_bias(torch.ones_like(w)), 1, stab)]),
    "w-squared": ({}, lambda x, w: [(w.square(), 1, stab)]),
    "z-box": (
        {"low": -1.0, "high": 5.0},
        lambda x, w: [
            (
                without_bias(terms(x, w) - terms(-x.new_ones(2), w.clamp(min=0)))
                - without_bias(terms(5 * x.new_ones(2), w.clamp(max=0))),
                1,
                stab,
            )
        ],
    ),
}


def expected_amounts(relevance: Tensor, shares: Shares) -> dict[str, Tensor]:
    """Sum up over outputs what each cause takes of the relevance of each."""
    amounts = {cause: torch.zeros(()).double() for cause in CAUSES}
    for numerators, number, stabiliser in shares:
        total = numerators.sum(-1)
        added = stabiliser(total)
        none = total == 0
        takes_all = none & (added.abs() <= STABILISER)  # by epsilon, terms that cancel go on
        s = number * relevance / torch.where(takes_all, 1, total + added)
        amounts["bias"] += (s * numerators[:, -1] * ~takes_all).sum()
        amounts["stabiliser"] += (s * added * ~takes_all).sum()
        amounts["zero denominator"] += (number * relevance * takes_all).sum()
    return amounts


@pytest.mark.parametrize("above", ["flat", "zero"])
@pytest.mark.parametrize("rule", RULES)
def test_what_a_rule_absorbs_by_cause(rule, above):
    """Flat above gives relevance itself, also to outputs of 0; zero gives it per unit."""
    rows = torch.tensor(list(SIGNS.values())).double()
    model = nn.Sequential(nn.Linear(2, len(rows)), nn.Linear(len(rows), 1)).double().eval()
    model[0].weight.data, model[0].bias.data = rows[:, :-1].clone(), rows[:, -1].clone()
    model[1].weight.data = torch.arange(1.0, len(rows) + 1).double()[None]
    x, (parameters, shares) = torch.tensor([X]).double(), RULES[rule]
    recipe = Recipe.preset("zero").using("0", rule, **parameters).using("1", above)
    e = relprop.Explainer(model, recipe)(x, target=relprop.at(0), ledger=True, layers=["0"])
    assert e.ledger.error < 1e-12
    arrived = e.layers["0"][0]
    (first,) = [entry for entry in e.ledger.entries if entry.module == "0"]
    for cause, amount in expected_amounts(arrived, shares(x[0], rows)).items():
        got = first.absorbed.get(cause, torch.zeros(1).double())[0]
        torch.testing.assert_close(got, amount, rtol=1e-9, atol=1e-9, msg=lambda m, c=cause: c + m)


@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_surplus_of_alpha_beta_is_that_of_a_part_without_contributions(layers, dtype):
    """With nothing negative, alpha R is passed on and beta R = (alpha - 1) R was added."""
    model = nn.Sequential(*[nn.Linear(3, 3, bias=False) for _ in range(layers)]).to(dtype).eval()
    for layer in model:
        layer.weight.data = torch.rand(3, 3, generator=torch.Generator().manual_seed(0)).to(dtype)
    recipe = Recipe.preset("alpha-beta", alpha=3.0, beta=2.0)
    x = torch.tensor([[1.0, 2.0, 0.5]], dtype=dtype)
    e = relprop.Explainer(model, recipe)(x, target=0, ledger=True)
    score = e.output[:, 0].double()
    close = {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(e.ledger.relevance_out, 3**layers * score, **close)
    added = e.ledger.absorbed["zero denominator"]
    torch.testing.assert_close(added, (1 - 3**layers) * score, **close)
    assert e.ledger.absorbed["stabiliser"].abs().max() < 1e-3 * score.abs().max()


def test_weights_of_zero_share_nothing():
    """A window of padding alone, or a pruned unit: no stabiliser took what arrived there."""
    model = nn.Sequential(nn.Conv2d(1, 1, 2, padding=2, stride=2, bias=False), nn.Flatten(1))
    model = nn.Sequential(*model, nn.Linear(9, 1)).double()
    randomise(model)
    recipe = Recipe.preset("zero").using("0", "flat").using("2", "w-squared")
    e = relprop.Explainer(model, recipe)(
        signed(1, 1, 2, 2), target=relprop.at(0), ledger=True, layers=["0"]
    )
    lost = e.ledger.entries[-1].absorbed
    outside = e.layers["0"].sum() - e.layers["0"][0, 0, 1, 1]
    torch.testing.assert_close(lost["zero denominator"][0], outside)
    expected = e.layers["0"][0, 0, 1, 1] * STABILISER / (4 + STABILISER)
    torch.testing.assert_close(lost["stabiliser"][0], expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("folds", [True, False])
def test_the_shift_of_a_batch_norm_is_a_bias_folded_or_not(folds):
    before = nn.Linear(3, 4, bias=False) if folds else nn.Identity()
    model = nn.Sequential(
        before, nn.BatchNorm1d(4 if folds else 3), nn.Linear(4 if folds else 3, 1)
    )
    randomise(model.double())
    e = relprop.Explainer(model, "zero")(signed(2, 3), target=relprop.at(0), ledger=True)
    norm = model[1]
    g = norm.weight / (norm.running_var + norm.eps).sqrt()
    shift = norm.bias - norm.running_mean * g
    bias = (model[2].weight[0] * shift).sum() + model[2].bias[0]
    torch.testing.assert_close(e.ledger.absorbed["bias"], bias.detach().expand(2))
    assert not e.ledger.absorbed["constants"].any()


def test_a_product_by_magnitude_absorbs_nothing():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(3, 2, bias=False), nn.Linear(3, 2, bias=False)

        def forward(self, x):
            return self.a(x) * self.b(x)

    recipe = Recipe.preset("zero").using(relprop.Selector(operation="mul"), "proportional")
    model = randomise(Model().double())
    e = relprop.Explainer(model, recipe)(signed(2, 3), target=0, ledger=True)
    assert e.ledger.error < 1e-12
    assert all(not amount.any() for amount in e.ledger.absorbed.values())
