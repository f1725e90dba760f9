"""The result of an explanation: a frozen record, saved as .npz, shown in a notebook."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..observe.ledger import Ledger
from ..support.files import write_atomically
from ..support.margin import margin
from .check_inputs import is_classification
from .notebook import SAMPLES, Sample, samples_html


@dataclass(frozen=True, eq=False)
class Explanation:
    """A classified and explained batch.

    input          (batch, *features), what was explained
    output         (batch, classes), the model's scores, or of another shape (batch, ...)
    prediction     (batch,), the class of the largest score; None if the output is not by classes
    probabilities  (batch, classes), softmax of the scores, or None
    margin         (batch,), (max - second max) / max of the probabilities, or None
    target         (batch,), the class that was explained; (batch, 2) for a contrast pair; None
                   for what is no class. (batch, targets) where several were asked for
    relevance      (batch, *features), one value a token for token ids; (batch, targets, *features)
                   for several targets
    inputs, relevances  the same of all explained inputs, by label; `input` is the first of them.
                   Inputs are no copies: they have the caller's memory, and to read one after
                   that was written into is an InputError
    layers         module -> relevance of its output, or a tuple where it has several outputs
    ledger         where all relevance went, if asked for; one for each of several targets
    """

    output: Tensor
    target: Tensor | None
    inputs: Mapping[str, Tensor]
    relevances: Mapping[str, Tensor]
    layers: Mapping[str, Tensor | tuple[Tensor, ...]]
    several: bool
    ledgers: tuple[Ledger, ...]

    @property
    def prediction(self) -> Tensor | None:
        """The class of the largest score, (batch,)."""
        return self.output.argmax(1) if is_classification(self.output) else None

    @property
    def probabilities(self) -> Tensor | None:
        """Softmax of the scores, (batch, classes)."""
        return self.output.softmax(1) if is_classification(self.output) else None

    @property
    def margin(self) -> Tensor | None:
        """(max - second max) / max of the probabilities, (batch,)."""
        return margin(self.output) if is_classification(self.output) else None

    @property
    def input(self) -> Tensor:
        """What was explained, (batch, *features): the first, where several inputs were."""
        return next(iter(self.inputs.values()))

    @property
    def relevance(self) -> Tensor:
        """Relevance of `input`, of its shape; (batch, targets, *features) for several targets."""
        return next(iter(self.relevances.values()))

    @property
    def ledger(self) -> Ledger | tuple[Ledger, ...]:
        """The ledger of the one target, or those of several. Raises InputError if not asked for."""
        if not self.ledgers:
            given = "a ledger of an explanation that was made without"
            raise InputError(
                given, "an explanation with a ledger", "write explainer(x, ledger=True)"
            )
        return self.ledgers if self.several else self.ledgers[0]

    def save(self, path: str | Path) -> None:
        """Write all tensors to an .npz file, whole or not at all; `numpy.load` reads it.

        What is by label is named "relevances/label", "layers/module". bfloat16, which numpy
        lacks, becomes float32.
        Raises FileError if it cannot be written, InputError if an input was written into.
        """
        fields = ("input", "output", "prediction", "probabilities", "margin", "target", "relevance")
        rest = {name: list(getattr(self, name).items())[1:] for name in ("inputs", "relevances")}
        arrays: dict[str, Any] = {}
        for name in (*fields, "layers"):
            arrays.update(_arrays(name, getattr(self, name)))
        for name, others in rest.items():
            arrays.update(_arrays(name, dict(others)))
        with write_atomically(Path(path)) as file:
            np.savez_compressed(file, **arrays)

    def _repr_html_(self) -> str:
        count = min(SAMPLES, len(self.output))
        try:
            pictures = self.input.is_floating_point() and not self.several
        except InputError as error:  # it was written into
            return f"<pre>{self!r}\n{escape(str(error))}</pre>"
        if not pictures or self.probabilities is None:
            return f"<pre>{self!r}</pre>"
        return samples_html([self._sample(i) for i in range(count)], len(self.output))

    def _sample(self, i: int) -> Sample:
        probabilities = self.output[i].softmax(0)
        if self.target is None:
            target = "a function of the output"
        elif self.target.ndim == 2:
            target = "class {} against class {}".format(*self.target[i].tolist())
        else:
            target = f"class {int(self.target[i])}"
        return Sample(self.input[i], self.relevance[i], probabilities, target)

    def __repr__(self) -> str:
        shapes = ", ".join("x".join(map(str, t.shape[1:])) for t in self.relevances.values())
        found = "" if self.prediction is None else f", predicted {self.prediction.tolist()}"
        return f"Explanation({len(self.output)} of {shapes}{found})"


def _arrays(name: str, value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, Mapping):
        found: dict[str, Any] = {}
        for label, one in value.items():
            found.update(_arrays(f"{name}/{label}", one))
        return found
    if isinstance(value, tuple):
        return {f"{name}/{i}": _array(one) for i, one in enumerate(value)}
    return {name: _array(value)}


def _array(tensor: Tensor) -> Any:
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype is torch.bfloat16 else tensor).numpy()
