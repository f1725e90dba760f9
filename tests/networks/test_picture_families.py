"""Families for pictures: built at any size, trained, and explained so that the ledger balances."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from relprop import Explainer
from relprop.networks.family import Choice, Facts
from relprop.networks.picture_families import PICTURE_FAMILIES
from relprop.training.train import Examples, train_network

FACTS = Facts("picture", "classes", 3, 5000, (1, 12, 16))
BY_NAME = {family.name: family for family in PICTURE_FAMILIES}


def built(name, facts=FACTS, **settings):
    family = BY_NAME[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return family.build({**family.default(facts), **settings}, facts)


def pictures(n, shape, seed=0):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(seed))


def randomised(network):
    """Give BatchNorm statistics and scales that are not 1 and 0, as training does."""
    generator = torch.Generator().manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.running_mean.normal_(0, 0.2, generator=generator)
            module.running_var.uniform_(0.5, 2, generator=generator)
    return network.eval()


# ---- any size, any channels ----------------------------------------------------------------


SHAPES = [(1, 8, 8), (3, 5, 9), (2, 28, 28), (3, 40, 70), (4, 224, 224), (1, 16, 600), (1, 70, 2)]


@pytest.mark.parametrize("name", BY_NAME)
@pytest.mark.parametrize("shape", SHAPES)
def test_a_network_takes_any_picture(name, shape):
    network = built(name, replace(FACTS, shape=shape, outputs=5), width=8).eval()
    scores = network(pictures(2, shape))
    assert scores.shape == (2, 5)
    assert not torch.equal(scores[0], scores[1])


@pytest.mark.parametrize("name", BY_NAME)
def test_every_searched_value_builds_a_network(name):
    for setting, values in BY_NAME[name].space(FACTS).items():
        for value in values.options if isinstance(values, Choice) else ():
            scores = built(name, **{"width": 16, setting: value}).eval()(pictures(2, FACTS.shape))
            assert scores.shape == (2, 3), setting
            assert scores.isfinite().all(), setting


@pytest.mark.parametrize("name", BY_NAME)
def test_what_is_searched_has_a_default(name):
    family = BY_NAME[name]
    default = family.default(FACTS)
    assert set(family.space(FACTS)) - set(default) == set()
    for setting, values in family.space(FACTS).items():
        if isinstance(values, Choice):
            assert default[setting] in values.options, setting
        else:
            assert values.low <= default[setting] <= values.high, setting


@pytest.mark.parametrize("name", ["resnet", "cnn", "convnext"])
def test_pictures_are_halved_until_four_pixels_are_left(name):
    """12 x 16 pixels: 6 x 8 after one halving, and no second one."""
    network = built(name)
    sizes = []
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda m, x, y: sizes.append(tuple(y.shape[2:])))
    network.eval()(pictures(1, FACTS.shape))
    assert sizes[-1] == (6, 8)


# ---- defaults ----------------------------------------------------------------------------------


def test_signs_are_not_mirrored_and_photographs_are():
    sign, photo = (BY_NAME["resnet"].default(replace(FACTS, mirrors=m)) for m in (False, True))
    assert (sign["flip"], sign["mirror"], photo["flip"], photo["mirror"]) == (
        False,
        False,
        True,
        True,
    )
    assert (sign["rotate"], photo["rotate"]) == (10.0, 0.0)


@pytest.mark.parametrize(("channels", "change"), [(1, 0.0), (3, 0.4), (4, 0.0)])
def test_only_pictures_of_three_channels_have_colours_that_change(channels, change):
    default = BY_NAME["resnet"].default(replace(FACTS, shape=(channels, 32, 32)))
    assert default["colour"] == change


@pytest.mark.parametrize("samples", [1, 50, 1500, 8000, 60_000, 10**7])
def test_defaults_train_for_a_number_of_epochs_that_follows_the_samples(samples):
    default = BY_NAME["resnet"].default(replace(FACTS, samples=samples))
    assert default["epochs"] == {8000: 150, 60_000: 30, 10**7: 30}.get(samples, 150)
    assert default["batch"] == {1: 32, 50: 32, 1500: 64, 8000: 128}.get(samples, 256)


# ---- explained, and trained --------------------------------------------------------------------


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("name", BY_NAME)
def test_the_ledger_of_the_default_recipe_balances(name, mirror):
    network = randomised(built(name, width=16, mirror=mirror)).double()
    explanation = Explainer(network)(pictures(3, FACTS.shape).double(), ledger=True)
    assert explanation.ledger.error < 1e-9
    assert explanation.relevance.shape == (3, 1, 12, 16)
    assert (explanation.relevance.flatten(1).abs().amax(1) > 0).all()


def test_a_mirrored_mean_scores_a_picture_and_its_mirror_image_alike():
    network = randomised(built("resnet", mirror=True))
    x = pictures(3, FACTS.shape)
    torch.testing.assert_close(network(x), network(x.flip(3)))
    relevance = [Explainer(network)(each, target=0).relevance for each in (x, x.flip(3))]
    torch.testing.assert_close(relevance[0], relevance[1].flip(3), atol=1e-5, rtol=1e-3)
    assert not torch.equal(network.train()(x), network(x.flip(3)))


def test_a_mirrored_mean_is_the_mean_of_both():
    both, one = built("cnn", mirror=True).eval(), built("cnn", mirror=False).eval()
    x = pictures(3, FACTS.shape)
    torch.testing.assert_close(both(x), (one(x) + one(x.flip(3))) / 2)


@pytest.mark.parametrize("name", BY_NAME)
def test_a_default_learns_where_a_bar_is(name):
    """Class k has a bright bar k fields from the left, on noise."""
    labels = torch.arange(240) % 3
    x = 0.5 * pictures(240, (1, 8, 9))
    for index, label in enumerate(labels.tolist()):
        x[index, 0, :, 3 * label + 1] += 2
    facts = Facts("picture", "classes", 3, 180, (1, 8, 9))
    family = BY_NAME[name]
    settings = {**family.default(facts), "width": 16, "epochs": 20, "rotate": 0.0, "shift": 0}
    train, validation = Examples(x[:180], labels[:180]), Examples(x[180:], labels[180:])
    trained = train_network(
        built(name, facts, width=16),
        train,
        validation,
        settings,
        task="classes",
        seed=0,
        seconds=60,
    )
    assert trained.checks[-1].score > 0.95
