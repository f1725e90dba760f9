"""Rankings of features: means of |R| by hand, by class and by fold; what is first how often."""

import numpy as np
import torch

from relprop.data.dataset import DataTarget
from relprop.use.selection.held_out import HeldOutRelevance
from relprop.use.selection.ranking import rank_by_relevance

NAMES = ("a", "b", "c")
HELD_OUT = HeldOutRelevance(
    NAMES,
    torch.tensor([[1.0, -3.0, 0.0], [-1.0, 1.0, 2.0], [0.0, 2.0, -6.0], [2.0, 0.0, 2.0]]),
    rows=np.array([3, 1, 0, 2]),
    fold=np.array([0, 0, 1, 1]),
)
# of samples 0 to 3; in the order of the relevance: no, yes, yes, no
CLASSES = DataTarget("classes", ("no", "yes"), np.array([1, 1, 0, 0]))
VALUE = DataTarget("value", ("price",), np.array([0.5, 1.5, 2.5, 3.5]))


def test_importance_is_the_share_of_mean_sizes_of_all_samples_and_of_each_class():
    ranking = rank_by_relevance(HELD_OUT, CLASSES)
    np.testing.assert_allclose(ranking.importance, np.array([4, 6, 10]) / 20)
    assert ranking.classes == ("no", "yes")
    np.testing.assert_allclose(ranking.by_class, [[3 / 8, 3 / 8, 2 / 8], [1 / 12, 3 / 12, 8 / 12]])
    assert ranking.order.tolist() == [2, 1, 0]
    assert ranking.best(2).tolist() == [False, True, True]


def test_of_labels_the_samples_count_that_have_one():
    """Samples 0 and 3 have "cat", all but sample 3 "dog"."""
    labels = DataTarget("labels", ("cat", "dog"), np.array([[1, 1], [0, 1], [0, 1], [1, 0]]))
    ranking = rank_by_relevance(HELD_OUT, labels)
    assert ranking.classes == ("cat", "dog")
    np.testing.assert_allclose(
        ranking.by_class, [[1 / 12, 5 / 12, 6 / 12], [3 / 16, 3 / 16, 10 / 16]]
    )


def test_ranks_are_those_of_each_fold():
    ranking = rank_by_relevance(HELD_OUT, VALUE)
    # sizes of fold 0: 2, 4, 2; of fold 1: 2, 2, 8; equal ones are in their own order
    assert ranking.ranks.tolist() == [[2, 1, 3], [2, 3, 1]]
    assert ranking.stability(1).tolist() == [0.0, 0.5, 0.5]
    assert ranking.stability(2).tolist() == [1.0, 0.5, 0.5]


def test_the_table_is_sorted_and_has_a_column_for_each_of_several_classes():
    frame = rank_by_relevance(HELD_OUT, CLASSES).to_frame()
    assert frame["feature"].tolist() == ["c", "b", "a"]
    assert frame["importance"].tolist() == [0.5, 0.3, 0.2]
    np.testing.assert_allclose(frame["importance for yes"], [8 / 12, 3 / 12, 1 / 12])
    assert frame["highest rank"].tolist() == [1, 1, 2]
    assert frame["lowest rank"].tolist() == [3, 3, 2]
    assert "importance for price" not in rank_by_relevance(HELD_OUT, VALUE).to_frame()


def test_relevance_of_zero_has_no_share():
    none = HeldOutRelevance(NAMES, torch.zeros(4, 3), HELD_OUT.rows, HELD_OUT.fold)
    assert rank_by_relevance(none, CLASSES).importance.tolist() == [0, 0, 0]
