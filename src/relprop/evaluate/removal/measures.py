"""Measures: one number for each sample, from its removal curves.

n  samples      s  steps; f(k) the score in column k of a curve, k = 0 ... s

Higher is better for aopc (of "morf"), abpc, srg, error_rate and margin_drop; lower for the area
under "morf".
"""

from torch import Tensor

from ...errors import InputError
from .removal_curve import RemovalCurve


def aopc(curve: RemovalCurve) -> Tensor:
    """Area over the perturbation curve, (n,): the mean of f(0) - f(k) over all columns k.

    Source: Samek et al. 2017.
    """
    return (curve.scores[:, :1] - curve.scores).mean(1)


def abpc(morf: RemovalCurve, lerf: RemovalCurve) -> Tensor:
    """Area between the perturbation curves, (n,): the mean of f_lerf(k) - f_morf(k) over k."""
    _check_pair(morf, lerf)
    return (lerf.scores - morf.scores).mean(1)


def srg(morf: RemovalCurve, lerf: RemovalCurve) -> Tensor:
    """Symmetric relevance gain, (n,): the area under "lerf" minus that under "morf".

    It is 0 in the mean for a random order, whatever the fill: what a fill does to a model is in
    both areas. Source: Bluecher et al. 2024.
    """
    _check_pair(morf, lerf)
    return lerf.auc - morf.auc


def error_rate(curve: RemovalCurve, q: float, labels: Tensor | None = None) -> Tensor:
    """1 for each sample that is misread without the share q of its units, else 0: (n,).

    labels  (n,) the true classes; None: what was predicted of the untouched sample
    """
    predicted, before = curve.at(q).prediction, curve.at(0).prediction
    return (predicted != (before if labels is None else labels.cpu())).double()


def margin_drop(curve: RemovalCurve, q: float) -> Tensor:
    """The margin of each sample minus that without the share q of its units, (n,)."""
    return curve.at(0).margin - curve.at(q).margin


def _check_pair(morf: RemovalCurve, lerf: RemovalCurve) -> None:
    alike = morf.scores.shape == lerf.scores.shape and morf.counts.equal(lerf.counts)
    settings = [(c.score, c.fill) for c in (morf, lerf)]
    if not alike or settings[0] != settings[1]:
        raise InputError(
            f"two curves that differ in more than their order: {settings}",
            "the same samples, steps, score and fill",
            "make both with relprop.evaluate.removal_curves",
        )
