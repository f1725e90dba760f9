"""Batches of a training: all samples, in another order each epoch, none of them tiny."""

import torch

from relprop.training.lightning_loop import Batches


def batches(samples, size):
    return Batches(samples, size, torch.Generator().manual_seed(0), "cpu")


def test_an_epoch_has_all_samples_in_batches_of_about_one_size():
    made = batches(65, 32)
    epoch = list(made)
    assert [len(rows) for rows in epoch] == [22, 22, 21]
    assert len(made) == 3
    assert sorted(torch.cat(epoch).tolist()) == list(range(65))


def test_the_next_epoch_has_another_order():
    made = batches(20, 20)
    first, second = next(iter(made)), next(iter(made))
    assert not torch.equal(first, second)
