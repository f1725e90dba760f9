"""The tables of a comparison in a terminal: the best method first, and every share q."""

from helpers.comparison import METHODS

from relprop.compare.tables import tables


def test_the_tables_name_the_best_first_and_show_every_q(comparison):
    text = tables(comparison).splitlines()
    result = comparison.results[0]
    first = text[text.index(next(line for line in text if "SRG" in line)) + 1]
    assert first.startswith(result.best.method)
    assert str(result.best.faithfulness.srg) in first
    assert first.endswith("best")
    start = next(i for i, line in enumerate(text) if "relevant 3% of pixels" in line)
    row = next(line for line in text[start:] if line.startswith(METHODS[1]))
    summary = result.methods[1].morf.summaries[1]
    assert f"{summary.error_rate.value:.1%}" in row
    assert f"{summary.wrong.largest:.5f}" in row


def test_the_tables_fit_a_terminal_and_name_the_data(comparison):
    text = tables(comparison)
    assert max(len(line) for line in text.splitlines()) <= 88
    assert "257 of 257: MNIST test split" in " ".join(text.split())
