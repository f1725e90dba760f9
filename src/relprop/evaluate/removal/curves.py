"""Removal curves: how the score of each sample changes as more and more of it is removed.

Takes a model, a batch, and relevance of any source. Gives curves. Must not know where relevance
came from.

    n  samples      d  units of a sample      s  steps      c  classes
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor

from ...errors import InputError
from ...support.output_kinds import OutputKind
from ...support.progress import Advance, ProgressOption, progress_of
from .method_curves import MethodCurves, RemovalCurves
from .ranking import Order
from .removal_curve import RemovalCurve
from .score_curve import score_curve, score_originals
from .scores import as_score
from .setup import Filling, RemovalSetup, prepare_removal
from .steps import Spacing, Steps
from .unit_order import check_unit_order, order_units
from .unit_relevance import Relevance, compute_unit_relevance, prepare_relevance
from .units import UnitMaker, Units

Scoring = str | Callable[[Tensor], Tensor]


def removal_curve(
    model: Callable[..., Any],
    x: Tensor | Mapping[str, Any],
    relevance: Relevance | None,
    *,
    order: Order | Tensor = "morf",
    target: int | Tensor | None = None,
    fill: Filling = "zero",
    steps: Steps = 20,
    spacing: Spacing = "linear",
    score: Scoring = "probability",
    output_kind: OutputKind | None = None,
    units: Units | UnitMaker | None = None,
    remove_from: str | None = None,
    batch_size: int = 256,
    seed: int = 0,
    progress: ProgressOption = False,
) -> RemovalCurve:
    """Remove units of each sample in one order, and score what is left after each step.

    This is also called pixel flipping, region perturbation, or deletion.

    Args:
        model: Maps a batch to scores (n, c); in eval mode. A mapping with "logits", as
            transformers return it, is taken, too.
        x: Samples, (n, *features), or a mapping of keyword inputs such as `input_ids` and
            `attention_mask`.
        relevance: Relevance of any source, shaped like `x`, or one number per unit (n, d), or of
            images also without channels. Or a function (model, x, target) that returns it, called
            with at most `batch_size` samples. None for orders that do not need it.
        order: "morf", most relevant first; "lerf", least relevant first; "random"; or a
            permutation of the units for each sample, (n, d).
        target: The class whose score is followed: None for the class predicted of the original
            sample; one class; or one class per sample, (n,).
        fill: What replaces removed entries: a name of `relprop.evaluate.FILLS`, a number, a
            tensor, a function (x, removed, generator) -> values, or a `Fill`; of text also
            `delete()` and `hide()`.
        steps: Number of steps up to everything removed; or rising shares (floats) or counts (ints)
            of units.
        spacing: Of a number of steps: "linear" or "log".
        score: "probability" of the target; "logit", its entry of the output; "margin" of the
            predicted class, as `relprop.margin`; "signed_margin" of the target over all other
            classes; "accuracy"; or a function from the output to one number per sample.
        output_kind: What the model returns, from which probabilities are computed: "logits",
            "log-probabilities", "probabilities" of one class of many, or "independent
            probabilities"; an explanation has it as `e.head.kind`. None: what the numbers of the
            output show; those of one unit show nothing.
        units: What is removed together: `pixels` (default for images), `entries` (default for all
            else), `patches(4)`, `superpixels(50)`, `columns(groups)`, `tokens(mask)`, or `grouped`
            of your own map.
        remove_from: Name of the input to remove from, if `x` is a mapping; None: the first tensor.
        batch_size: Most samples in a forward pass; changes nothing but time and memory.
        seed: Random seed of random orders, of ties, and of random fills.
        progress: True shows on stderr how far it is.

    Returns:
        Scores of every sample after each step, with predictions and areas.

    Raises:
        InputError: An argument is wrong, which is raised before the model runs; or a function that
            was passed returns something else than it should.

    Example:
        >>> x = torch.tensor([[3.0, 1.0, 2.0]])
        >>> total = lambda x: x.sum(1)
        >>> curve = removal_curve(total, x, relevance=x, score=lambda output: output, steps=3)
        >>> curve.scores.tolist()
        [[6.0, 3.0, 1.0, 0.0]]
        >>> removal_curve(total, x, x, order="lerf", score=lambda out: out, steps=3).scores.tolist()
        [[6.0, 5.0, 3.0, 0.0]]

    Source: Samek et al. 2017, "Evaluating the visualization of what a deep neural network has
    learned".
    """
    setup = prepare_removal(
        *(model, x),
        fill=fill,
        steps=steps,
        spacing=spacing,
        units=units,
        remove_from=remove_from,
        batch_size=batch_size,
        seed=seed,
    )
    check_unit_order(setup, relevance, order)
    per_unit = None if relevance is None else prepare_relevance(setup, relevance)
    with torch.no_grad(), _stage(progress, setup, curves=1) as advance:
        originals = score_originals(model, setup, target, as_score(score), output_kind)
        if per_unit is not None:
            per_unit = compute_unit_relevance(model, setup, per_unit, originals.target)
        units_in_order = order_units(setup, per_unit, order)
        return score_curve(model, setup, originals, units_in_order, advance)


def removal_curves(
    model: Callable[..., Any],
    x: Tensor | Mapping[str, Any],
    methods: Mapping[str, Relevance],
    *,
    target: int | Tensor | None = None,
    fill: Filling = "zero",
    steps: Steps = 20,
    spacing: Spacing = "linear",
    score: Scoring = "probability",
    output_kind: OutputKind | None = None,
    units: Units | UnitMaker | None = None,
    remove_from: str | None = None,
    batch_size: int = 256,
    seed: int = 0,
    progress: ProgressOption = False,
) -> RemovalCurves:
    """Remove units in all three orders, for several methods on the same samples.

    The random order is the same for all methods, and the model runs on original and on randomly
    removed samples only once. See `removal_curve` for what each argument may be.

    Args:
        model: Maps a batch to scores, (n, c).
        x: Samples, (n, *features), or a mapping of keyword inputs.
        methods: Name of each method -> its relevance, a tensor or a function.
        target: The class whose score is followed; None for the predicted one.
        fill: What replaces removed entries.
        steps: Number of steps, or shares or counts of units.
        spacing: Of a number of steps: "linear" or "log".
        score: The score, by name or a function.
        output_kind: What the model returns.
        units: What is removed together.
        remove_from: Name of the input to remove from, if `x` is a mapping.
        batch_size: Most samples in a forward pass.
        seed: Random seed of the random order, of ties, and of random fills.
        progress: True shows on stderr how far it is.

    Returns:
        Name of a method -> its curves: a mapping, which `plot`, `to_html` and `to_csv` show and
        write.

    Raises:
        InputError: As `removal_curve` does.

    Example:
        >>> x = torch.tensor([[3.0, 1.0, 2.0]])
        >>> total = lambda x: x.sum(1)
        >>> methods = {"x": x, "all alike": torch.ones(1, 3)}
        >>> curves = removal_curves(total, x, methods, score=lambda output: output, steps=3)
        >>> curves["x"].morf.scores.tolist()
        [[6.0, 3.0, 1.0, 0.0]]
        >>> curves["x"].lerf.auc.tolist()
        [3.6666667461395264]
        >>> curves["all alike"].morf.ties.tolist()
        [3]
    """
    _check_methods(methods)
    setup = prepare_removal(
        *(model, x),
        fill=fill,
        steps=steps,
        spacing=spacing,
        units=units,
        remove_from=remove_from,
        batch_size=batch_size,
        seed=seed,
    )
    tensors = {name: prepare_relevance(setup, relevance) for name, relevance in methods.items()}
    with torch.no_grad(), _stage(progress, setup, curves=1 + 2 * len(methods)) as advance:
        originals = score_originals(model, setup, target, as_score(score), output_kind)

        def curve(order: Order, per_unit: Tensor | None = None) -> RemovalCurve:
            units_in_order = order_units(setup, per_unit, order)
            return score_curve(model, setup, originals, units_in_order, advance)

        random, curves = curve("random"), {}
        for name, relevance in tensors.items():
            per_unit = compute_unit_relevance(model, setup, relevance, originals.target)
            curves[name] = MethodCurves(curve("morf", per_unit), curve("lerf", per_unit), random)
    return RemovalCurves(curves)


def _check_methods(methods: object) -> None:
    """Raise InputError unless methods are a mapping from names."""
    if isinstance(methods, Mapping):
        return
    own = "explanation.relevance" if hasattr(methods, "relevance") else "relevance"
    todo = f'write {{"lrp": {own}}}, or removal_curve for a single curve'
    if isinstance(methods, (list, tuple)):
        todo = "name each: dict(enumerate(methods))"
    elif callable(methods) and not isinstance(methods, Tensor):
        todo = 'write {"lrp": relprop.Method(explainer)}'
    given = f"methods of type {type(methods).__name__}"
    raise InputError(given, "a mapping from names of methods to their relevance", todo)


def _stage(
    progress: ProgressOption, setup: RemovalSetup, curves: int
) -> AbstractContextManager[Advance]:
    """Open a stage for so many curves of all samples."""
    total = len(setup.x) * (setup.counts.shape[1] - 1) * curves
    return progress_of(progress).stage("Removal", total, "inputs")
