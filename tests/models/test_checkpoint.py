"""The models that ship, and saving and loading: what is written comes back, all else is refused."""

import hashlib
import json
import os
import pickle
from pathlib import Path

import pytest
import safetensors.torch
import torch
from helpers.real_data import FOLDER, needs_mnist
from torch import nn

import relprop
from relprop.data import load_digits
from relprop.errors import FileError, InputError
from relprop.models import ModelCard, load_model, model_card, save_model, shipped_models
from relprop.models.train import accuracy

# As the names say: layer sizes, and the smallest accuracy on the test digits.
DENSE = {"mnist-dnn-500": [784, 500, 10], "mnist-dnn-300-100": [784, 300, 100, 10]}
LEAST = {"mnist-dnn-500": 0.98, "mnist-dnn-300-100": 0.98, "mnist-cnn": 0.993}


# ---- the models that ship --------------------------------------------------------------


def test_three_models_ship_in_under_six_megabytes():
    assert set(shipped_models()) == set(LEAST)
    import relprop.models

    files = list(relprop.models.SHIPPED.iterdir())
    assert len(files) == 2 * len(LEAST)
    assert sum(file.stat().st_size for file in files) < 6e6


@pytest.mark.parametrize("name", DENSE)
def test_dense_models_have_the_layers_that_their_names_say(name):
    layers = list(load_model(name))
    linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
    sizes = [linear[0].in_features, *(layer.out_features for layer in linear)]
    assert sizes == DENSE[name]
    kinds = [type(layer) for layer in layers]
    assert kinds == [nn.Flatten, nn.Linear, *[nn.ReLU, nn.Linear] * (len(sizes) - 2)]


def test_the_cnn_is_convolutional_and_free_of_batchnorm():
    kinds = [type(layer) for layer in load_model("mnist-cnn")]
    assert kinds.count(nn.Conv2d) == 4
    assert nn.BatchNorm2d not in kinds


@pytest.mark.parametrize("name", LEAST)
def test_the_card_tells_the_truth_about_the_file(name):
    import relprop.models

    card, model = model_card(name), load_model(name)
    content = (relprop.models.SHIPPED / f"{name}.safetensors").read_bytes()
    assert card.sha256 == hashlib.sha256(content).hexdigest()
    assert card.parameters == sum(p.numel() for p in model.parameters())
    assert card.name == name
    assert card.command == f"relprop train {name} --seed {card.seed}"
    assert not any(module.training for module in model.modules())


@pytest.mark.slow
@needs_mnist
@pytest.mark.parametrize("name", LEAST)
def test_the_accuracy_on_the_card_is_measured_again(name):
    measured = accuracy(load_model(name), load_digits("test", FOLDER))
    assert measured >= LEAST[name]
    # Another machine may round another way: two of the 10,000 digits.
    assert measured == pytest.approx(model_card(name).accuracy, abs=2.5e-4)


def test_loading_draws_no_random_numbers():
    before = torch.get_rng_state()
    load_model("mnist-cnn")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("call", [load_model, model_card])
def test_an_unknown_name_offers_the_closest(call):
    with pytest.raises(InputError, match=r"'mnist-cmn'\n.*mnist-dnn-500(.|\n)*write .mnist-cnn"):
        call("mnist-cmn")


# ---- saving and loading ----------------------------------------------------------------


def small_model():
    torch.manual_seed(3)
    relu = nn.ReLU()  # one module in two places
    return nn.Sequential(
        *(nn.Conv2d(1, 2, 3, stride=2, padding=1), relu, nn.MaxPool2d(2), nn.AvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(2, 3), relu, nn.Dropout(0.25), nn.Linear(3, 2)),
    )


CARD = ModelCard(name="small", input_shape=(1, 8, 8), seed=3, accuracy=0.5)


@pytest.fixture
def saved(tmp_path):
    """The path of a saved small model; its card is beside it."""
    path = tmp_path / "small.safetensors"
    save_model(small_model(), path, CARD)
    return path


def test_what_is_saved_comes_back(tmp_path):
    model, path = small_model().train(), tmp_path / "new" / "small.safetensors"
    card = save_model(model, path, CARD)
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "small.json",
        "small.safetensors",
    ]
    loaded = load_model(path)
    x = torch.rand(4, 1, 8, 8)
    assert torch.equal(loaded(x), model.eval()(x))
    assert repr(loaded) == repr(model)
    assert not loaded.training
    assert card == ModelCard.from_json(path.with_suffix(".json").read_text())
    assert (card.seed, card.parameters) == (3, sum(p.numel() for p in model.parameters()))
    assert card.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_path_may_be_text(saved, monkeypatch):
    monkeypatch.chdir(saved.parent)
    assert repr(load_model("small.safetensors")) == repr(load_model(str(saved)))


class Own(nn.Module):
    """A model that only its own code can build."""


NOT_SAVED = {
    "own class": (Own(), "it is a Own"),
    "double": (nn.Sequential(nn.Flatten(), nn.Linear(64, 2).double()), "float64"),
    "input too small": (nn.Sequential(nn.Flatten(), nn.Linear(65, 2)), r"shape \(1, 8, 8\)"),
}


@pytest.mark.parametrize("kind", NOT_SAVED)
def test_a_model_that_could_not_be_loaded_again_is_not_saved(kind, tmp_path):
    model, message = NOT_SAVED[kind]
    with pytest.raises(InputError, match=message):
        save_model(model, tmp_path / "m.safetensors", CARD)
    assert list(tmp_path.iterdir()) == []


def test_a_save_that_fails_leaves_the_old_files(saved, monkeypatch):
    before = {file.name: file.read_bytes() for file in saved.parent.iterdir()}

    def full_disk(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full_disk)
    with pytest.raises(FileError, match="No space left"):
        save_model(nn.Sequential(nn.Flatten(), nn.Linear(64, 2)), saved, CARD)
    assert {file.name: file.read_bytes() for file in saved.parent.iterdir()} == before


def test_a_folder_that_cannot_be_made(saved):
    with pytest.raises(FileError, match=r"cannot create the folder .*small\.json"):
        save_model(small_model(), saved.with_suffix(".json") / "m.safetensors", CARD)


# ---- files that would run code ---------------------------------------------------------


class Trap:
    """What a hostile pickle does: it calls a function when it is loaded."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".pkl", ".ckpt", ".safetensors"])
def test_a_pickle_is_refused_and_does_not_run(suffix, saved, tmp_path):
    sprung = tmp_path / "sprung"
    content = pickle.dumps(Trap(sprung))
    path = saved.with_suffix(suffix)
    path.write_bytes(content)
    change_card(saved, sha256=hashlib.sha256(content).hexdigest())
    says = "damaged" if suffix == ".safetensors" else r"not a .safetensors file(.|\n)*can run code"
    with pytest.raises(FileError, match=says):
        load_model(path)
    assert not sprung.exists()
    pickle.loads(content)
    assert sprung.exists(), "the trap works"


# ---- files that are damaged or do not fit ----------------------------------------------


def change_card(path, **changes):
    card_path = path.with_suffix(".json")
    record = json.loads(card_path.read_text())
    card_path.write_text(json.dumps({**record, **changes}))


def rewrite(path, content):
    """New weights, with a card that vouches for them."""
    path.write_bytes(content)
    change_card(path, sha256=hashlib.sha256(content).hexdigest())


def weights(**changes):
    state = {name: value.clone() for name, value in small_model().state_dict().items()}
    return safetensors.torch.save(
        {**state, **{k.replace("__", "."): v for k, v in changes.items()}}
    )


def flip_last_bit(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


CONV = {
    **{"layer": "conv2d", "in_channels": 1, "out_channels": 2, "kernel_size": 3},
    **{"stride": 1, "padding": 1},
}
DAMAGE = {
    "no weights": (lambda p: p.unlink(), "small.safetensors cannot be read: No such file"),
    "no card": (lambda p: p.with_suffix(".json").unlink(), "small.json cannot be read"),
    "one bit": (flip_last_bit, "its SHA256 is not the one on its card"),
    "cut short": (lambda p: p.write_bytes(p.read_bytes()[:-5]), "its SHA256"),
    "cut short, vouched for": (lambda p: rewrite(p, p.read_bytes()[:-5]), "small.safetensors is d"),
    "empty, vouched for": (lambda p: rewrite(p, b""), "small.safetensors is damaged"),
    "shape": (lambda p: rewrite(p, weights(**{"8__bias": torch.zeros(3)})), r"8.bias \(3,\)"),
    "type": (lambda p: rewrite(p, weights(**{"8__bias": torch.zeros(2).half()})), "float16"),
    "one more": (lambda p: rewrite(p, weights(**{"9__bias": torch.zeros(2)})), "differ in 9.bias"),
    "card not json": (lambda p: p.with_suffix(".json").write_text("{"), "not JSON"),
    "card not text": (lambda p: p.with_suffix(".json").write_bytes(b"\xff\xfe\xfa"), "not JSON"),
    "card not a record": (lambda p: p.with_suffix(".json").write_text("[]"), "missing or unknown"),
    "card field": (lambda p: change_card(p, colour="red"), "missing or unknown"),
    "card value": (lambda p: change_card(p, seed="three"), "seed is 'three'"),
    "input shape": (lambda p: change_card(p, input_shape=[1, 9, "x"]), r"shape is \(1, 9, 'x'\)"),
    "input of another size": (lambda p: change_card(p, input_shape=[1, 20, 20]), "do not fit"),
    "input too large for memory": (
        lambda p: change_card(p, input_shape=[1, 10**9, 10**9]),
        "do not fit each other or the input shape",
    ),
    "input of 401 digits": (lambda p: change_card(p, input_shape=[1, 10**400, 8]), "shape is"),
    "another number of weights": (lambda p: change_card(p, parameters=3), "its card 3$"),
    "a setting of 401 digits": (
        lambda p: change_card(p, architecture=[{**CONV, "kernel_size": 10**400}]),
        "layer 0 of the architecture is",
    ),
    "a setting that is a list": (
        lambda p: change_card(p, architecture=[{**CONV, "stride": [1, 0]}]),
        "small.json|small.safetensors",
    ),
    "card nested too deep": (
        lambda p: p.with_suffix(".json").write_text("[" * 100_000),
        "not JSON",
    ),
    "no layers": (lambda p: change_card(p, architecture="all"), "architecture is 'all'"),
    "code": (lambda p: change_card(p, architecture=[{"layer": "os.system"}]), "os.system"),
    "kind": (lambda p: change_card(p, architecture=[{"layer": ["relu"]}]), r"\['relu'\]"),
    "settings": (
        lambda p: change_card(p, architecture=[{"layer": "relu", "inplace": True}]),
        "'inplace': True",
    ),
    "setting": (
        lambda p: change_card(p, architecture=[{"layer": "dropout", "p": 2}]),
        "layer 0 .* 'p': 2",
    ),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_or_unfit_file_is_an_error_that_says_what_is_wrong(kind, saved):
    damage, message = DAMAGE[kind]
    damage(saved)
    with pytest.raises(FileError, match=f"(?m){message}") as caught:
        load_model(saved)
    assert len(caught.value.given) < 1000  # not torch's own listing of its stack
    assert caught.value.allowed
    assert caught.value.todo


def test_without_a_card_a_linear_layer_says_the_shape_of_a_sample(tmp_path):
    model = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 2)).eval()
    card = save_model(model, tmp_path / "table.safetensors")
    assert (card.name, card.input_shape) == ("table", (6,))
    x = torch.rand(3, 6)
    assert load_model(tmp_path / "table.safetensors")(x).equal(model(x))


@pytest.mark.parametrize("given", [None, "card", {"name": "pictures"}])
def test_of_pictures_the_error_writes_a_card(tmp_path, given):
    cnn = relprop.load_model("mnist-cnn")
    dense = relprop.load_model("mnist-dnn-500")
    for model in (cnn, dense):
        with pytest.raises(InputError, match="do not say the shape of a sample") as error:
            save_model(model, tmp_path / "pictures.safetensors", given)
        line = error.value.todo.removeprefix("write ").split(" with the")[0]
        card = save_model(model, tmp_path / "pictures.safetensors", eval(line))
        assert (card.name, card.input_shape) == ("pictures", (1, 28, 28))


def test_other_arguments_of_save_model_are_refused(tmp_path):
    model = nn.Sequential(nn.Linear(6, 4))
    with pytest.raises(InputError, match="a model of type str"):
        save_model("m.safetensors", model)
    with pytest.raises(FileError, match=r"is no name of a \.safetensors file") as error:
        save_model(model, tmp_path / "m.pt")
    assert 'm.safetensors", card)' in error.value.todo
