"""Means of the target by category: the formula, and rare categories as one."""

import json

import numpy as np

from relprop.prepare.wide_categories import WideCategories

# 40 of a, 20 of b, and 19 of c, which is too rare for a mean of its own, as is d.
TEXT = np.array(["a"] * 40 + ["b"] * 20 + ["c"] * 19 + ["d"], dtype=object)
TARGETS = np.column_stack([np.arange(80.0), TEXT == "b"])


def test_a_mean_is_drawn_to_that_of_all_by_twenty_samples():
    fitted = WideCategories.fit(TEXT, TARGETS)
    assert fitted.kept == ("a", "b")
    all_, a, b, rare = TARGETS.mean(0), TARGETS[:40], TARGETS[40:60], TARGETS[60:]
    want = [(part.sum(0) + 20 * all_) / (len(part) + 20) for part in (a, b, rare, rare)]
    got = fitted.apply(np.array(["a", "b", "c", "never seen"], dtype=object))
    np.testing.assert_allclose(got, want)


def test_restored_without_fitting_it_is_the_same():
    fitted, tensors = WideCategories.fit(TEXT, TARGETS), {}
    state = json.loads(json.dumps(fitted.state(tensors)))
    restored = WideCategories.restore(state, tensors)
    np.testing.assert_array_equal(restored.apply(TEXT), fitted.apply(TEXT))
