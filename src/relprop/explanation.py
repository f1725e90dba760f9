"""The result of an explanation: a frozen record, saved as .npz, shown in a notebook."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .files import write_atomically
from .notebook import SAMPLES, Sample, samples_html


@dataclass(frozen=True, eq=False)
class Explanation:
    """A classified and explained batch.

    input          (batch, *features), what was explained
    output         (batch, classes), the model's scores
    prediction     (batch,), the class of the largest score
    probabilities  (batch, classes), softmax of the scores
    margin         (batch,), (max - second max) / max of the probabilities
    target         (batch,), the class that was explained; (batch, 2) for a contrast pair; None
                   for a function of the output
    relevance      (batch, *features)
    """

    input: Tensor
    output: Tensor
    prediction: Tensor
    probabilities: Tensor
    margin: Tensor
    target: Tensor | None
    relevance: Tensor

    def save(self, path: str | Path) -> None:
        """Write all fields to an .npz file, whole or not at all; `numpy.load` reads it.

        bfloat16, which numpy lacks, becomes float32. Raises FileError if it cannot be written.
        """
        arrays = {
            field.name: _array(getattr(self, field.name))
            for field in fields(self)
            if getattr(self, field.name) is not None
        }
        with write_atomically(Path(path)) as file:
            np.savez_compressed(file, **arrays)

    def _repr_html_(self) -> str:
        count = min(SAMPLES, len(self.output))
        return samples_html([self._sample(i) for i in range(count)], len(self.output))

    def _sample(self, i: int) -> Sample:
        if self.target is None:
            target = "a function of the output"
        elif self.target.ndim == 2:
            target = "class {} against class {}".format(*self.target[i].tolist())
        else:
            target = f"class {int(self.target[i])}"
        return Sample(self.input[i], self.relevance[i], self.probabilities[i], target)

    def __repr__(self) -> str:
        shape = "x".join(str(size) for size in self.relevance.shape[1:])
        return f"Explanation({len(self.output)} of {shape}, predicted {self.prediction.tolist()})"


def _array(tensor: Tensor) -> Any:
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype is torch.bfloat16 else tensor).numpy()
