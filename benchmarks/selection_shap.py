"""Ranks features by SHAP's DeepExplainer, on the networks that relevance is computed for.

Takes a ranking task of relprop. Gives mean |SHAP value| of each feature. Needs the shap package.
"""

import copy
import sys

import numpy as np
import torch
from torch import nn

from relprop.networks.member_layers import MemberHead, MemberLinear
from relprop.use.selection.held_out import sum_entries
from relprop.use.selection.rankers import RankingTask

EXPLAINED = 100  # held-out samples of each network: the values of all would take minutes
BACKGROUND = 50  # samples of the training part, as the reference


def shap_importance(task: RankingTask) -> np.ndarray:
    """Return mean |SHAP value| over held-out samples, summed over the classes, (d,)."""
    # numba, which it needs, looks for a package of the name of a script that lies here
    sys.modules.setdefault("coverage", None)  # type: ignore[arg-type]
    import shap

    total = np.zeros(len(task.features.names))
    for one in task.models:
        x = task.data.inputs(one.model.preparation, one.fold.validation)[:EXPLAINED]
        background = task.data.inputs(one.model.preparation, one.fold.train)[:BACKGROUND]
        network = _plain(one.model.networks[0]).eval()
        values = shap.DeepExplainer(network, background).shap_values(x, check_additivity=False)
        entries = task.features.entries(one.model.preparation, x)
        for of_class in np.moveaxis(np.asarray(values), -1, 0):
            summed = sum_entries(torch.from_numpy(of_class), entries, len(total))
            total += summed.abs().sum(0).numpy()
    return total


def _plain(network: nn.Module) -> nn.Module:
    """Return a copy whose layers of members are ordinary linear ones, which SHAP knows."""
    network = copy.deepcopy(network)
    for name, layer in list(network.named_modules()):
        if isinstance(layer, (MemberLinear, MemberHead)):
            parent = network.get_submodule(name.rpartition(".")[0])
            setattr(parent, name.rpartition(".")[2], _linear(layer))
    return _Scores(network)


def _linear(layer: MemberLinear | MemberHead) -> nn.Linear:
    """Read weights and bias of a linear map off its values."""
    inputs = layer.weight.shape[2] * (1 if getattr(layer, "shared", False) else layer.members)
    with torch.no_grad():
        bias = layer(torch.zeros(1, inputs))[0]
        weight = (layer(torch.eye(inputs)) - bias).T
        made = nn.Linear(inputs, len(bias))
        made.weight.copy_(weight)
        made.bias.copy_(bias)
    return made


class _Scores(nn.Module):
    """A network whose hooks SHAP may set and leave."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.network(x)
