"""Writes docs/training-results.md from the results of relevance_drop.py."""

from typing import Any

import torch
from relevance_drop_cost import ratio

from relprop.support.estimates import bootstrap_mean

Run = dict[str, Any]
TESTS = ("clean", "noise", "blur", "contrast", "occlusion")
MARK_TESTS = ("no mark", "wrong mark", "right mark", "relevance on corners")
PAIRS = (
    ("marks", "without marks"),
    ("marks, penalty", "without marks"),
    ("marks, penalty on 40 %", "without marks"),
    ("marks, penalty", "marks, penalty on 40 %"),
    ("marks, penalty", "marks"),
)
SEEDS = 5  # of a whole run
LIMIT = 1.6  # times the plain step
POINT = 1.0  # percentage points
PENALTY = "RelevancePenalty, 1/8 of the batch"


HEAD = """# Training with relevance, measured

Small networks on small data, where regularisation should help most; [how to use it](training.md).
Each cell is of networks with the same seeds: they start from the same weights and see the same
batches as long as methods draw the same random numbers. An interval that holds 0 is a null. The
interval of five seeds says nothing about other data, networks or settings. No setting of a drop was
tuned: a quarter of the blocks of half of the samples, and the defaults.

## Accuracy

"Random erasing" is `RelevanceDrop(randomness=1.0)`: it masks as many blocks of the same size,
anywhere. "Mixup" mixes half of the samples in pairs (Zhang et al. 2018, alpha = 1). "Hidden" masks
the output of an early layer. Corrupted copies of the test pictures: noise of deviation 0.2 of the
range, clipped; blur by the mean of 3 x 3 pixels; contrast times 0.4; occlusion of each 4 x 4 block
with probability 0.25.
"""

MARKS = """### Planted marks

Each training picture gets a square of 4 x 4 pixels in a random corner, whose grey value tells its
class, as in the decoy data of Ross et al. 2017. Tests: no mark; a mark of a random class; the
right mark. "Penalty" punishes relevance on the four corners, with weight 3, on an eighth of each
batch or on 40 %; share and weight were chosen of an eighth with 1, 3, 5, 10 or 30 and of 40 % with
3 or 10, on seeds 10 to 15 (10 and 30: 10 to 12) and the same test pictures. The last column is the
share of |relevance| of the true class (epsilon) on the corners, in percent, with the right mark.
"""


def page(results: dict[str, Any]) -> str:
    """Write the page; methods without a run are left out."""
    runs, tasks = results["runs"], results["tasks"]
    tables = [_accuracy(name, tasks[name], runs) for name in tasks if name != "marks"]
    seconds = sum(run["seconds"] for run in runs)
    end = (
        f"Written by `benchmarks/relevance_drop.py`: {len(runs)} trainings, {seconds / 60:.0f} "
        f"minutes of processor time, one thread, torch {torch.__version__}. All numbers are in "
        "[training-results.json](training-results.json)."
    )
    cost = [_cost(results["cost"])] if results["cost"] else []
    return "\n\n".join([HEAD.strip(), *tables, _marks(tasks["marks"], runs), *cost, end]) + "\n"


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
    lines = [
        f"### {name}",
        "",
        _size(task, len(next(iter(methods.values()), {}))),
        "",
        _row(["method", *TESTS]),
        _row(["---"] + ["--:"] * len(TESTS)),
        *(_row([_named(m, one), *(_percent(one, t) for t in TESTS)]) for m, one in methods.items()),
        "",
        "Differences in percentage points, paired by seed, with 95 % bootstrap intervals:",
        "",
        _row(["first minus second", *TESTS]),
        _row(["---"] * (len(TESTS) + 1)),
    ]
    for first in list(methods)[1:]:
        for second in ("none", "random erasing", "mixup"):
            if first != second and second in methods:
                cells = (difference(methods[first], methods[second], test) for test in TESTS)
                lines.append(_row([f"{first} - {second}", *cells]))
    return "\n".join(lines)


def _named(method: str, runs: dict[int, Run]) -> str:
    """Return the name of a method, with the number of seeds where these are fewer than five."""
    return method if len(runs) >= SEEDS else f"{method} ({len(runs)} seeds)"


def _size(task: dict[str, Any], seeds: int) -> str:
    return (
        f"{task['train']:,} training and {task['test']:,} test pictures, {task['epochs']} epochs, "
        f"batches of {task['batch']}, Adam at {task['rate']:g}. Percent correct, mean +- standard "
        f"deviation of {seeds} seeds:"
    )


def _marks(task: dict[str, Any], runs: list[Run]) -> str:
    methods = _of(runs, "marks")
    lines = [
        MARKS.strip(),
        "",
        _size(task, len(next(iter(methods.values()), {}))),
        "",
        _row(["trained", *MARK_TESTS]),
        _row(["---"] + ["--:"] * len(MARK_TESTS)),
        *(_row([m, *(_percent(one, t) for t in MARK_TESTS)]) for m, one in methods.items()),
        "",
        _row(["first minus second, in points", *MARK_TESTS]),
        _row(["---"] * (len(MARK_TESTS) + 1)),
    ]
    for first, second in PAIRS:
        if first in methods and second in methods:
            cells = (difference(methods[first], methods[second], test) for test in MARK_TESTS)
            lines.append(_row([f"{first} - {second}", *cells]))
    for method in ("marks, penalty", "marks, penalty on 40 %"):
        if method in methods and "without marks" in methods:
            lines += ["", _verdict(method, methods[method], methods["without marks"])]
    return "\n".join(lines)


def _verdict(method: str, penalised: dict[int, Run], plain: dict[int, Run]) -> str:
    seeds = sorted(penalised.keys() & plain.keys())
    gaps = [100 * (plain[seed]["no mark"] - penalised[seed]["no mark"]) for seed in seeds]
    gap = sum(gaps) / len(gaps)
    word = "met" if gap <= POINT else "missed"
    return (
        f"{method.capitalize()}: without the mark {gap:.2f} points below networks trained "
        f"without marks; target at most {POINT:g} point: {word}."
    )


def _cost(rows: list[dict[str, Any]]) -> str:
    networks = list(dict.fromkeys(row["network"] for row in rows))
    plain = {row["network"]: row for row in rows if row["method"] == "plain"}
    rounds = len(rows[0]["seconds"])
    lines = [
        "## What a step costs",
        "",
        f"Time of a training step with the method, divided by that of the plain step of the same "
        f"round: median and quartiles of {rounds} rounds in which the methods take turns, batches "
        f"of 128, recipe auto where none is named. Target for input regions and the penalty: "
        f"{LIMIT:g}.",
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
    lines += ["", _met(rows, plain)]
    return "\n".join(lines)


def _met(rows: list[dict[str, Any]], plain: dict[str, dict[str, Any]]) -> str:
    """Say whether the penalty on the share that was trained with meets the target."""
    own = [row for row in rows if row["method"] == PENALTY]
    middles = [ratio(row, plain[row["network"]])[0] for row in own]
    word = "met" if max(middles) <= LIMIT else "missed"
    figures = " and ".join(f"{one:.2f}" for one in middles)
    return f"{PENALTY}: {figures} times the plain step; target {LIMIT:g}: {word}."


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
