"""Measures on which architectures relprop works, and what its peers do there.

    python benchmarks/architectures.py [--only "timm/*"] [--out docs/coverage.md] [--json all.json]

Each architecture is tried in a process of its own, with a time limit: see attempt.py.
"""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path

import click
from attempt import PEERS, Outcome
from versions import installed
from zoo import ZOO

ATTEMPT = Path(__file__).with_name("attempt.py")
PACKAGES = (
    "relprop",
    "torch",
    "torchvision",
    "timm",
    "transformers",
    "zennit",
    "captum",
    "autolrp",
)
BALANCED = 1e-4  # largest imbalance of a sample, as a fraction of its score
LONGEST = 90  # characters of a reason in the table

LEGEND = f"""\
- **relprop**: `yes`, or the stage that failed and why. Recipe "auto".
- **balance**: relevance that the ledger does not account for, as a fraction of the explained score,
  in the sample where it is largest. Up to {BALANCED:g} counts as balanced.
- **time**: in units of gradient x input, median, one thread.
- **Zennit** (EpsilonPlusFlat, BatchNorm merged), **Captum** (LRP) and **autoLRP** (its defaults):
  the sum of the relevance divided by the explained score, in the sample where it is farthest from
  1, or the error. A finite result is not yet a right one: operations without a rule may have
  received the plain gradient. A ratio other than 1 is not yet wrong: biases may absorb a part.

Weights are random: the table shows which models can be explained, not how good the maps are."""


@dataclass(frozen=True)
class Row:
    """What every tool made of one architecture."""

    name: str
    outcomes: Mapping[str, Outcome]

    @property
    def library(self) -> str:
        """Return the package that the architecture comes from."""
        return self.name.partition("/")[0]


# ---- trying --------------------------------------------------------------------------------------


def attempt(name: str, limit: float) -> Row:
    """Try one architecture in a process of its own."""
    command = [sys.executable, str(ATTEMPT), name]
    try:
        done = subprocess.run(command, capture_output=True, timeout=limit, check=False)
        output, lines = done.stdout, done.stderr.decode(errors="replace").strip().splitlines()
        problem = lines[-1] if lines else f"the process ended with {done.returncode}"
    except subprocess.TimeoutExpired as expired:
        output, problem = expired.stdout or b"", f"not done after {limit:g} s"
    return Row(name, outcomes(output.decode(), problem))


def outcomes(output: str, problem: str) -> dict[str, Outcome]:
    """Parse each tool's last line; a tool without one gets the process's own problem."""
    missing = {tool: Outcome(tool, problem=problem) for tool in ("relprop", *PEERS)}
    records = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    return missing | {record["tool"]: Outcome(**record) for record in records}


# ---- the table -----------------------------------------------------------------------------------


def summary(rows: list[Row]) -> str:
    """Count how far relprop gets with how many architectures, and what peers explain."""
    own = [row.outcomes["relprop"] for row in rows]
    counts = {
        "captured": sum(outcome.reached != "" for outcome in own),
        "planned": sum(outcome.reached in ("planned", "explained") for outcome in own),
        "finite": sum(outcome.finite for outcome in own),
        "balanced": sum(balanced(outcome) for outcome in own),
    }
    peers = {tool: sum(row.outcomes[tool].finite for row in rows) for tool in PEERS}
    ours = ", ".join(f"{count} {word}" for word, count in counts.items())
    theirs = ", ".join(f"{tool} {count}" for tool, count in peers.items())
    return f"**Of {len(rows)} architectures: {ours}.** Finite results of peers: {theirs}."


def balanced(outcome: Outcome) -> bool:
    """Tell whether the ledger accounts for all relevance."""
    return outcome.finite and outcome.error is not None and outcome.error <= BALANCED


def page(rows: list[Row], versions: Mapping[str, str]) -> str:
    """Write the whole page, in Markdown."""
    named = ", ".join(f"{package} {number}" for package, number in versions.items())
    blocks = [block(rows, library) for library in dict.fromkeys(row.library for row in rows)]
    parts = ["# Coverage", summary(rows), f"With {named}.", LEGEND, *blocks]
    return "\n\n".join(parts) + "\n"


def block(rows: list[Row], library: str) -> str:
    """Format one library's architectures."""
    heads = ["architecture", "relprop", "balance", "time", *PEERS]
    lines = [f"## {library}", "", f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    return "\n".join([*lines, *(line(row) for row in rows if row.library == library)])


def line(row: Row) -> str:
    """Format one architecture."""
    own = row.outcomes["relprop"]
    cells = [row.name.partition("/")[2], own_cell(own), number(own.error), number(own.speed)]
    cells += [peer_cell(row.outcomes[tool]) for tool in PEERS]
    return f"| {' | '.join(cells)} |"


def own_cell(outcome: Outcome) -> str:
    """Format whether relprop explains it, or what stopped it."""
    if outcome.reached == "explained":
        return "yes" if outcome.finite else "not finite"
    step = {"": "capture", "captured": "plan", "planned": "run"}[outcome.reached]
    return f"{step}: {reason(outcome.problem)}"


def peer_cell(outcome: Outcome) -> str:
    """Format the sum of its relevance over the score, or what stopped it."""
    if outcome.reached != "explained":
        missing = outcome.problem == "not installed"
        return outcome.problem if missing else f"refuses: {reason(outcome.problem)}"
    return number(outcome.share) if outcome.finite else "not finite"


def reason(problem: str) -> str:
    """Shorten a problem to a cell, and escape what Markdown or HTML would read."""
    text = re.sub(r"[|<>`*_]", lambda match: f"&#{ord(match[0])};", problem[:LONGEST])
    return text if len(problem) <= LONGEST else text + "..."


def number(value: float | None) -> str:
    """Format two or three digits."""
    return "" if value is None else f"{value:.2f}" if 0.01 <= abs(value) < 100 else f"{value:.1e}"


@click.command(help=__doc__.split("\n")[0])
@click.option("--only", default="*", show_default=True, help="Glob on library/architecture.")
@click.option("--limit", default=300.0, show_default=True, help="Seconds for one architecture.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Markdown.")
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path))
def main(only: str, limit: float, out: Path | None, file: Path | None) -> None:
    """Try each architecture, print a line for it, write the page and the numbers."""
    rows = []
    for name in (name for name in ZOO if fnmatch(name, only)):
        rows.append(attempt(name, limit))
        click.echo(f"{name:50} {line(rows[-1])}")
    versions = installed(PACKAGES)
    click.echo(summary(rows))
    if out:
        out.write_text(page(rows, versions))
    if file:
        record = {"versions": versions, "rows": [asdict(row) for row in rows]}
        file.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
