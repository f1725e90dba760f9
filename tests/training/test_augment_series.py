"""Series are changed at random, each in its own way, and never in their padding."""

import pytest
import torch

from relprop.errors import InputError
from relprop.training.augment_series import augment_series, has_mask, stretch_time

STEPS = torch.arange(40.0).expand(200, 1, 40)
MASK = (torch.arange(40) < torch.tensor([40, 25, 1, 2]).repeat(50)[:, None]).float()[:, None]
MASKED = torch.cat([STEPS * MASK, MASK], 1)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_nothing_is_changed_where_no_setting_asks_for_it():
    assert augment_series({}, STEPS) is None
    assert augment_series({"noise": 0.0, "scale": 0, "stretch": 0}, STEPS) is None


def test_noise_has_the_strength_that_was_asked_for_at_each_step():
    added = augment_series({"noise": 0.3}, STEPS)(STEPS) - STEPS
    assert added.std().item() == pytest.approx(0.3, rel=0.05)
    assert abs(torch.corrcoef(added[:, 0, :2].T)[0, 1]) < 0.2


def test_a_series_is_scaled_as_a_whole():
    twos = torch.full((2000, 2, 3), 2.0)  # which are no mask
    factors = augment_series({"scale": 0.2}, twos)(twos) / 2
    assert torch.equal(factors, factors[:, :1, :1].expand_as(factors))
    assert factors[:, 0, 0].std().item() == pytest.approx(0.2, rel=0.1)
    assert factors.mean().item() == pytest.approx(1, abs=0.02)


def test_a_stretched_line_has_another_slope_within_the_limit():
    slopes = stretch_time(STEPS, None, 0.25)[:, 0].diff(dim=1)[:, 18:20].amax(1)  # in the middle
    assert 0.75 <= slopes.min() < 0.8
    assert 1.2 < slopes.max() <= 1.2501


def test_a_stretched_series_keeps_a_moment_and_is_held_at_its_ends():
    moved = stretch_time(STEPS, None, 0.5)[:, 0] - STEPS[:, 0]
    assert (moved.abs().amin(1) < 0.5).all()
    assert stretch_time(STEPS, None, 0.5).amin() == 0
    assert stretch_time(STEPS, None, 0.5).amax() == 39


@pytest.mark.parametrize("settings", [{"noise": 0.5}, {"scale": 0.5}, {"stretch": 0.5}])
def test_mask_and_padding_stay(settings):
    changed = augment_series(settings, MASKED)(MASKED)
    assert torch.equal(changed[:, 1:], MASK)
    assert torch.equal(changed[:, :1] * (1 - MASK), torch.zeros_like(MASK))
    assert not torch.equal(changed[:, :1], MASKED[:, :1])


def test_a_stretched_series_never_reads_its_padding():
    series = torch.cat([MASK * 5, MASK], 1)
    assert torch.equal(augment_series({"stretch": 0.5}, series)(series), series)


def test_a_mask_is_told_from_a_channel():
    assert has_mask(MASKED)
    assert not has_mask(STEPS)
    assert not has_mask(torch.zeros(3, 2, 5))  # a constant channel, standardised
    assert not has_mask(torch.tensor([[[0.0, 1, 1]]]))


@pytest.mark.parametrize(
    ("settings", "match"),
    [
        ({"noise": -1}, "noise is -1"),
        ({"scale": "much"}, "scale is 'much'"),
        ({"stretch": 1.0}, r"stretch is 1\.0"),
        ({"stretch": True}, "stretch is True"),
    ],
)
def test_settings_out_of_range_are_refused(settings, match):
    with pytest.raises(InputError, match=match):
        augment_series(settings, STEPS)
