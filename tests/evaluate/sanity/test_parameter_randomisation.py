"""Parameter randomisation, against loops that copy, reset and compare layer by layer."""

import copy
import math

import pytest
import torch
from helpers.model_state import Net, assert_unchanged, snapshot
from helpers.networks import dense, randomise
from helpers.sanity_methods import gradient_times_input, looks_at_the_input_alone, perceptron
from scipy import stats
from torch import nn

import relprop
from relprop.errors import InputError
from relprop.evaluate import parameter_randomisation

MODEL, X = perceptron(6, 5, 4, 3)


def rank_correlations(first, second):
    pairs = zip(first.flatten(1).numpy(), second.flatten(1).numpy(), strict=True)
    return torch.tensor([stats.spearmanr(a, b).statistic for a, b in pairs])


# ---- parameters ------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["cascading", "independent"])
def test_it_equals_a_loop_over_layers(mode):
    got = parameter_randomisation(MODEL, X, gradient_times_input, mode=mode, seed=5)
    target = MODEL(X).argmax(1)
    before = gradient_times_input(MODEL, X, target)
    changed = copy.deepcopy(MODEL)
    assert got.layers == ("4", "2", "0")
    assert got.target.equal(target)
    for i, name in enumerate(got.layers):
        if mode == "independent":
            changed = copy.deepcopy(MODEL)
        torch.manual_seed(5 + i)
        changed.get_submodule(name).reset_parameters()
        after = gradient_times_input(changed, X, target)
        torch.testing.assert_close(got.spearman[i], rank_correlations(before, after))
        torch.testing.assert_close(got.cosine[i], torch.cosine_similarity(before, after))


@pytest.mark.parametrize("mode", ["cascading", "independent"])
def test_the_model_is_not_written(mode):
    model = Net().eval()
    x = torch.randn(4, 1, 5, 5)
    before, random = snapshot(model), torch.get_rng_state()
    seen = []

    def method(model, x, target):
        seen.append(model)
        return gradient_times_input(model, x, target)

    got = parameter_randomisation(model, x, method, mode=mode)
    assert got.initialisers == ("reset_parameters",) * 3
    assert {id(one) for one in seen} == {id(seen[0])} != {id(model)}
    assert torch.get_rng_state().equal(random)
    assert_unchanged(model, before)


def test_independent_restores_everything_running_statistics_too():
    """The output layer comes first: left as it is, it would be seen in all other calls."""
    model = randomise(Net())
    states = []

    def method(model, x, target):
        states.append(copy.deepcopy(model.state_dict()))
        return x

    layers = parameter_randomisation(
        model, torch.randn(4, 1, 5, 5), method, mode="independent"
    ).layers
    for layer, state in zip(layers, states[1:], strict=True):
        for name, value in model.state_dict().items():
            drawn = name.startswith(layer + ".") and value.is_floating_point()
            assert drawn == (not state[name].equal(value)), name


def test_relevance_that_looks_at_no_model_stays_the_same():
    got = parameter_randomisation(MODEL, X, looks_at_the_input_alone)
    torch.testing.assert_close(got.spearman, torch.ones(3, 7).double())
    torch.testing.assert_close(got.cosine, torch.ones(3, 7).double())


class HeadFirst(nn.Module):
    """Registered in another order than it runs; with a layer that is not called by itself."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 3)
        self.attention = nn.MultiheadAttention(4, 2, batch_first=True)
        self.stem = nn.Linear(2, 4)
        self.place = nn.Parameter(torch.tensor([1.0, 2.0, 3.0]))

    def forward(self, x):
        h = self.stem(x) + self.place.mean()
        return self.head(self.attention(h, h, h, need_weights=False)[0].mean(1))


def test_layers_are_in_the_order_in_which_they_run():
    x = torch.randn(5, 3, 2)
    got = parameter_randomisation(HeadFirst().eval(), x, gradient_times_input)
    assert got.layers == ("head", "attention.out_proj", "attention", "stem", "")
    assert got.initialisers == ("reset_parameters",) * 2 + ("normal", "reset_parameters", "normal")
    some = parameter_randomisation(
        HeadFirst().eval(), x, gradient_times_input, layers=["head", "att*"]
    )
    assert some.layers == got.layers[:3]


def test_without_reset_parameters_values_are_drawn_with_their_own_mean_and_deviation():
    """Relevance is the parameter itself, so that the similarity is that of old and new values."""
    model = HeadFirst().double().eval()
    got = parameter_randomisation(
        *(model, torch.randn(5, 3, 2).double()),
        lambda model, x, target: model.place.expand(len(x), 3),
        layers=[""],
        seed=4,
    )
    noise = torch.randn(3, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    new = 2 + math.sqrt(2 / 3) * noise
    expected = torch.cosine_similarity(model.place.detach(), new, dim=0)
    torch.testing.assert_close(got.cosine, expected.expand(1, 5))


@pytest.mark.parametrize("mode", ["cascading", "independent"])
def test_batches_change_no_number(mode):
    whole = parameter_randomisation(MODEL, X, gradient_times_input, mode=mode)
    parts = parameter_randomisation(MODEL, X, gradient_times_input, mode=mode, batch_size=2)
    torch.testing.assert_close(whole.spearman, parts.spearman)
    torch.testing.assert_close(whole.cosine, parts.cosine)


@pytest.mark.parametrize("dims", [1, 2])
def test_a_model_with_one_unit_has_no_class_to_explain(dims):
    """An explainer takes no class as target for one unit."""
    unit = nn.Sequential(*MODEL[:-1], nn.Linear(4, 1), nn.Flatten(dims - 1)).double().eval()
    assert unit(X).ndim == dims
    got = parameter_randomisation(unit, X, relprop.Method(relprop.Explainer(unit)))
    assert got.layers == ("4", "2", "0")
    assert got.target.tolist() == [0] * len(X)


def test_a_method_follows_the_copy_as_a_new_explainer_would():
    model, x = randomise(dense(6, 9, 3)).double(), torch.rand(3, 6).double()
    method = relprop.Method(relprop.Explainer(model, "epsilon-plus"))
    cached = parameter_randomisation(model, x, method)
    expected = parameter_randomisation(
        *(model, x), lambda m, x, t: relprop.explain(m, x, "epsilon-plus", t).relevance
    )
    torch.testing.assert_close(cached.cosine, expected.cosine)
    torch.testing.assert_close(cached.spearman, expected.spearman)
    assert (cached.cosine < 0.999).all()
    assert method.explainer_of(model) is method.explainer


def test_its_table_has_a_line_for_each_layer():
    lines = repr(parameter_randomisation(MODEL, X, looks_at_the_input_alone)).splitlines()
    assert lines[0] == "cascading, 7 samples"
    assert lines[1].split() == ["layer", "initialiser", "Spearman", "cosine"]
    one = ["1.0000", "[1.0000,", "1.0000]"]
    assert lines[4].split() == ["0", "reset_parameters", *one, *one]
    constant = parameter_randomisation(MODEL, X, lambda model, x, target: torch.ones_like(x))
    assert "undefined" in repr(constant).splitlines()[2]


# ---- bad input -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("match", "settings"),
    [
        ("mode='random'", {"mode": "random"}),
        ("a model of type function", {"model": lambda x: MODEL(x)}),
        ("in training mode", {"model": nn.Sequential(nn.Linear(6, 3)).double()}),
        ("layers=\\['no'\\]", {"layers": ["no"]}),
        ("layers='\\*'", {"layers": "*"}),
        ("relevance of type Tensor", {"relevance": X}),
        ("result of type list", {"relevance": lambda model, x, target: x.tolist()}),
        ("or not finite", {"relevance": lambda model, x, target: x / 0}),
        ("relevance of 1 samples, of 7", {"relevance": lambda model, x, target: x[:1]}),
        ("class 3 of a model with 3 classes", {"target": 3}),
        ("batch_size is 0", {"batch_size": 0}),
        ("without a tensor", {"x": [1.0]}),
    ],
)
def test_what_is_wrong_is_said(match, settings):
    given = {"model": MODEL, "x": X, "relevance": gradient_times_input, **settings}
    model, x, relevance = (given.pop(name) for name in ("model", "x", "relevance"))
    with pytest.raises(InputError, match=match):
        parameter_randomisation(model, x, relevance, **given)


def test_a_model_that_cannot_be_copied_is_refused():
    model, x = perceptron(6, 3)
    model.history = (model[0].weight * 2).sum()
    with pytest.raises(InputError, match="Sequential cannot be copied"):
        parameter_randomisation(model, x, gradient_times_input)


def test_an_explainer_in_the_place_of_a_function_is_refused_with_the_line():
    model, x = nn.Sequential(nn.Linear(4, 3)).eval(), torch.rand(3, 4)
    explainer = relprop.Explainer(model, "epsilon")
    with pytest.raises(InputError, match="relevance by Explainer") as error:
        parameter_randomisation(model, x, explainer)
    method = eval(error.value.todo.removeprefix("write "))
    assert parameter_randomisation(model, x, method).layers == ("0",)
