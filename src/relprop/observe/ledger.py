"""The ledger: where the relevance of an explanation goes, by operation and by sample.

Conservation is bookkeeping: relevance into a step is relevance out of it plus what it absorbs. What
is absorbed is computed by a formula for each cause, never as the difference that remains.
Takes what an observer sees. Gives records in float64. Must not know rules.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..capture.batch_axes import BatchAxis
from ..errors import InputError
from ..plan.plan import Plan, Step
from ..program.observer import Observer
from ..rules.backward import CAUSES, Absorbs, Cause, Form, relevance
from ..support.files import write_csv

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class LedgerEntry:
    """Account for the relevance at one operation. Tensors are (batch,) in float64.

    Attributes:
        module: Dotted name of the module, as in the plan.
        operation: The operation, as in the plan.
        rule: The rule, as in the plan.
        relevance_in: Relevance that arrived at its result.
        relevance_out: Relevance that it passed to its inputs.
        absorbed: Cause -> relevance that it did not pass on.
    """

    module: str
    operation: str
    rule: str
    relevance_in: Tensor
    relevance_out: Tensor
    absorbed: Mapping[Cause, Tensor]

    @property
    def error(self) -> Tensor:
        """Relevance that is not accounted for, (batch,): in - out - absorbed."""
        return _remainder(self.relevance_in, self.relevance_out, self.absorbed)


@dataclass(frozen=True, eq=False)
class Ledger:
    """Account for all relevance of an explanation. Print it to read it. Tensors are in float64.

    Attributes:
        relevance_in: Initial relevance at the output, or at its logits, (batch,).
        relevance_out: Relevance that reached the explained inputs, (batch,).
        size: What `imbalance` is a fraction of, (batch,): |relevance_in|; where it is 0 but for
            rounding, since parts of the score cancel, the sum of |relevance| at the inputs.
        entries: One for each operation that relevance passed, from the output to the input.

    Example:
        >>> import torch, relprop
        >>> model = torch.nn.Sequential(torch.nn.Linear(2, 2))
        >>> model[0].weight.data = torch.tensor([[2.0, -1.0], [0.0, 1.0]])
        >>> model[0].bias.data = torch.tensor([1.0, 0.0])
        >>> explainer = relprop.Explainer(model.eval(), "zero")
        >>> ledger = explainer(torch.tensor([[3.0, 1.0]]), target=0, ledger=True).ledger
        >>> float(ledger.relevance_in), float(ledger.relevance_out)
        (6.0, 5.0)
        >>> float(ledger.absorbed["bias"])
        1.0
        >>> print(ledger)
        ledger: mean of 1 sample, largest imbalance 0.0e+00 of the initial relevance
        module  operation  rule  in  out  bias  stabiliser  ...  error
        0       linear     zero   6    5     1...               0e+00
                all               6    5     1           0  ...  0e+00
    """

    relevance_in: Tensor
    relevance_out: Tensor
    size: Tensor
    entries: tuple[LedgerEntry, ...]

    @property
    def absorbed(self) -> dict[Cause, Tensor]:
        """Cause -> all relevance that it absorbed, (batch,)."""
        zero = torch.zeros_like(self.relevance_in)
        return {c: sum((e.absorbed.get(c, zero) for e in self.entries), zero) for c in CAUSES}

    @property
    def missing(self) -> Tensor:
        """Relevance that is not accounted for, (batch,): in - out - absorbed."""
        return _remainder(self.relevance_in, self.relevance_out, self.absorbed)

    @property
    def imbalance(self) -> Tensor:
        """What is not accounted for, (batch,), as a fraction of the initial relevance.

        NaN for a sample of which one operation is not accounted for in finite numbers: what comes
        in at the output and goes out at the input would not show it.
        """
        missing = self.missing
        for entry in self.entries:
            missing = missing.where(entry.error.isfinite(), torch.nan)
        return torch.where(missing == 0, missing, missing / self.size).abs()

    @property
    def error(self) -> float:
        """The largest imbalance of a sample; NaN if one is."""
        return float(self.imbalance.max())  # of which torch returns NaN

    def plot(self) -> "Figure":
        """Draw a bar for each operation, from the output to the input.

        A bar shows what the operation passed on and what it absorbed, by cause: means over the
        batch, as shares of the initial relevance.

        Raises:
            MissingExtraError: matplotlib, of the extra "plot", is not installed.
        """
        from .ledger_table import ledger_figure  # loaded on use

        return ledger_figure(self)

    def to_csv(self, path: str | Path) -> None:
        """Write a row for each sample and operation: relevance in, out, by cause, and the error.

        Args:
            path: The file. A cause that an operation does not have is empty.

        Raises:
            FileError: It cannot be written.
            InputError: Its name is that of another format.
        """
        from .ledger_table import csv_rows

        write_csv(path, csv_rows(self), "ledger.to_csv")

    def to_html(self, path: str | Path) -> None:
        """Write a page with the figure and the table: one file that loads nothing from elsewhere.

        Args:
            path: The file.

        Raises:
            FileError: It cannot be written.
            InputError: Its name is that of another format.
            MissingExtraError: matplotlib, of the extra "plot", is not installed.
        """
        from ..plot.pages import write_page
        from .ledger_table import ledger_fragment

        write_page(path, "Ledger", lambda: ledger_fragment(self), "ledger.to_html")

    def _repr_html_(self) -> str:
        from ..plot.pages import notebook_fragment
        from .ledger_table import ledger_fragment

        return notebook_fragment(lambda: ledger_fragment(self), str(self))

    def __str__(self) -> str:
        from .ledger_table import ledger_text

        return ledger_text(self)


def _remainder(
    relevance_in: Tensor, relevance_out: Tensor, absorbed: Mapping[Cause, Tensor]
) -> Tensor:
    return relevance_in - relevance_out - sum(absorbed.values(), torch.zeros_like(relevance_in))


class LedgerObserver(Observer):
    """Write the ledger during the backward pass.

    Attributes:
        plan: The plan of the program that runs.
        batch_axes: Value name -> where the value holds its samples.
        values: Value name -> value, for all values of the forward pass.
    """

    def __init__(
        self, plan: Plan, batch_axes: Mapping[str, BatchAxis], values: Mapping[str, Any]
    ) -> None:
        self.plan = plan
        self.batch_axes = batch_axes
        self.values = dict(values)
        self._entries: dict[tuple[str, str], LedgerEntry] = {}
        self._steps = {step.name: step for step in plan.steps}

    def masked(self, name: str, before: Tensor, after: Tensor, form: Form) -> None:
        """Write what a condition on a value lets pass, and what not."""
        relevance_in, relevance_out, left_out = (
            self._relevance(name, v, form) for v in (before, after, before - after)
        )
        absorbed: dict[Cause, Tensor] = {"conditions": left_out}
        module = self._steps[name].node.module
        self._add(
            name, LedgerEntry(module, "condition", "-", relevance_in, relevance_out, absorbed)
        )

    def passed(
        self,
        step: Step,
        absorbed: Absorbs,
        v: Tensor,
        parts: Sequence[Tensor],
        kept: Sequence[bool],
    ) -> None:
        """Write an entry: relevance in, out and absorbed."""
        assert step.arriving is not None
        assert step.leaving is not None
        relevance_out, left_out = torch.zeros(2, self._batch, dtype=torch.float64, device=v.device)
        for name, part, keep in zip(step.routes, parts, kept, strict=True):
            amount = self._relevance(name, part, step.leaving)
            if keep:
                relevance_out = relevance_out + amount
            else:
                left_out = left_out + amount
        amounts: dict[Cause, Tensor] = {
            cause: self._per_sample(step.name, amount.double().expand_as(self.values[step.name]))
            for cause, amount in absorbed(v).items()
            if isinstance(amount, Tensor)
        }
        if not all(kept):
            amounts["conditions"] = left_out
        rule = str(step.rule) if step.rule else "-"
        relevance_in = self._relevance(step.name, v, step.arriving)
        entry = LedgerEntry(
            step.node.module, step.label, rule, relevance_in, relevance_out, amounts
        )
        self._add(step.name, entry)

    def _add(self, name: str, entry: LedgerEntry) -> None:
        """Add an entry to that of the same operation: relevance may pass it in parts."""
        key = (name, entry.operation)
        self._entries[key] = _sum(self._entries[key], entry) if key in self._entries else entry

    @property
    def _batch(self) -> int:
        return len(self.values[self.plan.graph.output])

    def _relevance(self, name: str, v: Tensor, form: Form) -> Tensor:
        """Sum up the relevance at a value, (batch,)."""
        value = self.values[name]
        if value.is_complex():
            raise InputError(
                f"a ledger of relevance that passes complex numbers: {name}",
                "real numbers only",
                "leave out ledger=True, or hold this operation constant",
            )
        return self._per_sample(name, relevance(v.double(), form, value.double()))

    def _per_sample(self, name: str, amount: Tensor) -> Tensor:
        return self.batch_axes[name].sum_per_sample(amount, self._batch)

    def ledger(self, c: Tensor, relevances: Mapping[str, Tensor]) -> Ledger:
        """Return the ledger, once the backward pass has ended.

        Args:
            c: Initial relevance per unit of what is explained, of its shape.
            relevances: Relevance that reached each source, by value name.
        """
        reached = [self._per_sample(name, r.double()) for name, r in relevances.items()]
        initial = self._relevance(self.plan.graph.scores, c, Form.PER_UNIT)
        sizes = [self._per_sample(name, r.double().abs()) for name, r in relevances.items()]
        rounding = max(torch.finfo(r.dtype).eps for r in relevances.values())
        size = _size(initial.abs(), torch.stack(sizes).sum(0), rounding)
        return Ledger(initial, torch.stack(reached).sum(0), size, tuple(self._entries.values()))


def _size(score: Tensor, relevance: Tensor, rounding: float) -> Tensor:
    """Return |score|, or the sum of |relevance| where the score is no more than its rounding."""
    return score.where(score > rounding * relevance, relevance)


def _sum(one: LedgerEntry, other: LedgerEntry) -> LedgerEntry:
    """Add up two entries of the same operation."""
    absorbed = dict(one.absorbed)
    for cause, amount in other.absorbed.items():
        absorbed[cause] = absorbed[cause] + amount if cause in absorbed else amount
    return replace(
        one,
        relevance_in=one.relevance_in + other.relevance_in,
        relevance_out=one.relevance_out + other.relevance_out,
        absorbed=absorbed,
    )


def concatenate_ledgers(ledgers: Sequence[Ledger]) -> Ledger:
    """Concatenate the ledgers of several parts of a batch."""
    entries = [
        replace(
            same[0],
            relevance_in=torch.cat([entry.relevance_in for entry in same]),
            relevance_out=torch.cat([entry.relevance_out for entry in same]),
            absorbed={
                c: torch.cat([entry.absorbed[c] for entry in same]) for c in same[0].absorbed
            },
        )
        for same in zip(*(ledger.entries for ledger in ledgers), strict=True)
    ]
    return Ledger(
        torch.cat([ledger.relevance_in for ledger in ledgers]),
        torch.cat([ledger.relevance_out for ledger in ledgers]),
        torch.cat([ledger.size for ledger in ledgers]),
        tuple(entries),
    )
