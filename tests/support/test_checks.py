"""Checks of tensors: the shape of a classifier's output, and finite numbers."""

import pytest
import torch

import relprop
from relprop.errors import InputError, NumberError
from relprop.evaluate import predict, removal_curve
from relprop.support.checks import (
    check_finite,
    first_not_finite,
    is_classification,
    require_classes,
)

NO_CLASSES = [(5,), (5, 1), (5, 0), (5, 3, 1), ()]


@pytest.mark.parametrize("shape", NO_CLASSES)
def test_an_output_without_two_classes_is_none(shape):
    assert not is_classification(torch.zeros(shape))
    with pytest.raises(InputError) as caught:
        require_classes(torch.zeros(shape), "logits", "pass logits")
    assert caught.value.given == f"logits of shape {shape}"
    assert caught.value.allowed == "(batch, classes) with at least two classes"
    assert caught.value.todo == "pass logits"


def test_two_classes_are_enough():
    assert is_classification(torch.zeros(5, 2))
    require_classes(torch.zeros(5, 2), "logits", "pass logits")


@pytest.mark.parametrize("shape", NO_CLASSES[:-1])
def test_margin_prediction_and_curves_ask_the_same_question(shape):
    x = torch.ones(5, 4)
    for call in (
        lambda: relprop.margin(torch.zeros(shape)),
        lambda: predict(lambda x: torch.zeros(shape), x),
        lambda: removal_curve(lambda x: torch.zeros(shape), x, x, steps=2),
    ):
        with pytest.raises(InputError, match="of shape") as caught:
            call()
        assert str(tuple(shape)) in caught.value.given


def test_large_finite_numbers_are_finite_though_their_sum_is_not():
    values = torch.full((2, 3), 3e38)
    assert first_not_finite(values) is None
    values[1, 2] = torch.nan
    assert first_not_finite(values) == 1


@pytest.mark.parametrize("bad", [torch.inf, -torch.inf, torch.nan])
def test_the_sample_that_is_named_is_the_users(bad):
    values = torch.zeros(4, 2)
    values[2, 1] = bad
    with pytest.raises(NumberError, match=r"output for sample 12 is not finite, at the end"):
        check_finite(values, "output", ", at the end", "check it", start=10)
