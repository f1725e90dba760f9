"""Faithfulness: what the three curves of a method say in a few numbers, with intervals."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor

from ..statistics.estimates import Estimate, bootstrap_means
from ..statistics.paired_test import PairedTest, paired_tests
from .curves import MethodCurves
from .measures import abpc, aopc, error_rate, margin_drop


@dataclass(frozen=True)
class Faithfulness:
    """Means over samples; `relprop.evaluate.measures` has the formulas."""

    morf: Estimate  # area under the curve, most relevant first
    lerf: Estimate  # the same, least relevant first
    random: Estimate  # the same, in random order
    srg: Estimate
    abpc: Estimate
    aopc: Estimate  # most relevant first
    against_random: PairedTest  # area under "random" minus that under "morf"
    error_rate: Estimate | None  # share, most relevant first; None without a q
    margin_drop: Estimate | None

    def __str__(self) -> str:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return "\n".join(f"{name:15} {v}" for name, v in values.items() if v is not None)


def faithfulness(
    curves: MethodCurves, *, q: float | None = None, labels: Tensor | None = None, seed: int = 0
) -> Faithfulness:
    """The numbers of a method's curves.

    q       a share removed, one of the steps, at which to count what is misread
    labels  (n,) true classes; None: what the model predicts of the untouched samples
    seed    of the bootstrap and the permutation test
    """
    return faithfulness_each({"": curves}, q=q, labels=labels, seed=seed)[""]


def faithfulness_each(
    methods: Mapping[str, MethodCurves],
    *,
    q: float | None = None,
    labels: Tensor | None = None,
    seed: int = 0,
) -> dict[str, Faithfulness]:
    """The same for several methods on the same samples, whose random numbers are drawn once."""
    measured = {name: _measured(curves, q, labels) for name, curves in methods.items()}
    columns = [values for one in measured.values() for values in one.values()]
    found = iter(bootstrap_means(columns, seed=seed))
    pairs = [(curves.random.auc, curves.morf.auc) for curves in methods.values()]
    tests = iter(paired_tests(pairs, seed=seed))
    without_q: dict[str, Any] = {"error_rate": None, "margin_drop": None}
    return {
        name: Faithfulness(
            **without_q | {measure: next(found) for measure in one}, against_random=next(tests)
        )
        for name, one in measured.items()
    }


def _measured(curves: MethodCurves, q: float | None, labels: Tensor | None) -> dict[str, Tensor]:
    """Each measure of each sample, (n,)."""
    morf, lerf, random = curves.morf, curves.lerf, curves.random
    found = {
        "morf": morf.auc,
        "lerf": lerf.auc,
        "random": random.auc,
        "srg": curves.srg,
        "abpc": abpc(morf, lerf),
        "aopc": aopc(morf),
    }
    if q is None:
        return found
    return {**found, "error_rate": error_rate(morf, q, labels), "margin_drop": margin_drop(morf, q)}
