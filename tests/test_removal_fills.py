"""Fills against their definitions, one entry at a time."""

import pytest
import torch
from helpers.removal_models import weighted

from relprop.errors import InputError
from relprop.evaluate import (
    FILLS,
    Fill,
    before_normalisation,
    blur,
    gaussian,
    marginal,
    mean,
    mode,
    removal_curve,
    removal_curves,
    uniform,
)

GEN = torch.Generator().manual_seed(0)
PICTURES = torch.rand(6, 2, 5, 4, generator=GEN).double()
TABLE = torch.tensor([[1.0, 5], [1, 7], [3, 7], [1, 9]])


def values(fill, x, gone=None, seed=0):
    fill = FILLS[fill]() if isinstance(fill, str) else fill
    gone = torch.ones_like(x, dtype=torch.bool) if gone is None else gone
    return fill.values(x, gone, torch.Generator().manual_seed(seed))


# ---- definitions -----------------------------------------------------------------------


def test_zero_is_zero():
    assert values("zero", PICTURES).equal(torch.zeros_like(PICTURES))


def test_the_mean_is_of_a_channel_or_of_a_column():
    got = values("mean", PICTURES)
    torch.testing.assert_close(got[3, 1, 2, 2], PICTURES[:, 1].mean())
    assert values("mean", TABLE).tolist() == [[1.5, 7.0]] * 4
    assert values(mean(TABLE[:2]), TABLE).tolist() == [[1.0, 6.0]] * 4


def test_the_sample_mean_is_of_a_picture_s_channel_or_of_a_row():
    torch.testing.assert_close(values("sample-mean", PICTURES)[3, 1, 0, 0], PICTURES[3, 1].mean())
    assert values("sample-mean", TABLE)[:, 0].tolist() == [3.0, 4.0, 5.0, 5.0]


def test_the_mode_is_what_a_column_has_most():
    assert values("mode", TABLE).tolist() == [[1.0, 7.0]] * 4
    skewed = torch.tensor([[1.0, 9], [1, 8], [2, 7], [3, 9], [4, 9]])
    assert values(mode(skewed), TABLE).tolist() == [[1.0, 9.0]] * 4
    assert values(mode(TABLE[2:3]), TABLE).tolist() == [[3.0, 7.0]] * 4
    assert values("mode", TABLE.long()).dtype == torch.long


@pytest.mark.parametrize("data", [None, PICTURES[:2] + 3])
def test_uniform_noise_is_between_the_least_and_the_greatest_value(data):
    seen, wide = PICTURES if data is None else data, PICTURES.repeat(500, 1, 1, 1)
    got = values(uniform(data), wide)
    for channel in range(2):
        low, high = seen[:, channel].min(), seen[:, channel].max()
        scaled = (got[:, channel] - low) / (high - low)
        # the quantiles of 60,000 uniform numbers are within 0.01 of their own level
        levels = torch.tensor([0.0, 0.25, 0.5, 0.75, 1.0]).double()
        torch.testing.assert_close(scaled.flatten().quantile(levels), levels, rtol=0, atol=0.01)
        assert 0 <= scaled.min() <= scaled.max() <= 1


@pytest.mark.parametrize("data", [None, PICTURES[:2] * 2 + 3])
def test_gaussian_noise_has_the_mean_and_the_deviation_of_the_data(data):
    seen, wide = PICTURES if data is None else data, PICTURES.repeat(500, 1, 1, 1)
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


def test_a_draw_is_another_sample_of_the_batch_or_any_of_the_data():
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


def test_blur_is_a_gaussian_mean_of_the_picture():
    """Against two loops over an impulse, and a flat picture that stays as it is."""
    x = torch.zeros(1, 1, 21, 21).double()
    x[0, 0, 10, 10] = 1.0
    got = values(blur(1.5), x)[0, 0]
    offsets = torch.arange(-5, 6).double()  # three deviations, rounded up
    bell = torch.exp(-(offsets**2) / (2 * 1.5**2))
    expected = torch.zeros(21, 21).double()
    for i in range(11):
        for j in range(11):
            expected[5 + i, 5 + j] = bell[i] * bell[j] / bell.sum() ** 2
    torch.testing.assert_close(got, expected)
    flat = torch.full((1, 3, 8, 8), 0.7).double()
    torch.testing.assert_close(values("blur", flat), flat)
    torch.testing.assert_close(values("blur", x), values(blur(2.1), x))


# ---- what a curve does with them -------------------------------------------------------


@pytest.mark.parametrize("name", FILLS)
def test_with_everything_gone_the_model_is_given_the_fill_alone(name):
    """Every fill that has a name, in a curve: the last column scores its values."""
    model, x = weighted(2, 5, 4)
    got = removal_curve(model, x, x, fill=name, steps=4, score="logit", target=0, seed=5)
    expected = model(values(name, x, seed=5))[:, 0]
    torch.testing.assert_close(got.scores[:, -1], expected.detach())
    assert got.fill == name


def test_a_number_a_tensor_and_a_function_are_fills():
    model, x = weighted(4, samples=3)

    def last(fill):
        got = removal_curve(model, x, x, fill=fill, steps=2, score="logit", target=0)
        return got.scores[:, -1]

    twos = torch.full_like(x, 2.0)
    expected = model(twos)[:, 0].detach()
    for fill in (2, 2.0, twos, twos[0], lambda x, gone, generator: twos):
        torch.testing.assert_close(last(fill), expected)


def test_a_function_is_told_what_is_gone_and_given_the_same_noise_at_every_step():
    model, x = weighted(4, samples=3)
    seen = []

    def half(x, gone, generator):
        seen.append((gone.sum(1).tolist(), torch.rand(1, generator=generator).item()))
        return x / 2

    got = removal_curve(model, x, x, fill=half, steps=4, score="logit", target=0, batch_size=1)
    assert [gone for gone, _ in seen] == [[k] * 3 for k in (1, 2, 3, 4)]  # all samples, each step
    assert len({noise for _, noise in seen}) == 1
    torch.testing.assert_close(got.scores[:, -1], got.scores[:, 0] / 2)
    assert got.fill == "half"


def test_a_fill_that_does_not_look_is_asked_once():
    model, x = weighted(4, samples=3)
    calls = []

    def zero(x, gone, generator):
        calls.append(gone)
        return torch.zeros_like(x)

    removal_curves(model, x, {"a": x, "b": -x}, fill=Fill("zero", zero), steps=4, batch_size=1)
    assert len(calls) == 1
    assert calls[0].all()


def test_what_is_kept_is_never_filled():
    model, x = weighted(2, 5, 4)
    seen = []
    hook = model.register_forward_hook(lambda m, args, out: seen.append(args[0]))
    order = torch.arange(20).repeat(5, 1)
    removal_curve(model, x, None, order=order, fill=7.0, steps=(8,))
    hook.remove()
    assert seen[1].flatten(2)[:, :, 8:].equal(x.flatten(2)[:, :, 8:])
    assert (seen[1].flatten(2)[:, :, :8] == 7.0).all()


# ---- before normalisation --------------------------------------------------------------

MEAN, STD = (0.5, 0.25), (0.2, 0.1)


@pytest.mark.parametrize("name", FILLS)
def test_a_fill_sees_the_picture_as_it_was_before_normalisation(name):
    m, s = (torch.tensor(v).double().reshape(1, 2, 1, 1) for v in (MEAN, STD))
    gone = torch.rand(PICTURES.shape, generator=torch.Generator().manual_seed(1)) < 0.3
    got = values(before_normalisation(name, MEAN, STD), (PICTURES - m) / s, gone)
    torch.testing.assert_close(got * s + m, values(name, PICTURES, gone))


def test_zero_before_normalisation_is_black():
    got = values(before_normalisation("zero", 0.5, 0.25), PICTURES)
    assert (got == -2.0).all()


def test_neighbours_before_normalisation_are_solved_anew_at_every_step():
    assert before_normalisation("neighbours", MEAN, STD).each_step
    assert not before_normalisation("blur", MEAN, STD).each_step


# ---- bad input -------------------------------------------------------------------------


def test_an_unknown_fill_is_named_with_the_known_ones():
    model, x = weighted(4)
    with pytest.raises(InputError, match="fill='balck'") as caught:
        removal_curve(model, x, x, fill="balck", steps=2)
    assert caught.value.allowed.startswith("one of zero, mean, sample-mean, mode, uniform")


@pytest.mark.parametrize(
    "fill", [torch.zeros(3), torch.zeros(5, 1), lambda x, gone, generator: x[:1]]
)
def test_a_fill_of_another_shape_is_refused(fill):
    model, x = weighted(4)
    with pytest.raises(InputError, match=r"gives \(.*\) for x of shape \(5, 4\)"):
        removal_curve(model, x, x, fill=fill, steps=2)
    assert model.rows == ([5] if callable(fill) else [])  # a function is first asked for a step


def test_a_fill_without_numbers_is_refused():
    model, x = weighted(4)
    with pytest.raises(InputError, match='the fill "nan" gives NaN'):
        removal_curve(model, x, x, fill=torch.nan, steps=2)
    with pytest.raises(InputError, match='the fill "<lambda>" gives NoneType'):
        removal_curve(model, x, x, fill=lambda x, gone, generator: None, steps=2)


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


@pytest.mark.parametrize("fill", ["blur", "neighbours", before_normalisation("zero", 0.5, 1.0)])
def test_some_fills_are_for_pictures_alone(fill):
    model, x = weighted(4)
    with pytest.raises(InputError, match=r"of x of shape \(5, 4\)"):
        removal_curve(model, x, x, fill=fill, steps=2)


def test_normalisation_is_by_channel():
    model, x = weighted(2, 5, 4)
    with pytest.raises(InputError, match="3 values of mean or std for pictures with 2 channels"):
        removal_curve(model, x, x, fill=before_normalisation("zero", (0, 0, 0), 1.0), steps=2)
