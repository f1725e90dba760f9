"""Bundles of images like MNIST's are compared as shipped models are."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import made_bundles as made

from relprop import load_model
from relprop.bundles.bundle import load
from relprop.bundles.write import write_bundle
from relprop.compare.models import load_compared
from relprop.data.dataset import DataTarget
from relprop.errors import FileError, InputError


def digits(classes=10):
    rng = np.random.default_rng(0)
    numbers = DataTarget("classes", tuple("0123456789"[:classes]), np.arange(60) % classes)
    pictures = made.pictures(numbers, channels=1)
    return replace(pictures, samples=rng.integers(0, 256, (60, 28, 28, 1), dtype=np.uint8))


def test_a_bundle_takes_images_from_0_to_1_as_its_own_preparation_does(tmp_path):
    dataset = digits()
    write_bundle(tmp_path, made.content_of(dataset, "cnn", width=8))
    compared, bundle = load_compared(str(tmp_path)), load(tmp_path)
    x = torch.from_numpy(dataset.samples[:5]).permute(0, 3, 1, 2) / 255
    expected = bundle.model(bundle.prepare(dataset.samples[:5]))
    torch.testing.assert_close(compared.module(x), expected, rtol=1e-4, atol=1e-5)
    other = made.content_of(dataset, "cnn", width=8, seed=1)
    write_bundle(tmp_path, other)
    assert load_compared(str(tmp_path)).hash != compared.hash
    assert load_compared("mnist-cnn").family == "mnist"


def test_a_bundle_of_other_data_is_refused(tmp_path):
    write_bundle(tmp_path / "a", made.content_of(made.pictures(), "cnn", width=8))
    with pytest.raises(
        InputError, match=r"picture data of shape \(3, 16, 16\)(.|\n)*compare-models"
    ):
        load_compared(str(tmp_path / "a"))
    write_bundle(tmp_path / "b", made.content_of(digits(3), "cnn", width=8))
    with pytest.raises(InputError, match="a bundle of 3 classes"):
        load_compared(str(tmp_path / "b"))


def test_load_model_says_how_a_bundle_is_loaded(tmp_path):
    write_bundle(tmp_path, made.content_of(made.table(), "mlp", width=8))
    with pytest.raises(FileError, match=r'is a bundle\n.*\n.*relprop\.load\(".*"\)\.model'):
        load_model(tmp_path)
