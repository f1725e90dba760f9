"""Measures what drawing costs beside explaining: overlays of photographs as PNG files.

    python benchmarks/drawing.py [--pictures 32] [--rounds 5]

ResNet50 explains photographs of 224 x 224 by the preset that "auto" chooses. Each round explains
them and draws the explanation, so that a machine that slows down slows both. Needs the extras
bench and test.
"""

import statistics
import tempfile
import time
from pathlib import Path

import click
import torch
from architecture import declare_torchvision_operators
from torch import Tensor

import relprop

PANELS = ("overlay",)


def photographs(count: int) -> Tensor:
    """Cut parts out of the photographs that scikit-learn has; values as ResNet50 takes them."""
    import numpy as np
    from sklearn.datasets import load_sample_images

    images, rng = load_sample_images().images, np.random.default_rng(0)
    parts = []
    for i in range(count):
        y, x = rng.integers(0, (203, 416))
        parts.append(images[i % 2][y : y + 224, x : x + 224])
    pixels = torch.tensor(np.stack(parts)).movedim(-1, 1) / 255
    mean, std = torch.tensor([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]])
    return (pixels - mean[:, None, None]) / std[:, None, None]


def seconds(act) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


@click.command()
@click.option("--pictures", default=32, show_default=True)
@click.option("--rounds", default=5, show_default=True)
def main(pictures: int, rounds: int) -> None:
    """Print the ratio of drawing to explaining, round by round, and their median."""
    declare_torchvision_operators()
    from torchvision.models import resnet50

    torch.manual_seed(0)
    x = photographs(pictures)
    explainer = relprop.Explainer(resnet50().eval())
    e = explainer(x)
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        for place in range(rounds):
            out = Path(folder) / str(place)
            explaining = seconds(lambda: explainer(x))
            drawing = seconds(lambda out=out: e.save_images(out, panels=PANELS))
            ratios.append(drawing / explaining)
            print(f"explaining {explaining:.2f} s, drawing {drawing:.2f} s: {ratios[-1]:.3f}")
    print(f"median ratio {statistics.median(ratios):.3f} for {pictures} pictures")


if __name__ == "__main__":
    main()
