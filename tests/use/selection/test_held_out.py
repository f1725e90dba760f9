"""Relevance of samples that networks have not learned: none of them is, and each is explained."""

import numpy as np
import pandas as pd
import pytest
import torch

from relprop.data.dataset import Dataset, DataTarget
from relprop.search.prepared import PreparedData
from relprop.use.selection.held_out import held_out_models, held_out_relevance, sum_entries
from relprop.use.selection.modalities import features_of


def table(frame, target, kinds=None):
    return PreparedData(
        Dataset(
            "made",
            "table",
            frame,
            tuple(map(str, range(len(frame)))),
            target,
            np.full(len(frame), "train"),
            kinds or dict.fromkeys(frame.columns, "number"),
        )
    )


def explain(data, count, folds, seed):
    """Relevance of all samples, each for the network that was trained without it."""
    features = features_of(data.dataset)
    models = held_out_models(data, features, np.arange(count), folds=folds, seed=seed)
    return held_out_relevance(data, features, list(models))


@pytest.mark.slow
def test_no_sample_is_explained_by_a_network_that_has_learned_it(short_training):
    """Learned, a random label has evidence; on samples that are new, for and against cancel."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(120, 20)), columns=[f"c{i}" for i in range(20)])
    target = DataTarget("classes", ("a", "b"), rng.integers(0, 2, 120))
    held_out = explain(table(frame, target), 120, folds=4, seed=0)
    assert sorted(held_out.rows) == list(range(120))
    assert np.bincount(held_out.fold).tolist() == [30] * 4
    score = held_out.relevance.sum(1)
    assert score.abs().mean() > 0.5
    assert abs(score.mean()) < 3 * score.std() / 120**0.5


def test_relevance_is_for_the_true_class_and_of_the_users_columns():
    rng = np.random.default_rng(1)
    colour, size = rng.choice(["red", "green", "blue"], 300), rng.normal(size=300)
    labels = np.where(colour == "red", 0, np.where(size > 0, 1, 2))
    frame = pd.DataFrame({"size": size, "colour": colour, "noise": rng.normal(size=300)})
    data = table(
        frame,
        DataTarget("classes", ("red", "large", "small"), labels),
        {"size": "number", "colour": "category", "noise": "number"},
    )
    held_out = explain(data, 300, folds=3, seed=0)
    assert held_out.names == ("size", "colour", "noise")
    mean = torch.stack(
        [held_out.relevance[torch.from_numpy(labels[held_out.rows] == c)].mean(0) for c in range(3)]
    )
    assert mean[0, 1] > 3 * mean[0, 0].abs()  # what is red is so by its colour
    assert (mean[1:, 1] > 2).all()  # what is none of the others by its colour
    assert mean[1, 0] > 1  # and what is large by its size; small is what is left
    assert (mean[:, 2].abs() < 0.2 * mean.amax(1)).all()


@pytest.mark.slow
def test_a_value_is_explained_as_it_is(short_training):
    rng = np.random.default_rng(2)
    frame = pd.DataFrame(rng.normal(size=(300, 4)), columns=list("abcd"))
    target = DataTarget(
        "value", ("price",), 50 + 10 * frame["b"].to_numpy() - 5 * frame["d"].to_numpy()
    )
    held_out = explain(table(frame, target), 300, folds=3, seed=0)
    for name, sign in (("b", 1), ("d", -1)):
        relevance = held_out.relevance[:, list("abcd").index(name)]
        values = frame[name].to_numpy()[held_out.rows]
        assert np.corrcoef(relevance, sign * values)[0, 1] > 0.95


def test_labels_that_hold_are_explained_against_those_that_do_not(short_training):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(300, 4)), columns=list("abcd"))
    labels = np.stack([frame["a"] > 0, frame["c"] > 0], 1).astype(np.float32)
    held_out = explain(
        table(frame, DataTarget("labels", ("left", "right"), labels)), 300, folds=2, seed=0
    )
    mean = held_out.relevance.mean(0)
    assert (mean[[0, 2]] > 0.5).all()
    assert (mean[[1, 3]].abs() < 0.1).all()


def test_models_are_as_they_were_after_they_were_explained(short_training):
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(rng.normal(size=(60, 3)), columns=list("abc"))
    data = table(frame, DataTarget("classes", ("a", "b"), (frame["a"] > 0).to_numpy().astype(int)))
    features = features_of(data.dataset)
    models = list(held_out_models(data, features, np.arange(60), folds=2, seed=0))
    before = [one.model.networks[0](torch.ones(1, 3)).detach() for one in models]
    held_out_relevance(data, features, models)
    assert all(
        torch.equal(one.model.networks[0](torch.ones(1, 3)), first)
        for one, first in zip(models, before, strict=True)
    )
    assert not torch.equal(*before)


def test_entries_of_a_feature_are_summed_and_those_of_none_left_out():
    relevance = torch.tensor([[[1.0, 2.0, 4.0, 8.0]], [[1.0, 0.0, -1.0, 5.0]]])
    summed = sum_entries(relevance, torch.tensor([2, 0, -1, 2]), 4)
    assert summed.tolist() == [[2, 0, 9, 0], [0, 0, 6, 0]]
