"""The words of texts, as features of which some are kept.

Takes texts. Gives their words, and the texts without some of them. Must not know how features are
ranked.

n  texts      d  words      e  n-grams of a prepared text      v  ids of n-grams
"""

import re
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ...data.dataset import Dataset
from ...networks.family import NetworkFamily, Settings
from ...networks.registry import find_family
from ...prepare.base import Preparation
from ...search.prepared import PreparedData, Rows
from .features import with_steps

MOST_WORDS = 5000
_FEWEST_TEXTS = 2  # that a word is in: what one text has alone tells nothing of another
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class TextFeatures:
    """The words of texts, in small letters: those in two texts or more, 5,000 at most.

    The test part is not read. Of other samples, words are numbered before they are divided into
    folds, without their classes: a word that a training part lacks has no relevance there.

    Attributes:
        dataset: The texts.
    """

    dataset: Dataset

    @property
    def noun(self) -> str:
        """What one is."""
        return "word"

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The words, those of most texts first."""
        seen = self.dataset.take(self.dataset.rows("train", "validation"))
        counts = Counter(word for text in seen for word in set(_words(text)))
        ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        return tuple(word for word, count in ranked[:MOST_WORDS] if count >= _FEWEST_TEXTS)

    @cached_property
    def _number(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.names)}

    def ranking_family(self) -> NetworkFamily:
        """Return linear networks over words and pairs of neighbours."""
        return self.testing_family()

    def testing_family(self) -> NetworkFamily:
        """Return linear networks over words and pairs of neighbours."""
        return find_family("text", "ngrams")

    def settings(self, data: PreparedData, family: NetworkFamily, samples: int) -> Settings:
        """Return the defaults with 600 steps."""
        return with_steps(family.default(data.rough_facts(samples)), samples)

    def finished(self, network: nn.Module) -> nn.Module:
        """Return the network as it is."""
        return network

    def entries(self, preparation: Preparation, x: Tensor) -> Tensor:
        """Return the first and the last word of each n-gram, -1 for none, (2, n, e).

        Relevance of a pair is shared equally between its words, and of a word all is its own.
        """
        grams: tuple[str, ...] = preparation.tokenizer.vocabulary  # type: ignore[attr-defined]
        before = preparation.vocabulary - len(grams)  # ids of padding, and of an empty text
        number = torch.full((2, preparation.vocabulary), -1)
        for place, gram in enumerate(grams, before):
            words = gram.split(" ")
            number[0, place] = self._number.get(words[0], -1)
            number[1, place] = self._number.get(words[-1], -1)
        return number[:, x]

    def keep(self, mask: NDArray[np.bool_], train: Rows) -> Dataset:
        """Return the texts with some words alone, in their order; words are in small letters."""
        kept = {word for word, one in zip(self.names, mask, strict=True) if one}
        texts = np.empty(len(self.dataset.samples), object)
        for i, text in enumerate(self.dataset.samples):
            texts[i] = " ".join(word for word in _words(text) if word in kept)
        return replace(self.dataset, samples=texts)


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
