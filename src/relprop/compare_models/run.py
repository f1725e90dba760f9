"""Compares models of the same data: named families, which are fitted, and bundles.

Takes data and names of models. Gives a ModelComparison. Must not know pages.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..bundle_report.write import true_targets
from ..bundles.bundle import Bundle, load
from ..bundles.read import bundles_beside, is_bundle
from ..data.dataset import Dataset, Modality
from ..data.fingerprint import split_fingerprint
from ..data.memory import free_memory
from ..data.options import DataOptions
from ..data.read import read_dataset
from ..errors import InputError
from ..evaluate import paired_test
from ..networks.registry import families
from ..search.budget import Deadline, write_duration
from ..search.request import FitRequest
from ..search.run import run_fit
from ..search.settings import parse_settings
from ..support.arguments import suggest
from ..support.files import try_folder
from ..support.progress import QUIET, Progress
from .maps import likeness
from .measure import TESTED, ModelMeasures, measure_model

_FITTING = 0.85  # of the budget; the rest is for measuring
_LEAST_SHARE = 1.0  # seconds of a fit


@dataclass(frozen=True)
class Agreement:
    """How alike the relevance of two models is on the same samples.

    Attributes:
        first, second: Their names.
        spearman: Mean rank correlation; None where their relevance is of other things, as of
            other tokens.
        cosine: Mean cosine similarity.
    """

    first: str
    second: str
    spearman: float | None
    cosine: float | None


@dataclass(frozen=True)
class ModelComparison:
    """Models of the same data, side by side.

    Attributes:
        source: The data.
        test: Number of test samples, which all models were measured on.
        models: The models, in the order in which they were named.
        tested: What the paired tests are of.
        p_values: Name of a model -> p-value of the paired difference to the best one.
        agreement: Of each pair.
        warnings: What the user should know.
    """

    source: str
    test: int
    models: tuple[ModelMeasures, ...]
    tested: str
    p_values: Mapping[str, float]
    agreement: tuple[Agreement, ...]
    warnings: tuple[str, ...]

    @property
    def best(self) -> str:
        """Name of the model of the highest score."""
        return max(self.models, key=_score).name


def _score(model: ModelMeasures) -> float:
    value = model.metrics[0].value
    return float("-inf") if value is None else value


def compare_models(
    source: str,
    models: Sequence[str],
    out: Path,
    *,
    options: DataOptions | None = None,
    seconds: float = 600.0,
    seed: int = 0,
    progress: Progress = QUIET,
) -> ModelComparison:
    """Fit named families, and measure them and bundles on the same test samples.

    Args:
        source: The data, as `read_dataset` takes it.
        models: Names of families of networks, and folders of bundles; one that is called like a
            family is written as ./NAME.
        out: Folder for the bundles of the families, each in a folder of its name.
        options: How the data is read.
        seconds: Time for all of it; each family may fit for the same share.
        seed: Random seed.
        progress: Shows the stages.

    Raises:
        InputError: There is no such family, a model is named twice, or a bundle is of other data.
        FileError: A file cannot be read or written.
    """
    options = options or DataOptions(seed=seed)
    if options.memory is None:  # what is free may be more when a family reads the same samples
        options = replace(options, memory=free_memory())
    try_folder(out)
    deadline = Deadline.of_call(seconds)
    dataset = read_dataset(source, options)
    named = _check_models(models, dataset.modality)
    split = split_fingerprint(dataset)
    warnings = []
    loaded: dict[str, Bundle] = {}
    for name in named.bundles:
        loaded[name] = load(name)
        _check_bundle(name, loaded[name], dataset)
        if loaded[name].content.fingerprints.get("split") != split:
            warnings.append(
                f"{name} was fitted to other data, or other parts of it: samples that it is tested "
                "on here may have been in its training part."
            )
    fitting = Deadline.of_call(_FITTING * deadline.left())
    shares = _equal_shares(fitting, len(named.families))
    for name, share in zip(named.families, shares, strict=True):
        if share < _LEAST_SHARE:
            more = write_duration(2 * seconds)
            raise InputError(
                f"a budget of {write_duration(seconds)}, which is over before {name} is fitted",
                f"time for each of {len(named.families)} families",
                f"write --budget {more}; what is fitted already stays in {out}",
            )
        loaded[name] = _fitted(source, name, out / name, options, share, seed, progress)
    rows = dataset.rows("test")
    measured = []
    for name in models:
        progress.log(f"Measuring {name} ...")
        measured.append(measure_model(name, loaded[name], dataset, rows))
    return _compared(dataset, tuple(measured), tuple(warnings))


def _equal_shares(fitting: Deadline, count: int) -> Iterator[float]:
    """Give each fit the same time: what one leaves is lost, what it overran others share."""
    equal = fitting.left() / max(1, count)
    for done in range(count):
        yield min(equal, fitting.left() / (count - done))


@dataclass(frozen=True)
class _Named:
    """Which of the models are which."""

    families: tuple[str, ...]
    bundles: tuple[str, ...]


def _check_models(models: Sequence[str], modality: Modality) -> _Named:
    """Tell families from bundles, before anything is fitted."""
    twice = next((name for name in models if list(models).count(name) > 1), None)
    if twice or not models:
        known = ",".join(family.name for family in families(modality))
        given = f"the model {twice} twice" if twice else "no models"
        raise InputError(given, "families, or folders of bundles", f"write --models {known}")
    names = [family.name for family in families(modality)]  # ./NAME is a folder of such a name
    bundles = tuple(name for name in models if name not in names and is_bundle(Path(name)))
    named = tuple(name for name in models if name not in bundles)
    for name in named:
        if Path(name).is_dir():
            load(name)  # which says why it is no bundle
        if name not in names:
            allowed = f"{', '.join(names)} for data of modality {modality}; or folders of bundles"
            near = suggest(name, [*names, *bundles_beside(Path(name))])
            raise InputError(f"the model {name!r}", allowed, near)
    return _Named(named, bundles)


def _check_bundle(name: str, bundle: Bundle, dataset: Dataset) -> None:
    if bundle.modality != dataset.modality or bundle.task != dataset.target.task:
        given = f"{name}, a bundle of {bundle.modality} data that predicts {bundle.task}"
        allowed = f"{dataset.modality} data and {dataset.target.task}, as in {dataset.source}"
        raise InputError(given, allowed, f"leave {name} out, or give its data")
    true_targets(bundle, dataset)  # these two say what does not fit, before anything is fitted
    bundle.prepare_samples(dataset.take(dataset.rows("test")[:1]))


def _fitted(
    source: str,
    name: str,
    out: Path,
    options: DataOptions,
    seconds: float,
    seed: int,
    progress: Progress,
) -> Bundle:
    """Fit a family by its default, in a share of the time."""
    progress.log(f"Fitting {name} in {seconds:.0f} s ...")
    settings = parse_settings(
        out=out,
        budget=f"{seconds:.1f}s",
        trials=1,
        memory=None,
        workers=1,
        seed=seed,
        space={"families": [name]},
        encoder="",
        device="auto",
    )
    request = FitRequest(source, options, settings, Deadline.of_call(seconds))
    run_fit(request, progress, lambda dataset: None)
    return load(out)


def _compared(
    dataset: Dataset, models: tuple[ModelMeasures, ...], warnings: tuple[str, ...]
) -> ModelComparison:
    best = max(models, key=_score)
    p_values = {
        one.name: paired_test(best.right, one.right).p_value for one in models if one is not best
    }
    agreement = tuple(
        _agreement(first, second) for i, first in enumerate(models) for second in models[i + 1 :]
    )
    test = len(dataset.rows("test"))
    tested = TESTED[dataset.target.task]
    return ModelComparison(dataset.source, test, models, tested, p_values, agreement, warnings)


def _agreement(first: ModelMeasures, second: ModelMeasures) -> Agreement:
    alike = likeness(first.maps, second.maps)
    return Agreement(first.name, second.name, alike.spearman, alike.cosine)
