"""Checks for custom rules: does a rule do what the backward pass relies on?

Takes a rule, by name or as a function, and runs it on small models through the public interface.
Must not know the formula that a rule is meant to compute.
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
from .rules.registry import RuleDefinition
from .rules.rule import Rule

__all__ = ["check_rule"]

TOLERANCE = 1e-9  # in float64, relative to the largest of the compared numbers
DERIVATIVE_TOLERANCE = 1e-4  # relative, of central differences
DIFFERENCE_STEP = 1e-6  # in the units of the input, which is standard normal


def check_rule(rule: str | RuleDefinition, **parameters: Any) -> None:
    """Check that a rule does what the backward pass relies on; raise RuleError if it does not.

    The rule is run in float64, on inputs of both signs, between two linear layers, once for each
    kind of operation that it supports. It must

    - give each sample the relevance that the sample has when it is explained alone,
    - be proportional to the relevance that it receives,
    - conserve relevance: what comes in is passed on or reported as absorbed, to 1e-9, both where it
      receives relevance and where it receives relevance per unit of activation,
    - leave the model's weights and the inputs as they are, and
    - be differentiable.

    The check does not know the rule's formula: compare the rule with a slow implementation of it,
    too.

    Args:
        rule: A rule's name, or a function decorated with `relprop.rule`.
        parameters: The rule's parameters.

    Raises:
        RuleError: The rule does not do one of these; the message says which, and for which kind of
            operation.

    Example:
        >>> import relprop
        >>> @relprop.rule(kinds=("linear",), gives="relevance")
        ... def equal_shares(layer):
        ...     def pull(v):
        ...         total = layer.relevance(v).sum(-1, keepdim=True)
        ...         return (total / layer.x.shape[-1]).expand_as(layer.x)
        ...
        ...     return relprop.Back(pull, absorbed=lambda v: {})
        >>> relprop.check_rule(equal_shares)  # silent: the rule passes
    """
    chosen = Rule.of(rule, parameters)
    # There is nothing to check of a rule that gives relevance to no input.
    kinds = chosen.definition.kinds if chosen.definition.receives != "none" else ()
    for kind in (kind for kind in KINDS if kind in kinds):
        model, x = _model_and_input(kind)
        explainer = Explainer(model)
        alone = Recipe.preset("zero").using(Selector(name="*", kinds=(kind,)), rule, **parameters)
        # "w-squared" in the last layer hands on relevance itself, "zero" relevance per unit of
        # activation: a rule has to take both.
        for recipe in (alone, alone.using("last", "w-squared")):
            _check(chosen.name, kind, explainer.with_recipe(recipe), x)


class OneKindModel(nn.Module):
    """Two linear layers with one operation of the given kind between them."""

    def __init__(self, kind: Kind) -> None:
        super().__init__()
        self.kind = kind
        self.first = nn.Linear(6, 8)
        self.conv = nn.Conv1d(2, 2, 3, padding=1)
        self.norm = nn.LayerNorm(8)
        self.lstm = nn.LSTM(8, 8, batch_first=True)
        self.last = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        """Compute scores (batch, 3) of x (batch, 2, 6)."""
        h = _OPERATION[self.kind](self, self.first(x))  # (batch, 2, 8)
        score: Tensor = self.last(h.relu()).sum(1)
        return score


def _attention(model: OneKindModel, h: Tensor) -> Tensor:
    return nn.functional.scaled_dot_product_attention(h, h.flip(1), h + 1)


_OPERATION: dict[Kind, Callable[[OneKindModel, Tensor], Tensor]] = {
    "convolution": lambda model, h: model.conv(h),
    "linear": lambda model, h: h,  # the two linear layers themselves
    "average-pool": lambda model, h: nn.functional.avg_pool1d(h, 3, 1, 1),
    "product": lambda model, h: h * h.flip(1).relu(),
    "gate": lambda model, h: h * h.flip(1).sigmoid(),
    "matmul": lambda model, h: (h @ h.transpose(1, 2)) @ h,
    "softmax": lambda model, h: h.softmax(-1),
    "attention": _attention,
    "normalisation": lambda model, h: model.norm(h),
    "recurrent": lambda model, h: model.lstm(h)[0],
}


def _model_and_input(kind: Kind) -> tuple[OneKindModel, Tensor]:
    # The models and inputs are the same in every run; the caller's random numbers go on as if
    # nothing had been drawn.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        model = OneKindModel(kind).double().eval()
        return model, torch.randn(3, 2, 6, dtype=torch.float64)


def _check(name: str, kind: Kind, explainer: Explainer, x: Tensor) -> None:
    def require(condition: bool, defect: str) -> None:
        if not condition:
            raise RuleError(
                f'the rule "{name}" on a {kind}: {defect}',
                "pull is linear in what it receives, sample by sample; absorbed reports the rest",
                "compare it with the rules in relprop/rules/linear.py",
            )

    weights = list(explainer.model.parameters())
    original_weights, original_x = [p.detach().clone() for p in weights], x.clone()
    try:
        explanation = explainer(x, target=0, ledger=True)
    finally:
        # Also after an error: a rule that writes into weights may well cause one further on.
        unchanged = all(p.equal(q) for p, q in zip(weights, original_weights, strict=True))
        require(unchanged, "it changes the model's weights")
    require(x.equal(original_x), "it changes its input")
    relevance = explanation.relevance
    shape = tuple(relevance.shape)
    require(relevance.shape == x.shape, f"it returns the shape {shape}, not {tuple(x.shape)}")
    alone = torch.cat([explainer(sample[None], target=0).relevance for sample in x])
    require(_close(alone, relevance), "a sample alone has another relevance than in a batch")
    doubled = explainer(x, target=lambda output: 2 * output[:, 0]).relevance
    require(_close(doubled, 2 * relevance), "it is not proportional to the relevance it receives")
    for entry in explanation.ledger.entries:  # type: ignore[union-attr]
        amounts = [entry.relevance_in, entry.relevance_out, *entry.absorbed.values()]
        limit = TOLERANCE * torch.stack(amounts).abs().max()
        conserved = bool(entry.error.abs().max() <= limit)
        require(conserved, "it does not conserve relevance, or does not report all it absorbs")
    require(_differentiable(explainer, x), "its relevance cannot be differentiated")


def _differentiable(explainer: Explainer, x: Tensor) -> bool:
    """Compare autograd's derivative of relevance along one direction with central differences."""
    direction = torch.linspace(-1, 1, x.numel(), dtype=x.dtype).reshape(x.shape)
    weights = direction.cos()  # of a weighted sum of relevance, one number to differentiate
    leaf = x.clone().requires_grad_()
    relevance = explainer(leaf, target=0, create_graph=True).relevance
    if not relevance.requires_grad:
        return False
    (gradient,) = torch.autograd.grad((relevance * weights).sum(), leaf)
    above, below = (
        explainer(x + step * direction, target=0).relevance
        for step in (DIFFERENCE_STEP, -DIFFERENCE_STEP)
    )
    expected = ((above - below) * weights).sum() / (2 * DIFFERENCE_STEP)
    limit = DERIVATIVE_TOLERANCE * relevance.abs().max()
    return bool(((gradient * direction).sum() - expected).abs() <= limit)


def _close(a: Tensor, b: Tensor) -> bool:
    return bool((a - b).abs().max() <= TOLERANCE * b.abs().max())
