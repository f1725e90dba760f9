"""Explainer.map: data sets explained batch by batch, the next one loaded in the meantime."""

import threading

import pytest
import torch
from helpers.image_batches import deep_model, images
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import relprop
from relprop.errors import InputError


@pytest.fixture
def model() -> nn.Module:
    return deep_model()


def test_a_loader_is_explained_batch_by_batch(model, capsys):
    explainer, x = relprop.Explainer(model), images(10)
    labels = torch.arange(10) % 4
    loader = DataLoader(TensorDataset(x, labels), batch_size=4)
    explanations = list(explainer.map(loader))
    assert [len(e.output) for e in explanations] == [4, 4, 2]
    torch.testing.assert_close(
        torch.cat([e.relevance for e in explanations]), explainer(x).relevance
    )
    assert "explain: 3 batches" in capsys.readouterr().err
    explanations = list(explainer.map(loader, prepare=lambda b: (b[0], b[1]), progress=False))
    expected = explainer(x, labels).relevance
    torch.testing.assert_close(torch.cat([e.relevance for e in explanations]), expected)
    assert capsys.readouterr().err == ""


def test_the_next_batch_is_loaded_while_one_is_explained(model):
    loading, explaining = threading.Event(), threading.Event()

    def batches():
        yield images(2)
        assert explaining.wait(10)  # the consumer holds the first batch's explanation
        loading.set()
        yield images(2)

    stream = relprop.Explainer(model).map(batches(), progress=False)
    next(stream)
    explaining.set()
    assert loading.wait(10)
    assert len(list(stream)) == 1


def test_an_error_of_the_loader_is_raised(model):
    def batches():
        yield images(2)
        raise OSError("the disk is gone")

    stream = relprop.Explainer(model).map(batches(), progress=False)
    next(stream)
    with pytest.raises(OSError, match="the disk is gone"):
        next(stream)


def test_wrong_options_are_refused_before_a_batch_is_loaded(model):
    explainer, x = relprop.Explainer(model), images(2)
    for batches, options, words in (
        (TensorDataset(x), {}, "a data set of type TensorDataset"),
        ([x], {"batch_size": 0}, "batch_size is 0"),
        ([x], {"progress": "no"}, "progress is 'no'"),
        ([x], {"target": 1, "prepare": lambda b: (b, 0)}, "beside prepare"),
    ):
        with pytest.raises(InputError, match=words):
            explainer.map(batches, **options)
    with pytest.raises(InputError, match=r"option batchsize(.|\n)*batch_size"):
        explainer.map([x], batchsize=1)
    with pytest.raises(InputError, match="prepare returned a Tensor"):
        next(explainer.map([x], prepare=lambda b: b, progress=False))
