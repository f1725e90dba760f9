"""A file of plans can name only operations that compute, and call them only to compute."""

import pytest
import torch
from helpers.networks import randomise, signed
from helpers.saved_plans import X, call, change_node, rewrite, save, torch_operation
from torch import nn

import relprop
from relprop.errors import FileError


@pytest.fixture
def saved(tmp_path):
    model, x = randomise(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))), signed(2, 4)
    save(model.double(), x, tmp_path / "plans", "zero")
    return model, x, tmp_path / "plans"


NO_FILE_MAY_NAME = (
    # each of these is said by its schema to write nothing
    *("manual_seed", "seed", "initial_seed", "prim.Print", "_print", "from_file", "rand", "randn"),
    *("bernoulli", "multinomial", "normal", "dropout", "set", "_resize_output", "data", "save"),
    *("record_stream", "_c10d_functional.all_reduce", "c10d_functional.all_gather_into_tensor"),
    *("prim.RaiseException", "none.such", "higher_order.cond", "relu_", "copy_", "aten.__class__"),
)


@pytest.mark.parametrize("name", NO_FILE_MAY_NAME)
def test_an_operation_that_is_not_known_to_compute_is_refused_by_name(saved, name):
    model, _, path = saved
    rewrite(path, change_node(**torch_operation(name)))
    with pytest.raises(FileError, match="no file may name") as error:
        relprop.Explainer.load(path, model)
    assert name in error.value.given
    assert error.value.todo == "capture the model in this session: relprop.Explainer(model)"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"target": ["arithmetic", "_operator", "attrgetter"]}, "the operation .*attrgetter"),
        ({"target": ["arithmetic", "torch", "load"]}, "the operation .*load"),
        ({"target": ["arithmetic", "torch", "sym_fresh_size"]}, "the operation"),
        ({"target": ["arithmetic", "os", "system"]}, "the operation .*system"),
        ({"target": ["arithmetic", "math", "factorial"]}, "the operation .*factorial"),
        ({"target": ["item", -1, ["torch", "aten", "sort", "default"]]}, "the operation"),
        ({"target": ["item", 0, ["item", 0, ["torch", "aten", "sort", ""]]]}, "the operation"),
        ({"target": ["einsum", ["torch", "aten", "relu", "default"]]}, "the operation"),
        ({"target": "relu"}, "the operation 'relu'"),
        (torch_operation("relu", "out"), r"aten\.relu\.out, which writes"),
        (torch_operation("relu", "such"), r"does not have: aten\.relu\.such"),
        (torch_operation("torchvision.roi_align", "such"), r"roi_align\.such"),
        # another operation than the graph says, by which rules are chosen
        ({"operation": "tanh"}, 'the operation "tanh" that runs relu'),
        ({"operation": "view"}, 'the operation "view" that runs relu'),
    ],
)
def test_a_file_can_name_only_operations_that_compute(saved, changes, words):
    model, _, path = saved
    rewrite(path, change_node(**changes))
    with pytest.raises(FileError, match=words):
        relprop.Explainer.load(path, model)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (call("rrelu", X, 0.1, 0.3, True), "rrelu in train mode"),
        (call("rrelu", X, training=True), "rrelu in train mode"),
        (call("scaled_dot_product_attention", X, X, X, None, 0.5), "in train mode"),
        (call("scaled_dot_product_attention", X, X, X, dropout_p=0.5), "in train mode"),
        (call("batch_norm", X, None, None, X, X, True, 0.1, 1e-5, False), "in train mode"),
        (call("instance_norm", X, None, None, X, X, True, 0.1, 1e-5, False), "in train mode"),
        (call("lstm", X, [X], [X], True, 1, 0.5, True, False, True), "in train mode"),
        (call("_operator.pow", X, 65), "an exponent"),
        (call("_operator.pow", X, X), "an exponent"),
        (call("_operator.mul", "text", 9), "arguments of mul that are no sizes"),
        (call("_operator.mod", "text", 9), "arguments of mod that are no sizes"),
        (call("_operator.add", [[X]], [X]), "arguments of add that are no sizes"),
    ],
)
def test_a_file_can_call_operations_only_as_an_explanation_needs_them(saved, changes, words):
    model, _, path = saved
    rewrite(path, change_node(**changes))
    with pytest.raises(FileError, match=words):
        relprop.Explainer.load(path, model)


def test_loading_and_explaining_draws_no_random_number(saved):
    model, x, path = saved
    before = torch.get_rng_state()
    relprop.Explainer.load(path, model)(x)
    assert torch.get_rng_state().equal(before)
