"""Rows of a table: which measurements of a wine speak for its kind.

python examples/table.py [FOLDER]    # writes table.png
"""

import sys
from pathlib import Path

import torch
from sklearn.datasets import load_wine
from torch import nn

import relprop

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
wine = load_wine(as_frame=True)  # 178 wines of three kinds, 13 measurements
frame = (wine.data - wine.data.mean()) / wine.data.std()
x, labels = torch.tensor(frame.to_numpy()).float(), torch.tensor(wine.target.to_numpy())

torch.manual_seed(0)
shown = torch.arange(len(x)) % 5 == 0  # 36 wines that it does not learn from
model = nn.Sequential(nn.Linear(13, 16), nn.ReLU(), nn.Linear(16, 3))
optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(100):
    optimiser.zero_grad()
    nn.functional.cross_entropy(model(x[~shown]), labels[~shown]).backward()
    optimiser.step()
model.eval()

e = relprop.explain(model, x[shown])
print(f"{(e.prediction == labels[shown]).float().mean():.1%} of 36 wines are classified correctly")
kinds = ["kind 0", "kind 1", "kind 2"]
figure = e.plot([0, 20], feature_names=list(frame.columns), features=8, class_names=kinds)
figure.savefig(folder / "table.png")
