"""Writes a pruned model: as a list of layers with its weights where it is one, else as a program.

Takes a PrunedModel. Gives the path of a file that `relprop explain --model` reads.
"""

from pathlib import Path

import torch
from torch import Tensor

from ...errors import FileError, InputError, first_line
from ...models.architecture import describe
from ...models.card import ModelCard
from ...models.checkpoint import save_model
from ...support.files import make_folder
from .record import PrunedModel


def save_pruned(pruned: PrunedModel, x: Tensor, folder: Path) -> Path:
    """Write pruned.safetensors with its card, or pruned.pt2 of torch.export.

    Args:
        pruned: What `prune_channels` returned.
        x: A sample, (1, *features).
        folder: Where it is written.

    Raises:
        FileError: It cannot be written, or torch.export does not read the model.
    """
    make_folder(folder)
    try:
        describe(pruned.model)
    except InputError:
        return _export(pruned, x, folder / "pruned.pt2")
    shape = tuple(x.shape[1:])
    note = f"{pruned.sparsity:.1%} of its channels were removed by their relevance"
    card = ModelCard("pruned", input_shape=shape, training=note, accuracy=pruned.accuracy_after)
    save_model(pruned.model, folder / "pruned.safetensors", card)
    return folder / "pruned.safetensors"


def _export(pruned: PrunedModel, x: Tensor, path: Path) -> Path:
    batch = torch.export.Dim("batch", min=1)
    two = torch.cat([x, x])  # a batch of one would be taken as a constant
    try:
        program = torch.export.export(pruned.model, (two,), dynamic_shapes=({0: batch},))
        torch.export.save(program, path)
    except (RuntimeError, ValueError, TypeError, OSError) as error:
        given = f"{path} cannot be written: {first_line(error)}"
        todo = "prune it in Python by relprop.use.prune_channels, and keep its state_dict"
        raise FileError(given, "a model that torch.export reads", todo) from error
    return path
