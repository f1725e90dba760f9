"""The shipped classifiers, and saving and loading of classifiers without running code.

A saved model is two files: NAME.safetensors (weights) and NAME.json (a ModelCard). The card lists
the layers, all of a few known types: neither file can run anything when it is loaded.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from ..errors import FileError, InputError, first_line
from ..support.arguments import suggest
from ..support.file_kinds import FileKind, file_kind
from ..support.files import as_path, make_folder, write_atomically
from .architecture import ARCHITECTURES, build, describe
from .card import LayerSpec, ModelCard

SHIPPED = Path(__file__).parent / "shipped"


def shipped_models() -> tuple[str, ...]:
    """List the names of the models that come with the package.

    Returns:
        Names that `load_model` and `model_card` accept.

    Example:
        >>> from relprop.models import shipped_models
        >>> shipped_models()
        ('mnist-dnn-500', 'mnist-dnn-300-100', 'mnist-cnn')
    """
    return tuple(name for name in ARCHITECTURES if (SHIPPED / f"{name}.safetensors").exists())


def model_card(name_or_path: str | Path) -> ModelCard:
    """Read the card of a model without loading its weights.

    Args:
        name_or_path: Name of a shipped model, or path of the .safetensors file of a saved one.

    Returns:
        The card beside the weights.

    Raises:
        InputError: Unknown name.
        FileError: The card is missing or damaged.

    Example:
        >>> from relprop.models import model_card
        >>> model_card("mnist-cnn").accuracy
        0.9951
    """
    return _read_card(_locate(name_or_path))


def load_model(name_or_path: str | Path) -> nn.Sequential:
    """Load a classifier, in eval mode, without running any code from its files.

    Args:
        name_or_path: Name of a shipped model, or path of the .safetensors file of a saved one.

    Returns:
        The model, which maps (n, *input_shape) to scores (n, classes).

    Raises:
        InputError: Unknown name.
        FileError: A file is missing or damaged, differs from its card, or is of a type that could
            run code.

    Example:
        >>> import torch
        >>> from relprop import load_model
        >>> load_model("mnist-cnn")(torch.zeros(2, 1, 28, 28)).shape
        torch.Size([2, 10])
    """
    path = _locate(name_or_path)
    content, card = _read(path), _read_card(path)
    if hashlib.sha256(content).hexdigest() != card.sha256:
        raise _damaged(path, "its SHA256 is not the one on its card")
    try:
        state = safetensors.torch.load(content)
        model = _assemble(card, state)
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise _damaged(path, getattr(error, "given", first_line(error))) from error
    if card.parameters != _count(state):
        raise _damaged(path, f"it has {_count(state):,} weights, its card {card.parameters:,}")
    return model


def save_model(model: nn.Module, path: str | Path, card: ModelCard | None = None) -> ModelCard:
    """Save a classifier as a weights file and a card that `load_model` reads; both or neither.

    Args:
        model: An nn.Sequential of the layer types in `relprop.models.architecture.LAYERS`, in
            float32.
        path: Path of the weights file, ending in .safetensors; the card gets the same name with
            .json. Missing folders are created.
        card: What is known about the model: its name and the shape of a sample at least.
            Architecture, number of parameters and SHA256 are filled in. None, for a model that
            begins with a linear layer: the name of the file, and that layer's number of inputs.

    Returns:
        The card as written.

    Raises:
        InputError: The model could not be loaded again.
        FileError: A file cannot be written.

    Example:
        >>> import tempfile
        >>> from torch import nn
        >>> from relprop.models import ModelCard, load_model, save_model
        >>> model = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = f"{folder}/small.safetensors"
        ...     card = save_model(model, path, ModelCard("small", input_shape=(1, 2, 2)))
        ...     loaded = load_model(path)
        >>> card.parameters, loaded[1]
        (10, Linear(in_features=4, out_features=2, bias=True))
    """
    if not isinstance(model, nn.Module):
        given = f"a model of type {type(model).__name__}"
        raise InputError(given, "an nn.Sequential", "write relprop.save_model(model, path, card)")
    path = as_path(path)
    if path.suffix != ".safetensors":
        todo = f'write relprop.save_model(model, "{path.with_suffix(".safetensors")}", card)'
        given = f"{path} is no name of a .safetensors file"
        raise FileError(given, "weights in .safetensors files, which hold numbers only", todo)
    architecture = describe(model)
    card = _check_card(card, path, architecture)
    state = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
    card = replace(
        card,
        architecture=architecture,
        parameters=_count(state),
    )
    _assemble(card, state)
    content = safetensors.torch.save(state)
    card = replace(card, sha256=hashlib.sha256(content).hexdigest())
    _write(path, content, card)
    return card


def _check_card(card: object, path: Path, architecture: tuple[LayerSpec, ...]) -> ModelCard:
    """Return the card, or one with the sample's shape where the layers say which it is."""
    if isinstance(card, ModelCard):
        return card
    first = next((layer for layer in architecture if layer["layer"] in ("linear", "conv2d")), {})
    shape: tuple[int, ...] = (first.get("in_features", 784),)
    if card is None and architecture[0] is first and first["layer"] == "linear":
        return ModelCard(path.stem, input_shape=shape)
    if "in_channels" in first or shape == (784,):
        shape = (first.get("in_channels", 1), 28, 28)
    given = "no card" if card is None else f"a card of type {type(card).__name__}"
    raise InputError(
        f"{given} for a model whose layers do not say the shape of a sample",
        "a relprop.models.ModelCard with a name and an input_shape",
        f'write relprop.models.ModelCard("{path.stem}", input_shape={shape}) with the shape of '
        "your samples",
    )


def _assemble(card: ModelCard, state: dict[str, Tensor]) -> nn.Sequential:
    """Build the model of `card` with the weights of `state`, and try that its shapes fit."""
    model = build(card.architecture, device="meta")
    _check_input_shape(model.eval(), card.input_shape)
    expected, found = _signature(model.state_dict()), _signature(state)
    if expected != found:
        different = sorted(f"{name} {kind}" for name, kind in found.items() ^ expected.items())
        raise InputError(
            f"weights and architecture differ in {', '.join(different)}",
            "one float32 tensor of the right shape for each parameter",
            "use the weights that the architecture was trained with",
        )
    model.load_state_dict(state, assign=True)
    return model


def _check_input_shape(model: nn.Module, input_shape: tuple[int, ...]) -> None:
    """Raise InputError if the model, on the meta device, does not run on an input of this shape.

    There, tensors have shapes and no memory, whatever sizes the card names.
    """
    try:
        with torch.no_grad():
            model(torch.zeros(1, *input_shape, device="meta"))
    except (TypeError, ValueError, RuntimeError, ArithmeticError) as error:
        raise InputError(
            f"the layers do not fit each other or the input shape {input_shape}: "
            f"{first_line(error)}",
            "layers that accept the output of the layer before",
            "correct the architecture or the input_shape",
        ) from error


def _count(state: Mapping[str, Tensor]) -> int:
    """Count weights."""
    return sum(value.numel() for value in state.values())


def _signature(state: Mapping[str, Tensor]) -> dict[str, str]:
    """Describe shape and dtype of each tensor as text."""
    return {name: f"{tuple(value.shape)} {value.dtype}" for name, value in state.items()}


def _locate(name_or_path: str | Path) -> Path:
    """Return the path of a model's weights."""
    path = as_path(name_or_path)
    if isinstance(name_or_path, str) and not path.suffix and path.name == name_or_path:
        path = _shipped_path(name_or_path)
    _refuse_other_types(path)
    return path


def _shipped_path(name: str) -> Path:
    if name not in shipped_models():
        raise InputError(
            f"there is no model named {name!r}",
            f"{', '.join(shipped_models())}, or the path of a .safetensors file",
            suggest(name, shipped_models(), otherwise="give a path"),
        )
    return SHIPPED / f"{name}.safetensors"


def _refuse_other_types(path: Path) -> None:
    if path.suffix != ".safetensors":
        if (path / "bundle.json").is_file():
            given, allowed = f"{path} is a bundle", "weights in .safetensors files"
            raise FileError(given, allowed, f'write relprop.load("{path}").model')
        kind = file_kind(path) if path.is_file() else FileKind("")
        if kind.reader.startswith("relprop."):
            allowed, todo = "weights in .safetensors files", f"write {kind.reader}"
            raise FileError(f"{path} is no model, but {kind.what}", allowed, todo)
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


def _read_card(weights: Path) -> ModelCard:
    """Read the card beside a weights file."""
    path = weights.with_suffix(".json")
    try:
        return ModelCard.from_json(_read(path))
    except InputError as error:
        raise _damaged(path, error.given) from error


def _damaged(path: Path, problem: str) -> FileError:
    return FileError(
        f"{path} is damaged or was changed: {problem}",
        "a file as relprop.models.save_model wrote it, with its card",
        "fetch both files again, or save the model again",
    )


def _write(path: Path, content: bytes, card: ModelCard) -> None:
    """Write both files, and put them in place only when both are written."""
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
            "a path on a disk with free space",
            "choose another path, or free space",
        ) from error
