"""Whole data sets: real ones, and made ones of each modality."""

import numpy as np
import pandas
import pytest
from helpers.real_data import FOLDER, needs_mnist
from PIL import Image

from relprop.data import DataOptions, Dataset, read_dataset
from relprop.data.fingerprint import split_fingerprint
from relprop.data.overview import overview
from relprop.errors import InputError

needs_data = pytest.mark.skipif(
    not (FOLDER / "tabular").is_dir(),
    reason=f"no real tables in {FOLDER}; set RELPROP_DATA to a folder that holds tabular/",
)


def sizes(dataset):
    return [len(dataset.rows(part)) for part in ("train", "validation", "test")]


def warned(dataset, text):
    return any(text in warning for warning in dataset.warnings)


# ---- real data -------------------------------------------------------------------------


@needs_mnist
def test_mnist():
    dataset = read_dataset(FOLDER / "mnist")
    assert isinstance(dataset, Dataset)
    assert dataset.samples.shape == (70_000, 28, 28, 1)
    assert sizes(dataset) == [51_000, 9_000, 10_000]
    assert dataset.target.names == tuple("0123456789")
    assert dataset.target.values[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(dataset.target.values[dataset.rows("test")])[:3].tolist() == [
        980,
        1135,
        1032,
    ]
    assert dataset.samples[0].sum() == 27_525


@pytest.mark.skipif(not (FOLDER / "cifar10-8k.tar.xz").exists(), reason=f"no CIFAR in {FOLDER}")
def test_the_archive_of_cifar():
    dataset = read_dataset(FOLDER / "cifar10-8k.tar.xz")
    assert dataset.samples.shape == (10_000, 32, 32, 3)
    assert sizes(dataset) == [6_800, 1_200, 2_000]
    assert dataset.target.names[::9] == ("airplane", "truck")
    assert set(np.bincount(dataset.target.values)) == {1000}
    assert dataset.warnings == ()


@needs_data
def test_adult_with_its_official_test_part():
    dataset = read_dataset(FOLDER / "tabular" / "adult-train.csv.gz")
    assert sizes(dataset) == [27_677, 4_884, 16_281]
    assert dataset.target.names == ("<=50K", ">50K")
    assert dataset.target.values[dataset.rows("test")].sum() == 3_846
    kinds = pandas.Series(dict(dataset.columns)).value_counts().to_dict()
    assert kinds == {"category": 8, "number": 6}
    assert dataset.samples["native-country"].isna().sum() == 857
    assert dataset.samples.iloc[0].tolist()[:4] == [39.0, "State-gov", 77516.0, "Bachelors"]
    assert warned(dataset, "26 of 16,281 test samples are copies of samples outside the test part")
    (line,) = [one for one in overview(dataset).splitlines() if "native-country" in one]
    assert line.endswith("41 different texts, 857 missing")


TABLES = {
    "german.csv": ("class", ("1", "2"), (1000, 20), "Credit amount"),
    "sonar.csv": ("column 61", ("M", "R"), (208, 60), "column 1"),
    "breast-cancer-wisconsin.csv": ("Class", ("2", "4"), (699, 9), "Clump Thickness"),
    "banknote_authentication.csv": ("class", ("0", "1"), (1372, 4), "entropy of image"),
}


@needs_data
@pytest.mark.parametrize("name", TABLES)
def test_tables_of_the_uci_repository(name):
    target, classes, shape, column = TABLES[name]
    dataset = read_dataset(FOLDER / "tabular" / name)
    assert dataset.target.names == classes
    assert dataset.samples.shape == shape
    assert column in dataset.columns
    (finding,) = [one for one in dataset.findings if one.what == "target"]
    assert finding.value == target


@pytest.mark.skipif(not (FOLDER / "text").is_dir(), reason=f"no texts in {FOLDER}")
def test_rt_polarity():
    dataset = read_dataset(FOLDER / "text")
    assert (dataset.modality, dataset.target.names) == ("text", ("neg", "pos"))
    assert np.bincount(dataset.target.values).tolist() == [5331, 5331]
    assert sizes(dataset) == [7_702, 1_360, 1_600]
    assert dataset.samples[0] == "simplistic , silly and tedious ."


# ---- made data -------------------------------------------------------------------------


def frame(count=60):
    rng = np.random.default_rng(0)
    return pandas.DataFrame({"x": rng.normal(size=count), "y": np.arange(count) % 2})


def test_a_frame_in_memory_and_in_a_file_have_the_same_parts(tmp_path):
    frame().to_csv(tmp_path / "t.csv", index=False)
    memory, file = read_dataset(frame()), read_dataset(tmp_path / "t.csv")
    assert memory.source == "DataFrame in memory, 60 rows"
    assert sizes(memory) == [42, 8, 10]
    assert split_fingerprint(memory) == split_fingerprint(file)
    assert split_fingerprint(read_dataset(frame(), DataOptions(seed=1))) != split_fingerprint(file)


def test_pairs_of_each_modality_in_memory():
    rng, labels = np.random.default_rng(0), np.arange(40) % 2
    pixels = rng.integers(0, 256, (40, 8, 8)).astype(np.uint8)
    made = {
        "picture": (pixels, labels),
        "table": (rng.normal(size=(40, 3)), labels),
        "series": (rng.normal(size=(40, 2, 30)), labels),
        "text": ([f"text {i}" for i in range(40)], labels),
    }
    for modality, pair in made.items():
        dataset = read_dataset(pair)
        assert dataset.modality == modality
        assert dataset.target.values.tolist() == labels.tolist()
        assert [one.what for one in dataset.findings].count("modality") == 1
        assert len(dataset.take(dataset.rows("test"))) == 6


def test_several_labels_of_pictures():
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8)).astype(np.uint8)
    labels = np.stack([np.arange(40) % 2, np.ones(40)], axis=1)
    target = read_dataset((pixels, labels)).target
    assert (target.task, target.names, target.outputs) == ("labels", ("label 0", "label 1"), 2)
    assert target.values.tolist() == labels.tolist()


def test_a_value_of_series():
    series = np.random.default_rng(0).normal(size=(40, 2, 30))
    target = read_dataset((series, series[:, 0, 0])).target
    assert target.task == "value"
    np.testing.assert_array_equal(target.values, series[:, 0, 0])
    whole = read_dataset((series, np.arange(40) // 2), DataOptions(kinds={"label": "number"}))
    assert whole.target.task == "value"


def test_groups_and_time_of_a_file(tmp_path):
    grouped = frame().assign(
        who=np.arange(60) // 3, day=pandas.date_range("2024-01-01", periods=60)
    )
    grouped.to_csv(tmp_path / "t.csv", index=False)
    by_group = read_dataset(tmp_path / "t.csv", DataOptions(group="who", target="y"))
    assert {len(set(part)) for part in by_group.parts.reshape(20, 3)} == {1}
    by_time = read_dataset(tmp_path / "t.csv", DataOptions(time="day", target="y"))
    assert by_time.parts.tolist() == ["train"] * 43 + ["validation"] * 8 + ["test"] * 9


def test_pictures_that_cannot_be_read_are_counted(tmp_path):
    for i in range(24):
        folder = tmp_path / "ab"[i % 2]
        folder.mkdir(exist_ok=True)
        Image.new("L", (8, 8), i * 10).save(folder / f"{i}.png")
    (tmp_path / "a" / "0.png").write_bytes(b"no picture")
    dataset = read_dataset(tmp_path)
    assert len(dataset.keys) == 23
    assert warned(dataset, "Left out, since they cannot be read: 1 picture: a/0.png (")


PIXELS = (np.zeros((20, 8, 8), np.uint8), np.arange(20) % 2)
WRONG = {
    "a column of pictures": (
        PIXELS,
        {"drop": "x"},
        r"drop is \('x',\), for data of modality 'picture'",
    ),
    "a target of pictures": (PIXELS, {"target": "x"}, r"target is \('x',\)"),
    "a kind of another column": (PIXELS, {"kinds": {"x": "number"}}, "called 'label'"),
    "another modality": (([["a b"]] * 20, np.arange(20) % 2), {"modality": "picture"}, "picture"),
    "too few": (frame(8), {}, "8 samples with a label\n.*10 at least"),
}


@pytest.mark.parametrize("case", WRONG)
def test_options_that_do_not_fit_are_errors(case):
    data, options, message = WRONG[case]
    with pytest.raises(InputError, match=message):
        read_dataset(data, DataOptions(**options))
