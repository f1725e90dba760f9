"""A user's model by a specification: a bundle, a file of theirs, a library's name, an export.

Takes what was written after `--model` and `--weights`. Gives the model, in eval mode, with what its
source knows of its inputs and classes.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..errors import FileError, InputError, RelpropError, first_line
from ..models.checkpoint import load_model, model_card, shipped_models
from ..models.user_code import is_in_file, make_model
from ..models.weights import load_weights
from ..preprocess.pictures import Pictures
from ..preprocess.sources import from_timm, from_torchvision, from_transformers
from ..support.arguments import suggest
from ..support.extras import needs_library
from .bundle import Bundle, load
from .read import bundles_beside, is_bundle, read_bundle


@dataclass(frozen=True)
class UserModel:
    """A model with what is known of it.

    Attributes:
        module: The model, in eval mode.
        name: What it was called.
        pictures: What happens to pictures before it; None: not known.
        tokenizer: The Hugging Face tokenizer of a text model.
        class_names: Names of its classes, where its source has them.
        runs_code: Whether the user's own file was run.
        per_input: Whether it must be captured for each input.
        bundle: What `relprop fit` wrote, which prepares samples itself.
    """

    module: nn.Module
    name: str
    pictures: Pictures | None = None
    tokenizer: Any = None
    class_names: Sequence[str] = ()
    runs_code: bool = False
    per_input: bool = False
    bundle: Bundle | None = None


def load_user_model(spec: str, weights: Path | None = None) -> UserModel:
    """Load a model.

    Args:
        spec: Folder of a bundle, "FILE.py:NAME", "timm:NAME", "torchvision:NAME",
            "transformers:FOLDER", a .pt2 file, a .safetensors file of relprop's with its card, or
            the name of a shipped model.
        weights: A file of weights; None: those that the model has.

    Raises:
        RelpropError: There is no such model, or the weights do not fit.
    """
    loaded = _load(spec, weights is not None)
    if weights is not None:
        load_weights(loaded.module, weights)
    if not loaded.per_input:  # an exported program has its mode built in
        loaded.module.eval()
    return loaded


def _load(spec: str, has_weights: bool) -> UserModel:
    source, separator, name = spec.partition(":")
    if separator and source in _LIBRARIES:
        try:
            return _LIBRARIES[source](name, has_weights)
        except RelpropError:
            raise
        except (OSError, ValueError, RuntimeError, KeyError, AttributeError) as error:
            given = f"{spec} cannot be loaded: {type(error).__name__}: {first_line(error)}"
            if source == "transformers" and not Path(name).is_dir():
                given = f"there is no folder {name}, and {given}"
            allowed = f"a model that {source} knows, with its weights here or within reach"
            todo = "give a local folder, or the file of the weights by --weights"
            raise FileError(given, allowed, todo) from error
    if is_bundle(Path(spec)):
        return _bundled(spec, has_weights)
    if is_in_file(spec):
        return UserModel(make_model(spec), spec, runs_code=True)
    if spec.endswith(".pt2"):
        return _exported(Path(spec))
    if spec.endswith(".safetensors") or spec in shipped_models():
        channels, *size = model_card(spec).input_shape
        plain = Pictures(tuple(size), (0.0,) * channels, (1.0,) * channels)  # type: ignore[arg-type]
        return UserModel(load_model(spec), spec, plain if len(size) == 2 else None)
    if Path(spec).is_dir():
        read_bundle(spec)  # which says why it is none
    allowed = (
        "the folder of a bundle, FILE.py:NAME, timm:NAME, torchvision:NAME, transformers:FOLDER, a "
        ".pt2 or .safetensors "
        f"file, or {', '.join(shipped_models())}"
    )
    libraries = f", timm:{spec} or torchvision:{spec}" if spec.isidentifier() else ""
    known = [*shipped_models(), *bundles_beside(Path(spec))]
    near = suggest(spec, known, otherwise=f"write my_net.py:Net{libraries}")
    raise InputError(f"the model {spec!r}", allowed, near)


def _bundled(spec: str, has_weights: bool) -> UserModel:
    if has_weights:
        given = f"--weights beside {spec}, a bundle, which has its own"
        raise InputError(given, "a bundle alone", "leave --weights out")
    bundle = load(spec)
    names = () if bundle.task == "value" else bundle.classes
    return UserModel(bundle.explained_model, spec, class_names=names, bundle=bundle)


def _from_timm(name: str, has_weights: bool) -> UserModel:
    with needs_library("timm", "timm's models"):
        import timm
    model = timm.create_model(name, pretrained=not has_weights)
    return UserModel(model, f"timm:{name}", from_timm(model))


def _from_torchvision(name: str, has_weights: bool) -> UserModel:
    with needs_library("torchvision", "torchvision's models"):
        from torchvision.models import get_model, get_model_weights, list_models
    if name not in list_models():
        near = suggest(name, list_models(), otherwise="see torchvision.models.list_models()")
        raise InputError(f"torchvision has no model {name!r}", "one of its classifiers", near)
    weights = get_model_weights(name).DEFAULT
    model = get_model(name, weights=None if has_weights else weights)
    names = () if has_weights else tuple(weights.meta.get("categories", ()))
    return UserModel(model, f"torchvision:{name}", from_torchvision(weights), class_names=names)


def _from_transformers(name: str, has_weights: bool) -> UserModel:
    with needs_library("transformers", "transformers' models"):
        import transformers
    config = transformers.AutoConfig.from_pretrained(name)
    (architecture,) = config.architectures or ("AutoModel",)
    model = getattr(transformers, architecture).from_pretrained(name)
    files = {path.name for path in Path(name).iterdir()} if Path(name).is_dir() else set()
    has_pictures = not files or "preprocessor_config.json" in files
    pictures = tokenizer = None
    if "pixel_values" in getattr(model, "main_input_name", "") and has_pictures:
        pictures = from_transformers(transformers.AutoImageProcessor.from_pretrained(name))  # type: ignore[no-untyped-call]
    elif model.main_input_name == "input_ids":
        tokenizer = transformers.AutoTokenizer.from_pretrained(name)
    labels = config.id2label or {}
    names = tuple(str(labels[k]) for k in sorted(labels))
    if all(re.fullmatch(r"LABEL_\d+", one) for one in names):  # what a folder without names has
        names = ()
    return UserModel(model, f"transformers:{name}", pictures, tokenizer, names)


def _exported(path: Path) -> UserModel:
    if not path.is_file():
        raise FileError(f"there is no file {path}", "a .pt2 file of torch.export.save", "give one")
    try:
        module = torch.export.load(path).module()
    except (OSError, RuntimeError, ValueError, KeyError, json.JSONDecodeError) as error:
        given = f"{path} cannot be loaded: {first_line(error)}"
        raise FileError(given, "a file of torch.export.save", "save it again") from error
    module.training = False  # which an exported module's eval() refuses to do
    return UserModel(module, str(path), per_input=True)


_LIBRARIES: dict[str, Callable[[str, bool], UserModel]] = {
    "timm": _from_timm,
    "torchvision": _from_torchvision,
    "transformers": _from_transformers,
}
