"""Checks what pruning is asked for, before anything is computed.

Takes arguments as users write them. Raises InputError. Must not know how channels are removed.
"""

from typing import Any

from torch import Tensor, nn

from ...errors import InputError
from ...explanation.labelled_samples import check_classifier
from ...support.arguments import check_seed


def check_options(
    sparsity: Any,
    heads: Any,
    samples_per_class: Any,
    rounds: Any,
    ranking: Any,
    keep: Any,
    rescale: Any,
    seed: Any,
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
    if isinstance(keep, str) or not all(isinstance(one, str) for one in keep):
        todo = f"write keep=[{keep!r}]" if isinstance(keep, str) else 'write keep=["conv1"]'
        raise InputError(f"keep is {keep!r}", "a list of globs on names of layers", todo)
    if not isinstance(rescale, bool):
        raise InputError(f"rescale is {rescale!r}", "True or False", "write rescale=False")
    check_seed(seed)


def check_model_and_samples(model: nn.Module, x: Any, y: Any) -> None:
    """Raise InputError unless a model is in eval mode, and told samples of two classes apart."""
    if any(module.training for module in model.modules()):
        given = "a model in training mode, whose statistics a forward pass would change"
        raise InputError(given, "a model in eval mode", "write model.eval()")
    check_classifier(model, x, y)
    check_several_classes(y)


def check_several_classes(y: Tensor) -> None:
    """Raise InputError for samples of one class alone."""
    if not bool((y != y[:1]).any()):
        given = f"{len(y)} samples of one class, number {int(y[0])}"
        allowed = "samples of two classes at least: relevance for one says nothing of the others"
        raise InputError(given, allowed, "pass samples of every class that the model tells apart")


def check_test(model: nn.Module, test: Any) -> tuple[Tensor, Tensor]:
    """Return the samples and classes of a test. Raises InputError unless the model takes them."""
    if not isinstance(test, (tuple, list)) or len(test) != 2:
        count = f" of {len(test)}" if isinstance(test, (tuple, list)) else ""
        given = f"test of type {type(test).__name__}{count}"
        raise InputError(given, "a pair of samples and classes", "write test=(x, y)")
    x, y = test
    check_classifier(model, x, y, "test[0]", "test[1]")
    return x, y
