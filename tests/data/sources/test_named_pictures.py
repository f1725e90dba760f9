"""Pictures that a table names: labels.csv beside them, parts, labels, values, what lacks."""

import numpy as np
import pytest
from PIL import Image

from relprop.data import DataOptions, read_dataset
from relprop.data.memory import Limit
from relprop.data.sources.find import read_source
from relprop.errors import FileError, InputError
from relprop.support.progress import QUIET

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


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("{}.png", ""),
        ("{}", ""),
        ("{}.png", "pictures"),
        ("pictures/{}.png", "pictures"),
        ("{}", "pictures"),
    ],
)
def test_a_table_beside_them_or_above(name, place, tmp_path):
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


@pytest.mark.parametrize("inside", ["", "images"])
def test_beside_folders_of_classes_a_table_of_pictures_is_refused_and_another_not_used(
    inside, tmp_path
):
    for kind in ("dark", "light"):
        draw(tmp_path / kind / inside, {s: g for s, g in GREY.items() if kind_of(s) == kind})
    for content in ("name", "name,count"):
        write(tmp_path / "classes.csv", content, [("dark",) * len(content.split(","))])
        dataset = read_dataset(tmp_path)
        assert_right(dataset)
        assert dataset.warnings == (f"{tmp_path} holds classes.csv, which is not used.",)
    (tmp_path / "classes.csv").unlink()
    rows = [(f"{kind_of(s)}/{inside}/{s}.png".replace("//", "/"), kind_of(s)) for s in GREY]
    write(tmp_path / "labels.csv", "file,kind", rows)
    with pytest.raises(InputError, match=r"folders that may be classes, and labels\.csv"):
        read_dataset(tmp_path)
    assert_right(read_dataset(tmp_path / "labels.csv"))


@pytest.mark.parametrize("folders", [("train_images", "test_images"), ("part_1", "part_2")])
def test_folders_of_parts_and_pieces_are_no_classes(folders, tmp_path):
    stems = list(GREY)
    draw(tmp_path / folders[0], {s: GREY[s] for s in stems[:10]})
    draw(tmp_path / folders[1], {s: GREY[s] for s in stems[10:]})
    labelled = stems[:10] if "test" in folders[1] else stems
    write(tmp_path / "train.csv", "id,kind", [(s, kind_of(s)) for s in labelled])
    write(tmp_path / "sample_submission.csv", "id,kind", [(s, "dark") for s in stems[10:]])
    dataset = read_dataset(tmp_path)
    assert_right(dataset)
    assert len(dataset.samples) == len(labelled)
    assert dataset.warnings == (f"{tmp_path} holds sample_submission.csv, which is not used.",)


def test_a_column_of_files_comes_before_numbers_that_are_stems_as_well(tmp_path):
    draw(tmp_path)
    stems = list(GREY)
    rows = [(i, f"{s}.png", kind_of(s)) for i, s in enumerate(reversed(stems))]
    write(tmp_path / "labels.csv", ",file,kind", rows)
    assert_right(read_dataset(tmp_path))
    # of two numbers, the one with a name
    write(
        tmp_path / "labels.csv",
        ",id,kind",
        [
            (i, stem, kind)
            for i, stem, kind in ((i, name.removesuffix(".png"), kind) for i, name, kind in rows)
        ],
    )
    assert_right(read_dataset(tmp_path))


def test_pictures_are_those_of_images_and_not_of_masks(tmp_path):
    draw(tmp_path / "images")
    draw(tmp_path / "annotations", dict.fromkeys(GREY, 255))
    draw(tmp_path / ".cache", dict.fromkeys(GREY, 0))
    write(tmp_path / "labels.csv", "id,kind", [(s, kind_of(s)) for s in GREY])
    assert_right(read_dataset(tmp_path / "labels.csv"))
    (tmp_path / "images").rename(tmp_path / "scans")
    with pytest.raises(
        InputError, match=r"names several pictures in a row: .*0\.png and (.|\n)*write names with"
    ):
        read_dataset(tmp_path / "labels.csv")
    rows = [(f"annotations/{s}.png", f"scans/{s}.png", kind_of(s)) for s in GREY]
    write(tmp_path / "labels.csv", "mask,image,kind", rows)
    assert_right(read_dataset(tmp_path / "labels.csv"))


@pytest.mark.parametrize(
    "written", ["{}.JPG", "images\\{}.JPG", "images/{}", "./data/images/{}.jpg", "{}"]
)
def test_names_may_be_written_in_many_ways(written, tmp_path):
    draw(tmp_path / "images" / "images", ending=".JPG")
    rows = [(written.format(s), kind_of(s)) for s in GREY]
    write(tmp_path / "labels.csv", "picture,kind", [*rows, ("", "dark")])
    dataset = read_dataset(tmp_path)
    assert_right(dataset)
    assert len(dataset.samples) == 12


def test_a_test_row_never_takes_a_picture_of_the_training_part(tmp_path):
    stems = list(GREY)
    draw(tmp_path / "train", {f"{i}": GREY[s] for i, s in enumerate(stems[:8])})
    draw(tmp_path / "test" / "images", {f"{i}": GREY[s] for i, s in enumerate(stems[8:11])})
    of = {"train": stems[:8], "test": stems[8:]}  # the last one's picture is not there
    for part, some in of.items():
        rows = [(f"{i}.png", kind_of(s) if i else "dark") for i, s in enumerate(some)]
        write(tmp_path / f"{part}.csv", "file,kind", rows)
    dataset = read_dataset(tmp_path)
    assert_right(dataset, lambda stem: "dark" if stem == stems[8] else kind_of(stem))
    assert [key for key in dataset.keys if key.startswith("test")] == [
        f"test/images/{i}.png" for i in range(3)
    ]
    assert "Left out, as there is no such picture: 1 row: 3.png." in dataset.warnings


def test_pictures_that_are_not_there_are_an_error_and_not_a_table(tmp_path):
    draw(tmp_path, {"0": 10, "1": 30})
    write(
        tmp_path / "labels.csv",
        "file,age,kind",
        [(f"{s}.png", i % 5, kind_of(s)) for i, s in enumerate(GREY)],
    )
    said = (
        r"names pictures of which 10 of 12 are not there, such as '2\.png'(.|\n)*--modality table"
    )
    for source in (tmp_path, tmp_path / "labels.csv"):
        with pytest.raises(FileError, match=said):
            read_dataset(source)
    table = read_dataset(tmp_path / "labels.csv", DataOptions(modality="table"))
    assert table.modality == "table"


def test_the_column_of_pictures_may_be_the_group_and_rows_that_name_one_again_are_counted(tmp_path):
    draw(tmp_path)
    rows = [(f"{s}.png", x, kind_of(s)) for s in GREY for x in (0, 1)]
    write(tmp_path / "boxes.csv", "image_id,x,kind", rows)
    dataset = read_dataset(tmp_path, DataOptions(group="image_id", drop=("x",)))
    assert_right(dataset)
    assert dataset.keys[0] == dataset.keys[1] == "0.png"
    assert (dataset.parts[::2] == dataset.parts[1::2]).all()
    assert dataset.warnings[0] == "12 rows that name a picture which an earlier row names."


def test_pictures_without_targets_take_no_memory(tmp_path):
    draw(tmp_path / "train")
    draw(tmp_path / "test", {f"t{i}": 5 * i for i in range(40)})
    write(tmp_path / "train.csv", "id,kind", [(s, kind_of(s)) for s in GREY])
    write(tmp_path / "test.csv", "id", [(f"t{i}",) for i in range(40)])
    with_all = read_pictures_of(tmp_path, 12 * 72 * 2 + 100)
    assert len(with_all.keys) == 12
    assert with_all.warnings == (
        "The test part has no targets: instead, a part of the rest is the test part.",
    )
    assert_right(read_dataset(tmp_path))


def read_pictures_of(folder, limit):
    return read_source(folder, DataOptions(), Limit(limit, 0, True), QUIET)


def test_a_test_table_that_lacks_columns_is_not_used(tmp_path):
    draw(tmp_path / "train")
    rows = [(s, i, i % 2, kind_of(s)) for i, s in enumerate(GREY)]
    write(tmp_path / "train.csv", "id,age,sex,kind", rows)
    write(tmp_path / "test.csv", "id,age", [(f"t{i}", i) for i in range(5)])
    dataset = read_dataset(tmp_path)
    assert_right(dataset)
    assert "test.csv is not used, as it has no column sex, kind." in dataset.warnings


def test_a_table_in_the_folder_of_the_training_part_alone(tmp_path):
    draw(tmp_path / "train")
    write(
        tmp_path / "train" / "metadata.csv",
        "file_name,kind",
        [(f"{s}.png", kind_of(s)) for s in GREY],
    )
    dataset = read_dataset(tmp_path)
    assert_right(dataset)
    assert len(set(dataset.parts)) == 3


def test_labels_may_be_minus_one_and_one(tmp_path):
    draw(tmp_path)
    rows = [
        (f"{s}.png", 1 if kind_of(s) == "dark" else -1, 2 * (i % 2) - 1) for i, s in enumerate(GREY)
    ]
    write(tmp_path / "all.csv", "file,dark,odd", rows)
    dataset = read_dataset(tmp_path, DataOptions(labels=("dark", "odd")))
    assert dataset.target.values.tolist() == [[row[1] == 1, row[2] == 1] for row in rows]


def test_a_table_stays_one_where_it_names_no_pictures_or_the_user_says_so(tmp_path):
    draw(tmp_path)
    rows = [(i % 4, f"{i}.png", "a" if i % 3 else "b") for i in range(12)]
    write(tmp_path / "own.csv", "number,file,kind", rows)
    table = read_dataset(tmp_path / "own.csv", DataOptions(modality="table", drop=("file",)))
    assert table.modality == "table"
    # numbers that happen to be stems of pictures: of a few again and again, and of some of many
    for numbers in ([i % 4 for i in range(12)], range(5, 17)):
        write(tmp_path / "own.csv", "id,kind", [(n, rows[i][2]) for i, n in enumerate(numbers)])
        assert read_dataset(tmp_path / "own.csv").modality == "table"
        with pytest.raises(FileError, match=r"names none of the pictures(.|\n)*write .*own\.csv"):
            read_dataset(tmp_path)


def test_several_tables_are_refused(tmp_path):
    draw(tmp_path / "images")
    for name in ("first", "second"):
        write(tmp_path / f"{name}.csv", "id,kind", [(s, kind_of(s)) for s in GREY])
    with pytest.raises(InputError, match=r"holds 2 files of data(.|\n)*write the path of one: "):
        read_dataset(tmp_path)
    assert_right(read_dataset(tmp_path / "second.csv"))


def test_a_plain_table_stays_one_where_some_of_its_values_are_names_of_several_pictures(tmp_path):
    for folder in ("first", "second"):
        draw(tmp_path / folder, {"1": 10, "2": 30, "yes": 50})
    rows = [(i, "yes" if i % 3 else "no", kind_of(s)) for i, s in enumerate(GREY)]
    write(tmp_path / "people.csv", "number,member,kind", rows)
    assert read_dataset(tmp_path / "people.csv").modality == "table"


def test_without_pictures_a_test_table_that_lacks_columns_is_refused(tmp_path):
    write(
        tmp_path / "train.csv", "age,sex,kind", [(i, i % 2, kind_of(s)) for i, s in enumerate(GREY)]
    )
    write(tmp_path / "test.csv", "age,size", [(i, i) for i in range(5)])
    with pytest.raises(FileError, match=r"test\.csv has no column 'sex', 'kind'"):
        read_dataset(tmp_path / "train.csv")
