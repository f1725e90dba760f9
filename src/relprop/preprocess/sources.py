"""Reads what a library's model does to pictures: size, crop, mean, standard deviation.

Takes objects of timm, torchvision and transformers. Gives `Pictures`. Imports none of them but
timm, whose models keep only a part of it.
"""

import math
from collections.abc import Mapping
from typing import Any

from ..errors import InputError
from ..support.extras import needs_library
from .pictures import RESAMPLING, Pictures


def from_timm(model: Any) -> Pictures:
    """Read the preprocessing of a timm model, as it was evaluated.

    Args:
        model: A model of `timm.create_model`.

    Returns:
        The preprocessing, to be called with pictures.

    Raises:
        InputError: It crops in another way than from the middle.

    Example:
        >>> model = timm.create_model("resnet18")  # doctest: +SKIP
        >>> x = from_timm(model)(["cat.jpg", "dog.jpg"])  # doctest: +SKIP
    """
    with needs_library("timm", "timm's models"):
        from timm.data import resolve_model_data_config

    config = resolve_model_data_config(model)
    if config["crop_mode"] != "center":
        given = f'crop mode "{config["crop_mode"]}"'
        raise InputError(given, '"center"', "make the tensors by timm.data.create_transform")
    _, height, width = config["input_size"]
    return Pictures(
        size=(height, width),
        mean=tuple(config["mean"]),
        std=tuple(config["std"]),
        resize=math.floor(min(height, width) / config["crop_pct"]),
        resampling=_resampling(config["interpolation"]),
    )


def from_torchvision(weights: Any) -> Pictures:
    """Read the preprocessing of torchvision's weights.

    Args:
        weights: An entry of a weights enum, such as
            `torchvision.models.ResNet18_Weights.DEFAULT`.

    Returns:
        The preprocessing, to be called with pictures.

    Raises:
        InputError: They are not for the classification of pictures.

    Example:
        >>> weights = torchvision.models.ResNet18_Weights.DEFAULT  # doctest: +SKIP
        >>> x = from_torchvision(weights)("cat.jpg")  # doctest: +SKIP
    """
    transform = weights.transforms()
    if not all(hasattr(transform, name) for name in ("crop_size", "resize_size", "mean", "std")):
        given = f"weights with the transform {type(transform).__name__}"
        allowed = "weights for the classification of pictures"
        raise InputError(given, allowed, "write relprop.preprocess.Pictures(size, mean, std)")
    (crop,), (resize,) = transform.crop_size, transform.resize_size
    return Pictures(
        size=(crop, crop),
        mean=tuple(transform.mean),
        std=tuple(transform.std),
        resize=resize,
        resampling=_resampling(transform.interpolation.value),
    )


def from_transformers(processor: Any) -> Pictures:
    """Read the preprocessing of a Hugging Face image processor.

    Args:
        processor: Of `transformers.AutoImageProcessor.from_pretrained`.

    Returns:
        The preprocessing, to be called with pictures.

    Raises:
        InputError: It does something else than resize, crop the middle and normalise.

    Example:
        >>> processor = AutoImageProcessor.from_pretrained("folder")  # doctest: +SKIP
        >>> x = from_transformers(processor)("cat.jpg")  # doctest: +SKIP
    """
    resized = _sides(processor.size) if getattr(processor, "do_resize", False) else None
    crop = _sides(processor.crop_size) if getattr(processor, "do_center_crop", False) else None
    if (isinstance(resized, int) and crop is None) or isinstance(crop, int):
        given = f"an image processor with size {dict(processor.size)} and without a crop"
        allowed = "height and width, or the shorter side and a crop of the middle"
        raise InputError(given, allowed, "write relprop.preprocess.Pictures(size, mean, std)")
    resampling = getattr(processor, "resample", None)
    names = {0: "nearest", 1: "lanczos", 2: "bilinear", 3: "bicubic"}  # PIL's numbers
    normalises = getattr(processor, "do_normalize", False)
    return Pictures(
        size=crop if isinstance(resized, int) else resized,
        mean=tuple(processor.image_mean) if normalises else (0.0, 0.0, 0.0),
        std=tuple(processor.image_std) if normalises else (1.0, 1.0, 1.0),
        resize=resized if isinstance(resized, int) else None,
        resampling=_resampling(names.get(int(2 if resampling is None else resampling), "")),
    )


def _sides(size: Mapping[str, int] | Any) -> int | tuple[int, int]:
    """Read height and width, or the shorter side alone."""
    shortest = size.get("shortest_edge") if hasattr(size, "get") else None
    return int(shortest) if shortest else (int(size["height"]), int(size["width"]))


def _resampling(name: str) -> str:
    if name not in RESAMPLING:
        given = f"the interpolation {name!r}"
        raise InputError(given, ", ".join(RESAMPLING), 'write Pictures(..., resampling="bilinear")')
    return name
