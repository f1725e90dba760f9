"""Running a comparison: block by block, each written as soon as it is done.

A block is some digits by one model: their relevance by every method, and the curves of every fill.
It bounds what is in memory, and what is lost when a run is stopped. Its random numbers are its own,
so that they do not depend on which blocks were there before.

n  digits of a block
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import torch
from torch import Tensor, nn

from ..evaluate import predict, removal_curves
from ..evaluate.fills.registry import as_fill
from ..explanation.explainer import Explainer
from ..support.progress import QUIET, Advance, NestedProgress, Progress
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
    per_digit = len(task.removed) * (1 + 2 * len(task.methods)) * len(task.settings.fills)
    inputs, left = (per_digit * _amount(task, each) for each in (plan, waiting))
    with progress.stage("Removal", inputs, "inputs") as advance:
        advance(inputs - left)
        for model, attributions in ready.items():
            for one in waiting[model]:
                folder.write(one.name, tried(task, model, attributions, one, NestedProgress(advance)))


def _amount(task: Task, plan: Mapping[str, list[Block]]) -> int:
    """Digits of all these blocks."""
    return sum(
        len(task.digits[model].digits.labels[one.rows])
        for model, some in plan.items()
        for one in some
    )


def blocks(task: Task) -> Mapping[str, list[Block]]:
    """The blocks of each model. The same digits have the same seed, whatever the model."""
    generator = torch.Generator().manual_seed(task.settings.seed)
    most = max(len(source.digits.labels) for source in task.digits.values())
    seeds = torch.randint(2**62, (ceil(most / BLOCK),), generator=generator).tolist()
    return {
        model: [
            Block(f"model-{number}-digit-{start}", slice(start, start + BLOCK), seed)
            for start, seed in zip(range(0, len(source.digits.labels), BLOCK), seeds, strict=False)
        ]
        for number, (model, source) in enumerate(task.digits.items())
    }


def tried(
    task: Task,
    name: str,
    attributions: Mapping[str, Attribution],
    block: Block,
    progress: Progress = QUIET,
) -> dict[str, Tensor]:
    """The curves of a block of this model as tensors, and the classes that it predicts."""
    model, images, settings = task.models[name], task.digits[name].digits.images, task.settings
    x = images[block.rows]
    classes = _predicted(model, x)
    maps = {
        text: relevance(attribution, model, x, classes, seed=block.seed)
        for text, attribution in attributions.items()
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
    explainer, x = Explainer(model), task.digits[name].digits.images[:2]
    attributions = {method.text: method.of(explainer) for method in task.methods}
    classes = _predicted(model, x)
    for attribution in attributions.values():
        relevance(attribution, model, x, classes, seed=0)
    return attributions


def _predicted(model: nn.Module, x: Tensor) -> Tensor:
    """What is read, (n,); a copy, because autograd takes no tensor of inference mode."""
    return predict(model, x, batch_size=BLOCK).prediction.clone()
