"""In-place operations are renamed: the graph is the one that run_decompositions gives."""

import operator
from dataclasses import fields
from typing import Any

import pytest
import torch
from helpers.networks import Applied, randomise, signed
from torch import nn
from torch.utils._pytree import tree_leaves
from zoo import ZOO

import relprop
from relprop.capture import operation_names
from relprop.capture.bound_model import BoundModel
from relprop.capture.export import export_any_batch
from relprop.capture.from_export import graph_from_export
from relprop.capture.functionalize import can_rename, functionalize
from relprop.capture.isolated_copy import isolated_copy
from relprop.capture.model import current_state
from relprop.explanation.check_inputs import check_inputs
from relprop.graph.ir import Graph, Ref
from relprop.support import torch_private
from relprop.support.quiet import silenced
from relprop.support.torch_messages import EXPORT_LOGGERS, EXPORT_WARNINGS


class WritesItsInput(nn.Module):
    def forward(self, x):
        return x.mul_(2) + 1


class Counts(nn.Module):
    """Writes into a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        self.seen.add_(1)
        return x * self.seen


class ScaledFlat(nn.Module):
    """Flattens a parameter, all of it."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(2, 3))

    def forward(self, x):
        return x * self.scale.flatten()


def exported(model, x) -> torch.export.ExportedProgram:
    bound = BoundModel(isolated_copy(model), check_inputs(model, x, None), None)
    with silenced(EXPORT_WARNINGS, EXPORT_LOGGERS), torch.enable_grad():
        return export_any_batch(bound)


def with_names(value: Any, names) -> Any:
    """Translate the names of values in arguments."""
    if isinstance(value, Ref):
        return Ref(names.get(value.name, value.name))
    if isinstance(value, (list, tuple)):
        return type(value)(with_names(item, names) for item in value)
    if isinstance(value, dict):
        return {key: with_names(item, names) for key, item in value.items()}
    return value


def assert_same(graph: Graph, expected: Graph) -> None:
    """Compare nodes in order, whatever their values are called."""
    assert len(graph.nodes) == len(expected.nodes)
    names = {a.name: b.name for a, b in zip(graph.nodes, expected.nodes, strict=True)}
    for node, other in zip(graph.nodes, expected.nodes, strict=True):
        for field in fields(node):
            if field.name != "name":
                got = with_names(getattr(node, field.name), names)
                assert got == getattr(other, field.name), (node.name, field.name)
    for what in ("inputs", "explained", "tokens", "state"):
        assert getattr(graph, what) == getattr(expected, what)
    assert with_names(Ref(graph.output), names) == Ref(expected.output)


def compare(model, x) -> None:
    """Compare the graphs of both ways, and their outputs."""
    program, inputs = exported(model, x), check_inputs(model, x, None)
    expected = graph_from_export(program.run_decompositions({}), model, inputs, any_batch=True)
    assert can_rename(program.graph)
    renamed = functionalize(program)
    assert renamed is program
    graph = graph_from_export(renamed, model, inputs, any_batch=True)
    assert_same(graph, expected)
    state = current_state(model, graph)
    assert graph.run(inputs.tensors, state).equal(expected.run(inputs.tensors, state))
    torch.testing.assert_close(graph.run(inputs.tensors, state), model(x.clone()).detach())


ALIKE = (
    *("torchvision/resnet18", "torchvision/squeezenet1_1", "torchvision/vgg11"),
    *("torchvision/alexnet", "torchvision/mobilenet_v2"),
)


@pytest.mark.parametrize("name", ALIKE)
def test_an_architecture_reads_as_it_does_the_other_way(name):
    compare(*ZOO[name].build())


WRITES = {
    "twice": lambda h: h.relu_().add_(1.0),
    "of itself": lambda h: h.mul_(h.sigmoid()),
    "of what was before": lambda h: (h + 1).add_(h).relu_() * h,
    "a scaled sum": lambda h: h.relu_() + (2 * h).add_(h, alpha=0.5),
    "shared afterwards": lambda h: (h.relu_() + 1).unsqueeze(1).transpose(1, 2).flatten(1),
    "whole numbers": lambda h: h * (2 * torch.arange(4)).add_(1),
    "masked": lambda h: (h + 1).masked_fill_(torch.arange(4) > 2, 0.5) * h,
    "mirrored": lambda h: h.flip(1).relu_() + h,
    "dropped out": lambda h: nn.functional.dropout(h.relu_(), training=False) + 1,
}


@pytest.mark.parametrize("name", WRITES)
def test_what_writes_is_renamed(name):
    compare(randomise(Applied(WRITES[name])).double(), torch.randn(3, 6).double())


def written(view):
    """A function that writes into a value by another name."""

    def function(h):
        other = view(h)
        other.relu_()
        return h + 1

    return function


def read_by_another_name(h):
    other = h.transpose(0, 1)
    h.relu_()
    return other.transpose(0, 1)


def fixed(h):
    return h.add_(torch.ones(4).double())


def batch_norm(h):
    return nn.functional.batch_norm(h, None, None, training=True)


@torch.no_grad()
def no_grad_twice(h):
    return 2 * h


def without_autocast(h):
    with torch.autocast("cpu", enabled=False):
        return h.cos(), h.sin()


@torch.no_grad()
def without_autocast_or_grad(h):
    cos, sin = without_autocast(h + 1)
    return cos * sin


def with_autocast(h):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return h @ h.T


# Renamed, with other nodes than torch's way has: copies that change nothing, sizes that are read.
ALIKE_BUT_COPIES = {
    "a constant": Applied(fixed),
    "a lower dtype": Applied(lambda h: h.add_(torch.arange(4.0))),
    "what is seen from the side": Applied(lambda h: h.relu_().unsqueeze(1).flatten(1)),
    "a flat matrix": nn.Sequential(ScaledFlat(), nn.Linear(6, 4)),
    "no grad": Applied(lambda h: h + no_grad_twice(h)),
    "autocast off": Applied(lambda h: h - without_autocast(h)[1] / without_autocast(h)[0]),
    "a block in a block": Applied(lambda h: h + without_autocast_or_grad(h)),
    "casts": Applied(lambda h: h.to(torch.float64).float().double() + h.contiguous()),
    "like another": Applied(lambda h: h[:, :1].expand_as(h) * h.view_as(h[:, None])[:, 0]),
    "reshaped like another": Applied(lambda h: h.reshape_as(h[:, None])[:, 0]),
    "divided": Applied(lambda h: h.unflatten(1, (2, 2)).flatten(1, 2).reshape(-1, 4)),
    "dropout in place": Applied(lambda h: nn.functional.dropout(h + 1, 0.5, False, True) * h),
}


@pytest.mark.parametrize("name", ALIKE_BUT_COPIES)
def test_what_torch_would_write_out_computes_the_same(name):
    model, x = randomise(ALIKE_BUT_COPIES[name]).double(), torch.randn(3, 6).double()
    program, inputs = exported(model, x), check_inputs(model, x, None)
    renamed = functionalize(program)
    assert renamed is program
    graph = graph_from_export(renamed, model, inputs, any_batch=True)
    state = current_state(model, graph)
    torch.testing.assert_close(graph.run(inputs.tensors, state), model(x.clone()).detach())
    assert not [node for node in graph.nodes if writes_memory_of(node.target)]


def writes_memory_of(target):
    return target is not operator.getitem and torch_private.writes_memory(target)


OTHERS = {
    "a view": Applied(written(lambda h: h[:, 1])),
    "a turned view": Applied(written(lambda h: h.transpose(0, 1))),
    "dropout that is off": Applied(written(lambda h: nn.functional.dropout(h, training=False))),
    "another name": Applied(read_by_another_name),
    "another dtype": Applied(lambda h: h.float().add_(h.sigmoid())),
    "its input": nn.Sequential(WritesItsInput(), nn.Linear(6, 4)),
    "a buffer": nn.Sequential(Counts(), nn.Linear(6, 4)),
    "a copy": Applied(lambda h: h.copy_(h.relu())),
    "no grad": Applied(torch.no_grad()(lambda h: h.relu_())),
    "autocast on": Applied(lambda h: h + with_autocast(h).sum()),
    "a batch's statistics": Applied(batch_norm),
}


@pytest.mark.parametrize("name", OTHERS)
def test_what_is_not_as_simple_goes_the_other_way(name):
    model, x = randomise(OTHERS[name]).double(), torch.randn(3, 6).double()
    program = exported(model, x)
    assert not can_rename(program.graph)
    assert functionalize(program) is not program


ROW, SERIES, PICTURE = torch.rand(2, 4), torch.rand(2, 4, 4), torch.rand(2, 4, 4, 4)
ONES, ZEROS = torch.ones(4), torch.zeros(2, 4)
GIVEN = {  # arguments with which an operation that can give one of them back would
    "conv1d": (SERIES, torch.eye(4)[..., None]),
    "conv2d": (PICTURE, torch.eye(4)[..., None, None]),
    "conv3d": (PICTURE[:, :, None], torch.eye(4)[..., None, None, None]),
    "conv_transpose2d.input": (PICTURE, torch.eye(4)[..., None, None]),
    "linear": (ROW, torch.eye(4)),
    "batch_norm": (PICTURE, None, None, 0 * ONES, ONES, False, 0.1, 0.0, False),
    "layer_norm": (ROW, [4]),
    "group_norm": (PICTURE, 1),
    **{f"{name}.Tensor": (ROW, ZEROS) for name in ("add", "sub")},
    **{f"{name}.Tensor": (ROW, ZEROS + 1) for name in ("mul", "div")},
    "cat": ([ROW],),
    "masked_fill.Scalar": (ROW, torch.zeros(2, 4, dtype=torch.bool), 0.0),
    "masked_fill.Tensor": (ROW, torch.zeros(2, 4, dtype=torch.bool), torch.tensor(0.0)),
    "max_pool2d": (PICTURE, [1]),
    "avg_pool2d": (PICTURE, [1]),
    "adaptive_avg_pool2d": (PICTURE, [4, 4]),
    "mean.dim": (ROW[:, :1], [1], True),
    "softmax.int": (ROW, 1),
    "bmm": (SERIES, torch.eye(4).expand(2, 4, 4)),
    "flip": (ROW[:, :1], [1]),
    "dropout": (ROW, 0.5, False),
}


def shares_memory(name: str) -> bool:
    """Whether what an operation gives lies where an argument does."""
    base, _, overload = name.partition(".")
    arguments = GIVEN.get(name, (ROW,))
    result = getattr(getattr(torch.ops.aten, base), overload or "default")(*arguments)
    given = [leaf for leaf in tree_leaves(arguments) if isinstance(leaf, torch.Tensor)]
    places = [tensor.untyped_storage().data_ptr() for tensor in (*given, result)]
    return places[-1] in places[:-1]


@pytest.mark.parametrize("name", sorted(operation_names._NEW_MEMORY))
def test_an_operation_of_its_own_memory_has_it(name):
    assert not shares_memory(name)
    assert shares_memory("dropout")


class Activated(nn.Module):
    """An activation between two layers without biases."""

    def __init__(self, activation):
        super().__init__()
        self.inner, self.head = nn.Linear(6, 8, bias=False), nn.Linear(8, 3, bias=False)
        self.activation = activation

    def forward(self, x):
        h = self.inner(x).clone()
        h[:, 0] += 0  # no renaming: torch's way
        return self.head(self.activation(h))


PLAIN = (
    *(nn.CELU, nn.ELU, nn.GELU, nn.Hardshrink, nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh),
    *(nn.LeakyReLU, nn.LogSigmoid, nn.Mish, nn.PReLU, nn.ReLU, nn.ReLU6, nn.RReLU, nn.SELU),
    *(nn.SiLU, nn.Sigmoid, nn.Softplus, nn.Softshrink, nn.Softsign, nn.Tanh, nn.Tanhshrink),
)
ACTIVATIONS = {activation.__name__: activation() for activation in PLAIN}
ACTIVATIONS |= {
    "GELU, tanh": nn.GELU("tanh"),
    "Threshold": nn.Threshold(0.5, 0.25),
    "Softshrink, wide": nn.Softshrink(0.75),
    "CELU, flat": nn.CELU(0.5),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("capture", ["export", "per-input"])
def test_an_activation_passes_relevance_by_its_secant_in_whatever_way_it_is_captured(name, capture):
    """R_i = x_i sum_j w_ij s_j v_j, with s = (f(z) - f(0)) / z, so sum(R) = v (f(z) - f(0))."""
    model, x = randomise(Activated(ACTIVATIONS[name])).double(), signed(3, 6)
    e = relprop.Explainer(model, "zero", capture=capture)(x, target=1, ledger=True)
    z, v = model.inner(x), model.head.weight[1]
    rise = model.activation(z) - model.activation(torch.zeros_like(z))
    want = x * ((v * rise / z) @ model.inner.weight)
    torch.testing.assert_close(e.relevance, want.detach(), rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(
        e.relevance.sum(1), (v * rise).sum(1).detach(), rtol=1e-10, atol=1e-12
    )
    assert e.ledger.error < 1e-10
