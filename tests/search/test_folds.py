"""Validation on folds: every sample is predicted once, by a model that has not learned it."""

import numpy as np
import pytest
import torch
from helpers.small_fits import TRAINING, numbers, small_family

from relprop.search.folds import all_rows, cross_validate, make_folds
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


def test_a_trial_that_is_stopped_has_no_outputs():
    data, recipe = PreparedData(DATASET), TrainingRecipe(small_family(), SETTINGS, seed=3)
    folds = make_folds(DATASET, ROWS, 3, seed=0)
    found = cross_validate(data, recipe, folds, seconds=60, on_fold=lambda done, score: True)
    assert (found.state, found.outputs, found.score) == ("pruned", None, None)
