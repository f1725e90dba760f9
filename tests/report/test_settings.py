"""What is asked of `relprop explain`: what cannot be done is an error before the work."""

import numpy as np
import pytest
from helpers.explain_command import command, make_home
from PIL import Image


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_home(tmp_path_factory.mktemp("home"))


BAD = {
    "no model": ({}, "no --model", "write --model my_net.py:Net"),
    "no data": ({"data": (), "--model": "m"}, "no data", ""),
    "no class": ({"--model": "{home}/nets.py:Nett"}, "defines no 'Nett'", 'write "Net"'),
    "a column": (
        {"data": ("{home}/rows.csv",), "--model": "{home}/nets.py:Table", "--target": "rch"},
        "rows.csv has no column 'rch'",
        "write --target rich",
    ),
    "no row of names": (
        {"data": ("{home}/bare.csv",), "--model": "{home}/nets.py:Table", "--target": "rich"},
        "bare.csv has no column 'rich'",
        "write the names of the columns in a first row",
    ),
    "texts in a table": (
        {"data": ("{home}/rows.csv",), "--model": "{home}/nets.py:Table", "--target": "rich"},
        "rows.csv has columns of texts: job",
        "write --preprocess my_net.py:encode",
    ),
    "classes": (
        {"--model": "{home}/nets.py:Net", "--classes": "{home}/two.txt"},
        "2 names of classes for a model with 3 classes",
        "complete the file of --classes",
    ),
    "a target": (
        {"--model": "{home}/nets.py:Net", "--explain": "cows"},
        "--explain cows",
        'write --explain "cow"',
    ),
    "an empty folder": (
        {"data": ("{home}/empty",), "--model": "{home}/nets.py:Net"},
        "no pictures in",
        "give the folder of pictures",
    ),
    "several sizes": (
        {"data": ("{home}/sizes",), "--model": "{home}/nets.py:Net"},
        "pictures of 2 sizes: 8 x 8 (a.png), 9 x 9 (b.png)",
        "write --size 8x8",
    ),
    "no tokenizer": (
        {"data": ("{home}/texts.jsonl",), "--model": "{home}/nets.py:Text"},
        "whose tokenizer is not known",
        "write --tokenizer FOLDER",
    ),
    "a recipe": (
        {"--model": "{home}/nets.py:Net", "--recipe": "epsilom"},
        "epsilom",
        'write "epsilon"',
    ),
    "a size": ({"--model": "m", "--size": "big"}, "--size big", "write --size 224x224"),
    "a mean of 255": (
        {"--model": "m", "--mean": "127,127,127"},
        "--mean 127,127,127",
        "write --mean 0.498,0.498,0.498",
    ),
    "a size of a table": (
        {"data": ("{home}/rows.csv",), "--model": "{home}/nets.py:Table", "--size": "8x8"},
        "--size for tables, which changes nothing",
        "leave --size out",
    ),
    "a target of pictures": (
        {"--model": "{home}/nets.py:Net", "--target": "rich"},
        "--target for pictures, which changes nothing",
        "leave --target out",
    ),
    "a mean beside a preprocessing": (
        {
            "--model": "{home}/nets.py:Net",
            "--preprocess": "{home}/nets.py:halves",
            "--mean": "0.5",
        },
        "--mean for pictures beside --preprocess",
        "leave --mean out",
    ),
    "a key of no line": (
        {
            "data": ("{home}/texts.jsonl",),
            "--model": "{home}/nets.py:Text",
            "--tokenizer": "{home}/tokenizer",
            "--target": "moood",
        },
        "in which no line has 'moood'",
        "look at --target",
    ),
    "a mean": ({"--model": "m", "--mean": "half"}, "--mean half", "write --mean 0.5"),
    "an own folder": (
        {"--model": "{home}/nets.py:Net", "--out": "{home}/pictures"},
        "it holds files that no report wrote",
        "give another folder with --out",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_an_error_before_the_work(home, name, tmp_path):
    (home / "two.txt").write_text("cat\ndog\n")
    (home / "bare.csv").write_text("20,cook,0.5,no\n21,clerk,1.0,yes\n")
    (home / "empty").mkdir(exist_ok=True)
    (home / "sizes").mkdir(exist_ok=True)
    for file, side in (("a.png", 8), ("b.png", 9)):
        Image.fromarray(np.zeros((side, side), dtype="uint8")).save(home / "sizes" / file)
    options, given, todo = BAD[name]
    options = {"data": ("{home}/pictures",), "--out": str(tmp_path / "out"), **options}
    data = [one.format(home=home) for one in options.pop("data")]
    flat = [part for key, value in options.items() for part in (key, value.format(home=home))]
    result = command("explain", *data, *flat)
    assert result.exit_code == 2, result.output
    assert given in result.stderr
    assert todo in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_config_with_an_unknown_option_is_refused(home, tmp_path):
    (tmp_path / "c.toml").write_text('modell = "m"\n')
    result = command("explain", home / "pictures", "--config", tmp_path / "c.toml")
    assert result.exit_code == 2
    assert 'write "model"' in result.stderr
