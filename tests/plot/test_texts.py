"""Tokens as strings, and joined to words."""

import pytest
import torch

from relprop.errors import InputError
from relprop.plot.texts import Token, tokens_of, whole_words

R = torch.tensor([1.0, 2.0, -0.5, 0.25])


class Tokenizer:
    """What is asked of a tokenizer of Hugging Face's."""

    all_special_ids = (0, 1)
    strings = ("[PAD]", "[CLS]", "un", "##likely", "film")

    def convert_ids_to_tokens(self, ids):
        return [self.strings[i] for i in ids]


def test_a_tokenizer_gives_strings_and_marks_special_tokens():
    tokens = tokens_of(torch.tensor([1, 2, 3, 0]), R, Tokenizer(), 0)
    assert tokens == [
        Token("[CLS]", 1.0, special=True),
        Token("un", 2.0),
        Token("likely", -0.5, joined=True),
        Token("[PAD]", 0.25, special=True),
    ]
    assert whole_words(tokens) == [tokens[0], Token("unlikely", 1.5), tokens[3]]


@pytest.mark.parametrize("mark", ["\u2581", "\u0120"])
def test_words_that_begin_with_a_mark_are_joined(mark):
    strings = [f"{mark}an", f"{mark}un", "like", "ly"]
    tokens = tokens_of(None, R, [strings], 0)
    assert [token.text for token in tokens] == strings
    assert whole_words(tokens) == [Token("an", 1.0), Token("unlikely", 1.75)]


def test_the_strings_of_each_sample_are_its_own():
    tokens = tokens_of(None, R, [["a"] * 4, list("bcde")], 1)
    assert [token.text for token in tokens] == list("bcde")
    assert [t.text for t in tokens_of(torch.tensor([7, 8, 9, 1]), R, None, 0)] == list("7891")


def test_another_number_of_strings_is_refused():
    with pytest.raises(InputError, match="3 tokens for sample 0 of length 4"):
        tokens_of(None, R, [["a", "b", "c"]], 0)
    with pytest.raises(InputError, match="a tokenizer for an input that is no token ids"):
        tokens_of(None, R, Tokenizer(), 0)


@pytest.mark.parametrize(
    ("tokens", "given"),
    [
        ([list("abcd")], "no tokens for sample 1: a list of length 1"),
        (5, "tokens of type int"),
        ("abcd", "tokens of type str"),
        ({"a": list("abcd")}, "tokens of type dict"),
    ],
)
def test_tokens_that_are_not_of_each_sample_are_refused(tokens, given):
    with pytest.raises(InputError) as error:
        tokens_of(None, R, tokens, 1)
    assert error.value.given == given
    assert error.value.todo.startswith("write tokens=[tokenizer")


def test_strings_that_are_empty_and_have_no_relevance_are_padding():
    relevance = torch.tensor([1.0, 0.0, 0.0, 2.0])
    shown = tokens_of(None, relevance, [["good", "film", "", ""]], 0)
    assert [(token.text, token.relevance) for token in shown] == [
        ("good", 1.0),
        ("film", 0.0),
        ("", 2.0),
    ]
    (empty,) = tokens_of(None, torch.zeros(2), [["", ""]], 0)  # a text that is empty
    assert (empty.text, empty.relevance) == ("", 0.0)
