"""The founding rule table: the poster's figures, and margins that are said once where all are 1."""

from dataclasses import replace

from relprop.demo.founding import MarginCell, mean_column, poster_rows, sections, strongest_column
from relprop.demo.poster import POSTER
from relprop.evaluate import Interval
from relprop.evaluate.statistics.classification import MarginStatistics


def group(largest, mean=0.5, n=30):
    return MarginStatistics(n, largest, mean, Interval(0.25, 0.75))


def test_neighbouring_margins_next_to_1_share_one_cell():
    column = strongest_column([group(0.999), group(1.0), group(0.5), group(0.995), group(None)])
    assert column == (
        MarginCell("all above 0.99", rows=2),
        None,
        MarginCell("0.5000"),
        MarginCell("0.9950"),  # alone, it is told
        MarginCell("\N{EN DASH}"),
    )


def test_a_mean_has_its_number_and_an_interval_where_n_allows():
    column = mean_column([group(0.9), group(0.9, n=2), group(0.9, mean=0.995), group(1, 0.999)])
    assert column == (
        MarginCell("0.500", "n = 30; 0.250 to 0.750"),
        MarginCell("0.500", "n = 2"),
        MarginCell("all above 0.99", rows=2),
        None,
    )


def test_the_poster_stands_beside_the_strongest_of_this_run(demo):
    most = demo.table.rows[0].most
    told = replace(most["zero"], correct=group(0.875), wrong=group(0.125))
    first = replace(demo.table.rows[0], most={**most, "zero": told})
    rows = poster_rows(replace(demo.table, rows=(first, *demo.table.rows[1:])))
    assert [row.recipe for row in rows] == list(POSTER)
    assert [row.printed for row in rows] == list(POSTER.values())
    assert rows[3].name == "Composite LRP"
    assert rows[0].here == (MarginCell("0.8750"), MarginCell("0.1250"))


def test_every_order_has_a_row_under_every_fill(demo):
    most, least, most_grey, _ = sections(demo.table)
    assert most.title == "The most relevant 4% of pixels set to black (fill zero)"
    assert least.title == "The 4% of least |relevance| of pixels set to black (fill zero)"
    assert list(most.rows)[5:8] == ["epsilon-gamma-box", "brightest first", "random ink"]
    assert most_grey.rows["epsilon"] == demo.table.main.most["mean"]
    assert least.rows["epsilon"] == demo.table.main.least["zero"]
    assert most.columns[0][0] == MarginCell(f"{most.rows['zero'].correct.mean:.3f}", "n = 4")
