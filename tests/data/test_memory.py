"""Which samples are taken where not all fit into memory."""

import numpy as np
import pytest

from relprop.data.memory import Limit, limit_of
from relprop.errors import InputError


def test_all_samples_are_taken_where_they_fit():
    assert Limit(1000, 0, True).choose(10, 1000, "rows", "a.csv") == (None, [])


def test_a_random_part_is_taken_in_order_and_it_is_said():
    rows, notes = Limit(10_000_000, 0, True).choose(1000, 40_000_000, "rows", "a.csv")
    assert len(rows) == 250
    assert (np.diff(rows) > 0).all()
    assert 400 < rows.mean() < 600
    assert notes == [
        "a.csv holds 1,000 rows of about 40 MB, more than the 10 MB that samples may take (half of "
        "the free memory, or a quarter of --memory): 250 of them, chosen at random, are used."
    ]


def test_the_seed_decides_which():
    first, again, other = (
        Limit(1000, seed, True).choose(1000, 4000, "rows", "a")[0].tolist() for seed in (0, 0, 1)
    )
    assert first == again != other


def test_a_limit_below_ten_samples_is_an_error_that_says_what_is_needed():
    with pytest.raises(
        InputError, match=r"a needs 4,000,000 bytes.*1,000 are allowed\n.*\n.*--memory 1040000"
    ):
        Limit(1000, 0, True).choose(1000, 4_000_000, "rows", "a")


def test_the_default_is_half_of_what_is_free():
    limit = limit_of(None, 3)
    with open("/proc/meminfo") as file:
        free = next(int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable"))
    assert limit.bytes == pytest.approx(free / 2, rel=0.2)
    assert (limit.seed, limit.given) == (3, False)
    assert limit_of(5_000_000, 0) == Limit(5_000_000, 0, True)
