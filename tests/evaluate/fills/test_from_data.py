"""Fills from data against their definitions, one entry at a time."""

import pytest
import torch
from helpers.fill_values import IMAGES, TABLE, values
from helpers.removal_models import weighted

from relprop.errors import InputError
from relprop.evaluate import gaussian, marginal, mean, mode, ranking, removal_curve, uniform


def test_zero_is_zero():
    assert values("zero", IMAGES).equal(torch.zeros_like(IMAGES))


def test_the_mean_is_of_a_channel_or_of_a_column():
    got = values("mean", IMAGES)
    torch.testing.assert_close(got[3, 1, 2, 2], IMAGES[:, 1].mean())
    assert values("mean", TABLE).tolist() == [[1.5, 7.0]] * 4
    assert values(mean(TABLE[:2]), TABLE).tolist() == [[1.0, 6.0]] * 4


def test_the_sample_mean_is_of_a_image_s_channel_or_of_a_row():
    torch.testing.assert_close(values("sample-mean", IMAGES)[3, 1, 0, 0], IMAGES[3, 1].mean())
    assert values("sample-mean", TABLE)[:, 0].tolist() == [3.0, 4.0, 5.0, 5.0]


def test_the_mode_is_what_a_column_has_most():
    assert values("mode", TABLE).tolist() == [[1.0, 7.0]] * 4
    skewed = torch.tensor([[1.0, 9], [1, 8], [2, 7], [3, 9], [4, 9]])
    assert values(mode(skewed), TABLE).tolist() == [[1.0, 9.0]] * 4
    assert values(mode(TABLE[2:3]), TABLE).tolist() == [[3.0, 7.0]] * 4
    assert values("mode", TABLE.long()).dtype == torch.long


@pytest.mark.parametrize("data", [None, IMAGES[:2] + 3])
def test_uniform_noise_is_between_the_least_and_the_greatest_value(data):
    seen, wide = IMAGES if data is None else data, IMAGES.repeat(500, 1, 1, 1)
    got = values(uniform(data), wide)
    for channel in range(2):
        low, high = seen[:, channel].min(), seen[:, channel].max()
        scaled = (got[:, channel] - low) / (high - low)
        # the quantiles of 60,000 uniform numbers are within 0.01 of their own level
        levels = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]).double()
        torch.testing.assert_close(scaled.flatten().quantile(levels), levels, rtol=0, atol=0.01)
        assert 0 <= scaled.min() <= scaled.max() <= 1


@pytest.mark.parametrize("data", [None, IMAGES[:2] * 2 + 3])
def test_gaussian_noise_has_the_mean_and_the_deviation_of_the_data(data):
    seen, wide = IMAGES if data is None else data, IMAGES.repeat(500, 1, 1, 1)
    got = values(gaussian(data), wide)
    for channel in range(2):
        z = (got[:, channel] - seen[:, channel].mean()) / seen[:, channel].std(correction=0)
        share_within_1 = (z.abs() < 1).double().mean()
        assert z.mean().abs() < 0.02
        assert float(share_within_1) == pytest.approx(0.6827, abs=0.01)


def test_the_deviation_is_that_of_the_data_themselves():
    """0 and 2 are 1 off their mean, not the square root of 2: they are no sample of anything."""
    pair = torch.tensor([[0.0], [2.0]]).double()
    got = values(gaussian(pair), pair.repeat(20_000, 1))
    assert float(got.std()) == pytest.approx(1.0, abs=0.02)


def test_marginal_is_another_sample_of_the_batch_or_any_of_the_data():
    drawn = {seed: values("marginal", TABLE, seed=seed) for seed in range(50)}
    rows = {tuple(row) for row in TABLE.tolist()}
    for got in drawn.values():
        assert {tuple(row) for row in got.tolist()} <= rows
        assert not (got == TABLE).all(1).any()  # never itself
    assert {tuple(got[0].tolist()) for got in drawn.values()} == rows - {(1.0, 5.0)}
    other = values(marginal(TABLE[:1] + 10), TABLE)
    assert other.tolist() == [[11.0, 15.0]] * 4
    assert {row[1] for row in values(marginal(TABLE), TABLE.repeat(9, 1)).tolist()} == {
        5.0,
        7.0,
        9.0,
    }


@pytest.mark.parametrize("fill", ["mean", "gaussian", "uniform", "sample-mean", 0.5])
def test_token_ids_have_no_mean(fill):
    ids, relevance = torch.tensor([[0, 1], [2, 2]]), torch.rand(2, 2)
    with pytest.raises(InputError) as caught:
        removal_curve(lambda ids: ids.float(), ids, relevance, fill=fill, steps=2)
    assert caught.value.allowed == "whole numbers, as token ids and categories are"


def test_data_are_samples_like_those_of_the_batch():
    model, x = weighted(4)
    with pytest.raises(InputError, match=r"data of shape \(2, 3\) for a fill of x of shape \(5, 4"):
        removal_curve(model, x, x, fill=marginal(torch.zeros(2, 3)), steps=2)


def test_a_single_sample_has_no_other_to_draw_from():
    model, x = weighted(4, samples=1)
    with pytest.raises(InputError, match='fill="marginal" for a single sample'):
        removal_curve(model, x, x, fill="marginal", steps=2)


def test_a_table_s_columns_become_their_mean():
    """A linear score then falls to that of the mean row, by what each column stands above it."""
    model, x = weighted(6, samples=8)
    above = (x - x.mean(0)) * model.w
    got = removal_curve(model, x, above, fill="mean", steps=6, score="logit", target=0)
    order = ranking(above)
    left = above.gather(1, order).flip(1).cumsum(1).flip(1)
    mean_row = (x.mean(0) * model.w).sum()
    torch.testing.assert_close(got.scores[:, :6], left + mean_row)
    torch.testing.assert_close(got.scores[:, 6], mean_row.expand(8).detach())
