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
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch
from pruning_advice import measure_advice
from pruning_criteria import CRITERIA, NORMS, normed
from pruning_intervals import difference, interval
from pruning_networks import TASKS, Pictures, Task, accuracy, fit, is_right
from torch import Tensor, nn

from relprop.use.pruning.groups import Prunable, find_groups
from relprop.use.pruning.record import measure_size
from relprop.use.pruning.relevance import draw_samples
from relprop.use.pruning.stepwise import remove_in_steps

DOCS = Path(__file__).resolve().parent.parent / "docs"
SPARSITIES = (0.3, 0.5, 0.7)
STEPS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.7)  # shares that are gone; up to 0.5 those of the library
SEEDS = (0, 1, 2, 3, 4)
FEWER = (0, 1)  # seeds of what is not the main comparison
PER_CLASS = (1, 5)  # beside the ten of all other tables
TARGET = 0.5  # the sparsity that settings, numbers of samples and training are compared at
TEST, VALIDATION, TUNED = 2_000, 400, 1_000  # pictures
COMPARED = ("relevance", "Taylor", "weight norm")
ROUNDS = 15  # of the speed
ADVICE = "advice"
PROCESSES = 2


@dataclass(frozen=True)
class Form:
    """How scores of layers become comparable: NORMS, and over which channels they are ranked."""

    norm: str
    ranking: str

    def __str__(self) -> str:
        return f"{self.norm}, {self.ranking}"


FORMS = (*(Form(norm, "global") for norm in NORMS), Form("none", "layer"))
OWN = {"relevance": Form("none", "global"), "random": Form("none", "layer")}  # not chosen here


@dataclass(frozen=True)
class Setting:
    """What is done for all criteria alike."""

    name: str
    shares: tuple[float, ...]
    rescale: bool


BEST = Setting("in five steps, rescaled", STEPS[:5], True)
PLAIN = Setting("at once, as it is", (TARGET,), False)


@dataclass
class Measured:
    """Numbers of one network, as JSON keeps them. Three numbers are mean, low and high."""

    task: str
    accuracy: float
    channels: int
    whole: Mapping[str, str]
    forms: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    chosen: dict[str, dict[str, str]] = field(default_factory=dict)
    curves: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    settings: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    gains: dict[str, dict[str, list[float]]] = field(default_factory=dict)
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
        self,
        criterion: str,
        form: Form,
        seed: int,
        setting: Setting = BEST,
        shares: Sequence[float] | None = None,
        per_class: int = 10,
    ) -> dict[float, nn.Module]:
        """Return the network without the channels that a criterion ranks last, by sparsity."""
        rows = draw_samples(self.learned.y, per_class, seed)
        torch.manual_seed(seed)

        def scores(model: nn.Module, x: Tensor, y: Tensor, layers: Sequence[str]) -> Any:
            return normed(CRITERIA[criterion](model, x, y, layers), form.norm)

        shares = setting.shares if shares is None else shares
        steps = remove_in_steps(
            self.task.model,
            self.prunable,
            (self.learned.x[rows], self.learned.y[rows]),
            scores,
            shares,
            ranking=form.ranking,  # type: ignore[arg-type]
            rescale=setting.rescale,
        )
        return {share: one.model for share, one in zip(shares, steps, strict=True)}

    def right(self, runs: Sequence[Mapping[float, nn.Module]]) -> dict[float, Tensor]:
        """Mark the test pictures that are right after each draw, by sparsity, (draws, pictures)."""
        wanted = [share for share in runs[0] if share in SPARSITIES]
        return {w: torch.stack([is_right(run[w], self.test) for run in runs]) for w in wanted}


def measure(task: Task) -> Measured:
    """Measure everything of one network."""
    start, bench = time.perf_counter(), Bench(task)
    total = sum(group.size for group in bench.prunable.groups)
    result = Measured(task.name, accuracy(task.model, bench.test), total, bench.prunable.whole)
    for setting in (BEST, PLAIN):
        compare(bench, result, setting)
        print(task.name, setting.name, result.settings[setting.name], flush=True)
    for criterion in COMPARED[:2]:
        by_samples(bench, result, criterion)
    result.seconds = time.perf_counter() - start
    return result


def compare(bench: Bench, result: Measured, setting: Setting) -> None:
    """Compare criteria in a setting, each in the form that is best on validation pictures."""
    right = dict[str, dict[float, Tensor]]()
    for criterion in CRITERIA if setting is BEST else COMPARED:
        form = choose_form(bench, result, setting, criterion)
        shares = STEPS if setting is BEST else setting.shares
        seeds = SEEDS if criterion in COMPARED else FEWER
        runs = [bench.pruned(criterion, form, seed, setting, shares) for seed in seeds]
        right[criterion] = bench.right(runs)
        if setting is BEST and criterion in COMPARED:
            fine_tuned(bench, result, criterion, [run[TARGET] for run in runs[: len(FEWER)]])
        if setting is BEST and criterion == "relevance":
            result.sizes = sizes(bench, runs[0])
    if setting is BEST:
        result.curves = {
            c: {str(share): interval(one) for share, one in by.items()} for c, by in right.items()
        }
    halves = {c: right[c][TARGET] for c in COMPARED}
    result.settings[setting.name] = {c: interval(one) for c, one in halves.items()}
    result.gains[setting.name] = {
        c: difference(halves["relevance"], one) for c, one in halves.items() if c != "relevance"
    }


def choose_form(bench: Bench, result: Measured, setting: Setting, criterion: str) -> Form:
    """Choose the form of a criterion on pictures of the training part, by seed 0."""
    if criterion in OWN:
        form = OWN[criterion]
    else:
        scores = {
            one: accuracy(bench.pruned(criterion, one, 0, setting)[TARGET], bench.validation)
            for one in FORMS
        }
        form = max(scores, key=scores.__getitem__)
        known = result.forms.setdefault(setting.name, {})
        known[criterion] = {str(one): score for one, score in scores.items()}
    result.chosen.setdefault(setting.name, {})[criterion] = str(form)
    return form


def by_samples(bench: Bench, result: Measured, criterion: str) -> None:
    """Measure accuracy over the number of samples a class."""
    form = Form(*result.chosen[BEST.name][criterion].split(", "))
    found = {}
    for n in PER_CLASS:
        runs = [bench.pruned(criterion, form, seed, per_class=n) for seed in FEWER]
        found[str(n)] = interval(bench.right(runs)[TARGET])
    result.per_class[criterion] = found | {"10": result.settings[BEST.name][criterion]}


def fine_tuned(bench: Bench, result: Measured, criterion: str, models: Sequence[nn.Module]) -> None:
    """Train what is left on a few pictures, and measure its accuracy."""
    right = []
    for seed, pruned in enumerate(models):
        model = copy.deepcopy(pruned)
        fit(model, bench.learned.first(TUNED), epochs=2, rate=0.001, seed=seed)
        right.append(is_right(model, bench.test))
    result.tuned[criterion] = interval(torch.stack(right))


def sizes(bench: Bench, pruned: Mapping[float, nn.Module]) -> dict[str, Any]:
    """Compare sizes and times of the network and of what relevance leaves at each sparsity."""
    whole = measure_size(bench.task.model, bench.x1)
    rows: dict[str, Any] = {"0": {"parameters": whole.parameters, "macs": whole.macs}}
    for sparsity in SPARSITIES:
        model = pruned[sparsity]
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
    names = [options.only] if options.only else every
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        runs = [pool.submit(measured, name, options.data, options.work) for name in names]
        for name, run in zip(names, runs, strict=True):
            known[name] = run.result()
            kept.write_text(json.dumps(known, indent=1) + "\n")
    from pruning_page import write  # with matplotlib

    advice = known.get(ADVICE)
    write(options.docs, {name: known[name] for name in TASKS if name in known}, advice)


def measured(name: str, data: Path, work: Path) -> dict[str, Any]:
    """Measure one network, or what its advice helps."""
    torch.set_num_threads(1)
    if name in TASKS:
        return vars(measure(TASKS[name](data, work)))
    task = TASKS["fashion-cnn"](data, work)
    return measure_advice(task.train, task.test.first(TEST))


if __name__ == "__main__":
    main()
