"""Conditional relevance: what passes a single channel, of the channels that matter most.

python examples/conditions.py [FOLDER]    # writes conditions.png
"""

import sys
from pathlib import Path

from matplotlib.figure import Figure

import relprop
from relprop.data import packaged_digits

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
digits = packaged_digits()
x = digits.images[[int((digits.labels == 8).nonzero()[3])]]
explainer = relprop.Explainer(relprop.load_model("mnist-cnn"), "epsilon-plus")

e = explainer(x, layers=["7"])  # the last convolution
channels = e.layers["7"][0].sum((1, 2))  # relevance of each of its 64 channels
strongest = channels.topk(5).indices.tolist()
maps = {"input": x[0, 0], "all channels": e.relevance[0, 0]}
for channel in strongest:
    through = explainer(x, conditions={"7": channel}).relevance[0, 0]
    maps[f"channel {channel}: {channels[channel] / channels.sum():.0%}"] = through

figure = Figure(figsize=(10, 1.8), dpi=90, layout="constrained")
for ax, (title, shown) in zip(figure.subplots(1, len(maps)), maps.items(), strict=True):
    limit = float(shown.abs().max())
    gray = title == "input"
    ax.imshow(
        shown.numpy(), cmap="gray" if gray else "RdBu_r", vmin=0 if gray else -limit, vmax=limit
    )
    ax.set_title(title, fontsize=8)
    ax.set(xticks=[], yticks=[])
figure.savefig(folder / "conditions.png")
