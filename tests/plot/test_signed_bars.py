"""Numbers as bars to both sides of zero."""

import pytest

from relprop.plot.signed_bars import feature_bars, on_one_scale
from relprop.plot.tables import Feature


def bars(*relevance, waterfall=False):
    features = [Feature(f"x{i}", "", value) for i, value in enumerate(relevance)]
    return feature_bars(features, waterfall)


def places(listed):
    return [(bar.start, bar.width, bar.positive) for bar in listed]


def test_bars_of_several_samples_share_the_room_between_all_of_them_and_zero():
    first, second = on_one_scale([bars(3.0, -1.0), bars(0.5)])
    assert places(first) == [(25, 75, True), (0, 25, False)]
    assert places(second) == [(25, 12.5, True)]


def test_bars_of_a_waterfall_begin_where_the_one_before_ends():
    (steps,) = on_one_scale([bars(3.0, -1.0, waterfall=True)])
    third = 100 / 3
    numbers = [number for place in places(steps) for number in place]
    expected = [*(0, 100, True), *(2 * third, third, False), *(0, 2 * third, True)]
    assert numbers == pytest.approx(expected)
    assert [bar.name for bar in steps] == ["x0", "x1", "sum"]


def test_bars_without_relevance_have_no_width():
    assert places(on_one_scale([bars(0.0)])[0]) == [(0, 0, True)]
