"""Runs a comparison block by block; each block is stored as soon as it is computed.

A block is some images for one model: their relevance by every method, and the curves of every fill.
Blocks bound the memory, and what is lost when a run is stopped. Each has its own random seed, so
that its numbers do not depend on which blocks were computed before.

n  images of a block
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from math import ceil
from pathlib import Path

import torch
from torch import Tensor, nn

from ..evaluate import predict, removal_curves
from ..evaluate.fills.registry import as_fill
from ..explanation.explainer import Explainer
from ..models.defaults import BATCH_SIZE
from ..support.files import as_path
from ..support.progress import (
    QUIET,
    Advance,
    NestedProgress,
    Progress,
    ProgressOption,
    progress_of,
)
from .block_store import BlockStore, open_store, refuse_other_folder
from .curve_tensors import concatenate, to_tensors
from .methods import Attribution, attribute
from .results import Comparison, summarise
from .settings import Settings
from .task import Task, prepare_task


@dataclass(frozen=True)
class Block:
    """Some of the images for one model.

    Attributes:
        name: Name of the block in the store.
        rows: Which images.
        seed: Random seed of all that is drawn for the block.
    """

    name: str
    rows: slice
    seed: int


def compare(
    settings: Settings, folder: str | Path, *, progress: ProgressOption = False
) -> Comparison:
    """Compare attribution methods by feature removal, on one or more models.

    Args:
        settings: What is compared.
        folder: Folder for intermediate results. If a run with the same settings was stopped there,
            only the missing part is computed.
        progress: True shows the stages on stderr.

    Returns:
        Areas, tests, error rates and margins, with 95 % intervals.

    Raises:
        RelpropError: Settings, folder, a model or a method are wrong; raised before any removal.

    Example:
        >>> import tempfile
        >>> from relprop.compare import Settings, compare
        >>> settings = Settings(("mnist-dnn-500",), ("zero",), digits=2, steps=2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     comparison = compare(settings, folder)  # doctest: +SKIP
        >>> comparison.results[0].best.method  # doctest: +SKIP
        'zero'
    """
    shown, folder = progress_of(progress), as_path(folder)
    refuse_other_folder(folder)
    task = prepare_task(settings, shown)
    store = open_store(folder, task.record)
    compute_missing_blocks(task, store, shown)
    blocks = plan_blocks(task)
    with shown.stage("Intervals and tests", len(blocks), "models") as advance:
        return summarise(task, _stored_tensors(store, blocks, advance))


def _stored_tensors(
    store: BlockStore, blocks: Mapping[str, list[Block]], advance: Advance
) -> Iterator[dict[str, Tensor]]:
    """Yield the tensors of each model, so that one model at a time is in memory."""
    for model_blocks in blocks.values():
        yield concatenate([store.read(block.name) for block in model_blocks])
        advance(1)


def compute_missing_blocks(task: Task, store: BlockStore, progress: Progress = QUIET) -> None:
    """Compute and store the blocks that the store lacks, or that are not as it wrote them."""
    blocks = plan_blocks(task)
    missing = {
        model: [block for block in model_blocks if not store.has(block.name)]
        for model, model_blocks in blocks.items()
    }
    for block in chain.from_iterable(missing.values()):
        if store.has_file(block.name):
            progress.log(f"Block {block.name} was changed or is damaged: it is computed again")
    attributions = {model: bind_methods(task, model) for model, part in missing.items() if part}
    curves = (1 + 2 * len(task.methods)) * len(task.settings.fills)
    inputs_per_image = len(task.removed_counts) * curves
    total, left = (inputs_per_image * _count_images(task, part) for part in (blocks, missing))
    with progress.stage("Removal", total, "inputs") as advance:
        advance(total - left)
        for model, functions in attributions.items():
            for block in missing[model]:
                tensors = compute_block(task, model, functions, block, NestedProgress(advance))
                store.write(block.name, tensors)


def _count_images(task: Task, blocks: Mapping[str, list[Block]]) -> int:
    return sum(
        len(task.data[model].digits.labels[block.rows])
        for model, model_blocks in blocks.items()
        for block in model_blocks
    )


def plan_blocks(task: Task) -> Mapping[str, list[Block]]:
    """List the blocks of each model. The same images have the same seed for every model."""
    generator = torch.Generator().manual_seed(task.settings.seed)
    most = max(len(images.digits.labels) for images in task.data.values())
    seeds = torch.randint(2**62, (ceil(most / BATCH_SIZE),), generator=generator).tolist()
    blocks = {}
    for number, (model, images) in enumerate(task.data.items()):
        starts = range(0, len(images.digits.labels), BATCH_SIZE)
        blocks[model] = [
            Block(f"model-{number}-digit-{start}", slice(start, start + BATCH_SIZE), seed)
            for start, seed in zip(starts, seeds, strict=False)
        ]
    return blocks


def compute_block(
    task: Task,
    name: str,
    attributions: Mapping[str, Attribution],
    block: Block,
    progress: Progress = QUIET,
) -> dict[str, Tensor]:
    """Compute the curves of a block for the model `name`, and the classes that it predicts."""
    model, images, settings = task.models[name], task.data[name].digits.images, task.settings
    x = images[block.rows]
    classes = _predicted_classes(model, x)
    relevance = {
        text: attribute(attribution, model, x, classes, seed=block.seed)
        for text, attribution in attributions.items()
    }
    tensors = {"target": classes}
    for fill in settings.fills:
        curves = removal_curves(
            model,
            x,
            relevance,
            target=classes,
            fill=as_fill(fill, images),
            steps=task.removed_counts,
            score=settings.score,
            batch_size=BATCH_SIZE,
            seed=block.seed,
            progress=progress,
        )
        tensors |= to_tensors(fill, curves)
    return tensors


def bind_methods(task: Task, name: str) -> dict[str, Attribution]:
    """Make the methods' functions for a model, and try each on two images, to fail early."""
    model = task.models[name]
    explainer, x = Explainer(model), task.data[name].digits.images[:2]
    attributions = {method.text: method.bind(explainer) for method in task.methods}
    classes = _predicted_classes(model, x)
    for attribution in attributions.values():
        attribute(attribution, model, x, classes, seed=0)
    return attributions


def _predicted_classes(model: nn.Module, x: Tensor) -> Tensor:
    """Predict classes (n,), cloned because autograd refuses tensors of inference mode."""
    return predict(model, x, batch_size=BATCH_SIZE).prediction.clone()
