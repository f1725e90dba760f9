"""Names of what a bundle explains: classes, columns with their values, tokens, channels.

Takes what a bundle knows, and raw samples. Gives options of `Explanation.plot`, of plain values.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from ..data.dataset import SampleData
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
        named["feature_names"] = _channels(preparation.shape[0], content.members[0].facts.masked)
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


def padded_tokens(preparation: Any, texts: SampleData) -> tuple[tuple[str, ...], ...]:
    """Return the string of each position of prepared texts; "" for padding."""
    (length,) = preparation.shape
    tokens = [preparation.tokens(text)[:length] for text in texts]
    return tuple((*one, *[""] * (length - len(one))) for one in tokens)


def _channels(count: int, masked: bool) -> tuple[str, ...]:
    """Name the channels of time series."""
    names = [f"channel {i}" for i in range(count - masked)]
    return (*names, *["is there"] * masked)
