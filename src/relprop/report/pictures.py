"""Pictures in folders and files as samples; the folder of a picture may be its label.

Takes paths and what happens to pictures. Gives batches. A picture that cannot be read is named and
left out.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import FileError, InputError
from ..plot.tables import ColumnNames
from ..plot.view import ViewKind
from ..preprocess.pictures import PICTURE_SUFFIXES, Pictures, read_picture
from .batches import Batch, LeftOut, spread
from .bundle_samples import BundlePictures

Prepare = Callable[[Any], Tensor]


class PictureSamples:
    """Pictures; see `Samples`.

    Args:
        paths: Files and folders.
        steps: What happens to pictures; or a function of the user's, from a PIL picture to a tensor
            (c, h, w).
        named: What the preprocessing is called in the report.
    """

    kind: ViewKind = "picture"
    columns = ColumnNames()

    def __init__(
        self, paths: Sequence[Path], steps: Pictures | BundlePictures | Prepare, named: str
    ) -> None:
        self._files = _files(paths)
        self._steps = steps
        self.preprocessing = named
        self.count = len(self._files)
        labels = [label for _, label in self._files]
        known = set(map(str, labels)) if None not in labels else set()
        self.label_names: Sequence[str] = sorted(known)
        if isinstance(steps, Pictures) and steps.size is None:
            _check_sizes([file for file, _ in self._files])

    def batches(self, size: int, total: int) -> Iterator[tuple[Batch, list[LeftOut]]]:
        """Read pictures; see `Samples`."""
        files = [self._files[i] for i in spread(self.count, total)]
        for start in range(0, len(files), size):
            read, left_out = [], []
            for path, label in files[start : start + size]:
                try:
                    read.append((str(path), label, *self._prepared(path)))
                except (FileError, InputError) as error:
                    left_out.append(LeftOut(str(path), error.given))
            if read or left_out:
                yield _batch(read), left_out

    def _prepared(self, path: Path) -> tuple[Tensor, Tensor]:
        """Return a picture as the model takes it, and as it is shown."""
        image = read_picture(path)
        if isinstance(self._steps, (Pictures, BundlePictures)):
            return self._steps(image)[0], self._steps.values(image)
        made = self._steps(image)
        if not isinstance(made, Tensor) or made.ndim != 3:
            got = tuple(made.shape) if isinstance(made, Tensor) else type(made).__name__
            raise InputError(
                f"a preprocessing of pictures that returned {got}",
                "a tensor (channels, height, width)",
                "leave the batch axis out",
            )
        low, high = made.min(), made.max()
        return made, (made - low) / (high - low).clamp(min=1e-12)


def has_pictures(path: Path) -> bool:
    """Tell whether a path is a picture, or a folder of pictures."""
    inside = path.rglob("*") if path.is_dir() else [path]
    return any(file.suffix.lower() in PICTURE_SUFFIXES for file in inside)


def channels_of(model: nn.Module) -> int:
    """Tell how many channels a model's pictures have; 3 if unknown.

    The first convolution tells, or of an exported program the input that it was exported for.
    """
    if isinstance(model, torch.fx.GraphModule):
        values = [node.meta.get("val") for node in model.graph.find_nodes(op="placeholder")]
        channels = next((v.shape[1] for v in values if isinstance(v, Tensor) and v.ndim == 4), 3)
    else:
        convolutions = (m for m in model.modules() if isinstance(m, nn.Conv2d))
        channels = next((one.in_channels for one in convolutions), 3)
    return channels if channels in (1, 3) else 3


def _batch(read: Sequence[tuple[str, str | None, Tensor, Tensor]]) -> Batch:
    if not read:
        return Batch([], [], torch.empty(0))
    names, labels, inputs, shown = zip(*read, strict=True)
    sizes = {tuple(one.shape) for one in inputs}
    if len(sizes) > 1:
        raise InputError(
            f"pictures of shapes {', '.join(map(str, sorted(sizes)[:4]))} after preprocessing",
            "one shape for all",
            "write --size 224, or resize in --preprocess",
        )
    return Batch(names, labels, torch.stack(inputs), torch.stack(shown))


def _files(paths: Sequence[Path]) -> list[tuple[Path, str | None]]:
    """List pictures in order, with the name of their folder where that is below a given one."""
    found: list[tuple[Path, str | None]] = []
    for path in paths:
        if not path.exists():
            raise FileError(f"there is no file or folder {path}", "pictures", "give their folder")
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        pictures = [
            file for file in inside if file.suffix.lower() in PICTURE_SUFFIXES and file.is_file()
        ]
        if not pictures:
            given = f"no pictures in {path}" if path.is_dir() else f"{path}, which is no picture"
            raise InputError(given, ", ".join(PICTURE_SUFFIXES), "give the folder of pictures")
        found += [(file, None if file.parent == path else file.parent.name) for file in pictures]
    return found


def _check_sizes(files: Sequence[Path]) -> None:
    """Refuse pictures of several sizes before any is explained; only their headers are read."""
    from PIL import Image

    sizes: dict[tuple[int, int], Path] = {}
    for file in files:
        try:
            with Image.open(file) as image:
                sizes.setdefault((image.height, image.width), file)
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            continue  # which is named where it is read
    if len(sizes) > 1:
        listed = ", ".join(f"{h} x {w} ({file.name})" for (h, w), file in list(sizes.items())[:3])
        h, w = next(iter(sizes))
        raise InputError(
            f"pictures of {len(sizes)} sizes: {listed}",
            "one size, or the size that the model takes",
            f"write --size {h}x{w}",
        )
