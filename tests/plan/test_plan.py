"""The printed plan: what it says of each operation."""

import torch
from helpers.networks import signed
from torch import nn

import relprop
from relprop import Recipe


def rows(model: nn.Module, x: torch.Tensor, recipe: Recipe | str) -> dict[str, str]:
    """Module -> its line of the printed plan."""
    lines = str(relprop.Explainer(model.eval(), recipe).plan(x)).splitlines()[2:]
    return {line.split()[0]: line for line in lines}


CNN = nn.Sequential(
    *(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout()),
    *(nn.Conv2d(4, 4, 3), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)),
)
X = signed(2, 1, 14, 14).float()


def test_a_plan_says_the_rule_of_each_operation_and_why():
    plan = rows(CNN, X, Recipe.preset("epsilon-plus-flat").using("9", "gamma", gamma=0.1))
    assert "flat" in plan["0"]
    assert "any first convolution or linear" in plan["0"]
    assert "conv2d + batch_norm" in plan["0"]
    assert 'BatchNorm "1" folded' in plan["0"]
    assert "1" not in plan
    assert "z-plus" in plan["5"]
    assert "input >= 0" in plan["5"]  # after ReLU and pooling
    assert "epsilon(epsilon=1e-06, relative=False)" in plan["7"]
    assert "input >= 0" not in plan["7"]  # after tanh
    assert "gamma(gamma=0.1)" in plan["9"]
    assert '"9"' in plan["9"]


def test_only_a_layer_whose_output_goes_to_relu_alone_is_rectified():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            a = self.a(x).relu()
            b = self.b(a)
            return self.c(b.relu() + b)

    plan = rows(Net(), signed(2, 4).float(), "gamma")
    assert "only where output > 0" in plan["a"]
    assert "only where output > 0" not in plan["b"]
    assert "input >= 0" in plan["b"]
    assert "input >= 0" not in plan["c"]


def test_the_last_row_that_was_added_wins_and_names_are_globs():
    recipe = Recipe.preset("zero").using("*", "z-plus").using("[05]", "flat").using("5", "epsilon")
    plan = rows(CNN, X, recipe)
    assert " flat " in plan["0"]
    assert " epsilon(" in plan["5"]
    assert " z-plus " in plan["9"]


def test_constants_are_marked():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 3)
            self.scale = nn.Parameter(torch.ones(4))

        def forward(self, x):
            return self.a(x * self.scale.exp())

    plan = str(relprop.Explainer(Net().eval(), "zero").plan(signed(2, 4).float()))
    line = next(line for line in plan.splitlines() if " exp " in line)
    assert line.endswith("constant")
