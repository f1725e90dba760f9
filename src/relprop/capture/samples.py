"""Selects samples of a batch, and explains why a model fails on fewer or more of them.

Takes the inputs of a call. Knows nothing of how a graph is exported or verified.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from ..errors import CaptureError, RelpropError, first_line
from ..graph.inputs import Inputs
from ..graph.ir import Graph


def first_and_last(graph: Graph, inputs: Inputs) -> tuple[Inputs, Inputs]:
    """Select the first sample and the last; for a graph of one batch, all samples twice."""
    if not graph.any_batch:
        return inputs, inputs
    return select_samples(inputs, [0]), select_samples(inputs, [-1])


def select_samples(inputs: Inputs, samples: list[int]) -> Inputs:
    """Select samples by index, as one batch."""
    return inputs.per_sample(lambda t: t[samples])


@contextmanager
def as_capture_error(model: nn.Module, inputs: Inputs) -> Iterator[None]:
    """Turn any error of a run on more or fewer samples than the user's into a CaptureError."""
    try:
        yield
    except RelpropError:
        raise
    except Exception as error:
        batched = ", ".join(f'"{label}"' for label in inputs.batched)
        raise CaptureError(
            f"{type(model).__name__} fails on other numbers of samples than {inputs.batch}: "
            f"{first_line(error)}; {batched} are taken to hold samples",
            "a model that takes any number of samples, and shared inputs whose first size "
            f"is not {inputs.batch}",
            "give a batch of another size if one of these inputs holds no samples",
        ) from error
