"""LXT's efficient rules as a method of the benchmark, put on for the time of one call.

LXT rewrites classes of torch and of transformers for good. Here what it has written is kept aside,
put in place for each of its calls and taken off again, so that all methods run in one process, in
turn, and none sees another's classes. LXT 2.1 needs transformers < 4.53.
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
    """Gradient x input of the same model, made of the classes that LXT has rewritten."""
    table = rules(type(model).__name__, name)
    before, after = rewritten(table)

    with put_on(before, after):
        explain = gradient_times_input(made_again(model), x)

    def call() -> Tensor:
        with put_on(before, after):
            return explain()

    return call


def rules(kind: str, name: str) -> Mapping[Any, Callable[[Any], bool]]:
    """LXT's table for a class of models: what to rewrite, and how.

    Raises LookupError where it has none.
    """
    models = importlib.import_module("lxt.efficient.models")
    table = getattr(getattr(models, SOURCES[kind]), RULES[name], None)
    if table is None:
        raise LookupError(f"LXT has no {RULES[name]} for {kind}")
    return table


def made_again(model: nn.Module) -> nn.Module:
    """The model with the classes as they are now, which may be others than when it was made."""
    kind = getattr(sys.modules[type(model).__module__], type(model).__name__)
    if not hasattr(model, "config"):
        return copy.deepcopy(model)
    made = kind(model.config).eval()
    made.load_state_dict(model.state_dict())
    return made.to(next(model.parameters()).device)


# ---- putting on and taking off -------------------------------------------------------------------


def rewritten(table: Mapping[Any, Callable[[Any], bool]]) -> tuple[Attributes, Attributes]:
    """What LXT changes, as it was and as it is then. Leaves all as it was."""
    before = attributes(table)
    for target in table:  # a table that all models share, and that LXT writes into: a copy of it
        if hasattr(target, "ALL_ATTENTION_FUNCTIONS"):
            target.ALL_ATTENTION_FUNCTIONS = dict(target.ALL_ATTENTION_FUNCTIONS)
    try:
        for target, rewrite in table.items():
            rewrite(target)
        after = attributes(table)
    finally:
        put(before | dict.fromkeys(attributes(table).keys() - before.keys(), MISSING))
    changed = [key for key, value in after.items() if before.get(key, MISSING) is not value]
    return {key: before.get(key, MISSING) for key in changed}, {key: after[key] for key in changed}


def attributes(targets: Mapping[Any, object]) -> dict[tuple[Any, str], object]:
    """Of classes their methods, of modules their names."""
    return {
        (target, name): value
        for target in targets
        for name, value in vars(target).items()
        if inspect.isfunction(value) or (inspect.ismodule(target) and not name.startswith("__"))
    }


def put(values: Attributes) -> None:
    """Set attributes, or delete those that are missing."""
    for (target, name), value in values.items():
        if value is MISSING:
            delattr(target, name)
        else:
            setattr(target, name, value)


@contextmanager
def put_on(before: Attributes, after: Attributes) -> Iterator[None]:
    """With the classes as rewritten; afterwards they are what they were, whatever happens."""
    put(after)
    try:
        yield
    finally:
        put(before)
