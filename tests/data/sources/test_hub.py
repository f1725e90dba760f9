"""Data sets of the library `datasets`: saved to disk, and in memory."""

import datasets
import numpy as np
import pytest

from relprop.data import DataOptions
from relprop.data.memory import Limit
from relprop.data.sources.hub import is_saved_dataset, raw_of_datasets, read_hub
from relprop.errors import FileError, InputError

LIMIT = Limit(10**9, 0, True)
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 9)).astype(np.uint8)


def pictures(rows, names=("cat", "dog")):
    features = datasets.Features(
        image=datasets.Image(), label=datasets.ClassLabel(names=list(names))
    )
    data = {"image": list(PIXELS[rows]), "label": [i % 2 for i in rows]}
    return datasets.Dataset.from_dict(data, features=features)


def test_pictures_with_official_parts_from_a_folder(tmp_path):
    sets = datasets.DatasetDict(train=pictures([0, 1, 2, 3]), test=pictures([4, 5]))
    sets.save_to_disk(tmp_path / "saved")
    assert is_saved_dataset(tmp_path / "saved")
    raw = read_hub(str(tmp_path / "saved"), DataOptions(), LIMIT)
    np.testing.assert_array_equal(raw.samples[..., 0], PIXELS)
    assert (raw.labels.tolist(), raw.classes) == ([0, 1, 0, 1, 0, 1], ("cat", "dog"))
    assert raw.official.tolist() == ["train"] * 4 + ["test"] * 2


def test_numbers_of_classes_in_tables_become_their_names():
    label = datasets.ClassLabel(names=["no", "yes"])
    features = datasets.Features(text=datasets.Value("string"), answer=label)
    data = datasets.Dataset.from_dict({"text": ["a", "b"], "answer": [1, 0]}, features=features)
    raw = raw_of_datasets({"": data}, DataOptions(), "data")
    assert raw.samples["answer"].tolist() == ["yes", "no"]
    assert raw.targets == ("answer",)
    assert raw.modality is None


def test_series_of_several_lengths():
    data = datasets.Dataset.from_dict({"x": [[1.0, 2.0], [3.0, 4.0, 5.0]], "label": ["u", "v"]})
    raw = raw_of_datasets({"": data}, DataOptions(), "data")
    assert [one.tolist() for one in raw.samples] == [[[1, 2]], [[3, 4, 5]]]
    assert raw.labels.tolist() == ["u", "v"]


def test_the_target_is_named_by_the_user_or_by_its_type():
    data = {"x": [[1.0, 2.0], [3.0, 4.0]], "colour": ["u", "v"]}
    data = datasets.Dataset.from_dict(data)
    with pytest.raises(InputError, match=r"columns x, colour, of which none is a label"):
        raw_of_datasets({"": data}, DataOptions(), "data")
    with pytest.raises(InputError, match=r"no column 'color'\n.*colour\n.*write --target colour"):
        raw_of_datasets({"": data}, DataOptions(target="color"), "data")
    raw = raw_of_datasets({"": data}, DataOptions(target="colour"), "data")
    assert raw.samples.to_numpy().tolist() == [[1.0, 2.0, "u"], [3.0, 4.0, "v"]]
    assert raw.targets == ("colour",)


def test_more_rows_than_fit_are_sampled_and_it_is_said(tmp_path):
    data = {"x": np.arange(500.0)[:, None].repeat(500, axis=1), "label": list(range(500))}
    datasets.Dataset.from_dict(data).save_to_disk(tmp_path / "saved")
    raw = read_hub(str(tmp_path / "saved"), DataOptions(), Limit(1_000_000, 0, True))
    assert 230 <= len(raw.samples) <= 250
    assert (raw.samples["column 500"] == raw.samples["label"]).all()
    assert "holds 500 rows of about 2 MB" in raw.warnings[0]


def test_a_folder_that_is_damaged_is_an_error(tmp_path):
    pictures([0, 1]).save_to_disk(tmp_path / "saved")
    (tmp_path / "saved" / "state.json").write_text("{")
    with pytest.raises(FileError, match=r"saved cannot be read"):
        read_hub(str(tmp_path / "saved"), DataOptions(), LIMIT)
