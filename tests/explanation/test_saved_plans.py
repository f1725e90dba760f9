"""Captured models saved and loaded: the same explanations, and nothing that runs code."""

import json

import pytest
import safetensors.torch
import torch
from helpers.networks import randomise, signed
from safetensors import safe_open
from torch import nn
from zoo import ZOO

import relprop
from relprop.errors import CaptureError, FileError, InputError, PlanError

SAMPLE = (
    *("torch/encoder, padding masked", "torch/gru, two ways, two layers", "torch/unet"),
    *("torch/messages, index_add", "torchvision/shufflenet_v2_x0_5"),
    *("transformers/LlamaForCausalLM", "transformers/MixtralForSequenceClassification"),
)


class Constants(nn.Module):
    """Constant tensors in its code, an einsum, a gated unit, and computed sizes."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 8)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        h = nn.functional.glu(self.layer(x)) * torch.tensor([1.0, -2.0, 0.5, 1.0])
        h = torch.einsum("nd,de->ne", h, torch.ones(4, 4).triu())
        h = h.repeat(2, 1).reshape(2, h.shape[0] * 1, 4).mean(0)
        return self.head(h.to(torch.float32))


@pytest.fixture
def no_capture(monkeypatch):
    """A function that disables torch.export from then on."""

    def refuse(*args, **kwargs):
        raise AssertionError("the model was captured again")

    return lambda: monkeypatch.setattr(torch.export, "export", refuse)


def save(model, x, path, recipe="auto"):
    explainer = relprop.Explainer(model, recipe)
    expected = explainer(x, ledger=True)
    explainer.save(path)
    return explainer, expected


@pytest.mark.parametrize("name", SAMPLE)
def test_a_saved_explainer_gives_the_same(name, tmp_path, no_capture):
    model, x = ZOO[name].build()
    explainer, expected = save(model, x, tmp_path / "plans.safetensors")
    no_capture()
    loaded = relprop.Explainer.load(tmp_path / "plans.safetensors", model)
    got = loaded(x, ledger=True)
    assert str(loaded.plan(x)) == str(explainer.plan(x))
    assert got.output.equal(expected.output)
    assert got.relevance.equal(expected.relevance)
    assert got.ledger.error == expected.ledger.error


def test_several_shapes_and_constants_of_the_code(tmp_path, no_capture):
    model, recipe = randomise(Constants()), relprop.Recipe.preset("epsilon", epsilon=0.1)
    small, large = signed(3, 4).float(), signed(3, 1, 4).float()[:, 0]
    explainer = relprop.Explainer(model, recipe)
    expected = explainer(small).relevance
    other = randomise(Constants())
    other.head = nn.Sequential(other.head)
    explainer.save(str(tmp_path / "plans"))
    no_capture()
    loaded = relprop.Explainer.load(str(tmp_path / "plans"), model)
    assert loaded.recipe == recipe
    assert loaded(large).relevance.equal(expected)
    assert loaded.with_recipe("zero")(small).relevance.shape == small.shape
    loaded.save(tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == (tmp_path / "plans").read_bytes()
    with pytest.raises(relprop.RelpropError, match="captured again"):
        loaded({"x": small})  # a way to call the model that was not saved
    with pytest.raises(CaptureError, match='class of "head", which is Sequential and was Linear'):
        relprop.Explainer.load(tmp_path / "plans", other)


def test_other_weights_are_followed_and_another_model_is_refused(tmp_path):
    x = signed(2, 4).float()
    model = randomise(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)))
    relprop.Explainer(model, "zero").plan(x)
    save(model, x, tmp_path / "plans", "zero")
    other = randomise(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)), seed=1)
    got = relprop.Explainer.load(tmp_path / "plans", other)(x)
    assert got.relevance.equal(relprop.explain(other, x, "zero").relevance)
    other[1] = nn.Tanh()
    with pytest.raises(CaptureError, match='class of "1", which is Tanh and was ReLU'):
        relprop.Explainer.load(tmp_path / "plans", other)


@pytest.fixture
def saved(tmp_path):
    model, x = randomise(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3))), signed(2, 4)
    save(model.double(), x, tmp_path / "plans", "zero")
    return model, x, tmp_path / "plans"


def rewrite(path, change):
    with safe_open(path, "pt") as file:
        document = json.loads(file.metadata()["relprop"])
    change(document)
    path.write_bytes(safetensors.torch.save({}, {"relprop": json.dumps(document)}))


def change_node(**changes):
    return lambda document: document["read"][0]["graph"]["nodes"][1].update(changes)


def torch_operation(name, overload="default"):
    namespace, _, name = name.rpartition(".")
    return {"target": ["torch", namespace or "aten", name, overload], "operation": name}


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


X = {"ref": "linear"}


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


def call(operation, *args, **kwargs):
    """Changes that make a node call an operation with these arguments."""
    args, kwargs = {"tuple": list(args)}, {"dict": kwargs}
    if "." in operation:
        module, name = operation.split(".")
        return {
            **{"target": ["arithmetic", module, name], "operation": name},
            **{"args": args, "kwargs": kwargs},
        }
    overload = "input" if operation == "lstm" else "default"
    return {**torch_operation(operation, overload), "args": args, "kwargs": kwargs}


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


class Bessel(nn.Module):
    """Has an operation that only a row of a recipe gives a rule, a mask, and values of no input."""

    def forward(self, x):
        held = torch.arange(4)[None].floor_divide(2) + torch.hann_window(4).round()
        return torch.special.bessel_j0(torch.where(x.isnan(), 0, x)) * held + x.detach().ceil()


def test_operations_that_need_no_rule_and_those_that_only_a_row_names_are_saved(
    tmp_path, no_capture
):
    recipe = (
        relprop.Recipe.preset("zero")
        .using(relprop.Selector(operation="special_bessel_j0"), "gradient")
        .using(relprop.Selector(operation="ceil"), "constant")
    )
    model, x = Bessel().eval(), signed(2, 4).float()
    _, expected = save(model, x, tmp_path / "plans", recipe)
    no_capture()
    assert relprop.Explainer.load(tmp_path / "plans", model)(x).relevance.equal(expected.relevance)


class Custom(nn.Module):
    def forward(self, x):
        return torch.ops.relprop_test.twice(x).relu()


def test_an_operation_of_the_users_own_is_refused_when_it_is_saved(tmp_path):
    with torch.library._scoped_library("relprop_test", "DEF") as library:
        library.define("twice(Tensor x) -> Tensor")
        library.impl("twice", lambda x: x * 2, "CompositeExplicitAutograd")
        library.impl("twice", torch.empty_like, "Meta")
        recipe = relprop.Recipe.preset("zero").using(
            relprop.Selector(operation="twice"), "gradient"
        )
        explainer = relprop.Explainer(Custom().eval(), recipe)
        explainer.plan(torch.ones(2, 4))
        with pytest.raises(InputError, match=r"relprop_test.twice.*which has no name in a file"):
            explainer.save(tmp_path / "plans")
    assert list(tmp_path.iterdir()) == []


# ---- damage --------------------------------------------------------------------------------------


def graph_change(**changes):
    return lambda d: d["read"][0]["graph"].update(changes)


def nested(levels):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(format=9), "its format is 9"),
        (lambda d: d["read"][0].pop("graph"), "KeyError: 'graph'"),
        (lambda d: d["read"][0].pop("layouts"), "KeyError: 'layouts'"),
        (lambda d: d.pop("recipe"), "KeyError: 'recipe'"),
        (lambda d: d["read"][0]["graph"]["nodes"][0].pop("args"), "KeyError: 'args'"),
        (lambda d: d["read"][0]["graph"]["nodes"][0].update(args=[{"dtype": "load"}]), "no dtype"),
        (lambda d: d.update(recipe="{}"), "text without rows"),
        (lambda d: d.pop("model"), "KeyError: 'model'"),
        (lambda d: d.update(model=[1]), "AttributeError"),
        (lambda d: d.update(recipe="[" * 100_000), "text that is not JSON"),
        (lambda d: d.update(recipe=3), "a recipe of type int"),
        (lambda d: d.update(read={"signature": 1}), "TypeError"),
        (lambda d: d.update(output=[1]), "output = "),
        (lambda d: d["read"][0].update(layouts={"relu": [0, 0]}), "a batch axis"),
        (lambda d: d["read"][0].update(layouts={"relu": [10**400, 1]}), "a batch axis"),
        (lambda d: d["read"][0].update(layouts={"none": None}), "which it does not compute"),
        (graph_change(output="none"), "the output 'none', which nothing computes"),
        (graph_change(output=["x"]), "unhashable"),
        (graph_change(explained=[]), r"explained = \(\)"),
        (graph_change(explained=["relu"]), "explained = "),
        (graph_change(tokens=["relu"]), "tokens = "),
        (graph_change(inputs={"x": 3}), "a name that is no text"),
        (graph_change(state={"w": 3}), "a name that is no text"),
        (graph_change(any_batch="yes"), "any_batch = 'yes'"),
        (graph_change(nodes=7), "not iterable"),
        (change_node(name="linear"), "two values of the name 'linear'"),
        (change_node(args={"tuple": [{"ref": "later"}]}), "reads .* before it is computed"),
        (change_node(args={"tuple": [10**400]}), "an integer of more than 64 bits"),
        (change_node(args={"tuple": [2**63]}), "an integer of more than 64 bits"),
        (change_node(args={"tuple": nested(20)}), "more than 16 levels"),
        (change_node(args={"tuple": nested(900)}), "levels"),
        (change_node(args={"tuple": [{"device": "none"}]}), "RuntimeError"),
        (change_node(args={"tuple": [{"ref": 1, "tuple": []}]}), "too many values"),
        (change_node(args=[X]), "the arguments of relu"),
        (change_node(name=7), "name = 7"),
        (change_node(call="first"), "call = 'first'"),
        (change_node(floating=1), "floating = 1"),
        (change_node(shape=[None, "five"]), "the shape"),
        (change_node(shape=5), "not iterable"),
    ],
)
def test_a_damaged_file_says_what_is_wrong(saved, change, words):
    model, _, path = saved
    rewrite(path, change)
    with pytest.raises(FileError, match=words):
        relprop.Explainer.load(path, model)


def test_a_text_too_deep_or_not_unicode_says_what_is_wrong(saved):
    model, _, path = saved
    for text, words in (("[" * 100_000, "too deep"), ('{"format": ' + "9" * 5000, "ValueError")):
        path.write_bytes(safetensors.torch.save({}, {"relprop": text}))
        with pytest.raises(FileError, match=words):
            relprop.Explainer.load(path, model)
    for content in (b"", b"\xff" * 100, bytes(8), path.read_bytes()[:-20]):
        path.write_bytes(content)
        with pytest.raises(FileError, match="no file of plans"):
            relprop.Explainer.load(path, model)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (call("clamp_min", X, min=0), "cannot be used: IndexError"),
        (call("softmax", X, 7), "Dimension out of range"),
        (call("mul", X, "text"), "mul"),
    ],
)
def test_a_graph_that_cannot_be_run_is_an_error_of_the_package(saved, changes, words):
    model, x, path = saved
    changes["target"][-1] = {"softmax": "int", "mul": "Tensor"}.get(changes["operation"], "default")
    rewrite(path, change_node(**changes))
    with pytest.raises(relprop.RelpropError, match=words):
        relprop.Explainer.load(path, model)(x)


@pytest.mark.parametrize("name", ["model.pt", "model.onnx", "model.json"])
def test_a_name_of_another_format_is_refused_with_the_line_to_write(saved, tmp_path, name):
    model, x, _ = saved
    explainer = relprop.Explainer(model)
    explainer.plan(x)
    with pytest.raises(InputError, match="that of another format") as error:
        explainer.save(tmp_path / name)
    exec(error.value.todo.removeprefix("write "), {"explainer": explainer})
    assert (tmp_path / "model.plans").is_file()
    relprop.Explainer.load(tmp_path / "model.plans", model)(x)


def test_paths_and_explainers_that_cannot_be_saved(saved, tmp_path):
    model, x, path = saved
    explainer = relprop.Explainer(model, "zero")
    with pytest.raises(relprop.RelpropError, match="has captured no model yet"):
        explainer.save(path)
    explainer.plan(x)
    with pytest.raises(relprop.RelpropError, match="cannot write"):
        explainer.save(tmp_path / "none" / "plans")
    for name in ("none", "n" * 300):
        with pytest.raises(FileError, match=rf"{name} is no file of plans: there is no such file"):
            relprop.Explainer.load(tmp_path / name, model)
    with pytest.raises(FileError, match="it is a folder"):
        relprop.Explainer.load(tmp_path, model)
    for swapped in (lambda: relprop.Explainer.load(model, "plans"), lambda: explainer.save(3)):
        with pytest.raises(InputError, match="a path of type"):
            swapped()
    each = relprop.Explainer(model, "zero", capture="per-input")
    each(x)
    with pytest.raises(InputError, match="keeps no captured graph"):
        each.save(path)
    path.write_text("text")
    with pytest.raises(relprop.RelpropError, match="no file of plans"):
        relprop.Explainer.load(path, model)

    @relprop.rule()
    def mine(step):
        return relprop.Back(lambda v: step.transpose(v, step.weights), lambda v: {})

    own = explainer.with_recipe(relprop.Recipe.preset("zero").using("0", mine))
    with pytest.raises(relprop.RelpropError, match=r"made by relprop\.rule"):
        own.save(path)


def net(function):
    """A model whose class and attributes are the same whatever its code calls."""

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.head = nn.Linear(4, 5), nn.Linear(5, 3)

        def forward(self, x):
            return self.head(function(self.layer(x)))

    return randomise(Net())


FUNCTIONS = {
    "large": (torch.relu, nn.functional.relu6),
    "negative": (torch.abs, torch.relu),
    "large and negative": (nn.functional.hardtanh, torch.nn.Identity()),
    "very large": (torch.relu, lambda h: h.clamp(0, 20)),
    "a threshold": (lambda h: h, lambda h: torch.where(h < 9, h, 9 + 0.5 * (h - 9))),
}


@pytest.mark.parametrize("swapped", [False, True])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_code_that_differs_where_the_sample_does_not_reach_is_refused(name, swapped, tmp_path):
    one, other = map(net, FUNCTIONS[name][:: -1 if swapped else 1])
    x = torch.full((2, 4), 0.01)
    for model in (one, other):
        model.layer.bias.data.fill_(0.5)  # all units are between 0 and 1
        model.head.load_state_dict(one.head.state_dict())
        model.layer.load_state_dict(one.layer.state_dict())
    torch.testing.assert_close(one(x), other(x))
    save(one, x, tmp_path / "plans", "zero")
    assert relprop.Explainer.load(tmp_path / "plans", one)(x).output.allclose(one(x))
    with pytest.raises(CaptureError, match="does not compute what the model of the saved plan"):
        relprop.Explainer.load(tmp_path / "plans", other)(x)


class Options(nn.Module):
    """Attributes of several sorts, one of them written by forward."""

    def __init__(self, **changed):
        super().__init__()
        self.layer, self.last, self.folder = nn.Linear(4, 3), None, "/here"
        self.power, self.after, self.sizes, self.text = 1.0, torch.relu, {"a": [1, 2]}, "mean"
        for name, value in changed.items():
            setattr(self, name, value)

    def forward(self, x):
        self.last = self.layer(x).detach()
        return self.layer(x)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"power": 2.0}, r'power of "", which is 2\.0 and was 1\.0'),
        ({"after": torch.tanh}, 'after of "", which is tanh and was relu'),
        ({"sizes": {"a": [1, 3]}}, 'sizes of ""'),
        ({"text": "sum"}, "which is 'sum' and was 'mean'"),
        ({"extra": nn.Identity()}, '"extra", which only the present one has'),
    ],
)
def test_a_model_with_other_attributes_is_refused(changed, words, tmp_path):
    model, x = randomise(Options()), signed(2, 4).float()
    save(model, x, tmp_path / "plans")
    model(x)  # what forward writes, and where files are, is no difference
    model.folder = "/there"
    assert relprop.Explainer.load(tmp_path / "plans", model)(x).output.allclose(model(x))
    with pytest.raises(CaptureError, match=words):
        relprop.Explainer.load(tmp_path / "plans", randomise(Options(**changed)))


def test_a_change_after_loading_is_followed(tmp_path):
    model = randomise(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Dropout(), nn.Linear(5, 3)))
    x = signed(2, 4).float()
    save(model, x, tmp_path / "plans", "zero")
    explainer = relprop.Explainer.load(tmp_path / "plans", model)
    explainer(x)
    model[1] = nn.Tanh()
    torch.testing.assert_close(explainer(x).output, model(x).detach())
    model.train()
    with pytest.raises(PlanError, match="train mode"):
        explainer(x)
    with pytest.raises(CaptureError, match="training of"):
        relprop.Explainer.load(tmp_path / "plans", model)
