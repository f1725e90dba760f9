"""Texts to token ids of one length, padded with 0 at the end.

Takes texts as `Dataset.samples` holds them, and a tokenizer that was fitted on the training part or
belongs to an encoder. Gives int64 (n, tokens). Must not know networks or training.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ..data.dataset import SampleData
from ..errors import InputError
from ..support.arguments import suggest
from .ngrams import NgramTokenizer, fit_ngrams
from .tokenizers import LibraryTokenizer, TextTokenizer, encoder_tokenizer, fit_words

TOKENIZERS = ("words", "ngrams", "encoder")


@dataclass(frozen=True, eq=False)
class TextPreparation:
    """Makes token ids of texts.

    Attributes:
        kind: What makes the tokens: "words", "ngrams" or "encoder".
        tokenizer: What splits texts.
        length: Tokens of a prepared text, padding included.
    """

    kind: str
    tokenizer: TextTokenizer
    length: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of a prepared text, (tokens,)."""
        return (self.length,)

    @property
    def vocabulary(self) -> int:
        """Number of different token ids."""
        return self.tokenizer.size

    def apply(self, samples: SampleData) -> Tensor:
        """Prepare texts, also ones that were not seen in training.

        Args:
            samples: n texts. Longer ones than `length` are cut, an empty one becomes one unknown
                token.

        Returns:
            int64 (n, length), 0 at the end of shorter texts.

        Raises:
            InputError: A sample is no text.

        Example:
            >>> preparation = fit_texts(["good film", "bad film", "a good one"], "ngrams")
            >>> preparation.tokens("Good film!")
            ['good', 'film', 'good film']
            >>> preparation.apply(["film"])
            tensor([[2, 0, 0, 0, 0]])
        """
        _check(samples)
        ids = self.tokenizer.ids(samples, self.length)
        rows = [torch.tensor(row or [self.tokenizer.unknown]) for row in ids]
        padded = pad_sequence([torch.zeros(self.length, dtype=torch.int64), *rows], True)
        return padded[1:]

    def tokens(self, sample: str) -> list[str]:
        """Return the string of each token of a text, without padding; [""] for an empty text."""
        _check([sample])
        return self.tokenizer.strings(sample, self.length) or [""]

    def remarks(self, samples: SampleData) -> tuple[str, ...]:
        """Say what happens to some of these texts that does not to others, a sentence each."""
        ids = self.tokenizer.ids(samples, None)
        unknown, total = self.tokenizer.unknown, max(1, sum(map(len, ids)))
        strange = sum(row.count(unknown) for row in ids) / total
        cut = sum(len(row) > self.length for row in ids)
        empty = sum(not text.strip() for text in samples)
        found = []
        if cut:
            found.append(f"{cut} of {len(ids)} texts are cut after {self.length} tokens")
        if empty:
            found.append(f"{empty} of {len(ids)} texts are empty")
        if strange:
            found.append(f"{strange:.1%} of the tokens are in no vocabulary, and count as unknown")
        return tuple(found)

    def describe(self) -> str:
        """Say in words what is done to a text."""
        return f"{self.tokenizer.describe()}, the first {self.length} of a text"

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Return what `restore` takes: values that JSON has, and no tensors."""
        tokenizer = self.tokenizer.state()
        return {"kind": self.kind, "length": self.length, "tokenizer": tokenizer}, {}

    @classmethod
    def restore(cls, state: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> "TextPreparation":
        """Make the preparation again that gave `state()`."""
        kind = NgramTokenizer if state["kind"] == "ngrams" else LibraryTokenizer
        tokenizer: TextTokenizer = kind.restore(state["tokenizer"])
        return cls(state["kind"], tokenizer, state["length"])


def fit_texts(
    samples: SampleData,
    kind: str = "words",
    *,
    vocabulary: int = 200_000,
    length: int = 256,
    encoder: str = "",
) -> TextPreparation:
    """Fit the preparation of texts on the training part.

    Args:
        samples: Texts of the training part.
        kind: "words": words and punctuation in their order; "ngrams": the set of words and pairs
            of neighbours; "encoder": as a pretrained encoder splits them.
        vocabulary: The most entries of a vocabulary of words or n-grams.
        length: The most tokens of a prepared text; fewer where the longest text has fewer.
        encoder: Folder of the encoder.

    Raises:
        InputError: An unknown kind, no texts, or a sample that is none.
        FileError: The encoder's folder has no tokenizer.
        MissingExtraError: A library is not installed.
    """
    if kind not in TOKENIZERS:
        raise InputError(f"tokens = {kind!r}", ", ".join(TOKENIZERS), suggest(kind, TOKENIZERS))
    if len(samples) == 0:
        raise InputError("no texts to train on", "at least one", "give a larger training part")
    _check(samples)
    tokenizer: TextTokenizer
    if kind == "encoder":
        tokenizer = encoder_tokenizer(encoder)
    elif kind == "ngrams":
        tokenizer = fit_ngrams(samples, 2, vocabulary)
    else:
        tokenizer = fit_words(list(samples), vocabulary)
    longest = max(map(len, tokenizer.ids(samples, None)))
    return TextPreparation(kind, tokenizer, max(1, min(longest, length)))


def _check(samples: SampleData) -> None:
    """Raise InputError for a sample that is no text."""
    for place, sample in enumerate(samples):
        if not isinstance(sample, str):
            given = f"text {place} is {sample!r:.60}, of type {type(sample).__name__}"
            raise InputError(given, "texts of type str", 'write "" for an empty text')
