"""Derived weights are cached from call to call, and invalidated when the model's weights change."""

import copy

import pytest
import torch
from helpers.networks import pixels
from torch import Tensor, nn

import relprop


@pytest.mark.parametrize("recipe", ["epsilon-plus-flat", "epsilon"])
@pytest.mark.parametrize(
    "change",
    [
        lambda w: w.data.mul_(1.5),  # does not raise torch's version counter
        lambda w: w.data.copy_(w.data.flip(0)),
        lambda w: w.data.view(-1)[-1].add_(1.0),
        lambda w: w.add_(1.0),
        lambda w: setattr(w, "data", w.data * 2),
    ],
    ids=["data", "order", "one entry", "in place", "storage"],
)
def test_derived_weights_follow_the_model(recipe, change):
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(64, 3)),
    ).eval()
    explainer, x = relprop.Explainer(model, recipe), pixels(2, 1, 8, 8).float()
    explainer(x)
    for parameter in (model[0].weight, model[1].weight, model[3].weight):
        with torch.no_grad():
            change(parameter)
        fresh = relprop.explain(copy.deepcopy(model), x, recipe).relevance
        assert torch.equal(explainer(x).relevance, fresh)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_change_beside_a_far_larger_number_is_followed(dtype):
    torch.manual_seed(0)
    parts = nn.Linear(4, 3, bias=False), nn.BatchNorm1d(3), nn.ReLU(), nn.Linear(3, 2)
    model, x = nn.Sequential(*parts).to(dtype).eval(), torch.randn(5, 4, dtype=dtype)
    model[1].running_var[0] = 1e8
    explainer = relprop.Explainer(model, "epsilon")
    explainer(x, 1)
    model[1].running_var.data[2] = 2
    fresh = relprop.explain(copy.deepcopy(model), x, "epsilon", 1).relevance
    assert torch.equal(explainer(x, 1).relevance, fresh)


class Rearranged(nn.Module):
    """Linear functions whose weights are computed from parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.square = nn.Parameter(torch.randn(6, 6))
        self.halves = nn.ParameterList(nn.Parameter(torch.randn(2, 6)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        h = nn.functional.linear(x, self.square.tril())
        return nn.functional.linear(h, torch.cat(list(self.halves)))


@pytest.mark.parametrize("recipe", ["zero", "epsilon", "gamma"])
def test_weights_that_are_computed_from_parameters_follow_them(recipe):
    """The epsilon rule derives no weight, but these are computed from parameters."""
    torch.manual_seed(0)
    model, x = Rearranged().eval(), torch.randn(2, 6)
    explainer = relprop.Explainer(model, recipe)
    explainer(x)
    for parameter in (model.square, model.halves[1]):
        parameter.data.mul_(1.5)  # does not raise torch's version counter
        fresh = relprop.explain(copy.deepcopy(model), x, recipe)
        explanation = explainer(x)
        assert torch.equal(explanation.relevance, fresh.relevance)
        assert torch.equal(explanation.output, model(x).detach())


@pytest.mark.parametrize("recipe", ["epsilon", "epsilon-plus"])
def test_a_weight_that_layers_share_may_be_replaced_in_one_of_them(recipe):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 4)).eval()
    model[2].weight = model[0].weight
    explainer, x = relprop.Explainer(model, recipe), torch.rand(3, 4)
    explainer(x)
    assert model[2].weight is model[0].weight
    model[2].weight = nn.Parameter(torch.randn(4, 4))
    got, want = explainer(x), relprop.explain(copy.deepcopy(model), x, recipe)
    torch.testing.assert_close(got.output, model(x).detach())
    torch.testing.assert_close(got.relevance, want.relevance)


@relprop.rule(kinds=("linear",))
def positive_weights(layer):
    """Derives weights in its backward pass alone."""

    def pull(c):
        return layer.transpose(c, layer.weights.positive)

    return relprop.Back(pull, lambda c: {})


def test_what_a_custom_rule_derives_in_its_backward_pass_follows_the_weights():
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)).eval(), torch.rand(2, 4)
    recipe = relprop.Recipe.preset("epsilon").using("*", positive_weights)
    explainer = relprop.Explainer(model, recipe)
    explainer(x, target=0)
    for layer in (model[0], model[2]):
        layer.weight.data.neg_()
    want = relprop.Explainer(model, recipe)(x, target=0).relevance
    torch.testing.assert_close(explainer(x, target=0).relevance, want)
