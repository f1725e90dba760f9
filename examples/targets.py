"""One digit, explained for three classes and for the difference of two, on one scale.

python examples/targets.py [FOLDER]    # writes targets.png
"""

import sys
from pathlib import Path

from matplotlib.figure import Figure

import relprop
from relprop.data import packaged_digits

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
digits = packaged_digits()
three = digits.images[[int((digits.labels == 3).nonzero()[4])]]

explainer = relprop.Explainer(relprop.load_model("mnist-cnn"), "epsilon-plus")
targets = [relprop.at(3), relprop.at(5), relprop.at(8), (3, 5)]
maps = explainer(three, target=targets).relevance[0, :, 0]  # (targets, 28, 28)

figure = Figure(figsize=(10, 2.4), dpi=90, layout="constrained")
axes = figure.subplots(1, 1 + len(targets))
axes[0].imshow(three[0, 0].numpy(), cmap="gray")
limit = float(maps.abs().max())
for ax, shown in zip(axes[1:], maps, strict=True):
    image = ax.imshow(shown.numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit)
figure.colorbar(image, ax=axes, shrink=0.8)
for ax, title in zip(axes, ("input", "3", "5", "8", "3 against 5"), strict=True):
    ax.set_title(title)
    ax.set(xticks=[], yticks=[])
figure.savefig(folder / "targets.png")
