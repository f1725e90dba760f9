"""Texts to token ids by a tokenizer of the `tokenizers` library: of words, or of an encoder.

Gives what `TextPreparation` takes: ids of each text, the strings of its tokens, and values that
JSON has, of which it is made again. Id 0 is padding. Must not know tensors or networks.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import FileError
from ..support.extras import needs

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_PURPOSE = "fit", "tokens of texts"
_PADDING, _UNKNOWN = "[PAD]", "[UNK]"
_FIRST_WORD = 1  # id that stands for an empty text where a vocabulary has none for unknown words
SEEN_TWICE = 2  # rarer words are unknown, so that the network learns what that means


class TextTokenizer(Protocol):
    """Splits texts into tokens."""

    @property
    def size(self) -> int:
        """Number of different ids, padding among them."""

    @property
    def unknown(self) -> int:
        """The id of what is in no vocabulary, which stands for an empty text as well."""

    def ids(self, texts: Sequence[str], length: int | None) -> list[list[int]]:
        """Return the ids of each text, cut after `length` of them."""

    def strings(self, text: str, length: int) -> list[str]:
        """Return the string of each of a text's ids."""

    def describe(self) -> str:
        """Say in words what a token is."""

    def state(self) -> dict[str, Any]:
        """Return all that makes it again, as values that JSON has."""


@dataclass(frozen=True, eq=False)
class LibraryTokenizer:
    """A tokenizer of the `tokenizers` library.

    Attributes:
        document: Its JSON, as the library writes it.
        padding: The id that it pads with, which changes places with 0.
        words: What a token is, in words.
    """

    document: str
    padding: int
    words: str

    @cached_property
    def library(self) -> "Tokenizer":
        """The library's object."""
        with needs(*_PURPOSE):
            from tokenizers import Tokenizer
        tokenizer = Tokenizer.from_str(self.document)
        tokenizer.no_padding()
        return tokenizer

    @property
    def size(self) -> int:
        """Number of different ids, padding among them."""
        return int(max(self.library.get_vocab().values())) + 1

    @property
    def unknown(self) -> int:
        """The id of words that are in no vocabulary, which stands for an empty text as well."""
        name = json.loads(self.document)["model"].get("unk_token")
        number = None if name is None else self.library.token_to_id(name)
        return self._swapped(_FIRST_WORD if number is None else number)

    def ids(self, texts: Sequence[str], length: int | None) -> list[list[int]]:
        """Return the ids of each text; what ends a text, such as [SEP], is kept when it is cut."""
        with self._cutting(length) as tokenizer:
            encodings = tokenizer.encode_batch_fast(list(texts))
        return [[self._swapped(i) for i in encoding.ids] for encoding in encodings]

    def strings(self, text: str, length: int) -> list[str]:
        """Return the string of each of a text's ids: of unknown ones what the text has there."""
        with self._cutting(length) as tokenizer:
            found = tokenizer.encode(text)
        pieces = zip(found.ids, found.tokens, found.offsets, strict=True)
        return [
            text[start:end] if self._swapped(i) == self.unknown and end > start else token
            for i, token, (start, end) in pieces
        ]

    @contextmanager
    def _cutting(self, length: int | None) -> Iterator["Tokenizer"]:
        """Let the library cut texts after `length` tokens."""
        if length is None:
            self.library.no_truncation()
        else:
            self.library.enable_truncation(length)
        yield self.library

    def _swapped(self, i: int) -> int:
        return {self.padding: 0, 0: self.padding}.get(i, i)

    def describe(self) -> str:
        """Say in words what a token is."""
        return self.words

    def state(self) -> dict[str, Any]:
        """Return all that makes it again, as values that JSON has."""
        return {"document": self.document, "padding": self.padding, "words": self.words}

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> "LibraryTokenizer":
        """Make the tokenizer again that gave `state()`."""
        return cls(state["document"], state["padding"], state["words"])


def fit_words(texts: Sequence[str], most: int) -> LibraryTokenizer:
    """Make a tokenizer of the words of some texts, in small letters, with punctuation.

    Args:
        texts: The texts of the training part.
        most: The most entries of its vocabulary; the most frequent words are kept, without those
            that occur only once.
    """
    with needs(*_PURPOSE):
        from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers
    tokenizer = Tokenizer(models.WordLevel(unk_token=_UNKNOWN))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordLevelTrainer(
        vocab_size=most,
        min_frequency=SEEN_TWICE,
        special_tokens=[_PADDING, _UNKNOWN],
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    kept = tokenizer.get_vocab_size()
    return LibraryTokenizer(tokenizer.to_str(), 0, f"words and punctuation ({kept} different ones)")


def encoder_tokenizer(folder: str) -> LibraryTokenizer:
    """Read the tokenizer of a pretrained encoder.

    Args:
        folder: Folder of a `transformers` model.

    Raises:
        FileError: The folder is missing, or has no tokenizer that the `tokenizers` library runs and
            that has a token for padding.
        MissingExtraError: `transformers` is not installed.
    """
    with needs(*_PURPOSE):
        from transformers import AutoTokenizer
    allowed = "a folder of transformers with config.json, weights and tokenizer.json"
    if not Path(folder, "config.json").is_file():
        raise FileError(f"encoder {folder}: no config.json there", allowed, "give such a folder")
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        given = f"encoder {folder}: its tokenizer cannot be read ({type(error).__name__})"
        raise FileError(given, allowed, "save the tokenizer there: save_pretrained") from error
    # without files it comes with its special tokens alone, and no error
    empty = len(tokenizer) <= len(tokenizer.all_special_ids)
    if empty or not tokenizer.is_fast or tokenizer.pad_token_id is None:
        given = f"encoder {folder}: no tokenizer.json there, or none that pads"
        raise FileError(given, allowed, "take an encoder such as BERT, RoBERTa or MiniLM")
    document = tokenizer.backend_tokenizer.to_str()
    return LibraryTokenizer(document, tokenizer.pad_token_id, "the encoder's own tokens")
