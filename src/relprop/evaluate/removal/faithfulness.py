"""Faithfulness: the three curves of a method in a few numbers, with confidence intervals.

Takes curves. Gives frozen records. Must not know how the curves were computed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from torch import Tensor

from ...errors import InputError
from ...support.estimates import Estimate, bootstrap_means
from ..statistics.paired_test import PairedTest, paired_tests
from .measures import abpc, aopc, error_rate, margin_drop
from .method_curves import MethodCurves

MEASURES_AT_Q = ("error_rate", "margin_drop")


@dataclass(frozen=True)
class Faithfulness:
    """Means over samples, with bootstrap intervals; the functions of these names have the formulas.

    Attributes:
        morf: Area under the curve, most relevant first; lower is better.
        lerf: Area under the curve, least relevant first; higher is better.
        random: Area under the curve in random order.
        srg: Symmetric relevance gain: `lerf` minus `morf`.
        abpc: Area between the perturbation curves.
        aopc: Area over the perturbation curve, most relevant first.
        against_random: Area in random order minus that of `morf`, with a paired test.
        error_rate: Share of samples classified wrongly once the share q is removed, most relevant
            first; None without a q.
        margin_drop: Fall of the margin there; None without a q.
    """

    morf: Estimate
    lerf: Estimate
    random: Estimate
    srg: Estimate
    abpc: Estimate
    aopc: Estimate
    against_random: PairedTest
    error_rate: Estimate | None
    margin_drop: Estimate | None

    def __str__(self) -> str:
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return "\n".join(f"{name:15} {v}" for name, v in values.items() if v is not None)


def faithfulness(
    curves: MethodCurves, *, q: float | None = None, labels: Tensor | None = None, seed: int = 0
) -> Faithfulness:
    """Summarise the curves of a method: areas, gains and a test against random order.

    Args:
        curves: The three curves of a method, from `removal_curves`.
        q: Share removed at which to measure error rate and margin, one of the steps; None: neither.
        labels: True classes, (n,); None: the classes that were predicted of the original samples.
        seed: Random seed of the bootstrap and the permutation test.

    Returns:
        Means over samples, with 95 % intervals.

    Raises:
        InputError: No step removes the share q, or the model has no classes.

    Example:
        >>> import torch
        >>> from relprop.evaluate import removal_curves
        >>> x = torch.tensor([[3.0, 1.0], [4.0, 2.0]])
        >>> total = lambda x: x.sum(1)
        >>> curves = removal_curves(total, x, {"x": x}, score=lambda output: output, steps=2)
        >>> print(faithfulness(curves["x"]).srg)
        1.0000 [1.0000, 1.0000]
    """
    return faithfulness_by_method({"": curves}, q=q, labels=labels, seed=seed)[""]


def faithfulness_by_method(
    methods: Mapping[str, MethodCurves],
    *,
    q: float | None = None,
    labels: Tensor | None = None,
    seed: int = 0,
) -> dict[str, Faithfulness]:
    """Summarise the curves of several methods on the same samples.

    The numbers are those of `faithfulness` for each method; random numbers are drawn only once.

    Args:
        methods: Name of a method -> its curves, as `removal_curves` returns them.
        q: Share removed at which to measure error rate and margin, one of the steps; None: neither.
        labels: True classes, (n,); None: the classes that were predicted of the original samples.
        seed: Random seed of the bootstrap and the permutation test.

    Returns:
        Name of a method -> its summary.

    Raises:
        InputError: No step removes the share q, or the model has no classes.

    Example:
        >>> import torch
        >>> from relprop.evaluate import removal_curves
        >>> x = torch.tensor([[3.0, 1.0], [4.0, 2.0]])
        >>> total = lambda x: x.sum(1)
        >>> methods = {"x": x, "minus x": -x}
        >>> curves = removal_curves(total, x, methods, score=lambda output: output, steps=2)
        >>> for name, summary in faithfulness_by_method(curves).items():
        ...     print(name, summary.srg.mean)
        x 1.0
        minus x -1.0
    """
    if not isinstance(methods, Mapping):
        given = f"curves of type {type(methods).__name__}"
        todo = "write faithfulness_by_method({'lrp': curves}), or faithfulness(curves)"
        raise InputError(given, "what removal_curves returns: a mapping from names", todo)
    measured = {name: _measure(curves, q, labels) for name, curves in methods.items()}
    columns = [values for measures in measured.values() for values in measures.values()]
    means = iter(bootstrap_means(columns, seed=seed))
    pairs = [(curves.random.auc, curves.morf.auc) for curves in methods.values()]
    tests = iter(paired_tests(pairs, seed=seed))
    without_q: dict[str, Any] = dict.fromkeys(MEASURES_AT_Q)
    return {
        name: Faithfulness(
            **without_q | {measure: next(means) for measure in measures},
            against_random=next(tests),
        )
        for name, measures in measured.items()
    }


def _measure(curves: MethodCurves, q: float | None, labels: Tensor | None) -> dict[str, Tensor]:
    """Return each measure of each sample, (n,), by name."""
    if not isinstance(curves, MethodCurves):
        given = f"curves of type {type(curves).__name__}"
        todo = 'of what removal_curves returns, write faithfulness(curves["lrp"])'
        raise InputError(given, "the three curves of a method", todo)
    morf, lerf, random = curves.morf, curves.lerf, curves.random
    areas = {
        "morf": morf.auc,
        "lerf": lerf.auc,
        "random": random.auc,
        "srg": curves.srg,
        "abpc": abpc(morf, lerf),
        "aopc": aopc(morf),
    }
    if q is None:
        return areas
    return {**areas, "error_rate": error_rate(morf, q, labels), "margin_drop": margin_drop(morf, q)}
