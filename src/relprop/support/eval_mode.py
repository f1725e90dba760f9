"""Sets a model to eval mode for a while, and every module back to what it was.

Takes any module. Gives a context. Must not know why.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

_TRAINER = "_trainer"  # where a LightningModule keeps its trainer


@contextmanager
def in_eval_mode(model: nn.Module) -> Iterator[None]:
    """Set all modules of a model to eval mode inside the block, and each back after it.

    Modes are set as attributes: a `train` or `eval` that a class overrides, as to merge weights, is
    not called. A LightningModule is without its trainer inside: the trainer notes something new
    in each step, for which the model would be captured again.

    Args:
        model: The model; another thread that runs it meanwhile runs it in eval mode, too.
    """
    modules = list(model.modules())
    modes = [module.training for module in modules]
    trainers = [(one, vars(one)[_TRAINER]) for one in modules if vars(one).get(_TRAINER)]
    try:
        for module in modules:
            module.training = False
        for module, _ in trainers:
            vars(module)[_TRAINER] = None
        yield
    finally:
        for module, trainer in trainers:
            vars(module)[_TRAINER] = trainer
        for module, training in zip(modules, modes, strict=True):
            module.training = training
