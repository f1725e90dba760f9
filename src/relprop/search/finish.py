"""The end of a fit: the final model meets the test part, once, and is written.

Takes a search that has ended. Gives the content of the bundle, which is on the disk by then.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..bundles.build import build_member, join_members
from ..bundles.content import BundleContent, LeaderboardRow, PartOutputs
from ..data.dataset import Dataset
from ..errors import InputError
from ..prepare.registry import restore_preparation
from ..support.files import write_csv
from .choice import rank
from .contents import part_outputs
from .final import make_final
from .loop import Search
from .metrics import measure
from .model import mean_output
from .prepared import PreparedData

PREDICTIONS, CONFUSION = "test-predictions.csv", "test-confusion.csv"
_PREPARED = 4096  # test samples that are prepared at a time: all of them need not fit in memory
_PROBABILITIES = 100  # classes, at most, whose probabilities are written beside each prediction


def finish(search: Search) -> BundleContent:
    """Make the final model, measure it on the test part, and write the bundle.

    Raises:
        InputError: No trial gave a model.
        FileError: A file cannot be written; the bundle is the best model so far then.
    """
    rows, number = search.study.rows(), search.study.leader
    if number is None:
        raise _no_model(rows)
    # it has no row if its process was killed between the first training and its validation
    leader = next((row for row in rows if row.number == number), None)
    content = make_final(search, leader) if leader else search.shelf.model(number)
    search.write(content)
    if search.earlier is not None:
        content = _better_of(search, search.earlier, content)
    content = measure_test_part(content, search.setup.data, search.setup.device)
    seconds = search.started.spent() + (search.earlier.seconds if search.earlier else 0.0)
    content = replace(content, leaderboard=rows, seconds=seconds)
    search.write(content, is_final=True)
    write_test_files(search.out, search.origin.dataset, content)
    return content


def _better_of(search: Search, earlier: BundleContent, new: BundleContent) -> BundleContent:
    """Return the model of an earlier run, or the new one, which may have had less time.

    They are compared by the validation samples that neither has learned; alike, the new one is
    taken, unless it averages fewer networks.
    """
    parts = earlier.outputs.get("validation"), new.outputs.get("validation")
    first, second = (np.array([]) if part is None else part.rows.numpy() for part in parts)
    common, *places = np.intersect1d(first, second, return_indices=True)
    if parts[0] is None or parts[1] is None or not len(common):
        return new if (new.budget or 0) >= (earlier.budget or 0) else earlier
    targets, task = search.setup.data.targets(common), search.origin.dataset.target.task
    given = (part.outputs[place] for part, place in zip(parts, places, strict=True) if part)
    ranks = [rank(outputs, targets, task) for outputs in given]
    kept = (*ranks[0], len(earlier.members)) > (*ranks[1], len(new.members))
    if kept:
        search.progress.log(
            "the model of the earlier run stays: it is better on validation samples"
        )
    return earlier if kept else new


def measure_test_part(content: BundleContent, data: PreparedData, device: str) -> BundleContent:
    """Return a content with the metrics of its model on the test part, and what it gave for it."""
    dataset = data.dataset
    rows = dataset.rows("test")
    saved = content.preparation
    preparation = restore_preparation(content.modality, saved.state, saved.tensors)
    model = join_members([build_member(member) for member in content.members]).eval()
    parts = np.array_split(rows, max(1, len(rows) // _PREPARED))
    outputs = torch.cat(
        [mean_output((model,), preparation.apply(dataset.take(part)), device) for part in parts]
    )
    metrics = measure(outputs, data.targets(rows), content.task, content.scale)
    given = {**content.outputs, "test": part_outputs(dataset, rows, outputs)}
    return replace(content, metrics=metrics, outputs=given)


def write_test_files(folder: Path, dataset: Dataset, content: BundleContent) -> None:
    """Write what was predicted of each test sample, and of classes the confusion matrix, as CSV."""
    found = content.outputs["test"]
    keys = [dataset.keys[row] for row in found.rows.tolist()]
    names, cells = _predictions(content, found)
    rows = [["sample", *names], *([key, *row] for key, row in zip(keys, cells, strict=True))]
    write_csv(folder / PREDICTIONS, rows, "relprop fit --out")
    if content.task == "classes":
        classes = content.target_names
        table = _confusion(found, len(classes)).tolist()
        body = [[name, *row] for name, row in zip(classes, table, strict=True)]
        write_csv(folder / CONFUSION, [["true \\ predicted", *classes], *body], "relprop fit --out")


def _predictions(
    content: BundleContent, found: PartOutputs
) -> tuple[list[str], list[list[object]]]:
    """Return names of columns, and cells for each sample."""
    names = content.target_names
    if content.task == "value":
        predicted = found.outputs[:, 0].double() * content.scale.std + content.scale.mean
        pairs = zip(found.targets.tolist(), predicted.tolist(), strict=True)
        return ["true", "predicted"], [[true, value] for true, value in pairs]
    if content.task == "labels":
        chances = found.outputs.double().sigmoid().tolist()
        true_rows = found.targets.int().tolist()
        columns = [f"{kind} {name}" for kind in ("true", "probability") for name in names]
        return columns, [[*true, *row] for true, row in zip(true_rows, chances, strict=True)]
    probabilities = found.outputs.double().softmax(1)
    most, best = probabilities.max(1)
    columns, shown = ["probability"], most[:, None]
    if len(names) <= _PROBABILITIES:
        columns, shown = [f"probability {name}" for name in names], probabilities
    each = zip(found.targets.tolist(), best.tolist(), shown.tolist(), strict=True)
    rows = [[names[true], names[guess], *row] for true, guess, row in each]
    return ["true", "predicted", *columns], rows


def _confusion(found: PartOutputs, classes: int) -> Tensor:
    """Count test samples by true class (rows) and predicted class (columns)."""
    cells = found.targets * classes + found.outputs.argmax(1)
    return torch.bincount(cells, minlength=classes**2).reshape(classes, classes)


def _no_model(rows: tuple[LeaderboardRow, ...]) -> InputError:
    states = {"memory": "took too much memory", "diverged": "diverged"}
    reasons = dict.fromkeys(row.note or states.get(row.state, row.state) for row in rows)
    given = f"a search in which none of {len(rows)} trials gave a model: {'; '.join(reasons)}"
    return InputError(
        given,
        "a trial that ends with a score",
        "give it more time with --budget, more with --memory, or other families in [space]",
    )
