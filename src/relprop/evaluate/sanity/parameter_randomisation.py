"""Parameter randomisation: relevance that depends on what was learned changes with the weights.

Takes a model and a method, and works on a copy of the model. Trains nothing.

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
from ...support.estimates import format_mean
from ...support.progress import QUIET, Progress
from ..maps.similarity import Similarity, similarity
from ..removal.forward_passes import model_output
from .call_method import MethodCall, RelevanceFunction, compute_relevance, prepare_call
from .reinitialise import ParameterisedLayer, layers_from_output, reinitialise, restore

Mode = Literal["cascading", "independent"]


@dataclass(frozen=True, repr=False)
class ParameterRandomisation:
    """Similarity of relevance before and after layers are reinitialised; printed as a table.

    Attributes:
        mode: "cascading": in row i, layers 0 to i are reinitialised; "independent": layer i alone.
        layers: Layer names, from the model's output to its input; "" is the model itself.
        initialisers: How each layer's values were drawn: "reset_parameters" or "normal".
        spearman: Rank correlation of relevance before and after, (layers, n); see `Similarity`.
        cosine: Cosine similarity of relevance before and after, (layers, n).
        target: The explained class of each sample, (n,).
    """

    mode: str
    layers: tuple[str, ...]
    initialisers: tuple[str, ...]
    spearman: Tensor
    cosine: Tensor
    target: Tensor

    def __repr__(self) -> str:
        """Show a line for each layer: means over samples, with 95 % intervals."""
        width = max(len("layer"), len("(model)"), *map(len, self.layers))
        rows = zip(self.layers, self.initialisers, self.spearman, self.cosine, strict=True)
        lines = [
            f"{self.mode}, {len(self.target)} samples",
            f"{'layer':{width}}  {'initialiser':16}  {'Spearman':26}  cosine",
        ]
        for name, initialiser, spearman, cosine in rows:
            similarities = f"{format_mean(spearman):26}  {format_mean(cosine)}"
            lines.append(f"{name or '(model)':{width}}  {initialiser:16}  {similarities}")
        return "\n".join(lines)


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
    """Compare relevance before and after the model's layers are reinitialised.

    A similarity that stays near 1 down to the first layer means that the map does not depend on
    what the model learned. The sign of relevance counts: for maps whose sign has no meaning, pass
    a function that returns absolute values.

    Args:
        model: A module in eval mode. It is copied and never written to.
        x: Samples, (n, *features), or a mapping of keyword inputs.
        relevance: A function (model, x, target) -> relevance (n, *features), such as
            `relprop.Method`. It must explain the model that it is called with, which is always the
            same copy: a function that explains a model of its own would seem not to change.
        target: None: the class predicted before anything is reinitialised; one class; or one class
            per sample (n,).
        mode: "cascading": from the output to the input, keeping each layer reinitialised;
            "independent": one layer at a time.
        layers: Globs on module names; only these layers are reinitialised.
        batch_size: Samples per call of `relevance`.
        seed: Random seed of the new values; layer i of the table uses seed + i.
        progress: Where to report progress; by default nowhere.

    Returns:
        The similarity for each layer and sample.

    Raises:
        InputError: An argument does not fit, the model cannot be copied, or relevance is not
            finite.

    Example:
        >>> import torch
        >>> from relprop.evaluate import parameter_randomisation
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Linear(3, 2)).eval()
        >>> x = torch.rand(5, 4)
        >>> result = parameter_randomisation(model, x, lambda model, x, target: x)
        >>> result.layers
        ('1', '0')
        >>> result.cosine.min().item() > 0.999  # x itself does not depend on the weights
        True

    Source: Adebayo et al. 2018, "Sanity checks for saliency maps".
    """
    if mode not in get_args(Mode):
        raise InputError(f"mode={mode!r}", '"cascading" or "independent"', 'mode="cascading"')
    duplicate = _copy(model)
    call = prepare_call(duplicate, x, relevance, target, batch_size)
    chosen = _select(layers_from_output(duplicate, _first_sample_run(call)), layers)
    before = compute_relevance(call)
    similarities = []
    with progress.stage("Parameter randomisation", len(chosen), "layers") as advance:
        for i, layer in enumerate(chosen):
            restored = mode == "independent"
            similarities.append(_randomise_layer(call, before, layer, seed + i, restored))
            advance(1)
    return ParameterRandomisation(
        mode=mode,
        layers=tuple(layer.name for layer in chosen),
        initialisers=tuple(layer.initialiser for layer in chosen),
        spearman=torch.stack([one.spearman for one in similarities]),
        cosine=torch.stack([one.cosine for one in similarities]),
        target=call.target.cpu(),
    )


def _randomise_layer(
    call: MethodCall, before: Tensor, layer: ParameterisedLayer, seed: int, restored: bool
) -> Similarity:
    """Reinitialise a layer and compare relevance; put its values back if `restored`."""
    original = {name: value.detach().clone() for name, value in layer.state.items()}
    reinitialise(layer, seed)
    after = compute_relevance(call)
    if restored:
        restore(layer, original)
    return similarity(before, after)


def _copy(model: Any) -> nn.Module:
    if not isinstance(model, nn.Module):
        raise InputError(
            f"a model of type {type(model).__name__}",
            "a torch.nn.Module, whose weights can be reinitialised",
            "pass the module itself",
        )
    try:
        return copy.deepcopy(model)
    except Exception as error:
        raise InputError(
            f"{type(model).__name__} cannot be copied: {error}",
            "a model that copy.deepcopy can copy, because your model itself is not written to",
            "take locks, open files, generators and tensors with a history out of its attributes",
        ) from error


def _first_sample_run(call: MethodCall) -> Callable[[], object]:
    """Make a function that runs the model on the first sample."""
    sample = call.inputs.per_sample(lambda t: t[:1])

    def run() -> object:
        with torch.no_grad():
            return model_output(call.model, sample)

    return run


def _select(
    layers: tuple[ParameterisedLayer, ...], globs: Sequence[str]
) -> list[ParameterisedLayer]:
    """Select the layers whose names match; InputError if there are none."""
    # A string is a sequence of one-letter globs, of which "*" would match everything.
    patterns = [] if isinstance(globs, str) else globs
    chosen = [layer for layer in layers if any(fnmatchcase(layer.name, g) for g in patterns)]
    if not chosen:
        names = ", ".join(layer.name or '""' for layer in layers) or "none: it has no parameters"
        raise InputError(f"layers={globs!r}", f"a list of globs on {names}", 'layers=["*"]')
    return chosen
