"""One operation before a linear layer, in torch and in LXT's explicit operations.

LXT's own stabilisers are the default; `exact` removes them, as far as LXT allows.
x is (batch, TOKENS, WIDTH).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import lxt.explicit.functional as lxt
import torch
from lxt.explicit.rules import identity
from parity_networks import CLASSES, ModelAndInput, draw
from torch import Tensor, nn
from torch.nn import functional

TOKENS, WIDTH = 6, 8
SCALE = WIDTH**-0.5


class Unit(nn.Module):
    """An operation, and a linear layer after it."""

    def __init__(self, unit: "Operation", exact: bool) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.w, self.b = (nn.Parameter(draw((WIDTH,), generator)) for _ in "wb")
        self.matrix = nn.Parameter(draw((3, WIDTH, WIDTH), generator) * SCALE)
        self.unit, self.epsilon = unit, (0.0 if exact else None)
        size = unit.torch(self, draw((1, TOKENS, WIDTH), generator)).numel()
        self.head = nn.Linear(size, CLASSES, dtype=torch.float64)
        with torch.no_grad():
            self.head.weight.copy_(draw((CLASSES, size), generator) * size**-0.5)
            self.head.bias.copy_(draw((CLASSES,), generator))

    def forward(self, x: Tensor) -> Tensor:
        """Map (batch, TOKENS, WIDTH) to (batch, CLASSES)."""
        return self.head(self.unit.torch(self, x).flatten(1))

    def explicit(self, x: Tensor) -> Tensor:
        """Compute the same in LXT's operations."""
        y = self.unit.explicit(self, x).flatten(1)
        return lxt.linear_epsilon(y, self.head.weight, self.head.bias, self.size(1e-6))

    def size(self, default: float) -> float:
        """Return LXT's epsilon."""
        return default if self.epsilon is None else self.epsilon


@dataclass(frozen=True)
class Operation:
    """An operation in torch, and in LXT."""

    torch: Callable[[Unit, Tensor], Tensor]
    explicit: Callable[[Unit, Tensor], Tensor]


def halves(x: Tensor) -> tuple[Tensor, Tensor]:
    """Split the first half of the tokens from the others."""
    return x[:, : TOKENS // 2], x[:, TOKENS // 2 :]


def multiply(net: Unit, a: Tensor, b: Tensor) -> Tensor:
    """Compute LXT's matrix product."""
    return lxt.matmul(a, b, False, net.size(1e-8))


def project(net: Unit, x: Tensor, k: int) -> Tensor:
    """Compute LXT's linear layer."""
    return lxt.linear_epsilon(x, net.matrix[k], None, net.size(1e-6))


def layer_norm(net: Unit, x: Tensor) -> Tensor:
    """Compute LXT's layer norm; its public function does not pass its epsilon on."""
    return lxt.layer_norm_grad_fn.apply(x, net.w, net.b, 1e-5, net.size(1e-6))


def attend(net: Unit, x: Tensor) -> Tensor:
    """Compute attention of one head, by matrix products and a softmax."""
    q, k, v = (functional.linear(x, m) for m in net.matrix)
    return functional.softmax(q @ k.transpose(1, 2) * SCALE, -1) @ v


def attend_fused(net: Unit, x: Tensor) -> Tensor:
    """Compute the same by torch's single operation."""
    return functional.scaled_dot_product_attention(*(functional.linear(x, m) for m in net.matrix))


def attend_lxt(net: Unit, x: Tensor) -> Tensor:
    """Compute the same in LXT's operations."""
    q, k, v = (project(net, x, i) for i in range(3))
    scores = lxt.mul2(multiply(net, q, k.transpose(1, 2)), SCALE)
    return multiply(net, lxt.softmax(scores, -1), v)


def gated(net: Unit, x: Tensor) -> Tensor:
    """Compute a gated MLP, as in Llama."""
    return functional.silu(functional.linear(x, net.matrix[0])) * functional.linear(
        x, net.matrix[1]
    )


def gated_lxt(net: Unit, x: Tensor) -> Tensor:
    """Compute the same in LXT's operations."""
    return lxt.mul2(identity(functional.silu, project(net, x, 0)), project(net, x, 1))


OPERATIONS: dict[str, Operation] = {
    "linear, epsilon": Operation(
        lambda net, x: functional.linear(x, net.matrix[0]), lambda net, x: project(net, x, 0)
    ),
    "sum of two": Operation(
        lambda net, x: torch.add(*halves(x)),
        lambda net, x: lxt.add2(*halves(x), False, net.size(1e-8)),
    ),
    "product, entry by entry": Operation(
        lambda net, x: torch.mul(*halves(x)), lambda net, x: lxt.mul2(*halves(x))
    ),
    "matrix product": Operation(
        lambda net, x: x @ x.transpose(1, 2), lambda net, x: multiply(net, x, x.transpose(1, 2))
    ),
    "softmax": Operation(
        lambda net, x: functional.softmax(x, -1), lambda net, x: lxt.softmax(x, -1)
    ),
    "layer norm": Operation(
        lambda net, x: functional.layer_norm(x, (WIDTH,), net.w, net.b, 1e-5), layer_norm
    ),
    "RMS norm": Operation(
        lambda net, x: functional.rms_norm(x, (WIDTH,), net.w, 1e-6),
        lambda net, x: lxt.rms_norm_identity(x, net.w, 1e-6),
    ),
    "GELU": Operation(
        lambda net, x: functional.gelu(x), lambda net, x: identity(functional.gelu, x)
    ),
    "attention": Operation(attend, attend_lxt),
    "attention, fused": Operation(attend_fused, attend_lxt),
    "gated MLP": Operation(gated, gated_lxt),
}


def build(name: str, exact: bool) -> ModelAndInput:
    """Build a unit by name, and draw its input."""
    x = draw((3, TOKENS, WIDTH), torch.Generator().manual_seed(1))
    return Unit(OPERATIONS[name], exact).eval(), x


BUILDERS = {
    f"{name}, {kind}": partial(build, name, exact)
    for name in OPERATIONS
    for kind, exact in (("exact", True), ("as shipped", False))
}
