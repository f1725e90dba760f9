"""Feature removal: take features out in some order, and read what the model makes of the rest.

Takes a model, a batch, and any tensor of relevance shaped like the batch. Gives orders, batches
with features removed, and readings. Must not know where the relevance came from.

    n  samples      d  features of one sample      c  classes
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from .errors import InputError
from .margin import margin

Order = Literal["morf", "lerf", "random"]
ORDERS: tuple[Order, ...] = get_args(Order)
Model = Callable[[Tensor], Tensor]  # (n, *features) -> (n, c)


@dataclass(frozen=True)
class Reading:
    """What a classifier makes of each sample of a batch."""

    prediction: Tensor  # (n,) the class with the largest output
    margin: Tensor  # (n,) (max - second max) / max of the probabilities, in [0, 1]


def ranking(relevance: Tensor, order: Order = "morf", *, seed: int = 0) -> Tensor:
    """Features of each sample in the order in which they are to be removed.

    relevance  (n, *features), signed, of any source; "random" uses its shape alone
    order      "morf": highest signed relevance first; "lerf": lowest first, so what speaks against
               the class goes before what says nothing; "random": a permutation for each sample
    Equal relevance is common (blank pixels have exactly zero under most rules). Ties are broken at
    random by the seed, never by position: by position, the upper rows of a picture would go first.
    Returns (n, d) feature indices, each row a permutation.
    """
    _check_relevance(relevance, order)
    flat = relevance.detach().flatten(1)
    generator = torch.Generator(flat.device).manual_seed(seed)
    shuffled = torch.rand(flat.shape, generator=generator, device=flat.device).argsort(1)
    if order == "random":
        return shuffled
    # a stable sort of shuffled features leaves equal ones in their shuffled, that is random, order
    values = flat.gather(1, shuffled)
    return shuffled.gather(1, values.argsort(dim=1, descending=order == "morf", stable=True))


def feature_count(q: float, features: int) -> int:
    """How many features the share q of `features` is: at least one, rounded to the nearest."""
    count = round(q * features) if 0 < q <= 1 else 0
    if count < 1:
        raise InputError(
            f"q = {q:g}, the share of the {features} features to remove",
            f"above 0, at most 1, and at least half a feature (q >= {0.5 / features:.2g})",
            "give for example q = 0.1",
        )
    return count


def remove(x: Tensor, order: Tensor, count: int, *, fill: float = 0.0) -> Tensor:
    """The batch with the first `count` features of each sample's order set to `fill`.

    x      (n, *features), left as it is
    order  (n, at least `count`) feature indices, as `ranking` gives them
    Returns a new tensor of the shape of x.
    """
    if order.ndim != 2 or len(order) != len(x) or not 0 <= count <= order.shape[1]:
        raise InputError(
            f"{count} features to remove by an order of shape {tuple(order.shape)}",
            f"one row for each of the {len(x)} samples, with at least that many features",
            "give relprop.evaluate.ranking(relevance) of the same batch",
        )
    return x.flatten(1).scatter(1, order[:, :count], fill).reshape(x.shape)


def read(model: Model, x: Tensor, *, batch: int = 250) -> Reading:
    """Class and margin of every sample, `batch` samples per forward pass.

    x  (n, *features), n >= 1
    """
    with torch.inference_mode():
        parts = [_read_batch(model(part)) for part in torch.split(x, batch)]
    return Reading(torch.cat([p for p, _ in parts]), torch.cat([m for _, m in parts]))


def _read_batch(output: Tensor) -> tuple[Tensor, Tensor]:
    lead = margin(output)  # first, because it checks the shape
    if not output.isfinite().all():
        raise InputError(
            "the model's output has NaN or infinite values",
            "finite scores, one for each class",
            "check the model's weights and its input",
        )
    return output.argmax(1), lead


def _check_relevance(relevance: Tensor, order: str) -> None:
    if order not in ORDERS:
        raise InputError(f"order={order!r}", f"one of {', '.join(ORDERS)}", 'write order="morf"')
    if relevance.ndim < 2:
        raise InputError(
            f"relevance of shape {tuple(relevance.shape)}",
            "(n, *features): one relevance for each feature of each sample",
            "give relevance for a batch",
        )
    if order != "random" and relevance.isnan().any():
        raise InputError(
            "relevance has NaN values",
            "numbers, which can be ranked",
            "look for the rule or the input that made them",
        )
