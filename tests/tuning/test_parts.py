"""Three disjoint parts of the samples."""

import pytest
import torch

from relprop.errors import InputError
from relprop.tuning.parts import divide_samples


def test_no_sample_is_in_two_parts():
    parts = divide_samples(torch.arange(100) % 3, 100, seed=0)
    everything = torch.cat([parts.search, parts.selection, parts.report])
    assert everything.sort().values.tolist() == list(range(100))
    assert parts.sizes == (25, 25, 50)


def test_each_part_has_its_share_of_every_class():
    classes = torch.tensor([0] * 40 + [1] * 40 + [2] * 40)
    parts = divide_samples(classes, 120, seed=3)
    for rows, share in (parts.search, 10), (parts.selection, 10), (parts.report, 20):
        assert classes[rows].bincount().tolist() == [share] * 3


def test_the_pieces_make_up_the_search_part():
    parts = divide_samples(None, 101, seed=0)
    assert torch.equal(torch.cat(parts.rungs), parts.search)
    assert [len(piece) for piece in parts.rungs] == [6, 6, 14]


def test_a_seed_decides():
    one, same, other = (divide_samples(None, 50, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(one.search, same.search)
    assert not torch.equal(one.search, other.search)


def test_too_few_samples_are_refused():
    with pytest.raises(InputError, match="11 samples to tune on"):
        divide_samples(None, 11, seed=0)
