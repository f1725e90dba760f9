"""Lines of a file as texts.

Takes a file and a tokenizer. Gives batches of token ids. A line without a text is named and left
out.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from ..errors import FileError, InputError, first_line
from ..plot.tables import ColumnNames
from ..plot.view import ViewKind
from .batches import Batch, LeftOut, spread
from .bundle_samples import BundleTexts
from .classes import ordered_labels

TEXT_SUFFIXES = (".jsonl", ".txt")


class TextSamples:
    """Texts; see `Samples`.

    Args:
        path: A .jsonl file with an object in each line, or a .txt file with a text in each.
        key: Key of the text in an object.
        target: Key of the label; None: there are none.
        tokenizer: A Hugging Face tokenizer, or a function of the user's from a list of texts to
            token ids, or to a mapping of inputs.
        named: What the tokenizer is called in the report.
    """

    kind: ViewKind = "text"
    columns = ColumnNames()

    def __init__(
        self, path: Path, key: str, target: str | None, tokenizer: Any, named: str
    ) -> None:
        self._lines = _read(path, key, target)
        texts = [line for line in self._lines if isinstance(line[1], str)]
        if target is not None and texts and all(label is None for *_, label in texts):
            given = f"{path}, in which no line has {target!r}"
            raise InputError(given, "the key of the labels", "look at --target")
        self._tokenizer = tokenizer
        self.count = len(self._lines)
        labels = [label for _, text, label in self._lines if isinstance(text, str)]
        self.label_names: Sequence[str] = ordered_labels(labels)
        self.preprocessing = named

    def batches(self, size: int, total: int) -> Iterator[tuple[Batch, list[LeftOut]]]:
        """Read texts; see `Samples`."""
        lines = [self._lines[i] for i in spread(self.count, total)]
        for start in range(0, len(lines), size):
            part = lines[start : start + size]
            left_out = [one for _, one, _ in part if isinstance(one, LeftOut)]
            kept = [(name, text, label) for name, text, label in part if isinstance(text, str)]
            if not kept:
                yield Batch([], [], Tensor()), left_out
                continue
            names, texts, labels = zip(*kept, strict=True)
            inputs = self._encoded(list(texts))
            raw = texts if isinstance(self._tokenizer, BundleTexts) else ()
            strings = self._strings(texts, inputs)
            yield Batch(names, labels, inputs, texts=strings, raw=raw), left_out

    def _encoded(self, texts: list[str]) -> Any:
        if hasattr(self._tokenizer, "convert_ids_to_tokens"):
            padding = self._tokenizer.pad_token is not None
            encoded = self._tokenizer(texts, return_tensors="pt", padding=padding, truncation=True)
            return dict(encoded)
        made = self._tokenizer(texts)
        return made if isinstance(made, Tensor) else dict(made)

    def _strings(self, texts: Sequence[str], inputs: Any) -> list[list[tuple[str, bool]]]:
        """Name the tokens, and tell which are no part of the text."""
        if isinstance(self._tokenizer, BundleTexts):
            return self._tokenizer.strings(texts)
        if not hasattr(self._tokenizer, "convert_ids_to_tokens"):
            return []
        special, name = set(self._tokenizer.all_special_ids), self._tokenizer.convert_ids_to_tokens
        rows = inputs["input_ids"].tolist()
        return [list(zip(name(row), (i in special for i in row), strict=True)) for row in rows]


_Line = tuple[str, str | LeftOut, str | None]  # name, text or why there is none, label


def _read(path: Path, key: str, target: str | None) -> list[_Line]:
    """Read the lines of a file."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        given = f"the texts {path} cannot be read: {first_line(error)}"
        raise FileError(given, "a .jsonl or .txt file in UTF-8", "give another file") from error
    numbered = [(f"line {i + 1}", line) for i, line in enumerate(lines) if line.strip()]
    if not numbered:
        raise InputError(f"{path} is empty", "a text in each line", "give another file")
    if path.suffix == ".txt":
        return [(name, line, None) for name, line in numbered]
    return [(name, *_parsed(name, line, key, target)) for name, line in numbered]


def _parsed(
    name: str, line: str, key: str, target: str | None
) -> tuple["str | LeftOut", str | None]:
    try:
        found = json.loads(line)
    except ValueError as error:
        return LeftOut(name, f"no JSON: {error}"), None
    if not isinstance(found, dict) or not isinstance(found.get(key), str):
        keys = ", ".join(map(str, found)) if isinstance(found, dict) else type(found).__name__
        return LeftOut(name, f'no text under "{key}", but {keys}: see --text'), None
    label = None if target is None else found.get(target)
    return found[key], None if label is None else str(label)
