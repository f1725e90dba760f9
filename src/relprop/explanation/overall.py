"""Averages relevance over a data set: explanations of many batches to the importance of features.

Takes explanations one after another, and keeps of each what its samples gave to every feature.
Gives an `OverallImportance`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..errors import InputError
from ..plot.importance import rank_features
from ..plot.tables import Columns
from ..support.checks import first_not_finite
from .drawing import explained_text
from .frame import columns_named
from .importance import OverallImportance

if TYPE_CHECKING:
    from .result import Explanation

MOST_FEATURES = 10_000  # features, beyond which a ranking of single ones is no summary


def overall_importance(
    explanations: "Iterable[Explanation]",
    *,
    feature_names: Sequence[str] | None = None,
    groups: Mapping[str, Sequence[str | int]] | None = None,
) -> OverallImportance:
    """Average relevance over a data set: how much each feature counts overall.

    Explanations are taken one after another, so that those of a large data set need not be in
    memory together: of each only the relevance and the value of every feature is kept.

    Relevance of one-hot columns is summed in each sample before its size is taken: a feature that
    speaks for and against in turn then counts as much as one that always speaks for.

    All explanations must be by the same model, recipe and initial relevance, and of the same
    function where the target is a function: an explanation does not have these, so that they are
    not compared.

    Args:
        explanations: Explanations of batches of the same columns: `explainer.map(loader)`, a list.
        feature_names: Names of the columns that the model takes; None: those that the first
            explanation has, or else their positions.
        groups: Name -> columns, by name or index, whose relevance is summed: one-hot columns as the
            one they stand for; None: those that the first explanation has.

    Returns:
        Mean |R| and mean R of each feature with 95 % intervals of the percentile bootstrap over
        samples, sorted by mean |R|. It prints as a table; `plot`, `to_frame`, `to_csv` and
        `to_html` show and write it. Of one sample there are no intervals.

    Raises:
        InputError: There is no explanation; one has several explained inputs or targets, other
            columns than the first, a target of other words ("class 1", "a function of the output"),
            or relevance that is not finite; or the names or groups do not fit.

    Example:
        >>> import torch, relprop
        >>> explainer = relprop.Explainer(torch.nn.Linear(3, 2).eval(), "epsilon")
        >>> batches = explainer.map(torch.rand(6, 3).split(2), target=0, progress=False)
        >>> names = ["age", "job=cook", "job=clerk"]
        >>> overall = relprop.overall_importance(
        ...     batches, feature_names=names, groups={"job": ["job=cook", "job=clerk"]}
        ... )
        >>> overall.n, sorted(feature.name for feature in overall.features)
        (6, ['age', 'job'])
    """
    gathered: _Gathered | None = None
    for e in _listed(explanations):
        _check(e, feature_names)
        if gathered is None:
            gathered = _Gathered(e, columns_named(e, feature_names, groups))
        gathered.add(e)
    if gathered is None:
        raise InputError("no explanations", "one at least", "write explainer.map(loader)")
    return gathered.result()


def _words_of(e: "Explanation") -> str:
    """Say what was explained of all samples; the name of a value, where the explanation has it."""
    names = e.naming.get("class_names", ())
    return explained_text(e, 0, None, names if len(names) == 1 else ())


class _Gathered:
    """What was gathered so far.

    Attributes:
        columns: What the entries of a sample are called.
        explained: What was explained, in words.
    """

    def __init__(self, first: "Explanation", columns: Columns) -> None:
        self.columns, self.explained = columns, _words_of(first)
        self._labels: list[int | str] = []
        self._relevance: list[Tensor] = []
        self._values: list[Tensor] = []

    def add(self, e: "Explanation") -> None:
        """Add the samples of a batch."""
        self._check_alike(e)
        self._labels, sums = self.columns.summed(e.relevance)  # (batch, features)
        if len(self._labels) > MOST_FEATURES:
            given = f"the overall importance of {len(self._labels):,} features"
            todo = "sum those that belong together: groups={'left': range(100), ...}"
            raise InputError(given, f"{MOST_FEATURES:,} at most", todo)
        self._relevance.append(sums)
        self._values.append(self._values_of(e.input.detach().cpu().flatten(1)))

    def _values_of(self, x: Tensor) -> Tensor:
        """Return what the features were, (batch, features); NaN for those of several columns."""
        single = [(k, i) for k, i in enumerate(self._labels) if isinstance(i, int)]
        places = [k for k, _ in single]
        values = torch.full((len(x), len(self._labels)), torch.nan)
        values[:, places] = x[:, [i for _, i in single]].float()
        return values

    def _check_alike(self, e: "Explanation") -> None:
        shape, words = tuple(e.input.shape[1:]), _words_of(e)
        if shape != self.columns.shape:
            given = f"samples of shape {shape} after those of shape {self.columns.shape}"
            raise InputError(given, "the same columns in all", "explain each data set by itself")
        if words != self.explained:
            given = f"an explanation of {words} after those of {self.explained}"
            todo = "write overall_importance for each target by itself"
            raise InputError(given, "the same target for all", todo)

    def result(self) -> OverallImportance:
        """Return the importance of all features."""
        names = [self.columns.name(i) if isinstance(i, int) else i for i in self._labels]
        relevance, values = torch.cat(self._relevance), torch.cat(self._values)
        return rank_importance(names, relevance, values, self.explained)


def rank_importance(
    names: Sequence[str], relevance: Tensor, values: Tensor, explained: str
) -> OverallImportance:
    """Average the relevance of features, summed over each group in each sample.

    Args:
        names: Names of the features.
        relevance: (n, features), float64.
        values: What the features were, (n, features); NaN for those of several columns.
        explained: What was explained, in words.

    Raises:
        InputError: Relevance is not finite.
    """
    wrong = first_not_finite(relevance)
    if wrong is not None:
        given = f"relevance of sample {wrong} that is not finite"
        todo = "leave it out of what is explained: x[e.relevance.flatten(1).isfinite().all(1)]"
        raise InputError(given, "finite numbers, of which a mean is taken", todo)
    ranked, samples = rank_features(names, relevance, values)
    return OverallImportance(ranked, samples, len(relevance), explained)


def _listed(explanations: object) -> "Iterable[Explanation]":
    allowed = "explanations one after another"
    if hasattr(explanations, "relevances"):
        raise InputError("one explanation", allowed, "write explanation.overall()")
    if isinstance(explanations, (str, Tensor)) or not isinstance(explanations, Iterable):
        given = f"explanations of type {type(explanations).__name__}"
        raise InputError(given, allowed, "write overall_importance(explainer.map(loader))")
    for one in explanations:
        if not hasattr(one, "relevances"):
            given = f"a {type(one).__name__} among the explanations"
            raise InputError(given, allowed, "write overall_importance(explainer.map(loader))")
        yield one


def _check(e: "Explanation", feature_names: Sequence[str] | None) -> None:
    """Refuse what has no one number for each feature of a sample."""
    if e.several:
        given = f"an explanation of {len(e.targets)} targets of each sample"
        raise InputError(given, "one target", "write target=0, and the same for each other target")
    if len(e.relevances) > 1:
        labels = ", ".join(map(str, e.relevances))
        todo = f'explain one at a time: explainer(x, explain="{next(iter(e.relevances))}")'
        raise InputError(f"an explanation of several inputs: {labels}", "one input", todo)
    if not e.input.is_floating_point() and feature_names is None:
        given = "token ids, of which each position may hold another word in each sample"
        todo = "name the positions, if they are columns of a table: feature_names=[...]"
        raise InputError(given, "columns that mean the same in each sample", todo)
