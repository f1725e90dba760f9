"""The page of `sizes.py`: streams of many sizes, and first calls, as tables."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench_page import machine
from long_text import LongText

LEGEND = """\
One call explains two samples of one size. All methods explain the same input in turn, in a random
order for each; the tables give total times. A **target** is what this project means to stay below.

- **all calls**: the time of relprop over that of gradient x input, captures included.
- **without captures**: without the two calls in which the model is captured: for the first size,
  and for the second one, with the sizes open that have changed.
- **a new size**: median time of a call with a size that was not met before, and of one that was.
- **over a peer**: relprop's time without captures over the peer's. LXT and Zennit capture nothing;
  LXT must know how to rewrite the model's class.
- **first call**: what it takes over one `torch.export.export` of the model and two of its forward
  passes; each is the median of processes of its own.
- **a long text**: the median time of a later call, measured in turn; the most memory that a process
  has held which does nothing else, first call included."""


@dataclass(frozen=True)
class StreamRow:
    """One stream.

    Attributes:
        name: Its name.
        peer: Name of the peer.
        times: Method -> seconds of each call.
        new: Whether the size of each call was new.
    """

    name: str
    peer: str
    times: Mapping[str, Sequence[float]]
    new: Sequence[bool]

    @property
    def captures(self) -> list[int]:
        """List the calls in which relprop captures the model: with the first two sizes."""
        return [i for i, new in enumerate(self.new) if new][:2]

    def ratio(self, base: str, captures: bool = False) -> float:
        """Divide relprop's time by that of another method, with or without captures."""
        kept = [i for i in range(len(self.new)) if captures or i not in self.captures]
        ours, other = ([self.times[name][i] for i in kept] for name in ("relprop", base))
        return sum(ours) / sum(other)

    def milliseconds(self, new: bool) -> float:
        """Return the median of calls with a new size, or with one that was met before."""
        kept = [
            time
            for i, time in enumerate(self.times["relprop"])
            if self.new[i] is new and i not in self.captures
        ]
        return 1000 * sorted(kept)[len(kept) // 2]


@dataclass(frozen=True)
class FirstCall:
    """The seconds of a first call, and of what it cannot do without."""

    name: str
    export: float
    forward: float
    relprop: float

    @property
    def ratio(self) -> float:
        """Divide it by an export and two forward passes."""
        return self.relprop / (self.export + 2 * self.forward)


LONG_TIME, LONG_MEMORY = 1.15, 1.3
ALL_CALLS, WITHOUT, FIRST = {"texts": 2.0, "pictures": 2.5}, {"texts": 1.1, "pictures": 1.2}, 1.5
OVER_PEER = {"LXT": 1.0, "Zennit": 0.7}


def against(value: float, target: float) -> str:
    """Write a ratio beside its target."""
    return f"{value:.2f} | {target:.2f} {'met' if value <= target else '**missed**'}"


def page(
    streams: Sequence[StreamRow],
    calls: Sequence[FirstCall],
    long: LongText | None,
    before: Mapping[str, Any] | None,
    threads: int,
) -> str:
    """Write the page.

    Args:
        streams: The streams.
        calls: The first calls.
        long: The long text, if it was measured.
        before: The numbers of another commit, or None.
        threads: Threads of torch.
    """
    old_streams = {one["name"]: StreamRow(**one) for one in (before or {}).get("streams", [])}
    old_calls = {one["name"]: FirstCall(**one) for one in (before or {}).get("first", [])}
    was_long = LongText(**before["long"]) if before and before.get("long") else None
    lines = [
        "# Inputs of many sizes",
        "",
        "`make bench` writes this page.",
        "",
        ", ".join(f"{k} {v}" for k, v in machine("cpu").items())
        + f". Threads of torch: {threads}.",
        "",
        LEGEND,
        "",
        "| stream | all calls | target | before | without captures | target | before "
        "| a new size, a known one (ms) | over a peer | target |",
        "|---|--:|---|--:|--:|---|--:|--:|--:|---|",
    ]
    for row in streams:
        kind, old = "texts" if "texts" in row.name else "pictures", old_streams.get(row.name)
        was = [f"{old.ratio('gradient', both):.2f}" if old else "" for both in (True, False)]
        sizes = f"{row.milliseconds(True):.0f}, {row.milliseconds(False):.0f}"
        lines.append(
            f"| {row.name} | {against(row.ratio('gradient', True), ALL_CALLS[kind])} | {was[0]} "
            f"| {against(row.ratio('gradient'), WITHOUT[kind])} | {was[1]} | {sizes} "
            f"| {row.peer} {against(row.ratio('peer'), OVER_PEER[row.peer])} |"
        )
    lines += [
        "",
        "| model | export (s) | forward pass (s) | first call (s) | over export + 2 passes "
        "| target | before |",
        "|---|--:|--:|--:|--:|---|--:|",
    ]
    for call in calls:
        was_call = old_calls.get(call.name)
        lines.append(
            f"| {call.name} | {call.export:.2f} | {call.forward:.3f} | {call.relprop:.2f} "
            f"| {against(call.ratio, FIRST)} | {f'{was_call.ratio:.2f}' if was_call else ''} |"
        )
    lines += table_of_long(long, was_long) if long else []
    return "\n".join(lines) + "\n"


def table_of_long(row: LongText, before: LongText | None) -> list[str]:
    """Write the table of a long text."""
    was = [f"{n:.2f}" for n in (before.time_ratio, before.memory_ratio)] if before else ["", ""]
    return [
        "",
        "| a long text | a later call | target | before | memory | target | before | gigabytes "
        "| first call (s) |",
        "|---|--:|---|--:|--:|---|--:|--:|--:|",
        f"| {row.name} | {against(row.time_ratio, LONG_TIME)} | {was[0]} "
        f"| {against(row.memory_ratio, LONG_MEMORY)} | {was[1]} "
        f"| {row.memory['relprop']:.2f} | {row.first:.1f} |",
    ]
