"""Parts: shares, classes, copies, groups, time, official parts, and independence of the order."""

import numpy as np
import pytest

from relprop.data.dataset import DataTarget
from relprop.data.split import SplitRequest, split_samples
from relprop.errors import InputError


def rng():
    return np.random.default_rng(0)


def hashes(count, seed=1):
    return np.random.default_rng(seed).integers(0, 2**63, count).astype(np.uint64)


def classes(values):
    values = np.asarray(values)
    return DataTarget("classes", tuple(map(str, range(values.max() + 1))), values.astype(np.int64))


def split(target, keys=None, **given):
    count = len(target.values)
    request = {
        "target": target,
        "hashes": hashes(count) if keys is None else keys,
        "official": np.full(count, "", "<U10"),
        "groups": None,
        "times": None,
        "shares": (0.15, 0.15),
        "seed": 0,
    }
    return split_samples(SplitRequest(**{**request, **given}))


def counts(parts, where=slice(None)):
    return [int((parts[where] == part).sum()) for part in ("train", "validation", "test")]


def test_each_class_is_in_each_part_in_the_same_share():
    values = np.repeat([0, 1, 2], [600, 300, 20])
    parts = split(classes(values)).parts
    assert counts(parts, values == 0) == [433, 77, 90]
    assert counts(parts, values == 1) == [217, 38, 45]
    assert counts(parts, values == 2) == [14, 3, 3]


def test_rare_classes_are_trained_on_first():
    values = np.repeat([0, 1, 2, 3], [50, 1, 2, 3])
    parts = split(classes(values)).parts
    assert counts(parts, values == 1) == [1, 0, 0]
    assert counts(parts, values == 2) == [2, 0, 0]
    assert counts(parts, values == 3) == [2, 0, 1]


def test_no_part_takes_all_of_a_class():
    values = np.repeat([0, 1, 2], [40, 1, 2])
    parts = split(classes(values), shares=(0.5, 0.5)).parts
    assert counts(parts, values == 1) == [1, 0, 0]
    assert counts(parts, values == 2) == [1, 0, 1]


def test_the_seed_decides_and_shares_are_as_asked():
    target = classes(rng().integers(0, 2, 1000))
    first, again, other = (split(target, seed=seed).parts for seed in (0, 0, 1))
    assert (first == again).all()
    assert 0.2 < (first != other).mean() < 0.5
    assert counts(split(target, shares=(0.3, 0.5)).parts) == [350, 350, 300]


def test_the_order_of_reading_does_not_matter():
    values, keys = rng().integers(0, 3, 400), hashes(400)
    order = rng().permutation(400)
    parts = split(classes(values), keys).parts
    assert (split(classes(values[order]), keys[order]).parts == parts[order]).all()


def test_copies_stay_in_one_part_also_with_other_labels():
    keys = np.tile(hashes(200), 3)
    result = split(classes(rng().integers(0, 2, 600)), keys)
    of_first = result.parts[:200]
    assert (result.parts.reshape(3, 200) == of_first).all()
    assert counts(result.parts) == [435, 75, 90]
    assert result.warnings == ("400 samples in all are copies of others.",)


def test_equal_samples_of_few_values_are_not_kept_together():
    keys, values = np.repeat(hashes(5), 60), rng().integers(0, 2, 300)
    result = split(classes(values), keys)
    assert sum(counts(result.parts)[1:]) == pytest.approx(300 * (1 - 0.85**2), abs=3)
    for key in np.unique(keys):
        assert set(result.parts[keys == key]) == {"train", "validation", "test"}
    assert result.warnings[-1] == (
        "Equal samples are not kept in one part: the largest set of equal ones has 60 of 300, so "
        "values are few."
    )
    order = rng().permutation(300)
    again = split(classes(values[order]), keys[order]).parts
    for key in np.unique(keys):
        for value in (0, 1):
            before = result.parts[(keys == key) & (values == value)]
            after = again[(keys[order] == key) & (values[order] == value)]
            assert sorted(before) == sorted(after)


def test_groups_stay_in_one_part_and_are_joined_by_copies():
    groups = np.repeat([f"g{i}" for i in range(40)], 10)
    keys = hashes(400)
    keys[399] = keys[0]  # the last group has a copy of a sample of the first
    parts = split(classes(rng().integers(0, 2, 400)), keys, groups=groups).parts
    of_group = {g: set(parts[groups == g]) for g in np.unique(groups)}
    assert {len(found) for found in of_group.values()} == {1}
    assert of_group["g0"] == of_group["g39"]
    assert counts(parts) == [280, 50, 70]


def test_the_latest_are_the_test_part_and_the_same_time_stays_together():
    times = np.array([10, 0, 3, 4, 5, 6, 7, 8, 9, 9, 9, 1, 2, 11, 12, 13, 14, 15, 16, 17], float)
    parts = split(classes(np.arange(20) % 2), times=times, shares=(0.2, 0.25)).parts
    assert sorted(times[parts == "test"]) == [14, 15, 16, 17]
    assert sorted(times[parts == "validation"]) == [10, 11, 12, 13]
    ties = split(classes(np.arange(20) % 2), times=np.repeat([1.0, 2.0, 3.0], [10, 5, 5])).parts
    assert counts(ties) == [10, 5, 5]


def test_official_parts_are_kept_and_copies_across_are_counted():
    official = np.repeat(["train", "test"], [80, 20]).astype("<U10")
    keys = hashes(100)
    keys[80:83] = keys[:3]
    result = split(classes(np.arange(100) % 2), keys, official=official)
    assert counts(result.parts) == [68, 12, 20]
    assert (result.parts[80:] == "test").all()
    assert "3 of 20 test samples are copies of samples outside the test part." in result.warnings
    official[:10] = "validation"
    assert counts(split(classes(np.arange(100) % 2), official=official).parts) == [70, 10, 20]


def test_classes_that_are_in_the_test_part_alone_are_named():
    official = np.repeat(["train", "test"], [30, 10]).astype("<U10")
    values = np.arange(40) % 2
    values[35:] = 2
    assert split(classes(values), official=official).warnings == (
        "Classes of which all samples are in the test part: 2.",
    )


def test_all_ranges_of_a_value_are_in_each_part():
    values = rng().normal(size=1000)
    parts = split(DataTarget("value", ("y",), values)).parts
    assert counts(parts) == [720, 130, 150]
    tenth = np.digitize(values, np.quantile(values, np.linspace(0.1, 0.9, 9)))
    assert [counts(parts, tenth == i)[2] for i in range(10)] == [15] * 10


def test_rare_labels_are_in_each_part():
    values = np.zeros((300, 2), np.float32)
    values[:150, 0] = 1
    values[:30, 1] = 1
    parts = split(DataTarget("labels", ("often", "rare"), values)).parts
    assert counts(parts, values[:, 1] == 1) == [21, 4, 5]
    assert counts(parts, values[:, 0] == 1) == [108, 19, 23]


@pytest.mark.parametrize(
    ("target", "given", "message"),
    [
        (classes([0, 1, 0]), {}, "3 samples with a label\n.*10 at least"),
        (classes([0, 1] * 10), {"groups": np.full(20, "g")}, "20 samples, of which none would be"),
    ],
)
def test_parts_that_cannot_be_made_are_errors(target, given, message):
    with pytest.raises(InputError, match=message):
        split(target, **given)


def test_findings_say_how_many_and_why():
    findings = split(classes(np.arange(100) % 2), seed=5).findings
    assert [(one.what, one.value) for one in findings] == [
        ("train part", "72 samples"),
        ("validation part", "12 samples"),
        ("test part", "16 samples"),
    ]
    assert "each class in the same share, seed 5" in findings[2].reason


def test_copies_in_small_data_stay_in_one_part():
    for seed in range(20):
        keys = hashes(20)
        keys[10:12] = keys[:2]
        result = split(classes(np.arange(20) % 2), keys, seed=seed)
        assert result.parts[10:12].tolist() == result.parts[:2].tolist()
        assert result.warnings == ("2 samples in all are copies of others.",)


def test_groups_that_an_official_test_part_has_as_well_are_named():
    official = np.repeat(["train", "test"], [80, 20]).astype("<U10")
    groups = np.array([f"g{i // 4}" for i in range(100)])
    groups[80] = "g0"
    result = split(classes(np.arange(100) % 2), official=official, groups=groups)
    assert result.warnings == ("Groups inside and outside the test part: g0.",)
    assert split(classes(np.arange(100) % 2), groups=groups).warnings == ()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"groups": np.full(60, "g")}, r"groups kept together\n.*another --group"),
        ({"times": np.ones(60)}, r"rows of one time kept together\n.*another --time"),
    ],
)
def test_a_column_that_makes_no_parts_is_named(given, message):
    with pytest.raises(InputError, match=message):
        split(classes(np.arange(60) % 2), **given)
