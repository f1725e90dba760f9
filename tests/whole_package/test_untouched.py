"""The user's model stays exactly as it was, after success and after every kind of error."""

import pytest
import torch
from helpers.model_state import Net, assert_unchanged, snapshot
from helpers.networks import signed
from torch import nn

import relprop

X = signed(2, 1, 5, 5).float()


@pytest.mark.parametrize("recipe", ["zero", "epsilon-plus-flat", "alpha-beta"])
def test_after_an_explanation(recipe):
    model = Net().eval()
    model.register_forward_hook(lambda module, args, output: None)
    before = snapshot(model)
    explainer = relprop.Explainer(model, recipe)
    explainer(X)
    explainer.plan(X)
    assert_unchanged(model, before)


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
    before = snapshot(model)
    with pytest.raises((relprop.RelpropError, ZeroDivisionError), match=message):
        relprop.explain(model, x, recipe, target)
    assert_unchanged(model, before)
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
    "its embedding": (
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
    make, original = WRITERS[name]
    model, x = make().eval(), original.clone()
    before = snapshot(model)
    explainer = relprop.Explainer(model, "zero", capture=capture)
    explainer.plan(x)
    output = explainer(x).output
    assert_unchanged(model, before)
    assert x.equal(original)
    torch.testing.assert_close(output, model(x.clone()).detach())


def test_the_snapshot_sees_each_kind_of_change():
    def changed(change) -> bool:
        model = Net().eval()
        before = snapshot(model)
        change(model)
        try:
            assert_unchanged(model, before)
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
