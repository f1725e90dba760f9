"""Finds the operation of a model that computed the first number that is not finite."""

from collections.abc import Mapping

import torch
from torch import Tensor

from .ir import Graph


def describe_first_nonfinite(
    graph: Graph, inputs: Mapping[str, Tensor], state: Mapping[str, Tensor]
) -> str:
    """Run the graph up to the first NaN or infinity, and name the operation for an error message.

    Minus infinity does not count: attention masks hold it on purpose.

    Returns:
        The end of a sentence; "" if no operation computes such a number.
    """
    values = graph.initial_values(inputs, state)
    for node in graph.nodes:
        value = values[node.name] = node.run(values)
        if isinstance(value, Tensor) and bool((value.isnan() | (value == torch.inf)).any()):
            return f"; the first such number came from {node.where}"
    return ""
