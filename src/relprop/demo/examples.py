"""A few digits to look at, chosen from the rule table by a stated rule.

Takes the digits and a rule table. Gives a record for each chosen digit: what the network predicts
of it before and after each removal, which pixels go, and relevance by recipe and by network. Must
not know how to draw.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor

from ..data import Digits
from ..evaluate import Predictions
from .networks import NetworkResult
from .removal import BRIGHTEST, CONTROL_ORDERS, DEMO_FILLS, INK, Removal
from .rule_table import MAIN_RECIPE, RuleTable

FILL = DEMO_FILLS[0]  # under which digits are chosen, and which the pages show first


@dataclass(frozen=True)
class Prediction:
    """A prediction for a picture.

    Attributes:
        label: Predicted class.
        margin: Its margin.
    """

    label: int
    margin: float


@dataclass(frozen=True)
class Example:
    """One digit, before and after each removal.

    Attributes:
        index: Position among the digits of the run, from 0.
        label: True class.
        kind: Why it was chosen: "relevance" misleads and no control does, a "control" misleads and
            relevance does not, it "holds" whatever is removed, or "next" of its class.
        pixels: Grey values, (h, w).
        original: Prediction for the unmodified digit.
        after: Prediction after each removal.
        removed: Pixels removed, first one first, by order.
        by_recipe: Relevance of the rule table's model, (h, w), by recipe.
        by_network: Relevance by the main recipe, (h, w), by network.
        predicted: Prediction for the unmodified digit, by network.
    """

    index: int
    label: int
    kind: str
    pixels: Tensor
    original: Prediction
    after: Mapping[Removal, Prediction]
    removed: Mapping[str, Sequence[int]]
    by_recipe: Mapping[str, Tensor]
    by_network: Mapping[str, Tensor]
    predicted: Mapping[str, Prediction]


def choose_examples(table: RuleTable, labels: Tensor, count: int = 10) -> dict[int, str]:
    """Choose digits to show, of different classes: their indices, and why.

    All are classified correctly unmodified, and keep a third of their ink in any case. First
    the first digit in the data's order that is wrong without its most relevant pixels and right
    without as many chosen by each control; then the first for which it is the other way round with
    any control; then the first that is right after each removal; then the first digit of each
    remaining class. Where there is none, none is chosen. If no digit keeps a third, all may be.
    """
    correct = table.before.prediction == labels
    correct = correct & ~table.thin if (correct & ~table.thin).any() else correct
    wrong = {order: _wrong(table, order, labels) for order in (MAIN_RECIPE, *CONTROL_ORDERS)}
    by_relevance, by_control = wrong[MAIN_RECIPE], wrong[BRIGHTEST] | wrong[INK]
    chosen: dict[int, str] = {}
    for kind, candidates, more in (
        ("relevance", correct & by_relevance & ~by_control, 1),
        ("control", correct & ~by_relevance & by_control, 1),
        ("holds", correct & ~by_relevance & ~by_control, 1),
        ("next", correct, count),
    ):
        size = min(count, len(chosen) + more)
        for index in candidates.nonzero().flatten().tolist():
            if len(chosen) == size:
                break
            if int(labels[index]) not in {int(labels[other]) for other in chosen}:
                chosen[index] = kind
    return chosen


def make_examples(
    digits: Digits, table: RuleTable, networks: Sequence[NetworkResult], *, count: int = 10
) -> tuple[Example, ...]:
    """Collect what is shown of the chosen digits; none if no digit is classified correctly.

    Args:
        digits: Images and labels.
        table: Rule table of the same digits.
        networks: Results of each network on them.
        count: Number of digits to choose.
    """
    return tuple(
        Example(
            index=i,
            label=int(digits.labels[i]),
            kind=kind,
            pixels=digits.images[i, 0],
            original=_prediction(table.before, i),
            after=MappingProxyType(
                {removal: _prediction(after, i) for removal, after in table.outcomes.items()}
            ),
            removed=MappingProxyType(
                {
                    order: tuple(ranked[i, : table.removed_pixels].tolist())
                    for order, ranked in table.ranked.items()
                }
            ),
            by_recipe=MappingProxyType({name: r[i, 0] for name, r in table.relevance.items()}),
            by_network=MappingProxyType({each.name: each.relevance[i, 0] for each in networks}),
            predicted=MappingProxyType(
                {each.name: _prediction(each.before, i) for each in networks}
            ),
        )
        for i, kind in choose_examples(table, digits.labels, count).items()
    )


def _wrong(table: RuleTable, order: str, labels: Tensor) -> Tensor:
    return table.after(order, FILL).prediction != labels


def _prediction(predictions: Predictions, i: int) -> Prediction:
    return Prediction(int(predictions.prediction[i]), float(predictions.margin[i]))
