"""Measures of faithfulness: one number per sample, from its removal curves.

Takes curves. Must not know how they were computed.

n  samples      s  steps      f(k)  the score in column k of a curve, k = 0 ... s

Higher is better for aopc (of "morf"), abpc, srg, error_rate and margin_drop; lower is better for
the area under "morf".
"""

from torch import Tensor

from ...errors import InputError
from .removal_curve import RemovalCurve


def aopc(curve: RemovalCurve) -> Tensor:
    """Compute the area over the perturbation curve: the mean of f(0) - f(k) over all columns k.

    Args:
        curve: Usually of the order "morf".

    Returns:
        One value per sample, (n,), in units of the score.

    Example:
        >>> import torch
        >>> from relprop.evaluate import removal_curve
        >>> x = torch.tensor([[3.0, 1.0]])
        >>> total = lambda x: x.sum(1)
        >>> curve = removal_curve(total, x, x, score=lambda output: output, steps=2)
        >>> round(aopc(curve).item(), 4)  # scores 4, 1, 0: (0 + 3 + 4) / 3
        2.3333

    Source: Samek et al. 2017, "Evaluating the visualization of what a deep neural network has
    learned".
    """
    _check_curve(curve)
    return (curve.scores[:, :1] - curve.scores).mean(1)


def abpc(morf: RemovalCurve, lerf: RemovalCurve) -> Tensor:
    """Compute the area between the perturbation curves: the mean of f_lerf(k) - f_morf(k).

    Args:
        morf: Curve with the most relevant units removed first.
        lerf: Curve of the same samples with the least relevant units removed first.

    Returns:
        One value per sample, (n,), in units of the score.

    Raises:
        InputError: The curves differ in samples, steps, score or fill.

    Example:
        >>> import torch
        >>> from relprop.evaluate import removal_curves
        >>> x = torch.tensor([[3.0, 1.0]])
        >>> total = lambda x: x.sum(1)
        >>> curves = removal_curves(total, x, {"x": x}, score=lambda output: output, steps=2)
        >>> round(abpc(curves["x"].morf, curves["x"].lerf).item(), 4)  # (0 + 2 + 0) / 3
        0.6667
    """
    _check_pair(morf, lerf)
    return (lerf.scores - morf.scores).mean(1)


def srg(morf: RemovalCurve, lerf: RemovalCurve) -> Tensor:
    """Compute the symmetric relevance gain: the area under "lerf" minus the area under "morf".

    Its mean is 0 for a random order, whatever the fill: what a fill does to a model is in both
    areas.

    Args:
        morf: Curve with the most relevant units removed first.
        lerf: Curve of the same samples with the least relevant units removed first.

    Returns:
        One value per sample, (n,), in units of the score.

    Raises:
        InputError: The curves differ in samples, steps, score or fill.

    Example:
        >>> import torch
        >>> from relprop.evaluate import removal_curves
        >>> x = torch.tensor([[3.0, 1.0]])
        >>> total = lambda x: x.sum(1)
        >>> curves = removal_curves(total, x, {"x": x}, score=lambda output: output, steps=2)
        >>> srg(curves["x"].morf, curves["x"].lerf).tolist()  # 2.5 - 1.5
        [1.0]

    Source: Bluecher et al. 2024, "Decoupling pixel flipping and occlusion strategy for consistent
    XAI benchmarks".
    """
    _check_pair(morf, lerf)
    return lerf.auc - morf.auc


def error_rate(curve: RemovalCurve, q: float, labels: Tensor | None = None) -> Tensor:
    """Return 1 for each sample that is classified wrongly without the share q of its units, else 0.

    The mean over samples is the error rate.

    Args:
        curve: A curve of a model with an output (n, classes).
        q: Share removed, which must be one of the steps.
        labels: True classes, (n,); None: the classes that were predicted of the original samples.

    Returns:
        0 or 1 per sample, (n,) float64.

    Raises:
        InputError: No step removes this share, or the model has no classes.

    Example:
        >>> import torch
        >>> from relprop.evaluate import removal_curve
        >>> x = torch.tensor([[3.0, 1.0], [1.0, 0.0]])
        >>> model = lambda x: torch.stack([x.sum(1), 2 - x.sum(1)], 1)
        >>> error_rate(removal_curve(model, x, x, steps=(0.5, 1.0)), 0.5).tolist()
        [0.0, 1.0]
    """
    _check_curve(curve)
    predicted, before = curve.at(q).prediction, curve.at(0).prediction
    return (predicted != (before if labels is None else labels.cpu())).double()


def margin_drop(curve: RemovalCurve, q: float) -> Tensor:
    """Return how much each sample's margin falls when the share q of its units is removed.

    Args:
        curve: A curve of a model with an output (n, classes).
        q: Share removed, which must be one of the steps.

    Returns:
        The margin of each original sample minus that without its units, (n,), in [-1, 1].

    Raises:
        InputError: No step removes this share, or the model has no classes.

    Example:
        >>> import torch
        >>> from relprop.evaluate import removal_curve
        >>> x = torch.tensor([[3.0, 1.0]])
        >>> model = lambda x: torch.stack([x.sum(1), torch.zeros(len(x))], 1)
        >>> curve = removal_curve(model, x, x, steps=(0.5, 1.0))
        >>> round(margin_drop(curve, 0.5).item(), 4)  # e**-1 - e**-4
        0.3496
    """
    _check_curve(curve)
    return curve.at(0).margin - curve.at(q).margin


def _check_curve(curve: RemovalCurve) -> None:
    if not isinstance(curve, RemovalCurve):
        given = f"a curve of type {type(curve).__name__}"
        todo = "write curves.morf, one of the curves of a method"
        raise InputError(given, "what removal_curve returns", todo)


def _check_pair(morf: RemovalCurve, lerf: RemovalCurve) -> None:
    _check_curve(morf)
    _check_curve(lerf)
    alike = morf.scores.shape == lerf.scores.shape and morf.counts.equal(lerf.counts)
    settings = [(c.score, c.fill) for c in (morf, lerf)]
    if not alike or settings[0] != settings[1]:
        raise InputError(
            f"two curves that differ in more than their order: {settings}",
            "the same samples, steps, score and fill",
            "make both with relprop.evaluate.removal_curves",
        )
