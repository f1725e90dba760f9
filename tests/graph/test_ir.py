"""Nodes and graphs: references are resolved, and a value is computed by no more than it needs."""

import pytest
import torch

from relprop.graph.ir import Einsum, Graph, Item, Node, Ref, refs, resolver

ATEN = torch.ops.aten


def node(name, target, *args, **kwargs) -> Node:
    return Node(name, "operation", target, args, kwargs, "layer", "Linear", 0, (), True)


A, B, C = Ref("a"), Ref("b"), Ref("c")
VALUES = {"a": 1, "b": 2, "c": 3}
ARGUMENTS = [
    (A, 1),
    ((), ()),
    ((4, "text"), (4, "text")),
    ((A,), (1,)),
    ((A, B), (1, 2)),
    ((A, B, 4), (1, 2, 4)),
    ((A, 4, None), (1, 4, None)),
    ((4, A), (4, 1)),
    ([A, [B, 5]], [1, [2, 5]]),
    (([A, C],), ([1, 3],)),
    ({"dim": A, "size": (4, B)}, {"dim": 1, "size": (4, 2)}),
]


@pytest.mark.parametrize(("arguments", "expected"), ARGUMENTS, ids=str)
def test_references_become_values(arguments, expected):
    resolved = resolver(arguments)(VALUES)
    assert resolved == expected
    assert type(resolved) is type(expected)


def test_resolved_arguments_are_new_each_time():
    resolve = resolver([A, 4])
    resolve(VALUES).append(5)
    assert resolve(VALUES) == [1, 4]


def test_references_are_found_in_order():
    found = [ref.name for ref in refs((A, [B, {"key": (C, 4)}], A))]
    assert found == ["a", "b", "c", "a"]
    assert node("n", max, B, [A, B], key=C).inputs == ("b", "a", "c")


def test_a_node_runs_its_operation():
    values = {"x": torch.tensor([3.0, 1.0, 2.0]), "i": 1}
    assert node("n", ATEN.add.Tensor, Ref("x"), 2, alpha=3).run(values).tolist() == [9, 7, 8]
    assert node("n", ATEN.select.int, Ref("x"), 0, Ref("i")).run(values) == 1
    assert node("n", Item(ATEN.sort.default, 1), Ref("x")).run(values).tolist() == [1, 2, 0]
    assert node("n", Einsum(ATEN.einsum.default), "i,i->", Ref("x"), Ref("x")).run(values) == 14


@pytest.fixture
def graph() -> Graph:
    """(x w + c) and a second branch that the output does not depend on."""
    nodes = (
        node("product", ATEN.mul.Tensor, Ref("x"), Ref("w")),
        node("branch", ATEN.neg.default, Ref("product")),
        node("sum", ATEN.add.Tensor, Ref("product"), Ref("c")),
    )
    return Graph(nodes, {"input": "x"}, ("x",), (), "sum", {"w": "w"}, {"c": torch.tensor(5.0)})


def test_a_graph_runs_on_inputs_state_and_constants(graph):
    inputs, state = {"input": torch.tensor(3.0)}, {"w": torch.tensor(2.0)}
    assert graph.run(inputs, state) == 11
    assert graph.initial_values(inputs, state) == {"x": 3, "w": 2, "c": 5}


def test_a_value_is_computed_from_what_is_known(graph):
    names = [node.name for node in graph.nodes_to_compute("sum", {"x", "w", "c"})]
    assert names == ["product", "sum"]
    assert graph.nodes_to_compute("sum", {"sum"}) == []
    assert graph.compute("sum", {"product": 6, "c": torch.tensor(1.0)})["sum"] == 7
    assert "branch" not in graph.compute("sum", {"product": 6, "c": torch.tensor(1.0)})


def test_a_node_is_found_by_name_and_named_by_its_module(graph):
    assert graph.node("sum") is graph.nodes[2]
    assert graph.node("x") is None
    assert graph.nodes[0].where == '"layer" (operation)'
