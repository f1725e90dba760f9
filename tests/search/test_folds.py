"""Validation on folds: every sample is predicted once, by a model that has not learned it."""

import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.small_fits import TRAINING, numbers, small_family
from torch import nn

from relprop.data.dataset import DataTarget
from relprop.search.folds import all_rows, cross_validate, learn_most, make_folds
from relprop.search.model import TrainingRecipe, mean_output, train_model
from relprop.search.prepared import PreparedData

SETTINGS = {
    **TRAINING,
    "width": 8,
    "numbers": "standard",
    "bins": 0,
    "bins_by": "quantile",
    "teacher": "none",
}
DATASET = numbers()
ROWS = DATASET.rows("train", "validation")


def test_folds_divide_the_samples_with_each_class_in_its_share():
    folds = make_folds(DATASET, ROWS, 4, seed=0)
    assert all_rows(folds).tolist() == ROWS.tolist()
    for fold in folds:
        assert not set(fold.train) & set(fold.validation)
        assert sorted([*fold.train, *fold.validation]) == ROWS.tolist()
        assert np.bincount(DATASET.target.values[fold.validation]).tolist() == [8, 8, 8]


def test_folds_follow_the_seed():
    first, again, other = (make_folds(DATASET, ROWS, 4, seed) for seed in (0, 0, 1))
    assert first[0].validation.tolist() == again[0].validation.tolist()
    assert first[0].validation.tolist() != other[0].validation.tolist()


def test_a_class_with_few_samples_needs_no_share_in_each_fold():
    rows = np.concatenate([ROWS[DATASET.target.values[ROWS] < 2], ROWS[:3]])
    assert len(all_rows(make_folds(DATASET, rows, 5, seed=0))) == len(rows)


def copied(values, task="classes"):
    """The samples, of which the second half are copies of the first."""
    half = np.arange(len(DATASET.keys)) % 60
    target = DataTarget(task, ("x", "y", "z")[: 3 if task == "classes" else 1], values[half])
    return replace(
        DATASET, samples=DATASET.samples.iloc[half].reset_index(drop=True), target=target
    )


@pytest.mark.parametrize("task", ["classes", "value"])
def test_copies_of_a_sample_are_in_one_fold(task):
    dataset = copied(DATASET.target.values if task == "classes" else np.arange(120.0), task)
    folds = make_folds(dataset, np.arange(120), 4, seed=0)
    assert all_rows(folds).tolist() == list(range(120))
    for fold in folds:
        assert sorted([*fold.train, *fold.validation]) == list(range(120))
        assert not set(fold.train % 60) & set(fold.validation % 60)


@pytest.mark.parametrize("task", ["classes", "value"])
def test_few_samples_that_were_copied_have_as_many_folds_as_samples(task):
    dataset = copied(np.zeros(60, int) if task == "classes" else np.arange(60.0), task)
    rows = np.array([0, 60, 1, 61, 2, 62])
    folds = make_folds(dataset, rows, 5, seed=0)
    assert all_rows(folds).tolist() == sorted(rows)
    assert sorted(sorted(fold.validation % 60) for fold in folds) == [[0, 0], [1, 1], [2, 2]]


def test_equal_samples_of_few_values_are_divided():
    zeros = replace(DATASET, samples=DATASET.samples * 0)
    folds = make_folds(zeros, ROWS, 4, seed=0)
    assert [len(fold.validation) for fold in folds] == [24] * 4


def test_most_of_a_validation_part_is_learned_unless_it_is_small():
    train, validation = np.arange(60), np.arange(60, 110)
    learned, watched = learn_most(DATASET, train, validation, seed=0)
    assert sorted([*learned, *watched]) == list(range(110))
    assert len(watched) == 10
    assert set(train) < set(learned)
    learned, watched = learn_most(DATASET, train, validation[:-1], seed=0)
    assert (learned.tolist(), watched.tolist()) == (train.tolist(), validation[:-1].tolist())


def test_of_few_samples_each_is_a_fold():
    folds = make_folds(DATASET, ROWS[:3], 5, seed=0)
    assert sorted(fold.validation.tolist() for fold in folds) == [[row] for row in ROWS[:3]]


def test_outputs_are_those_of_models_of_the_other_folds_in_order():
    data, recipe = PreparedData(DATASET), TrainingRecipe(small_family(), SETTINGS, seed=3)
    folds = make_folds(DATASET, ROWS, 3, seed=0)
    told = []
    found = cross_validate(
        data, recipe, folds, seconds=60, on_fold=lambda done, score: told.append((done, score))
    )
    fold = folds[1]
    model = train_model(data, recipe, fold.train, None, seconds=60)
    inputs = model.preparation.apply(DATASET.take(fold.validation))
    here = torch.from_numpy(np.isin(all_rows(folds), fold.validation))
    torch.testing.assert_close(found.outputs[here], mean_output(model.networks, inputs))
    targets = torch.from_numpy(DATASET.target.values[all_rows(folds)])
    assert found.score == pytest.approx(float((found.outputs.argmax(1) == targets).float().mean()))
    assert found.networks == ()
    assert [done for done, _ in told] == pytest.approx([1 / 3, 2 / 3])
    given = np.isin(all_rows(folds), all_rows(folds[:2]))
    right = (found.outputs.argmax(1) == targets).numpy()[given]
    assert told[1][1] == pytest.approx(right.mean())


def test_a_trial_that_is_stopped_has_no_outputs():
    data, recipe = PreparedData(DATASET), TrainingRecipe(small_family(), SETTINGS, seed=3)
    folds = make_folds(DATASET, ROWS, 3, seed=0)
    found = cross_validate(data, recipe, folds, seconds=60, on_fold=lambda done, score: True)
    assert (found.state, found.outputs, found.score) == ("pruned", None, None)


class Odd(nn.Module):
    """Takes a second for its first step, and gives what `factor` says in eval mode."""

    def __init__(self, settings, facts):
        super().__init__()
        self.linear, self.factor = nn.Linear(4, 3), settings["factor"]

    def forward(self, x):
        time.sleep(SECONDS.pop() if self.training and SECONDS else 0)
        return self.linear(x) * (1.0 if self.training else self.factor)


SECONDS = []


def validated(factor=1.0, seconds=60.0):
    family = replace(small_family(), build=Odd)
    recipe = TrainingRecipe(family, {**SETTINGS, "factor": factor}, seed=3)
    folds = make_folds(DATASET, ROWS, 3, seed=0)
    return cross_validate(
        PreparedData(DATASET), recipe, folds, seconds=seconds, on_fold=lambda done, score: False
    )


def test_a_trial_of_which_one_fold_had_no_time_says_so():
    SECONDS.append(0.0)
    assert validated().state == "done"
    SECONDS.append(1.0)
    assert validated(seconds=3.0).state == "time"


def test_outputs_that_are_no_numbers_are_no_score():
    found = validated(factor=float("nan"))
    assert (found.state, found.outputs, found.score) == ("diverged", None, None)
