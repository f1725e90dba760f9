"""A bundle in use: a trained model that takes raw samples, predicts and explains.

Takes a BundleContent. Gives predictions in the user's own terms, and explanations with the names of
the user's own columns, tokens and classes. Must not know training.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ..data.dataset import Modality, SampleData, TaskKind
from ..errors import FileError, InputError, RelpropError
from ..explanation.explainer import Explainer
from ..explanation.options import Options
from ..explanation.result import Explanation
from ..explanation.targets import Target
from ..prepare.base import Preparation
from ..prepare.registry import restore_preparation
from ..recipes.recipe import Recipe
from ..support.arguments import suggest
from .build import LabelProbabilities, build_model
from .content import BundleContent, LeaderboardRow, Metric
from .data_again import array_width
from .naming import by_words, naming_of, word_relevance
from .raw_samples import picture_samples, series_samples, table_samples, text_samples
from .read import read_bundle, read_tuned_recipe

NOT_VALIDATED = "not validated"  # a model of everything, which there was no time to validate
_BATCH = 512  # samples of a forward pass


@dataclass(frozen=True, eq=False, repr=False)
class Bundle:
    """A trained model with its preparation of samples, and all that is known of it. Print it.

    Raw samples are rows of a table (a DataFrame, a mapping, a list of mappings, the path of a
    file; an array where one was fitted), pictures (paths, PIL pictures, arrays), texts (str), or
    time series (arrays, (channels, time)): one, or several.

    Attributes:
        model: Maps prepared samples to logits (n, classes), or to values (n, 1) in their own units.
        preparation: Maps raw samples to tensors.
        content: All that `relprop fit` wrote of the model, the data and the search.
        tuned: The recipe that `relprop tune` found for it; None: there is none.
    """

    model: nn.Module
    preparation: Preparation
    content: BundleContent
    tuned: Recipe | None = None

    @property
    def modality(self) -> Modality:
        """What the samples are: "picture", "table", "series" or "text"."""
        return self.content.modality

    @property
    def task(self) -> TaskKind:
        """What is predicted: one of several "classes", any of several "labels", or a "value"."""
        return self.content.task

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes or labels, in the order of outputs; of a value its name."""
        return self.content.target_names

    @property
    def metrics(self) -> Mapping[str, Metric]:
        """How good the model is on the test part, by the name of a metric."""
        return {metric.name: metric for metric in self.content.metrics}

    @cached_property
    def explained_model(self) -> nn.Module:
        """What is explained: the model; of labels with the probability of each, by a sigmoid."""
        return LabelProbabilities(self.model).eval() if self.task == "labels" else self.model

    def prepare(self, raw: Any) -> Tensor:
        """Return raw samples as the model takes them, (n, *features).

        Args:
            raw: One, or several; see the class.

        Raises:
            InputError: They are not such as the model was fitted to.
            FileError: A file cannot be read.
        """
        return self.prepare_samples(self.samples(raw))

    def samples(self, raw: Any) -> SampleData:
        """Return raw samples as a data set holds them; raises what `prepare` does.

        Args:
            raw: One, or several; see the class.
        """
        prepared: Any = self.preparation
        shape = prepared.shape
        if self.modality == "picture":
            size = prepared.read_size
            return picture_samples(raw, (shape[0], *size), prepared.resize)
        if self.modality == "text":
            return text_samples(raw)
        if self.modality == "series":
            return series_samples(raw, shape[0] - self.content.members[0].facts.masked)
        return table_samples(raw, tuple(self.content.columns), array_width(self.content))

    def prepare_samples(self, samples: SampleData) -> Tensor:
        """Return samples of a data set as the model takes them, on its device.

        Args:
            samples: As `Dataset.samples` holds them.
        """
        device = next((one.device for one in self.model.parameters()), torch.device("cpu"))
        return self.preparation.apply(samples).to(device)

    def outputs(self, prepared: Tensor) -> Tensor:
        """Return what the model gives for prepared samples, (n, outputs), batch by batch.

        Args:
            prepared: As `prepare` gives them.
        """
        with torch.inference_mode():
            parts = [self.model(part) for part in torch.split(prepared, _BATCH)]
        return torch.cat(parts).float()

    def predict(self, raw: Any) -> NDArray[Any]:
        """Predict raw samples.

        Args:
            raw: One, or several; see the class.

        Returns:
            (n,) names of classes; (n, labels) of True and False; or (n,) values in their own units.

        Raises:
            InputError: They are not such as the model was fitted to.
            FileError: A file cannot be read.
        """
        outputs = self.outputs(self.prepare(raw))
        if self.task == "classes":
            numbers = outputs.argmax(1).cpu().numpy()
            names: NDArray[Any] = np.array(self.classes, dtype=object)[numbers]
            return names
        found = outputs[:, 0].double() if self.task == "value" else outputs > 0
        return found.cpu().numpy()

    def predict_proba(self, raw: Any) -> NDArray[np.float32]:
        """Return the probability of each class or label, (n, classes), in the order of `classes`.

        Args:
            raw: As of `predict`.

        Raises:
            InputError: As of `predict`; or a value is predicted, which has no probability.
        """
        if self.task == "value":
            given = f"probabilities of {self.classes[0]}, which is a number"
            raise InputError(given, "classes or labels", "write bundle.predict(...)")
        outputs = self.outputs(self.prepare(raw))
        probabilities = outputs.softmax(1) if self.task == "classes" else outputs.sigmoid()
        return probabilities.cpu().numpy()

    def explain(
        self,
        raw: Any,
        target: Target | str = None,
        *,
        recipe: Recipe | str = "auto",
        **options: Unpack[Options],
    ) -> Explanation:
        """Explain the prediction of raw samples.

        Args:
            raw: As of `predict`.
            target: Name of a class, or what `Explainer` takes; None: the predicted class, or the
                value.
            recipe: A recipe, the name of a preset, or "tuned": the one that `relprop tune` found.
            **options: As of `Explainer`.

        Returns:
            The explanation. It knows the names of classes, of the columns of a table and the
            values in them, and of tokens: `plot`, `to_html`, `overall` and `to_frame` show them,
            relevance of a column summed over all that it became. Where the model takes n-grams,
            its input and relevance are those of the words of each text, (n, words): pairs of words
            share theirs equally between the two.

        Raises:
            RelpropError: As of `predict`; or there is no such class.

        Example:
            >>> bundle.explain(frame, "yes").to_frame()  # doctest: +SKIP
        """
        samples, number = self.samples(raw), self.target_number(target)
        own = self.tuned_recipe() if recipe == "tuned" else recipe
        explainer = self.explainer if own == "auto" else self.explainer.with_recipe(own)
        explained = explainer(self.prepare_samples(samples), number, **options)
        return self.named(explained, samples)

    def tuned_recipe(self) -> Recipe:
        """Return the recipe that `relprop tune` found for the model.

        Raises:
            InputError: It was not tuned.
        """
        if self.tuned is None:
            given = 'the recipe "tuned" of a bundle that was not tuned'
            raise InputError(given, "a preset, or a recipe", "run relprop tune BUNDLE DATA first")
        return self.tuned

    @cached_property
    def explainer(self) -> Explainer:
        """The explainer of the model by its default recipe, for prepared samples."""
        return Explainer(self.explained_model)

    def named(self, explained: Explanation, samples: SampleData) -> Explanation:
        """Return an explanation of samples of a data set with the names that the bundle knows.

        Args:
            explained: What `explainer` gave for them.
            samples: As `Dataset.samples` holds them.
        """
        naming = naming_of(self.content, self.preparation, samples)
        if not by_words(self.preparation):
            return replace(explained, naming=naming)
        ids, relevance, words = word_relevance(self.preparation, samples, explained.relevance)
        label, naming = next(iter(explained.relevances)), {**naming, "tokens": words}
        return replace(explained, inputs={label: ids}, relevances={label: relevance}, naming=naming)

    def target_number(self, target: Target | str) -> Target:
        """Return the number of a class that is named; any other target as it is.

        Args:
            target: As of `explain`.
        """
        if not isinstance(target, str) or target in ("predicted", "runner-up", "all"):
            return target
        if target in self.classes and self.task != "value":
            return self.classes.index(target)
        known = ("predicted", "runner-up", "all", *self.classes)
        raise InputError(f"target={target!r}", ", ".join(known[:20]), suggest(target, known))

    def __repr__(self) -> str:
        of = {"classes": "classes", "labels": "labels", "value": "value"}[self.task]
        names = ", ".join(self.classes[:6]) + (", ..." if len(self.classes) > 6 else "")
        lines = [
            f"Bundle of {self.content.source or 'data'}: {self.modality}, {of} {names}",
            f"model: {network_text(self.content)}; {self.preparation.describe()}",
            *(f"{metric_text(one)} on the test part" for one in self.content.metrics),
        ]
        return "\n".join(lines)


def network_text(content: BundleContent) -> str:
    """Name the families of networks of a bundle, and say of how many the mean is taken."""
    families = ", ".join(dict.fromkeys(one.family for one in content.members))
    count = len(content.members)
    return families + (f", mean of {count}" if count > 1 else "")


def metric_text(metric: Metric) -> str:
    """Write a metric with its interval."""
    if metric.value is None:
        return f"{metric.name} not defined"
    interval = "" if metric.low is None else f" [{metric.low:.4f}, {metric.high:.4f}]"
    return f"{metric.name} {metric.value:.4f}{interval}, n = {metric.n:,}"


def score_text(row: LeaderboardRow) -> str:
    """Write the validation score of a trial; "" if it gave no model to validate."""
    if row.score is not None:
        return f"{row.score:.4f}"
    return NOT_VALIDATED if row.state in ("done", "time") else ""


def load(folder: str | Path) -> Bundle:
    """Load what `relprop fit` wrote: a trained model that takes raw samples. It cannot run code.

    Args:
        folder: The folder of the bundle.

    Returns:
        The bundle, on the CPU; `bundle.model.to(device)` moves it.

    Raises:
        FileError: It is missing, damaged, of another version, or no bundle.

    Example:
        >>> bundle = relprop.load("bundle")  # doctest: +SKIP
        >>> bundle.predict({"age": 39, "education": "Bachelors", ...})  # doctest: +SKIP
        array(['<=50K'], dtype=object)
        >>> bundle.explain("new-rows.csv").plot()  # doctest: +SKIP
    """
    return replace(open_content(read_bundle(folder)), tuned=read_tuned_recipe(folder))


def open_content(content: BundleContent) -> Bundle:
    """Return the bundle of a content. Raises FileError where it is of another version."""
    saved = content.preparation
    try:
        preparation = restore_preparation(content.modality, saved.state, saved.tensors)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        if isinstance(error, RelpropError):
            raise
        raise FileError(
            f"a bundle whose preparation of samples cannot be made again: {error!r}",
            "what this version of relprop writes",
            "use the version of relprop that wrote the bundle, or fit again",
        ) from error
    return Bundle(build_model(content), preparation, content)
