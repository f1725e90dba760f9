"""The user's model is left exactly as it was, after success and after every kind of error."""

import copy

import pytest
import torch
from networks import signed
from torch import nn

import relprop


class Net(nn.Module):
    """Weights, statistics, a frozen layer, a hook and attributes of the user's own."""

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


def photograph(model: nn.Module) -> dict[str, object]:
    """Everything that could be changed on a model."""
    kept = {}
    for name, module in model.named_modules():
        kept[name, "training"] = module.training
        kept[name, "attributes"] = {key: _copy(value) for key, value in vars(module).items()}
    for name, tensor in model.state_dict(keep_vars=True).items():
        kept[name, "value"] = tensor.detach().clone()
        kept[name, "state"] = (id(tensor), tensor.requires_grad, tensor._version, tensor.grad)
        kept[name, "hooks"] = tensor._backward_hooks
    return kept


def _copy(value: object) -> object:
    if isinstance(value, dict):
        return {key: id(item) for key, item in value.items()}
    return copy.copy(value) if isinstance(value, (list, set)) else value


def assert_untouched(model: nn.Module, before: dict[str, object]) -> None:
    after = photograph(model)
    assert after.keys() == before.keys()
    for key, value in before.items():
        if isinstance(value, torch.Tensor):
            assert value.equal(after[key]), key
        else:
            assert value == after[key], key


X = signed(2, 1, 5, 5).float()


@pytest.mark.parametrize("recipe", ["zero", "epsilon-plus-flat", "alpha-beta"])
def test_after_an_explanation(recipe):
    model = Net().eval()
    model.register_forward_hook(lambda module, args, output: None)
    before = photograph(model)
    explainer = relprop.Explainer(model, recipe)
    explainer(X)
    explainer.plan(X)
    assert_untouched(model, before)


@pytest.mark.parametrize(
    ("model", "x", "recipe", "target", "message"),
    [
        (Net(fails=True).eval(), X, "zero", None, "the model's own error"),
        (Net(odd=True).eval(), X, "zero", None, "no rule for sign"),
        (Net().train(), X, "zero", None, "train mode"),
        (Net().eval(), X[:, 0], "zero", None, "shape"),
        (Net().eval(), X, "zero", 99, "class 99"),
        (Net().eval(), X, "zero", lambda output: 1 / 0, "division"),
    ],
)
def test_after_an_error(model, x, recipe, target, message):
    before = photograph(model)
    with pytest.raises((relprop.RelpropError, ZeroDivisionError), match=message):
        relprop.explain(model, x, recipe, target)
    assert_untouched(model, before)
    assert torch.is_grad_enabled()


class Counts(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.seen.add_(1)
        return self.layer(x) * self.seen


class Shifts(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x):
        x -= 0.5
        return self.layer(x)


IDS = torch.tensor([[1, 2, 3], [4, 5, 6]])
WRITERS = {
    "rows": (
        lambda: nn.Sequential(nn.Embedding(9, 4, max_norm=0.1), nn.Flatten(), nn.Linear(12, 3)),
        IDS,
    ),
    "a buffer": (Counts, signed(2, 4).float()),
    "its input": (Shifts, signed(2, 4).float()),
    "its input by an activation": (
        lambda: nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 3)),
        signed(2, 4).float(),
    ),
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("capture", ["export", "per-input"])
def test_a_forward_that_writes(name, capture):
    make, kept = WRITERS[name]
    model, x = make().eval(), kept.clone()
    before = photograph(model)
    explainer = relprop.Explainer(model, "zero", capture=capture)
    explainer.plan(x)
    output = explainer(x).output
    assert_untouched(model, before)
    assert x.equal(kept)
    torch.testing.assert_close(output, model(x.clone()).detach())


def test_the_photograph_sees_each_kind_of_change():
    def changed(change) -> bool:
        model = Net().eval()
        before = photograph(model)
        change(model)
        try:
            assert_untouched(model, before)
        except AssertionError:
            return True
        return False

    assert not changed(lambda m: None)
    assert changed(lambda m: m.train())
    assert changed(lambda m: m.head.weight.data.add_(1))
    assert changed(lambda m: m.head.weight.requires_grad_(False))
    assert changed(lambda m: m.head.register_forward_hook(print))
    assert changed(lambda m: m.calls.append("x"))
    assert changed(lambda m: setattr(m.head, "relevance", 1))
