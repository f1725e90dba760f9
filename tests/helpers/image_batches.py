"""A small network for images, batches of them, and explanations compared."""

import torch
from torch import Tensor, nn

import relprop
from helpers.networks import Deep, pixels


def images(count: int) -> Tensor:
    return pixels(count, 1, 8, 8).float()


def deep_model() -> nn.Module:
    torch.manual_seed(0)
    return Deep().eval()


def same(one: relprop.Explanation, other: relprop.Explanation) -> None:
    torch.testing.assert_close(one.relevance, other.relevance)
    torch.testing.assert_close(one.output, other.output)
    torch.testing.assert_close(one.input, other.input, rtol=0, atol=0)
    assert torch.equal(one.target, other.target)
    assert torch.equal(one.prediction, other.prediction)
