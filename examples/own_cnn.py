"""A small CNN for colour pictures, trained here: which of two photographs is this a piece of?

It learns from pieces of the left halves, and is explained on pieces of the right halves.

python examples/own_cnn.py [FOLDER]    # writes own_cnn.png
"""

import sys
from pathlib import Path

import torch
from sklearn.datasets import load_sample_image
from torch import nn

import relprop

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
names = ["china.jpg", "flower.jpg"]  # photographs that scikit-learn contains
photographs = [
    torch.tensor(load_sample_image(name) / 255).permute(2, 0, 1).float() for name in names
]


def pieces(count: int, half: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Cut out pieces of 48 x 48 pixels, of both photographs in turn."""
    labels = torch.arange(count) % 2
    left = torch.randint(0, 256, (count,)) + (0 if half == "left" else 320)
    top = torch.randint(0, 363, (count,))
    cut = [
        photographs[k][:, y : y + 48, x : x + 48]
        for k, y, x in zip(labels.tolist(), top.tolist(), left.tolist(), strict=True)
    ]
    return torch.stack(cut), labels


torch.manual_seed(0)
model = nn.Sequential(
    *(nn.Conv2d(3, 8, 5), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.ReLU(), nn.AvgPool2d(2)),
    *(nn.Conv2d(16, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 2)),
)
optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(40):
    x, labels = pieces(32, "left")
    optimiser.zero_grad()
    nn.functional.cross_entropy(model(x), labels).backward()
    optimiser.step()
model.eval()

x, labels = pieces(200, "right")
accuracy = (model(x).argmax(1) == labels).float().mean()
print(f"{accuracy:.1%} of 200 pieces of the right halves are classified correctly")
recipe = relprop.Recipe.preset("epsilon-gamma-box", low=0.0, high=1.0)
e = relprop.explain(model, x[:16], recipe, target=labels[:16])
figure = e.plot([4, 1], class_names=names, bounds=(0, 1))
figure.savefig(folder / "own_cnn.png", dpi=60)
