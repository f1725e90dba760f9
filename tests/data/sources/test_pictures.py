"""Folders and archives of pictures: classes, parts, sizes, modes, broken files."""

import io
import shutil
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from relprop.data.memory import Limit
from relprop.data.sources.picture_files import is_archive
from relprop.data.sources.pictures import read_pictures
from relprop.errors import FileError
from relprop.support.progress import QUIET

LIMIT = Limit(10**9, 0, True)


def picture(value, size=(8, 6), mode="RGB"):
    """A picture of one colour; size is width, height."""
    return Image.new(mode, size, value)


def png(image):
    buffer = io.BytesIO()
    image.save(buffer, "png")
    return buffer.getvalue()


FILES = {
    "cat/1.png": png(picture((10, 20, 30))),
    "cat/2.png": png(picture((11, 20, 30))),
    "dog/1.png": png(picture((90, 20, 30))),
}


def write(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def read(path, limit=LIMIT, resize="crop"):
    return read_pictures(path, limit, QUIET, resize)


def assert_three(raw):
    assert raw.samples.shape == (3, 6, 8, 3)
    assert raw.samples.dtype == np.uint8
    assert raw.samples[:, 0, 0].tolist() == [[10, 20, 30], [11, 20, 30], [90, 20, 30]]
    assert raw.labels.tolist() == ["cat", "cat", "dog"]
    assert list(raw.keys) == list(FILES)
    assert raw.warnings == ()


def test_a_folder_for_each_class(tmp_path):
    assert_three(read(write(tmp_path, FILES)))


def write_tar(path, files, mode):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("end", ["tar", "tar.gz", "tar.xz", "zip"])
def test_archives_with_or_without_a_folder_around_all(end, tmp_path):
    for top in ("", "data-set/"):
        path = tmp_path / f"{len(top)}.{end}"
        files = {top + name: content for name, content in FILES.items()}
        if end == "zip":
            with zipfile.ZipFile(path, "w") as archive:
                for name, content in files.items():
                    archive.writestr(name, content)
        else:
            write_tar(path, files, "w" if end == "tar" else f"w:{end[4:]}")
        assert is_archive(path)
        assert_three(read(path))


@pytest.mark.parametrize("end", ["tar.gz", "zip"])
def test_a_damaged_archive_is_an_error(end, tmp_path):
    (tmp_path / f"a.{end}").write_bytes(b"PK\3\4 no archive")
    with pytest.raises(FileError, match=r"the archive .* cannot be read"):
        read(tmp_path / f"a.{end}")


def test_parts_above_the_classes(tmp_path):
    files = {f"{part}/{n}": c for part in ("train", "val", "Test") for n, c in FILES.items()}
    raw = read(write(tmp_path, files))
    by_part = {part: raw.labels[raw.official == part].tolist() for part in set(raw.official)}
    assert by_part == {p: ["cat", "cat", "dog"] for p in ("train", "validation", "test")}


TALL = Image.fromarray(np.repeat(np.arange(24, dtype=np.uint8)[:, None], 8, 1)).convert("RGB")
OTHERS = "1 of 4 pictures are of other sizes"


@pytest.mark.parametrize(
    ("resize", "row", "column", "said"),
    [
        # the middle of 24 rows, of which 6 are kept: rows 9 to 14
        (
            "crop",
            [9, 10, 11, 12, 13, 14],
            [9] * 8,
            f"{OTHERS}: resized, and 19% of a picture's area is cut off on average; "
            "--resize stretch or pad keeps all",
        ),
        ("stretch", [2, 5, 10, 14, 18, 21], [2] * 8, OTHERS),
        ("pad", [0] * 6, [0, 0, 0, 2, 2, 0, 0, 0], OTHERS),
    ],
)
def test_sizes_become_that_of_most_and_it_is_said(resize, row, column, said, tmp_path):
    raw = read(write(tmp_path, {**FILES, "dog/2.png": png(TALL)}), resize=resize)
    assert raw.samples.shape == (4, 6, 8, 3)
    assert raw.samples[3, :, 0, 0].tolist() == row
    assert raw.samples[3, 0, :, 0].tolist() == column
    pictures, resizing = raw.findings
    assert pictures.reason == "files of mode RGB; the size of most"
    assert resizing.reason == said


def test_without_a_size_of_most_pictures_become_square(tmp_path):
    sizes = [(8, 6), (12, 8), (10, 20)]
    raw = read(write(tmp_path, {f"a/{w}.png": png(picture(7, (w, h), "L")) for w, h in sizes}))
    assert raw.samples.shape == (3, 8, 8, 1)
    assert raw.findings[0].reason.endswith(
        "square, as sizes are many: 8 is the middle of the shorter sides"
    )
    assert "3 of 3" in raw.findings[1].reason
    # kept are 6/8, 8/12 and 10/20 of the area
    assert f"{1 - (6 / 8 + 8 / 12 + 10 / 20) / 3:.0%} of a picture's area" in raw.findings[1].reason


ANNOTATED = {
    "train/n1/images/n1_0.png": FILES["cat/1.png"],
    "train/n1/n1_boxes.txt": b"n1_0.png\t0\t0\t62\t62\n",
    "train/n2/images/n2_0.png": FILES["dog/1.png"],
    "val/images/val_0.png": FILES["cat/2.png"],
    "val/val_annotations.txt": b"val_0.png\tn1\t0\t32\t44\t62\nval_1.png\tn2\t1\t1\t1\t1\n",
    "test/images/test_0.png": FILES["dog/1.png"],
}


@pytest.mark.parametrize("end", ["", "tar", "zip"])
def test_classes_that_a_file_beside_the_pictures_names(end, tmp_path):
    path, files = tmp_path / f"tiny.{end}", {f"tiny/{n}": c for n, c in ANNOTATED.items()}
    if end == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    elif end == "tar":
        write_tar(path, files, "w")
    else:
        path = write(tmp_path / "plain", ANNOTATED)
    raw = read(path)
    assert raw.labels.tolist() == ["n1", "n2", "n1"]
    assert raw.official.tolist() == ["train", "train", "validation"]
    assert raw.samples[:, 0, 0, 0].tolist() == [10, 90, 11]
    assert raw.keys[2] == "val/images/val_0.png"
    left = "Left out, as without a class: 1 file in test/images/."
    assert raw.warnings == (left, "Not used, as of other kinds: 1 file .txt.")


def test_modes_become_rgb_and_it_is_said(tmp_path):
    clear = picture((0, 0, 0, 0), mode="RGBA")
    raw = read(
        write(tmp_path, {**FILES, "a/1.png": png(picture(7, mode="L")), "a/2.png": png(clear)})
    )
    assert raw.samples[:2, 0, 0].tolist() == [[7, 7, 7], [255, 255, 255]]
    assert "several modes (3 RGB, 1 L, 1 RGBA): all are converted to RGB" in raw.warnings[0]


def test_grey_pictures_have_one_channel(tmp_path):
    files = {f"{c}/1.png": png(picture(i, mode="L")) for i, c in enumerate("abc")}
    deep = Image.fromarray(np.full((6, 8), 32896, np.uint16))
    files["d/1.png"] = png(deep)
    files["e/1.png"] = png(picture(1, mode="1"))
    files["f/1.png"] = png(picture((9, 0), mode="LA"))
    raw = read(write(tmp_path, files))
    assert raw.samples.shape == (6, 6, 8, 1)
    assert raw.samples[:, 0, 0, 0].tolist() == [0, 1, 2, 128, 255, 255]
    assert raw.warnings == ("1 picture of more than 8 bits: reduced to 8 bits.",)


def test_broken_pictures_are_left_out_counted_and_named(tmp_path):
    whole = FILES["cat/1.png"]
    broken = {"dog/broken.png": whole[:40], "dog/text.jpg": b"no picture", "dog/empty.png": b""}
    raw = read(write(tmp_path, {**FILES, **broken}))
    assert list(raw.keys) == list(FILES)
    assert raw.warnings[0].startswith("Left out, since they cannot be read: 3 pictures: dog/")
    with pytest.raises(FileError, match=r"none of the 3 pictures in .* can be read"):
        read(write(tmp_path / "all", broken))


def test_photos_are_turned_as_their_camera_was(tmp_path):
    ramp = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
    for name, turned in (("a", 1), ("b", 6)):
        photo = Image.fromarray(ramp)
        exif = photo.getexif()
        exif[0x0112] = turned
        (tmp_path / name).mkdir()
        photo.save(tmp_path / name / "1.png", exif=exif)
    assert (read(tmp_path / "a" / "..").samples[0, ..., 0] == ramp).all()
    (tmp_path / "a" / "1.png").unlink()
    upright = read(tmp_path).samples[0, ..., 0]
    np.testing.assert_array_equal(upright, np.rot90(ramp, -1))


def test_large_pictures_are_reduced(tmp_path):
    raw = read(write(tmp_path, {f"{c}/1.png": png(picture(9, (896, 448), "L")) for c in "ab"}))
    assert raw.samples.shape == (2, 224, 448, 1)
    assert (raw.samples == 9).all()


def test_pictures_beside_the_folders_of_classes_are_an_error(tmp_path):
    with pytest.raises(FileError, match=r"files that are in no folder of a class, such as 1\.png"):
        read(write(tmp_path, {**FILES, "1.png": FILES["cat/1.png"]}))
    with pytest.raises(FileError, match=r"holds no pictures"):
        read(write(tmp_path / "none", {"cat/notes.txt": b"x"}))


def test_more_pictures_than_fit_are_sampled(tmp_path):
    files = {f"{c}/{i}.png": png(picture(i, (100, 100), "L")) for c in "ab" for i in range(100)}
    raw = read(write(tmp_path, files), Limit(1_000_000, 0, True))
    assert raw.samples.shape == (50, 100, 100, 1)
    assert [
        f"{label}/{p}.png" for label, p in zip(raw.labels, raw.samples[:, 0, 0, 0], strict=True)
    ] == raw.keys
    assert "holds 200 pictures of about 4 MB" in raw.warnings[0]


def test_checkpoints_of_notebooks_are_no_class(tmp_path):
    folder = write(tmp_path, {**FILES, ".ipynb_checkpoints/1.png": FILES["cat/1.png"]})
    assert_three(read(folder))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, content in {**FILES, "cat/.ipynb_checkpoints/1.png": b"no picture"}.items():
            archive.writestr(name, content)
    raw = read(tmp_path / "a.zip")
    assert_three(raw)
    assert not raw.warnings


def test_a_picture_that_is_too_large_to_decode_is_named(tmp_path):
    huge = png(Image.new("1", (20_000, 20_000)))
    raw = read(write(tmp_path, {**FILES, "cat/0.png": huge}))
    assert raw.keys == ["cat/1.png", "cat/2.png", "dog/1.png"]
    assert raw.warnings[0].startswith("Left out, since they cannot be read: 1 picture: cat/0.png (")


@pytest.mark.parametrize("more", [{}, {"val/val_annotations.txt": b"0.png\tcat"}])
def test_an_archive_with_a_password_is_an_error(tmp_path, more):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, content in {**FILES, **more}.items():
            archive.writestr(name, content)
    content = bytearray((tmp_path / "a.zip").read_bytes())
    for mark, flags in ((b"PK\1\2", 8), (b"PK\3\4", 6)):  # says of each file that it is encrypted
        place = -1
        while (place := content.find(mark, place + 1)) >= 0:
            content[place + flags] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(FileError, match=r"(?s)is encrypted.*to do:   unpack it"):
        read(tmp_path / "a.zip")


@pytest.mark.parametrize("end", ["", ".zip", ".tar"])
def test_files_that_are_no_pictures_are_counted(end, tmp_path):
    more = {"cat/3.heic": b"-", "dog/2.HEIC": b"-", "dog/Thumbs.db": b"-", "about.md": b"-"}
    folder = write(tmp_path / "pets", {**FILES, **more})
    if end:
        shutil.make_archive(str(folder), end[1:], tmp_path, "pets")
    raw = read(tmp_path / f"pets{end}")
    assert list(raw.keys) == list(FILES)
    assert raw.warnings == ("Not used, as of other kinds: 2 files .heic.",)
