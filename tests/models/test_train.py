"""Training and accuracy: same seed, same file; how images are moved; what a count must give."""

import logging
import sys
from dataclasses import replace

import pytest
import torch
from torch import nn

from relprop.data import Digits
from relprop.errors import FileError, InputError, MissingExtraError
from relprop.models.checkpoint import load_model
from relprop.models.train import accuracy, train, transform
from relprop.models.training import TRAININGS, Training

STILL = Training(epochs=1, rotation=0, scale=0, shift=0)


def made_up_digits(n=200):
    """Images that a small network learns at once: class k is a bar k steps from the left."""
    labels = torch.arange(n) % 10
    images = torch.zeros(n, 1, 28, 28)
    for index, label in enumerate(labels.tolist()):
        images[index, 0, 4:24, 3 + 2 * label : 5 + 2 * label] = 1
    return Digits(images, labels, "train", "made up")


# ---- training --------------------------------------------------------------------------


def tiny_run(out, seed=0, name="mnist-dnn-300-100", epochs=1):
    digits = made_up_digits()
    test = replace(digits, split="test")
    return train(name, digits, test=test, out=out, seed=seed, epochs=epochs)


def test_the_same_seed_gives_the_same_file_and_another_seed_another(tmp_path):
    first = tiny_run(tmp_path)
    torch.rand(1)  # what the caller draws in between must not matter
    again, other = tiny_run(tmp_path), tiny_run(tmp_path, seed=1)
    assert first == again
    assert first.sha256 != other.sha256


class Remarks(logging.Handler):
    """Keeps what Lightning logs; its own handler holds on to a stream that capfd cannot see."""

    def __init__(self):
        super().__init__()
        self.heard = []

    def emit(self, record):
        self.heard.append(record.getMessage())


def test_a_run_leaves_weights_card_and_nothing_else(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    remarks, before = Remarks(), torch.get_rng_state()
    logging.getLogger("lightning.pytorch").addHandler(remarks)
    card = tiny_run("out")
    logging.getLogger("lightning.pytorch").removeHandler(remarks)
    assert sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")) == [
        "out",
        "out/mnist-dnn-300-100.json",
        "out/mnist-dnn-300-100.safetensors",
    ]
    assert (remarks.heard, *capfd.readouterr()) == ([], "", "")
    assert torch.equal(torch.get_rng_state(), before)
    model = load_model("out/mnist-dnn-300-100.safetensors")
    assert card.accuracy == accuracy(model, made_up_digits())
    assert card.command == "relprop train mnist-dnn-300-100 --seed 0 --epochs 1"
    assert "200 images of the train split, accuracy on 200 images of the test split" in card.data


def test_training_learns(tmp_path, monkeypatch):
    still = replace(TRAININGS["mnist-dnn-300-100"], rotation=0, scale=0, shift=0)
    monkeypatch.setitem(TRAININGS, "mnist-dnn-300-100", still)
    assert tiny_run(tmp_path, epochs=20).accuracy == 1


def test_the_cnn_trains_too(tmp_path):
    assert tiny_run(tmp_path, name="mnist-cnn").parameters == 435_370


def test_bad_arguments_stop_before_any_work(tmp_path):
    with pytest.raises(InputError, match=r"'mnist-cmn'\n(.|\n)*write .mnist-cnn"):
        tiny_run(tmp_path / "out", name="mnist-cmn")
    with pytest.raises(InputError, match="epochs is 0"):
        tiny_run(tmp_path / "out", epochs=0)
    with pytest.raises(InputError, match="seed is -1"):
        tiny_run(tmp_path / "out", seed=-1)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_stops_before_any_work(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="cannot create the folder"):
        tiny_run(tmp_path / "file" / "out", epochs=10**9)


def test_without_lightning_the_pip_line_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "lightning", None)
    with pytest.raises(MissingExtraError, match=r'pip install "relprop\[train\]"'):
        tiny_run(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


# ---- moved digits ----------------------------------------------------------------------


@pytest.fixture
def images():
    return torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))


def amounts(**parts):
    """Amounts that are zero but for the named parts."""
    order = ("rotation", "scale", "left", "up")
    return torch.tensor([[parts.get(part, 0.0)] * 2 for part in order])


def test_no_move_gives_the_images_back(images):
    torch.testing.assert_close(transform(images, amounts(), Training(epochs=1)), images)
    torch.testing.assert_close(transform(images, torch.ones(4, 2), STILL), images)


def test_a_quarter_turn(images):
    turned = transform(images, amounts(rotation=1.0), replace(STILL, rotation=90))
    torch.testing.assert_close(turned, images.rot90(1, (2, 3)))


def test_a_shift_by_whole_pixels_lets_zeros_in(images):
    moved = transform(images, amounts(left=0.5, up=-1.0), replace(STILL, shift=2))
    expected = torch.zeros_like(images)
    expected[:, :, 2:, :-1] = images[:, :, :-2, 1:]  # one to the left, two down
    torch.testing.assert_close(moved, expected)


def test_scaling_is_about_the_middle():
    """At twice the step, the four middle samples of a ramp lie twice as far apart."""
    ramp = torch.arange(8.0).expand(1, 1, 8, 8)
    out = transform(ramp, torch.tensor([[0.0], [1.0], [0.0], [0.0]]), replace(STILL, scale=1.0))
    torch.testing.assert_close(out[0, 0, 3, 2:6], 3.5 + 2 * (torch.arange(2.0, 6.0) - 3.5))


def test_each_image_moves_by_its_own_amounts(images):
    own = torch.tensor([[0.0, 1.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0]])
    out = transform(images, own, replace(STILL, rotation=90))
    torch.testing.assert_close(out[0], images[0])
    torch.testing.assert_close(out[1], images[1].rot90(1, (1, 2)))


# ---- accuracy --------------------------------------------------------------------------


class LastPixelIsTheClass(nn.Module):
    """Predicts class k where the last pixel is k / 10."""

    def forward(self, x):
        return -(x[:, 0, -1, -1:] * 10 - torch.arange(10.0)).abs()


@pytest.mark.parametrize("batch_size", [3, 10, 500])
def test_accuracy_is_the_fraction_classified_correctly(batch_size):
    digits = made_up_digits(10)
    digits.images[:, 0, -1, -1] = torch.tensor([0, 1, 2, 3, 4, 5, 6, 0, 0, 0]) / 10
    assert accuracy(LastPixelIsTheClass().eval(), digits, batch_size) == 0.7


def test_accuracy_refuses_a_model_in_training_mode():
    with pytest.raises(InputError, match=r"training mode(.|\n)*model.eval\(\)"):
        accuracy(LastPixelIsTheClass().train(), made_up_digits(10))
