"""Removes channels by relevance and by other criteria, and measures what is left.

    python benchmarks/pruning.py --data FOLDER --work FOLDER

Writes docs/pruning.json, docs/pruning.png and docs/pruning.md. Networks that are not in the work
folder are trained first. `--only NAME` measures one network and keeps the others' numbers. Needs
the extras prune and plot.
"""

import argparse
import copy
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from pruning_advice import measure_advice
from pruning_criteria import CRITERIA, NORMS, WITHOUT_SAMPLES, normed
from pruning_networks import TASKS, Pictures, Task, accuracy, fit
from torch import nn

from relprop.use.pruning.groups import Prunable, find_groups, remove_channels
from relprop.use.pruning.record import measure_size
from relprop.use.pruning.relevance import draw_samples
from relprop.use.pruning.selection import choose_removed

DOCS = Path(__file__).resolve().parent.parent / "docs"
SPARSITIES = (0.3, 0.5, 0.7)
SEEDS = (0, 1, 2, 3, 4)
PER_CLASS = (1, 5)  # beside the ten of all other tables
TARGET = 0.5  # the sparsity that variants, numbers of samples and fine-tuning are compared at
TEST, VALIDATION, TUNED = 1_000, 500, 1_000  # pictures
TUNED_SEEDS = (0, 1, 2)
COMPARED = ("relevance", "Taylor", "weight norm")  # with training, and by numbers of samples
ROUNDS = 15  # of the speed
ADVICE = "advice"


@dataclass(frozen=True)
class Variant:
    """How scores of layers become comparable: NORMS, and over which channels they are ranked."""

    norm: str
    ranking: str


VARIANTS = (*(Variant(norm, "global") for norm in NORMS), Variant("none", "layer"))
OWN = Variant("none", "global")  # of relevance: what relprop.use.prune_channels does


@dataclass
class Measured:
    """Numbers of one network, as JSON keeps them."""

    task: str
    accuracy: float
    channels: int
    whole: Mapping[str, str]
    variants: dict[str, dict[str, float]] = field(default_factory=dict)
    chosen: dict[str, str] = field(default_factory=dict)
    curves: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    per_class: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    tuned: dict[str, list[float]] = field(default_factory=dict)
    sizes: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


class Bench:
    """A network whose channels are removed by one criterion or another."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.x1 = task.train.x[:1]
        self.test = task.test.first(TEST)
        self.validation = Pictures(task.train.x[-VALIDATION:], task.train.y[-VALIDATION:])
        self.learned = Pictures(task.train.x[:-VALIDATION], task.train.y[:-VALIDATION])
        self.prunable: Prunable = find_groups(task.model, self.x1)

    def pruned(
        self, criterion: str, variant: Variant, sparsity: float, seed: int, per_class: int = 10
    ) -> nn.Module:
        """Return the network without the channels that a criterion ranks last."""
        rows = draw_samples(self.learned.y, per_class, seed)
        torch.manual_seed(seed)
        x, y = self.learned.x[rows], self.learned.y[rows]
        scores = CRITERIA[criterion](self.task.model, x, y, self.prunable.layers)
        scores = normed(scores, variant.norm)
        groups, ranking = self.prunable.groups, variant.ranking
        removed = choose_removed(groups, scores, sparsity, ranking)  # type: ignore[arg-type]
        return remove_channels(self.task.model, self.x1, removed)


def measure(task: Task) -> Measured:
    """Measure everything of one network."""
    start, bench = time.perf_counter(), Bench(task)
    total = sum(group.size for group in bench.prunable.groups)
    result = Measured(task.name, accuracy(task.model, bench.test), total, bench.prunable.whole)
    variants = choose_variants(bench, result)
    for criterion, variant in variants.items():
        curves(bench, result, criterion, variant)
        if criterion in COMPARED:
            fine_tuned(bench, result, criterion, variant)
        print(task.name, criterion, variant, result.curves[criterion], flush=True)
    result.sizes = sizes(bench)
    result.seconds = time.perf_counter() - start
    return result


def choose_variants(bench: Bench, result: Measured) -> dict[str, Variant]:
    """Choose each other criterion's best variant on pictures of the training part, by seed 0."""
    chosen = {}
    for criterion in CRITERIA:
        scores = {
            variant: accuracy(bench.pruned(criterion, variant, TARGET, 0), bench.validation)
            for variant in VARIANTS
        }
        result.variants[criterion] = {f"{v.norm}, {v.ranking}": s for v, s in scores.items()}
        chosen[criterion] = OWN if criterion == "relevance" else max(scores, key=scores.__getitem__)
        result.chosen[criterion] = f"{chosen[criterion].norm}, {chosen[criterion].ranking}"
    return chosen


def curves(bench: Bench, result: Measured, criterion: str, variant: Variant) -> None:
    """Measure accuracy over sparsity, and over the number of samples a class."""
    seeds = SEEDS[:1] if criterion == "weight norm" else SEEDS
    result.curves[criterion] = {
        str(sparsity): [
            accuracy(bench.pruned(criterion, variant, sparsity, seed), bench.test) for seed in seeds
        ]
        for sparsity in SPARSITIES
    }
    if criterion in COMPARED and criterion not in WITHOUT_SAMPLES:
        result.per_class[criterion] = {
            str(count): [
                accuracy(bench.pruned(criterion, variant, TARGET, seed, count), bench.test)
                for seed in seeds
            ]
            for count in PER_CLASS
        } | {"10": result.curves[criterion][str(TARGET)]}


def fine_tuned(bench: Bench, result: Measured, criterion: str, variant: Variant) -> None:
    """Train what is left on a few pictures, once through, and measure its accuracy."""
    result.tuned[criterion] = []
    for seed in TUNED_SEEDS:
        model = copy.deepcopy(bench.pruned(criterion, variant, TARGET, seed))
        fit(model, bench.learned.first(TUNED), epochs=2, rate=0.001, seed=seed)
        result.tuned[criterion].append(accuracy(model, bench.test))


def sizes(bench: Bench) -> dict[str, Any]:
    """Compare sizes and times of the network and of what relevance leaves at each sparsity."""
    whole = measure_size(bench.task.model, bench.x1)
    rows: dict[str, Any] = {"0": {"parameters": whole.parameters, "macs": whole.macs}}
    for sparsity in SPARSITIES:
        model = bench.pruned("relevance", OWN, sparsity, 0)
        size = measure_size(model, bench.x1)
        ratio = speed_ratio(bench.task.model, model, bench.test.x[:64])
        rows[str(sparsity)] = {
            "parameters": size.parameters,
            "macs": size.macs,
            "time": ratio,
        }
    return rows


def speed_ratio(whole: nn.Module, pruned: nn.Module, x: torch.Tensor) -> float:
    """Return the median ratio of forward times, both run in turn."""
    ratios = []
    with torch.no_grad():
        for _ in range(ROUNDS):
            times = []
            for model in (pruned, whole):
                start = time.perf_counter()
                model(x)
                times.append(time.perf_counter() - start)
            ratios.append(times[0] / times[1])
    return float(torch.tensor(ratios).median())


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the data sets")
    parser.add_argument("--work", type=Path, required=True, help="folder of trained networks")
    parser.add_argument("--only", choices=[*TASKS, ADVICE], help="one network, or the advice")
    parser.add_argument("--page", action="store_true", help="write the page alone")
    parser.add_argument("--docs", type=Path, default=DOCS, help="where pages are written")
    options = parser.parse_args(arguments)
    kept = options.docs / "pruning.json"
    known = json.loads(kept.read_text()) if kept.exists() else {}
    every = [] if options.page else [*TASKS, ADVICE]
    for name in [options.only] if options.only else every:
        known[name] = measured(name, options.data, options.work)
        kept.write_text(json.dumps(known, indent=1) + "\n")
    from pruning_page import write  # with matplotlib

    advice = known.get(ADVICE)
    write(options.docs, {name: known[name] for name in TASKS if name in known}, advice)


def measured(name: str, data: Path, work: Path) -> dict[str, Any]:
    """Measure one network, or what its advice helps."""
    if name in TASKS:
        return vars(measure(TASKS[name](data, work)))
    task = TASKS["fashion-cnn"](data, work)
    return measure_advice(task.train, task.test.first(TEST))


if __name__ == "__main__":
    main()
