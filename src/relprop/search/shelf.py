"""The files of trials: what each gave for the validation samples, and the weights of the best.

Takes a folder. Nothing on it is read before it is complete. Must not know how models are trained.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from ..bundles.content import BundleContent
from ..bundles.read import is_bundle, read_bundle
from ..bundles.write import write_bundle
from ..support.files import make_folder, write_file

_OUTPUTS = "outputs.safetensors"


class Shelf:
    """Files of the trials of a search.

    Attributes:
        folder: Their folder.
        samples: How many samples models are compared by. A search that goes on with more time, or
            less, may take others: what was given for them is not compared.
    """

    def __init__(self, folder: Path, samples: int) -> None:
        self.folder, self.samples = folder, samples

    def put_outputs(self, number: int, outputs: Tensor) -> None:
        """Keep what a trial gave for the validation samples, (n, outputs)."""
        folder = self._of(number)
        make_folder(folder)
        write_file(folder / _OUTPUTS, safetensors.torch.save({"outputs": outputs.contiguous()}))

    def outputs(self, number: int) -> Tensor:
        """Return what a trial gave for the validation samples."""
        return safetensors.torch.load((self._of(number) / _OUTPUTS).read_bytes())["outputs"]

    def has_outputs(self, number: int) -> bool:
        """Tell whether a trial's outputs are there."""
        path = self._of(number) / _OUTPUTS
        if not path.exists():
            return False
        with safetensors.safe_open(path, "pt") as file:
            return bool(file.get_slice("outputs").get_shape()[0] == self.samples)

    def put_model(self, number: int, content: BundleContent) -> None:
        """Keep a trial's model."""
        write_bundle(self._of(number), content)

    def model(self, number: int) -> BundleContent:
        """Return a trial's model."""
        return read_bundle(self._of(number))

    def has_model(self, number: int) -> bool:
        """Tell whether a trial's model is there."""
        return is_bundle(self._of(number))

    def put_longer(self, number: int, content: BundleContent) -> None:
        """Keep a better model of a trial's settings, which may have learned samples of comparison.

        What the trial gave for these is not of it, so that it is not the trial's model.
        """
        write_bundle(self._longer(number), content)

    def longer(self, number: int) -> BundleContent | None:
        """Return this model; None: there is none."""
        folder = self._longer(number)
        return read_bundle(folder) if is_bundle(folder) else None

    def remove(self, numbers: Iterable[int]) -> None:
        """Remove the files of trials."""
        for number in numbers:
            shutil.rmtree(self._of(number), ignore_errors=True)
            shutil.rmtree(self._longer(number), ignore_errors=True)

    def _longer(self, number: int) -> Path:
        return self.folder / f"{number:05d}-longer"

    def _of(self, number: int) -> Path:
        return self.folder / f"{number:05d}"
