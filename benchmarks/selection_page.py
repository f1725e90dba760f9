"""Writes docs/selection.md from the runs of selection.py."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from relprop.evaluate import bootstrap_mean
from relprop.support.estimates import Estimate

RELEVANCE = "relevance"


@dataclass(frozen=True)
class RealRun:
    """A data set, measured.

    Attributes:
        name: What the page calls it.
        columns: Number of its features.
        ks: Numbers of features.
        outer: Outer folds.
        right: Method -> for each k whether each sample is classified correctly, "0" or "1".
        whole: The same with all features.
        stable: Method -> for each k in which share of the outer folds a feature, that is among the
            best of one, is among the best.
        seconds: Processor time.
    """

    name: str
    columns: int
    ks: list[int]
    outer: int
    right: dict[str, list[str]]
    whole: str
    stable: dict[str, list[float]]
    seconds: float


@dataclass(frozen=True)
class DesignRun:
    """A design with a seed, measured.

    Attributes:
        design: Name of the design.
        seed: Random seed.
        recall: Method -> share of the true columns that are among the first.
        seconds: Method -> processor time, without the training of networks.
        training: Processor time of the training.
    """

    design: str
    seed: int
    recall: dict[str, float]
    seconds: dict[str, float]
    training: float


@dataclass(frozen=True)
class Runs:
    """All that is done.

    Attributes:
        real: Data sets.
        designs: Designs.
    """

    real: list[RealRun]
    designs: list[DesignRun]


def read_runs(work: Path) -> Runs:
    """Read the files of a work folder."""
    found = [json.loads(path.read_text()) for path in sorted(work.glob("*.json"))]
    real = [RealRun(**one) for one in found if "design" not in one]
    return Runs(real, [DesignRun(**one) for one in found if "design" in one])


HEAD = """# Feature selection by relevance, beside other methods

Written by `make selection` (`benchmarks/selection.py`). All methods see the same training
samples. Relevance, permutation importance and SHAP's DeepExplainer take the same three networks,
each on the third of the samples that it has not learned. Of tables and pictures, the networks have
learned gates before their first layer. Relevance is mean |R|. SHAP is mean |SHAP
value| of 100 samples of each network against 50 of its training samples, summed over the classes.
Permutation importance is the rise of the loss, the mean of three shuffles. L1 is a logistic lasso
whose strength is cross-validated. RFE is recursive elimination by logistic regression, a tenth at
a time. Mutual information is scikit-learn's. All settings are fixed; none is chosen by a test
part.

The gates were chosen on the designs "linear", "nonlinear additive" and "products of pairs", seeds
0 and 1, which are below as well: without them, relevance found 4 of 10 true columns
of the products (seed 0, five folds). Of pictures they have the same strength. It was looked at on
digits 2,001 to 3,000, which are not below: accuracy with 16 pixels was 63.7 without gates, 68.7,
69.9 and 69.6 with a strength of 0.003, 0.01 and 0.03, and 73.5 with RFE. Of words there are none.

"""
DESIGN_HEAD = """## True columns found

Share of the 10 true columns that are among the first 10 of 100; 2,000 rows; the mean of {seeds}
seeds, in brackets the lowest. In "correlated" and "redundant copies" ten other columns resemble
the true ones; in "products of pairs" no column tells anything by itself.

"""
REAL_HEAD = """## Accuracy of models of the best k features

Of the digits, permutation importance and L1 are left out: they would take too long. Of sentences,
features are words; models are linear networks over words and pairs of neighbours. Permutation
importance and DeepExplainer take no words.

Nested: in each outer fold features are ranked by its training part; a network of the default
settings of `relprop fit`, without a teacher, is trained on that part with the best k alone, and
tested on the rest. Accuracy in per cent. In brackets: relevance minus that method, in points,
paired by test sample, with its 95 % bootstrap interval over test samples, for one training (seed
0). Below 0 relevance is worse; an interval that holds 0 is a null. "All": models of all features,
and relevance minus them. "Stable": in which share of the outer folds a feature is chosen that
relevance chose in one.
"""


def page(runs: Runs, machine: str, missing: Sequence[str] = ()) -> str:
    """Write the page, and the names of the parts that are not measured yet."""
    spent = sum(one.seconds for one in runs.real)
    spent += sum(one.training + sum(one.seconds.values()) for one in runs.designs)
    tables = [HEAD + summary(runs), designs_table(runs.designs), *map(real_table, runs.real)]
    last = f"Written on {machine}; {spent / 60:.0f} minutes of one core in all."
    tables.insert(2, REAL_HEAD.rstrip())
    if missing:
        last = f"Not measured yet: {', '.join(missing)}.\n\n{last}"
    return "\n\n".join([*tables, last]) + "\n"


def summary(runs: Runs) -> str:
    """Count where relevance is better, worse or neither."""
    better, worse, pairs = [], [], 0
    for run in runs.real:
        for method in others(run.right):
            for place, k in enumerate(run.ks):
                gain, pairs = gain_of(run, method, place), pairs + 1
                named = f"{run.name}, k = {k}, {method}"
                if gain.interval and gain.interval.low > 0:
                    better.append(named)
                if gain.interval and gain.interval.high < 0:
                    worse.append(named)
    neither = pairs - len(better) - len(worse)
    return (
        f"Of {pairs} comparisons on the data sets below, relevance is better in {len(better)}, "
        f"with an interval above 0,\nworse in {len(worse)}, and neither in {neither}. At 95 %, "
        f"about {pairs / 20:.0f} of so many would be one or the other by chance.\n\n"
        f"- Worse: {'; '.join(worse) or 'none'}.\n- Better: {'; '.join(better) or 'none'}."
    )


def others(methods: dict[str, list[str]]) -> list[str]:
    """Return the methods beside relevance."""
    return [name for name in methods if name != RELEVANCE]


def bits(text: str) -> Tensor:
    """Return whether each sample is right, as numbers."""
    return torch.tensor([float(one) for one in text], dtype=torch.float64)


def gain_of(run: RealRun, method: str | None, place: int) -> Estimate:
    """Return relevance minus a method, or minus all features, by sample."""
    other = run.whole if method is None else run.right[method][place]
    return bootstrap_mean(bits(run.right[RELEVANCE][place]) - bits(other))


def designs_table(runs: Sequence[DesignRun]) -> str:
    """Write the recall of each method on each design, and its time."""
    methods = list(runs[0].recall)
    seeds = len({run.seed for run in runs})
    lines = [
        DESIGN_HEAD.format(seeds=seeds) + f"| design | {' | '.join(methods)} |",
        f"|---|{'---|' * len(methods)}",
    ]
    for design in dict.fromkeys(run.design for run in runs):
        mine = [run for run in runs if run.design == design]
        cells = []
        for method in methods:
            found = [run.recall[method] for run in mine]
            cells.append(f"{sum(found) / len(found):.2f} ({min(found):.1f})")
        lines.append(f"| {design} | {' | '.join(cells)} |")
    means = [sum(run.seconds[one] for run in runs) / len(runs) for one in methods]
    lines.append(f"| seconds | {' | '.join(f'{one:.1f}' for one in means)} |")
    training = sum(run.training for run in runs) / len(runs)
    lines += ["", f"The three networks take {training:.0f} s more, once for all that need them."]
    return "\n".join(lines)


def real_table(run: RealRun) -> str:
    """Write the accuracy of each method over k."""
    methods = others(run.right)
    samples = len(run.whole)
    lines = [
        f"### {run.name}",
        "",
        f"{samples:,} samples, {run.columns} features, {run.outer} outer folds.",
        "",
        f"| k | relevance | {' | '.join(methods)} | all | stable |",
        f"|--:|---|{'---|' * (len(methods) + 2)}",
    ]
    for place, k in enumerate(run.ks):
        own = percent(bootstrap_mean(bits(run.right[RELEVANCE][place])))
        cells = [cell(run.right[name][place], gain_of(run, name, place)) for name in methods]
        whole = cell(run.whole, gain_of(run, None, place))
        stable = f"{run.stable[RELEVANCE][place]:.2f}"
        lines.append(f"| {k} | {own} | {' | '.join(cells)} | {whole} | {stable} |")
    return "\n".join(lines)


def cell(right: str, gain: Estimate) -> str:
    """Write the accuracy of a method, and by how much relevance is better."""
    low, high = 100 * gain.interval.low, 100 * gain.interval.high
    return f"{100 * bits(right).mean():.1f} [{100 * gain.mean:+.1f}: {low:+.1f} to {high:+.1f}]"


def percent(estimate: Estimate) -> str:
    """Write a share with its interval, in per cent."""
    low, high = estimate.interval.low, estimate.interval.high
    return f"{100 * estimate.mean:.1f} ({100 * low:.1f} to {100 * high:.1f})"
