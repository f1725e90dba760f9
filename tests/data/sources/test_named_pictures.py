"""Pictures that a table names: labels.csv beside them, parts, labels, values, what lacks."""

import numpy as np
import pytest
from PIL import Image

from relprop.data import DataOptions, read_dataset
from relprop.errors import FileError, InputError

GREY = {f"{i}": 10 + 20 * i for i in range(12)}  # stem of a picture -> its grey value


def draw(folder, greys=GREY, ending=".png"):
    """Write pictures of one grey value each."""
    folder.mkdir(parents=True, exist_ok=True)
    for stem, grey in greys.items():
        Image.new("L", (9, 8), grey).save(folder / f"{stem}{ending}")


def write(path, header, rows):
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n")


def kind_of(stem):
    return "dark" if GREY[stem] < 120 else "light"


def assert_right(dataset, value_of=kind_of):
    """The target of each picture is what the table says of the grey value that it has."""
    stems = {grey: stem for stem, grey in GREY.items()}
    assert dataset.modality == "picture"
    assert dataset.samples.shape[1:] == (8, 9, 1)
    for pixels, number in zip(dataset.samples, dataset.target.values, strict=True):
        assert dataset.target.names[number] == value_of(stems[pixels[0, 0, 0]])


@pytest.mark.parametrize("name", ["{}.png", "pictures/{}.png", "{}"])
@pytest.mark.parametrize("place", ["", "pictures"])
def test_a_table_beside_them_or_above(name, place, tmp_path):
    if "/" in name and not place:
        pytest.skip("there is no such folder")
    draw(tmp_path / place)
    rows = [(name.format(stem), kind_of(stem)) for stem in sorted(GREY, reverse=True)]
    write(tmp_path / "labels.csv", "id,kind", rows)
    for source in (tmp_path, tmp_path / "labels.csv"):
        dataset = read_dataset(source)
        assert_right(dataset)
        assert len(dataset.samples) == 12
        assert dataset.warnings == ()
        said = {finding.what: finding for finding in dataset.findings}
        assert said["names of pictures"].value == "in labels.csv"
        assert said["modality"].reason == "a column that names a file for each row"


def test_its_columns_are_values_several_labels_groups_and_parts(tmp_path):
    draw(tmp_path)
    rows = [
        (f"{s}.png", GREY[s] / 255, int(GREY[s] > 120), i % 2, i // 2, "test" if i > 8 else "train")
        for i, s in enumerate(GREY)
    ]
    write(tmp_path / "all.csv", "file,brightness,light,odd,patient,split", rows)
    value = read_dataset(tmp_path, DataOptions(target="brightness"))
    assert value.target.task == "value"
    np.testing.assert_allclose(value.samples[:, 0, 0, 0] / 255, value.target.values)
    assert [part == "test" for part in value.parts] == [i > 8 for i in range(12)]
    assert "column odd" in {f.what for f in value.findings if f.value == "left out"}
    both = read_dataset(tmp_path, DataOptions(labels=("light", "odd")))
    assert both.target.names == ("light", "odd")
    assert both.target.values.tolist() == [[row[2], row[3]] for row in rows]
    whole = read_dataset(
        tmp_path, DataOptions(target="light", group="patient", drop=("split",), split=(0.3, 0.3))
    )
    parts_of = {row[4]: set() for row in rows}
    for row, part in zip(rows, whole.parts, strict=True):
        parts_of[row[4]].add(part)
    assert all(len(parts) == 1 for parts in parts_of.values())


@pytest.mark.parametrize("inside", [True, False])
def test_pictures_of_one_name_in_two_parts_are_told_apart(inside, tmp_path):
    stems = list(GREY)
    train, test = stems[:8], stems[8:]
    draw(tmp_path / "train", {f"{i}": GREY[stem] for i, stem in enumerate(train)})
    draw(tmp_path / "test", {f"{i}": GREY[stem] for i, stem in enumerate(test)})
    for part, of in (("train", train), ("test", test)):
        path = tmp_path / part / "metadata.csv" if inside else tmp_path / f"{part}.csv"
        rows = [(f"{i}.png", kind_of(s) if i else "dark") for i, s in enumerate(of)]
        write(path, "file_name,kind", rows)
    dataset = read_dataset(tmp_path)
    assert_right(dataset, lambda stem: "dark" if stem == test[0] else kind_of(stem))
    assert (dataset.parts == "test").sum() == 4
    folders = {key.rpartition("/")[0] for key in dataset.keys}
    assert folders == {"train", "test"}


def test_labels_stay_with_their_pictures_where_some_lack_or_are_broken(tmp_path):
    draw(tmp_path / "images", ending=".jpg")
    (tmp_path / "images/3.jpg").write_bytes(b"no picture")
    (tmp_path / "images/5.jpg").unlink()
    write(tmp_path / "labels.csv", "picture,kind", [(s, kind_of(s)) for s in GREY])
    dataset = read_dataset(tmp_path)
    assert dataset.keys == tuple(f"images/{s}.jpg" for s in GREY if s not in "35")
    names = [dataset.target.names[number] for number in dataset.target.values]
    assert names == [kind_of(s) for s in GREY if s not in "35"]
    lacking, broken = dataset.warnings
    assert lacking == "Left out, as there is no such picture: 1 row: 5."
    assert broken.startswith("Left out, since they cannot be read: 1 picture: images/3.jpg (")


def test_folders_of_classes_stay_the_classes(tmp_path):
    for kind in ("dark", "light"):
        draw(tmp_path / kind, {s: g for s, g in GREY.items() if kind_of(s) == kind})
    write(tmp_path / "labels.csv", "file,kind", [(f"{kind_of(s)}/{s}.png", "other") for s in GREY])
    dataset = read_dataset(tmp_path)
    assert_right(dataset)
    assert dataset.warnings == (f"{tmp_path} holds labels.csv, which is not used.",)


def test_a_table_stays_one_where_it_names_no_pictures_or_the_user_says_so(tmp_path):
    draw(tmp_path)
    rows = [(i % 4, f"{i}.png", "a" if i % 3 else "b") for i in range(12)]
    write(tmp_path / "own.csv", "number,file,kind", rows)
    table = read_dataset(tmp_path / "own.csv", DataOptions(modality="table", drop=("file",)))
    assert table.modality == "table"
    # numbers that happen to be stems of pictures
    write(tmp_path / "own.csv", "number,kind", [(row[0], row[2]) for row in rows])
    assert read_dataset(tmp_path / "own.csv").modality == "table"
    with pytest.raises(FileError, match=r"in no folder of a class(.|\n)*labels\.csv"):
        read_dataset(tmp_path)


def test_several_tables_are_refused_with_the_one_to_write(tmp_path):
    draw(tmp_path / "train")
    for name in ("train", "test", "sample_submission"):
        write(tmp_path / f"{name}.csv", "id,kind", [(s, kind_of(s)) for s in GREY])
    with pytest.raises(
        InputError, match=r"holds 3 files of data(.|\n)*write the path of one: .*train"
    ):
        read_dataset(tmp_path)
    (tmp_path / "test.csv").unlink()
    (tmp_path / "sample_submission.csv").unlink()
    assert_right(read_dataset(tmp_path))
