"""Two noisy channels: which steps show the dip that the network has learned to find.

python examples/time_series.py [FOLDER]    # writes time_series.png
"""

import sys
from pathlib import Path

import torch
from torch import nn

import relprop

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")


def series(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Two channels of noise; those of class 1 have a dip in the second one."""
    labels = torch.arange(count) % 2
    place = torch.randint(15, 49, (count, 1))
    dip = 2 * torch.exp(-((torch.arange(64) - place) ** 2) / 18)
    x = 0.3 * torch.randn(count, 2, 64)
    x[:, 1] -= dip * labels[:, None]
    return x, labels


torch.manual_seed(0)
model = nn.Sequential(
    *(nn.Conv1d(2, 8, 9, padding=4), nn.ReLU(), nn.MaxPool1d(2)),
    *(nn.Conv1d(8, 8, 9, padding=4), nn.ReLU(), nn.AdaptiveMaxPool1d(1)),
    *(nn.Flatten(), nn.Linear(8, 2)),
)
optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(60):
    x, labels = series(32)
    optimiser.zero_grad()
    nn.functional.cross_entropy(model(x), labels).backward()
    optimiser.step()
model.eval()

x, labels = series(200)
e = relprop.explain(model, x, "epsilon-plus", target=labels)
print(f"{(e.prediction == labels).float().mean():.1%} of 200 series are classified correctly")
names = ["first", "second"]
e.plot(1, feature_names=names, class_names=["no dip", "dip"]).savefig(folder / "time_series.png")
