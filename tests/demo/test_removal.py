"""Which pixels go, what replaces them, and that predictions are those of the network."""

import numpy as np
import pytest
import torch

from relprop.demo.removal import (
    BRIGHTEST,
    INK,
    RANDOM,
    Removal,
    Subject,
    classify_removals,
    least,
    rank_controls,
    rank_relevance,
)
from relprop.evaluate import predict, remove_units

COUNT, SHARE = 6, 6 / 20


@pytest.fixture
def images():
    """Digits of 4 x 5 pixels, ten of them blank, of which no two of ink are alike."""
    generator = torch.Generator().manual_seed(0)
    values = torch.stack([torch.randperm(10, generator=generator) + 1.0 for _ in range(8)]) / 10
    return torch.cat([values, torch.zeros(8, 10)], 1).reshape(8, 1, 4, 5)


@pytest.fixture
def model():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(20, 4)).eval()


def removed(images, ranked, count=COUNT):
    gone = torch.zeros(len(images), 20, dtype=torch.bool)
    return gone.scatter_(1, ranked[:, :count], True).numpy()


def largest(values, count=COUNT):
    """Mark the largest of each row, by numpy alone."""
    flat = values.reshape(len(values), -1).numpy()
    return flat >= np.sort(flat, 1)[:, -count][:, None]


def test_the_brightest_pixels_go_first(images):
    assert (removed(images, rank_controls(images, seed=0)[BRIGHTEST]) == largest(images)).all()


def test_random_ink_is_no_blank_pixel_while_there_is_ink(images):
    ranked = rank_controls(images, seed=0)[INK]
    ink = images.flatten(1).numpy() > 0
    assert (removed(images, ranked)[~ink] == 0).all()
    assert (removed(images, ranked, count=10) == ink).all()
    assert not ranked.equal(rank_controls(images, seed=1)[INK])


def test_random_pixels_may_be_blank(images):
    gone = removed(images, rank_controls(images, seed=0)[RANDOM])
    assert (images.flatten(1).numpy()[gone] == 0).any()


def test_most_relevant_is_highest_and_least_relevant_is_nearest_to_zero():
    relevance = torch.randn(8, 1, 4, 5, generator=torch.Generator().manual_seed(1))
    ranked = rank_relevance({"epsilon": relevance}, seed=0)
    assert (removed(relevance, ranked["epsilon"]) == largest(relevance)).all()
    assert (removed(relevance, ranked[least("epsilon")]) == largest(-relevance.abs())).all()


@pytest.mark.parametrize("fill", ["zero", "mean"])
def test_the_network_sees_what_remove_units_leaves(images, model, fill):
    subject = Subject.of(model, images)
    ranked = rank_controls(images, seed=0)
    removal = Removal(BRIGHTEST, fill, COUNT)
    expected = remove_units(images, images, SHARE, fill=fill)
    torch.testing.assert_close(subject.without(ranked[BRIGHTEST], removal), expected)
    after = classify_removals(subject, ranked, [removal])[removal]
    torch.testing.assert_close(after.prediction, predict(model, expected).prediction)
    torch.testing.assert_close(after.margin, predict(model, expected).margin)


def test_digits_that_do_not_change_keep_their_predictions_and_the_others_get_new_ones(
    images, model
):
    images[3:] = 0.0  # blank digits, of which black pixels take nothing
    subject, ranked = Subject.of(model, images), rank_controls(images, seed=0)
    removal = Removal(BRIGHTEST, "zero", COUNT)
    after = subject.classify(ranked[BRIGHTEST], removal)
    expected = predict(model, subject.without(ranked[BRIGHTEST], removal))
    torch.testing.assert_close(after.margin, expected.margin)
    assert after.margin[3:].equal(subject.before.margin[3:])
    assert not after.margin[:3].isclose(subject.before.margin[:3]).any()


def test_known_outcomes_are_not_computed_again(images, model):
    subject, ranked = Subject.of(model, images), rank_controls(images, seed=0)
    removals = [Removal(BRIGHTEST, "zero", COUNT), Removal(INK, "mean", COUNT)]
    known, steps = {removals[0]: subject.before}, []
    outcomes = classify_removals(subject, ranked, removals, known, steps.append)
    assert outcomes[removals[0]] is subject.before
    assert not outcomes[removals[1]].margin.equal(subject.before.margin)
    assert steps == [8, 8]
