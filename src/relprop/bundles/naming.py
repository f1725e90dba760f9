"""Names of what a bundle explains: classes, columns with their values, tokens, channels.

Takes what a bundle knows, and raw samples. Gives options of `Explanation.plot`, of plain values;
and relevance of n-grams as that of words.

n  texts      t  tokens      w  words of the longest text
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..data.dataset import SampleData
from ..prepare.ngrams import NgramTokenizer
from ..support.number_text import number_text
from .content import BundleContent


def naming_of(content: BundleContent, preparation: Any, samples: SampleData) -> dict[str, Any]:
    """Return the names that figures, pages and frames of an explanation use.

    Args:
        content: What is known.
        preparation: Maps samples to tensors.
        samples: The explained ones, as a data set holds them.
    """
    named: dict[str, Any] = {"class_names": content.target_names}
    if content.modality == "table":
        columns = preparation.columns
        named["feature_names"] = tuple(columns.names)
        named["groups"] = {name: tuple(of) for name, of in columns.groups.items()}
        named["values"] = row_values(samples, list(content.columns))
    elif content.modality == "text":
        named["tokens"] = padded_tokens(preparation, samples)
    elif content.modality == "series":
        named["feature_names"] = series_channels(
            preparation.shape[0], content.members[0].facts.masked
        )
    return named


def row_values(frame: Any, columns: Sequence[str]) -> tuple[dict[str, str], ...]:
    """Write the values of each row of a table, by column."""
    texts = {name: [value_text(one) for one in frame[name].tolist()] for name in columns}
    return tuple({name: texts[name][i] for name in columns} for i in range(len(frame)))


def value_text(value: object) -> str:
    """Write a value of a table."""
    if value is None or value != value:
        return "missing"
    if isinstance(value, (float, np.floating)):
        return number_text(float(value), 6)
    return str(value).strip().removesuffix(" 00:00:00")  # of a day


def labels_text(flags: Iterable[bool], names: Sequence[str]) -> str:
    """Name the labels that a sample has, of those that do not exclude each other."""
    return ", ".join(name for name, has in zip(names, flags, strict=True) if has) or "no label"


def word_relevance(
    preparation: Any, texts: SampleData, relevance: Tensor
) -> tuple[Tensor, Tensor, tuple[tuple[str, ...], ...]]:
    """Share relevance of n-grams out among the words of their texts; its sum stays the same.

    Args:
        preparation: A preparation of texts by n-grams.
        texts: The explained ones.
        relevance: Of each n-gram, (n, ..., t).

    Returns:
        The id of each word, (n, w), 0 for padding; its relevance, (n, ..., w), 0 of unknown words
        and of padding; and the words, "" for padding.
    """
    (length,) = preparation.shape
    split = [preparation.tokenizer.shares(text, length) for text in texts]
    longest = max(len(words) for words, _ in split)
    rows = [(row, *share) for row, (_, shares) in enumerate(split) for share in shares]
    text, token, word, share = (torch.tensor(one) for one in zip(*rows, strict=True))
    by_token = relevance.detach().cpu().movedim(-1, 1)  # (n, t, ...)
    given = by_token[text, token]  # (shares, ...)
    given = given * share.to(given.dtype).reshape(-1, *[1] * (given.ndim - 1))
    by_word = by_token.new_zeros(len(split), longest, *by_token.shape[2:])
    by_word.index_put_((text, word), given, accumulate=True)
    named = tuple((*words, *[""] * (longest - len(words))) for words, _ in split)
    ids = [_word_ids(preparation.tokenizer, words, longest) for words, _ in split]
    device = relevance.device
    return torch.tensor(ids, device=device), by_word.movedim(1, -1).to(device), named


def _word_ids(tokenizer: NgramTokenizer, words: Sequence[str], length: int) -> list[int]:
    """Return the ids of words, padded by 0."""
    ids = [one[0] if one else tokenizer.unknown for one in tokenizer.ids(words, 1)]
    return ids + [0] * (length - len(ids))


def by_words(preparation: Any) -> bool:
    """Tell whether relevance of a preparation's tokens is shown by the words of the text."""
    return isinstance(getattr(preparation, "tokenizer", None), NgramTokenizer)


def padded_tokens(preparation: Any, texts: SampleData) -> tuple[tuple[str, ...], ...]:
    """Return the string of each position of prepared texts; "" for padding."""
    (length,) = preparation.shape
    tokens = [preparation.tokens(text)[:length] for text in texts]
    return tuple((*one, *[""] * (length - len(one))) for one in tokens)


def series_channels(count: int, masked: bool) -> tuple[str, ...]:
    """Name the channels of time series, of which the last may be the mask."""
    names = [f"channel {i}" for i in range(count - masked)]
    return (*names, *["is there"] * masked)
