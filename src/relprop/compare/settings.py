"""The choices of a comparison, checked and made ready before anything is computed.

Takes names and numbers. Gives a Task: models, methods, digits, and the record of what the numbers
depend on. Must not know of folders and results.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import nn

from .. import __version__
from ..data import Digits, find_digits, first_digits
from ..data.families import TITLES, Family, parse_family
from ..errors import InputError
from ..evaluate import FILLS, SCORES, feature_count
from ..evaluate.removal.steps import counts
from ..models.checkpoint import load_model, model_card
from ..support.arguments import suggest
from ..support.progress import QUIET, Progress
from .methods import Choice, choice

# The rules of the seed's table and two presets by depth, all as the demo has them, and the method
# that needs no rules. Fixed before anything was measured.
METHODS = (
    "zero",
    "epsilon:epsilon=0.1,relative=true",
    "gamma:gamma=0.25",
    "alpha-beta:alpha=2,beta=1",
    "epsilon-plus-flat",
    "epsilon-gamma-box:low=0,high=1",
    "gradient-x-input",
)


@dataclass(frozen=True)
class Settings:
    """What is compared; the same settings on the same machine give the same numbers.

    Every method explains the class that the model predicts of the untouched digit.

    models    names of shipped models, or paths of saved ones
    methods   texts as `relprop.compare.methods` reads them
    fills     names of `relprop.evaluate.FILLS`; what these look at is all that a model is asked
    data      "mnist" or "fashion-mnist", for all models; None takes for each what its card says
    digits    how many of the test split, the first ones; None takes all
    steps     of the curves, up to everything; q are shares at which readings are kept, too
    score     a name of `relprop.evaluate.SCORES`
    seed      of random orders, of ties, of fills and of methods that draw
    data_dir  the folder that holds the data; None looks where relprop.data.load_digits looks
    """

    models: tuple[str, ...]
    methods: tuple[str, ...] = METHODS
    fills: tuple[str, ...] = ("zero",)
    data: str | None = None
    digits: int | None = 1000
    steps: int = 20
    score: str = "probability"
    q: tuple[float, ...] = (0.1,)
    seed: int = 0
    data_dir: Path | None = None


@dataclass(frozen=True)
class Source:
    """The digits of a data set that are used, of the `available` ones."""

    family: Family
    digits: Digits
    available: int


@dataclass(frozen=True)
class Task:
    """A comparison that is ready to run.

    digits     what each model is asked
    removed    how many pixels are gone in each column of a curve but the first, for steps and q
    on_curve   the columns that the steps ask for, the first one among them
    record     all that the numbers depend on, as plain values
    """

    settings: Settings
    models: Mapping[str, nn.Module]
    methods: tuple[Choice, ...]
    digits: Mapping[str, Source]
    pixels: int
    removed: tuple[int, ...]
    on_curve: tuple[int, ...]
    record: Mapping[str, Any]


def prepare(settings: Settings, progress: Progress = QUIET) -> Task:
    """The task of these settings. Raises RelpropError for what is wrong with them.

    Areas are of the evenly spaced steps alone; the columns that q adds have readings and no weight.
    """
    _check_names(settings)
    models = {name: load_model(name) for name in settings.models}
    methods = tuple(choice(text) for text in settings.methods)
    families = {name: _family(name, settings) for name in settings.models}
    sources = {one: _source(one, settings, progress) for one in dict.fromkeys(families.values())}
    digits = {name: sources[family] for name, family in families.items()}
    pixels = next(iter(sources.values())).digits.images[0].numel()
    steps = counts(settings.steps, torch.tensor([pixels]))[0].tolist()
    also = [feature_count(q, pixels) for q in settings.q]
    columns = sorted({*steps, *also})
    return Task(
        settings=settings,
        models=models,
        methods=methods,
        digits=digits,
        pixels=pixels,
        removed=tuple(columns[1:]),
        on_curve=tuple(columns.index(step) for step in steps),
        record=_record(settings, digits),
    )


def _check_names(settings: Settings) -> None:
    """InputError for a list that is empty or names something twice, and for an unknown name."""
    for name in ("models", "methods", "fills", "q"):
        given = getattr(settings, name)
        if not given or len(set(given)) < len(given):
            shown = ", ".join(map(str, given)) or "none"
            raise InputError(f"{name}: {shown}", "one or more, each once", f"change the {name}")
    for fill in settings.fills:
        _check_known("fill", fill, tuple(FILLS))
    _check_known("score", settings.score, tuple(SCORES))
    if settings.data is not None:
        _check_known("data", settings.data, tuple(TITLES))


def _check_known(name: str, given: str, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise InputError(f"{name}={given!r}", ", ".join(allowed), suggest(given, allowed))


def _family(name: str, settings: Settings) -> Family:
    """The data set that a model is asked."""
    family = settings.data or model_card(name).family
    if not family:
        raise InputError(
            f"{name}, whose card has no family: it does not say which images it reads",
            "a model of which that is known, or the same data for all models",
            "write --data mnist or --data fashion-mnist",
        )
    return parse_family(family)


def _source(family: Family, settings: Settings, progress: Progress) -> Source:
    found = find_digits(settings.data_dir, family, progress=progress)
    return Source(family, first_digits(found, settings.digits), len(found.labels))


def _record(settings: Settings, digits: Mapping[str, Source]) -> dict[str, Any]:
    """Names as they were given, hashes of what they mean, and the versions that compute."""
    record = asdict(settings)
    del record["data_dir"]
    record["data"] = {name: source.family for name, source in digits.items()}
    record["digits"] = {one.family: len(one.digits.labels) for one in digits.values()}
    record["hashes"] = {
        **{one.family: _hash(one.digits) for one in digits.values()},
        **{name: _model_hash(name) for name in settings.models},
    }
    record["versions"] = {"relprop": __version__, "torch": str(torch.__version__)}
    plain: dict[str, Any] = json.loads(json.dumps(record))  # lists where tuples were
    return plain


def _model_hash(name: str) -> str:
    """Of weights and layers: a max pool has the weights of an average pool."""
    card = model_card(name)
    return hashlib.sha256(f"{card.sha256} {card.architecture}".encode()).hexdigest()


def _hash(digits: Digits) -> str:
    """Of images and labels."""
    parts = (numpy.ascontiguousarray(one.numpy()).data for one in (digits.images, digits.labels))
    return hashlib.sha256(b"".join(parts)).hexdigest()
