"""A bundle is read as it was written; whatever stops the writing leaves a usable one."""

import math
from dataclasses import replace

import pytest
import torch
from helpers.bundle_contents import content

import relprop.support.files as files
from relprop.bundles.content import CurvePoint, SavedPreparation
from relprop.bundles.read import read_bundle
from relprop.bundles.write import write_bundle
from relprop.errors import FileError, InputError


def plain(made):
    """All of a content but its tensors, which have no equality."""
    member = replace(made.members[0], weights={})
    preparation = replace(made.preparation, tensors={})
    return replace(made, members=(member,), preparation=preparation, outputs={})


def test_everything_is_read_as_it_was_written(tmp_path):
    written = content(seed=3)
    write_bundle(tmp_path / "new" / "bundle", written)
    found = read_bundle(tmp_path / "new" / "bundle")
    assert plain(found) == plain(written)
    assert type(found.members[0].settings["rate"]) is float
    assert found.members[0].settings["flip"] is False
    torch.testing.assert_close(found.members[0].weights, written.members[0].weights, rtol=0, atol=0)
    torch.testing.assert_close(found.preparation.tensors, {"mean": torch.arange(4.0)})
    assert found.outputs["test"].targets.tolist() == [0, 2]
    assert found.outputs["test"].targets.dtype == torch.int64


def test_a_second_bundle_replaces_the_first_and_its_weights(tmp_path):
    write_bundle(tmp_path, content(seed=1))
    (tmp_path / "search").mkdir()
    write_bundle(tmp_path, content(seed=2))
    assert read_bundle(tmp_path).seed == 2
    names = sorted(path.name.split("-")[0] for path in tmp_path.iterdir())
    assert names == ["bundle.json", "search", "weights"]


@pytest.mark.parametrize("stop_at", [1, 2])
def test_stopped_before_either_file_is_in_place_it_leaves_the_earlier_one(
    tmp_path, monkeypatch, stop_at
):
    write_bundle(tmp_path, content(seed=1))
    replaced, calls = files.os.replace, []

    def stop(source, target):
        calls.append(target)
        if len(calls) == stop_at:
            raise KeyboardInterrupt
        replaced(source, target)

    monkeypatch.setattr(files.os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        write_bundle(tmp_path, content(seed=2))
    assert read_bundle(tmp_path).seed == 1


def test_a_full_disk_leaves_the_earlier_one(tmp_path, monkeypatch):
    write_bundle(tmp_path, content(seed=1))

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(FileError, match="No space left on device"):
        write_bundle(tmp_path, content(seed=2))
    assert read_bundle(tmp_path).seed == 1
    assert len(list(tmp_path.iterdir())) == 2


def test_tensors_that_share_memory_are_written_each(tmp_path):
    shared = torch.arange(6.0)
    tensors = {"a": shared, "b": shared[:3], "c": shared.view(2, 3).T}
    write_bundle(tmp_path, content(preparation=SavedPreparation({}, tensors)))
    found = read_bundle(tmp_path).preparation.tensors
    torch.testing.assert_close(found, tensors)


def test_a_loss_that_is_not_finite_is_read_as_none(tmp_path):
    point = CurvePoint(0, 0.5, 1.0, 2.0, math.nan, math.inf, 0.5)
    write_bundle(tmp_path, content(curves=(point,)))
    (found,) = read_bundle(tmp_path).curves
    assert found == CurvePoint(0, 0.5, 1.0, 2.0, None, None, 0.5)


def test_what_json_does_not_have_is_refused_and_nothing_written(tmp_path):
    with pytest.raises(InputError, match=r"preparation\.state\.x is of type complex"):
        write_bundle(tmp_path, content(preparation=SavedPreparation({"x": 1j}, {})))
    assert list(tmp_path.iterdir()) == []
