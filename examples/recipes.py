"""The same digits under several recipes, each map on its own scale.

python examples/recipes.py [FOLDER]    # writes recipes.png
"""

import sys
from pathlib import Path

from matplotlib.figure import Figure

import relprop
from relprop.data import packaged_digits

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
digits = packaged_digits()
places = [int((digits.labels == digit).nonzero()[5]) for digit in (2, 5, 9)]
x = digits.images[places]

explainer = relprop.Explainer(relprop.load_model("mnist-cnn"))
preset = relprop.Recipe.preset
recipes = {
    "zero": preset("zero"),
    "epsilon,\n0.1 relative": preset("epsilon", epsilon=0.1, relative=True),
    "gamma": preset("gamma"),
    "alpha-beta": preset("alpha-beta"),
    "epsilon-plus": preset("epsilon-plus"),
    "epsilon-plus-flat\n(auto)": preset("epsilon-plus-flat"),
    "epsilon-gamma-box": preset("epsilon-gamma-box", low=0.0, high=1.0),
}

figure = Figure(figsize=(10, 4.4), dpi=90, layout="constrained")
axes = figure.subplots(len(x), 1 + len(recipes))
for row, image in zip(axes, x, strict=True):
    row[0].imshow(image[0].numpy(), cmap="gray")
for column, (name, recipe) in enumerate(recipes.items(), start=1):
    axes[0, column].set_title(name, fontsize=8)
    for row, relevance in zip(axes, explainer.with_recipe(recipe)(x).relevance, strict=True):
        limit = float(relevance.abs().max())
        row[column].imshow(relevance[0].numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit)
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
figure.savefig(folder / "recipes.png")
