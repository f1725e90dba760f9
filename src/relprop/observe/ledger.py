"""The ledger: where all relevance of an explanation went, by operation and by sample.

Conservation is bookkeeping: what a step takes is what it gives and what it absorbs. What is
absorbed is computed by a formula for each cause, never as what is missing.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..capture.batch_axes import BatchAxis
from ..errors import InputError
from ..plan.plan import Plan, Step
from ..rules.backward import CAUSES, Absorbs, Cause, Form, relevance
from ..support.extras import needs

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class LedgerEntry:
    """What one operation did with relevance; tensors (batch,) in float64.

    module, operation, rule   as in the plan
    taken, given              what arrived at its result, what it gave to its inputs
    absorbed                  cause -> what it did not give on
    """

    module: str
    operation: str
    rule: str
    relevance_in: Tensor
    relevance_out: Tensor
    absorbed: Mapping[Cause, Tensor]

    @property
    def error(self) -> Tensor:
        """What is not accounted for (batch,)."""
        return (
            self.relevance_in
            - self.relevance_out
            - sum(self.absorbed.values(), torch.zeros_like(self.relevance_in))
        )


@dataclass(frozen=True, eq=False)
class Ledger:
    """Where the relevance of an explanation went. Print it to read it.

    seed     what was given to the output (batch,)
    reached  what reached the explained input (batch,)
    entries  one for each operation that relevance passed, from the output to the input
    """

    relevance_in: Tensor
    relevance_out: Tensor
    entries: tuple[LedgerEntry, ...]

    @property
    def absorbed(self) -> dict[Cause, Tensor]:
        """Cause -> all that was absorbed by it (batch,)."""
        nothing = torch.zeros_like(self.relevance_in)
        return {c: sum((e.absorbed.get(c, nothing) for e in self.entries), nothing) for c in CAUSES}

    @property
    def imbalance(self) -> Tensor:
        """Seed - reached - absorbed, as a fraction of the seed (batch,); 0 where it is nothing."""
        missing = self.relevance_in - self.relevance_out - sum(self.absorbed.values())
        return torch.where(missing == 0, missing, missing / self.relevance_in).abs()

    @property
    def error(self) -> float:
        """The largest imbalance of a sample, as a fraction of its seed."""
        return float(self.imbalance.max())

    def plot(self) -> "Figure":
        """A bar for each operation, from the output to the input: what it gave and absorbed.

        Mean of the samples, as shares of the seed. Raises MissingExtraError without matplotlib.
        """
        with needs("demo", "the plot of a ledger"):
            from .ledger_plot import Bar, bars

        scale = self.relevance_in.abs().mean()
        rows = [
            Bar(
                f"{entry.module} {entry.operation}".strip(),
                float(entry.relevance_out.mean() / scale),
                {c: float(v.mean() / scale) for c, v in entry.absorbed.items()},
            )
            for entry in self.entries
        ]
        return bars(rows, float(self.relevance_in.mean() / scale), CAUSES)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(str(self))}</pre>"

    def __str__(self) -> str:
        head = ("module", "operation", "rule", "taken", "given", *CAUSES, "error")
        rows = [head, *(_row(entry) for entry in self.entries), _total(self)]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = [
            "  ".join(c.ljust(w) if i < 3 else c.rjust(w) for i, (c, w) in enumerate(cells))
            for cells in (list(zip(row, widths, strict=True)) for row in rows)
        ]
        title = (
            f"ledger, mean of {len(self.relevance_in)} samples; largest imbalance {self.error:.1e}"
        )
        return "\n".join([f"{title} of the seed", *(line.rstrip() for line in lines)])


def _row(entry: LedgerEntry) -> tuple[str, ...]:
    absorbed = [_mean(entry.absorbed.get(cause)) for cause in CAUSES]
    numbers = (
        _mean(entry.relevance_in),
        _mean(entry.relevance_out),
        *absorbed,
        _mean(entry.error, brief=True),
    )
    return entry.module, entry.operation, entry.rule, *numbers


def _total(ledger: Ledger) -> tuple[str, ...]:
    absorbed = [_mean(value) for value in ledger.absorbed.values()]
    missing = ledger.relevance_in - ledger.relevance_out - sum(ledger.absorbed.values())
    return (
        *("", "all", "", _mean(ledger.relevance_in), _mean(ledger.relevance_out)),
        *(*absorbed, _mean(missing, brief=True)),
    )


def _mean(value: Tensor | None, brief: bool = False) -> str:
    if value is None:
        return ""
    mean = float(value.mean())
    return f"{mean:.0e}" if brief else f"{mean:.4g}"


class LedgerObserver:
    """A watcher that writes the ledger while relevance goes back. Needs the value of every step."""

    def __init__(
        self, plan: Plan, layouts: Mapping[str, BatchAxis], values: Mapping[str, Any]
    ) -> None:
        self.plan = plan
        self.layouts = layouts
        self.values = dict(values)
        self.entries: list[LedgerEntry] = []

    def arrived(self, name: str, v: Tensor, form: Form, value: Tensor) -> Tensor:
        """Nothing to write down: `passed` does."""
        return v

    def passed(self, step: Step, absorbed: Absorbs, v: Tensor, parts: Sequence[Tensor]) -> None:
        """Write down what the step took, gave and absorbed."""
        batch = self._batch
        assert step.arriving is not None
        assert step.leaving is not None
        given = torch.zeros(batch, dtype=torch.float64, device=v.device)
        for name, part in zip(step.routes, parts, strict=True):
            given = given + self._sum(name, part, step.leaving)
        amounts = {
            cause: self._absorbed(step.name, amount)
            for cause, amount in absorbed(v).items()
            if isinstance(amount, Tensor)
        }
        rule = str(step.rule) if step.rule else "-"
        taken = self._sum(step.name, v, step.arriving)
        self.entries.append(LedgerEntry(step.node.module, step.label, rule, taken, given, amounts))

    @property
    def _batch(self) -> int:
        return len(self.values[self.plan.graph.output])

    def _sum(self, name: str, v: Tensor, form: Form) -> Tensor:
        value = self.values[name]
        if value.is_complex():
            raise InputError(
                f"a ledger of relevance that passes complex numbers: {name}",
                "real numbers alone",
                "leave out ledger=True, or hold this operation constant",
            )
        return self.layouts[name].sum_per_sample(
            relevance(v.double(), form, value.double()), self._batch
        )

    def _absorbed(self, name: str, amount: Tensor) -> Tensor:
        full = amount.double().expand_as(self.values[name])
        return self.layouts[name].sum_per_sample(full, self._batch)

    def ledger(self, c: Tensor, found: Mapping[str, Tensor]) -> Ledger:
        """The whole, for the seed c per unit of output and what reached each source."""
        output = self.plan.graph.output
        reached = [
            self.layouts[n].sum_per_sample(r.double(), self._batch) for n, r in found.items()
        ]
        seed = self._sum(output, c, Form.GRADIENT)
        return Ledger(seed, torch.stack(reached).sum(0), tuple(self.entries))


def concatenate_ledgers(ledgers: Sequence[Ledger]) -> Ledger:
    """The ledgers of several samples as one."""
    entries = [
        replace(
            rows[0],
            relevance_in=torch.cat([row.relevance_in for row in rows]),
            relevance_out=torch.cat([row.relevance_out for row in rows]),
            absorbed={c: torch.cat([row.absorbed[c] for row in rows]) for c in rows[0].absorbed},
        )
        for rows in zip(*(ledger.entries for ledger in ledgers), strict=True)
    ]
    return Ledger(
        torch.cat([ledger.relevance_in for ledger in ledgers]),
        torch.cat([ledger.relevance_out for ledger in ledgers]),
        tuple(entries),
    )
