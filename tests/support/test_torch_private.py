"""Private names of torch stand in three files, which says clearly what a torch lacks."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn

import relprop
from relprop.support import torch_private

PACKAGE = Path(relprop.__file__).parent
PRIVATE_TORCH = ("torch_private.py", "torch_messages.py", "exported_sizes.py", "fused_attention.py")
FILES = [path for path in PACKAGE.rglob("*.py") if path.name not in PRIVATE_TORCH]
ATTRIBUTES = (
    *("_version", "_cdata", "_modules", "_parameters", "_buffers", "_schema"),
    *("_opname", "_overloadname", "real_tensor", "range_constraints"),
)
PRIVATE = (
    r"\btorch(\.\w+)*\._(?!_)",  # torch._dynamo, torch.utils._pytree
    r"\bfrom torch(\.\w+)* import _\w",
    rf"(?<!self)\.({'|'.join(ATTRIBUTES)})\b",
    r"\bnn_module_stack\b",
    r"\bproxy_tensor\b|\bsymbolic_shapes\b|\.node\.expr\b",
    r"derivative for aten|performance drop|data-dependent|LeafSpec",  # texts of its messages
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_other_file_uses_private_names_of_torch(path):
    lines = path.read_text().splitlines()
    assert [line for line in lines for pattern in PRIVATE if re.search(pattern, line)] == []


def test_the_patterns_find_private_names():
    for line in ("torch._dynamo.reset()", "from torch.utils._pytree import tree_map", "t._version"):
        assert any(re.search(pattern, line) for pattern in PRIVATE)
    for line in ("torch.nn.functional.relu(x)", "torch.__version__"):
        assert not any(re.search(pattern, line) for pattern in PRIVATE)


def test_the_installed_torch_has_everything():
    torch_private.probe()


@pytest.mark.parametrize(
    ("owner", "name", "said"),
    [
        ("torch._subclasses.fake_tensor", "FakeTensorMode", "fake_tensor.FakeTensorMode"),
        ("torch.utils._python_dispatch", "TorchDispatchMode", "TorchDispatchMode"),
    ],
)
def test_the_probe_names_what_is_missing(monkeypatch, owner, name, said):
    monkeypatch.delattr(f"{owner}.{name}")
    monkeypatch.setattr(torch_private, "_OPERATIONS", ("no_such_backward.default",))
    with pytest.raises(relprop.RelpropError) as error:
        torch_private.probe()
    assert said in error.value.given
    assert "torch.ops.aten.no_such_backward.default" in error.value.given  # all in one error
    assert torch.__version__ in error.value.given
    assert "2.11" in error.value.allowed


def test_the_probe_names_what_an_export_lacks(monkeypatch):
    def without_modules(node):
        return node.meta["no_such_stack"]

    monkeypatch.setattr(torch_private, "calling_module", without_modules)
    with pytest.raises(relprop.RelpropError, match="nn_module_stack"):
        torch_private.probe()


def test_a_capture_names_what_is_missing(monkeypatch):
    monkeypatch.delattr("torch.utils._python_dispatch._disable_current_modes")
    explainer = relprop.Explainer(nn.Linear(4, 3).eval(), "zero", capture="per-input")
    with pytest.raises(relprop.RelpropError, match=r"lacks what .*_disable_current_modes"):
        explainer(torch.ones(2, 4))


def test_names_of_operations():
    assert torch_private.operation_name(torch.ops.aten.add.Tensor) == ("aten", "add", "Tensor")
    assert torch_private.operation_name(torch.ops.aten.relu_.default)[1:] == ("relu_", "default")
    assert torch_private.operation_name(torch.relu) is None
    assert torch_private.writes_memory(torch.ops.aten.relu_.default)
    assert not torch_private.writes_memory(torch.ops.aten.relu.default)
    types = {"input": "Tensor", "p": "float", "train": "bool"}
    assert torch_private.argument_types(torch.ops.aten.dropout.default) == types
    assert (
        torch_private.argument_types(torch.ops.aten.softmax.int)["dtype"] == "Optional[ScalarType]"
    )
