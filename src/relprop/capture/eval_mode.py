"""Refuses graphs that give another result from call to call, as those of models in train mode."""

from collections.abc import Container

from torch import nn

from ..errors import PlanError
from ..graph.ir import Graph, Node, Ref

# Parts of the names of torch's operations that draw random numbers.
_RANDOM = ("dropout", "bernoulli", "rand", "normal_", "multinomial", "uniform", "with_noise")
# Layers of torch.nn that draw random numbers in eval mode: the regions of a pooling.
_RANDOM_LAYERS = ("FractionalMaxPool2d", "FractionalMaxPool3d")


def refuse_train_mode(graph: Graph, dependent: Container[str], model: nn.Module) -> None:
    """Refuse random numbers and the batch's own statistics.

    Args:
        graph: The operations of `model`.
        dependent: Names of the values that depend on the input.
        model: Says whether the module that runs an operation is in train mode.

    Raises:
        PlanError: For the first operation that uses one of them.
    """
    for node in graph.nodes:
        normalises = node.operation.startswith("_native_batch_norm_legit")
        batch_statistics = normalises and node.name in dependent
        if batch_statistics or _draws(node):
            what = "the batch's own statistics" if batch_statistics else "random numbers"
            why, todo = _reason(node, batch_statistics, model, graph)
            raise PlanError(
                f"{node.where} uses {what}: {why}",
                "a model in eval mode, whose output for a sample is always the same",
                todo,
            )


def _reason(node: Node, batch_statistics: bool, model: nn.Module, graph: Graph) -> tuple[str, str]:
    """Say why a node's result changes from call to call, and what to do about it."""
    if batch_statistics and not any(isinstance(arg, Ref) for arg in node.args[3:5]):
        return "it has no running ones, in eval mode either", "write track_running_stats=True"
    modules = dict(model.named_modules(remove_duplicate=False))
    if modules.get(node.module, model).training:
        return "the model is in train mode", "call model.eval() before"
    if node.base in _RANDOM_LAYERS:
        return f"torch.nn.{node.base} does so in eval mode, too", _without_regions(node, graph)
    return (
        "it is written to do so in eval mode too",
        "take this out of forward, or write training=self.training",
    )


def _without_regions(node: Node, graph: Graph) -> str:
    """Write the line that puts a pooling of the same output size in the place of a random one."""
    pools = (n for n in graph.nodes if n.module == node.module and "max_pool" in n.operation)
    dims = int(node.base[-2])
    sizes = next((n.shape[-dims:] for n in pools), ())
    layer = f"torch.nn.AdaptiveMaxPool{dims}d({sizes})"
    return f'write model.set_submodule("{node.module}", {layer})'


def _draws(node: Node) -> bool:
    """Whether an operation draws random numbers, or has dropout inside that does."""
    if node.operation == "scaled_dot_product_attention":
        return any(node.args[4:5])
    if node.operation in ("lstm", "gru", "rnn_tanh", "rnn_relu"):
        return bool(node.args[6]) and node.args[5] > 0
    if node.operation == "rrelu":
        return any(node.args[3:4])
    return node.operation == "normal" or any(word in node.operation for word in _RANDOM)
