"""Which change a batch gets is decided by what it holds."""

import pytest
import torch

from relprop.training.augmentation import augmentation

SETTINGS = {"shift": 1, "noise": 0.1, "word_dropout": 0.5}


def test_pictures_are_moved():
    pictures = torch.arange(2 * 9.0).reshape(2, 1, 3, 3)
    torch.manual_seed(0)
    changed = augmentation(SETTINGS, pictures)(pictures)
    assert not torch.equal(changed, pictures)
    assert set(changed.flatten().tolist()) <= set(pictures.flatten().tolist())


def test_series_get_noise():
    series = torch.zeros(50, 1, 40)
    torch.manual_seed(0)
    changed = augmentation(SETTINGS, series)(series)
    assert changed.std().item() == pytest.approx(0.1, rel=0.1)


def test_tokens_are_hidden():
    ids = torch.ones(50, 40, dtype=torch.int64)
    torch.manual_seed(0)
    changed = augmentation(SETTINGS, ids)(ids)
    assert (changed == 0).float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_rows_of_tables_stay():
    assert augmentation(SETTINGS, torch.zeros(3, 4)) is None
