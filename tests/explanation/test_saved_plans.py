"""Captured models saved and loaded: the same explanations, and nothing that runs code."""

import pytest
import safetensors.torch
import torch
from helpers.networks import randomise, signed
from helpers.saved_plans import X, call, change_node, rewrite, save
from torch import nn
from zoo import ZOO

import relprop
from relprop.errors import CaptureError, FileError, InputError, PlanError
from relprop.program import vjps

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


class Bessel(nn.Module):
    """Has an operation that only a row of a recipe gives a rule, a mask, and values of no input."""

    def forward(self, x):
        held = torch.arange(4)[None].floor_divide(2) + torch.hann_window(4).round() + 1
        return torch.special.i0e(torch.where(x.isnan(), 0, x)) * held + x.detach().ceil()


def test_operations_that_need_no_rule_and_those_that_only_a_row_names_are_saved(
    tmp_path, no_capture
):
    recipe = (
        relprop.Recipe.preset("zero")
        .using(relprop.Selector(operation="special_i0e"), "gradient")
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


class Moves(nn.Module):
    """Has an operation that moves nothing, which another call of it can stand for."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        h = self.first(x)
        return self.last(h.transpose(1, -1) + h.relu())


@pytest.fixture
def moves(tmp_path):
    model, x = randomise(Moves()).double(), signed(2, 4)
    save(model, x, tmp_path / "plans", "zero")
    return model, x, tmp_path / "plans"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([X, True, 1], r"aten\.transpose\.int with dim0 = True"),
        ([X, 1.0, 1], "dim0 = 1.0"),
        ([X, 1, {"layout": "sparse_coo"}], r"dim1 = torch\.sparse_coo"),
        ([X, {"tuple": [1, True]}, 1], r"dim0 = \(1, True\)"),
    ],
)
def test_an_argument_of_another_type_is_no_plan(moves, arguments, words):
    model, _, path = moves
    rewrite(path, change_node(args={"tuple": arguments}))
    with pytest.raises(FileError, match=words):
        relprop.Explainer.load(path, model)


def test_what_fails_in_the_backward_pass_alone_is_an_error_of_the_package(moves, monkeypatch):
    """The first call finds it, though a call for the output alone would not."""
    model, x, path = moves

    def fails(*arguments):
        raise TypeError("transpose(): argument 'dim0' must be int")

    monkeypatch.setitem(vjps._VJPS, "transpose", lambda *_: fails)
    with pytest.raises(FileError, match="a saved plan that cannot be used: TypeError"):
        relprop.Explainer.load(path, model).plan(x)


@pytest.mark.parametrize(("flag", "value"), [("held", True), ("floating", False)])
@pytest.mark.parametrize("number", range(5))
def test_a_flag_that_sends_relevance_other_ways_is_no_plan(moves, flag, value, number):
    """The output is the same: x' + relu(x') with a part that takes none."""
    model, x, path = moves
    rewrite(path, lambda d: d["read"][0]["graph"]["nodes"][number].update({flag: value}))
    with pytest.raises(FileError, match=f"a plan with {flag} = {value} at"):
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
