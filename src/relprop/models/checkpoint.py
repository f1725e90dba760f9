"""The shipped classifiers, and how a classifier is saved and loaded without running code.

A saved model is two files: NAME.safetensors (weights) and NAME.json (a ModelCard). The card lists
the layers, of a few kinds that may be built from it: neither file can run anything.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from ..errors import FileError, InputError
from ..support.arguments import suggest
from ..support.files import make_folder, write_atomically
from .architecture import ARCHITECTURES, Layer, build, describe

SHIPPED = Path(__file__).parent / "shipped"


@dataclass(frozen=True)
class ModelCard:
    """What is known about a saved model.

    input_shape  of one sample, e.g. (1, 28, 28)
    architecture, parameters, sha256   the layers, how many numbers they hold, and the hash of the
                 weights file: filled in by `save_model`
    family       data set that it is for, "mnist" or "fashion-mnist"; empty where that is not known
    data, training, epochs, seed, command   how it was trained, and the line that does it again
    accuracy     share of the test samples read correctly, in [0, 1]; accuracy_command measures it
    """

    name: str
    input_shape: tuple[int, ...]
    architecture: tuple[Layer, ...] = ()
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
        """The card as JSON text, one field or layer a line."""
        layers = ",\n".join(f"    {json.dumps(layer)}" for layer in self.architecture)
        lines = [f"  {json.dumps(k)}: {json.dumps(v)}" for k, v in asdict(self).items()]
        names = [field.name for field in fields(self)]
        lines[names.index("architecture")] = f'  "architecture": [\n{layers}\n  ]'
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> "ModelCard":
        """The card in `text`. Raises InputError for anything that `to_json` does not write."""
        try:
            record = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _wrong_card(f"the text is not JSON: {error}") from error
        kinds: dict[str, Any] = {field.name: field.type for field in fields(cls)}
        if not isinstance(record, dict) or record.keys() != kinds.keys():
            raise _wrong_card("fields are missing or unknown")
        for name in ("input_shape", "architecture"):
            if isinstance(record[name], list):
                record[name] = tuple(record[name])
        for name, kind in kinds.items():
            if not isinstance(record[name], getattr(kind, "__origin__", kind)):
                raise _wrong_card(f"{name} is {record[name]!r}")
        return cls(**record)


def shipped_models() -> tuple[str, ...]:
    """Names of the models that come with the package."""
    return tuple(name for name in ARCHITECTURES if (SHIPPED / f"{name}.safetensors").exists())


def model_card(name_or_path: str | Path) -> ModelCard:
    """The card of a shipped model by its name, or of a saved one by the path of its weights."""
    return _read_card(_path_of(name_or_path))


def load_model(name_or_path: str | Path) -> nn.Sequential:
    """A shipped model by its name, or a saved one by the path of its .safetensors file; eval mode.

    Raises InputError for an unknown name; FileError for a file that is missing, damaged, not what
    its card says, or of a kind that could run code.
    """
    path = _path_of(name_or_path)
    content, card = _read(path), _read_card(path)
    if hashlib.sha256(content).hexdigest() != card.sha256:
        raise _damaged(path, "its SHA256 is not the one on its card")
    try:
        return _assemble(card, safetensors.torch.load(content))
    except (SafetensorError, InputError) as error:
        raise _damaged(path, getattr(error, "given", str(error))) from error


def save_model(model: nn.Module, path: str | Path, card: ModelCard) -> ModelCard:
    """Write weights to `path` (.safetensors) and the card beside it (.json); both or neither.

    model  an nn.Sequential of the layers in LAYERS, in float32
    Returns the card as written: with the architecture, number of parameters and SHA256 filled in.
    Raises InputError for a model that could not be loaded again, FileError when writing fails.
    """
    path = Path(path)
    _refuse_other_kinds(path)
    state = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
    card = replace(
        card,
        architecture=describe(model),
        parameters=sum(value.numel() for value in state.values()),
    )
    _assemble(card, state)
    content = safetensors.torch.save(state)
    card = replace(card, sha256=hashlib.sha256(content).hexdigest())
    _write(path, content, card)
    return card


def _assemble(card: ModelCard, state: dict[str, Tensor]) -> nn.Sequential:
    """The model of `card` with the weights of `state`, tried on one input of zeros."""
    model = build(card.architecture, device="meta")
    expected, given = _signature(model.state_dict()), _signature(state)
    if expected != given:
        different = sorted(f"{name} {kind}" for name, kind in given.items() ^ expected.items())
        raise InputError(
            f"weights and architecture differ in {', '.join(different)}",
            "one float32 tensor of the right shape for each parameter",
            "use the weights that the architecture was trained with",
        )
    model.load_state_dict(state, assign=True)
    _try(model.eval(), card.input_shape)
    return model


def _try(model: nn.Module, input_shape: tuple[int, ...]) -> None:
    """Raise InputError if the model does not take an input of this shape."""
    try:
        with torch.no_grad():
            model(torch.zeros(1, *input_shape))
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"the layers do not fit each other or the input shape {input_shape}: {error}",
            "layers that take what the layer before gives",
            "correct the architecture or the input_shape",
        ) from error


def _signature(state: Mapping[str, Tensor]) -> dict[str, str]:
    """Shape and type of each tensor, as text."""
    return {name: f"{tuple(value.shape)} {value.dtype}" for name, value in state.items()}


def _path_of(name_or_path: str | Path) -> Path:
    path = Path(name_or_path)
    if isinstance(name_or_path, str) and not path.suffix and path.name == name_or_path:
        path = _shipped_path(name_or_path)
    _refuse_other_kinds(path)
    return path


def _shipped_path(name: str) -> Path:
    if name not in shipped_models():
        raise InputError(
            f"there is no model named {name!r}",
            f"{', '.join(shipped_models())}, or the path of a .safetensors file",
            suggest(name, shipped_models(), otherwise="give a path"),
        )
    return SHIPPED / f"{name}.safetensors"


def _refuse_other_kinds(path: Path) -> None:
    if path.suffix != ".safetensors":
        raise FileError(
            f"{path} is not a .safetensors file",
            "weights in .safetensors files, which hold numbers only; .pt, .pth, .ckpt and .pkl "
            "files are pickles, and loading a pickle can run code",
            "if you trust the file, give your model torch.load(path, weights_only=True) and write "
            "it with relprop.models.save_model",
        )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise FileError(
            f"{path} cannot be read: {error.strerror}",
            "a .safetensors file and the .json card of the same name beside it",
            "check the path, or save the model with relprop.models.save_model",
        ) from error


def _read_card(path: Path) -> ModelCard:
    """The card beside the weights file `path`."""
    path = path.with_suffix(".json")
    try:
        return ModelCard.from_json(_read(path))
    except InputError as error:
        raise _damaged(path, error.given) from error


def _damaged(path: Path, what: str) -> FileError:
    return FileError(
        f"{path} is damaged or was changed: {what}",
        "a file as relprop.models.save_model wrote it, with its card",
        "fetch both files again, or save the model again",
    )


def _wrong_card(what: str) -> InputError:
    names = ", ".join(field.name for field in fields(ModelCard))
    return InputError(f"not a model card: {what}", f"the fields {names}", "use ModelCard.to_json")


def _write(path: Path, content: bytes, card: ModelCard) -> None:
    """Both files in place only when both are written."""
    make_folder(path.parent)
    try:
        with (
            write_atomically(path.with_suffix(".json")) as card_file,
            write_atomically(path) as weights_file,
        ):
            weights_file.write(content)
            card_file.write(card.to_json().encode())
    except FileError:
        raise
    except OSError as error:
        raise FileError(
            f"{path} cannot be written: {error.strerror}",
            "a file on a disk with room",
            "give another path, or make room",
        ) from error
