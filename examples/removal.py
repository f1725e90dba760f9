"""Removal curves: how the probability falls as the pixels that an explanation names go.

python examples/removal.py [FOLDER]    # writes removal.png
"""

import sys
from pathlib import Path

import torch

import relprop
from relprop.data import packaged_digits

folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".")
model = relprop.load_model("mnist-cnn")
x = packaged_digits().images[::125]  # 40 digits


def gradient_times_input(model, x, target):
    x = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(x).gather(1, target[:, None]).sum(), x)
    return gradient * x.detach()


methods = {
    "epsilon-plus-flat": relprop.explain(model, x).relevance,
    "gradient x input": gradient_times_input,
    "brightness, without the network": x,
}
steps = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
curves = relprop.evaluate.removal_curves(model, x, methods, fill="neighbours", steps=steps)
for name, curve in curves.items():
    print(name, curve.srg.mean())
relprop.evaluate.plot_curves(curves).savefig(folder / "removal.png", dpi=70)
