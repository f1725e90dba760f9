"""Forward passes: samples with units removed go through the model in whole batches.

Takes a model and inputs. Gives its outputs, checked. A sample is run only in those columns of its
curve in which it differs from the column before. Must not know what is computed from outputs.

n  samples      s  steps, so that a curve has s + 1 columns      p  samples of one forward pass
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ...graph.inputs import Inputs
from ..statistics.predictions import check_output
from .removed_inputs import removed_inputs
from .setup import RemovalSetup


@dataclass(frozen=True)
class PassOutput:
    """The output of one forward pass, of samples in different columns of their curves.

    Attributes:
        rows: Which samples, (p,).
        output: The model's output, (p, ...).
    """

    rows: Tensor
    output: Tensor


def original_output(model: Callable[..., Any], inputs: Inputs, batch_size: int) -> Tensor:
    """Return the model's output for samples from which nothing is removed, (n, ...)."""
    parts = [
        inputs.per_sample(lambda t, rows=rows: t[rows])  # type: ignore[misc]
        for rows in batch_slices(inputs.batch, batch_size)
    ]
    return torch.cat([model_output(model, part) for part in parts])


def forward_passes(
    model: Callable[..., Any], setup: RemovalSetup, removed_at: Tensor, needed: Tensor
) -> Iterator[PassOutput]:
    """Run the model on samples with units removed, column by column, from the second one on.

    Args:
        model: What to run.
        setup: What is removed, and replaced how.
        removed_at: First column in which each entry is removed, (n, *sizes).
        needed: Which samples to run in which column, boolean (n, s + 1).
    """
    inputs_at = removed_inputs(setup, removed_at)
    columns, rows = needed[:, 1:].T.nonzero(as_tuple=True)
    columns = columns + 1
    for part in batch_slices(len(rows), setup.batch_size):
        inputs = inputs_at(rows[part], columns[part])
        yield PassOutput(rows[part], model_output(model, inputs))


def batch_slices(n: int, size: int) -> list[slice]:
    """Split n samples into slices of at most `size`, as even as possible.

    A small last batch would waste time.
    """
    number = -(-n // size)
    edges = [n * i // max(1, number) for i in range(number + 1)]
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


def model_output(model: Callable[..., Any], inputs: Inputs) -> Tensor:
    """Run one forward pass. Raises InputError unless it returns finite numbers per sample."""
    positional, named = inputs.arrange(inputs.values)
    output = model(*positional, **named)
    if isinstance(output, Mapping) and "logits" in output:
        output = output["logits"]
    if not isinstance(output, Tensor) or output.shape[:1] != (inputs.batch,):
        got = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise InputError(
            f"a model that returned {got} for a batch of {inputs.batch}",
            'a tensor (n, ...), or a mapping in which "logits" is one',
            "wrap the model so that it returns its scores alone",
        )
    check_output(output)
    # half precision would leave two digits of an area under a curve
    return output if output.dtype in (torch.float32, torch.float64) else output.float()
