"""Flags of a graph from a file: those of every capture pass, any that was changed does not."""

from dataclasses import replace

import pytest
import torch
from helpers.networks import randomise, signed
from torch import Tensor, nn

from relprop.capture.model import CapturedModel, capture_model, current_state
from relprop.capture.saved_flags import check_flags
from relprop.errors import FileError
from relprop.explanation.check_inputs import check_inputs

X = signed(3, 4)


class Attends(nn.Module):
    """Weights its entries by a softmax that it writes out, with a mask and a stabiliser."""

    def __init__(self, mask) -> None:
        super().__init__()
        self.layer, self.head, self.mask = nn.Linear(4, 4), nn.Linear(4, 3), mask

    def forward(self, x: Tensor) -> Tensor:
        e = self.mask(self.layer(x).exp(), x)
        return self.head(e / (e.sum(1) + 1e-6)[:, None] * x)


MASKS = {
    "none": lambda e, x: e,
    "a constant": lambda e, x: e * torch.tensor([1.0, 0.0, 1.0, 1.0]).double(),
    "weights": lambda e, x: e * torch.tensor([0.5, 0.0, 2.0, 1.0]).double(),
    "comparisons": lambda e, x: e * (x > -1),
}


def captured(model: nn.Module) -> tuple[CapturedModel, dict]:
    with torch.no_grad():
        inputs = check_inputs(model, X, None)
        result = capture_model(model, inputs, None, per_input=False)
        return result, result.graph.run_all(inputs.tensors, current_state(model, result.graph))


@pytest.mark.parametrize("name", MASKS)
def test_the_flags_of_a_softmax_that_is_written_out(name):
    result, values = captured(randomise(Attends(MASKS[name])).double())
    graph = result.graph
    check_flags(graph, values)
    assert sum(node.held for node in graph.nodes) == 2 + (name != "none")
    for i, node in enumerate(graph.nodes):
        changes = {"floating": not node.floating}
        if isinstance(values[node.name], Tensor):
            changes["held"] = not node.held
        for flag, value in changes.items():
            nodes = (*graph.nodes[:i], replace(node, **{flag: value}), *graph.nodes[i + 1 :])
            with pytest.raises(FileError, match=f"a plan with {flag} = {value} at"):
                check_flags(replace(graph, nodes=nodes), values)
