"""Tables as people have them, through `relprop explain`."""

import json

import pytest
import torch
from helpers.explain_command import (
    NUMBERS_NET,
    ONE_HOT,
    command,
    explained_table,
)
from torch import nn

from relprop.report.output import NUMBERS, PAGE


def test_columns_stand_for_the_longest_name_that_they_begin_with(tmp_path):
    """home_value is a number of its own, and job_type no part of job."""
    (tmp_path / "net.py").write_text(
        "import pandas, torch\nfrom torch import nn\nclass Net(nn.Sequential):\n"
        "    def __init__(self):\n        torch.manual_seed(0)\n"
        "        super().__init__(nn.Linear(7, 2))\n"
        "def encode(frame):\n    return pandas.get_dummies(frame, dtype=float)\n"
    )
    rows = ["home_value,home,job,job_type"]
    rows += [f"{i},{('own', 'rent')[i % 2]},{'ab'[i % 2]},{'xy'[i // 2 % 2]}" for i in range(6)]
    (tmp_path / "rows.csv").write_text("\n".join(rows) + "\n")
    model = ("--model", f"{tmp_path}/net.py:Net", "--preprocess", f"{tmp_path}/net.py:encode")
    options = ("--recipe", "zero", "--explain", "1", "--out", tmp_path / "out")
    result = command("explain", tmp_path / "rows.csv", *model, *options)
    assert result.exit_code == 0, result.output
    torch.manual_seed(0)
    weight = nn.Linear(7, 2).weight.detach()[1]
    x = torch.tensor(
        [[i, 1 - i % 2, i % 2, 1 - i % 2, i % 2, 1 - i // 2 % 2, i // 2 % 2] for i in range(6)]
    ).float()
    parts = (x * weight).split([1, 2, 2, 2], 1)
    want = dict(zip(("home_value", "home", "job", "job_type"), parts, strict=True))
    found = json.loads((tmp_path / "out" / NUMBERS).read_text())["importance"]
    assert {one["feature"] for one in found} == want.keys()
    for one in found:
        mean = float(want[one["feature"]].sum(1).abs().mean())
        assert one["mean_absolute"] == pytest.approx(mean, rel=1e-4)


def test_values_of_the_file_are_shown_whatever_the_preprocessing_writes(tmp_path):
    rows = ["a,b,c,y", "10,0,0,cat", "0,10,0,cow", "0,0,10,dog"]
    options = ("--model", f"{tmp_path}/net.py:Three", "--preprocess", f"{tmp_path}/net.py:scaled")
    result, _ = explained_table(tmp_path, rows, *options)
    assert result.exit_code == 0, result.output
    assert "a = 10" in (tmp_path / "out" / PAGE).read_text()


def test_a_model_in_float64(tmp_path):
    rows = ["a,b,c,y", *[f"{ONE_HOT[k]},{k}" for k in ("dog", "cat", "cow")]]
    result, numbers = explained_table(tmp_path, rows, "--model", f"{tmp_path}/net.py:Double")
    assert result.exit_code == 0, result.output
    assert numbers["accuracy"] == 1


def test_a_single_row_has_no_fill_by_other_rows(tmp_path):
    rows = ["a,b,c,y", "1,0,0,0"]
    result, numbers = explained_table(tmp_path, rows, "--model", f"{tmp_path}/net.py:Three")
    assert result.exit_code == 0, result.output
    assert list(numbers["curves"]) == ["mean"]


def test_a_preprocessing_that_raises_is_named_with_its_line(tmp_path):
    options = ("--model", f"{tmp_path}/net.py:Three", "--preprocess", f"{tmp_path}/net.py:flawed")
    result, numbers = explained_table(tmp_path, ["a,b,c,y", "1,0,0,0"], *options)
    assert (result.exit_code, numbers) == (2, None)
    line = NUMBERS_NET.splitlines().index('    return frame["absent"]') + 1
    assert f"net.py:flawed raised KeyError: 'absent' (line {line} of net.py)" in result.stderr
