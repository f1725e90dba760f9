"""Digits: taking the first ones."""

import subprocess
import sys

import pytest
import torch

from relprop.data import Digits, first_digits
from relprop.errors import InputError

FIVE = Digits(torch.rand(5, 1, 28, 28), torch.arange(5), "test", "random pixels")


def test_the_first_digits_keep_split_and_source():
    first = first_digits(FIVE, 2)
    assert first.labels.tolist() == [0, 1]
    assert first.images.equal(FIVE.images[:2])
    assert (first.split, first.source) == ("test", "random pixels")
    assert first_digits(FIVE, None) is FIVE


@pytest.mark.parametrize("count", [0, 6])
def test_a_count_out_of_range_is_an_error(count):
    with pytest.raises(InputError, match=rf"{count} digits to use\n.*1 to 5, .*random pixels"):
        first_digits(FIVE, count)


def test_data_and_models_are_found_on_the_package():
    """In a fresh process, as other tests have imported them here."""
    code = "import relprop; relprop.data.load_digits; relprop.models.load_model"
    subprocess.run([sys.executable, "-c", code], check=True)
