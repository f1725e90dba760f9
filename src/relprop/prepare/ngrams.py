"""Texts as the set of words and pairs of neighbouring words that occur in them, as ids.

Follows the protocol of tokenizers. Gives each n-gram of a text once, in the order of the text;
those that the training part lacks are left out. Must not know tensors or networks.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

_WORD = re.compile(r"\w+")
_FIRST = 2  # id of the first n-gram: 0 is padding, 1 stands for an empty text


@dataclass(frozen=True, eq=False)
class NgramTokenizer:
    """Finds the known n-grams of a text.

    Attributes:
        vocabulary: N-grams that are known, two words with a space between them.
        longest: Number of words of the longest n-grams, 1 or 2.
    """

    vocabulary: tuple[str, ...]
    longest: int

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {gram: number for number, gram in enumerate(self.vocabulary, _FIRST)}

    @property
    def size(self) -> int:
        """Number of different ids, padding among them."""
        return len(self.vocabulary) + _FIRST

    @property
    def unknown(self) -> int:
        """The id that stands for a text without any known n-gram."""
        return 1

    def ids(self, texts: Sequence[str], length: int | None) -> list[list[int]]:
        """Return the ids of each text, cut after `length` of them."""
        numbers = self._numbers
        return [[numbers[gram] for gram in self._known(text)][:length] for text in texts]

    def strings(self, text: str, length: int) -> list[str]:
        """Return the n-grams of a text that are known."""
        return self._known(text)[:length]

    def shares(self, text: str, length: int) -> tuple[list[str], list[tuple[int, int, float]]]:
        """Return how what belongs to n-grams is shared out equally among the words of a text.

        Args:
            text: The text.
            length: The most n-grams.

        Returns:
            The words of the text, also unknown ones and ones that occur again, [""] of an empty
            text; and (n-gram, word, share) by their places. All words share the id of a text
            without known n-grams.

        Example:
            >>> fit_ngrams(["good film"], 2, 9).shares("A good film", 9)[1]
            [(0, 1, 1.0), (1, 2, 1.0), (2, 1, 0.5), (2, 2, 0.5)]
        """
        words, places = _words(text) or [""], _ngrams(text, self.longest)
        of_known = [places[gram] for gram in self._known(text)[:length]] or [range(len(words))]
        shares = [
            (number, word, 1 / len(of_gram))
            for number, of_gram in enumerate(of_known)
            for word in of_gram
        ]
        return words, shares

    def _known(self, text: str) -> list[str]:
        return [gram for gram in _ngrams(text, self.longest) if gram in self._numbers]

    def describe(self) -> str:
        """Say in words what a token is."""
        kind = "words" if self.longest == 1 else "words and pairs of neighbouring words"
        return f"{kind} that occur in a text ({len(self.vocabulary)} different ones)"

    def state(self) -> dict[str, Any]:
        """Return all that makes it again, as values that JSON has."""
        return {"vocabulary": list(self.vocabulary), "longest": self.longest}

    @classmethod
    def restore(cls, state: Mapping[str, Any]) -> "NgramTokenizer":
        """Make the tokenizer again that gave `state()`."""
        return cls(tuple(state["vocabulary"]), state["longest"])


def fit_ngrams(texts: Iterable[str], longest: int, most: int) -> NgramTokenizer:
    """Collect the n-grams of some texts.

    Args:
        texts: The texts of the training part.
        longest: Number of words of the longest n-grams, 1 or 2.
        most: The most n-grams that are kept: those in most texts.
    """
    counts = Counter(gram for text in texts for gram in _ngrams(text, longest))
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return NgramTokenizer(tuple(gram for gram, _ in ranked[:most]), longest)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _ngrams(text: str, longest: int) -> dict[str, Sequence[int]]:
    """List the n-grams of a text, each once, in the order in which their last word comes.

    Returns:
        N-gram -> places of its words, wherever it occurs.
    """
    found: dict[str, list[int]] = {}
    for place, word in enumerate(words := _words(text)):
        found.setdefault(word, []).append(place)
        if longest > 1 and place:
            found.setdefault(f"{words[place - 1]} {word}", []).extend((place - 1, place))
    return dict(found)
