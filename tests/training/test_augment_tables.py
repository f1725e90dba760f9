"""Rows made of others: what share of cells is exchanged, and numbers between those of two rows."""

import numpy as np
import pandas as pd
import pytest

from relprop.errors import InputError
from relprop.training.augment_tables import made_rows

# In each row all columns tell the row's number.
FRAME = pd.DataFrame(
    {
        "a": np.arange(50.0),
        "b": [f"{i}" for i in range(50)],
        "c": pd.Timestamp("2024-01-01") + pd.to_timedelta(range(50), unit="D"),
        "d": np.arange(50.0) * 10,
    }
)


def made(**changes):
    options = {"swap": 0.25, "mix": False, "random": np.random.default_rng(0), **changes}
    return made_rows(FRAME, 4000, **options)


def test_so_many_cells_are_from_a_second_row():
    rows = made()
    sources = np.column_stack(
        [rows["a"], rows["b"].astype(int), (rows["c"] - FRAME["c"][0]).dt.days, rows["d"] / 10]
    )
    common = np.apply_along_axis(lambda row: np.bincount(row.astype(int)).max(), 1, sources)
    assert (rows.dtypes == FRAME.dtypes).all()
    # Of 4 cells, all are from one row with 0.75^4 + 0.25^4, plus what equal rows add.
    assert (common == 4).mean() == pytest.approx(0.75**4 + 0.25**4 + 0.02 * 0.68, abs=0.02)
    assert max(len(set(row)) for row in sources.tolist()) == 2


def test_without_either_rows_are_those_of_the_frame():
    rows = made(swap=0.0)
    want = FRAME.iloc[rows["a"].astype(int)].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows, want)


def test_mixed_numbers_share_one_share():
    rows = made(swap=0.0, mix=True)
    np.testing.assert_allclose(rows["d"], rows["a"] * 10)
    assert (rows["a"] % 1 > 0).mean() > 0.9
    assert set(rows["b"]) <= set(FRAME["b"])
    # A category is that of the nearer row more often than not.
    assert (rows["b"].astype(float) - rows["a"]).abs().median() < 5


def test_missing_numbers_stay_missing_or_are_exchanged():
    frame = pd.DataFrame({"a": [1.0, np.nan], "b": ["x", None]})
    rows = made_rows(frame, 1000, swap=0.5, mix=True, random=np.random.default_rng(0))
    assert set(rows["a"].dropna()) == {1.0}
    assert rows["a"].isna().mean() == pytest.approx(0.5, abs=0.05)
    assert set(rows["b"].dropna()) == {"x"}


def test_no_number_is_lost_to_a_row_that_lacks_it():
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0, np.nan], "b": [1.0, 2.0, 3.0, np.nan]})
    rows = made_rows(frame, 4000, swap=0.0, mix=False, random=np.random.default_rng(0))
    assert rows["a"].equals(rows["b"])  # all of a row is from the first one
    assert rows["a"].isna().mean() == pytest.approx(0.25, abs=0.03)
    assert rows["a"].value_counts().min() == pytest.approx(1000, abs=120)


def test_a_share_above_one_is_refused():
    with pytest.raises(InputError, match=r"swap is 1\.5"):
        made(swap=1.5)


def test_mixed_numbers_are_anywhere_between_those_of_two_rows():
    frame = pd.DataFrame({"a": [0.0, 1.0]})
    rows = made_rows(frame, 8000, swap=0.0, mix=True, random=np.random.default_rng(0))["a"]
    between = rows[(rows > 0) & (rows < 1)]
    assert len(between) == pytest.approx(4000, abs=200)
    assert between.var() == pytest.approx(1 / 12, abs=0.005)  # of a uniform distribution
