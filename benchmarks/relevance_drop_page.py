"""Writes docs/training-results.md from the results of relevance_drop.py."""

from typing import Any

import torch
from relevance_drop_cost import ratio

from relprop.support.estimates import bootstrap_mean

Run = dict[str, Any]
TESTS = ("clean", "noise", "blur", "contrast", "occlusion")
MARK_TESTS = ("no mark", "wrong mark", "right mark", "relevance on corners")
LIMIT = 1.6  # times the plain step
POINT = 1.0  # percentage points


def page(results: dict[str, Any]) -> str:
    """Write the page; methods without a run are left out."""
    runs = results["runs"]
    tables = [_accuracy(name, task, runs) for name, task in results["tasks"].items()]
    seconds = sum(run["seconds"] for run in runs)
    end = (
        f"Written by `benchmarks/relevance_drop.py`, {seconds / 60:.0f} minutes of one core for the "
        f"{len(runs)} trainings, with torch {torch.__version__}, one thread. All numbers are in "
        "[training-results.json](training-results.json)."
    )
    return "\n\n".join([*tables, _marks(runs), _cost(results["cost"]), end]) + "\n"


def _of(runs: list[Run], data: str) -> dict[str, dict[int, Run]]:
    """Return the runs of a data set by method and seed."""
    found: dict[str, dict[int, Run]] = {}
    for run in runs:
        if run["data"] == data:
            found.setdefault(run["method"], {})[run["seed"]] = run
    return found


def _percent(runs: dict[int, Run], test: str) -> str:
    values = torch.tensor([100 * run[test] for run in runs.values()])
    spread = f" +- {values.std():.1f}" if len(values) > 1 else ""
    return f"{values.mean():.1f}{spread}"


def difference(first: dict[int, Run], second: dict[int, Run], test: str) -> str:
    """Return the mean of first minus second over common seeds, in points, with its interval."""
    seeds = sorted(first.keys() & second.keys())
    points = torch.tensor([100 * (first[seed][test] - second[seed][test]) for seed in seeds])
    estimate = bootstrap_mean(points)
    if estimate.interval is None:
        return f"{estimate.mean:+.1f}"
    low, high = estimate.interval.low, estimate.interval.high
    verdict = " (null)" if low <= 0 <= high else ""
    return f"{estimate.mean:+.1f} [{low:+.1f}, {high:+.1f}]{verdict}"


def _accuracy(name: str, task: dict[str, Any], runs: list[Run]) -> str:
    methods = _of(runs, name)
    seeds = len(next(iter(methods.values()), {}))
    lines = [
        f"### {name}",
        "",
        f"{task['train']:,} training and {task['test']:,} test pictures, {task['epochs']} epochs, "
        f"batches of {task['batch']}, Adam at {task['rate']:g}. Accuracy in percent, mean +- "
        f"standard deviation of {seeds} seeds:",
        "",
        _row(["method", *TESTS]),
        _row(["---"] + ["--:"] * len(TESTS)),
        *(_row([m, *(_percent(one, t) for t in TESTS)]) for m, one in methods.items()),
        "",
        "Differences in percentage points, paired by seed, with 95 % bootstrap intervals:",
        "",
        _row(["first minus second", *TESTS]),
        _row(["---"] * (len(TESTS) + 1)),
    ]
    for first in list(methods)[1:]:
        for second in ("none", "random erasing"):
            if first != second and second in methods:
                cells = (difference(methods[first], methods[second], test) for test in TESTS)
                lines.append(_row([f"{first} - {second}", *cells]))
    return "\n".join(lines)


def _marks(runs: list[Run]) -> str:
    methods = _of(runs, "marks")
    lines = [
        "### Planted marks",
        "",
        _row(["trained", *MARK_TESTS]),
        _row(["---"] + ["--:"] * len(MARK_TESTS)),
        *(_row([m, *(_percent(one, t) for t in MARK_TESTS)]) for m, one in methods.items()),
        "",
        _row(["first minus second, in points", *MARK_TESTS]),
        _row(["---"] * (len(MARK_TESTS) + 1)),
    ]
    pairs = (("marks", "without marks"), ("marks, penalty", "without marks"), ("marks, penalty", "marks"))
    for first, second in pairs:
        if first in methods and second in methods:
            cells = (difference(methods[first], methods[second], test) for test in MARK_TESTS)
            lines.append(_row([f"{first} - {second}", *cells]))
    if "marks, penalty" in methods and "without marks" in methods:
        lines += ["", _verdict(methods["marks, penalty"], methods["without marks"])]
    return "\n".join(lines)


def _verdict(penalised: dict[int, Run], plain: dict[int, Run]) -> str:
    seeds = sorted(penalised.keys() & plain.keys())
    gaps = [100 * (plain[seed]["no mark"] - penalised[seed]["no mark"]) for seed in seeds]
    gap = sum(gaps) / len(gaps)
    word = "met" if gap <= POINT else "missed"
    return (
        f"Target: without the mark, at most {POINT:g} point below a network that was trained without "
        f"marks. Mean gap {gap:.1f} points: {word}."
    )


def _cost(rows: list[dict[str, Any]]) -> str:
    networks = list(dict.fromkeys(row["network"] for row in rows))
    plain = {row["network"]: row for row in rows if row["method"] == "plain"}
    lines = [
        "## What a step costs",
        "",
        f"A training step with the method, divided by the plain step of the same round: median and "
        f"quartiles of {len(rows[0]['seconds']) if rows else 0} rounds in which the methods take turns, batches of "
        f"128. The target for dropping input regions is {LIMIT:g}.",
        "",
        _row(["step", *networks]),
        _row(["---"] + ["--:"] * len(networks)),
    ]
    for method in dict.fromkeys(row["method"] for row in rows):
        cells = []
        for network in networks:
            (row,) = (r for r in rows if (r["network"], r["method"]) == (network, method))
            middle, low, high = ratio(row, plain[network])
            cells.append(f"{middle:.2f} ({low:.2f}-{high:.2f})")
        lines.append(_row([method, *cells]))
    return "\n".join(lines)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
