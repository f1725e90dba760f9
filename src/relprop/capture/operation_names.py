"""Names of the operations of an exported program, and which give memory of their own.

Takes nodes of torch.fx.
"""

from torch.fx import Node

from ..support import torch_private

# Their results have memory of their own, whatever the arguments. Composite operations do not say
# so by their signature.
_NAMES = """
conv1d conv2d conv3d conv_transpose2d.input linear batch_norm layer_norm group_norm relu hardtanh
silu hardswish hardsigmoid sigmoid tanh gelu elu leaky_relu add.Tensor sub.Tensor mul.Tensor
div.Tensor cat max_pool2d avg_pool2d adaptive_avg_pool2d mean.dim softmax.int bmm flip
masked_fill.Scalar masked_fill.Tensor
"""
_NEW_MEMORY = frozenset(_NAMES.split())


def has_own_memory(node: Node) -> bool:
    """Tell whether a node gives memory that it shares with none of its arguments."""
    if aten_name(node) in _NEW_MEMORY:
        return True
    target = node.target
    if torch_private.operation_name(target) is None:
        return False
    return not (torch_private.is_composite(target) or torch_private.gives_view(target))


def aten_name(node: Node) -> str:
    """Return a name such as "relu" or "add.Tensor"; "" for what is none of torch's operations."""
    name = torch_private.operation_name(node.target)
    if name is None or name.namespace != "aten":
        return ""
    return name.name if name.overload == "default" else f"{name.name}.{name.overload}"


def writes_own(node: Node) -> bool:
    """Tell whether a node writes what an operation that gives new memory would return."""
    return functional_name(aten_name(node)) in _NEW_MEMORY


def functional_name(name: str) -> str:
    """Return "relu" for "relu_", and "add.Tensor" for "add_.Tensor"; "" for names without "_"."""
    base, dot, overload = name.partition(".")
    return base.removesuffix("_") + dot + overload if base.endswith("_") else ""
