"""What the numbers say: where relevance beats an order that knows no network, and where not.

Takes error rates and paired tests. Gives sentences, made of the numbers of this run alone. Must not
know HTML or terminals.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from ..evaluate import PairedTest
from . import formatting
from .networks import CURVE_ORDERS, NetworkResult
from .removal import BRIGHTEST, CONTROL_ORDERS, DEMO_FILLS, INK
from .rule_table import MAIN_RECIPE, RuleTable

ALPHA = 0.05  # shared by all tests of a network, or of a table (Bonferroni)

Outcome = Literal["more", "fewer", "same"]

_OUTCOMES: Mapping[Outcome, str] = MappingProxyType(
    {"more": "more errors", "fewer": "fewer errors", "same": "no clear difference"}
)
_CONTROLS: Mapping[str, str] = MappingProxyType(
    {BRIGHTEST: "the brightest pixels", INK: "random ink"}
)


@dataclass(frozen=True)
class Verdicts:
    """Sentences about a network, explained by the main recipe.

    Attributes:
        holds: What comes out alike under all fills.
        depends: What the tests tell under one fill and not under another.
    """

    holds: tuple[str, ...]
    depends: tuple[str, ...]


def outcome(test: PairedTest, tests: int) -> Outcome:
    """Tell if relevance makes more or fewer errors than a control, by one of so many tests."""
    if test.p_value >= ALPHA / tests:
        return "same"
    return "more" if test.difference.mean > 0 else "fewer"


def network_verdicts(network: NetworkResult) -> Verdicts:
    """Say where removal by relevance beats removal without a network, share by share."""
    holds, depends = [], []
    for control in CONTROL_ORDERS:
        by_share = _outcomes(network, control)
        for each in get_args(Outcome):
            shares = [share for share, found in by_share.items() if set(found) == {each}]
            if shares:
                holds.append(_alike(each, control, shares))
        depends += [
            _unlike(network, control, share, found)
            for share, found in by_share.items()
            if len(set(found)) > 1
        ]
    return Verdicts(tuple(holds), tuple(depends))


def headline(network: NetworkResult, q: float) -> str:
    """Say how many digits are classified wrongly after the share q is removed in each order."""
    rates = [
        [formatting.rate(network.at(order, fill, q).error_rate) for order in CURVE_ORDERS]
        for fill in DEMO_FILLS
    ]
    first, second = (formatting.FILL_NAMES[fill] for fill in DEMO_FILLS)
    relevant, brightest, ink = rates[0]
    return (
        f"If removed pixels turn {first}, {relevant} of the digits are classified wrongly without "
        f"the {100 * q:g}% of pixels most relevant by {MAIN_RECIPE}, {brightest} without as many "
        f"of the brightest, and {ink} without random ink. If they turn {second}: "
        f"{formatting.listing(rates[1])}."
    )


def rule_sentences(table: RuleTable) -> tuple[str, ...]:
    """Say under each fill which rules make more errors than brightest first, which fewer."""
    tests = len(table.rows) * len(DEMO_FILLS)
    sentences = []
    for fill in DEMO_FILLS:
        found = {row.recipe: outcome(row.against_brightest[fill], tests) for row in table.rows}
        parts = []
        for each in get_args(Outcome):
            names = [name for name, result in found.items() if result == each]
            if names:
                which = "every rule" if len(names) == len(found) else formatting.listing(names)
                parts.append(f"{_OUTCOMES[each]} for {which}")
        sentences.append(f"Fill {fill}, compared with brightest first: {'; '.join(parts)}.")
    return tuple(sentences)


def _outcomes(network: NetworkResult, control: str) -> dict[float, tuple[Outcome, ...]]:
    """Return the outcome under each fill, by share removed."""
    shares = network.shares[1:]
    tests = len(CONTROL_ORDERS) * len(DEMO_FILLS) * len(shares)
    return {
        share: tuple(outcome(network.tests[fill][control][i], tests) for fill in DEMO_FILLS)
        for i, share in enumerate(shares)
    }


def _alike(found: Outcome, control: str, shares: list[float]) -> str:
    where = formatting.listing([f"{100 * share:g}%" for share in shares])
    than = "from" if found == "same" else "than by"
    return f"{where} removed: {_OUTCOMES[found]} {than} removing {_CONTROLS[control]}."


def _unlike(network: NetworkResult, control: str, share: float, found: tuple[Outcome, ...]) -> str:
    parts = []
    for fill, result in zip(DEMO_FILLS, found, strict=True):
        rates = [
            formatting.rate(network.at(order, fill, share).error_rate)
            for order in (MAIN_RECIPE, control)
        ]
        parts.append(f"{_OUTCOMES[result]} under {fill} ({rates[0]} against {rates[1]})")
    return f"{100 * share:g}% removed, against {_CONTROLS[control]}: {', '.join(parts)}."
