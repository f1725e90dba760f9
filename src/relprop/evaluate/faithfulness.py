"""Faithfulness: what the three curves of a method say in a few numbers, with intervals."""

from dataclasses import dataclass, fields

from torch import Tensor

from .curves import MethodCurves
from .estimates import Estimate, Paired, estimate, paired
from .measures import abpc, aopc, margin_drop, misread


@dataclass(frozen=True)
class Faithfulness:
    """Means over samples; `relprop.evaluate.measures` has the formulas."""

    morf: Estimate  # area under the curve, most relevant first
    lerf: Estimate  # the same, least relevant first
    random: Estimate  # the same, in random order
    srg: Estimate
    abpc: Estimate
    aopc: Estimate  # most relevant first
    against_random: Paired  # area under "random" minus that under "morf"
    misread: Estimate | None  # share, most relevant first; None without a q
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
    morf, lerf, random = curves.morf, curves.lerf, curves.random
    return Faithfulness(
        morf=estimate(morf.auc, seed=seed),
        lerf=estimate(lerf.auc, seed=seed),
        random=estimate(random.auc, seed=seed),
        srg=estimate(curves.srg, seed=seed),
        abpc=estimate(abpc(morf, lerf), seed=seed),
        aopc=estimate(aopc(morf), seed=seed),
        against_random=paired(random.auc, morf.auc, seed=seed),
        misread=None if q is None else estimate(misread(morf, q, labels), seed=seed),
        margin_drop=None if q is None else estimate(margin_drop(morf, q), seed=seed),
    )
