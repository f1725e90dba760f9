"""Removal curves as HTML: the figure, the areas, and the mean of every step.

Takes curves. Gives a fragment that loads nothing from elsewhere.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from ...plot.charts import NumberTable, chart_fragment, draw_chart
from ...support.estimates import Estimate, bootstrap_means
from ...support.number_text import number_text
from .curve_figure import ORDER_LABELS, draw_curves

if TYPE_CHECKING:
    from .removal_curve import RemovalCurve


def curves_fragment(panels: "Mapping[str, Sequence[RemovalCurve]]") -> str:
    """Render curves of one method, or of several.

    Args:
        panels: Name of a method -> its curves; "" for a single one.
    """
    first = next(iter(panels.values()))[0]
    n = len(first.scores)
    intervals = "; 95 % bootstrap intervals" if n > 1 else ""
    summary = (
        f"Mean {first.score} of {n:,} sample{'' if n == 1 else 's'} while parts are removed and "
        f"replaced by the fill {first.fill}{intervals}."
    )
    chart = draw_chart(lambda: draw_curves(panels), curves_alt(panels))
    steps = [_steps(name, curves) for name, curves in panels.items()]
    return chart_fragment(summary, [chart], [_areas(panels), *steps])


def curves_alt(panels: "Mapping[str, Sequence[RemovalCurve]]") -> str:
    """Say what a figure of curves shows: from where to where the mean of each goes."""
    parts = []
    for name, curves in panels.items():
        means = [(ORDER_LABELS[c.order], c.scores.double().mean(0).tolist()) for c in curves]
        ends = ", ".join(
            f"{order} {number_text(m[0])} to {number_text(m[-1])}" for order, m in means
        )
        parts.append(f"{name}: {ends}" if name else ends)
    first = next(iter(panels.values()))[0]
    return f"Removal curves under fill {first.fill}, mean {first.score}. {'; '.join(parts)}"


def _areas(panels: "Mapping[str, Sequence[RemovalCurve]]") -> NumberTable:
    """List the mean area under each curve, and the gain where both orders are there."""
    orders = [curve.order for curve in next(iter(panels.values()))]
    head = ["method", *(f"area, {ORDER_LABELS[order]}" for order in orders)]
    has_gain = {"morf", "lerf"} <= set(orders)
    head += ["symmetric relevance gain"] if has_gain else []
    rows = []
    for name, curves in panels.items():
        areas = {curve.order: curve.auc.double() for curve in curves}
        gain = [areas["lerf"] - areas["morf"]] if has_gain else []
        rows.append([name or "relevance", *_texts([*areas.values(), *gain])])
    return NumberTable("Areas under the curves", head, rows)


def _steps(name: str, curves: "Sequence[RemovalCurve]") -> NumberTable:
    """List the mean of each curve at each step."""
    shares = (100 * curves[0].shares.double().mean(0)).tolist()
    columns = [_texts(list(curve.scores.double().unbind(1))) for curve in curves]
    rows = [[f"{share:.3g}", *cells] for share, *cells in zip(shares, *columns, strict=True)]
    title = f"Every step of {name}" if name else "Every step"
    head = ["removed (%)", *(ORDER_LABELS[curve.order] for curve in curves)]
    return NumberTable(title, head, rows, folded=True)


def _texts(values: Sequence[Tensor]) -> list[str]:
    return [_text(estimate) for estimate in bootstrap_means(values)]


def _text(estimate: Estimate) -> str:
    end = estimate.interval
    return f"{estimate.mean:.3f}" + (f" ({end.low:.3f} to {end.high:.3f})" if end else "")
