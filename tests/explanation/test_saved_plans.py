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
        loaded(signed(3, 5).float())  # of a shape that was not saved
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


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (["arithmetic", "_operator", "attrgetter"], "the operation"),
        (["arithmetic", "torch", "load"], "the operation"),
        (["arithmetic", "os", "system"], "the operation"),
        (["torch", "aten", "relu_", "default"], "which writes"),
        (["torch", "aten", "from_file", "default"], "which writes"),
        (["torch", "none", "such", "default"], "does not have: none.such.default"),
        ("relu", "the operation 'relu'"),
    ],
)
def test_a_file_can_name_only_operations_that_compute(saved, target, words):
    model, _, path = saved
    rewrite(path, lambda d: d["read"][0]["graph"]["nodes"][1].update(target=target))
    with pytest.raises(relprop.RelpropError, match=words):
        relprop.Explainer.load(path, model)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.update(format=9), "its format is 9"),
        (lambda d: d["read"][0].pop("graph"), "KeyError: 'graph'"),
        (lambda d: d["read"][0]["graph"]["nodes"][0].pop("args"), "KeyError: 'args'"),
        (lambda d: d["read"][0]["graph"]["nodes"][0].update(args=[{"dtype": "load"}]), "no dtype"),
        (lambda d: d.update(recipe="{}"), "text without rows"),
        (lambda d: d.pop("model"), "KeyError: 'model'"),
        (lambda d: d.update(model=[1]), "AttributeError"),
    ],
)
def test_a_damaged_file_says_what_is_wrong(saved, change, words):
    model, _, path = saved
    rewrite(path, change)
    with pytest.raises(relprop.RelpropError, match=words):
        relprop.Explainer.load(path, model)


def test_paths_and_explainers_that_cannot_be_saved(saved, tmp_path):
    model, x, path = saved
    explainer = relprop.Explainer(model, "zero")
    with pytest.raises(relprop.RelpropError, match="has captured no model yet"):
        explainer.save(path)
    explainer.plan(x)
    with pytest.raises(relprop.RelpropError, match="cannot write"):
        explainer.save(tmp_path / "none" / "plans")
    with pytest.raises(FileError, match=r"none is no file of plans: there is no such file"):
        relprop.Explainer.load(tmp_path / "none", model)
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
