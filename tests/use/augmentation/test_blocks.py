"""Blocks by hand: their sums, their entries, and the probabilities with which ranks are chosen."""

import itertools

import pytest
import torch

from relprop.errors import InputError
from relprop.use.augmentation.blocks import Blocks, choose_blocks, choose_samples


@pytest.mark.parametrize("shape", [(2, 7), (2, 3, 7), (2, 3, 5, 4), (2, 2, 3, 4, 5)])
def test_sums_and_entries_of_blocks_one_by_one(shape):
    """Block by block with slices; the last ones are smaller."""
    values = torch.rand(shape, dtype=torch.float64)
    blocks = Blocks.of(values.shape, 2)
    places = shape[1:] if len(shape) == 2 else shape[2:]
    starts = list(itertools.product(*(range(0, size, 2) for size in places)))
    assert blocks.count == len(starts)
    sums = blocks.sums(values)
    for number, start in enumerate(starts):
        slices = (..., *(slice(at, at + 2) for at in start))
        expected = values[slices].flatten(1).sum(1)
        torch.testing.assert_close(sums[:, number], expected)
        chosen = torch.zeros(2, blocks.count, dtype=torch.bool)
        chosen[1, number] = True
        mask = torch.zeros_like(values, dtype=torch.bool)
        mask[1][slices] = True
        assert blocks.entries(chosen).expand(shape).equal(mask)


def test_without_chance_the_most_relevant_blocks_are_chosen():
    sums = torch.tensor([[1.0, -5.0, 3.0, 2.0], [0.0, 0.0, 0.0, 0.0]])
    state = torch.get_rng_state()
    chosen = choose_blocks(sums, 2, randomness=0)
    assert chosen.tolist() == [[False, False, True, True], [True, True, False, False]]
    assert state.equal(torch.get_rng_state())


@pytest.mark.parametrize("randomness", [0.3, 0.5, 0.8, 1.0])
def test_the_probability_to_be_chosen_by_rank(randomness):
    """Of two blocks the second is chosen where u2 - u1 > (1 - a) / a: a triangle's area."""
    torch.manual_seed(0)
    count = 20_000
    chosen = choose_blocks(torch.tensor([[2.0, 1.0]]).expand(count, 2), 1, randomness)
    assert chosen.sum(1).eq(1).all()
    gap = min(1.0, (1 - randomness) / randomness)
    expected = (1 - gap) ** 2 / 2
    assert chosen[:, 1].double().mean().item() == pytest.approx(expected, abs=0.012)


def test_probabilities_of_many_ranks_are_those_of_their_formula():
    torch.manual_seed(0)
    count, blocks, number, a = 20_000, 6, 2, 0.6
    got = choose_blocks(-torch.arange(6.0).expand(count, 6), number, a).double().mean(0)
    noise = torch.rand(200_000, blocks, dtype=torch.float64, generator=torch.Generator())
    ranks = torch.arange(blocks) / (blocks - 1)
    keys = (1 - a) * (1 - ranks) + a * noise
    limit = keys.sort(1, descending=True).values[:, number - 1 : number]
    torch.testing.assert_close(got, (keys >= limit).double().mean(0), rtol=0, atol=0.012)


def test_the_share_of_samples_is_exact_on_average_and_by_batch():
    torch.manual_seed(0)
    counts = [len(choose_samples(5, 0.5, torch.device("cpu"))) for _ in range(4_000)]
    assert set(counts) == {2, 3}
    assert sum(counts) / len(counts) == pytest.approx(2.5, abs=0.03)
    assert choose_samples(4, 1, torch.device("cpu")).tolist() == [0, 1, 2, 3]
    assert len(choose_samples(8, 0.25, torch.device("cpu")).unique()) == 2


@pytest.mark.parametrize(
    ("share", "side", "message"),
    [
        (0.01, 2, r"share=0.01 of the 4 blocks of a sample: 0 of them\n.*\n.*write share=0.25"),
        (0.99, 2, r"4 of them\n.*\n.*write share=0.75"),
        (0.5, 4, r"share=0.5 of the 1 blocks .*\n.*\n.*write block=2"),
    ],
)
def test_shares_of_no_block_or_of_all_are_refused(share, side, message):
    with pytest.raises(InputError, match=message):
        Blocks.of(torch.Size([1, 1, 4, 4]), side).number_of(share)


def test_of_one_place_nothing_can_be_masked_and_left():
    with pytest.raises(InputError) as caught:
        Blocks.of(torch.Size([3, 5, 1, 1]), 4).number_of(0.5)
    assert caught.value.todo.startswith("give samples of more than one place")
