"""How well a model uses its layers, by relevance: what could be narrower, and what sees how far.

Takes a model and samples with their classes. Gives a record of each layer. Must not know what is
done about it.

n  samples      c  channels      h, w  height and width
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..errors import InputError
from ..graph.analysis import analyse_graph
from ..observe.channel_sums import LAYERS, channel_shares
from ..observe.ledger import Ledger
from ..recipes.recipe import Recipe
from .check_model import check_module
from .explainer import Explainer
from .labelled_samples import check_labelled

CARRIED = 0.99  # of a layer's relevance
SEEN = 0.9  # of a unit's relevance
_SEEN_IN = 8  # samples whose units are followed to the input


@dataclass(frozen=True)
class LayerUse:
    """How a layer is used.

    Attributes:
        name: Dotted name of the layer.
        channels: How many channels or neurons it has.
        dead: How many of them carry no relevance in any sample.
        carrying: The smallest number of channels that carries 99 % of its relevance.
        absorbed_by_bias: Mean over samples of |relevance that its bias absorbs| by |score|; the
            bias with what BatchNorm adds.
        radius: Pixels of the input around a unit at its middle, in all directions, that hold 90 %
            of the unit's relevance, the mean over samples; None for a layer without a picture, or
            whose middle has no relevance.
    """

    name: str
    channels: int
    dead: int
    carrying: int
    absorbed_by_bias: float
    radius: float | None

    def sentence(self) -> str:
        """Say it in a sentence.

        Returns:
            The sentence, with the layer's name.
        """
        if not self.carrying:
            return f"{self.name}: no relevance passes its {self.channels} channels"
        share = self.carrying / self.channels
        parts = [f"{share:.0%} of {self.channels} channels carry {CARRIED:.0%} of relevance"]
        parts += [f"{self.dead} {'is' if self.dead == 1 else 'are'} dead"] * bool(self.dead)
        parts.append(f"its bias absorbs {self.absorbed_by_bias:.0%} of the score")
        if self.radius is not None:
            parts.append(f"{SEEN:.0%} of a unit's relevance is within {self.radius:.1f} pixels")
        return f"{self.name}: {'; '.join(parts)}"


@dataclass(frozen=True)
class Utilisation:
    """How the layers of a model are used. Print it to read it.

    Attributes:
        layers: In the order in which the model names them.
        samples: Number of samples that were explained.
    """

    layers: tuple[LayerUse, ...]
    samples: int

    @property
    def widths(self) -> dict[str, int]:
        """Name of a layer -> how many of its channels carry 99 % of relevance."""
        return {one.name: one.carrying for one in self.layers}

    def __str__(self) -> str:
        head = ("layer", "channels", "dead", "carry 99 %", "bias", "radius")
        rows = [head, *(_cells(one) for one in self.layers)]
        width = [max(len(row[i]) for row in rows) for i in range(len(head))]
        table = [
            "  ".join([row[0].ljust(width[0]), *map(str.rjust, row[1:], width[1:])]) for row in rows
        ]
        return "\n".join([*table, "", *(one.sentence() for one in self.layers)])


def _cells(one: LayerUse) -> tuple[str, ...]:
    radius = "" if one.radius is None else f"{one.radius:.1f}"
    bias = f"{one.absorbed_by_bias:.1%}"
    return (one.name, str(one.channels), str(one.dead), str(one.carrying), bias, radius)


def utilisation(
    model: nn.Module, x: Tensor, y: Tensor, *, recipe: Recipe | str = "auto"
) -> Utilisation:
    """Measure by relevance for the true classes how each layer's channels are used.

    Args:
        model: A classifier, in eval mode: (n, *features) to scores (n, classes). Not changed.
        x: Samples, (n, *features).
        y: Class of each, (n,).
        recipe: How relevance is computed, as for `Explainer`.

    Returns:
        A record for each convolution and linear layer but those that make the scores.

    Raises:
        InputError: The model has no layer before its scores, or an argument is wrong.

    Example:
        >>> import torch, relprop.use
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 2)).eval()
        >>> model[0].weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        >>> model[0].bias.data = torch.zeros(3)
        >>> model[2].weight.data = torch.tensor([[1.0, 1.0, 0.0], [1.0, 2.0, 0.0]])
        >>> used = relprop.use.utilisation(model, torch.ones(2, 2), torch.tensor([0, 1]))
        >>> used.layers[0].dead, used.widths
        (1, {'0': 2})

    Source: the receptive field after Luo et al. 2016, "Understanding the effective receptive field
    in deep convolutional neural networks", with relevance in place of gradients.
    """
    model = check_module(model)
    explainer = Explainer(model, recipe)
    check_labelled(x, y)
    layers = _layers(model, explainer, x)
    e = explainer(x, y, layers=layers, ledger=True)
    assert not isinstance(e.ledger, tuple)
    score = e.ledger.size.clamp(min=torch.finfo(torch.float64).tiny)
    uses = []
    for name in layers:
        layer = model.get_submodule(name)
        shares = channel_shares(layer, e.layers[name]).mean(0)
        absorbed = _absorbed(e.ledger, name)
        uses.append(
            LayerUse(
                name,
                len(shares),
                int((shares == 0).sum()),
                channels_that_carry(shares),
                float((absorbed / score).mean()),
                _radius(explainer, x[:_SEEN_IN], y[:_SEEN_IN], name, e.layers[name]),
            )
        )
    return Utilisation(tuple(uses), len(x))


def _absorbed(ledger: Ledger, layer: str) -> Tensor:
    """Sum up |relevance| that the bias of a layer absorbs, with that of its BatchNorm, (n,)."""
    biases = [
        e.absorbed["bias"].abs()
        for e in ledger.entries
        if e.module == layer and "bias" in e.absorbed
    ]
    return torch.stack(biases).sum(0) if biases else torch.zeros_like(ledger.size)


def channels_that_carry(shares: Tensor, carried: float = CARRIED) -> int:
    """Return the smallest number of channels that carries a part of all relevance.

    Args:
        shares: Of each channel, (c,), >= 0.
        carried: The part, in (0, 1).
    """
    total = shares.sum()
    if total == 0:
        return 0
    sums = shares.sort(descending=True).values.cumsum(0) / total
    return int((sums < carried * (1 - 1e-12)).sum()) + 1


def radius_of(relevance: Tensor, seen: float = SEEN) -> Tensor:
    """Return the half width of the square around the middle that holds a part of |relevance|.

    Args:
        relevance: Of pictures of one unit, (n, c, h, w).
        seen: The part, in (0, 1).

    Returns:
        Pixels, (n,): 0 is the middle pixel, or the middle 2 x 2 of an even size; NaN where there is
        no relevance.
    """
    size = relevance.double().abs().sum(1)  # (n, h, w)
    down, right = (
        (torch.arange(s, device=size.device) - (s - 1) / 2).abs().floor() for s in size.shape[1:]
    )
    distance = torch.maximum(down[:, None], right[None]).long().flatten()  # (h w)
    by_distance = size.new_zeros(len(size), int(distance.max()) + 1)
    by_distance.index_add_(1, distance, size.flatten(1))
    total = by_distance.sum(1, keepdim=True)
    within = by_distance.cumsum(1) < seen * (1 - 1e-12) * total
    return within.sum(1).double().where(total[:, 0] > 0, torch.nan)


def _radius(
    explainer: Explainer, x: Tensor, y: Tensor, name: str, output: Tensor | tuple[Tensor, ...]
) -> float | None:
    """Follow the middle of a layer's output back to the input."""
    if isinstance(output, tuple) or output.ndim != 4 or x.ndim != 4:
        return None
    middle = torch.zeros(output.shape[1:], dtype=torch.bool, device=x.device)
    rows, columns = (slice((s - 1) // 2, s // 2 + 1) for s in output.shape[2:])
    middle[:, rows, columns] = True
    e = explainer(x, y, conditions={name: middle})
    radii = radius_of(e.relevance)
    return None if bool(radii.isnan().all()) else float(radii.nanmean())


def _layers(model: nn.Module, explainer: Explainer, x: Tensor) -> Sequence[str]:
    """Name the layers that are described: those that run, but for those that make the scores."""
    graph = explainer.plan(x).graph
    last = analyse_graph(graph).last_layers  # no layer comes after them on the way to the scores
    ran = {node.module for node in graph.nodes} - {n.module for n in graph.nodes if n.name in last}
    layers = {name for name, module in model.named_modules() if isinstance(module, LAYERS)}
    if not layers & ran:
        given = f"a model of {len(layers)} convolutions and linear layers, none before its scores"
        raise InputError(given, "one before them at least", "pass a deeper model")
    return [name for name, _ in model.named_modules() if name in layers & ran]
