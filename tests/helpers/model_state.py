"""Snapshots of a model, to see that it is left as it was."""

import copy

import torch
from torch import nn


class Net(nn.Module):
    """Weights, running statistics, a frozen layer, an in-place activation and an attribute."""

    def __init__(self, *, fails: bool = False, odd: bool = False) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(inplace=True))
        self.head = nn.Linear(3, 4)
        self.body[0].weight.requires_grad_(False)
        self.fails, self.odd = fails, odd
        self.calls: list[str] = []

    def forward(self, x):
        self.calls.append("forward")
        if self.fails:
            raise ZeroDivisionError("the model's own error")
        h = self.body(x).mean((2, 3))
        return self.head(h.sign() if self.odd else h)


def snapshot(model: nn.Module) -> dict[str, object]:
    """Record everything that could be changed on a model."""
    state = {}
    for name, module in model.named_modules():
        state[name, "training"] = module.training
        state[name, "attributes"] = {key: _copy(value) for key, value in vars(module).items()}
    for name, tensor in model.state_dict(keep_vars=True).items():
        state[name, "value"] = tensor.detach().clone()
        state[name, "state"] = (id(tensor), tensor.requires_grad, tensor._version, tensor.grad)
        state[name, "hooks"] = tensor._backward_hooks
    return state


def _copy(value: object) -> object:
    if isinstance(value, dict):
        return {key: id(item) for key, item in value.items()}
    return copy.copy(value) if isinstance(value, (list, set)) else value


def assert_unchanged(model: nn.Module, before: dict[str, object]) -> None:
    after = snapshot(model)
    assert after.keys() == before.keys()
    for key, value in before.items():
        if isinstance(value, torch.Tensor):
            assert value.equal(after[key]), key
        else:
            assert value == after[key], key
