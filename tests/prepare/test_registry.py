"""Each modality has its preparation, which is made again from its state without the data."""

import json

import pytest
import torch
from helpers import made_bundles as made

from relprop.networks.family import Facts
from relprop.networks.registry import find_family
from relprop.prepare.registry import fit_preparation, restore_preparation

DATA = {
    "table": (made.table(), "mlp"),
    "series": (made.series(ragged=True), "fcn"),
    "picture": (made.pictures(), "cnn"),
    "text": (made.texts(), "textcnn"),
}


@pytest.mark.parametrize("modality", DATA)
def test_what_is_restored_prepares_alike(modality):
    dataset, family = DATA[modality]
    facts = Facts(dataset.modality, "classes", 3, 36, (1, 16, 16))
    settings = find_family(dataset.modality, family).default(facts)
    fitted = fit_preparation(dataset, dataset.rows("train"), settings)
    state, tensors = fitted.state()
    restored = restore_preparation(modality, json.loads(json.dumps(state)), tensors)
    first, second = (one.apply(dataset.samples) for one in (fitted, restored))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    assert first.shape == (60, *fitted.shape)
    assert restored.describe() == fitted.describe()


def test_only_the_rows_that_are_named_are_fitted_to():
    dataset, family = DATA["series"]
    facts = Facts("series", "classes", 3, 36, (2, 16))
    settings = find_family("series", family).default(facts)
    train = fit_preparation(dataset, dataset.rows("train"), settings)
    test = fit_preparation(dataset, dataset.rows("test"), settings)
    assert not torch.equal(train.mean, test.mean)


def test_the_settings_of_texts_reach_their_preparation():
    dataset, _ = DATA["text"]
    settings = {"tokens": "words", "vocabulary": 100, "length": 3}
    assert fit_preparation(dataset, dataset.rows("train"), settings).shape == (3,)
