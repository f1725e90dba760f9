"""Which change of samples is chosen: by their kind, and by what settings ask for."""

import torch

from relprop.fit.augmentation import augmentation

EVERYTHING = {"flip": True, "cutout": 3, "noise": 0.5, "word_dropout": 0.9}
PICTURES, SERIES = torch.ones(40, 1, 8, 8), torch.ones(4, 2, 30)
ROWS, IDS = torch.ones(4, 6), torch.ones(4, 6, dtype=torch.long)


def test_pictures_are_changed_as_pictures():
    changed = augmentation(EVERYTHING, PICTURES)(PICTURES)
    assert set(changed.unique().tolist()) == {0.0, 1.0}  # cut out, and no noise


def test_series_are_changed_as_series():
    changed = augmentation(EVERYTHING, SERIES)(SERIES)
    assert len(changed.unique()) > 100


def test_token_ids_stay_token_ids():
    changed = augmentation(EVERYTHING, IDS)(IDS)
    assert changed.dtype == torch.long
    assert not torch.equal(changed, IDS)


def test_nothing_is_changed_where_nothing_is_asked_for():
    assert all(augmentation({"width": 64}, samples) is None for samples in (PICTURES, IDS))
    assert augmentation(EVERYTHING, ROWS) is None
