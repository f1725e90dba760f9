"""The main job: a shipped model and real digits in, every number of the experiment out.

Takes the choices of a run. Gives one frozen record, from which the page, the figures, the JSON and
the short table are all made. Must not know any of those.
"""

import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import torch

from .. import __version__
from ..data import Digits, find_digits, first_digits
from ..evaluate import feature_count
from ..models.card import ModelCard
from ..models.checkpoint import load_model, model_card, shipped_models
from ..support.extras import needs
from ..support.progress import QUIET, Progress
from .examples import Example, examples
from .experiment import MAIN_RECIPE, RuleTable, rule_explainers, rule_table
from .networks import Network, compare_networks, network_explainers

EXTRAS = ("scipy", "matplotlib", "jinja2")


@dataclass(frozen=True)
class Settings:
    """The choices of a run; the same choices on the same machine give the same numbers.

    model     a shipped model's name, or the path of a saved one
    digits    how many, the first ones of the data; None takes all
    q         share of each digit's pixels to remove
    seed      draws the random pixels, and the order among pixels of equal relevance
    data_dir  the folder that holds mnist/; None looks where relprop.data.find_digits looks
    """

    model: str = "mnist-cnn"
    digits: int | None = 1000
    q: float = 0.1
    seed: int = 0
    data_dir: Path | None = None


@dataclass(frozen=True)
class Run:
    """What differs from run to run and machine to machine, apart from all the numbers."""

    seconds: Mapping[str, float]
    versions: Mapping[str, str]
    threads: int


@dataclass(frozen=True)
class Demo:
    """Everything a run found. `cards` are those of the shipped models."""

    settings: Settings
    digits: Digits
    available: int  # digits there were to choose from
    cards: Mapping[str, ModelCard]
    table: RuleTable
    networks: tuple[Network, ...]
    examples: tuple[Example, ...]
    run: Run


def run_demo(settings: Settings, progress: Progress = QUIET) -> Demo:
    """Find the digits, make the rule table, compare the networks, choose digits to look at."""
    _check_extras()
    seconds: dict[str, float] = {}
    recipes = rule_explainers(load_model(settings.model))
    networks = network_explainers({name: load_model(name) for name in shipped_models()})
    if settings.model in networks:
        networks[settings.model] = recipes[MAIN_RECIPE]  # the same, and captured once
    with _timed(seconds, "digits"):
        found = find_digits(data_dir=settings.data_dir, progress=progress)
    digits = first_digits(found, settings.digits)
    feature_count(settings.q, digits.images[0].numel())  # a wrong q ends here, not after the work
    progress.log(f"Digits: {len(digits.labels):,} of {len(found.labels):,}: {digits.source}")
    with _timed(seconds, "rule_table"):
        table = rule_table(recipes, digits, q=settings.q, seed=settings.seed, progress=progress)
    with _timed(seconds, "networks"):
        compared = compare_networks(
            networks, digits, q=settings.q, seed=settings.seed, progress=progress
        )
    return Demo(
        settings=settings,
        digits=digits,
        available=len(found.labels),
        cards={name: model_card(name) for name in networks},
        table=table,
        networks=compared,
        examples=examples(digits, table, recipes, networks),
        run=Run(seconds, _versions(), torch.get_num_threads()),
    )


def _check_extras() -> None:
    """End before the work, not after it, where a package of the extra is missing."""
    with needs("demo", "relprop demo"):
        for package in EXTRAS:
            import_module(package)


def _versions() -> dict[str, str]:
    packages = {package: version(package) for package in ("torch", "numpy", *EXTRAS)}
    return {"python": platform.python_version(), "relprop": __version__, **packages}


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[name] = round(time.perf_counter() - start, 3)
