"""Parameter randomisation: relevance that tells of a model must change with its weights.

n  samples
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from ...errors import InputError
from ...support.progress import QUIET, Progress
from ..maps.similarity import Similarity, similarity
from ..removal.forward_passes import output_of
from ..statistics.estimates import told
from .call_method import Question, RelevanceFunction, question, relevance_of
from .reinitialise import Layer, layers_of, reinitialise, restore

Mode = Literal["cascading", "independent"]


@dataclass(frozen=True, repr=False)
class ParameterRandomisation:
    """How alike relevance is with and without the weights of each layer; printed as a table.

    mode      "cascading": row i has layers 0 to i drawn anew; "independent": layer i alone
    layers    names, from the last layer of the model to the first; "" is the model itself
    by        how each was drawn anew: "reset_parameters", or "normal"
    spearman  (layers, n), cosine (layers, n); see `Similarity`
    target    (n,) the class whose relevance it is
    """

    mode: str
    layers: tuple[str, ...]
    by: tuple[str, ...]
    spearman: Tensor
    cosine: Tensor
    target: Tensor

    def __repr__(self) -> str:
        """A line for each layer: means over samples, with 95 % intervals."""
        width = max(len("layer"), len("(model)"), *map(len, self.layers))
        head = f"{self.mode}, {len(self.target)} samples\n"
        head += f"{'layer':{width}}  {'drawn by':16}  {'Spearman':26}  cosine"
        rows = zip(self.layers, self.by, self.spearman, self.cosine, strict=True)
        lines = [
            f"{name or '(model)':{width}}  {by:16}  {told(rank):26}  {told(direction)}"
            for name, by, rank, direction in rows
        ]
        return "\n".join([head, *lines])


def parameter_randomisation(
    model: nn.Module,
    x: Tensor | Mapping[str, Any],
    relevance: RelevanceFunction,
    *,
    target: int | Tensor | None = None,
    mode: Mode = "cascading",
    layers: Sequence[str] = ("*",),
    batch_size: int = 256,
    seed: int = 0,
    progress: Progress = QUIET,
) -> ParameterRandomisation:
    """Compare relevance with that of the same model, its layers' weights drawn anew.

    model      in eval mode; it is copied, and never written
    x          (n, *features), or a mapping of keyword inputs
    relevance  a function (model, x, target) -> relevance, called with a copy of the model, always
               the same one. One that looks at a model of its own instead would seem not to change
    target     the class that is explained. None: what the model predicts of x before
    mode       "cascading": from the last layer to the first, all up to there; "independent": one
               layer at a time
    layers     globs on names: only these layers are drawn anew
    Similarity near 1 down to the first layer: what is shown does not depend on what was learned.
    Signs count: for maps whose sign means nothing, give a function that returns absolute values.
    Source: Adebayo et al. 2018, "Sanity checks for saliency maps".
    """
    if mode not in get_args(Mode):
        raise InputError(f"mode={mode!r}", '"cascading" or "independent"', 'mode="cascading"')
    twin = _copied(model)
    asked = question(twin, x, relevance, target, batch_size)
    chosen = _chosen(layers_of(twin, _run(asked)), layers)
    before = relevance_of(asked)
    with progress.stage("Parameter randomisation", len(chosen), "layers") as advance:
        found = []
        for i, layer in enumerate(chosen):
            found.append(_drawn_anew(asked, before, layer, seed + i, mode == "independent"))
            advance(1)
    return ParameterRandomisation(
        mode=mode,
        layers=tuple(layer.name for layer in chosen),
        by=tuple(layer.by for layer in chosen),
        spearman=torch.stack([one.spearman for one in found]),
        cosine=torch.stack([one.cosine for one in found]),
        target=asked.target.cpu(),
    )


def _drawn_anew(
    asked: Question, before: Tensor, layer: Layer, seed: int, put_back: bool
) -> Similarity:
    kept = {name: value.detach().clone() for name, value in layer.state.items()}
    reinitialise(layer, seed)
    after = relevance_of(asked)
    if put_back:
        restore(layer, kept)
    return similarity(before, after)


def _copied(model: Any) -> nn.Module:
    if not isinstance(model, nn.Module):
        raise InputError(
            f"a model of type {type(model).__name__}",
            "a torch.nn.Module, whose weights can be drawn anew",
            "give the module itself",
        )
    try:
        return copy.deepcopy(model)
    except Exception as error:
        raise InputError(
            f"{type(model).__name__} cannot be copied: {error}",
            "a model that copy.deepcopy can copy, because it is not written on itself",
            "take locks, open files, generators and tensors with a history out of its attributes",
        ) from error


def _run(asked: Question) -> Callable[[], object]:
    """A call of the model with one sample."""
    one = asked.inputs.per_sample(lambda t: t[:1])

    def run() -> object:
        with torch.no_grad():
            return output_of(asked.model, one)

    return run


def _chosen(found: tuple[Layer, ...], globs: Sequence[str]) -> list[Layer]:
    listed = [] if isinstance(globs, str) else globs
    chosen = [x for x in found if any(fnmatchcase(x.name, glob) for glob in listed)]
    if not chosen:
        names = ", ".join(layer.name or '""' for layer in found) or "none: it has no parameters"
        raise InputError(f"layers={globs!r}", f"a list of globs on {names}", 'layers=["*"]')
    return chosen
