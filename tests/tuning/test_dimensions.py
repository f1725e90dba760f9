"""The parts of a model that a search chooses rules for, and the recipe of each choice."""

import pytest
import torch
from optuna.trial import FixedTrial
from torch import nn

import relprop
from relprop import Recipe, Selector
from relprop.errors import InputError
from relprop.tuning.dimensions import make_space
from relprop.tuning.objective import Judging
from relprop.tuning.setting import prepare_tuning
from relprop.tuning.space import PARAMETERS


class Choose:
    """Chooses what it is told, by name; else the first rule, and the lowest number."""

    def __init__(self, **rules):
        self.rules, self.asked = rules, []

    def suggest_categorical(self, name, choices, /):
        self.asked.append(name)
        return self.rules.get(name.replace(" ", "_"), choices[0])

    def suggest_float(self, name, low, high, /, *, log):
        self.asked.append(name)
        return low


def plan_of(model, x):
    return relprop.Explainer(model.eval()).plan(x)


CNN = nn.Sequential(
    nn.Conv2d(1, 2, 3),
    nn.ReLU(),
    nn.Conv2d(2, 2, 3),
    nn.AvgPool2d(2),
    nn.Flatten(),
    nn.Linear(8, 3),
)
IMAGE = torch.ones(1, 1, 8, 8)
BOUNDS = (torch.zeros(1, 1, 1), torch.ones(1, 1, 1))
DENSE = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        return self.last(x + self.first(x).relu())


def test_dimensions_are_those_of_the_model():
    space = make_space(plan_of(CNN, IMAGE), blocks=2)
    names = [one.name for one in space.dimensions]
    blocks = ["block 1 of 2", "block 2 of 2", "linear layers"]
    assert names == ["first layer", *blocks, "average-pool"]
    assert str(space.dimensions[1].selector) == "any convolution at depth < 0.333"
    space = make_space(plan_of(DENSE, torch.ones(1, 4)), blocks=2)
    assert str(space.dimensions[1].selector) == "any convolution or linear at depth < 0.500"


def test_there_are_no_more_blocks_than_layers():
    space = make_space(plan_of(CNN, IMAGE), blocks=9)
    assert [one.name for one in space.dimensions if "block" in one.name] == [
        f"block {i} of 2" for i in (1, 2)
    ]


def test_each_block_gets_its_rule():
    space = make_space(plan_of(CNN, IMAGE), blocks=3)
    chosen = Choose(block_1_of_2="gamma", block_2_of_2="z-plus", linear_layers="alpha-beta")
    plan = relprop.Explainer(CNN.eval(), space.choose(chosen)).plan(IMAGE)
    rules = [str(step.rule) for step in plan.steps if step.kind in ("convolution", "linear")]
    assert rules == ["gamma(gamma=0.01)", "z-plus", "alpha-beta(alpha=1.01, beta=0.01)"]


def layer_rules(recipe):
    plan = relprop.Explainer(CNN.eval(), recipe).plan(IMAGE)
    return [step.rule for step in plan.steps if step.kind in ("convolution", "linear")]


@pytest.mark.parametrize(
    ("preset", "parameters"),
    [
        ("zero", {}),
        ("gamma", {"gamma": 0.5}),
        ("alpha-beta", {"alpha": 3.0, "beta": 2.0}),
        ("epsilon-plus", {"epsilon": 0.1, "relative": True}),
        ("epsilon-plus-flat", {"epsilon": 0.1, "relative": True}),
        ("epsilon-gamma-box", {"low": BOUNDS[0], "high": BOUNDS[1], "relative": True}),
        ("epsilon-alpha2-beta1-flat", {"epsilon": 0.1, "relative": True}),
    ],
)
def test_a_preset_is_among_the_recipes(preset, parameters):
    recipe = Recipe.preset(preset, **parameters)
    space = make_space(plan_of(CNN, IMAGE), blocks=2, bounds=BOUNDS)
    choices = space.choices_of(recipe)
    first, second, head = layer_rules(space.choose(FixedTrial(choices)))
    assert [first, second] == layer_rules(recipe)[:2]
    if preset == "epsilon-gamma-box":  # its epsilon of 1e-6 is below the range
        assert head.parameters["epsilon"] == PARAMETERS["epsilon"]["epsilon"].low
    else:
        assert head == layer_rules(recipe)[2]


def test_a_rule_that_a_part_cannot_have_becomes_its_usual_one():
    space = make_space(plan_of(CNN, IMAGE), blocks=1)
    choices = space.choices_of(Recipe.preset("epsilon").using("*", "w-squared"))
    assert (choices["first layer"], choices["linear layers"]) == ("as its block", "zero")


def test_epsilon_of_the_search_is_relative():
    space = make_space(plan_of(CNN, IMAGE), blocks=1)
    row = next(r for r in space.choose(Choose(block_1_of_1="epsilon")).rows)
    low = PARAMETERS["epsilon"]["epsilon"].low
    assert row.rule.parameters == {"epsilon": low, "relative": True}


def test_the_first_layer_may_have_a_rule_of_its_own():
    low, high = torch.zeros(1, 1, 1), torch.ones(1, 1, 1)
    space = make_space(plan_of(CNN, IMAGE), blocks=1, bounds=(low, high))
    recipe = space.choose(Choose(first_layer="z-box"))
    expected = Recipe.preset("epsilon-gamma-box", low=low, high=high).rows[0].rule
    assert recipe.rows[0].rule == expected
    assert recipe.rows[0].selector == Selector(kinds=("convolution", "linear"), depth="first")
    assert len(space.choose(Choose()).rows) == len(recipe.rows) - 1  # as its block: no row


def test_bounds_that_the_first_layer_cannot_take_are_no_choice():
    """Of pictures that are flattened first, or whose channels come last."""
    flat = nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
    setting = prepare_tuning(
        flat, torch.rand(16, 1, 4, 4), None, Judging(("srg",), {}, steps=4), "zero", (), None
    )
    assert setting.bounds is None
    kept = prepare_tuning(
        CNN.eval(), torch.rand(16, 1, 8, 8), None, Judging(("srg",), {}, steps=4), "zero", (), None
    )
    assert [value.shape for value in kept.bounds] == [(1, 1, 1)] * 2


def test_sums_of_a_residual_block_are_a_dimension():
    space = make_space(plan_of(Residual(), torch.ones(1, 4)))
    assert space.dimensions[-1].name == "sums"
    plan = relprop.Explainer(Residual().eval(), space.choose(Choose(sums="positive-sum"))).plan(
        torch.ones(1, 4)
    )
    assert [s.rule.name for s in plan.steps if s.node.operation == "add"] == ["positive-sum"]
    assert all(one.name != "sums" for one in make_space(plan_of(CNN, IMAGE)).dimensions)


def test_groups_take_the_place_of_blocks():
    space = make_space(plan_of(CNN, IMAGE), groups={"head": "5"})
    assert [one.name for one in space.dimensions[1:3]] == ["head", "other layers"]
    recipe = space.choose(Choose(head="gamma", other_layers="z-plus"))
    plan = relprop.Explainer(CNN.eval(), recipe).plan(IMAGE)
    rules = [s.rule.name for s in plan.steps if s.kind in ("convolution", "linear")]
    assert rules == ["z-plus", "z-plus", "gamma"]


def test_a_group_without_layers_is_refused():
    with pytest.raises(InputError, match=r"the group 'head' of modules 'classifier\.\*'") as raised:
        make_space(plan_of(CNN, IMAGE), groups={"head": "classifier.*"})
    assert 'write groups={"head": "0"}' in str(raised.value)


def test_the_space_can_be_printed():
    text = str(make_space(plan_of(CNN, IMAGE), blocks=1))
    assert "block 1 of 1" in text
    assert "gamma(gamma=0.01..10) | z-plus" in text


class Attending(nn.Module):
    """Patches with positions, through a transformer layer."""

    def __init__(self):
        super().__init__()
        self.patches, self.head = nn.Conv2d(1, 8, 2, 2), nn.Linear(8, 3)
        self.position = nn.Parameter(torch.randn(1, 16, 8))
        self.layer = nn.TransformerEncoderLayer(8, 2, 8, 0.0, nn.functional.gelu, batch_first=True)

    def forward(self, x):
        tokens = self.patches(x).flatten(2).transpose(1, 2) + self.position
        return self.head(self.layer(tokens).mean(1))


def test_positions_of_tokens_are_a_dimension_before_all_sums():
    space = make_space(plan_of(Attending(), IMAGE))
    assert [one.name for one in space.dimensions[-2:]] == ["positions", "sums"]
    chosen = space.choose(Choose(positions="position-to-token", sums="absolute-sum"))
    steps = relprop.Explainer(Attending().eval(), chosen).plan(IMAGE).steps
    added = [(s.node.module, s.rule.name) for s in steps if s.node.operation == "add" and s.rule]
    assert added == [("", "position-to-token"), *[("layer", "absolute-sum")] * 2]


def test_a_shift_without_attention_is_no_position():
    class Shifted(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.shift = nn.Linear(4, 4), nn.Parameter(torch.ones(1, 3, 4))

        def forward(self, x):
            return (self.a(x) + self.shift).mean(1)

    space = make_space(plan_of(Shifted(), torch.ones(2, 3, 4)))
    assert "positions" not in [one.name for one in space.dimensions]


def test_a_gamma_for_each_sign_is_a_choice_where_outputs_have_either_sign():
    before_relus = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3))
    assert "gamma-by-sign" not in str(make_space(plan_of(before_relus, torch.ones(1, 4))))
    space = make_space(plan_of(Attending(), IMAGE), blocks=1)
    recipe = space.choose(Choose(block_1_of_1="gamma-by-sign"))
    parameters = {"positive": 0.01, "negative": 0.01}
    assert (recipe.rows[0].rule.name, recipe.rows[0].rule.parameters) == (
        "gamma-by-sign",
        parameters,
    )
