"""Writes docs/any-dataset.md from the runs of any_dataset.py."""

import os
from collections.abc import Sequence

import numpy as np
import torch
from any_dataset_rows import Row
from any_dataset_runs import Run
from versions import installed

from relprop.evaluate import paired_test
from relprop.support.estimates import Estimate

HEAD = """# From data to a tested model, on many data sets

Written by `benchmarks/any_dataset.py`: `relprop fit` on each data set, as a user calls it, with all
settings as they are. "Time" is wall time of the whole process, from its start to the written bundle
with report and final evaluation, against the budget that was asked for: the longest call counts.
The test part was read once a call, at its end. "Default" is one network of the family's default
settings, trained once; what the search adds is an average of several networks, other settings, or
more time. "Gain" is search minus default, paired by test sample (the mean of a sample over the
calls that tested it), with its 95 % bootstrap interval and the p-value of a paired test. An
interval that holds 0 is a null. Calls have the seeds 0, 1 and 2. Where a data set has no test part,
each seed cuts one: tables into five folds, rt-polarity a fifth of it. Which test samples were right
in each call is in any-dataset.json. After +- is the standard deviation over the calls.

"""
PACKAGES = ("torch", "lightning", "optuna", "scikit-learn", "transformers")


def page(rows: Sequence[Row], runs: Sequence[Run]) -> str:
    """Write the page; rows without a run are left out."""
    parts = [(row, [run for run in runs if run.row == row.name]) for row in rows]
    done = [(row, mine) for row, mine in parts if _of(mine, "search")]
    tables = [_accuracy(done), _time(done), _relevance(done)]
    versions = ", ".join(f"{name} {number}" for name, number in installed(PACKAGES).items())
    return (
        HEAD + "\n\n".join([*tables, f"Written on {os.cpu_count()} cores with {versions}."]) + "\n"
    )


def _accuracy(done: Sequence[tuple[Row, list[Run]]]) -> str:
    lines = [
        "## Accuracy on the test part",
        "",
        "| data | calls | goal, % | search, % | default, % | gain | baselines | known |",
        "|---|--:|--:|--:|--:|---|---|---|",
    ]
    for row, runs in done:
        search = _of(runs, "search")
        default = _of(runs, "default")
        lines.append(
            f"| {row.name} | {len(search)} | {row.wanted:g} | {_percent(search)} "
            f"| {_percent(default) if default else ''} | {_gain(search, default)} "
            f"| {_baselines(search)} | {row.known} |"
        )
    return "\n".join(lines)


def _of(runs: Sequence[Run], mode: str) -> list[Run]:
    return [run for run in runs if run.mode == mode]


def _percent(runs: Sequence[Run]) -> str:
    """Return the mean accuracy of the calls, and its spread where there are several."""
    scores = torch.tensor([100 * run.is_right().mean() for run in runs])
    spread = f" +- {scores.std():.2f}" if len(scores) > 1 else ""
    return f"{scores.mean():.2f}{spread}"


def _gain(search: Sequence[Run], default: Sequence[Run]) -> str:
    """Compare the calls that both have, in percentage points: each sample's mean over the calls."""
    tasks = {run.task for run in search} & {run.task for run in default}
    if not tasks:
        return ""
    both = [
        np.array([run.of_all() for run in runs if run.task in tasks]) for runs in (search, default)
    ]
    tested = np.isfinite(both[0]).any(0)
    test = paired_test(*(torch.tensor(np.nanmean(right[:, tested], 0)) for right in both))
    return f"{_interval(test.difference, 100, '+.2f')}, p {test.p_value:.3f}"


def _interval(estimate: Estimate, factor: float, numbers: str) -> str:
    """Write a mean and its interval, times a factor."""
    low, high = estimate.interval.low, estimate.interval.high
    mean, low, high = (format(factor * one, numbers) for one in (estimate.mean, low, high))
    return f"{mean} [{low}, {high}]"


def _baselines(search: Sequence[Run]) -> str:
    """Give the mean accuracy of each baseline over the calls that it ran beside."""
    scores: dict[str, list[float]] = {}
    for run in search:
        for name in run.baselines:
            scores.setdefault(name, []).append(100 * run.is_right(name).mean())
    return ", ".join(f"{name} {np.mean(means):.2f}" for name, means in scores.items())


def _time(done: Sequence[tuple[Row, list[Run]]]) -> str:
    lines = [
        "## Time",
        "",
        "| data | budget | threads | calls at once | longest call, s | mean processor time, s "
        "| trials | model |",
        "|---|--:|--:|--:|--:|--:|--:|---|",
    ]
    for row, runs in done:
        search = _of(runs, "search")
        trials = sorted(run.trials for run in search)
        families = ", ".join(sorted({run.family for run in search}))
        networks = _span(sorted(run.networks for run in search))
        weights = sorted(run.parameters for run in search)
        lines.append(
            f"| {row.name} | {search[0].budget} | {_span([run.threads for run in search])} "
            f"| {_span([run.beside for run in search])} | {max(run.seconds for run in search):.0f} "
            f"| {sum(run.cpu_seconds for run in search) / len(search):.0f} "
            f"| {_span(trials)} | {networks} of {families}, {_span(weights)} weights |"
        )
    return "\n".join(lines)


def _span(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _relevance(done: Sequence[tuple[Row, list[Run]]]) -> str:
    lines = [
        "## Relevance of the models",
        "",
        "Imbalance: the largest of the ledger, a share of the score. Gain over random: mean area "
        "between the removal curves of a random order and of the most relevant first, with its "
        "95 % bootstrap interval, on up to 64 test samples of each call.",
        "",
        "| data | largest imbalance | gain over random |",
        "|---|--:|---|",
    ]
    for row, runs in done:
        search = _of(runs, "search")
        gains = torch.tensor([gain for run in search for gain in run.over_random])
        gain = paired_test(gains, torch.zeros_like(gains)).difference
        lines.append(
            f"| {row.name} | {max(run.imbalance for run in search):.1e} "
            f"| {_interval(gain, 1, '.3f')} |"
        )
    return "\n".join(lines)
