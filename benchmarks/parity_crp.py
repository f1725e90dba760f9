"""Conditional relevance of zennit-crp, which needs an old Zennit: in an environment of its own.

    make .venv/crp/ready

`by_crp` gives the networks to this file, run as a program by that environment's Python.
"""

import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from parity_networks import BUILDERS
from parity_peers import Method
from torch import Tensor, nn

Channels = Mapping[str, Sequence[int]]
VERSION = "from importlib.metadata import version; print(version('zennit-crp'))"


def crp_version(python: str) -> str:
    """Ask the Python of an environment which zennit-crp it has."""
    asked = subprocess.run([python, "-c", VERSION], check=True, capture_output=True, text=True)
    return asked.stdout.strip()


def by_crp(python: str, network: str, conditions: Channels, exclude: bool) -> Method:
    """Return the method that explains a network under conditions, by epsilon at every layer.

    Args:
        python: The Python of an environment with zennit-crp.
        network: A name of `BUILDERS`.
        conditions: Module -> channels; modules from the output to the input.
        exclude: Leave out what is parallel to the modules.
    """

    def explain(model: nn.Module, x: Tensor, classes: Tensor) -> Tensor:
        request = (network, x, classes, dict(conditions), exclude)
        with tempfile.TemporaryDirectory() as folder:
            given, result = Path(folder, "given.pt"), Path(folder, "result.pt")
            torch.save(request, given)
            subprocess.run([python, __file__, given, result], check=True)
            return torch.load(result)

    return explain


def exact_sum(dtype: torch.dtype) -> object:
    """Return Zennit's rule for sums, with the smallest positive stabiliser instead of 1e-6."""
    from zennit.core import BasicHook

    tiny = torch.finfo(dtype).tiny
    return BasicHook(
        input_modifiers=[lambda x: x],
        param_modifiers=[None],
        output_modifiers=[lambda z: z],
        gradient_mapper=lambda r, z: r / (z[0] + torch.where(z[0] < 0, -tiny, tiny)),
        reducer=lambda x, c: x[0] * c[0],
        param_keys=[],
    )


def explain_here(
    network: str, x: Tensor, classes: Tensor, conditions: dict[str, list[int]], exclude: bool
) -> Tensor:
    """Explain with zennit-crp, in its own environment."""
    from crp.attribution import CondAttribution
    from zennit.composites import LAYER_MAP_BASE, LayerMapComposite
    from zennit.layer import Sum
    from zennit.rules import Epsilon
    from zennit.torchvision import ResNetCanonizer
    from zennit.types import Linear

    model = BUILDERS[network]()[0].to(x.dtype)
    rules = [(Sum, exact_sum(x.dtype)), *LAYER_MAP_BASE, (Linear, Epsilon())]
    maps = []
    for sample, label in zip(x, classes.tolist(), strict=True):
        leaf = sample[None].clone().requires_grad_()
        composite = LayerMapComposite(rules, canonizers=[ResNetCanonizer()])
        condition = [{**conditions, "y": [label]}]
        CondAttribution(model)(leaf, condition, composite, exclude_parallel=exclude)
        maps.append(leaf.grad)
    return torch.cat(maps)


if __name__ == "__main__":
    torch.save(explain_here(*torch.load(sys.argv[1])), sys.argv[2])
