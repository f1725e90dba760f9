"""Prunes with a part of the samples and tests on the others, with training in between if wanted.

Takes a model and samples with their classes. Gives a PrunedModel. Must not know files.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from ...errors import InputError
from ...recipes.recipe import Recipe
from .arguments import check_several_classes
from .channels import prune_channels
from .finetuning import finetune
from .record import PrunedModel, accuracy
from .selection import Ranking

_TESTED = 5  # one sample of so many


def prune_and_test(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    sparsity: float,
    *,
    heads: float,
    samples_per_class: int,
    rounds: int,
    ranking: Ranking,
    recipe: Recipe | str,
    keep: Sequence[str],
    rescale: bool,
    epochs: int,
    seed: int,
) -> PrunedModel:
    """Prune a model; its accuracies are those of a fifth of the samples, which nothing else sees.

    Args:
        model: As for `prune_channels`, and so are the others but epochs.
        x: All samples.
        y: Class of each.
        sparsity: Share that is removed.
        heads: Share of attention heads that is removed.
        samples_per_class: How many are explained.
        rounds: In how many rounds channels go.
        ranking: Over which channels.
        recipe: How relevance is computed.
        keep: Layers that stay whole.
        rescale: Whether statistics of what is left are matched.
        epochs: How often the smaller model then sees each sample; 0: it is not trained.
        seed: Random seed of all draws.

    Raises:
        InputError: There are fewer than five samples, or as for `prune_channels`.
    """
    if len(y) < _TESTED:
        given = f"{len(y)} samples"
        raise InputError(given, f"{_TESTED} at least: a fifth tests the model", "give more data")
    check_several_classes(y)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(seed))
    test, rest = order[: len(y) // _TESTED], order[len(y) // _TESTED :]
    tested = x[test], y[test]
    result = prune_channels(
        model,
        x[rest],
        y[rest],
        sparsity,
        heads=heads,
        samples_per_class=samples_per_class,
        rounds=rounds,
        ranking=ranking,
        recipe=recipe,
        keep=keep,
        rescale=rescale,
        test=tested,
        seed=seed,
    )
    if not epochs:
        return result
    torch.manual_seed(seed)  # of dropout
    finetune(result.model, x[rest], y[rest], epochs=epochs, seed=seed)
    return replace(result, accuracy_after=accuracy(result.model, *tested))
