"""Running a comparison: block by block, each written as soon as it is done.

A block is some digits by one model: their relevance by every method, and the curves of every fill.
It bounds what is in memory, and what is lost when a run is stopped. Its random numbers are its own,
so that they do not depend on which blocks were there before.

n  digits of a block
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..evaluate import read, removal_curves
from ..evaluate.named_fills import as_fill
from ..explain import Explainer
from ..progress import QUIET, Advance, Part, Progress
from .blocks import Folder, open_folder
from .keeping import as_tensors, joined
from .methods import Attribution, relevance
from .results import Comparison, summarise
from .settings import Settings, Task, prepare

BLOCK = 250  # digits, which is one forward pass: of the sizes from 50 to 1,000 the fastest


@dataclass(frozen=True)
class Block:
    """Some of the digits by one model."""

    name: str  # in the folder
    rows: slice
    seed: int


def compare(settings: Settings, out: Path, progress: Progress = QUIET) -> Comparison:
    """Run what is not done yet, and summarise all of it.

    out  a folder for the blocks; one that the same settings began is gone on with
    Raises RelpropError before anything is removed if settings, folder, a model or a method is
    wrong.
    """
    task = prepare(settings, progress)
    folder = open_folder(out, task.record)
    run(task, folder, progress)
    plan = blocks(task)
    with progress.stage("Intervals and tests", len(plan), "models") as advance:
        return summarise(task, _kept(folder, plan, advance))


def _kept(
    folder: Folder, plan: Mapping[str, list[Block]], advance: Advance
) -> Iterator[dict[str, Tensor]]:
    """The tensors of each model, one model at a time in memory."""
    for some in plan.values():
        yield joined([folder.read(one.name) for one in some])
        advance(1)


def run(task: Task, folder: Folder, progress: Progress = QUIET) -> None:
    """Compute the blocks that the folder lacks."""
    plan = blocks(task)
    waiting = {m: [one for one in some if not folder.has(one.name)] for m, some in plan.items()}
    ready = {model: bound(task, model) for model, some in waiting.items() if some}
    n = len(task.digits.labels)
    per_digit = len(task.removed) * (1 + 2 * len(task.methods)) * len(task.settings.fills)
    with progress.stage("Removal", n * len(plan) * per_digit, "inputs") as advance:
        left = sum(len(task.digits.labels[one.rows]) for some in waiting.values() for one in some)
        advance((n * len(plan) - left) * per_digit)
        for model, attributions in ready.items():
            for one in waiting[model]:
                found = tried(task, task.models[model], attributions, one, Part(advance))
                folder.write(one.name, found)


def blocks(task: Task) -> Mapping[str, list[Block]]:
    """The blocks of each model. The same digits have the same seed, whatever the model."""
    n = len(task.digits.labels)
    starts = range(0, n, BLOCK)
    generator = torch.Generator().manual_seed(task.settings.seed)
    seeds = torch.randint(2**62, (len(starts),), generator=generator).tolist()
    return {
        model: [
            Block(f"model-{number}-digit-{start}", slice(start, start + BLOCK), seed)
            for start, seed in zip(starts, seeds, strict=True)
        ]
        for number, model in enumerate(task.models)
    }


def tried(
    task: Task,
    model: nn.Module,
    attributions: Mapping[str, Attribution],
    block: Block,
    progress: Progress = QUIET,
) -> dict[str, Tensor]:
    """The curves of a block as tensors, and the classes that are followed: what is predicted."""
    images, settings = task.digits.images, task.settings
    x = images[block.rows]
    classes = _predicted(model, x)
    maps = {
        name: relevance(attribution, x, classes, seed=block.seed)
        for name, attribution in attributions.items()
    }
    found = {"target": classes}
    for fill in settings.fills:
        curves = removal_curves(
            model,
            x,
            maps,
            target=classes,
            fill=as_fill(fill, images),
            steps=task.removed,
            score=settings.score,
            batch_size=BLOCK,
            seed=block.seed,
            progress=progress,
        )
        found |= as_tensors(fill, curves)
    return found


def bound(task: Task, name: str) -> dict[str, Attribution]:
    """The methods of a model, each tried on two digits, so that what fails does so at once."""
    model = task.models[name]
    explainer, x = Explainer(model), task.digits.images[:2]
    attributions = {method.text: method.bind(explainer) for method in task.methods}
    classes = _predicted(model, x)
    for attribution in attributions.values():
        relevance(attribution, x, classes, seed=0)
    return attributions


def _predicted(model: nn.Module, x: Tensor) -> Tensor:
    """What is read, (n,); a copy, because autograd takes no tensor of inference mode."""
    return read(model, x, batch=BLOCK).prediction.clone()
