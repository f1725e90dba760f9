"""Targets and seeds: what of the output is explained, against maps of each class from the twin."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from helpers import reference_rules as reference
from helpers.networks import pixels, randomise, signed, small_cnn
from torch import Tensor, nn
from zoo import ZOO

import relprop


def assert_same(got: Tensor, want: Tensor) -> None:
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-10)


@pytest.fixture(scope="module")
def four_classes():
    """An explainer of four classes, its input, its scores, and the map of each class seeded 1."""
    net, x = randomise(small_cnn().double()), signed(3, 2, 12, 12)
    explainer = relprop.Explainer(net, "epsilon")
    seeds = torch.eye(4, dtype=torch.float64)[:, None].expand(4, 3, 4)
    rules = reference.uniform("epsilon")
    maps = torch.stack([reference.explain(net, x, rules, seed) for seed in seeds], 1)
    return explainer, x, net(x).detach(), maps  # maps (n, 4, 2, 12, 12)


def weighted(maps: Tensor, seed: Tensor) -> Tensor:
    """The sum over classes of seed (n, 4) times maps (n, 4, 2, 12, 12)."""
    return (maps * seed[..., None, None, None]).sum(1)


def one_hot(classes: Tensor) -> Tensor:
    return nn.functional.one_hot(classes, 4).double()


LABELS = torch.tensor([2, 0, 3])
# A target, and how much of each class it means: the relevance of the output is that times z.
TARGETS: dict[str, tuple[object, Callable[[Tensor], Tensor]]] = {
    "predicted": (None, lambda z: one_hot(z.argmax(1))),
    "int": (2, lambda z: one_hot(torch.full((3,), 2))),
    "labels": (LABELS, lambda z: one_hot(LABELS)),
    "array of labels": (LABELS.numpy(), lambda z: one_hot(LABELS)),
    "runner-up": ("runner-up", lambda z: one_hot(z.argsort(1)[:, -2])),
    "contrast": ((1, 3), lambda z: torch.tensor([0.0, 1.0, 0.0, -1.0]).expand(3, 4)),
    "contrast of labels": ((LABELS, 1), lambda z: one_hot(LABELS) - one_hot(0 * LABELS + 1)),
    "callable": (
        lambda output: 2 * output[:, 0] - 3 * output[:, 2],
        lambda z: torch.tensor([2.0, 0.0, -3.0, 0.0]).expand(3, 4),
    ),
}


@pytest.mark.parametrize("name", TARGETS)
def test_target_seeded_with_its_score(four_classes, name):
    """The default: what each class means of it, times that class's own score."""
    explainer, x, z, maps = four_classes
    target, meant = TARGETS[name]
    assert_same(explainer(x, target=target).relevance, weighted(maps, meant(z) * z))


@pytest.mark.parametrize("name", TARGETS)
def test_target_seeded_one(four_classes, name):
    """The map seeded with the score, over the score: one per unit of what the target scores."""
    explainer, x, z, maps = four_classes
    target, meant = TARGETS[name]
    seed = meant(z) * z / (meant(z) * z).sum(1, keepdim=True)
    assert_same(explainer(x, target=target, seed="one").relevance, weighted(maps, seed))


def test_several_targets_share_one_forward(four_classes):
    explainer, x, z, maps = four_classes
    seeds = [meant(z) * z for _, meant in TARGETS.values()]
    e = explainer(x, target=[target for target, _ in TARGETS.values()])
    assert e.relevance.shape == (3, len(TARGETS), 2, 12, 12)
    for i, seed in enumerate(seeds):
        assert_same(e.relevance[:, i], weighted(maps, seed))
    assert e.target is None  # some of them are no classes


def test_all_classes(four_classes):
    explainer, x, _, maps = four_classes
    e = explainer(x, target="all", seed="one")
    assert_same(e.relevance, maps)
    assert e.target.tolist() == [[0, 1, 2, 3]] * 3
    assert_same(explainer(x[:1], target="all", seed="one").relevance, maps[:1])  # together
    pairs = explainer(x, target=[(0, 1), (2, 3)])
    assert pairs.target.tolist() == [[[0, 1], [2, 3]]] * 3
    assert "4x2x12x12" in repr(e)


def test_a_list_of_one_is_still_several(four_classes):
    explainer, x, z, _ = four_classes
    e = explainer(x, target=["runner-up"])
    assert e.relevance.shape == (3, 1, 2, 12, 12)
    assert_same(e.relevance[:, 0], explainer(x, target="runner-up").relevance)
    assert e.target[:, 0].equal(z.argsort(1)[:, -2])


class Segmentation(nn.Module):
    """Scores of three classes at every pixel, (batch, 3, height, width)."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 3, 1)

    def forward(self, x):
        return self.last(self.first(x).relu())


@pytest.fixture(scope="module")
def segmented() -> tuple[nn.Module, relprop.Explainer, Tensor]:
    model = randomise(Segmentation()).double()
    return model, relprop.Explainer(model, "zero"), pixels(2, 1, 6, 6)


def gradient_times_input(model: nn.Module, x: Tensor, score: Callable[[Tensor], Tensor]) -> Tensor:
    leaf = x.clone().requires_grad_()
    return x * torch.autograd.grad(score(model(leaf)).sum(), leaf)[0]


def test_one_pixel_of_a_segmentation(segmented):
    model, explainer, x = segmented
    e = explainer(x, target=relprop.at(2, 3, -1))
    assert_same(e.relevance, gradient_times_input(model, x, lambda out: out[:, 2, 3, -1]))
    assert e.prediction is e.probabilities is e.margin is e.target is None
    assert (e.relevance[:, :, :, :4] == 0).all()  # out of that pixel's sight


def test_the_difference_of_two_entries(segmented):
    model, explainer, x = segmented
    e = explainer(x, target=(relprop.at(2, 3, 3), relprop.at(1, 3, 3)))
    want = gradient_times_input(model, x, lambda out: out[:, 2, 3, 3] - out[:, 1, 3, 3])
    assert_same(e.relevance, want)


def test_a_function_of_an_output_of_any_shape(segmented):
    model, explainer, x = segmented
    score = lambda out: out[:, 1].amax((1, 2))  # noqa: E731
    assert_same(explainer(x, target=score).relevance, gradient_times_input(model, x, score))


def test_a_single_score():
    model, x = randomise(nn.Sequential(nn.Linear(4, 1))).double(), signed(2, 4)
    e = relprop.explain(model, x, "zero", target=relprop.at(0))
    assert_same(e.relevance, x * model[0].weight.detach())


def test_a_class_of_an_output_that_is_not_by_classes(segmented):
    _, explainer, x = segmented
    for target in (None, 1, "all", "runner-up"):
        with pytest.raises(relprop.RelpropError, match=r"\(batch, 3, 6, 6\)(.|\n)*relprop.at"):
            explainer(x, target=target)


@pytest.mark.parametrize("index", [(), (1.5,), (True,), ("a",)])
def test_an_entry_is_named_by_integers(index):
    with pytest.raises(relprop.RelpropError, match="one integer for each dimension"):
        relprop.at(*index)


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
    """They walk back together."""
    torch.manual_seed(0)
    model = nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 8, 2), nn.GELU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(32, 3)),
    ).eval()
    explainer, x = relprop.Explainer(model, recipe), torch.randn(1, 3, 12, 12)
    found = explainer(x, "all").relevance
    for k in range(3):
        torch.testing.assert_close(found[:, k], explainer(x, k).relevance)


def test_outputs_and_layers_are_laid_out_as_the_model_lays_them():
    """A target may view them as what they are."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1)).eval()
    explainer, x = relprop.Explainer(model, "epsilon"), torch.randn(2, 3, 6, 6)
    found = explainer(x, lambda output: output.view(2, -1).amax(1), layers=["0"])
    assert found.output.is_contiguous()
    assert found.layers["0"].is_contiguous()


class Branching(nn.Module):
    """Sums that take what one other gives, or a pool, or two; and that of the output itself."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.third, self.fourth = nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.hidden, self.last = nn.Linear(16, 8), nn.Linear(8, 5)

    def forward(self, x):
        h = self.second(nn.functional.max_pool2d(self.first(x).relu(), 3, 2, 1))
        h = self.fourth(h + self.norm(self.third(h)))  # what the second gives is needed twice
        h = nn.functional.max_pool2d(h.relu(), 2)
        return self.last(self.hidden(h.flatten(1)))


@pytest.mark.parametrize(
    ("rule", "parameters"),
    [
        *(("zero", {}), ("epsilon", {"epsilon": 0.1}), ("epsilon", {"relative": True})),
        *(("z-plus", {}), ("gamma", {}), ("alpha-beta", {}), ("flat", {}), ("w-squared", {})),
    ],
)
def test_ways_back_one_after_another_leave_each_other_alone(rule, parameters):
    """They write into memory that they share; watched, and one at a time, they do not."""
    model, x = randomise(Branching()).double(), signed(3, 1, 12, 12)
    recipe = relprop.Recipe.preset("zero").using("*", rule, **parameters)
    explainer = relprop.Explainer(model, recipe)
    found = explainer(x, "all")
    for k in range(5):
        assert_same(found.relevance[:, k], explainer(x, k).relevance)
    both = [lambda output: output.sum(1), 0]  # the first seed's entries share one number
    assert_same(explainer(x, both).relevance[:, 0], explainer(x, both[0]).relevance)
    watched = explainer(x, "all", layers=["first"])
    assert_same(found.relevance, watched.relevance)


def test_branches_get_their_gradient():
    """Where a batch norm scales what arrives at one of them, the other gets it as it was."""
    model, x = randomise(Branching()).double(), signed(3, 1, 12, 12).requires_grad_()
    (gradient,) = torch.autograd.grad(model(x)[:, 2].sum(), x)
    assert_same(relprop.explain(model, x.detach(), "zero", 2).relevance, (gradient * x).detach())


def test_a_model_of_one_layer_leaves_the_seed_alone():
    """What arrives at the output is the caller's: entries that share one number, here."""
    model, x = randomise(nn.Linear(4, 3)).double(), signed(2, 4)
    explainer = relprop.Explainer(model, "epsilon")
    share = x[:, None] * model.weight / (model(x)[..., None] + 1e-6 * model(x)[..., None].sign())
    want = (share * model(x)[..., None]).sum(1).detach()
    assert_same(explainer(x, lambda output: output.sum(1)).relevance, want)


@relprop.rule(gives="relevance")
def unchanged(step: Any) -> relprop.Back:
    """Gives on the very tensor that arrives."""
    return relprop.Back(lambda v: v, lambda v: {})


def test_a_rule_of_ones_own_may_keep_what_arrives():
    layers = [nn.Conv2d(1, 1, 1), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(4, 3)]
    model, x = randomise(nn.Sequential(*layers)).double(), signed(3, 1, 4, 4)
    explainer = relprop.Explainer(model, relprop.Recipe.preset("zero").using("0", unchanged))
    found = explainer(x, "all").relevance
    for k in range(3):
        assert_same(found[:, k], explainer(x, k).relevance)
