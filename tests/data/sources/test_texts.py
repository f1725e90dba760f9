"""Texts of which a file, or a folder, is a class."""

import pytest

from relprop.data.memory import Limit
from relprop.data.options import DataOptions
from relprop.data.sources.find import read_source
from relprop.data.sources.texts import read_class_files, read_class_folders
from relprop.errors import FileError
from relprop.support.progress import QUIET

LIMIT = Limit(10**9, 0, True)


def write(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode("latin-1"))
    return [folder / name for name in files]


def test_files_with_one_name_are_classes_by_their_ending(tmp_path):
    files = write(tmp_path, {"rt.pos": "so good\n\nvery caf\xe9 \n", "rt.neg": "so bad\n"})
    raw = read_class_files(files, LIMIT)
    assert raw.samples.tolist() == ["so bad", "so good", "very caf\xe9"]
    assert raw.labels.tolist() == ["neg", "pos", "pos"]
    assert raw.keys == ["rt.neg line 1", "rt.pos line 1", "rt.pos line 3"]
    assert "read as Latin-1" in raw.findings[0].reason
    assert raw.warnings == ("1 line is empty: no text.",)


def test_files_of_several_names_are_classes_by_name(tmp_path):
    raw = read_class_files(write(tmp_path, {"spam.txt": "buy\n", "ham.txt": "hello\n"}), LIMIT)
    assert dict(zip(raw.samples, raw.labels, strict=True)) == {"hello": "ham", "buy": "spam"}


def test_an_empty_file_is_an_error(tmp_path):
    files = write(tmp_path, {"spam.txt": "buy\n", "ham.txt": " \n"})
    with pytest.raises(FileError, match=r"ham\.txt has no text"):
        read_class_files(files, LIMIT)


def test_a_folder_for_each_class_with_parts_above(tmp_path):
    texts = {"train/pos/0.txt": "good\nline", "train/neg/0.txt": "bad", "test/pos/0.txt": " "}
    write(tmp_path, texts)
    raw = read_class_folders(tmp_path, LIMIT)
    found = zip(raw.keys, raw.samples, raw.labels, raw.official, strict=True)
    assert list(found) == [
        ("test/pos/0.txt", "", "pos", "test"),
        ("train/neg/0.txt", "bad", "neg", "train"),
        ("train/pos/0.txt", "good\nline", "pos", "train"),
    ]
    assert raw.warnings == ("1 text is empty.",)


def test_texts_without_labels_and_texts_about_the_data_are_left_out_and_said(tmp_path):
    classes = {f"{p}/{c}/0.txt": c for p in ("train", "test") for c in ("pos", "neg")}
    others = {"train/unsup/0.txt": "so", "train/urls_pos.txt": "www", "about.txt": "words"}
    write(tmp_path, {**classes, **others})
    raw = read_class_folders(tmp_path, LIMIT)
    assert raw.samples.tolist() == raw.labels.tolist() == ["neg", "pos", "neg", "pos"]
    assert raw.official.tolist() == ["test", "test", "train", "train"]
    left = "1 file in ./, 1 file in train/unsup/, 1 file in train/"
    assert raw.warnings == (f"Left out, as without a class: {left}.",)


def test_more_texts_than_fit_are_sampled_with_their_labels(tmp_path):
    lines = {f"c{i}.txt": "\n".join([str(i) * 1000] * 1000) for i in range(2)}
    raw = read_class_files(write(tmp_path, lines), Limit(1_000_000, 0, True))
    assert len(raw.samples) == 1000
    assert {f"c{text[0]}" for text in raw.samples} == {"c0", "c1"}
    assert [f"c{text[0]}" for text in raw.samples] == raw.labels.tolist()
    assert "1,000 of them, chosen at random" in raw.warnings[-1]


def test_texts_may_have_any_ending_or_none(tmp_path):
    names = [f"{name}/{i}{end}" for name in ("med", "space") for i, end in enumerate(["", ".7c5"])]
    write(tmp_path, {name: f"on {name}" for name in [*names, "about.md"]})
    raw = read_source(tmp_path, DataOptions(), LIMIT, QUIET)
    assert raw.keys == sorted(names)
    assert raw.labels.tolist() == ["med", "med", "space", "space"]
    assert not raw.warnings


def test_files_that_are_no_texts_are_refused_or_counted(tmp_path):
    write(tmp_path / "sounds", {"a/1.wav": "RIFF\0", "b/1.wav": "RIFF\0"})
    with pytest.raises(FileError, match="holds no data of a known kind"):
        read_source(tmp_path / "sounds", DataOptions(), LIMIT, QUIET)
    write(tmp_path / "texts", {"a/1.txt": "x", "b/1.txt": "y", "b/2.rtf": "z"})
    raw = read_source(tmp_path / "texts", DataOptions(), LIMIT, QUIET)
    assert raw.warnings == ("Not used, as of other kinds: 1 file .rtf.",)


def test_kinds_that_are_as_many_are_named_in_the_order_of_their_files(tmp_path):
    others = {f"a/{i}.{ending}": "z" for i, ending in enumerate(("xyz", "rtf", "doc", "mat"))}
    write(tmp_path, {"a/text.txt": "x", "b/text.txt": "y", **others})
    raw = read_source(tmp_path, DataOptions(), LIMIT, QUIET)
    (warning,) = raw.warnings
    assert warning.endswith("1 file .xyz, 1 file .rtf, 1 file .doc, 1 file .mat.")
