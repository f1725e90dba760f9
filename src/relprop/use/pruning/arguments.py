"""Checks what pruning is asked for, before anything is computed.

Takes arguments as users write them. Raises InputError. Must not know how channels are removed.
"""

from typing import Any

import torch
from torch import Tensor, nn

from ...errors import InputError
from ...support.arguments import check_seed


def check_options(
    sparsity: Any, heads: Any, samples_per_class: Any, rounds: Any, ranking: Any, seed: Any
) -> None:
    """Raise InputError for a value that no pruning has."""
    for name, share in (("sparsity", sparsity), ("heads", heads)):
        number = isinstance(share, (int, float)) and not isinstance(share, bool)
        if not number or not 0 <= share < 1:
            given = f"{name} is {share!r}"
            raise InputError(given, "a share from 0 to less than 1", f"write {name}=0.5")
    for name, count, usual in (
        ("samples_per_class", samples_per_class, 10),
        ("rounds", rounds, 5),
    ):
        if type(count) is not int or count < 1:
            given = f"{name} is {count!r}"
            raise InputError(given, "a whole number from 1", f"write {name}={usual}")
    if ranking not in ("global", "layer"):
        given = f"ranking is {ranking!r}"
        raise InputError(given, '"global" or "layer"', 'write ranking="global"')
    check_seed(seed)


def check_model_and_samples(model: nn.Module, x: Any, y: Any) -> None:
    """Raise InputError unless a model is in eval mode, and told samples of two classes apart."""
    if any(module.training for module in model.modules()):
        given = "a model in training mode, whose statistics a forward pass would change"
        raise InputError(given, "a model in eval mode", "write model.eval()")
    check_samples(model, x, y, "x", "y")
    if not bool((y != y[:1]).any()):
        given = f"{len(y)} samples of one class"
        allowed = "samples of two classes at least: relevance for one says nothing of the others"
        raise InputError(given, allowed, "pass samples of every class that the model tells apart")


def check_samples(model: nn.Module, x: Any, y: Any, x_name: str, y_name: str) -> None:
    """Raise InputError unless these are samples with classes that the model tells apart."""
    for name, value in ((x_name, x), (y_name, y)):
        if not isinstance(value, Tensor):
            given = f"{name} is of type {type(value).__name__}"
            raise InputError(given, "a tensor", f"write {name}=torch.as_tensor({name})")
    if x.ndim == 0 or len(x) == 0:
        given = f"{x_name} of shape {tuple(x.shape)}"
        raise InputError(given, "samples, (n, *features)", f"pass samples as {x_name}")
    whole = not (y.is_floating_point() or y.dtype == torch.bool)
    if y.ndim != 1 or not whole or len(y) != len(x) or int(y.min()) < 0:
        given = f"{y_name} of shape {tuple(y.shape)} and {y.dtype}, for {len(x)} samples"
        raise InputError(
            given, "a class for each sample, (n,), whole numbers from 0", f"write {y_name}.long()"
        )
    with torch.no_grad():
        scores = model(x[:1])
    shape = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
    if not isinstance(scores, Tensor) or scores.ndim != 2 or scores.shape[1] <= int(y.max()):
        given = f"a model that returns {shape} for a sample, and classes up to {int(y.max())}"
        raise InputError(given, "scores (n, classes)", "pass a classifier, and classes from 0")
