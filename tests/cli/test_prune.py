"""`relprop prune`: from a model and labelled data to a smaller model that others read."""

import pytest
from helpers.explain_command import command, make_home

from relprop.bundles.user_model import load_user_model

pytest.importorskip("torch_pruning")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_home(tmp_path_factory.mktemp("home"))


def test_a_model_of_a_file_is_pruned_and_saved(home, tmp_path):
    out = tmp_path / "pruned"
    result = command(
        *("prune", f"{home}/nets.py:Net", home / "pictures", "--sparsity", 0.34, "--out", out),
        *("--samples-per-class", 2, "--quiet"),
    )
    assert result.exit_code == 0, result.output
    assert "0: 3 -> 2" in result.stdout
    path = next(out.glob("pruned.*"))
    assert result.stdout.endswith(f"The model: {path}\n")
    model = load_user_model(str(path)).module
    assert sum(p.numel() for p in model.parameters()) < 400
    explained = command(
        *("explain", home / "pictures", "--model", path, "--out", tmp_path / "report"),
        *("--samples", 2, "--curves", 0),
    )
    assert explained.exit_code == 0, explained.output


def test_what_is_wrong_is_an_error_with_what_to_write(home):
    net = f"{home}/nets.py:Net"
    result = command("prune", net, home / "pictures", "--sparsity", 1)
    assert result.exit_code == 2
    assert "'--sparsity': 1.0 is not in the range" in result.output
    result = command("prune", net, home / "pictures", "--finetune", -1)
    assert result.exit_code == 2
    assert "'--finetune': -1 is not in the range" in result.output
    result = command("prune", "no model", "no data", "--out", home / "nets.py" / "below")
    assert result.exit_code == 2
    assert "nets.py" in result.output  # before anything is read
