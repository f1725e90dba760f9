"""Tokens of a text with their relevance: strings, whole words, special tokens marked.

Takes token ids or strings. Gives words with numbers. Must not know figures or pages.
"""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ..errors import InputError

_STRINGS = "write tokens=[tokenizer.convert_ids_to_tokens(ids) for ids in e.input]"
# How tokenizers mark a token: WordPiece continues a word by ##; SentencePiece and byte-level BPE
# begin one by these characters, which stand for a space.
_CONTINUES = "##"
_BEGINS = ("\N{LOWER ONE EIGHTH BLOCK}", "\N{LATIN CAPITAL LETTER G WITH DOT ABOVE}")


@dataclass(frozen=True)
class Token:
    """A token, or a word of several.

    Attributes:
        text: What is shown.
        relevance: Its relevance.
        special: Whether it is no part of the text: padding, the start and the end.
        joined: Whether it continues the word before.
    """

    text: str
    relevance: float
    special: bool = False
    joined: bool = False


def tokens_of(ids: Tensor | None, relevance: Tensor, tokens: Any, index: int) -> list[Token]:
    """Name the tokens of one sample.

    Args:
        ids: Token ids, (length,); None for an input of embeddings.
        relevance: Of each token, (length,).
        tokens: A Hugging Face tokenizer, or a list of strings for each sample, of which "" without
            relevance is padding, and left out; None: the ids.
        index: The sample's place in the batch.

    Raises:
        InputError: Tokens are neither, there is no list for the sample, or one of another length.
    """
    values = relevance.detach().cpu().double().tolist()
    if tokens is None:
        names = [str(one) for one in (range(len(values)) if ids is None else ids.tolist())]
        return [Token(name, value) for name, value in zip(names, values, strict=True)]
    if hasattr(tokens, "convert_ids_to_tokens"):
        if ids is None:
            given = "a tokenizer for an input that is no token ids"
            raise InputError(given, "token ids", "give tokens= as lists of strings")
        return _by_tokenizer(ids.tolist(), values, tokens)
    strings = _strings_of(tokens, index)
    if len(strings) != len(values):
        raise InputError(
            f"{len(strings)} tokens for sample {index} of length {len(values)}",
            "one string for each position, padding among them",
            _STRINGS,
        )
    pairs = list(zip(strings, values, strict=True))
    shown = [(text, value) for text, value in pairs if text or value] or pairs[:1]
    return [marked_token(text, value, special=False) for text, value in shown]


def _strings_of(tokens: Any, index: int) -> list[str]:
    """Return the strings of a sample."""
    allowed = "a tokenizer, or a list of strings for each sample of the batch"
    listed = hasattr(tokens, "__len__") and not isinstance(tokens, (str, Mapping, Set))
    if not listed:
        raise InputError(f"tokens of type {type(tokens).__name__}", allowed, _STRINGS)
    if index >= len(tokens):
        given = f"no tokens for sample {index}: a list of length {len(tokens)}"
        raise InputError(given, allowed, _STRINGS)
    return [str(one) for one in tokens[index]]


def _by_tokenizer(ids: Sequence[int], values: Sequence[float], tokenizer: Any) -> list[Token]:
    special = set(tokenizer.all_special_ids)
    strings = tokenizer.convert_ids_to_tokens(list(ids))
    return [
        marked_token(text, value, special=i in special)
        for i, text, value in zip(ids, strings, values, strict=True)
    ]


def marked_token(text: str, value: float, special: bool) -> Token:
    """Read the marks of a tokenizer off a token."""
    if special:
        return Token(text, value, special=True)
    if text.startswith(_CONTINUES) and text != _CONTINUES:
        return Token(text.removeprefix(_CONTINUES), value, joined=True)
    return Token(text, value)


def whole_words(tokens: Sequence[Token]) -> list[Token]:
    """Join the tokens of each word, whose relevance adds up."""
    begins = any(token.text.startswith(_BEGINS) for token in tokens)
    words: list[Token] = []
    for token in tokens:
        starts = token.special or (begins and token.text.startswith(_BEGINS))
        continues = token.joined or (begins and not starts)
        if words and continues and not words[-1].special:
            last = words[-1]
            total = last.relevance + token.relevance
            words[-1] = replace(last, text=last.text + token.text, relevance=total)
        else:
            words.append(replace(token, joined=False))
    return [replace(word, text=word.text.lstrip("".join(_BEGINS)) or word.text) for word in words]
