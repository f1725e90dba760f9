"""A comparison as CSV: its numbers are those of the records."""

import csv

from helpers.comparison import METHODS

from relprop.compare.csv_rows import to_csv


def test_the_csv_has_the_numbers_of_the_records(comparison):
    rows = list(csv.DictReader(to_csv(comparison).splitlines()))
    result = comparison.results[1].methods[1]
    here = [row for row in rows if (row["fill"], row["method"]) == ("mean", METHODS[1])]
    (srg,) = (row for row in here if row["measure"] == "srg")
    ends = result.faithfulness.srg.interval
    expected = (result.faithfulness.srg.mean, ends.low, ends.high)
    assert tuple(float(srg[key]) for key in ("value", "low", "high")) == expected
    curve = [row for row in here if (row["order"], row["measure"]) == ("lerf", "score")]
    assert tuple(float(row["value"]) for row in curve) == result.lerf.curve
    assert tuple(float(row["share"]) for row in curve) == comparison.shares
    (largest,) = (
        row
        for row in here
        if (row["order"], row["measure"], row["share"]) == ("morf", "largest_margin_wrong", "0.03")
    )
    assert float(largest["value"]) == result.morf.summaries[1].wrong.largest
