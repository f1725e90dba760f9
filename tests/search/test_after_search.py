"""What is kept of a budget for what comes after the search."""

import pytest

from relprop.search.after_search import averaged_models, ending_seconds, seconds_after
from relprop.search.timing import Timing


def timing(predicting):
    return Timing(preparing=1, start=1, step=1, steps=1, epochs=1, members=1, predicting=predicting)


@pytest.mark.parametrize(
    ("predicting", "models"),
    # 1,000 test samples may take 5 of 100 seconds: 0.1 s, 2 s or 10 s for each model
    [(1e-4, 5), (2e-3, 2), (1e-2, 1)],
)
def test_as_many_models_are_averaged_as_are_tested_in_time(predicting, models):
    assert averaged_models(100, timing(predicting), 1000) == models


def test_testing_writing_the_report_and_the_end_are_kept_time_for():
    # two models on 1,000 samples, the file of 1,000 predictions, 2 % for what is not known
    tested = 1.5 * (2 * 1000 * 1e-3 + 1 + 0.1) + 2
    # the report's usual 15 s and 5,000 predictions are more than a tenth of 100 s
    assert seconds_after(100, timing(1e-3), 1000, 2) == pytest.approx(tested + 10 + 2)
    # a tenth of 1,000 s is more than they take
    longer = 1.5 * (2 * 1000 * 1e-3 + 1 + 0.1) + 20
    assert seconds_after(1000, timing(1e-3), 1000, 2) == pytest.approx(longer + 20 + 20)
    # a slow model's report is cut at a minute
    slow = 1.5 * (1000 * 1e-1 + 1 + 0.1) + 20
    assert seconds_after(1000, timing(1e-1), 1000, 1) == pytest.approx(slow + 60 + 20)


def test_of_a_small_budget_half_a_second_is_kept_for_what_is_not_known():
    tested = 1.5 * (1000 * 1e-3 + 1 + 0.1) + 0.5
    assert seconds_after(10, timing(1e-3), 1000, 1) == pytest.approx(tested + 1 + 2)


def test_a_program_gets_two_seconds_to_end_or_more():
    assert (ending_seconds(10), ending_seconds(600)) == (2, 12)
