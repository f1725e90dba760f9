"""Which reader reads a path, test parts beside it, and paths that are wrong."""

import gzip

import numpy as np
import pytest
from helpers.idx_files import idx
from PIL import Image

from relprop.data import DataOptions
from relprop.data.memory import Limit
from relprop.data.sources.find import read_source
from relprop.errors import FileError, InputError
from relprop.support.progress import QUIET

LIMIT = Limit(10**9, 0, True)
ROWS = "a,b\n1,x\n2,y\n"


def read(path, **options):
    return read_source(path, DataOptions(**options), LIMIT, QUIET)


def write(folder, *names, content=ROWS):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        made = content.encode()
        (folder / name).write_bytes(gzip.compress(made) if name.endswith(".gz") else made)
    return folder


PAIRS = [
    ("adult-train.csv.gz", "adult-test.csv.gz"),
    ("train.csv", "test.csv"),
    ("adult.data", "adult.test"),
    ("my_training.tsv", "my_test.tsv"),
    ("A_TRAIN.csv", "A_TEST.csv"),
    ("Train.csv", "Test.csv"),
]


@pytest.mark.parametrize(("train", "test"), PAIRS)
def test_an_official_test_part_beside_a_table_is_found(train, test, tmp_path):
    write(tmp_path, train, test)
    for path in (tmp_path / train, tmp_path):
        assert read(path).official.tolist() == ["train", "train", "test", "test"]


def test_a_table_whose_name_has_train_inside_a_word_has_no_test_part(tmp_path):
    write(tmp_path, "trainers.csv", "testers.csv")
    assert set(read(tmp_path / "trainers.csv").official) == {""}


def test_the_user_names_the_test_part(tmp_path):
    write(tmp_path, "one.csv", "two.csv")
    raw = read(tmp_path / "one.csv", test=tmp_path / "two.csv")
    assert raw.official.tolist() == ["train", "train", "test", "test"]
    with pytest.raises(FileError, match=r"no file or folder .*tow\.csv\n.*\n.*write .*two\.csv"):
        read(tmp_path / "one.csv", test=tmp_path / "tow.csv")


def test_a_folder_with_one_file_or_one_pair_is_that(tmp_path):
    write(tmp_path / "one", "t.csv", "t.names", "README.md")
    assert read(tmp_path / "one").samples["b"].tolist() == ["x", "y"]
    write(tmp_path / "two", "A_TRAIN.csv", "A_TEST.csv", "A_TRAIN.tsv")
    assert len(read(tmp_path / "two").samples) == 4


def test_a_folder_of_several_tables_names_them(tmp_path):
    write(tmp_path, "a.csv", "b.csv", "c-train.csv", "c-test.csv")
    message = r"holds 4 files of data\n.*a\.csv, b\.csv, c-test\.csv, c-train\.csv\n.*c-train\.csv"
    with pytest.raises(InputError, match=message):
        read(tmp_path)


def test_a_folder_of_data_sets_names_them(tmp_path):
    for name in ("mnist", "fashion"):
        write(tmp_path / name, "train-images-idx3-ubyte")
    with pytest.raises(InputError, match=r"holds 2 data sets\n.*fashion, mnist"):
        read(tmp_path)


def test_idx_files_by_folder_by_file_and_by_family(tmp_path):
    for family in ("", "emnist-digits-"):
        name = tmp_path / f"{family}train-images-idx3-ubyte"
        name.write_bytes(idx(np.full((2, 8, 8), 1 + len(family))))
        (tmp_path / f"{family}train-labels-idx1-ubyte").write_bytes(idx(np.arange(2)))
    for path, value in (
        (tmp_path / "train-images-idx3-ubyte", 1),
        (tmp_path / "emnist-digits-train-labels-idx1-ubyte", 15),
        (tmp_path / "emnist-digits", 15),
    ):
        assert (read(path).samples == value).all()


def test_folders_of_pictures_texts_and_series(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "p" / name).mkdir(parents=True)
        Image.new("L", (8, 8)).save(tmp_path / "p" / name / "1.png")
    write(tmp_path / "p", "labels.csv")
    pictures = read(tmp_path / "p")
    assert pictures.labels.tolist() == ["cat", "dog"]
    assert pictures.warnings == (f"{tmp_path / 'p'} holds labels.csv, which is not used.",)
    write(tmp_path / "t", "rt.pos", "rt.neg", content="so\n")
    write(tmp_path / "u", "ham.txt", "spam.txt", "README.md", content="so\n")
    write(tmp_path / "v", "ham/1.txt", "spam/1.txt", content="so\n")
    for path in (tmp_path / "t", tmp_path / "t" / "rt.pos", tmp_path / "u", tmp_path / "v"):
        raw = read(path)
        assert (raw.modality, raw.samples.tolist(), len(set(raw.labels))) == ("text", ["so"] * 2, 2)
    write(tmp_path / "s", "walk/1.csv", "run/1.csv", content="x,y\n1,2\n")
    assert read(tmp_path / "s").modality == "series"


def test_ucr_files(tmp_path):
    write(tmp_path, "G_TRAIN.ts", "G_TEST.ts", content="@classLabel true a\n@data\n1,2:a\n")
    assert read(tmp_path).official.tolist() == ["train", "test"]


MISSING = {
    "a misspelt name": ("adlut.csv", r"write .*adult\.csv"),
    "a misspelt folder": ("dta/adult.csv", r"write .*data"),
    "nothing near": ("zzz", r"datasets:.*zzz for a name of the Hugging Face hub"),
}


@pytest.mark.parametrize("case", MISSING)
def test_a_path_that_is_not_there_is_an_error_with_the_nearest_name(case, tmp_path):
    name, todo = MISSING[case]
    write(tmp_path, "adult.csv", "data/x.csv")
    with pytest.raises(
        FileError, match=rf"no file or folder .*{name}\n.*adult\.csv, data\n.*{todo}"
    ):
        read(tmp_path / name)


def test_what_is_of_no_known_kind_is_an_error(tmp_path):
    write(tmp_path, "a.xyz", "b/README.md")
    Image.new("L", (8, 8)).save(tmp_path / "c.png")
    with pytest.raises(FileError, match=r"a\.xyz is of no known kind of data"):
        read(tmp_path / "a.xyz")
    with pytest.raises(FileError, match=r"b holds no data of a known kind"):
        read(tmp_path / "b")
    with pytest.raises(FileError, match=r"c\.png is a single picture"):
        read(tmp_path / "c.png")


def test_a_named_test_part_is_not_said_to_be_beside_the_table(tmp_path):
    write(tmp_path, "a.csv", "other/b.csv")
    found = read(tmp_path / "a.csv", test=tmp_path / "other" / "b.csv").findings
    (reason,) = [one.reason for one in found if one.what == "test part"]
    assert reason == "a file laid out as a.csv"


def test_a_spreadsheet_is_an_error_with_the_line_that_converts_it(tmp_path):
    write(tmp_path, "data.xlsx", "data.pdf", "y.csv")
    line = r"pandas\.read_excel\('.*data\.xlsx'\)\.to_csv\('.*data\.csv', index=False\)"
    with pytest.raises(FileError, match=rf"the format \.xlsx\n.*\n.*{line}"):
        read(tmp_path / "data.xlsx")
    with pytest.raises(FileError, match=line):
        read(tmp_path / "y.csv", test=tmp_path / "data.xlsx")
    (tmp_path / "y.csv").unlink()
    with pytest.raises(FileError, match=line):
        read(tmp_path)


def test_a_test_part_beside_data_with_its_own_is_an_error(tmp_path):
    write(tmp_path, "rt.pos", "rt.neg", "test.csv")
    with pytest.raises(InputError, match=r"a test part .*test\.csv beside rt\.pos"):
        read(tmp_path / "rt.pos", test=tmp_path / "test.csv")
    with pytest.raises(InputError, match=r"beside the folder"):
        read(write(tmp_path / "u", "h.txt", "s.txt", content="so\n"), test=tmp_path / "test.csv")


def test_a_file_about_the_data_is_no_class(tmp_path):
    write(tmp_path, "pos.txt", "neg.txt", "README.txt", content="some words\nmore words\n")
    raw = read(tmp_path)
    assert sorted(set(raw.labels)) == ["neg", "pos"]
    assert raw.warnings == (f"{tmp_path} holds README.txt, which is not used.",)
