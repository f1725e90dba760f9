"""A comparison that is ready to run: settings checked, models and images loaded.

Takes Settings. Gives a Task, with a record of everything that the numbers depend on. Must not know
folders or results.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy
import torch
from torch import nn

from .. import __version__
from ..data import Digits, find_digits, first_digits
from ..data.digits import PIXELS
from ..data.families import TITLES, Family, parse_family
from ..data.load import check_count
from ..errors import InputError
from ..evaluate import FILLS, SCORES
from ..evaluate.removal.steps import removal_counts, share_counts
from ..support.arguments import check_seed, suggest
from ..support.progress import QUIET, Progress
from .methods import NamedMethod, parse_method
from .models import ComparedModel, load_compared
from .settings import Settings


@dataclass(frozen=True)
class ImageSet:
    """Images of one data set that a comparison uses.

    Attributes:
        family: Name of the data set.
        digits: The images.
        available: Number of images that there were to choose from.
    """

    family: Family
    digits: Digits
    available: int


@dataclass(frozen=True)
class Task:
    """A comparison that is ready to run.

    Attributes:
        settings: The settings that it was made from.
        models: Models by name.
        methods: Attribution methods.
        data: Images that each model classifies, by name of the model.
        pixels: Pixels of an image.
        removed_counts: Pixels removed in each column of a curve but the first; of steps and q.
        step_columns: Columns of a curve that belong to the steps, the first column included.
        record: Everything that the numbers depend on, as plain values.
    """

    settings: Settings
    models: Mapping[str, nn.Module]
    methods: tuple[NamedMethod, ...]
    data: Mapping[str, ImageSet]
    pixels: int
    removed_counts: tuple[int, ...]
    step_columns: tuple[int, ...]
    record: Mapping[str, Any]


def prepare_task(settings: Settings, progress: Progress = QUIET) -> Task:
    """Check the settings, then load models, then images, which may be downloaded.

    Raises:
        RelpropError: A setting is wrong, or a model or data set cannot be loaded.
    """
    _check_names(settings)
    check_seed(settings.seed)
    check_count(settings.digits, settings.data_dir)
    # areas are those of the evenly spaced steps alone: columns of q have predictions, no weight
    units = torch.tensor([PIXELS])
    steps = removal_counts(settings.steps, units)[0].tolist()
    columns = sorted({*steps, *(int(share_counts(q, units)) for q in settings.q)})
    loaded = {name: load_compared(name) for name in settings.models}
    methods = tuple(parse_method(text) for text in settings.methods)
    families = {name: _family(name, one, settings) for name, one in loaded.items()}
    by_family = {
        family: _image_set(family, settings, progress)
        for family in dict.fromkeys(families.values())
    }
    data = {name: by_family[family] for name, family in families.items()}
    return Task(
        settings=settings,
        models={name: one.module for name, one in loaded.items()},
        methods=methods,
        data=data,
        pixels=PIXELS,
        removed_counts=tuple(columns[1:]),
        step_columns=tuple(columns.index(step) for step in steps),
        record=_record(settings, data, loaded),
    )


def _check_names(settings: Settings) -> None:
    """Raise InputError for an empty list, a repeated name and an unknown name."""
    for name in ("models", "methods", "fills", "q"):
        values = getattr(settings, name)
        if not values or len(set(values)) < len(values):
            shown = ", ".join(map(str, values)) or "none"
            raise InputError(f"{name}: {shown}", "one or more, each once", f"change the {name}")
    for fill in settings.fills:
        _check_choice("fill", fill, tuple(FILLS))
    _check_choice("score", settings.score, tuple(SCORES))
    if settings.data is not None:
        _check_choice("data", settings.data, tuple(TITLES))


def _check_choice(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(f"{name}={value!r}", ", ".join(allowed), suggest(value, allowed))


def _family(name: str, model: ComparedModel, settings: Settings) -> Family:
    family = settings.data or model.family
    if not family:
        raise InputError(
            f"{name}, which does not say which data set it classifies",
            "a model whose card names its data set, or the same data set for all models",
            "write --data mnist or --data fashion-mnist",
        )
    return parse_family(family)


def _image_set(family: Family, settings: Settings, progress: Progress) -> ImageSet:
    digits = find_digits(settings.data_dir, family, progress=progress)
    return ImageSet(family, first_digits(digits, settings.digits), len(digits.labels))


def _record(
    settings: Settings, data: Mapping[str, ImageSet], models: Mapping[str, ComparedModel]
) -> dict[str, Any]:
    """Record the names in the settings, hashes of what they stand for, and versions."""
    record = asdict(settings)
    del record["data_dir"]
    record["data"] = {model: images.family for model, images in data.items()}
    record["digits"] = {images.family: len(images.digits.labels) for images in data.values()}
    record["hashes"] = {
        **{images.family: _hash(images.digits) for images in data.values()},
        **{name: model.hash for name, model in models.items()},
    }
    record["versions"] = {"relprop": __version__, "torch": str(torch.__version__)}
    plain: dict[str, Any] = json.loads(json.dumps(record))  # lists where tuples were
    return plain


def _hash(digits: Digits) -> str:
    buffers = (numpy.ascontiguousarray(t.numpy()).data for t in (digits.images, digits.labels))
    return hashlib.sha256(b"".join(buffers)).hexdigest()
