"""Clever Hans test: does relevance find a planted artefact that gives the class away?

Takes a model that was trained with the artefact, or without it. Trains nothing.

n  samples
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ...errors import InputError
from ...support.estimates import finite_in_all
from ..maps.localisation import Localisation, localisation
from ..removal.setup import model_inputs
from ..statistics.paired_test import PairedTest, paired_test
from .call_method import MethodCall, RelevanceFunction, compute_relevance, prepare_call


@dataclass(frozen=True, repr=False)
class PlantedArtefact:
    """Relevance inside the artefact's mask, with the artefact and without it.

    Attributes:
        target: The explained class of each sample, (n,).
        artefact: Localisation of relevance on the samples with the artefact.
        clean: The same on the samples without it; None if `clean` was not passed.
    """

    target: Tensor
    artefact: Localisation
    clean: Localisation | None

    @property
    def mass_accuracy_difference(self) -> PairedTest | None:
        """Mass accuracy with the artefact minus without it, over samples that have both."""
        if self.clean is None:
            return None
        return _compare(self.artefact.mass_accuracy, self.clean.mass_accuracy)

    @property
    def auc_difference(self) -> PairedTest | None:
        """AUC with the artefact minus without it."""
        return None if self.clean is None else _compare(self.artefact.auc, self.clean.auc)

    def __repr__(self) -> str:
        """Show means over samples with and without the artefact, and their difference."""
        if self.clean is None:
            return f"with the artefact: {self.artefact}"
        return "\n".join(
            [
                f"with the artefact: {self.artefact}",
                f"without it: {self.clean}",
                f"difference in mass accuracy  {self.mass_accuracy_difference}",
                f"difference in AUC            {self.auc_difference}",
            ]
        )


def planted_artefact(
    model: Callable[..., Any],
    x: Tensor | Mapping[str, Any],
    relevance: RelevanceFunction,
    mask: Tensor,
    *,
    clean: Tensor | Mapping[str, Any] | None = None,
    target: int | Tensor | None = None,
    batch_size: int = 256,
) -> PlantedArtefact:
    """Measure how much relevance lies on an artefact that was planted in the samples.

    The Clever Hans test: train a model on samples in which an artefact, such as a small square in
    a corner, gives the class away. A faithful explanation puts its positive relevance on the
    artefact. For a model that ignores the artefact, it puts no more there than on clean samples.

    Args:
        model: Maps a batch to scores (n, classes).
        x: Samples with the artefact, (n, *features), or a mapping of keyword inputs.
        relevance: A function (model, x, target) -> relevance (n, *features), such as
            `relprop.Method`.
        mask: Nonzero where the artefact is; see `localisation`.
        clean: The same samples without the artefact. They are explained for the same classes.
        target: None: the class predicted for `x`; one class; or one class per sample (n,).
        batch_size: Samples per call of `relevance`.

    Returns:
        Localisation with and without the artefact, and paired tests of the difference.

    Raises:
        InputError: An argument does not fit, or relevance is not finite.

    Example:
        >>> import torch
        >>> from relprop.evaluate import planted_artefact
        >>> model = torch.nn.Linear(4, 2, bias=False).eval()
        >>> weight = torch.tensor([[4.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
        >>> model.weight = torch.nn.Parameter(weight)
        >>> clean = torch.tensor([[0.0, 1.0, 1.0, 0.5], [0.0, 2.0, 1.0, 0.5]])
        >>> x = clean.clone()
        >>> x[:, 0] = 1.0  # the artefact
        >>> mask = torch.tensor([1, 0, 0, 0])
        >>> found = planted_artefact(
        ...     model, x, lambda model, x, target: x * model.weight[target], mask, clean=clean
        ... )
        >>> found.artefact.mass_accuracy.mean().item() > found.clean.mass_accuracy.mean().item()
        True

    Source: Lapuschkin et al. 2019, "Unmasking Clever Hans predictors".
    """
    call = prepare_call(model, x, relevance, target, batch_size)
    clean_call = None if clean is None else _replace_samples(call, clean)
    with_artefact = localisation(compute_relevance(call), mask)
    without = None if clean_call is None else localisation(compute_relevance(clean_call), mask)
    return PlantedArtefact(call.target.cpu(), with_artefact, without)


def _replace_samples(call: MethodCall, clean: Tensor | Mapping[str, Any]) -> MethodCall:
    """Make the same call for the samples without the artefact."""
    inputs = model_inputs(call.model, clean)
    if inputs.first.shape != call.x.shape:
        raise InputError(
            f"clean samples of shape {tuple(inputs.first.shape)}, x {tuple(call.x.shape)}",
            "the same samples without the artefact",
            "keep a copy of x before you plant the artefact",
        )
    return replace(call, inputs=inputs)


def _compare(artefact: Tensor, clean: Tensor) -> PairedTest | None:
    """Test the samples for which both values are defined; None if there are none."""
    both = finite_in_all(artefact, clean)
    return paired_test(artefact[both], clean[both]) if both.any() else None
