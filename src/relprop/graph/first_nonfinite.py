"""Which operation of a model made the first number that is not finite."""

from collections.abc import Mapping

import torch
from torch import Tensor

from .ir import Graph


def describe_first_nonfinite(
    graph: Graph, inputs: Mapping[str, Tensor], state: Mapping[str, Tensor]
) -> str:
    """Words that name the operation whose result was the first with NaN or infinity.

    Minus infinity does not count: masks of attention hold it on purpose.
    """
    values = graph.initial_values(inputs, state)
    for node in graph.nodes:
        value = values[node.name] = node.run(values)
        if isinstance(value, Tensor) and bool((value.isnan() | (value == torch.inf)).any()):
            return f"; the first such number came of {node.where}"
    return ""
