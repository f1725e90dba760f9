"""A classifier whose reason is known: a digit's class depends on one pixel and nothing else."""

from types import SimpleNamespace

import torch
from torch import nn

from relprop.data import Digits

SIDE, PIXELS = 5, 25


class OnePixel(nn.Module):
    """Class k if pixel k is lit, and class 0 if none is."""

    def __init__(self, classes=3):
        super().__init__()
        self.classes = classes

    def forward(self, x):
        scores = 4 * x.flatten(1)[:, : self.classes].clone()
        scores[:, 0] += 1
        return scores


class Oracle:
    """Explains OnePixel with the truth: the pixel of the predicted class, and nothing else."""

    def __init__(self, model=None, wrong=False):
        self.model = (model or OnePixel()).eval()
        self.wrong = wrong  # every pixel but the right one is relevant

    def __call__(self, x, batch_size=None):
        classes = self.model(x).argmax(1)
        relevance = nn.functional.one_hot(classes, PIXELS).float()
        if self.wrong:
            relevance = 1 - relevance
        return SimpleNamespace(relevance=relevance.reshape(x.shape))


def planted_digits():
    """Twelve digits, classes 0, 1, 2 in turn, each with the pixel of its class and two more lit."""
    images, labels = torch.zeros(12, PIXELS), torch.arange(12) % 3
    images[torch.arange(12), labels] = 1.0
    images[:, [10, 11]] = 1.0
    return Digits(images.reshape(12, 1, SIDE, SIDE), labels, "test", "twelve planted digits")
