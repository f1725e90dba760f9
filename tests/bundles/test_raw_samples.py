"""Raw samples in the forms that users have become samples as a data set holds them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from relprop.bundles.raw_samples import (
    picture_samples,
    series_samples,
    table_samples,
    text_samples,
)
from relprop.data.options import DataOptions
from relprop.data.read import read_dataset
from relprop.errors import FileError, InputError

GREY, COLOURS = (1, 4, 6), (3, 4, 6)


@pytest.fixture
def colours():
    return np.random.default_rng(0).integers(0, 256, (2, 4, 6, 3), dtype=np.uint8)


def test_pictures_as_arrays_pil_pictures_and_paths_are_alike(colours, tmp_path):
    Image.fromarray(colours[0]).save(tmp_path / "a.png")
    for raw in (
        colours[0],
        colours[:1],
        [colours[0]],
        Image.fromarray(colours[0]),
        str(tmp_path / "a.png"),
        [Path(tmp_path / "a.png")],
        colours[0] / 255,
    ):
        assert picture_samples(raw, COLOURS).tolist() == colours[:1].tolist()
    assert picture_samples(colours, COLOURS).tolist() == colours.tolist()


def test_grey_pictures_may_lack_their_channel_and_colours_become_grey(colours):
    grey = colours[..., 0]
    assert picture_samples(grey, GREY).tolist() == grey[..., None].tolist()
    assert picture_samples(grey[0], GREY).tolist() == grey[:1, ..., None].tolist()
    converted = np.asarray(Image.fromarray(colours[0]).convert("L"))
    assert picture_samples(colours[0], GREY)[0, ..., 0].tolist() == converted.tolist()


@pytest.mark.parametrize("resize", ["crop", "stretch", "pad"])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_pictures_of_other_sizes_are_resized_as_in_training(resize, mode, tmp_path):
    random = np.random.default_rng(0)
    for i, size in enumerate([(4, 6)] * 10 + [(9, 6), (5, 20)]):
        (tmp_path / f"{i % 2}").mkdir(exist_ok=True)
        picture = Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8))
        picture.convert(mode).save(tmp_path / f"{i % 2}" / f"{i}.png")
    dataset = read_dataset(tmp_path, DataOptions(resize=resize))
    shape = (dataset.samples.shape[3], 4, 6)
    files = [tmp_path / key for key in dataset.keys]
    assert dataset.resize == resize
    assert picture_samples(files, shape, resize).tolist() == dataset.samples.tolist()
    assert picture_samples(files[-1], shape, resize).tolist() == dataset.samples[-1:].tolist()


def test_what_is_no_picture_is_refused(colours):
    with pytest.raises(InputError, match=r"a tensor \(2, 3, 4, 6\)(.|\n)*permute"):
        picture_samples(torch.zeros(2, 3, 4, 6), COLOURS)
    with pytest.raises(InputError, match="no pictures"):
        picture_samples([], COLOURS)
    with pytest.raises(InputError, match=r"an array of shape \(3, 4, 6\)"):
        picture_samples([colours[0].transpose(2, 0, 1)], COLOURS)
    with pytest.raises(InputError, match=r"of \(4, 6, 3\)\n.*\(4, 6, 5\)"):
        picture_samples(colours, (5, 4, 6))


def test_pictures_of_other_channels_are_taken_as_they_are():
    many = np.arange(2 * 4 * 6 * 5, dtype=np.uint8).reshape(2, 4, 6, 5)
    assert picture_samples(many, (5, 4, 6)).tolist() == many.tolist()


def test_texts_are_one_or_several():
    assert text_samples("one").tolist() == ["one"]
    for raw in (["a", "b"], ("a", "b"), np.array(["a", "b"]), pd.Series(["a", "b"])):
        assert text_samples(raw).tolist() == ["a", "b"]
    with pytest.raises(InputError, match="a text of type int"):
        text_samples(["a", 3])
    with pytest.raises(InputError, match="a text of type NoneType"):
        text_samples(None)
    with pytest.raises(InputError, match="no texts"):
        text_samples([])


def test_series_are_one_or_several_and_lengths_may_differ():
    one = np.arange(6.0).reshape(2, 3)
    assert [s.tolist() for s in series_samples(one, 2)] == [one.tolist()]
    assert [s.shape for s in series_samples(np.zeros((4, 2, 3)), 2)] == [(2, 3)] * 4
    assert [s.shape for s in series_samples([one, one[:, :2]], 2)] == [(2, 3), (2, 2)]
    assert [s.shape for s in series_samples(np.zeros((4, 3)), 1)] == [(1, 3)] * 4
    assert [s.tolist() for s in series_samples([1, 2, 3], 1)] == [[[1.0, 2.0, 3.0]]]
    with pytest.raises(InputError, match="a series of type str that is no array of numbers"):
        series_samples("abc", 1)
    with pytest.raises(InputError, match="no series"):
        series_samples([], 1)


def test_rows_that_are_none_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"rows as a ndarray(.|\n)*columns=names"):
        table_samples(np.zeros((2, 3)))
    with pytest.raises(InputError, match="a table without rows"):
        table_samples(pd.DataFrame({"a": []}))


def test_rows_of_an_array_are_those_of_the_array_that_was_fitted():
    rows = np.arange(6.0).reshape(2, 3)
    for raw in (rows, torch.from_numpy(rows), rows.tolist()):
        frame = table_samples(raw, width=3)
        assert list(frame.columns) == ["column 1", "column 2", "column 3"]
        assert frame.to_numpy().tolist() == rows.tolist()
    assert table_samples(rows[0], width=3).to_numpy().tolist() == rows[:1].tolist()
    with pytest.raises(InputError, match=r"array of shape \(2, 3\)\n.*\(4,\) or \(n, 4\)"):
        table_samples(rows, width=4)


def test_a_table_of_the_one_column_that_is_needed(tmp_path):
    (tmp_path / "rows.csv").write_text("town\nNew York\nBonn\nSan Jose\n")
    frame = table_samples(tmp_path / "rows.csv", ["town"])
    assert frame["town"].tolist() == ["New York", "Bonn", "San Jose"]
    (tmp_path / "rows.csv").write_text("age\n1\n2\n")
    assert table_samples(tmp_path / "rows.csv", ["town"])["age"].tolist() == [1, 2]
    with pytest.raises(FileError, match=r"rows\.csv has a single column"):
        table_samples(tmp_path / "rows.csv", ["town", "age"])


def test_the_path_of_a_table_is_read_as_fit_reads_it(tmp_path):
    (tmp_path / "rows.csv").write_text("age;job\n30;cook\n?;clerk\n")
    frame = table_samples(str(tmp_path / "rows.csv"))
    assert frame["job"].tolist() == ["cook", "clerk"]
    assert frame["age"].isna().tolist() == [False, True]


def _transparent(pixels):
    picture = Image.fromarray(pixels)
    picture.putalpha(Image.fromarray(pixels[..., 0]))
    return picture, {}


def _turned(pixels):
    exif = Image.Exif()
    exif[0x0112] = 6
    return Image.fromarray(pixels), {"exif": exif}


def _with_transparent_colour(pixels):
    return Image.fromarray(pixels).quantize(16), {"transparency": 3}


def _deep(pixels):
    return Image.fromarray(pixels[..., 0].astype(np.uint16) * 200), {}


@pytest.mark.parametrize("make", [_transparent, _turned, _with_transparent_colour, _deep])
def test_files_are_decoded_as_those_that_were_trained_on(make, tmp_path):
    random = np.random.default_rng(0)
    for name in (f"{c}/{i}.png" for c in "ab" for i in range(6)):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        picture, how = make(random.integers(0, 256, (5, 5, 3), dtype=np.uint8))
        picture.save(tmp_path / name, **how)
    dataset = read_dataset(tmp_path)
    shape = (dataset.samples.shape[3], 5, 5)
    files = [tmp_path / key for key in dataset.keys]
    assert picture_samples(files, shape).tolist() == dataset.samples.tolist()


def test_a_frame_is_no_list_of_texts():
    with pytest.raises(InputError, match=r"texts as a DataFrame[\s\S]*frame\['review'\]"):
        text_samples(pd.DataFrame({"review": ["good", "bad"], "stars": [5, 1]}))


def test_columns_of_a_frame_are_named_as_when_it_was_fitted():
    frame = pd.DataFrame([[1.0, 2.0]], columns=[0, 1])
    assert table_samples(frame).columns.tolist() == ["0", "1"]
    assert table_samples({0: 1.0}).columns.tolist() == ["0"]
    assert frame.columns.tolist() == [0, 1]


def test_columns_of_several_lengths_are_refused():
    with pytest.raises(InputError, match="several lengths: a 1, b 2"):
        table_samples({"a": [1], "b": ["x", "y"]})


def test_gaps_of_a_series_are_filled_as_in_training():
    (made,) = series_samples(np.array([[1.0, np.nan, 3.0]]), 1)
    assert made.tolist() == [[1, 2, 3]]
