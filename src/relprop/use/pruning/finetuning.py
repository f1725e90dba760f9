"""Trains what pruning left, for a few epochs.

Takes a model and samples with their classes. Changes the model. Must not know what was removed.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ...errors import InputError
from ...explanation.check_model import check_module
from ...explanation.labelled_samples import check_classifier
from ...support.arguments import check_seed
from ...support.eval_mode import in_eval_mode

_BATCH = 64


def finetune(
    model: nn.Module, x: Tensor, y: Tensor, *, epochs: int, rate: float = 1e-3, seed: int = 0
) -> None:
    """Train a model in place by AdamW, whose rate falls to 0; it ends in eval mode.

    Args:
        model: A classifier, such as a pruned copy.
        x: Samples, (n, *features).
        y: Class of each, (n,).
        epochs: How often it sees each sample.
        rate: Learning rate at the beginning.
        seed: Random seed of the order of samples; that of dropout is torch's own.

    Raises:
        InputError: An argument is wrong, or all weights are frozen.

    Example:
        >>> import torch
        >>> from relprop.use import finetune
        >>> model = torch.nn.Linear(2, 2)
        >>> finetune(model, torch.randn(8, 2), torch.arange(8) % 2, epochs=2)
        >>> model.training
        False
    """
    if type(epochs) is not int or epochs < 1:
        raise InputError(f"epochs is {epochs!r}", "a whole number from 1", "write epochs=2")
    number = isinstance(rate, (int, float)) and not isinstance(rate, bool)
    if not number or not 0 < rate < math.inf:
        raise InputError(f"rate is {rate!r}", "a number above 0", "write rate=0.001")
    check_seed(seed)
    model = check_module(model)
    with in_eval_mode(model):
        check_classifier(model, x, y)
    trained = [p for p in model.parameters() if p.requires_grad]
    if not trained:
        given, allowed = "a model of which no weight requires a gradient", "one that does at least"
        raise InputError(given, allowed, "write model.requires_grad_(True)")
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(trained, rate)
    batches = -(-len(y) // _BATCH)
    steps = epochs * batches
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.0, total_iters=steps)
    model.train()
    try:
        for _ in range(epochs):
            # Of equal size: a last batch of one sample has no spread, which BatchNorm needs.
            for rows in torch.tensor_split(torch.randperm(len(y), generator=generator), batches):
                rows = rows.to(x.device)
                optimiser.zero_grad()
                cross_entropy(model(x[rows]), y[rows]).backward()  # type: ignore[no-untyped-call]
                optimiser.step()
                schedule.step()
    finally:
        optimiser.zero_grad()
        model.eval()
