"""Chooses how data is read, by the names of the files and by what the model is.

Takes settings and a model. Gives samples. The user's own preprocessing is run from their file.
"""

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from ..bundles.bundle import Bundle
from ..bundles.data_again import column_of_texts, is_source, names_pictures
from ..bundles.user_model import UserModel
from ..errors import InputError
from ..models.user_code import load_object, user_errors
from ..plot.view import ViewKind
from ..preprocess.pictures import Pictures
from ..support.extras import needs_library
from . import tables, texts
from .batches import Samples
from .bundle_samples import BundlePictures, BundleSamples, BundleTexts, is_table, read_labelled
from .pictures import PictureSamples, channels_of, has_pictures
from .settings import Settings

_OF_STEPS = ("size", "mean", "std", "tokenizer")  # what --preprocess does itself
_OF_SAMPLES = (*_OF_STEPS, "target", "text", "preprocess")


def open_samples(settings: Settings, model: UserModel) -> Samples:
    """Open the samples of a report.

    Raises:
        RelpropError: A file cannot be read, or does not fit.
    """
    if model.bundle is not None:
        return _for_bundle(settings, model.bundle)
    name = settings.data[0].name.lower()
    kind: ViewKind = "picture"
    if name.endswith((*tables.TABLE_SUFFIXES, *texts.TEXT_SUFFIXES)):
        kind = "table" if name.endswith(tables.TABLE_SUFFIXES) else "text"
    _refuse_unused(settings, kind)
    own = None if settings.preprocess is None else _own_function(settings.preprocess)
    if kind == "table":
        named = settings.preprocess or "none: columns of numbers"
        return tables.TableSamples(_only(settings), settings.target, own, named)
    if kind == "text":
        tokenizer, named = _tokenizer(settings, model, own)
        key, target = settings.text, settings.target
        return texts.TextSamples(_only(settings), key, target, tokenizer, named)
    if own is not None:
        return PictureSamples(settings.data, own, str(settings.preprocess))
    steps = _picture_steps(settings, model)
    return PictureSamples(settings.data, steps, describe_pictures(steps))


def _for_bundle(settings: Settings, bundle: Bundle) -> Samples:
    """Open samples that a bundle prepares itself."""
    _refuse_unused(settings, bundle.modality, bundle=True)
    path, described = settings.data[0], bundle.preparation.describe()
    own_folder = names_pictures(bundle.content) and is_source(bundle.content, path)
    if bundle.modality == "picture" and has_pictures(path) and not own_folder:
        return PictureSamples(settings.data, BundlePictures(bundle), described)
    lines = path.name.lower().endswith(texts.TEXT_SUFFIXES)
    own = column_of_texts(bundle.content) if settings.text == Settings.text else None
    if bundle.modality == "text" and lines and not (own and is_table(path)):
        key, target = settings.text, settings.target
        return texts.TextSamples(_only(settings), key, target, BundleTexts(bundle), described)
    return BundleSamples(bundle, read_labelled(_only(settings), bundle, settings.target))


def _refuse_unused(settings: Settings, kind: ViewKind, bundle: bool = False) -> None:
    """Refuse options that would change nothing: of other kinds of data, or beside --preprocess."""
    own = [] if settings.preprocess is None else ["preprocess"]
    usable = {
        "picture": own or ["size", "mean", "std"],
        "table": ["target", "preprocess"],
        "text": ["target", "text", *(own or ["tokenizer"])],
        "series": ["target"],
    }[kind]
    usable = ["target", "text"] if bundle else usable
    for field in fields(Settings):
        given = getattr(settings, field.name) != field.default
        if field.name in _OF_SAMPLES and given and field.name not in usable:
            beside = " beside --preprocess" if own and field.name in _OF_STEPS else ""
            beside = " of a bundle, which prepares them itself" if bundle else beside
            raise InputError(
                f"--{field.name} for {kind}s{beside}, which changes nothing",
                f"of {kind}s: {', '.join(f'--{name}' for name in usable)}",
                f"leave --{field.name} out",
            )


def describe_pictures(steps: Pictures) -> str:
    """Say what happens to pictures."""
    size = "their own size" if steps.size is None else f"{steps.size[0]} x {steps.size[1]}"
    if steps.resize is not None:
        size = f"shorter side {steps.resize}, middle {size}"
    mean, std = (", ".join(f"{one:.4g}" for one in v) for v in (steps.mean, steps.std))
    kind = "grey" if len(steps.mean) == 1 else "RGB"
    return f"{kind}, {size}, mean {mean}, standard deviation {std}"


def _only(settings: Settings) -> Path:
    if len(settings.data) > 1:
        given = f"{len(settings.data)} files of which one is {settings.data[0].name}"
        raise InputError(given, "one table or file of texts, or any number of pictures", "give one")
    return settings.data[0]


def _own_function(spec: str) -> Callable[..., Any]:
    made = load_object(spec)
    if not callable(made):
        given = f"--preprocess {spec}, which is of type {type(made).__name__}"
        raise InputError(given, "a function", "name a function of the file")

    def called(samples: Any) -> Any:
        with user_errors(f"--preprocess {spec}", Path(spec.rsplit(":", 1)[0])):
            return made(samples)

    return called


def _tokenizer(
    settings: Settings, model: UserModel, own: Callable[..., Any] | None
) -> tuple[Callable[..., Any], str]:
    if own is not None:
        return own, str(settings.preprocess)
    if settings.tokenizer is not None:
        with needs_library("transformers", "tokenizers"):
            from transformers import AutoTokenizer
        return AutoTokenizer.from_pretrained(settings.tokenizer), str(settings.tokenizer)
    if model.tokenizer is None:
        raise InputError(
            f"texts for {model.name}, whose tokenizer is not known",
            "a folder of a Hugging Face tokenizer, or a function from texts to token ids",
            "write --tokenizer FOLDER, or --preprocess my_net.py:encode",
        )
    return model.tokenizer, f"tokenizer of {model.name}"


def _picture_steps(settings: Settings, model: UserModel) -> Pictures:
    channels = channels_of(model.module)
    steps = model.pictures or Pictures(None, (0.0,) * channels, (1.0,) * channels)
    if settings.size is not None:
        steps = replace(steps, size=settings.size, resize=None)
    if settings.mean or settings.std:
        mean, std = settings.mean or steps.mean, settings.std or steps.std
        steps = replace(steps, mean=mean, std=std)
    return steps
