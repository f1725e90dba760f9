"""Graphs of small functions, and what is known of their values."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from relprop.capture.model import capture_model
from relprop.explanation.check_inputs import check_inputs
from relprop.graph.analysis import GraphAnalysis, analyse_graph
from relprop.graph.ir import Graph

from .networks import signed


class Applied(nn.Module):
    """A function of the input and of four linear layers."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x, *self.layers)


def analyse(
    function: nn.Module | Callable[..., Tensor], x: Tensor | None = None
) -> tuple[Graph, GraphAnalysis]:
    """Capture a model, or a function of x and four layers, and analyse its graph."""
    model = function if isinstance(function, nn.Module) else Applied(function)
    x = signed(2, 4) if x is None else x
    model = model.double().eval()
    with torch.no_grad():
        inputs = check_inputs(model, x, None)
        graph = capture_model(model, inputs, None, per_input=False).graph
    return graph, analyse_graph(graph)
