"""Digits in a data folder, and the results of one comparison of two methods and two fills."""

from dataclasses import replace

import pytest
from helpers.comparison import COUNT, METHODS, MODEL
from helpers.idx_files import write_digits

from relprop.compare import Settings, compare
from relprop.data import first_digits, packaged_digits


@pytest.fixture(scope="session")
def digits():
    packaged = first_digits(packaged_digits(), COUNT)
    images = (packaged.images * 255).round() / 255
    images[250:] = (images[250:] * 127).round() / 255 + 128 / 255  # on grey
    return replace(packaged, images=images)


@pytest.fixture(scope="session")
def data(tmp_path_factory, digits):
    """A data folder with the first packaged digits as the test digits of both families."""
    home = tmp_path_factory.mktemp("data")
    for family in ("mnist", "fashion-mnist"):
        write_digits(home / family, digits)
    return home


@pytest.fixture(scope="session")
def settings(data):
    return Settings(
        *((MODEL,), METHODS, ("zero", "mean")), digits=None, steps=5, q=(0.2, 0.03), data_dir=data
    )


@pytest.fixture(scope="session")
def folder(settings, tmp_path_factory):
    """The folder of a finished comparison."""
    folder = tmp_path_factory.mktemp("comparison") / "out"
    compare(settings, folder)
    return folder


@pytest.fixture(scope="session")
def comparison(settings, folder):
    return compare(settings, folder)
