"""Samples with their classes as tensors, of the data that `relprop explain` reads.

Takes settings and a model. Gives all samples that have a label. Must not know what they are for.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..bundles.user_model import UserModel
from ..errors import InputError
from .batches import typed_as_weights
from .classes import choose_names, target_of
from .open_samples import open_samples
from .settings import Settings, read_class_names


@dataclass(frozen=True, eq=False)
class ClassSamples:
    """Samples with their classes.

    Attributes:
        x: As the model takes them, (n, *features).
        y: Class of each, (n,).
        names: Names of the classes.
        left_out: How many could not be read.
    """

    x: Tensor
    y: Tensor
    names: tuple[str, ...]
    left_out: int


def read_class_samples(settings: Settings, model: UserModel) -> ClassSamples:
    """Read labelled samples of a classifier.

    Args:
        settings: Where the data is, and what happens to it; `samples` of them, evenly spaced.
        model: The model that they are for.

    Raises:
        RelpropError: The data cannot be read, a sample has no label of the model's, or several
            inputs.
    """
    given = () if settings.classes is None else read_class_names(settings.classes)
    samples = open_samples(settings, model)
    total = samples.count if settings.samples is None else min(settings.samples, samples.count)
    inputs: list[Tensor] = []
    labels: list[str | None] = []
    left_out = 0
    for batch, unread in samples.batches(settings.batch_size, total):
        left_out += len(unread)
        if batch.names:
            if not isinstance(batch.inputs, Tensor):
                found = f"samples of {len(batch.inputs)} tensors: {', '.join(batch.inputs)}"
                raise InputError(found, "samples of one tensor", "prune such a model in Python")
            inputs.append(batch.inputs)
            labels += batch.labels
    if not inputs:
        raise InputError(f"none of {left_out} samples can be read", "one at least", "look at one")
    x: Tensor = typed_as_weights(torch.cat(inputs), model.module)
    with torch.no_grad():
        scores = model.module(x[:1])
    count = scores.shape[1] if scores.ndim == 2 else 0
    names, _ = choose_names(given, model.class_names, samples.label_names, count)
    y = target_of("label", labels, names, "write --classes names.txt")
    assert isinstance(y, Tensor)
    return ClassSamples(x, y, names, left_out)
