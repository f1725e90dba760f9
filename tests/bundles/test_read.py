"""A folder that is no bundle, or a damaged one, is refused with what is wrong."""

import json

import pytest
from helpers.bundle_contents import content

from relprop.bundles.read import is_bundle, read_bundle
from relprop.bundles.write import write_bundle
from relprop.errors import FileError, InputError


@pytest.fixture
def folder(tmp_path):
    write_bundle(tmp_path, content())
    return tmp_path


def change(folder, **changes):
    """Change entries of bundle.json; None removes one."""
    header = json.loads((folder / "bundle.json").read_text()) | changes
    kept = {name: value for name, value in header.items() if value is not None}
    (folder / "bundle.json").write_text(json.dumps(kept))


def test_a_bundle_is_told_from_other_folders(folder):
    assert is_bundle(folder)
    assert not is_bundle(folder.parent)


def test_a_misspelt_folder_is_an_error_with_the_nearest_bundle(folder):
    near = folder.with_name(folder.name[:-1])
    with pytest.raises(FileError, match=rf"no folder {near}\n.*\n.*write \"{folder}\""):
        read_bundle(near)


def test_no_folder_a_file_and_another_folder_are_told_apart(tmp_path):
    with pytest.raises(FileError, match=r"there is no folder .*/nothing\n.*\n.*relprop fit"):
        read_bundle(tmp_path / "nothing")
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="file is a file"):
        read_bundle(tmp_path / "file")
    with pytest.raises(FileError, match=r"is no bundle: it holds no bundle\.json"):
        read_bundle(str(tmp_path))
    with pytest.raises(InputError, match="a path of type int"):
        read_bundle(3)


def test_changed_weights_are_refused(folder):
    (weights,) = folder.glob("weights-*")
    flipped = bytearray(weights.read_bytes())
    flipped[-1] ^= 1
    weights.write_bytes(flipped)
    with pytest.raises(FileError, match=r"the SHA256 of weights-\w+\.safetensors is not the one"):
        read_bundle(folder)


def test_missing_weights_are_named(folder):
    (weights,) = folder.glob("weights-*")
    weights.unlink()
    with pytest.raises(FileError, match=f"{weights.name} is missing"):
        read_bundle(folder)


def test_a_bundle_of_another_version_says_so(folder):
    change(folder, schema="relprop-bundle-99")
    with pytest.raises(FileError, match=r"another version, relprop-bundle-99\n.*relprop-bundle-1"):
        read_bundle(folder)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"schema": "of something else"}, "not one that relprop fit writes"),
        ({"sha256": None}, "not one that relprop fit writes"),
        ({"weights": "../weights.safetensors"}, "not one that relprop fit writes"),
        ({"content": {}}, "fields of the record are missing or unknown"),
    ],
)
def test_another_json_is_refused(folder, changes, problem):
    change(folder, **changes)
    with pytest.raises(FileError, match=problem):
        read_bundle(folder)


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("task", "guess", "task is 'guess'"),
        ("seed", 1.5, "seed is 1.5"),
        ("target_names", ["a", 3], "target_names.1 is 3"),
        ("counts", {"train": True}, "counts.train is True"),
        ("preparation", {"state": {}, "tensors": {"mean": 1}}, "preparation.tensors.mean is no"),
    ],
)
def test_a_field_of_another_type_is_named(folder, field, value, problem):
    changed = json.loads((folder / "bundle.json").read_text())["content"] | {field: value}
    change(folder, content=changed)
    with pytest.raises(FileError, match=problem):
        read_bundle(folder)


def test_text_that_is_no_json_is_refused(folder):
    (folder / "bundle.json").write_text('{"schema": ')
    with pytest.raises(FileError, match=r"bundle\.json is not JSON"):
        read_bundle(folder)
