"""LXT's efficient rules as a method of the benchmark, applied for the duration of one call.

LXT rewrites classes of torch and of transformers for good. Here its changes are stored, applied
for each of its calls and removed again, so that all methods run in one process, in turn, and none
sees another's classes. LXT 2.1 needs transformers < 4.53.
"""

import copy
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from architecture import Inputs
from attempt import gradient_times_input
from torch import Tensor, nn

SOURCES = {
    "BertForSequenceClassification": "bert",
    "LlamaForSequenceClassification": "llama",
    "VisionTransformer": "vit_torch",
}
RULES = {"attnlrp": "attnLRP", "cp-lrp": "cp_LRP"}
MISSING = object()

Attributes = Mapping[tuple[Any, str], object]  # (class or module, name) -> value


def by_lxt(model: nn.Module, x: Inputs, name: str) -> Callable[[], Tensor]:
    """Prepare gradient x input of the same model, built from the classes that LXT rewrote."""
    table = rules(type(model).__name__, name)
    before, after = find_changes(table)

    with changes_applied(before, after):
        explain = gradient_times_input(rebuild(model), x)

    def call() -> Tensor:
        with changes_applied(before, after):
            return explain()

    return call


def rules(kind: str, name: str) -> Mapping[Any, Callable[[Any], bool]]:
    """Return LXT's table for a class of models: what to rewrite, and how.

    Raises:
        LookupError: LXT has none.
    """
    models = importlib.import_module("lxt.efficient.models")
    table = getattr(getattr(models, SOURCES[kind]), RULES[name], None)
    if table is None:
        raise LookupError(f"LXT has no {RULES[name]} for {kind}")
    return table


def rebuild(model: nn.Module) -> nn.Module:
    """Build the model again from the classes as they are now."""
    kind = getattr(sys.modules[type(model).__module__], type(model).__name__)
    if not hasattr(model, "config"):
        return copy.deepcopy(model)
    copied = kind(model.config).eval()
    copied.load_state_dict(model.state_dict())
    return copied.to(next(model.parameters()).device)


# ---- applying and removing LXT's changes ---------------------------------------------------------


def find_changes(table: Mapping[Any, Callable[[Any], bool]]) -> tuple[Attributes, Attributes]:
    """Find the attributes that LXT changes, before and after; restore them."""
    before = attributes(table)
    for target in table:  # a table that all models share, and that LXT writes into: a copy of it
        if hasattr(target, "ALL_ATTENTION_FUNCTIONS"):
            target.ALL_ATTENTION_FUNCTIONS = dict(target.ALL_ATTENTION_FUNCTIONS)
    try:
        for target, rewrite in table.items():
            rewrite(target)
        after = attributes(table)
    finally:
        set_attributes(before | dict.fromkeys(attributes(table).keys() - before.keys(), MISSING))
    changed = [key for key, value in after.items() if before.get(key, MISSING) is not value]
    return {key: before.get(key, MISSING) for key in changed}, {key: after[key] for key in changed}


def attributes(targets: Mapping[Any, object]) -> dict[tuple[Any, str], object]:
    """List the methods of classes, and the names in modules."""
    return {
        (target, name): value
        for target in targets
        for name, value in vars(target).items()
        if inspect.isfunction(value) or (inspect.ismodule(target) and not name.startswith("__"))
    }


def set_attributes(values: Attributes) -> None:
    """Set attributes, or delete those that are missing."""
    for (target, name), value in values.items():
        if value is MISSING:
            delattr(target, name)
        else:
            setattr(target, name, value)


@contextmanager
def changes_applied(before: Attributes, after: Attributes) -> Iterator[None]:
    """Apply LXT's changes; restore the attributes afterwards, whatever happens."""
    set_attributes(after)
    try:
        yield
    finally:
        set_attributes(before)
