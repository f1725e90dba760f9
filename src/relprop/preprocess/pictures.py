"""Pictures made to the batch that a model takes: read, resized, cropped and normalised.

Takes paths, PIL pictures and arrays. Gives tensors. Must not know models.

    n  pictures      c  channels      h, w  height and width
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import FileError, InputError, first_line
from ..support.extras import needs

if TYPE_CHECKING:
    from PIL.Image import Image

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
RESAMPLING = ("nearest", "bilinear", "bicubic", "lanczos")
_MODES = {1: "L", 3: "RGB"}


@dataclass(frozen=True)
class Pictures:
    """What happens to pictures before a model: its training did the same.

    Call it with a picture or a list of them: paths, PIL pictures, or arrays (h, w) or (h, w, c) of
    uint8 or of floats from 0 to 1.

    Args:
        size: Height and width that the model takes; None: pictures stay as they are.
        mean: What is subtracted of each channel, of values from 0 to 1. As many as channels: one
            for grey pictures, three for colours.
        std: What each channel is divided by.
        resize: Length of the shorter side before the middle is cut out; None: the whole picture is
            resized to `size`, whatever its shape.
        resampling: "nearest", "bilinear", "bicubic" or "lanczos".

    Raises:
        InputError: An argument is wrong.

    Example:
        >>> import numpy
        >>> grey = Pictures(size=(4, 4), mean=[0.5], std=[0.5])
        >>> grey(numpy.full((8, 6), 255, dtype="uint8")).shape
        torch.Size([1, 1, 4, 4])
        >>> grey.low.item(), grey.high.item()  # the box of z-box
        (-1.0, 1.0)
    """

    size: tuple[int, int] | None
    mean: Sequence[float] = (0.0, 0.0, 0.0)
    std: Sequence[float] = (1.0, 1.0, 1.0)
    resize: int | None = None
    resampling: str = "bilinear"

    def __post_init__(self) -> None:
        if len(self.mean) not in _MODES or len(self.mean) != len(self.std):
            given = f"{len(self.mean)} mean values and {len(self.std)} std values"
            allowed = "one of each for grey pictures, three of each for colours"
            raise InputError(given, allowed, "write mean=[0.5], std=[0.5]")
        if not all(value > 0 for value in self.std):
            raise InputError(f"std is {list(self.std)}", "numbers above 0", "write std=[0.5]")
        if self.resampling not in RESAMPLING:
            allowed = ", ".join(f'"{name}"' for name in RESAMPLING)
            raise InputError(f"resampling is {self.resampling!r}", allowed, 'write "bilinear"')
        if self.size is not None and (len(self.size) != 2 or min(self.size) < 1):
            raise InputError(f"size is {self.size!r}", "(height, width)", "write size=(224, 224)")
        if self.resize is not None and (self.size is None or self.resize < max(self.size)):
            given = f"resize is {self.resize} for size {self.size}"
            raise InputError(given, "a number not below size", "leave resize out")

    @property
    def low(self) -> Tensor:
        """The value that black has for the model, (c, 1, 1): the lower end of z-box."""
        return self._normalised(torch.zeros(len(self.mean), 1, 1))

    @property
    def high(self) -> Tensor:
        """The value that white has for the model, (c, 1, 1): the upper end of z-box."""
        return self._normalised(torch.ones(len(self.mean), 1, 1))

    def __call__(self, pictures: Any) -> Tensor:
        """Make a batch, (n, c, h, w), in float32.

        Args:
            pictures: A picture, or a list of them.

        Returns:
            The batch.

        Raises:
            InputError: Something that is no picture, or pictures of several sizes.
            FileError: A file cannot be read.
        """
        several = isinstance(pictures, (list, tuple))
        batch = [
            self._normalised(self.values(one)) for one in (pictures if several else [pictures])
        ]
        if not batch:
            raise InputError("an empty list of pictures", "a picture at least", "give a picture")
        sizes = sorted({tuple(one.shape[1:]) for one in batch})
        if len(sizes) > 1:
            listed = ", ".join(f"{h} x {w}" for h, w in sizes[:4])
            h, w = sizes[0]
            allowed = "pictures of one size, or the size that they are resized to"
            raise InputError(f"pictures of sizes {listed}", allowed, f"write size=({h}, {w})")
        return torch.stack(batch)

    def values(self, picture: Any) -> Tensor:
        """Return a picture as it is shown, resized and cropped.

        Args:
            picture: A path, a PIL picture, or an array.

        Returns:
            Values from 0 to 1, (c, h, w).

        Raises:
            InputError: Something that is no picture.
            FileError: A file cannot be read.
        """
        image = _in_channels(_as_image(picture), len(self.mean))
        if self.size is not None:
            image = self._resized(image, self.size)
        array = np.asarray(image, dtype=np.float32) / 255
        return torch.from_numpy(array[None] if array.ndim == 2 else array.transpose(2, 0, 1).copy())

    def _resized(self, image: "Image", size: tuple[int, int]) -> "Image":
        from PIL.Image import Resampling

        resampling = Resampling[self.resampling.upper()]
        height, width = size
        if self.resize is None:
            return image.resize((width, height), resampling)
        short, long = sorted(image.size)
        sides = {short: self.resize, long: int(self.resize * long / short)}
        image = image.resize((sides[image.width], sides[image.height]), resampling)
        left, top = round((image.width - width) / 2.0), round((image.height - height) / 2.0)
        return image.crop((left, top, left + width, top + height))

    def _normalised(self, values: Tensor) -> Tensor:
        mean, std = (torch.tensor(list(v))[:, None, None] for v in (self.mean, self.std))
        return (values - mean) / std


def read_picture(path: str | Path) -> "Image":
    """Read a picture completely; of an animated one the first frame.

    Args:
        path: The file.

    Returns:
        A PIL picture.

    Raises:
        FileError: It is missing, damaged, or no picture.
        MissingExtraError: Pillow is not installed.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("L", (3, 2)).save(f"{folder}/a.png")
        ...     read_picture(f"{folder}/a.png").size
        (3, 2)
    """
    with needs("plot", "pictures"):
        from PIL import Image
    try:
        with Image.open(path) as image:
            image.load()
            return image.copy()
    except Image.DecompressionBombError as error:
        reason = f"has more pixels than PIL.Image.MAX_IMAGE_PIXELS ({Image.MAX_IMAGE_PIXELS:,})"
        raise _unreadable(path, reason) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else first_line(error)
        raise _unreadable(path, reason.replace(str(path), "the file")) from error


def _unreadable(path: object, reason: str) -> FileError:
    allowed = f"a complete picture: {', '.join(PICTURE_SUFFIXES)}"
    return FileError(f"the picture {path} cannot be read: {reason}", allowed, "save it again")


def _as_image(picture: Any) -> "Image":
    with needs("plot", "pictures"):
        from PIL import Image
    if isinstance(picture, (str, Path)):
        return read_picture(picture)
    if isinstance(picture, Image.Image):
        return picture
    if isinstance(picture, np.ndarray):
        return Image.fromarray(_bytes_of(picture))
    raise InputError(
        f"a picture of type {type(picture).__name__}",
        "a path, a PIL picture, or an array (height, width) or (height, width, channels)",
        "give the path of a picture; a tensor goes to the model as it is",
    )


def _bytes_of(array: NDArray[Any]) -> NDArray[np.uint8]:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] != 3):
        given = f"a picture as an array of shape {array.shape}"
        todo = "write array.transpose(1, 2, 0)" if array.shape[:1] in ((1,), (3,)) else "convert it"
        raise InputError(given, "(height, width) or (height, width, 3)", todo)
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind != "f" or not (array.min() >= 0 and array.max() <= 1):
        given = f"a picture as an array of {array.dtype} from {array.min()} to {array.max()}"
        raise InputError(given, "uint8, or floats from 0 to 1", "write (array / 255)")
    rounded: NDArray[np.uint8] = (array * 255).round().astype(np.uint8)
    return rounded


def _in_channels(image: "Image", channels: int) -> "Image":
    """Convert any mode, palette and CMYK among them; 16 bits by their highest eight."""
    if image.mode.startswith("I;16"):
        from PIL import Image

        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        given = f"a picture with 32-bit values, of mode {image.mode}, whose white is not known"
        raise InputError(given, "8 or 16 bits", "convert it to 8 bits, with its own white as 255")
    return image if image.mode == _MODES[channels] else image.convert(_MODES[channels])
