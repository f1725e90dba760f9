"""A small classifier, and the same one with something after its logits."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from relprop.capture.model import capture_model
from relprop.explanation.check_inputs import check_inputs
from relprop.graph.analysis import analyse_graph
from relprop.graph.ir import Graph

from .networks import randomise, signed

X = signed(5, 4)


class Headed(nn.Module):
    """Two linear layers with a ReLU between, and a function of their three logits."""

    def __init__(self, head: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3))
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


def headed(head: Callable[[Tensor], Tensor]) -> nn.Module:
    """Return the classifier with a head, in float64; its weights are the same for every head."""
    return randomise(Headed(head)).double()


def logits() -> nn.Module:
    """Return the classifier without a head."""
    return headed(lambda z: z)


def captured(head: Callable[[Tensor], Tensor]) -> tuple[Graph, set[str], str]:
    """Capture the classifier; return its graph, the values of the input, and the logits' name."""
    model = headed(head)
    with torch.no_grad():
        graph = capture_model(model, check_inputs(model, X, None), None, per_input=False).graph
    *_, last = (node.name for node in graph.nodes if node.operation == "linear")
    return graph, analyse_graph(graph).dependent, last


MASK = torch.tensor([False, True, False])
