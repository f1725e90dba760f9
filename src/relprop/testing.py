"""Conformance: whether a rule does what the engine expects of one, shown on small models.

Takes a rule, by name or one of one's own, and runs it through the public interface.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from .errors import RuleError
from .explanation.explainer import Explainer
from .graph.ops import KINDS, Kind
from .recipes.recipe import Recipe
from .recipes.selectors import Selector
from .rules.registry import Rule, RuleDefinition

TOLERANCE = 1e-9  # in float64, as a fraction of what is compared


class Probe(nn.Module):
    """A model of two layers with an operation of one kind between them."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.kind = kind
        self.first = nn.Linear(6, 8)
        self.conv = nn.Conv1d(2, 2, 3, padding=1)
        self.norm = nn.LayerNorm(8)
        self.lstm = nn.LSTM(8, 8, batch_first=True)
        self.last = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:  # x (batch, 2, 6)
        """Scores (batch, 3)."""
        h = _BETWEEN[self.kind](self, self.first(x))  # (batch, 2, 8)
        score: Tensor = self.last(h.relu()).sum(1)
        return score


def _attention(model: Probe, h: Tensor) -> Tensor:
    return nn.functional.scaled_dot_product_attention(h, h.flip(1), h + 1)


_BETWEEN: dict[Kind, Callable[[Probe, Tensor], Tensor]] = {
    "convolution": lambda model, h: model.conv(h),
    "linear": lambda model, h: h,
    "average-pool": lambda model, h: nn.functional.avg_pool1d(h, 3, 1, 1),
    "product": lambda model, h: h * h.flip(1).relu(),
    "gate": lambda model, h: h * h.flip(1).sigmoid(),
    "matmul": lambda model, h: (h @ h.transpose(1, 2)) @ h,
    "softmax": lambda model, h: h.softmax(-1),
    "attention": _attention,
    "normalisation": lambda model, h: model.norm(h),
    "recurrent": lambda model, h: model.lstm(h)[0],
}


def check_rule(rule: str | RuleDefinition, **parameters: Any) -> None:
    """Raise RuleError unless a rule does what the engine expects of every rule.

    For each kind of operation that it can be given, on signed inputs in float64: each sample is
    explained as it is by itself; relevance is in proportion to what arrives; what it takes is what
    it gives and absorbs (1e-9), whether relevance arrives as it is or per unit of activation; the
    model's weights and the inputs stay as they are; relevance can be differentiated.
    It does not show that the rule is the one of its formula: compare it with a slow twin.
    """
    chosen = Rule.of(rule, parameters)
    kinds = [kind for kind in KINDS if kind in chosen.definition.kinds]
    for kind in kinds if chosen.definition.receives != "none" else ():
        model, x = _probe(kind)
        explainer = Explainer(model)
        for base in (Recipe.preset("zero"), Recipe.preset("zero").using("last", "w-squared")):
            recipe = base.using(Selector(name="*", kinds=(kind,)), rule, **parameters)
            _check(chosen.name, kind, explainer.with_recipe(recipe), x)


def _probe(kind: Kind) -> tuple[Probe, Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = Probe(kind).double().eval()
        return model, torch.randn(3, 2, 6, dtype=torch.float64)


def _check(name: str, kind: Kind, explainer: Explainer, x: Tensor) -> None:
    def require(condition: bool, what: str) -> None:
        if not condition:
            raise RuleError(
                f'the rule "{name}" on a {kind}: {what}',
                "pull is linear in what arrives, sample by sample; absorbed says what it keeps",
                "see the rules in relprop.engine.rules for the shape of one",
            )

    weights = list(explainer.model.parameters())
    before, given = [p.detach().clone() for p in weights], x.clone()
    try:
        e = explainer(x, target=0, ledger=True)
    finally:
        unchanged = all(p.equal(q) for p, q in zip(weights, before, strict=True))
        require(unchanged, "it changes the model's weights")
    require(x.equal(given), "it changes its input")
    relevance = e.relevance
    require(relevance.shape == x.shape, f"it gives the shape {tuple(relevance.shape)}")
    alone = torch.cat([explainer(row[None], target=0).relevance for row in x])
    require(_near(alone, relevance), "a sample by itself is explained otherwise")
    double = explainer(x, target=lambda output: 2 * output[:, 0]).relevance
    require(_near(double, 2 * relevance), "it is not in proportion to what arrives")
    for entry in e.ledger.entries:  # type: ignore[union-attr]
        amounts = [entry.relevance_in, entry.relevance_out, *entry.absorbed.values()]
        scale = torch.stack(amounts).abs().max()
        require(bool(entry.error.abs().max() <= TOLERANCE * scale), "what it takes is not all told")
    require(_differentiable(explainer, x), "its relevance cannot be differentiated")


def _differentiable(explainer: Explainer, x: Tensor) -> bool:
    """Whether its derivative along one direction is that of two explanations close by."""
    along, step = torch.linspace(-1, 1, x.numel(), dtype=x.dtype).reshape(x.shape), 1e-6
    leaf = x.clone().requires_grad_()
    relevance = explainer(leaf, target=0, create_graph=True).relevance
    if not relevance.requires_grad:
        return False
    (gradient,) = torch.autograd.grad((relevance * along.cos()).sum(), leaf)
    ends = [explainer(x + s * along, target=0).relevance for s in (step, -step)]
    expected = ((ends[0] - ends[1]) * along.cos()).sum() / (2 * step)
    return bool(((gradient * along).sum() - expected).abs() <= 1e-4 * relevance.abs().max())


def _near(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() <= TOLERANCE * b.abs().max())
