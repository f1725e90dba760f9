"""Number formats: what the network computes in, and what it gives."""

import pytest
import torch
from torch import nn

from relprop.training.precision import (
    LEAST_GAIN,
    NumberFormat,
    bf16_is_faster,
    fast_format,
    seconds_of_convolution,
)


class Recorder(nn.Module):
    def forward(self, x):
        self.seen = x
        self.product = x.flatten(1) @ torch.ones(x[0].numel(), 2)
        return self.product


def test_pictures_have_their_channels_last_and_scores_are_float32():
    network = Recorder()
    pictures = torch.rand(2, 3, 4, 4)
    scores = NumberFormat("cpu", True, torch.channels_last).scores(network, pictures)
    assert network.seen.is_contiguous(memory_format=torch.channels_last)
    assert (network.product.dtype, scores.dtype) == (torch.bfloat16, torch.float32)


def test_rows_are_computed_in_float32():
    assert fast_format(torch.rand(2, 3), "cpu") == NumberFormat(
        "cpu", False, torch.contiguous_format
    )


def test_pictures_are_computed_in_what_was_measured_to_be_faster():
    """The measurement is kept for the process, and another one agrees unless it is a close call."""
    got = fast_format(torch.rand(2, 3, 4, 4), "cpu")
    assert got.layout is torch.channels_last
    assert got.bf16 is bf16_is_faster("cpu", torch.get_num_threads())
    gain = seconds_of_convolution(torch.float32) / seconds_of_convolution(torch.bfloat16)
    if not 0.5 * LEAST_GAIN < gain < 1.5 * LEAST_GAIN:
        assert got.bf16 is (gain > LEAST_GAIN)


@pytest.mark.parametrize("inputs", [torch.rand(2, 3, 4), torch.ones(2, 5, dtype=torch.int64)])
def test_series_and_texts_are_computed_as_pictures_are_but_keep_their_layout(inputs):
    bf16 = bf16_is_faster("cpu", torch.get_num_threads())
    assert fast_format(inputs, "cpu") == NumberFormat("cpu", bf16, torch.contiguous_format)
