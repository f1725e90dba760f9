"""A ledger as text, as rows of a file, as a figure and as HTML.

Takes ledgers. Gives text and figures. Loaded on use.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..plot.charts import NumberTable, chart_fragment, draw_chart
from ..rules.backward import CAUSES, Cause
from ..support.extras import needs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .ledger import Ledger, LedgerEntry

_TEXTS = 3  # columns of texts, before the numbers


def ledger_text(ledger: "Ledger") -> str:
    """Write means over the batch as a table."""
    rows = table_rows(ledger)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(c.ljust(w) if i < _TEXTS else c.rjust(w) for i, (c, w) in enumerate(cells))
        for cells in (list(zip(row, widths, strict=True)) for row in rows)
    ]
    return "\n".join([f"ledger: {_summary(ledger)}", *(line.rstrip() for line in lines)])


def ledger_fragment(ledger: "Ledger") -> str:
    """Render the figure and the table as HTML."""
    head, *rows = table_rows(ledger)
    absorbed = ", ".join(
        f"{cause} {_mean(ledger.absorbed[cause])}" for cause in shown_causes(ledger)
    )
    alt = (
        f"Relevance by operation, from the output to the input: {_mean(ledger.relevance_in)} came "
        f"in, {_mean(ledger.relevance_out)} reached the input; absorbed: {absorbed}"
    )
    chart = draw_chart(lambda: ledger_figure(ledger), alt)
    table = NumberTable("Every operation", head, rows, texts=_TEXTS)
    return chart_fragment(f"Conservation: {_summary(ledger)}.", [chart], [table])


def ledger_figure(ledger: "Ledger") -> "Figure":
    """Draw a bar for each operation; see `Ledger.plot`."""
    with needs("plot", "the plot of a ledger"):
        from .ledger_plot import Bar, draw_bars

    scale = ledger.size.mean()
    bars = [
        Bar(
            f"{entry.module} {entry.operation}".strip(),
            float(entry.relevance_out.mean() / scale),
            {cause: float(value.mean() / scale) for cause, value in entry.absorbed.items()},
        )
        for entry in ledger.entries
    ]
    return draw_bars(bars, float(ledger.relevance_in.mean() / scale), shown_causes(ledger))


def csv_rows(ledger: "Ledger") -> Iterator[Sequence[Any]]:
    """Yield the names of the columns, then a row for each sample and operation."""
    yield ("sample", "module", "operation", "rule", "in", "out", *CAUSES, "error")
    columns = [_numbers(entry) for entry in ledger.entries]
    for sample in range(len(ledger.relevance_in)):
        for entry, numbers in zip(ledger.entries, columns, strict=True):
            values = (None if one is None else one[sample] for one in numbers)
            yield (sample, entry.module, entry.operation, entry.rule, *values)


def shown_causes(ledger: "Ledger") -> list[Cause]:
    """List the causes to show; conditions only where there are any."""
    given = any("conditions" in entry.absorbed for entry in ledger.entries)
    return [cause for cause in CAUSES if given or cause != "conditions"]


def table_rows(ledger: "Ledger") -> list[tuple[str, ...]]:
    """List the heads of the columns, the means of every operation, and those of all together."""
    causes = shown_causes(ledger)
    head = ("module", "operation", "rule", "in", "out", *causes, "error")
    return [head, *(_columns(entry, causes) for entry in ledger.entries), _total(ledger, causes)]


def _summary(ledger: "Ledger") -> str:
    batch = len(ledger.relevance_in)
    samples = f"mean of {batch} sample{'' if batch == 1 else 's'}"
    return f"{samples}, largest imbalance {ledger.error:.1e} of the initial relevance"


def _numbers(entry: "LedgerEntry") -> list[list[float] | None]:
    """List the numbers of an operation by column, each by sample; None where there are none."""
    absorbed = (entry.absorbed.get(cause) for cause in CAUSES)
    columns = (entry.relevance_in, entry.relevance_out, *absorbed, entry.error)
    return [None if one is None else one.tolist() for one in columns]


def _columns(entry: "LedgerEntry", causes: Sequence[Cause]) -> tuple[str, ...]:
    absorbed = [entry.absorbed.get(cause) for cause in causes]
    means = [_mean(value) for value in (entry.relevance_in, entry.relevance_out, *absorbed)]
    return entry.module, entry.operation, entry.rule, *means, _mean(entry.error, "{:.0e}")


def _total(ledger: "Ledger", causes: Sequence[Cause]) -> tuple[str, ...]:
    absorbed = (ledger.absorbed[cause] for cause in causes)
    totals = (ledger.relevance_in, ledger.relevance_out, *absorbed)
    return "", "all", "", *(_mean(value) for value in totals), _mean(ledger.missing, "{:.0e}")


def _mean(value: Tensor | None, form: str = "{:.4g}") -> str:
    return "" if value is None else form.format(float(value.mean()))
