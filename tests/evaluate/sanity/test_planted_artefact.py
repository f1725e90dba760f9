"""Clever Hans test: networks that learn a planted artefact, and networks that have no reason to."""

import pytest
import torch
from helpers.sanity_methods import gradient_times_input
from torch import nn

import relprop
from relprop.errors import InputError
from relprop.evaluate import planted_artefact

SIDE = 10
MASK = torch.zeros(SIDE, SIDE, dtype=torch.bool)
MASK[1:4, 1:4] = True


def noise(n, seed):
    return torch.rand(n, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))


def with_artefact(x, which=slice(None)):
    changed = x.clone()
    changed[which] = changed[which].masked_fill(MASK, 1.0)
    return changed


def with_bar(x, which):
    """The other cue: a bar far from the artefact."""
    barred = x.clone()
    barred[which, :, 6:9, 2:8] = 1.0
    return barred


def trained(x, labels):
    """A small network that has learned these images."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(
            *(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Flatten(), nn.Linear(96, 2)),
        )
    optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(100):
        optimiser.zero_grad()
        nn.functional.cross_entropy(model(x), labels).backward()
        optimiser.step()
    assert (model(x).argmax(1) == labels).all()
    return model.eval()


def shuffled(model, x, target):
    """Relevance with the right numbers in the wrong places."""
    places = torch.randperm(SIDE**2, generator=torch.Generator().manual_seed(0))
    return gradient_times_input(model, x, target).flatten(1)[:, places].reshape(x.shape)


LABELS = torch.arange(400) % 2


@pytest.fixture(scope="module")
def by_the_artefact():
    """Trained where the artefact alone tells the class."""
    return trained(with_artefact(noise(400, 0), LABELS == 1), LABELS)


@pytest.fixture(scope="module")
def by_the_bar():
    """Trained where the bar tells the class, and half of each class has the artefact."""
    images = with_artefact(with_bar(noise(400, 0), LABELS == 1), torch.arange(400) % 4 < 2)
    return trained(images, LABELS)


def lrp(model):
    return relprop.Method(relprop.Explainer(model))


@pytest.mark.parametrize("method", [lrp, lambda model: gradient_times_input])
def test_an_artefact_that_leaks_the_class_is_found(by_the_artefact, method):
    x = noise(100, 1)
    got = planted_artefact(
        by_the_artefact, with_artefact(x), method(by_the_artefact), MASK, clean=x, target=1
    )
    assert got.artefact.mass_accuracy.mean() > 0.7  # of 9 % of the image
    assert got.artefact.auc.min() > 0.98
    assert got.mass_accuracy_difference.difference.interval.low > 0.15
    assert got.mass_accuracy_difference.p_value < 0.001


@pytest.mark.parametrize("method", [lrp, lambda model: gradient_times_input])
def test_an_artefact_that_tells_nothing_is_not(by_the_bar, method):
    x = with_bar(noise(100, 1), slice(None))
    got = planted_artefact(by_the_bar, with_artefact(x), method(by_the_bar), MASK, clean=x)
    assert got.target.tolist() == [1] * 100
    assert got.artefact.mass_accuracy.mean() < 0.09
    assert abs(got.mass_accuracy_difference.difference.mean) < 0.02


def test_relevance_in_the_wrong_places_does_not_find_it(by_the_artefact):
    got = planted_artefact(by_the_artefact, with_artefact(noise(100, 1)), shuffled, MASK, target=1)
    assert got.artefact.mass_accuracy.mean() < 0.09
    assert got.mass_accuracy_difference is got.auc_difference is got.clean is None


# ---- closed forms ----------------------------------------------------------------------


def linear(weight):
    """Class 0 scores w.x, class 1 the opposite."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(SIDE**2, 2, bias=False)).double()
    with torch.no_grad():
        model[1].weight.copy_(torch.stack([weight, -weight]).flatten(1))
    return model.eval()


def test_of_a_linear_model_shares_are_sums():
    """Weights 1 inside, 1/2 outside: white images have 9 and 45.5, clean ones 0 and 45.5."""
    model = linear(torch.where(MASK, 1.0, 0.5))
    white = torch.ones(3, 1, SIDE, SIDE).double()
    black_there = white.masked_fill(MASK, 0.0)
    got = planted_artefact(model, white, gradient_times_input, MASK, clean=black_there)
    assert got.artefact.mass_accuracy.tolist() == pytest.approx([9 / 54.5] * 3)
    assert got.artefact.auc.tolist() == [1.0] * 3
    assert got.clean.mass_accuracy.tolist() == [0.0] * 3
    assert got.clean.auc.tolist() == [0.0] * 3
    assert got.mass_accuracy_difference.difference.mean == pytest.approx(9 / 54.5)
    assert got.auc_difference.difference.mean == 1.0
    assert got.auc_difference.p_value == 0.25  # 2 of the 8 patterns of signs of three samples
    assert (
        repr(got)
        .splitlines()[-1]
        .startswith("difference in AUC            1.0000 [1.0000, 1.0000]")
    )


def test_clean_samples_are_explained_for_the_same_class():
    """Without the artefact another class leads, for which the outside would speak."""
    model = linear(torch.where(MASK, 20.0, -1.0))
    white = torch.ones(2, 1, SIDE, SIDE).double()
    got = planted_artefact(
        model, white, gradient_times_input, MASK, clean=white.masked_fill(MASK, 0.0)
    )
    assert got.target.tolist() == [0, 0]
    assert got.artefact.mass_accuracy.tolist() == [1.0, 1.0]
    assert got.clean.mass_accuracy.isnan().all()  # nothing outside speaks for class 0
    assert got.mass_accuracy_difference is None
    assert got.clean.auc.tolist() == [1.0, 1.0]


def test_clean_samples_are_as_many():
    model, x = linear(torch.ones(SIDE, SIDE)), torch.ones(3, 1, SIDE, SIDE).double()
    with pytest.raises(InputError, match=r"clean samples of shape \(2, 1, 10, 10\)"):
        planted_artefact(model, x, gradient_times_input, MASK, clean=x[:2])
