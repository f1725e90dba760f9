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
from relprop.errors import FileError, InputError

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
    with pytest.raises(relprop.RelpropError, match="no longer has"):
        relprop.Explainer.load(tmp_path / "plans", other)(small)


def test_other_weights_are_followed_and_another_model_is_refused(tmp_path):
    x = signed(2, 4).float()
    model = randomise(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)))
    relprop.Explainer(model, "zero").plan(x)
    save(model, x, tmp_path / "plans", "zero")
    other = randomise(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)), seed=1)
    got = relprop.Explainer.load(tmp_path / "plans", other)(x)
    assert got.relevance.equal(relprop.explain(other, x, "zero").relevance)
    other[1] = nn.Tanh()
    with pytest.raises(
        relprop.RelpropError, match="does not compute what the model of the saved plan"
    ):
        relprop.Explainer.load(tmp_path / "plans", other)(x)


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
