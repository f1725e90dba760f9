"""`relprop compare`: the files in its folder, what goes to which stream, and bad input."""

import json

import pytest
from helpers.comparison import COUNT, FILES, MODEL, relprop_command


def test_json_is_all_there_is_on_stdout(data, tmp_path):
    options = ("--digits", 3, "--steps", 2, "--method", "epsilon", "--data", "fashion-mnist")
    out = tmp_path / "out"
    result = relprop_command(
        *("compare", MODEL, *options, "--data-dir", data, "--out", out, "--json", "--quiet")
    )
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    assert result.stdout == (out / "results.json").read_text()
    (used,) = json.loads(result.stdout)["data"]
    assert used["name"] == "fashion-mnist"
    assert "Fashion-MNIST" in used["source"]
    assert {path.name for path in out.iterdir()} == {*FILES, "settings.json", "blocks"}


@pytest.mark.parametrize(
    ("options", "given"),
    [
        (("--method", "epsilo"), "unknown method 'epsilo'"),
        (("--method", "epsilon:gamma=1"), "was given the parameter 'gamma'"),
        (("--method", "epsilon:epsilon=much"), "'epsilon=much' in the method"),
        (("--method", "epsilon:epsilon=Infinity"), "'epsilon=Infinity' in the method"),
        (("--method", "smoothgrad:samples=0"), "samples=0 in 'smoothgrad:samples=0'"),
        (("--method", "smoothgrad:samples=1.5"), "samples=1.5 in 'smoothgrad:samples=1.5'"),
        (("--method", "gamma", "--method", "gamma"), "methods: gamma, gamma"),
        (("--fill", "black"), "fill='black'"),
        (("--score", "loss"), "score='loss'"),
        (("--data", "cifar"), "data='cifar'"),
        (("--q", 0, "--digits", 5), "q=0, the share to remove of samples with 784 units"),
        (("--steps", 785, "--digits", 5), "steps=785"),
        (("--digits", COUNT + 1), f"{COUNT + 1} digits to use"),
        (("nothing",), "there is no model named 'nothing'"),
    ],
)
def test_bad_input_is_an_error_in_three_parts_and_leaves_nothing(options, given, data, tmp_path):
    out = tmp_path / "out"
    result = relprop_command(
        "compare", MODEL, "--data-dir", data, "--out", out, *options, "--quiet"
    )
    assert result.exit_code == 2
    assert result.stdout == ""
    assert given in result.stderr
    assert "\n  allowed: " in result.stderr
    assert "\n  to do:   " in result.stderr
    assert not out.exists()
