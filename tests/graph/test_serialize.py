"""Graphs as JSON and back; plans that older versions saved."""

import json
import math
import operator
from pathlib import Path

import pytest
import torch
from helpers.networks import randomise, signed
from torch import nn

import relprop
from relprop.errors import FileError, InputError
from relprop.graph.ir import Einsum, Graph, Item, Node, Ref
from relprop.graph.serialize import from_document, to_document

ATEN = torch.ops.aten
# Saved by the first version that could save plans; never to be written again.
OLD_PLAN = Path(__file__).parent / "data" / "plan-format-1.safetensors"


def node(name, target, *args, **kwargs) -> Node:
    inner = getattr(target, "target", target)
    operation = getattr(getattr(inner, "overloadpacket", inner), "__name__", name)
    return Node(name, operation, target, args, kwargs, "layer", "Linear", 0, (None, 4), True)


NODES = (
    node("size", ATEN.sym_size.int, Ref("x"), 0),
    node("double", operator.mul, Ref("size"), 2),
    node("root", math.sqrt, Ref("double")),
    node("least", torch.sym_min, Ref("size"), Ref("double")),
    node(
        "zeros",
        ATEN.zeros.default,
        [Ref("size"), 4],
        dtype=torch.float64,
        device=torch.device("meta"),
    ),
    node("clone", ATEN.clone.default, Ref("x"), memory_format=torch.channels_last),
    node("cat", ATEN.cat.default, [Ref("x"), Ref("clone")], 1),
    node("padded", ATEN.pad.default, Ref("x"), (2, 2), "constant", 0.5),
    node("pooled", ATEN.avg_pool2d.default, Ref("x"), (2, 2), (1, 1), 0, True, True, None),
    node("sum", Einsum(ATEN.einsum.default), "nd->n", Ref("x")),
    node("top", Item(ATEN.topk.default, 1), Ref("x"), 2),
)
GRAPH = Graph(NODES, {"x": "x"}, ("x",), (), "top", {"w": "layer.weight"}, {"c": torch.ones(2)})


def through_json(graph: Graph) -> dict:
    return json.loads(json.dumps(to_document(graph)))


def test_a_graph_is_the_same_after_json():
    graph = from_document(through_json(GRAPH), GRAPH.constants)
    assert graph == GRAPH
    assert graph.constants is GRAPH.constants


def test_fields_that_a_node_has_gained_take_their_defaults():
    document = through_json(GRAPH)
    for record in document["nodes"]:
        for name in ("merged", "item", "base", "held"):
            del record[name]
    assert from_document(document, GRAPH.constants) == GRAPH


class Mixed(nn.Module):
    """The model of OLD_PLAN: it has an operation of each form that a file can name."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.head = nn.Linear(4, 8), nn.Linear(4, 3)

    def forward(self, x, scale=1.0):
        h = nn.functional.glu(self.layer(x)) * torch.tensor([1.0, -2.0, 0.5, 1.0])
        h = torch.einsum("nd,de->ne", h, torch.ones(4, 4).triu())
        h = h.sort(1)[0].reshape(h.shape[0] * 1, 4) * scale
        return self.head(h.to(torch.float32))


def test_a_plan_of_an_older_version_explains_without_a_capture(monkeypatch):
    with torch.device("cpu"):  # the plan is for it
        model, x = randomise(Mixed()), signed(2, 4).float()
        expected = relprop.explain(
            model, {"x": x, "scale": 0.5}, relprop.Recipe.preset("epsilon", epsilon=0.1)
        )
        monkeypatch.setattr(torch.export, "export", lambda *_, **__: pytest.fail("captured again"))
        loaded = relprop.Explainer.load(OLD_PLAN, model)({"x": x, "scale": 0.5})
    assert loaded.output.equal(expected.output)
    assert loaded.relevance.equal(expected.relevance)


@pytest.mark.parametrize(
    ("target", "arguments", "words"),
    [
        (lambda x: x, (Ref("x"),), "the operation <function"),
        (operator.attrgetter, ("shape",), "the operation <class 'operator.attrgetter'>"),
        (torch.load, ("file",), "the operation <function load"),
        (ATEN.relu.default, (Ref("x"), {1, 2}), "an argument of type set"),
    ],
)
def test_what_has_no_name_cannot_be_written(target, arguments, words):
    with pytest.raises(InputError, match=words) as error:
        to_document(Graph((node("n", target, *arguments),), {}, (), (), "n", {}, {}))
    assert '"layer" (' in str(error.value)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target": ["torch", "aten", "relu_", "default"]}, r"aten\.relu_\.default, which no file"),
        ({"target": ["torch", "aten", "such", "default"]}, r"aten\.such\.default, which no file"),
        ({"target": ["torch", "aten", "add", "such"]}, r"does not have: aten\.add\.such"),
        ({"target": ["torch", "aten", "add", "out"]}, r"aten\.add\.out, which writes"),
        ({"target": ["torch", "aten", "relu", "__init__"]}, r"does not have: aten\.relu\.__init__"),
        ({"target": ["arithmetic", "math", "such"]}, "the operation .*such"),
        ({"args": {"tuple": [{"layout": "float32"}]}}, "'float32', which is no layout"),
        ({"args": {"set": []}}, "KeyError: 'set'"),
        ({"later": 1}, "TypeError"),
    ],
)
def test_what_is_not_written_is_not_read(change, words):
    document = through_json(GRAPH)
    document["nodes"][0].update(change)
    with pytest.raises(FileError, match=words):
        from_document(document, {})
