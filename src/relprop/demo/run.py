"""The main job: from a shipped model and digits to every number of the demo.

Takes the settings of a run. Gives one frozen record, from which the page, the figures, the JSON and
the terminal's table are made. Must not know any of those.
"""

import platform
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import torch

from .. import __version__
from ..data import Digits, find_digits, first_digits
from ..data.digits import PIXELS
from ..data.load import check_count
from ..models.card import ModelCard
from ..models.checkpoint import load_model, model_card, shipped_models
from ..support.arguments import check_seed
from ..support.extras import require
from ..support.progress import QUIET, Progress
from .examples import Example, make_examples
from .networks import NetworkResult, compare_networks, explainers_by_network
from .rule_table import (
    MAIN_RECIPE,
    RuleTable,
    compute_rule_table,
    explainers_by_recipe,
    pixel_count,
)

EXTRAS = ("scipy", "matplotlib")


@dataclass(frozen=True)
class Settings:
    """Describes a run; the same settings on the same machine give the same numbers.

    Attributes:
        model: Name of a shipped model, or path of a saved one.
        digits: Number of digits, the first ones of the data; None takes all.
        q: Share of each digit's pixels to remove.
        seed: Random seed of the random pixels, and of the order of pixels of equal relevance.
        data_dir: Folder that holds mnist/; None searches where `relprop.data.find_digits` does.
    """

    model: str = "mnist-cnn"
    digits: int | None = 1000
    q: float = 0.1
    seed: int = 0
    data_dir: Path | None = None


@dataclass(frozen=True)
class RunInfo:
    """What differs between runs and machines, apart from the numbers.

    Attributes:
        seconds: Duration of each stage.
        versions: Version of each package.
        threads: Threads that torch used.
    """

    seconds: Mapping[str, float]
    versions: Mapping[str, str]
    threads: int


@dataclass(frozen=True)
class DemoResult:
    """All results of a run.

    Attributes:
        settings: Settings of the run.
        digits: The digits.
        available: Number of digits that there were to choose from.
        cards: Cards of the shipped models, by name.
        table: The rule table.
        networks: Results by network, that of the settings first.
        examples: Digits to look at.
        run: What differs between runs.
    """

    settings: Settings
    digits: Digits
    available: int
    cards: Mapping[str, ModelCard]
    table: RuleTable
    networks: tuple[NetworkResult, ...]
    examples: tuple[Example, ...]
    run: RunInfo

    @property
    def main(self) -> NetworkResult:
        """The network that the rule table is about."""
        return self.networks[0]

    @property
    def saw_digits(self) -> bool:
        """Whether its card says how it was trained, and the digits are those of a training set."""
        return self.digits.split == "train" and bool(self.cards[self.main.name].training)


def run_demo(settings: Settings, progress: Progress = QUIET) -> DemoResult:
    """Find digits, compute the rule table, compare the networks, and choose digits to look at.

    Raises:
        MissingExtraError: A package is missing; raised before the work starts.
        RelpropError: A setting is wrong, or the model or the digits cannot be loaded.
    """
    require("demo", "relprop demo", EXTRAS)
    check_seed(settings.seed)
    check_count(settings.digits, settings.data_dir)
    pixel_count(settings.q, PIXELS)
    seconds: dict[str, float] = {}
    recipes = explainers_by_recipe(load_model(settings.model))
    others = {name: load_model(name) for name in shipped_models() if name != settings.model}
    networks = {settings.model: recipes[MAIN_RECIPE], **explainers_by_network(others)}
    with _timed(seconds, "digits"):
        available = find_digits(data_dir=settings.data_dir, progress=progress)
    digits = first_digits(available, settings.digits)
    progress.log(f"Digits: {len(digits.labels):,} of {len(available.labels):,}")
    with _timed(seconds, "rule_table"):
        table = compute_rule_table(
            recipes, digits, q=settings.q, seed=settings.seed, progress=progress
        )
    with _timed(seconds, "networks"):
        compared = compare_networks(
            networks,
            digits,
            q=settings.q,
            seed=settings.seed,
            relevance={settings.model: table.relevance[MAIN_RECIPE]},
            known={settings.model: table.outcomes},
            progress=progress,
        )
    return DemoResult(
        settings=settings,
        digits=digits,
        available=len(available.labels),
        cards={name: model_card(name) for name in networks},
        table=table,
        networks=compared,
        examples=make_examples(digits, table, compared),
        run=RunInfo(seconds, _versions(), torch.get_num_threads()),
    )


def _versions() -> dict[str, str]:
    packages = {package: version(package) for package in ("torch", "numpy", *EXTRAS)}
    return {"python": platform.python_version(), "relprop": __version__, **packages}


@contextmanager
def _timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[name] = round(time.perf_counter() - start, 3)
