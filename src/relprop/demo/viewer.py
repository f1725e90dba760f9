"""What the page's script shows: grey values, relevance, removed pixels and words, by digit.

Takes a DemoResult. Gives plain values for JSON. Must not know HTML.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ..plot.colours import relevance_colours
from .examples import Example
from .pictures import Picture, largest, map_picture, outline, pictures_of
from .removal import DEMO_FILLS
from .run import DemoResult

RELEVANCE_STEPS = 1000  # of relevance between zero and the largest |relevance|: three digits
RAMP_COLOURS = 101  # of the scale
NETWORK_DIGITS = 5  # digits whose maps of each network the page shows


def viewer_data(demo: DemoResult) -> dict[str, Any]:
    """Collect what the script draws and says."""
    ramp = relevance_colours(torch.linspace(-1, 1, RAMP_COLOURS)[None], 1.0)[0, :, :3]
    first = demo.examples[0].pixels if demo.examples else torch.empty(0, 0)
    return {
        "side": first.shape[-1],
        "steps": RELEVANCE_STEPS,
        "rules": list(demo.table.relevance),
        "greys": {fill: round(255 * grey) for fill, grey in demo.table.greys.items()},
        "ramp": ramp.tolist(),
        "digits": [
            _digit(demo, example, with_networks=i < NETWORK_DIGITS)
            for i, example in enumerate(demo.examples)
        ],
    }


def scale_colours(count: int = 21) -> list[str]:
    """List colours of the maps' scale as #rrggbb, from against the class to for it."""
    ramp = relevance_colours(torch.linspace(-1, 1, count)[None], 1.0)[0]
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue, _ in ramp.tolist()]


def outline_path(example: Example) -> str:
    """Write the outline of a digit as the path of an SVG."""
    edges = (f"M{x0} {y0}L{x1} {y1}" for x0, y0, x1, y1 in outline(example.pixels))
    return "".join(edges)


def network_maps(example: Example) -> tuple[Picture, ...]:
    """Show relevance of each network, by the main recipe, for the class that it predicts."""
    return tuple(
        map_picture(example, relevance, name, example.predicted[name])
        for name, relevance in example.by_network.items()
    )


def _digit(demo: DemoResult, example: Example, *, with_networks: bool) -> dict[str, Any]:
    pictures = [
        picture
        for recipe in example.by_recipe
        for fill in DEMO_FILLS
        for picture in pictures_of(example, recipe, fill, demo.table.greys)
    ]
    maps = {f"map {recipe}": relevance for recipe, relevance in example.by_recipe.items()}
    if with_networks:
        maps |= {f"map {name}": relevance for name, relevance in example.by_network.items()}
    return {
        "label": example.label,
        "pixels": (255 * example.pixels.flatten()).round().int().tolist(),
        "outline": outline_path(example),
        "removed": {order: list(pixels) for order, pixels in example.removed.items()},
        "maps": {name: _map(relevance) for name, relevance in maps.items()},
        "words": _words(pictures),
    }


def _map(relevance: Tensor) -> dict[str, Any]:
    limit = largest(relevance)
    whole = (relevance.flatten().double() / limit * RELEVANCE_STEPS).round().int().tolist()
    return {"limit": limit, "relevance": whole}


def _words(pictures: Sequence[Picture]) -> dict[str, Any]:
    """Collect caption, description and whether it is wrong, by the name of a picture."""
    return {
        picture.name: {"caption": picture.caption, "alt": picture.alt, "wrong": picture.wrong}
        for picture in pictures
    }
