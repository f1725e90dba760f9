"""Samples of many shapes, models that take them, and a comparison of whole explanations."""

from collections.abc import Mapping

import torch
from torch import nn
from transformers import BertConfig, BertForSequenceClassification

import relprop
from helpers.networks import randomise, signed

LENGTHS = (7, 3, 12, 7, 5, 4, 9, 3, 11, 6, 2, 8)
SIZES = {
    **{"vocab_size": 40, "hidden_size": 16, "intermediate_size": 32},
    **{"num_hidden_layers": 2, "num_attention_heads": 2},
}


def sentence(length: int, seed: int = 0) -> dict[str, torch.Tensor]:
    """Token ids and mask, (1, length), as a tokenizer returns them."""
    generator = torch.Generator().manual_seed(100 * seed + length)
    ids = torch.randint(1, 40, (1, length), generator=generator)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


SENTENCES = [sentence(length, seed) for seed, length in enumerate(LENGTHS)]


def small_bert() -> relprop.Explainer:
    """Explain a random BERT with three classes."""
    torch.manual_seed(0)
    model = BertForSequenceClassification(BertConfig(**SIZES, num_labels=3)).double()
    return relprop.Explainer(randomise(model))


def mapped(explainer, samples, target=None, **options):
    options = {"bucket_size": 4, **options}
    return list(explainer.map(samples, target, progress=False, **options))


def same(got, want, name="explanation") -> None:
    """Compare explanations, ledgers, mappings, tuples and tensors, shapes included."""
    if isinstance(want, torch.Tensor):
        torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-9, msg=lambda m: f"{name}: {m}")
    elif isinstance(want, Mapping):
        assert list(got) == list(want)
        for key in want:
            same(got[key], want[key], f"{name}/{key}")
    elif isinstance(want, tuple):
        for i, (one, other) in enumerate(zip(got, want, strict=True)):
            same(one, other, f"{name}/{i}")
    elif hasattr(want, "__dataclass_fields__"):
        assert type(got) is type(want)
        for field in want.__dataclass_fields__:
            same(getattr(got, field), getattr(want, field), f"{name}/{field}")
    else:
        assert got == want, name


def same_each(explainer, samples, target=None, **options) -> None:
    got = mapped(explainer, samples, target, **options)
    options = {k: v for k, v in options.items() if k not in ("bucket_size", "mask")}
    for one, sample in zip(got, samples, strict=True):
        same(one, explainer(sample, target, **options))


class Pointer(nn.Module):
    """Scores each step, below 0; steps that do not count have 0."""

    def __init__(self):
        super().__init__()
        self.steps, self.head = nn.Linear(4, 6), nn.Linear(6, 1)

    def forward(self, x, counts):
        return -self.head(self.steps(x).relu()).squeeze(-1).square() * counts.to(x.dtype)


def small_cnn() -> nn.Module:
    layers = nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1)
    return randomise(nn.Sequential(*layers, nn.Flatten(), nn.Linear(4, 3)).double())


PICTURES = [signed(1, 2, 6 + i % 3, 9 - i % 2, seed=i) for i in range(13)]


class Masked(nn.Module):
    """Embeds steps, one by one, and averages those that count; reads its mask as told."""

    def __init__(self, read):
        super().__init__()
        self.steps, self.head, self.read = nn.Linear(4, 6), nn.Linear(6, 3), read

    def forward(self, x, counts):
        kept = self.read(counts).to(x.dtype).unsqueeze(-1)
        h = (self.steps(x).relu() * kept).sum(1) / kept.sum(1)
        return self.head(h)


def series(values):
    """Steps with a mask of these values, given by position, (1, length, 4) and (1, length)."""
    return [
        (signed(1, length, 4, seed=length), torch.full((1, length), values)) for length in LENGTHS
    ]
