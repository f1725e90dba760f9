"""Removes heads of attention: which a model has, how much relevance each carries, what is left.

A head goes with its rows of queries, keys and values, and its columns of the layer that joins the
heads; the width around it stays. torch-pruning removes heads by its own scores alone, and those of
`nn.MultiheadAttention` only with its width. Must not know what else is removed.

n  samples      h  heads      d  width of a head
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ...explanation.explainer import Explainer
from ...recipes.recipe import Recipe
from .attention import HeadAttention, head_rows, linear
from .groups import ChannelGroup, shared_weights

_BATCH = 64  # samples explained at a time
_DIFFERENCE = 1e-3  # of outputs without a head, by two ways, relative to the largest output


@dataclass(frozen=True)
class Heads:
    """Attention whose heads can be removed.

    Attributes:
        name: Dotted name of its module.
        count: How many heads it has.
        joined: Dotted name of the linear layer that joins them.
    """

    name: str
    count: int
    joined: str

    @property
    def group(self) -> ChannelGroup:
        """Its heads as a group of channels that are ranked."""
        places = torch.arange(self.count)
        return ChannelGroup(self.name, self.count, {self.name: (places, places)})


def find_heads(model: nn.Module, x: Tensor) -> tuple[list[Heads], dict[str, str]]:
    """Find attention whose heads can be removed, by trying one head of each on a copy.

    Known are `nn.MultiheadAttention`, and modules as timm has them: of a linear layer `qkv`, a
    linear layer `proj` and a number `num_heads`.

    Args:
        model: The model, in eval mode. It is not changed.
        x: Samples as it takes them; the first is run.

    Returns:
        Attention; name of an attention that keeps all its heads -> why.
    """
    found, whole, tied = list[Heads](), dict[str, str](), shared_weights(model)
    for name, module in model.named_modules():
        known = _read(name, module)
        if known is None:
            continue
        reason = next(
            (why for one, why in tied.items() if one == name or one.startswith(f"{name}.")), ""
        )
        reason = reason or _try_one(model, x[:1], known)
        if reason:
            whole[name] = reason
        else:
            found.append(known)
    return found, whole


def head_relevance(
    model: nn.Module, heads: Sequence[Heads], x: Tensor, y: Tensor, recipe: Recipe | str = "auto"
) -> dict[str, Tensor]:
    """Average over samples the share that each head carries of its attention's relevance.

    R of a head is the relevance for the true class of what it gives to the layer that joins the
    heads, summed over tokens and its units. Its share is |R| by the sum of |R| over heads.

    Args:
        model: The model, in eval mode. It is not changed.
        heads: What `find_heads` found.
        x: Samples, (n, *features).
        y: Class of each, (n,).
        recipe: As for `Explainer`.

    Returns:
        Name of an attention -> share of each head, (h,), in float64.
    """
    explained = copy.deepcopy(model)
    for one in heads:
        module = explained.get_submodule(one.name)
        if isinstance(module, nn.MultiheadAttention):
            module = HeadAttention(module, range(one.count))
            explained.set_submodule(one.name, module)
        joined = explained.get_submodule(one.joined)
        explained.set_submodule(one.joined, nn.Sequential(_Copy(), joined))
    explainer, places = Explainer(explained, recipe), [f"{one.joined}.0" for one in heads]
    totals = {one.name: torch.zeros(one.count, dtype=torch.float64) for one in heads}
    for part, target in zip(torch.split(x, _BATCH), torch.split(y, _BATCH), strict=True):
        layers = explainer(part, target, layers=places).layers
        for one, place in zip(heads, places, strict=True):
            totals[one.name] += _shares(layers[place], one.count).sum(0).cpu()
    return {name: total / len(x) for name, total in totals.items()}


def remove_heads(
    model: nn.Module, heads: Sequence[Heads], removed: Mapping[str, Sequence[int]]
) -> dict[str, Tensor]:
    """Remove heads in place.

    Args:
        model: The model.
        heads: What `find_heads` found of it.
        removed: Name of an attention -> places of the heads that go.

    Returns:
        Name of a linear layer -> which of its outputs are left, where these are fewer.
    """
    rows = dict[str, Tensor]()
    for one in heads:
        kept = [i for i in range(one.count) if i not in removed[one.name]]
        module = model.get_submodule(one.name)
        if len(kept) == one.count:
            continue
        if isinstance(module, nn.MultiheadAttention):
            model.set_submodule(one.name, HeadAttention(module, kept))
        else:
            rows[f"{one.name}.qkv"] = _keep(module, kept)
    return rows


class _Copy(nn.Module):
    """An operation, whose relevance an explanation can be asked for."""

    def forward(self, x: Tensor) -> Tensor:
        return x.clone()


def _shares(relevance: Tensor | tuple[Tensor, ...], count: int) -> Tensor:
    """Return the share of each head in each sample, (n, h)."""
    parts = relevance if isinstance(relevance, tuple) else (relevance,)
    sums = [
        one.double().reshape(*one.shape[:-1], count, -1).sum(-1) for one in parts
    ]  # (n, ..., h)
    sizes = torch.stack([one.flatten(1, -2).sum(1) for one in sums]).sum(0).abs()
    return sizes / sizes.sum(1, keepdim=True).clamp(min=torch.finfo(sizes.dtype).tiny)


def _read(name: str, module: nn.Module) -> Heads | None:
    """Read a module as attention; None where it is none that is known."""
    if isinstance(module, nn.MultiheadAttention):
        return Heads(name, module.num_heads, f"{name}.out_proj")
    count = getattr(module, "num_heads", None)
    qkv, joined = getattr(module, "qkv", None), getattr(module, "proj", None)
    if not isinstance(count, int) or not isinstance(qkv, nn.Linear):
        return None
    if not isinstance(joined, nn.Linear) or qkv.out_features != 3 * joined.in_features:
        return None
    return Heads(name, count, f"{name}.proj")


def _keep(module: nn.Module, kept: Sequence[int]) -> Tensor:
    """Keep some heads of a module as timm has them; return the outputs of `qkv` that are left."""
    qkv, joined, count = module.qkv, module.proj, module.num_heads
    assert isinstance(qkv, nn.Linear)
    assert isinstance(joined, nn.Linear)
    assert isinstance(count, int)
    width = joined.in_features // count
    rows = head_rows(kept, width)
    all_rows = torch.cat([rows + i * joined.in_features for i in range(3)])
    bias = None if qkv.bias is None else qkv.bias[all_rows]
    module.qkv = linear(qkv.weight[all_rows], bias)
    module.proj = linear(joined.weight[:, rows], joined.bias)
    module.num_heads = len(kept)  # type: ignore[assignment]
    if getattr(module, "attn_dim", None) == joined.in_features:  # of timm, from 1.0.20
        module.attn_dim = len(rows)  # type: ignore[assignment]
    return all_rows


def _try_one(model: nn.Module, x: Tensor, one: Heads) -> str:
    """Remove a head, and say what speaks against it; "" for nothing."""
    if one.count < 2:
        return "it has one head"
    module = model.get_submodule(one.name)
    if getattr(module, "bias_k", None) is not None or getattr(module, "add_zero_attn", False):
        return "it attends to constants beside its keys"
    smaller, without = copy.deepcopy(model), copy.deepcopy(model)
    joined = without.get_submodule(one.joined)
    assert isinstance(joined, nn.Linear)
    with torch.no_grad():
        joined.weight[:, : joined.in_features // one.count] = 0
        expected = without(x)
        try:
            remove_heads(smaller, [one], {one.name: [0]})
            given = smaller(x)
        except (RuntimeError, ValueError, IndexError, AttributeError, TypeError):
            return "the model does not run with fewer of its heads"
        size = expected.abs().max().clamp(min=torch.finfo(expected.dtype).tiny)
        same = (
            given.shape == expected.shape and (given - expected).abs().max() <= _DIFFERENCE * size
        )
    return "" if same else "fewer of its heads compute something else than the others did"
