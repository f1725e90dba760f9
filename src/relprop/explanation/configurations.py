"""Knows again the configurations that a model has had: what decides which operations it runs.

Takes a model. Gives its configuration of now. May be used from several threads. Must not know what
is kept for a configuration.
"""

import threading
from collections.abc import Mapping
from operator import attrgetter, getitem, is_
from typing import Any

from torch import nn

from ..capture.attributes import Attribute
from ..capture.configuration import ComparedLists, Configuration
from ..support.torch_private import version_of

# Configurations of the model that are known again when they come back.
MOST_CONFIGURATIONS = 8

_shape, _dtype = attrgetter("shape"), attrgetter("dtype")


class Configurations:
    """The configurations that a model has had of late. May be used from several threads."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._known: tuple[Configuration, ...] = ()  # the present one is at the front
        self.written: frozenset[Attribute] = frozenset()  # by forward itself, as captures show
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["Configurations"], tuple[nn.Module]]:
        return Configurations, (self._model,)

    def current(self) -> Configuration:
        """Return the model's configuration: an earlier one, if it has come back."""
        known = self._known
        if known and _holds(known[0].comparison):
            return known[0]
        with self._lock:
            again = next((one for one in self._known if one.is_current()), None)
            now = again or Configuration(self._model, self.written)
            others = [one for one in self._known if one is not now]
            self._known = (now, *others[: MOST_CONFIGURATIONS - 1])
        return now

    def ignore(self, written: frozenset[Attribute]) -> None:
        """Compare no longer what the model's forward writes."""
        with self._lock:
            if not written <= self.written:
                self.written |= written
                for configuration in self._known:
                    configuration.ignore(written)


def _holds(noted: ComparedLists) -> bool:
    """Compare a model with what was noted; False also where that cannot tell.

    At every call, so it runs in C: dicts are compared by `==`, which asks for identity first.
    """
    try:
        # Objects first: where one was replaced, `==` of a tensor or a user's class is not called.
        return (
            all(map(is_, map(getitem, noted.held_in, noted.held_at), noted.held))
            and noted.live == noted.noted
            and not any(noted.empty)
            and list(map(type, noted.modules)) == noted.classes
            and list(map(_shape, map(getitem, noted.slots_in, noted.slots_at))) == noted.shapes
            and list(map(_dtype, map(getitem, noted.first_in, noted.first_at))) == noted.dtypes
            and list(map(version_of, noted.tensors)) == noted.versions
            and all(_without(live, names) == was for names, live, was in noted.partial)
        )
    except Exception:  # a key that is gone, or `==` that gives no truth value
        return False


def _without(live: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: live[name] for name in live.keys() - names}
