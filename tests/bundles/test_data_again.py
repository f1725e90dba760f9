"""The data of a bundle is read again as it was, other data by the same columns."""

from dataclasses import replace

import pytest
from helpers import made_bundles as made
from PIL import Image

from relprop.bundles.data_again import (
    array_width,
    column_of_texts,
    options_for_others,
    read_again,
    target_column,
)
from relprop.data import DataOptions, read_dataset
from relprop.data.dataset import Finding
from relprop.errors import InputError

SAID = {"target": ["animal"], "drop": ["seen"], "split": [0.3, 0.2], "test": "official.csv"}


@pytest.fixture
def table(tmp_path):
    frame = made.table().samples.assign(animal=[made.ANIMALS[k % 3] for k in range(60)])
    frame.to_csv(tmp_path / "animals.csv", index=False)
    return tmp_path / "animals.csv"


def content(source, **options):
    plain = made.content_of(made.table(), "mlp", width=8)
    return replace(plain, source=str(source), seed=3, options=options)


def test_the_own_data_is_read_with_the_same_parts(table):
    options = {"target": ["animal"], "split": [0.3, 0.2]}
    found = read_again(content(table, **options), str(table))
    expected = read_dataset(table, DataOptions(target="animal", split=(0.3, 0.2), seed=3))
    assert found.parts.tolist() == expected.parts.tolist()
    other = read_dataset(table, DataOptions(target="animal", split=(0.3, 0.2), seed=4))
    assert found.parts.tolist() != other.parts.tolist()


def test_a_path_that_is_written_otherwise_is_that_of_the_own_data(table, monkeypatch):
    monkeypatch.chdir(table.parent)
    found = read_again(content(table, target=["animal"], group="seen"), "./animals.csv")
    expected = read_dataset(table, DataOptions(target="animal", group="seen", seed=3))
    assert list(found.columns) == list(expected.columns)
    assert found.parts.tolist() == expected.parts.tolist()


def test_of_other_data_columns_are_alike_and_parts_are_not(table):
    said = options_for_others(content(table, **SAID))
    assert (said.target, said.drop, said.test) == (("animal",), ("seen",), None)
    assert said.split == DataOptions().split
    assert options_for_others(content(table, **SAID), "kind").target == ("kind",)


def test_the_target_is_the_column_that_was_found(table):
    assert target_column(content(table)) == "animal"
    labels = made.content_of(made.table(made.labels()), "mlp", width=8)
    assert target_column(labels) is None


def test_data_of_another_modality_is_refused(table):
    series = made.content_of(made.series(), "fcn", width=8)
    with pytest.raises(
        InputError, match=r"animals\.csv holds tables, and the model reads time series\n"
    ):
        read_again(series, table, "animal")


def test_pictures_for_a_table_are_refused_as_such_whatever_the_columns(table, tmp_path):
    for name in made.ANIMALS:
        (tmp_path / "shapes" / name).mkdir(parents=True)
        for i in range(4):
            Image.new("L", (8, 8), 20 * i).save(tmp_path / "shapes" / name / f"{i}.png")
    with pytest.raises(InputError, match=r"shapes holds pictures, and the model reads tables\n"):
        read_again(content(table, target=["animal"], drop=["seen"]), tmp_path / "shapes")


@pytest.mark.parametrize(
    ("columns", "findings", "width"),
    [
        (["column 1", "column 3"], {"column 2": "left out", "target": "target"}, 3),
        (["column 1"], {"column 2": "left out", "target": "column 3"}, 2),
        (["column 1", "column 3"], {"target": "column 2"}, None),  # the target is in between
        (["column 1", "age"], {"target": "target"}, None),
        ([], {"target": "target"}, None),
    ],
)
def test_arrays_have_the_columns_of_the_array_that_was_fitted(columns, findings, width):
    found = tuple(Finding(what, value, "") for what, value in findings.items())
    plain = made.content_of(made.table(), "mlp", width=8)
    kinds = dict.fromkeys(columns, "number")
    assert array_width(replace(plain, columns=kinds, findings=found)) == width


@pytest.mark.parametrize(
    ("value", "name"),
    [("column review", "review"), ("column 2", "column 2"), ("5,000 texts", None)],
)
def test_texts_are_of_the_column_that_was_found(value, name):
    plain = made.content_of(made.texts(), "ngrams")
    assert column_of_texts(replace(plain, findings=(Finding("text", value, ""),))) == name


def test_other_pictures_of_a_table_have_the_label_of_the_bundle(tmp_path):
    for i in range(12):
        Image.new("L", (8, 8), 20 * i).save(tmp_path / f"{i}.png")
    rows = [
        f"{i}.png,{'dark' if i < 6 else 'light'},{'rome' if i % 2 else 'bern'}" for i in range(12)
    ]
    (tmp_path / "other.csv").write_text("\n".join(["file,kind,site", *rows]))
    plain = made.content_of(made.pictures(), "mlp", width=8)
    findings = (Finding("names of pictures", "in a.csv", "a column"), Finding("target", "kind", ""))
    named = replace(plain, findings=findings, source=str(tmp_path / "a.csv"))
    assert read_again(named, tmp_path / "other.csv").target.names == ("dark", "light")
    assert read_again(named, tmp_path / "other.csv", "site").target.names == ("bern", "rome")
    given = replace(named, options={"labels": ["kind", "site"]})
    assert options_for_others(given).target == ()
