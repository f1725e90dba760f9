"""Arrays in .npz and .pt files: names, parts, types, what is refused."""

import pickle

import numpy as np
import pytest
import torch

from relprop.data.memory import Limit
from relprop.data.sources.arrays import read_arrays
from relprop.errors import FileError, InputError

LIMIT = Limit(10**9, 0, True)
RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(20, 3))
CLASSES = np.arange(20) % 4

NAMES = [("X", "y"), ("data", "target"), ("features", "labels"), ("inputs", "targets")]


@pytest.mark.parametrize(("samples", "labels"), NAMES)
def test_samples_and_labels_are_found_by_name(samples, labels, tmp_path):
    np.savez(tmp_path / "a.npz", **{samples: ROWS, labels: CLASSES})
    torch.save({samples: torch.tensor(ROWS), labels: torch.tensor(CLASSES)}, tmp_path / "a.pt")
    for name in ("a.npz", "a.pt"):
        raw = read_arrays(tmp_path / name, LIMIT)
        np.testing.assert_array_equal(raw.samples.iloc[:, :3].to_numpy(), ROWS)
        assert raw.samples["target"].tolist() == CLASSES.tolist()
        assert raw.targets == ("target",)
        assert set(raw.official) == {""}


PARTS = ["x_train y_train x_test y_test", "train_images train_labels test_images test_labels"]
PARTS += ["X_tr y_tr X_te y_te", "xtrain ytrain xtest ytest"]


@pytest.mark.parametrize("names", PARTS)
def test_parts_are_found_by_name(names, tmp_path):
    pixels = RNG.integers(0, 256, (20, 8, 9)).astype(np.uint8)
    arrays = (pixels[:15], CLASSES[:15], pixels[15:], CLASSES[15:])
    np.savez(tmp_path / "a.npz", **dict(zip(names.split(), arrays, strict=True)))
    raw = read_arrays(tmp_path / "a.npz", LIMIT)
    np.testing.assert_array_equal(raw.samples[..., 0], pixels)
    assert raw.labels.tolist() == CLASSES.tolist()
    assert raw.official.tolist() == ["train"] * 15 + ["test"] * 5


def test_medmnist(tmp_path):
    arrays = {}
    for part, size in (("train", 6), ("val", 4), ("test", 2)):
        arrays[f"{part}_images"] = np.full((size, 28, 28, 3), size, np.uint8)
        arrays[f"{part}_labels"] = np.arange(size)[:, None] % 2
    np.savez(tmp_path / "bloodmnist.npz", **arrays)
    raw = read_arrays(tmp_path / "bloodmnist.npz", LIMIT)
    assert raw.samples.shape == (12, 28, 28, 3)
    assert raw.labels.tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1]
    assert (raw.keys[5], raw.keys[6]) == ("train 5", "validation 0")
    assert raw.official.tolist() == ["train"] * 6 + ["validation"] * 4 + ["test"] * 2


def test_a_pair_of_tensors_and_a_test_file(tmp_path):
    torch.save((torch.tensor(ROWS[:15]), torch.tensor(CLASSES[:15])), tmp_path / "a.pt")
    torch.save((torch.tensor(ROWS[15:]), torch.tensor(CLASSES[15:])), tmp_path / "b.pt")
    raw = read_arrays(tmp_path / "a.pt", LIMIT, tmp_path / "b.pt")
    np.testing.assert_array_equal(raw.samples.iloc[:, :3].to_numpy(), ROWS)
    assert raw.official.tolist() == ["train"] * 15 + ["test"] * 5


class Evil:
    def __reduce__(self):
        return (print, ("ran",))


def test_python_objects_are_refused_and_never_run(tmp_path, capsys):
    ragged = np.empty(20, object)
    ragged[:] = [Evil()] * 20
    np.savez(tmp_path / "a.npz", X=ragged, y=CLASSES)
    torch.save({"X": Evil(), "y": torch.tensor(CLASSES)}, tmp_path / "a.pt")
    (tmp_path / "b.pt").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(FileError, match=r"the array 'X' of .*a\.npz holds Python objects"):
        read_arrays(tmp_path / "a.npz", LIMIT)
    for name in ("a.pt", "b.pt"):
        with pytest.raises(FileError, match=rf"{name} cannot be read"):
            read_arrays(tmp_path / name, LIMIT)
    assert capsys.readouterr().out == ""


def test_files_without_samples_or_labels_are_errors(tmp_path):
    np.savez(tmp_path / "a.npz", X=ROWS, extra=CLASSES)
    with pytest.raises(
        FileError, match=r"holds the arrays X \(20, 3\), extra \(20,\)\n.*labels named y"
    ):
        read_arrays(tmp_path / "a.npz", LIMIT)
    np.savez(tmp_path / "b.npz", X=ROWS, y=CLASSES[:7])
    with pytest.raises(FileError, match=r"20 samples 'X', and 7 labels 'y'\n.*\n.*with 20 labels"):
        read_arrays(tmp_path / "b.npz", LIMIT)
    np.savez(tmp_path / "c.npz", X=ROWS, y=np.ones((20, 2)) * 5)
    with pytest.raises(InputError, match=r"labels of the shape \(20, 2\)"):
        read_arrays(tmp_path / "c.npz", LIMIT)
    (tmp_path / "d.npz").write_bytes(b"PK")
    with pytest.raises(FileError, match=r"d\.npz cannot be read"):
        read_arrays(tmp_path / "d.npz", LIMIT)


@pytest.mark.parametrize("name", ["a.npz", "a.pt"])
def test_more_rows_than_fit_are_sampled_with_their_labels(name, tmp_path):
    rows, labels = np.arange(2000.0)[:, None].repeat(250, axis=1), np.arange(2000)
    np.savez(tmp_path / "a.npz", X=rows, y=labels)
    torch.save({"X": torch.tensor(rows), "y": torch.tensor(labels)}, tmp_path / "a.pt")
    raw = read_arrays(tmp_path / name, Limit(1_000_000, 0, True))
    assert len(raw.samples) == 500
    assert (raw.samples["column 250"] == raw.samples["target"]).all()
    assert raw.samples["target"].max() > 1900
    assert "holds 2,000 samples of about 4 MB" in raw.warnings[0]


def test_a_test_part_is_kept_beside_arrays_without_a_part(tmp_path):
    np.savez(tmp_path / "a.npz", X=ROWS, y=CLASSES, X_test=ROWS[:5], y_test=CLASSES[:5])
    raw = read_arrays(tmp_path / "a.npz", LIMIT)
    assert raw.official.tolist() == ["train"] * 20 + ["test"] * 5


def test_texts_of_bytes_are_texts(tmp_path):
    names = np.where(CLASSES > 1, "café", "bar")
    np.savez(tmp_path / "a.npz", X=ROWS, y=np.char.encode(names, "utf-8"))
    assert read_arrays(tmp_path / "a.npz", LIMIT).samples["target"].tolist() == names.tolist()
    np.savez(tmp_path / "b.npz", texts=np.char.encode(names, "latin-1"), y=CLASSES)
    assert read_arrays(tmp_path / "b.npz", LIMIT).samples.tolist() == names.tolist()


@pytest.mark.parametrize(
    "arrays", [{"X": ROWS, "y": np.array(3)}, {"X": np.array(3), "y": CLASSES}]
)
def test_a_single_number_is_neither_samples_nor_labels(arrays, tmp_path):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(FileError, match=r"holds the arrays X \(.*\), y \(.*\)\n"):
        read_arrays(tmp_path / "a.npz", LIMIT)
