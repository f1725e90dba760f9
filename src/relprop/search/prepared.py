"""The samples of a data set as tensors, prepared once for all trials that prepare them alike.

Takes a data set, sample numbers and the settings of a trial. Gives preparations, and examples to
train on. Must not know networks or time.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..bundles.content import ValueScale
from ..data.dataset import Dataset
from ..networks.family import Facts, Settings, Value
from ..prepare.base import Preparation
from ..prepare.registry import fit_preparation
from ..training.train import Examples

if TYPE_CHECKING:
    from ..training.table_examples import Lesson

Rows = NDArray[np.int64]

_MORE_TIME = 1.5  # than was too short for a teacher, before one is tried again
_NO_TEACHER = "no teacher: there was no time for models that may teach; give a larger budget"

Made = TypeVar("Made")


@dataclass(frozen=True)
class _Kept(Generic[Made]):
    """What was made of some rows, and the settings that were read for it."""

    made: Made
    read: Mapping[str, Value | None]
    rows: bytes

    def fits(self, rows: bytes, settings: Settings) -> bool:
        same = all(settings.get(name) == value for name, value in self.read.items())
        return same and self.rows == rows


@dataclass(frozen=True)
class Learned:
    """What a network learns from.

    Attributes:
        examples: Samples with what is to be predicted.
        note: What the user should know of how they came about, a sentence; "" for nothing.
    """

    examples: Examples
    note: str = ""


class PreparedData:
    """Prepares samples of a data set, and keeps what was prepared last.

    Attributes:
        dataset: The data set.
        encoder: Folder of a pretrained encoder of texts; "" for none.
        scale: What values are standardised by; 0 and 1 where classes or labels are predicted.

    Args:
        dataset: The data set.
        encoder: As the attribute.
        kept: Number of preparations that are kept with their tensors.
        seed: Of what is made beside samples for a network to learn.
    """

    def __init__(self, dataset: Dataset, encoder: str = "", kept: int = 2, seed: int = 0) -> None:
        self.dataset, self.encoder = dataset, encoder
        self.scale = _scale(dataset)
        self._most, self._seed = kept, seed
        self._preparations: list[_Kept[Preparation]] = []
        self._lessons: list[_Kept[Lesson]] = []
        # seconds in which a teacher could not teach some rows
        self._too_short: dict[tuple[bytes, Value], float] = {}
        self._taught: dict[tuple[int, int], Examples] = {}
        self._tensors: dict[tuple[int, bytes], Tensor] = {}

    def preparation(self, rows: Rows, settings: Settings) -> Preparation:
        """Return a preparation that was fitted to some rows, with the settings of a trial."""
        key = rows.tobytes()
        found = _found(self._preparations, key, settings)
        if found is not None:
            return found
        noted = _NotedSettings(settings)
        made = fit_preparation(self.dataset, rows, noted, encoder=self.encoder)
        self._preparations.append(_Kept(made, noted.read, key))
        self._forget()
        return made

    def prepared_alike(self, rows: Rows, settings: Settings) -> Callable[[Settings], bool]:
        """Return what tells whether other settings prepare samples as these do.

        Args:
            rows: Samples that preparations are fitted to, by number.
            settings: All settings of a trial.
        """
        made, key = self.preparation(rows, settings), rows.tobytes()
        kept = next(one for one in self._preparations if one.made is made)
        return lambda others: kept.fits(key, others)

    def learned(self, rows: Rows, settings: Settings, seconds: float) -> Learned:
        """Return what a network learns from: some rows, and of tables what a teacher says.

        Args:
            rows: Samples, by number.
            settings: All settings of a trial.
            seconds: The most time that a teacher may take.
        """
        preparation = self.preparation(rows, settings)
        if self.dataset.modality != "table":
            return Learned(self.examples(preparation, rows))
        lesson = self._lesson(rows, settings, seconds)
        if lesson is None:
            note = "" if settings["teacher"] == "none" else _NO_TEACHER
            return Learned(self.examples(preparation, rows), note)
        from ..training.table_examples import taught_examples

        key = (id(preparation), id(lesson))
        if key not in self._taught:
            task = self.dataset.target.task
            examples = self.examples(preparation, rows)
            self._taught[key] = taught_examples(examples, preparation, task, lesson)
        return Learned(self._taught[key])

    def _lesson(self, rows: Rows, settings: Settings, seconds: float) -> "Lesson | None":
        """Return what a teacher says; None without one, or where there is no time for it."""
        key, teacher = rows.tobytes(), settings["teacher"]
        found = _found(self._lessons, key, settings)
        if found is not None or seconds <= _MORE_TIME * self._too_short.get((key, teacher), 0.0):
            return found
        from ..training.table_examples import make_lesson

        noted, targets = _NotedSettings(settings), self.targets(rows)
        made = make_lesson(self.dataset, rows, targets, noted, seed=self._seed, seconds=seconds)
        if made is not None:
            self._lessons.append(_Kept(made, noted.read, key))
        elif teacher != "none":
            self._too_short[key, teacher] = seconds
        self._forget()
        return made

    def inputs(self, preparation: Preparation, rows: Rows) -> Tensor:
        """Return prepared samples, (n, *shape)."""
        key = (id(preparation), rows.tobytes())
        if key not in self._tensors:
            self._tensors[key] = preparation.apply(self.dataset.take(rows))
        return self._tensors[key]

    def targets(self, rows: Rows) -> Tensor:
        """Return what is to be predicted of some rows, as `Examples` has it."""
        values = torch.from_numpy(np.array(self.dataset.target.values[rows]))
        if self.dataset.target.task == "value":
            return ((values - self.scale.mean) / self.scale.std).float()[:, None]  # (n, 1)
        return values.long() if self.dataset.target.task == "classes" else values.float()

    def examples(self, preparation: Preparation, rows: Rows) -> Examples:
        """Return some rows, prepared, with their targets."""
        return Examples(self.inputs(preparation, rows), self.targets(rows))

    def facts(self, preparation: Preparation, samples: int) -> Facts:
        """Return what a family may know of the data."""
        target = self.dataset.target
        return Facts(
            self.dataset.modality,
            target.task,
            target.outputs,
            samples,
            preparation.shape,
            preparation.vocabulary,
            self.encoder,
            masked=getattr(preparation, "masked", False),
            mirrors=getattr(preparation, "mirrors", False),
        )

    def rough_facts(self, samples: int) -> Facts:
        """Return what is known before a preparation was fitted, for which settings are needed."""
        target = self.dataset.target
        shape = _raw_shape(self.dataset)
        return Facts(
            self.dataset.modality, target.task, target.outputs, samples, shape, 0, self.encoder
        )

    def _forget(self) -> None:
        """Forget all but what was prepared last."""
        del self._preparations[: -self._most], self._lessons[: -self._most]
        kept = {id(one.made) for one in self._preparations}
        kept |= {id(one.made) for one in self._lessons}
        self._tensors = {key: value for key, value in self._tensors.items() if key[0] in kept}
        self._taught = {key: value for key, value in self._taught.items() if kept.issuperset(key)}


def _found(kept: list[_Kept[Made]], rows: bytes, settings: Settings) -> Made | None:
    """Return what was made before of these rows with the settings that matter; None: nothing."""
    return next((one.made for one in kept if one.fits(rows, settings)), None)


def _raw_shape(dataset: Dataset) -> tuple[int, ...]:
    """Return about the shape that prepared samples will have."""
    samples = dataset.samples
    if dataset.modality == "picture":
        _, height, width, channels = samples.shape
        return channels, height, width
    if dataset.modality == "table":
        return (len(dataset.columns),)
    if dataset.modality == "series":
        return len(samples[0]), max(sample.shape[1] for sample in samples)
    return (max(1, max(len(text.split()) for text in samples)),)


def _scale(dataset: Dataset) -> ValueScale:
    """Return mean and standard deviation of the values of the training part."""
    if dataset.target.task != "value":
        return ValueScale()
    values = dataset.target.values[dataset.rows("train")]
    return ValueScale(float(values.mean()), float(values.std()) or 1.0)


class _NotedSettings(Mapping[str, Value]):
    """Settings that note which of them were read."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.read: dict[str, Value | None] = {}

    def __getitem__(self, name: str) -> Value:
        self.read[name] = self._settings.get(name)
        return self._settings[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings)

    def __len__(self) -> int:
        return len(self._settings)
