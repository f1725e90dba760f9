"""Model cards: what is known about a saved model, as a JSON file beside its weights.

Takes and gives JSON text. Must not know files, weights or how layers are built.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..errors import InputError

_LARGEST = 2**63  # integers of torch are smaller
LayerSpec = Mapping[str, Any]  # {"layer": a name, and the settings of that layer}


@dataclass(frozen=True)
class ModelCard:
    """Describes a saved model.

    Attributes:
        name: Name of the model.
        input_shape: Shape of one sample, such as (1, 28, 28).
        architecture: The layers, from first to last. Filled in by `save_model`.
        parameters: Number of weights. Filled in by `save_model`.
        sha256: Hash of the weights file. Filled in by `save_model`.
        family: Data set that the model classifies, "mnist" or "fashion-mnist"; empty if unknown.
        data: Data that it was trained and tested on.
        training: How it was trained.
        epochs: Number of epochs; None if unknown.
        seed: Random seed of the training; None if unknown.
        command: Command line that trains it again.
        accuracy: Fraction of the test samples classified correctly, in [0, 1]; None if unknown.
        accuracy_command: Command line that measures the accuracy.
        licence: Licence of the weights.

    Example:
        >>> from relprop.models import ModelCard
        >>> card = ModelCard("small", input_shape=(1, 28, 28), accuracy=0.5)
        >>> ModelCard.from_json(card.to_json()) == card
        True
    """

    name: str
    input_shape: tuple[int, ...]
    architecture: tuple[LayerSpec, ...] = ()
    parameters: int = 0
    sha256: str = ""
    family: str = ""
    data: str = ""
    training: str = ""
    epochs: int | None = None
    seed: int | None = None
    command: str = ""
    accuracy: float | None = None
    accuracy_command: str = ""
    licence: str = ""

    def to_json(self) -> str:
        """Return the card as JSON text, one field or layer per line."""
        layers = ",\n".join(f"    {json.dumps(layer)}" for layer in self.architecture)
        lines = [f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in asdict(self).items()]
        names = [field.name for field in fields(self)]
        lines[names.index("architecture")] = f'  "architecture": [\n{layers}\n  ]'
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> "ModelCard":
        """Parse a card.

        Args:
            text: JSON text, as `to_json` writes it.

        Returns:
            The card.

        Raises:
            InputError: The text is not what `to_json` writes.
        """
        try:
            record = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _wrong_card(f"the text is not JSON: {error}") from error
        types: dict[str, Any] = {field.name: field.type for field in fields(cls)}
        if not isinstance(record, dict) or record.keys() != types.keys():
            raise _wrong_card("fields are missing or unknown")
        for name in ("input_shape", "architecture"):
            if isinstance(record[name], list):
                record[name] = tuple(record[name])
        for name, expected in types.items():
            if not isinstance(record[name], getattr(expected, "__origin__", expected)):
                raise _wrong_card(f"{name} is {_brief(record[name])}")
        card = cls(**record)
        _check_numbers(card)
        return card


def _check_numbers(card: ModelCard) -> None:
    """Raise InputError for numbers that no model has."""
    sizes = all(type(size) is int and 0 < size < _LARGEST for size in card.input_shape)
    fits = {
        "input_shape": sizes and bool(card.input_shape),
        "parameters": 0 <= card.parameters < _LARGEST,
        "epochs": card.epochs is None or 0 < card.epochs < _LARGEST,
        "seed": card.seed is None or 0 <= card.seed < _LARGEST,
        "accuracy": card.accuracy is None or 0 <= card.accuracy <= 1,
    }
    for name, fit in fits.items():
        if not fit:
            raise _wrong_card(f"{name} is {_brief(getattr(card, name))}")


def _brief(value: object) -> str:
    """Return a value as text of at most 100 characters."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."


def _wrong_card(problem: str) -> InputError:
    names = ", ".join(field.name for field in fields(ModelCard))
    return InputError(
        f"not a model card: {problem}", f"the fields {names}", "use ModelCard.to_json"
    )
