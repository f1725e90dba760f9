"""What a table holds: target, modality, groups and times, and what is warned of."""

import numpy as np
import pandas
import pytest

from relprop.data import DataOptions
from relprop.data.from_table import from_table
from relprop.data.raw import RawData, parts_of
from relprop.errors import InputError

N = 40
FRAME = pandas.DataFrame(
    {
        "age": np.arange(N) % 11 + 20,
        "job": np.array(["clerk", "chief", "cook", None])[np.arange(N) % 4],
        "day": pandas.date_range("2024-01-01", periods=N),
        "house": np.arange(N) // 4,
        "income": np.array(["low", "high"])[np.arange(N) % 2],
    }
)
WORDS = np.array(["the film is a long and slow one", "it is so good that I saw it twice"])
REVIEWS = [f"{WORDS[i % 2]} {i}" for i in range(N)]


def table(frame=FRAME, official="", named=True, targets=(), **options):
    official = official if isinstance(official, np.ndarray) else parts_of((official, len(frame)))
    keys = [f"row {i}" for i in range(len(frame))]
    raw = RawData(None, frame, keys, None, official, targets=targets, named=named)
    return from_table(raw, DataOptions(**options))


def values(made, what):
    return [one.value for one in made.raw.findings if one.what == what]


def test_a_table_with_a_target():
    made = table()
    assert (made.raw.modality, made.found.target.names) == ("table", ("high", "low"))
    assert made.columns == {"age": "number", "job": "category", "day": "date", "house": "number"}
    assert list(made.raw.samples.columns) == ["age", "job", "day", "house"]
    assert (values(made, "target"), values(made, "modality")) == (["income"], ["table"])
    assert made.groups is None
    assert made.times is None


def test_columns_that_are_dropped_or_have_a_role_are_no_features():
    made = table(drop=("age",), group="house")
    assert list(made.columns) == ["job", "day"]
    assert (values(made, "column age"), values(made, "column house")) == (
        ["left out"],
        ["group, no feature"],
    )
    assert made.groups.tolist() == [str(i // 4) for i in range(N)]
    timed = table(time="day")
    assert list(timed.columns) == ["age", "job", "house"]
    assert (np.diff(timed.times) > np.timedelta64(0)).all()
    assert table(time="house").times.tolist() == [i // 4 for i in range(N)]


def test_rows_without_a_group_are_groups_of_their_own():
    frame = FRAME.assign(house=[np.nan, np.nan, *[1.0] * (N - 2)])
    groups = table(frame, group="house").groups
    assert len(set(groups)) == 3
    assert set(groups[2:]) == {"1"}


def test_rows_without_a_target_are_left_out_everywhere():
    frame = FRAME.assign(income=FRAME["income"].where(np.arange(N) != 3))
    made = table(frame, group="house")
    assert "row 3" not in made.raw.keys
    assert [len(made.raw.keys), len(made.raw.samples), len(made.groups)] == [N - 1] * 3
    assert made.raw.samples["age"].iloc[3] == FRAME["age"].iloc[4]
    assert "1 of 40 samples have no label in 'income': they are left out." in made.raw.warnings


def test_a_target_of_single_values_is_refused_with_the_columns_to_choose_from():
    names = FRAME.assign(name=[f"person {i}" for i in range(N)])
    with pytest.raises(InputError, match=r"'name' has 40 classes, 40 of one sample") as caught:
        table(names, group="house")
    assert caught.value.todo == "choose another --target: age, job, day, income"
    numbers = FRAME.assign(name=np.arange(N) * 3)
    with pytest.raises(InputError) as caught:
        table(numbers, target="name", kinds={"name": "category"}, drop=("age", "job", "house"))
    todo = "write --column name=number, or choose another --target: day, income"
    assert caught.value.todo == todo


def test_labels_of_a_test_part_lose_the_dot_that_training_has_not():
    test = FRAME.assign(income=FRAME["income"] + ".")
    both = pandas.concat([FRAME, test], ignore_index=True)
    made = table(both, parts_of(("train", N), ("test", N)))
    assert made.found.target.names == ("high", "low")
    assert values(made, "labels of the test part") == ["without the dot at their end"]
    assert len(table(both).found.target.names) == 4


def test_a_test_part_without_targets_is_of_no_use():
    both = pandas.concat([FRAME, FRAME.assign(income=None)], ignore_index=True)
    made = table(both, parts_of(("train", N), ("test", N)))
    assert set(made.raw.official) == {""}
    assert any(w.startswith("The test part has no targets") for w in made.raw.warnings)


def test_a_column_that_leaks_is_warned_of():
    made = table(FRAME.assign(rich=FRAME["income"] == "high")[["rich", *FRAME.columns]])
    assert any(
        w.startswith("Column 'rich' is one to one with the target") for w in made.raw.warnings
    )


def test_texts_are_recognised_and_what_is_beside_them_is_left_out():
    frame = pandas.DataFrame(
        {"who": [f"p{i}" for i in range(N)], "said": REVIEWS, "label": FRAME["income"]}
    )
    made = table(frame)
    assert (made.raw.modality, made.raw.samples.tolist()) == ("text", REVIEWS)
    assert (values(made, "text"), values(made, "column who")) == (["column said"], ["left out"])
    assert made.columns == {}


def test_a_text_beside_numbers_is_a_table_unless_it_is_named_so_or_asked_for():
    frame = pandas.DataFrame({"age": FRAME["age"], "said": REVIEWS, "label": FRAME["income"]})
    made = table(frame)
    assert (made.raw.modality, list(made.columns)) == ("table", ["age"])
    assert any("'said' has free text, which is left out" in w for w in made.raw.warnings)
    assert table(frame, modality="text").raw.samples.tolist() == REVIEWS
    assert table(frame.rename(columns={"said": "review"})).raw.modality == "text"


def test_empty_texts_are_kept_and_counted():
    frame = pandas.DataFrame({"text": [*REVIEWS[:-2], " ", None], "label": FRAME["income"]})
    made = table(frame)
    assert made.raw.samples.tolist()[-2:] == [" ", ""]
    assert made.raw.warnings == ("2 texts without a word: empty.",)


def test_rows_as_series_and_as_pictures():
    rows = np.random.default_rng(0).integers(0, 256, (N, 64))
    frame = pandas.DataFrame(rows, columns=[f"pixel{i}" for i in range(64)]).assign(
        label=FRAME["income"]
    )
    made = table(frame)
    assert made.raw.modality == "picture"
    np.testing.assert_array_equal(made.raw.samples.reshape(N, 64), rows)
    assert made.raw.samples.shape == (N, 8, 8, 1)
    series = table(frame, modality="series")
    assert series.raw.samples[5].shape == (1, 64)
    np.testing.assert_array_equal(series.raw.samples[5][0], rows[5])
    assert table(frame, modality="table").raw.modality == "table"
    named = frame.rename(columns={"pixel9": "age"})
    assert table(named).raw.modality == "table"


def test_the_target_that_the_source_names_may_be_changed_by_the_user():
    assert values(table(targets=("job",)), "target") == ["job"]
    assert values(table(targets=("job",), target="age"), "target") == ["age"]


def test_several_labels_named_by_the_user_or_the_source():
    frame = FRAME.assign(a=np.arange(N) % 2, b=1 - np.arange(N) % 2)
    for made in (table(frame, labels=("a", "b")), table(frame, targets=("a", "b"))):
        assert (made.found.target.task, made.found.target.names) == ("labels", ("a", "b"))
        assert "a" not in made.columns
        assert "income" in made.columns


WRONG = {
    "a target": ({"target": "incom"}, "no column 'incom'\n.*income\n.*write --target income"),
    "a label": ({"labels": ("age", "x")}, "no column 'x'"),
    "a column to drop": ({"drop": ("jobs",)}, "no column 'jobs'\n.*\n.*write --drop job"),
    "a kind": ({"kinds": {"aeg": "date"}}, "no column 'aeg'"),
    "a group": ({"group": "hous"}, "no column 'hous'\n.*\n.*write --group house"),
    "a time": (
        {"time": "job"},
        "the time column 'job', which holds '.*'\n.*\n.*choose another --time: age, ",
    ),
    "a group that is the target": ({"group": "age", "target": "age"}, "column 'age', which is the"),
    "the target dropped": ({"target": "age", "drop": ("age",)}, "target 'age', which is left out"),
    "pictures": ({"modality": "picture"}, "columns of texts in pictures: job"),
    "texts": ({"modality": "text", "drop": ("job",)}, "no column of texts: age, day, house"),
}


@pytest.mark.parametrize("case", WRONG)
def test_options_that_do_not_fit_are_errors(case):
    options, message = WRONG[case]
    with pytest.raises(InputError, match=message):
        table(**options)


def test_rows_without_a_time_are_counted_in_the_error():
    frame = pandas.DataFrame({"x": np.arange(30) % 4, "t": np.arange(30.0), "y": ["a", "b"] * 15})
    frame.loc[[3, 7], "t"] = np.nan
    with pytest.raises(InputError, match=r"the time column 't', which is missing in 2 rows\n"):
        table(frame, time="t", target="y")


def test_whole_numbers_with_a_point_are_times():
    frame = pandas.DataFrame({"x": np.arange(30) % 4, "t": np.arange(30.0), "y": ["a", "b"] * 15})
    assert table(frame, time="t", target="y").times.tolist() == list(range(30))


def test_a_label_that_is_dropped_is_an_error():
    frame = pandas.DataFrame({"x": [0, 1], "a": [0, 1], "b": [1, 0]})
    with pytest.raises(InputError, match=r"target 'b'(?s:.*)leave b out of --drop"):
        table(frame, labels=("a", "b"), drop=("x", "b"))


def test_the_kind_of_a_misspelt_column_is_written_again():
    frame = pandas.DataFrame({"age": [0, 1], "y": ["a", "b"]})
    with pytest.raises(InputError, match=r"write --column age=category$"):
        table(frame, kinds={"agee": "category"})
