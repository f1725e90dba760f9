"""Refuses models in train mode: what they compute changes from call to call."""

from collections.abc import Container, Iterable

from torch import nn

from ..errors import PlanError
from ..graph.ir import Node, Ref

# What the names of torch's operations that draw random numbers have in common.
RANDOM = ("dropout", "bernoulli", "rand", "normal_", "multinomial", "uniform", "with_noise")


def refuse_train_mode(nodes: Iterable[Node], dependent: Container[str]) -> None:
    """Random numbers and the batch's own statistics have no place in an explanation."""
    for node in nodes:
        normalises = node.operation.startswith("_native_batch_norm_legit")
        batch_statistics = normalises and node.name in dependent
        if batch_statistics or _draws(node):
            what = "the batch's own statistics" if batch_statistics else "random numbers"
            why, todo = _why_not_fixed(node, batch_statistics)
            raise PlanError(
                f"{node.where} uses {what}: {why}",
                "a model in eval mode, whose output for a sample is always the same",
                todo,
            )


def _why_not_fixed(node: Node, batch_statistics: bool) -> tuple[str, str]:
    """Of torch's own layers it is the mode; what a forward calls may do so in eval mode too."""
    if batch_statistics and not any(isinstance(arg, Ref) for arg in node.args[3:5]):
        return "it has no running ones, in eval mode either", "write track_running_stats=True"
    if hasattr(nn, node.type):
        return "the model is in train mode", "call model.eval() before"
    return (
        "the model is in train mode, or this is written to do so in eval mode too",
        "call model.eval() before; if it was, take this out of forward, "
        "or write training=self.training",
    )


def _draws(node: Node) -> bool:
    """Whether an operation draws random numbers, as dropout inside it does."""
    if node.operation == "scaled_dot_product_attention":
        return any(node.args[4:5])
    if node.operation in ("lstm", "gru", "rnn_tanh", "rnn_relu"):
        return bool(node.args[6]) and node.args[5] > 0
    if node.operation == "rrelu":
        return any(node.args[3:4])
    return node.operation == "normal" or any(word in node.operation for word in RANDOM)
