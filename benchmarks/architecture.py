"""An architecture to measure coverage on: how to build its model, and a batch for it.

Nothing is downloaded: weights are random, with a fixed seed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from plain import WORDS
from torch import Tensor, nn

Inputs = Tensor | tuple[Tensor, ...] | Mapping[str, Tensor]

LENGTH = 8  # words of a text


@dataclass(frozen=True)
class Architecture:
    """A model to build, with inputs for it: a tensor, or tensors by name, for a batch of two."""

    name: str
    make: Callable[[], nn.Module]
    inputs: Callable[[], Inputs]

    @property
    def library(self) -> str:
        """Return the package that it comes from."""
        return self.name.partition("/")[0]

    def build(self) -> tuple[nn.Module, Inputs]:
        """Build the model, in eval mode and without constant parameters, and a batch of two."""
        declare_torchvision_operators()
        torch.manual_seed(0)
        model, inputs = self.make().eval(), self.inputs()
        with torch.no_grad():
            roughen(model)
            settle(model, inputs)
        return model, inputs


def run(model: nn.Module, inputs: Inputs) -> Tensor:
    """Run the model; return its scores, (batch, classes)."""
    if isinstance(inputs, Mapping):
        output = model(**inputs)
    else:
        output = model(*inputs) if isinstance(inputs, tuple) else model(inputs)
    return getattr(output, "logits", output)


def roughen(model: nn.Module) -> None:
    """Add noise to parameters that start as constants: biases, norms, layer scales."""
    for parameter in model.parameters():
        if (parameter == parameter.reshape(-1)[0]).all():
            parameter.add_(0.1 * torch.randn_like(parameter))


def settle(model: nn.Module, inputs: Inputs) -> None:
    """Set running statistics near those of the inputs, so that signals neither die nor explode."""
    norms = [
        module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)
    ]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.train().momentum = 1.0
    if norms:
        run(model, more(inputs))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.eval().momentum = momentum
        variance = norm.running_var.mean().expand_as(norm.running_var)
        norm.running_mean.add_(0.1 * variance.sqrt() * torch.randn_like(variance))
        norm.running_var.copy_(variance * torch.empty_like(variance).uniform_(0.5, 1.5))


def more(inputs: Inputs) -> Inputs:
    """Add fourteen pictures: the statistics of two say next to nothing in a deep net."""
    if not isinstance(inputs, Tensor) or inputs.ndim != 4:
        return inputs
    return torch.cat([inputs, torch.randn(14, *inputs.shape[1:])])


LIBRARIES: list[torch.library.Library] = []  # declarations end with their object


def declare_torchvision_operators() -> None:
    """Let torchvision be imported beside a torch that it was not built for."""
    try:
        import torchvision  # noqa: F401
    except RuntimeError:
        LIBRARIES.append(torch.library.Library("torchvision", "DEF"))
        for name in ("nms", "qnms"):
            LIBRARIES[-1].define(f"{name}(Tensor dets, Tensor scores, float limit) -> Tensor")


# ---- inputs --------------------------------------------------------------------------------------


def picture(size: int) -> Tensor:
    """Draw two pictures of noise, (2, 3, size, size)."""
    return torch.randn(2, 3, size, size)


def words() -> Tensor:
    """Draw two texts without padding, (2, length)."""
    return torch.randint(3, WORDS, (2, LENGTH))


def vectors() -> Tensor:
    """Draw two sequences of feature vectors, (2, length, 32)."""
    return torch.randn(2, LENGTH, 32)


def nodes() -> Tensor:
    """Draw features of the nodes of two graphs, (2, nodes, 8)."""
    return torch.randn(2, 12, 8)


def text(*, segments: bool = False, end: int = 0) -> dict[str, Tensor]:
    """Draw two texts, the second shorter: token ids, mask and, if asked for, segments.

    Args:
        segments: Whether token type ids are returned, too.
        end: The id that ends a text; 0 for none.
    """
    mask = torch.ones(2, LENGTH, dtype=torch.long)
    mask[1, LENGTH - 3 :] = 0
    extra = {"token_type_ids": (torch.arange(LENGTH) >= 4).long().expand(2, -1).clone()}
    ids = words() * mask
    if end:
        ids[[0, 1], [LENGTH - 1, LENGTH - 4]] = end
    return {"input_ids": ids, "attention_mask": mask} | (extra if segments else {})
