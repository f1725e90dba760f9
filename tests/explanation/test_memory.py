"""Peak memory is measured, and memory= limits it."""

import pytest
import torch
from helpers.image_batches import deep_model, images, same
from torch import nn

import relprop
from relprop.errors import InputError
from relprop.explanation.memory import peak_bytes


@pytest.fixture
def model() -> nn.Module:
    return deep_model()


def test_memory_limits_the_samples_at_a_time(model):
    explainer, x = relprop.Explainer(model, "epsilon"), images(64)
    explainer(x)
    whole = peak_bytes(lambda: explainer(x))
    memory = whole // 4
    same(explainer(x), explainer(x, memory=memory))
    given = x.nbytes + 64 * 8 * 4  # the explanation holds all relevance, and some scores
    assert peak_bytes(lambda: explainer(x, memory=memory)) <= memory + given
    with pytest.raises(InputError, match=r"one sample needs .*\n.*at least"):
        explainer(x, memory=100)


def test_fake_and_meta_tensors_have_no_memory(model):
    first = peak_bytes(lambda: relprop.Explainer(model).plan(images(5)))
    assert type(first) is int  # sizes of fake tensors are symbols
    assert peak_bytes(lambda: torch.ones(1000, device="meta")) == 0
