"""Explains the samples of a report, batch by batch; Ctrl-C keeps what is done.

Takes settings. Gives a Report. Must not know files of results or pages.
"""

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .. import __version__
from ..bundles.bundle import network_text
from ..bundles.user_model import UserModel, load_user_model
from ..errors import InputError
from ..evaluate import MethodCurves
from ..explanation.explainer import Explainer
from ..explanation.importance import OverallImportance
from ..explanation.overall import MOST_FEATURES, rank_importance
from ..explanation.result import Explanation
from ..plot.tables import Columns
from ..recipes.recipe import Recipe
from ..support.progress import QUIET, Progress
from .batches import Batch, LeftOut, typed_as_weights
from .bundle_samples import in_words, learned_text
from .classes import (
    Probability,
    check_unit,
    choose_names,
    class_count,
    is_logit,
    target_of,
    unknown_labels,
)
from .curves import CurveSamples, measure_curves
from .open_samples import open_samples
from .records import ExplainedSample, Report, describe_samples
from .settings import TUNED, Settings, read_class_names, read_recipe


def run_report(settings: Settings, progress: Progress = QUIET) -> Report:
    """Explain samples and measure removal curves.

    Args:
        settings: What is explained, and how.
        progress: Shows the stages.

    Raises:
        RelpropError: The model, its weights or the samples cannot be used.
    """
    work, start = _Work(settings, progress), time.perf_counter()
    with _collected_warnings() as messages:
        work.explain_all()
    messages += work.label_warning() + work.learned_warning()
    seconds = time.perf_counter() - start
    if work.first is None:
        raise _nothing_explained(work.left_out)
    ledger = work.first.ledgers[0]
    samples, kind = work.samples, work.samples.kind
    return Report(
        settings=settings,
        model=work.described_model(),
        value_name=work.value_name,
        runs_code=work.runs_code,
        preprocessing=samples.preprocessing,
        recipe=work.recipe,
        plan=work.plan,
        kind=kind,
        columns=samples.columns,
        class_names=work.class_names,
        class_source=work.class_source,
        samples=work.explained,
        left_out=work.left_out,
        available=samples.count,
        ledger=str(ledger),
        imbalance=ledger.error,
        importance=work.importance(),
        curves=work.curves(),
        stopped=work.stopped,
        warnings=messages,
        versions={"relprop": __version__, "torch": torch.__version__},
        seconds=seconds,
    )


class _Work:
    """What is explained, and what of it is done.

    Attributes:
        explained: Samples that are done.
        left_out: Those that could not be read.
        class_names: Names of the classes; empty before the first batch.
        class_source: Where they are from.
        first: Explanation of the first batch, with its ledger; None before it.
        module: What is explained: the model, or its one logit's probability.
        kept: Samples that removal curves are measured on.
        stopped: Whether Ctrl-C stopped it.
    """

    def __init__(self, settings: Settings, progress: Progress) -> None:
        recipe = None if settings.recipe == TUNED else read_recipe(settings.recipe)
        names = () if settings.classes is None else read_class_names(settings.classes)
        code = settings.model if ".py" in settings.model else settings.preprocess or ""
        self.runs_code = code.rsplit(":", 1)[0]
        if self.runs_code:
            progress.log(f"Running your file {self.runs_code}")
        self.settings, self.progress, self._given_names = settings, progress, names
        self.model = load_user_model(settings.model, settings.weights)
        if self.model.runs_code and settings.weights is None:
            progress.log(f"No --weights: those that {settings.model} sets itself, or random ones")
        recipe = recipe or tuned_recipe(self.model)
        self.samples = open_samples(settings, self.model)
        capture: Any = "per-input" if self.model.per_input else "export"
        self._make = partial(Explainer, recipe=recipe, capture=capture)
        self.module = self.model.module
        self.explainer = self._make(self.module)
        self.explained: list[ExplainedSample] = []
        self.left_out: list[LeftOut] = []
        self.class_names: Sequence[str] = ()
        self.class_source = ""
        self.first: Explanation | None = None
        self.plan = self.recipe = ""
        self.kept = CurveSamples(settings.curves, self._total())
        self.stopped = False

    def described_model(self) -> str:
        """Name the model's class, or a bundle's networks, and say what was added to it."""
        bundle = self.model.bundle
        name = type(self.model.module).__name__ if bundle is None else network_text(bundle.content)
        if self.module is self.model.module:
            return name
        return f"{name}, its output taken as the logit of {self.class_names[1]}"

    @property
    def value_name(self) -> str:
        """What the predicted value of a bundle is called; "" of all else."""
        bundle = self.model.bundle
        return bundle.classes[0] if bundle is not None and bundle.task == "value" else ""

    @property
    def _has_labels(self) -> bool:
        """Whether classes are labels that do not exclude each other."""
        return self.model.bundle is not None and self.model.bundle.task == "labels"

    @property
    def _name_advice(self) -> str:
        """What to do where labels are no class; a bundle has the names of its own data."""
        if self.model.bundle is None:
            return "write --classes names.txt"
        return "write labels as the bundle names its classes"

    def explain_all(self) -> None:
        """Explain batch after batch, until Ctrl-C at most."""
        settings, count, log = self.settings, self.samples.count, self.progress.log
        total = self._total()
        if total < count:
            log(f"{total:,} of {count:,} samples, evenly spaced; --samples all for all")
        try:
            with self.progress.stage("Explaining", total, "samples") as advance:
                for batch, left_out in self.samples.batches(settings.batch_size, total):
                    self.left_out += left_out
                    for one in left_out:
                        log(f"left out: {one.name}: {one.reason}")
                    if batch.names:
                        inputs = typed_as_weights(batch.inputs, self.module)
                        self._explain(replace(batch, inputs=inputs))
                    advance(len(batch.names) + len(left_out))
        except KeyboardInterrupt:
            self.stopped = True
            log(f"Stopped after {len(self.explained):,} samples, which are kept")

    def importance(self) -> OverallImportance | None:
        """Average the relevance of a table's features; None for all else."""
        if self.samples.kind != "table":
            return None
        names = self.samples.columns
        shape = self.explained[0].view.input.shape
        columns = Columns.of(shape, names.names, names.groups)
        relevance = torch.stack([sample.view.relevance for sample in self.explained])
        labels, sums = columns.summed(relevance)
        if len(labels) > MOST_FEATURES:
            self.progress.log(f"No overall importance: {len(labels):,} features are too many")
            return None
        features = [columns.name(one) if isinstance(one, int) else one for one in labels]
        none = torch.full_like(sums, torch.nan)
        words = {sample.explained for sample in self.explained}
        explained = words.pop() if len(words) == 1 else self.settings.explain
        return rank_importance(features, sums, none, explained)

    def curves(self) -> Mapping[str, Mapping[str, MethodCurves]]:
        """Measure removal curves, unless Ctrl-C stops it, or stopped explaining."""
        if self.stopped:
            return {}
        kind, bundle = self.samples.kind, self.model.bundle
        masked = bundle is not None and bundle.content.members[0].facts.masked
        what = self.settings, self.module, kind, self.kept, self.progress
        try:
            return measure_curves(*what, masked=masked)
        except KeyboardInterrupt:
            self.stopped = True
            self.progress.log("Stopped before removal curves were done; the rest is kept")
            return {}

    def label_warning(self) -> list[str]:
        """Warn of labels that are no class of the model: their samples are not judged."""
        if not self.class_names or self._has_labels:
            return []
        unknown = unknown_labels([sample.label for sample in self.explained], self.class_names)
        if not unknown:
            return []
        text = (
            f"labels that are no class of the model, and are not compared with it: "
            f"{', '.join(unknown[:6])}; its classes: {', '.join(self.class_names[:6])}; "
            f"{self._name_advice}"
        )
        self.progress.log(text)
        return [text]

    def learned_warning(self) -> list[str]:
        """Warn of samples that a bundle has learned: that they are right says little."""
        bundle = self.model.bundle
        text = "" if bundle is None else learned_text(bundle, self.settings.data)
        if text:
            self.progress.log(text)
        return [text] if text else []

    def _total(self) -> int:
        wanted, count = self.settings.samples, self.samples.count
        return count if wanted is None else min(wanted, count)

    def _explain(self, batch: Batch) -> None:
        if self.first is None:
            self._name_classes(batch)
        explain = self.settings.explain
        if self._has_one_unit:
            check_unit(explain, self.class_names)
            target: Any = None
        else:
            target = target_of(explain, batch.labels, self.class_names, self._name_advice)
        e = self.explainer(batch.inputs, target=target, ledger=self.first is None)
        self.first = self.first or e
        shown, as_shown = in_words(self.model.bundle, e, batch)
        self.explained += describe_samples(
            shown, as_shown, self.class_names, self._has_labels, value_name=self.value_name
        )
        self.kept.add(batch.inputs, e)

    def _name_classes(self, batch: Batch) -> None:
        """Find out what the output is, and name its classes before any sample is explained."""
        probe = self.explainer(_first(batch.inputs), target=_sum_of_scores)
        labels = self.samples.label_names
        if isinstance(batch.inputs, Tensor) and is_logit(probe, self._given_names, labels):
            self.module = Probability(self.module).eval()
            self.explainer = self._make(self.module)
            probe = self.explainer(_first(batch.inputs), target=_sum_of_scores)
        known = (self._given_names, self.model.class_names, labels)
        self.class_names, self.class_source = choose_names(*known, class_count(probe))
        if self.module is not self.model.module:
            self.progress.log(self.described_model())
        if len(self.class_names) > 1:
            first = ", ".join(f"{k} = {name}" for k, name in enumerate(self.class_names[:6]))
            more = ", ..." if len(self.class_names) > 6 else ""
            self.progress.log(f"Classes: {first}{more} ({self.class_source})")
        self._has_one_unit = probe.output.numel() == 1
        plan = self.explainer.plan(batch.inputs)
        self.plan, self.recipe = str(plan), plan.recipe.name


def _sum_of_scores(scores: Tensor) -> Tensor:
    """Return one number per sample, whatever the output is."""
    return scores.flatten(1).sum(1)


def _first(inputs: Any) -> Any:
    if isinstance(inputs, Tensor):
        return inputs[:1]
    return {name: value[:1] for name, value in inputs.items()}


def tuned_recipe(model: UserModel) -> Recipe:
    """Return the recipe that was tuned for a bundle."""
    if model.bundle is None:
        given = f"--recipe {TUNED} for {model.name}, which is no bundle"
        todo = "write --recipe recipe.toml, the file that relprop tune wrote"
        raise InputError(given, "a preset, or a TOML file", todo)
    return model.bundle.tuned_recipe()


@contextmanager
def _collected_warnings() -> Iterator[list[str]]:
    """Collect what is warned of inside, each once, into a list that is full at the end."""
    messages: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield messages
    messages += dict.fromkeys(str(one.message) for one in caught)


def _nothing_explained(left_out: Sequence[LeftOut]) -> InputError:
    if not left_out:
        return InputError("stopped before a sample was explained", "one at least", "run it again")
    first = left_out[0]
    return InputError(
        f"none of {len(left_out)} samples can be read: {first.name}: {first.reason}",
        "a sample at least that can be read",
        "look at the first one",
    )
