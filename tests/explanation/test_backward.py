"""Several backward passes of one forward pass, together and one after another."""

from typing import Any

import pytest
import torch
from helpers.networks import Deep, pixels, randomise, signed
from torch import Tensor, nn
from zoo import ZOO

import relprop
from relprop.errors import InputError
from relprop.explanation.memory import peak_bytes


def assert_same(got: Tensor, want: Tensor) -> None:
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    "name",
    [
        "torch/gru, two ways, two layers",
        "torch/encoder, padding masked",
        "torch/unet",
        "torch/attention",
    ],
)
def test_several_targets_at_once_are_what_each_is_alone(name):
    model, inputs = ZOO[name].build()
    explainer = relprop.Explainer(model)
    together = explainer(inputs, [0, "runner-up", (1, 2)]).relevance
    for i, target in enumerate([0, "runner-up", (1, 2)]):
        torch.testing.assert_close(together[:, i], explainer(inputs, target).relevance)


@pytest.mark.parametrize("recipe", ["zero", "epsilon-plus-flat", "gamma", "epsilon-alpha2-beta1"])
def test_all_classes_of_one_picture_are_what_each_is_alone(recipe):
    """Their backward passes run as one batch."""
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 8, 2), nn.GELU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32, 3)),
    ).eval()
    explainer, x = relprop.Explainer(model, recipe), torch.randn(1, 3, 12, 12)
    found = explainer(x, "all").relevance
    for k in range(3):
        torch.testing.assert_close(found[:, k], explainer(x, k).relevance)


class Branching(nn.Module):
    """Layers that receive relevance from a layer, from a pool and from several."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.third, self.fourth = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.hidden, self.last = nn.Linear(16, 8), nn.Linear(8, 5)

    def forward(self, x):
        h = self.second(nn.functional.max_pool2d(self.first(x).relu(), 3, 2, 1))
        h = self.fourth(
            h + self.norm(self.third(h))
        )  # the output of the second layer is used twice
        h = nn.functional.max_pool2d(h.relu(), 2)
        return self.last(self.hidden(h.flatten(1)))


@pytest.mark.parametrize(
    ("rule", "parameters"),
    [
        *(("zero", {}), ("epsilon", {"epsilon": 0.1}), ("epsilon", {"relative": True})),
        *(("z-plus", {}), ("gamma", {}), ("alpha-beta", {}), ("flat", {}), ("w-squared", {})),
    ],
)
def test_successive_backward_passes_do_not_disturb_each_other(rule, parameters):
    """They reuse buffers; observed, or one at a time, they do not."""
    model, x = randomise(Branching()).double(), signed(3, 1, 12, 12)
    recipe = relprop.Recipe.preset("zero").using("*", rule, **parameters)
    explainer = relprop.Explainer(model, recipe)
    found = explainer(x, "all")
    for k in range(5):
        assert_same(found.relevance[:, k], explainer(x, k).relevance)
    both = [
        lambda output: output.sum(1),
        0,
    ]  # entries of the first cotangent are one expanded number
    assert_same(explainer(x, both).relevance[:, 0], explainer(x, both[0]).relevance)
    observed = explainer(x, "all", layers=["first"])
    assert_same(found.relevance, observed.relevance)


def test_branches_get_their_gradient():
    """A batch norm that scales relevance in one branch leaves the other branch's as it was."""
    model, x = randomise(Branching()).double(), signed(3, 1, 12, 12).requires_grad_()
    (gradient,) = torch.autograd.grad(model(x)[:, 2].sum(), x)
    assert_same(relprop.explain(model, x.detach(), "zero", 2).relevance, (gradient * x).detach())


def test_a_model_of_one_layer_does_not_write_into_the_cotangent():
    """The cotangent of the output is the caller's: here an expanded number."""
    model, x = randomise(nn.Linear(4, 3)).double(), signed(2, 4)
    explainer = relprop.Explainer(model, "epsilon")
    share = x[:, None] * model.weight / (model(x)[..., None] + 1e-6 * model(x)[..., None].sign())
    want = (share * model(x)[..., None]).sum(1).detach()
    assert_same(explainer(x, lambda output: output.sum(1)).relevance, want)


@relprop.rule(gives="relevance")
def unchanged(step: Any) -> relprop.Back:
    """Return the very tensor that arrives."""
    return relprop.Back(lambda v: v, lambda v: {})


def test_a_rule_of_ones_own_may_keep_what_arrives():
    layers = [nn.Conv2d(1, 1, 1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4, 3)]
    model, x = randomise(nn.Sequential(*layers)).double(), signed(3, 1, 4, 4)
    explainer = relprop.Explainer(model, relprop.Recipe.preset("zero").using("0", unchanged))
    found = explainer(x, "all").relevance
    for k in range(3):
        assert_same(found[:, k], explainer(x, k).relevance)


# ---- recomputation -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["torchvision/resnet18", "torch/encoder", "torch/unet"])
def test_recomputation_changes_no_number(name):
    model, x = ZOO[name].build()
    explainer = relprop.Explainer(model)
    assert torch.equal(explainer(x).relevance, explainer(x, recompute=True).relevance)
    targets = [relprop.at(0), relprop.at(1)]
    several = explainer(x, targets, recompute=True).relevance
    torch.testing.assert_close(several, explainer(x, targets).relevance)


@pytest.mark.filterwarnings("ignore::relprop.errors.VanishingWarning")  # biases take it all
def test_recomputation_keeps_a_part_of_a_deep_model():
    torch.manual_seed(0)
    explainer, x = relprop.Explainer(Deep(depth=36).eval(), "epsilon"), pixels(8, 1, 8, 8).float()
    explainer(x)
    whole, part = (peak_bytes(lambda r=r: explainer(x, recompute=r)) for r in (False, True))
    assert part <= 0.5 * whole


def test_recomputation_and_a_ledger_exclude_each_other():
    with pytest.raises(InputError, match="leave recompute out"):
        relprop.Explainer(Deep().eval())(pixels(2, 1, 8, 8).float(), ledger=True, recompute=True)


class WritesSome(nn.Module):
    """Has a ReLU that writes into a part of a value, which torch.func.vmap cannot batch."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.last = nn.Linear(4, 3)

    def forward(self, x):
        z = self.first(x)
        z[:, :2].relu_()
        return self.last(z)


def test_targets_of_an_operation_that_cannot_be_batched_go_one_by_one():
    torch.manual_seed(0)
    explainer, x = relprop.Explainer(WritesSome().eval(), "epsilon"), torch.ones(1, 4)
    together = explainer(x, target="all").relevance
    alone = torch.stack([explainer(x, target=k).relevance for k in range(3)], 1)
    torch.testing.assert_close(together, alone)
