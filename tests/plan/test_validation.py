"""What planning refuses before anything runs, with the line to write."""

import pytest
import torch
from helpers.function_between import Between
from helpers.nested_cnn import PIXELS, nested_cnn
from helpers.networks import signed
from torch import nn

import relprop
from relprop import Recipe


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda h: h.floor(), "no rule for floor"),
        (lambda h: h.sign(), "no rule for sign"),
        (lambda h: h + h.prod(1, keepdim=True), "relevance cannot pass the statistic prod"),
        (lambda h: torch.ones_like(h) / h, "a constant is divided by a value that depends"),
        (lambda h: torch.atan2(h, h + 1), "no rule for atan2"),
        (lambda h: torch.fft.rfft(h).abs()[:, :1] + h, "no rule for"),
        (lambda h: torch.lerp(h, h * 2, h), "a parameter depends on the input in lerp"),
        (lambda h: torch.addcmul(h, h, h), "an added value depends on the input"),
    ],
)
def test_an_operation_without_a_rule_is_named_with_the_line_to_write(function, message):
    model = Between(function).eval()
    with pytest.raises(relprop.RelpropError, match=message) as error:
        relprop.Explainer(model, "zero").plan(signed(2, 4).float())
    assert error.value.todo.startswith('recipe.using(relprop.Selector(operation="')


@pytest.mark.parametrize(
    ("name", "todo"),
    [("features.5", "name one of these"), ("44", 'write "4"'), ("1", "")],
)
def test_a_row_that_matches_nothing_is_an_error(name, todo):
    recipe = Recipe.preset("zero").using(name, "gamma")
    with pytest.raises(relprop.RelpropError, match="matches no module") as error:
        relprop.Explainer(nested_cnn().eval(), recipe).plan(PIXELS.float())
    assert '"0.0", "2.0", "4"' in error.value.allowed
    assert todo in error.value.todo


@pytest.mark.parametrize("kind", ["softmax", "linear"])
def test_a_kind_without_a_row_is_named_with_its_usual_rule(kind):
    rows = [row for row in Recipe.preset("epsilon").rows if kind not in row.selector.kinds]
    model = Between(lambda h: h.softmax(-1))
    with pytest.raises(relprop.RelpropError, match=f"has no row for .*, a {kind}") as error:
        relprop.Explainer(model.eval(), Recipe("mine", tuple(rows))).plan(signed(2, 4).float())
    recipe = eval(error.value.todo, {"recipe": Recipe("mine", tuple(rows))})
    (row, *_) = recipe.rows
    assert row.rule.name == {"softmax": "taylor", "linear": "epsilon"}[kind]
    assert kind in row.rule.definition.kinds


def test_an_output_that_does_not_depend_on_the_input_is_refused():
    class Constant(nn.Module):
        def forward(self, x):
            return torch.ones(x.shape[0], 3)

    with pytest.raises(relprop.RelpropError, match="does not depend on its input"):
        relprop.explain(Constant().eval(), signed(2, 4).float())
