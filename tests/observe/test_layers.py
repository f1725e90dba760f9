"""Relevance at modules, and relevance that may pass through some channels alone."""

import pytest
import torch
from helpers.networks import pixels, randomise, signed
from torch import nn

import relprop
from relprop import Recipe


def network() -> nn.Module:
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(1, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU()),
        nn.MaxPool2d(2),
        nn.Sequential(nn.Conv2d(4, 6, 3, bias=False), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(6 * 9, 3, bias=False)),
    )


@pytest.fixture(scope="module")
def explainer() -> relprop.Explainer:
    return relprop.Explainer(randomise(network()).double(), "zero")


X = pixels(2, 1, 12, 12)


def test_relevance_at_a_module_is_its_output_times_the_gradient_there(explainer):
    model = explainer.model
    e = explainer(X, target=1, layers=["0", "2", "4"])
    hidden = model[0](X).detach().requires_grad_()
    score = model[1:](hidden)[:, 1]
    expected = hidden * torch.autograd.grad(score.sum(), hidden)[0]
    torch.testing.assert_close(e.layers["0"], expected.detach())
    torch.testing.assert_close(e.layers["4"].sum(1), score.detach())
    assert list(e.layers) == ["0", "2", "4"]


def test_what_runs_as_one_step_has_one_relevance(explainer):
    """A layer, its batch norm and its ReLU."""
    e = explainer(X, target=1, layers=["0*"])
    assert list(e.layers) == ["0", "0.0", "0.1", "0.2"]
    for name in ("0.0", "0.1", "0.2"):
        assert e.layers[name].equal(e.layers["0"])


@pytest.mark.parametrize("preset", ["zero", "epsilon-plus-flat"])
def test_the_parts_through_each_channel_add_up_to_the_whole(explainer, preset):
    explainer = explainer.with_recipe(preset)
    whole = explainer(X, target=1).relevance
    parts = [explainer(X, target=1, only={"2.1": channel}).relevance for channel in range(6)]
    torch.testing.assert_close(torch.stack(parts).sum(0), whole)
    some = explainer(X, target=1, only={"2": [0, 5]}).relevance
    torch.testing.assert_close(some, parts[0] + parts[5])


def test_a_channel_alone_is_the_model_with_the_others_weights_zero(explainer):
    model = randomise(network()).double()
    model[4].weight.data.unflatten(1, (6, 9))[:, 1:] = 0.0
    want = relprop.explain(model, X, "zero", target=1).relevance
    got = explainer(X, target=1, only={"2": 0}).relevance
    torch.testing.assert_close(got, want)


def test_masks_of_places_and_conditions_at_two_modules(explainer):
    place = torch.zeros(1, 3, 3, dtype=torch.bool)
    place[0, 1, 2] = True
    at_place = explainer(X, target=1, only={"2": place}, layers=["2"])
    assert ((at_place.layers["2"] != 0).sum((1, 2, 3)) <= 6).all()
    assert (at_place.relevance[..., :2, :] == 0).all()  # what that place cannot see
    assert (at_place.relevance[..., :4] == 0).all()
    assert (at_place.relevance[..., 2:10, 4:] != 0).any()
    both = explainer(X, target=1, only={"2": 3, "0": 1}, layers=["0"])
    assert (both.layers["0"][:, [0, 2, 3]] == 0).all()
    assert (both.layers["0"][:, 1] != 0).any()


def test_channels_of_what_is_no_map():
    model = randomise(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))).double()
    explainer, x = relprop.Explainer(model, "zero"), pixels(2, 3, 4)  # (batch, rows, features)
    e = explainer(x, target=relprop.at(2, 1), only={"1": [2]}, layers=["1"])
    assert (e.layers["1"][..., [0, 1, 3, 4]] == 0).all()
    assert e.layers["1"][:, 2, 2].any()


class Moved(nn.Module):
    """Channels last, as in ConvNeXt and Swin: convolution, then linear layers on its channels."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 4, 3, padding=1), nn.LayerNorm(4)
        self.up, self.down, self.head = nn.Linear(4, 6), nn.Linear(6, 4), nn.Linear(4, 2)

    def forward(self, x):
        h = self.up(self.conv(x).permute(0, 2, 3, 1)).relu()
        return self.head((self.down(h).permute(0, 3, 1, 2) + self.conv(x)).mean((2, 3)))


CONVS = (nn.Conv1d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv1d(4, 3, 3), nn.Flatten())
MAPS = (nn.Conv3d(1, 3, 3), nn.BatchNorm3d(3), nn.AvgPool3d(2), nn.Flatten(), nn.Linear(24, 2))
TEXT = (nn.Linear(5, 4), nn.ReLU(), nn.Flatten(1, 2), nn.Linear(4, 3), nn.Flatten())


@pytest.mark.parametrize(
    ("model", "shape", "at", "dim"),
    [
        (nn.Sequential(*CONVS, nn.Linear(24, 2)), (2, 10), "0", 1),
        (nn.Sequential(*CONVS, nn.Linear(24, 2)), (2, 10), "1", 1),
        (nn.Sequential(*MAPS), (1, 6, 6, 6), "2", 1),
        (nn.Sequential(*TEXT, nn.Linear(36, 2)), (3, 4, 5), "0", 3),
        (Moved(), (2, 5, 5), "up", 3),
        (Moved(), (2, 5, 5), "conv", 1),
    ],
)
def test_channels_are_those_of_the_operation_that_made_the_value(model, shape, at, dim):
    """Gradient x input where the gradient of the other channels is stopped."""
    model, x = randomise(model).double(), signed(3, *shape)
    got = relprop.Explainer(model, "zero")(x, 0, only={at: [0, 1]}).relevance

    def stop(module, arguments, h):
        kept = torch.zeros(h.shape[dim], dtype=h.dtype)
        kept[:2] = 1
        kept = kept.reshape(-1, *[1] * (h.ndim - 1 - dim))
        return h * kept + (h * (1 - kept)).detach()

    leaf = x.clone().requires_grad_()
    with model.get_submodule(at).register_forward_hook(stop):
        score = model(leaf)[:, 0].sum()
    torch.testing.assert_close(got, x * torch.autograd.grad(score, leaf)[0])


class Folded(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer, self.fold, self.head = nn.Linear(4, 6), Fold(), nn.Linear(6, 2)

    def forward(self, x):
        return self.head(self.fold(self.layer(x)).flatten(1).relu())


class Fold(nn.Module):
    def forward(self, x):
        return x.reshape(-1, 2, 3)


def test_where_the_channels_are_not_known_a_mask_is_asked_for():
    model, x = randomise(Folded()).double(), signed(2, 4)
    explainer = relprop.Explainer(model, "zero")
    with pytest.raises(relprop.RelpropError, match="boolean tensor \\(2, 3\\)"):
        explainer(x, 0, only={"fold": [0]})
    mask = torch.zeros(2, 3, dtype=torch.bool)
    mask[1, 2] = True
    got = explainer(x, 0, only={"fold": mask}).relevance
    torch.testing.assert_close(got, explainer(x, 0, only={"layer": 5}).relevance)
    with pytest.raises(relprop.RelpropError, match=r"mask of shape \(3,\)"):
        explainer(x, 0, only={"fold": torch.ones(3, dtype=torch.bool)})


def test_globs_choose_modules_and_all_conditions_hold(explainer):
    want = explainer(X, 1, only={"2": [1], "0": [1]}).relevance
    assert explainer(X, 1, only={"[02]": [1]}).relevance.equal(want)
    assert not want.equal(explainer(X, 1).relevance)
    assert explainer(X, 1, only={"2": [1, 2], "2.*": [1, 3], "0": 1}).relevance.equal(want)


class Twice(nn.Module):
    """One module called twice, and one that returns two values."""

    def __init__(self):
        super().__init__()
        self.layer, self.split, self.head = nn.Linear(4, 4), Split(), nn.Linear(4, 2)

    def forward(self, x):
        left, right = self.split(self.layer(self.layer(x).relu()).relu())
        return self.head(left + 2 * right)


class Split(nn.Module):
    def forward(self, x):
        return x * 2, x * 3


def test_modules_with_several_outputs():
    model = randomise(Twice()).double()
    e = relprop.Explainer(model, "zero")(pixels(2, 4), target=0, layers=["layer", "split"])
    first, second = e.layers["layer"]
    assert first.shape == second.shape == (2, 4)
    left, right = e.layers["split"]
    torch.testing.assert_close(right, 3 * left)  # 2 x against 2 * 3 x, under one weight


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layers": ["9"]}, r"layer '9'(.|\n)*\"0\.0\""),
        ({"layers": "0"}, r'layers is \'0\'(.|\n)*layers=\["0"\]'),
        ({"only": {"2": 6}}, r'channels 6 of "2"(.|\n)*0 to 5'),
        ({"only": {"2": [0.5]}}, r"channels \[0.5\]"),
        ({"only": {"2": []}}, r"channels \[\]"),
        ({"only": {"nine": 0}}, "layer 'nine'"),
        ({"only": {"2": torch.ones(5, 3, 3)}}, r"mask of shape \(5, 3, 3\)"),
        ({"only": {"2": 0.5 * torch.ones(6, 3, 3)}}, "mask of shape"),
        ({"only": {"2": None}}, "channels None"),
        ({"only": {"2": "a"}}, "channels 'a'"),
        ({"only": {2: [0]}}, "module 2 in only"),
        ({"only": ["2"]}, r"only is \['2'\]"),
    ],
)
def test_layers_and_channels_that_do_not_exist(explainer, arguments, message):
    with pytest.raises(relprop.RelpropError, match=message):
        explainer(X, **arguments)


def test_a_module_that_relevance_does_not_reach(explainer):
    model = nn.Sequential(nn.Linear(4, 4), nn.Sigmoid(), nn.Linear(4, 2)).eval()

    class Gated(nn.Module):
        def __init__(self):
            super().__init__()
            self.gate, self.value, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2)

        def forward(self, x):
            return self.head(self.gate(x).sigmoid() * self.value(x))

    with pytest.raises(relprop.RelpropError, match='no relevance reaches the output of "gate"'):
        relprop.Explainer(Gated().eval())(pixels(2, 4).float(), layers=["gate"])
    assert model(pixels(2, 4).float()).shape == (2, 2)


def test_selectors_by_type_kind_and_depth(explainer):
    x = X
    for selector, modules in [
        (relprop.Selector(type="Conv2d"), ["0.0", "2.0"]),
        (relprop.Selector(depth="first"), ["0.0"]),
        (relprop.Selector(depth="last"), ["4"]),
        (relprop.Selector(depth="< 0.3"), ["0.0"]),
        (relprop.Selector(depth=">=0.5"), ["2.0", "4"]),
        (relprop.Selector(name="2*", kinds=("convolution",), depth="> 0.2"), ["2.0"]),
        (relprop.Selector(kinds=("linear",)), ["4"]),
        (relprop.Selector(operation="conv2d"), ["0.0", "2.0"]),
        (relprop.Selector(operation="lin*"), ["4"]),
        (relprop.Selector(name="2*", operation="conv*", depth="> 0.2"), ["2.0"]),
    ]:
        recipe = Recipe.preset("zero").using(selector, "gamma")
        steps = explainer.with_recipe(recipe).plan(x).steps
        got = [step.node.module for step in steps if step.rule and step.rule.name == "gamma"]
        assert got == modules, selector


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        ({"depth": "firsts"}, "'firsts'"),
        ({"depth": 0.3}, "0.3"),
        ({"kinds": ("dense",)}, "'dense'"),
        ({"type": nn.Conv2d}, "Conv2d"),
        ({"operation": torch.detach}, "operation"),
        ({"kinds": "linear"}, "kinds is 'linear'"),
    ],
)
def test_selectors_that_make_no_sense(arguments, given):
    with pytest.raises(relprop.RelpropError) as error:
        relprop.Selector(**arguments)
    assert given in error.value.given


def test_a_selector_that_fits_nothing(explainer):
    recipe = Recipe.preset("zero").using(relprop.Selector(type="Conv3d"), "gamma")
    with pytest.raises(relprop.RelpropError, match="Conv3d matches no module that takes"):
        explainer.with_recipe(recipe).plan(X)
    recipe = Recipe.preset("zero").using(relprop.Selector(operation="conv3d"), "gamma")
    with pytest.raises(relprop.RelpropError, match=r'\(conv3d\) matches(.|\n)*write "conv2d"'):
        explainer.with_recipe(recipe).plan(X)
