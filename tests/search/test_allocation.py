"""How the time of a search is divided, by what one training takes."""

import pytest

from relprop.search.allocation import FOLDS, allocate


@pytest.mark.parametrize(
    ("training", "epoch", "kind"),
    [
        (10, 1, "whole"),
        (280, 10, "whole"),
        (290, 10, "slices"),
        (5000, 40, "slices"),
        (5000, 60, "single"),
    ],
)
def test_the_longer_a_training_the_fewer_are_whole(training, epoch, kind):
    assert allocate(training=training, epoch=epoch, seconds=800, fold=False).kind == kind


def test_short_trainings_take_two_passes_or_a_twentieth_and_a_quarter_together():
    found = allocate(training=3000, epoch=10, seconds=800, fold=False)
    assert (found.trial, found.explore) == (40, 200)
    slower = allocate(training=3000, epoch=40, seconds=800, fold=False)
    assert (slower.trial, slower.explore) == (80, 200)


@pytest.mark.parametrize(("training", "long"), [(3000, 1), (410, 1), (390, 2), (290, 2)])
def test_of_the_time_after_short_trainings_whole_ones_are_made(training, long):
    assert allocate(training=training, epoch=10, seconds=800, fold=False).long == long


def test_whole_trainings_may_take_twice_the_default_and_leave_time_for_one_more():
    found = allocate(training=100, epoch=5, seconds=800, fold=False)
    assert (found.trial, found.usual, found.explore) == (200, 100, 570)


def test_beside_a_fast_default_others_have_a_tenth_of_the_time_but_not_what_is_kept():
    found = allocate(training=4, epoch=1, seconds=800, fold=False)
    assert (found.trial, found.usual) == (80, 4)
    assert found.explore == pytest.approx(800 - 2.3 * 4)
    limits = [found.limit(spent) for spent in (0, 700, 750, 790, 795)]
    assert limits == pytest.approx([80, 80, 800 - 9.2 - 750, 8, 8])
    slow = allocate(training=100, epoch=5, seconds=800, fold=False)
    assert [slow.limit(spent) for spent in (0, 560, 700)] == [200, 200, 200]


def test_folds_leave_time_to_train_on_everything():
    found = allocate(training=10, epoch=1, seconds=800, fold=True)
    assert (found.kind, found.usual, found.explore) == ("folds", FOLDS * 10, 760)
    assert found.trial == 2 * FOLDS * 10
    assert allocate(training=500, epoch=1, seconds=800, fold=True).explore == 400


def test_a_single_training_has_all_the_time():
    found = allocate(training=9000, epoch=900, seconds=800, fold=False)
    assert (found.kind, found.trial, found.usual, found.explore) == ("single", 800, 800, 0)


def test_a_plan_says_what_it_does():
    texts = [
        allocate(training=t, epoch=e, seconds=800, fold=f).describe()
        for t, e, f in [
            *[(1, 1, True), (1, 1, False), (3000, 10, False), (300, 10, False)],
            (9000, 900, False),
        ]
    ]
    assert texts == [
        "the default learns everything; each trial is validated on 5 folds, "
        "as far as there is time",
        "each trial is a whole training; where there is time, the best settings then learn most "
        "of the validation part, too",
        "trials of 40 s choose what is trained for the other time",
        "trials of 40 s choose what is trained for the other time, 2 times, to average",
        "there is time for one training",
    ]
