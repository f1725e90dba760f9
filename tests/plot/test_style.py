"""Relevance as shares of what full colour stands for."""

import pytest
import torch

from relprop.errors import InputError
from relprop.plot.style import MapStyle, limits_of, shares

R = torch.tensor([[1.0, -4.0, 0.5, 2.0], [0.25, 0.0, -0.5, 0.125]])


@pytest.mark.parametrize(
    ("options", "limits"),
    [
        ({}, [4.0, 0.5]),
        ({"limits": "batch"}, [4.0, 4.0]),
        ({"limits": 3}, [3.0, 3.0]),
        ({"sign": "positive"}, [2.0, 0.25]),
        ({"sign": "positive", "limits": "batch"}, [2.0, 2.0]),
        ({"sign": "absolute"}, [4.0, 0.5]),
        ({"clip": 34}, [2.0, 0.25]),  # the largest of four is an outlier
        ({"clip": 67}, [1.0, 0.125]),
    ],
)
def test_the_limit_is_the_largest_relevance_that_is_shown(options, limits):
    assert limits_of(list(R), R, MapStyle(**options)) == limits


def test_clipping_leaves_the_outliers_of_a_map_that_is_zero_elsewhere():
    assert MapStyle(clip=50).limit_of(torch.tensor([0.0, 0, 0, 5])) == 5.0
    assert MapStyle().limit_of(torch.zeros(4)) == 1.0


def test_shares_are_of_the_limit_and_end_at_one():
    assert shares(R[0], 2.0, MapStyle()).tolist() == [0.5, -1.0, 0.25, 1.0]
    assert shares(R[0], 2.0, MapStyle(sign="positive")).tolist() == [0.5, 0.0, 0.25, 1.0]
    assert shares(R[0], 4.0, MapStyle(sign="absolute")).tolist() == [0.25, 1.0, 0.125, 0.5]


@pytest.mark.parametrize(
    ("options", "todo"),
    [
        ({"sign": "positve"}, 'write sign="positive"'),
        ({"limits": "batches"}, 'write limits="batch"'),
        ({"limits": 0}, 'write limits="batch"'),
        ({"limits": float("nan")}, 'write limits="batch"'),
        ({"clip": 100}, "write clip=2"),
        ({"clip": "2%"}, "write clip=2"),
        ({"cmap": "RdBu_rr"}, 'write "RdBu_r"'),
        ({"cmap": "viridis"}, 'write sign="absolute" beside it, or leave cmap out'),
    ],
)
def test_an_option_that_is_wrong_is_refused_with_the_line_to_write(options, todo):
    with pytest.raises(InputError) as error:
        MapStyle(**options)
    assert error.value.todo == todo


def test_a_map_without_a_middle_is_for_relevance_of_one_sign():
    assert not MapStyle(cmap="viridis", sign="absolute").has_middle
    assert MapStyle(cmap="seismic").has_middle
