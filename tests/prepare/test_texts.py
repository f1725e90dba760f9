"""Texts become ids of one length, and tokens are named for explanations."""

import json

import numpy as np
import pytest
import torch

from relprop.errors import FileError, InputError
from relprop.prepare.texts import TextPreparation, fit_texts

TEXTS = ["a good film", "a bad film", "good good acting , a film"]


def test_shorter_texts_are_padded_with_0_to_the_longest_of_the_training_part():
    preparation = fit_texts(TEXTS)
    expected = [[2, 4, 3, 0, 0, 0], [2, 1, 3, 0, 0, 0], [4, 4, 1, 1, 2, 3]]
    got = preparation.apply(TEXTS)
    assert got.dtype == torch.int64
    assert got.tolist() == expected
    assert preparation.shape == (6,)
    assert preparation.vocabulary == 5
    assert preparation.apply(np.array(TEXTS[:1], dtype=object)).tolist() == expected[:1]


def test_a_longer_text_is_cut_which_is_said():
    preparation = fit_texts(TEXTS, length=4)
    assert preparation.shape == (4,)
    assert preparation.apply(TEXTS)[2].tolist() == [4, 4, 1, 1]
    assert preparation.tokens(TEXTS[2]) == ["good", "good", "acting", ","]
    assert preparation.remarks(["a a good film"]) == ()  # four tokens are not cut
    assert preparation.remarks(TEXTS[1:]) == (
        "1 of 2 texts are cut after 4 tokens",
        "33.3% of the tokens are in no vocabulary, and count as unknown",
    )
    assert (
        preparation.describe() == "words and punctuation (5 different ones), the first 4 of a text"
    )


@pytest.mark.parametrize("kind", ["words", "ngrams"])
def test_an_empty_text_is_one_unknown_token(kind):
    preparation = fit_texts(TEXTS, kind)
    assert preparation.apply(["", "  "])[:, :2].tolist() == [[1, 0], [1, 0]]
    assert preparation.tokens("") == [""]
    assert preparation.remarks(["", "a"]) == ("1 of 2 texts are empty",)


def test_ngrams_are_named_one_for_each_id():
    preparation = fit_texts(TEXTS, "ngrams")
    text = "acting a film"
    assert preparation.tokens(text) == ["acting", "a", "acting a", "film", "a film"]
    assert preparation.apply([text]).count_nonzero() == 5


def test_a_vocabulary_is_limited():
    assert fit_texts(TEXTS, "ngrams", vocabulary=3).vocabulary == 5  # padding, and empty texts
    assert fit_texts(TEXTS, "words", vocabulary=3).vocabulary == 3


@pytest.mark.parametrize("kind", ["words", "ngrams"])
def test_it_is_the_same_after_a_round_through_json(kind):
    preparation = fit_texts(TEXTS, kind)
    plain, tensors = preparation.state()
    again = TextPreparation.restore(json.loads(json.dumps(plain)), tensors)
    unseen = ["a good day", "", "bad film !"]
    assert torch.equal(again.apply(unseen), preparation.apply(unseen))
    assert [again.tokens(text) for text in unseen] == [preparation.tokens(t) for t in unseen]
    assert (again.shape, again.vocabulary) == (preparation.shape, preparation.vocabulary)


def test_what_is_no_text_is_refused():
    preparation = fit_texts(TEXTS)
    with pytest.raises(InputError, match=r"text 1 is nan, of type float"):
        preparation.apply(["a", float("nan")])
    with pytest.raises(InputError, match=r"text 0 is None"):
        preparation.tokens(None)
    with pytest.raises(InputError, match=r"text 2 is 7, of type int"):
        fit_texts(["a", "b", 7])


def test_bad_fits_are_refused():
    with pytest.raises(InputError, match='write "ngrams"'):
        fit_texts(TEXTS, "n-gram")
    with pytest.raises(InputError, match="no texts to train on"):
        fit_texts([])
    with pytest.raises(FileError, match="encoder : no config"):
        fit_texts(TEXTS, "encoder")
