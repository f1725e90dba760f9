"""The line of a model's code that an error came from, and whose code it is."""

import importlib.util
from traceback import FrameSummary

import pytest
import torch
from helpers.refused_models import between
from torch import nn

import relprop
from relprop.capture.failing_place import failing_line, failing_module, running_line, write_line


def caught(function) -> Exception:
    with pytest.raises(Exception) as error:  # noqa: PT011 -- any
        function()
    return error.value


def condition(h):
    return h if h.sum() > 0 else -h


def test_a_condition_in_the_users_code_is_told_from_one_in_a_package(tmp_path):
    folder = tmp_path / "site-packages" / "somebody"
    folder.mkdir(parents=True)
    (folder / "layers.py").write_text(
        "\n\ndef condition(h):\n    return h if h.sum() > 0 else -h\n"
    )
    spec = importlib.util.spec_from_file_location("somebody.layers", folder / "layers.py")
    package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)
    error = caught(lambda: relprop.explain(between(package.condition), torch.rand(2, 4)))
    assert "(at somebody.layers, line 4)" in error.given
    assert "out of forward" not in error.todo
    assert "no such condition in somebody's own code" in error.todo
    own = caught(lambda: relprop.explain(between(condition), torch.rand(2, 4)))
    assert f"(at {__name__}, line {condition.__code__.co_firstlineno + 1})" in own.given
    assert "out of forward" in own.todo


def test_a_condition_in_torchs_own_layers_is_named():
    error = caught(lambda: nn.functional.linear(torch.rand(2, 3), torch.rand(2, 4)))
    assert failing_line(error).module == __name__
    error = caught(lambda: nn.functional.batch_norm(torch.rand(1, 3), None, None, training=True))
    place = failing_line(error)
    assert (place.module, place.package) == ("torch.nn.functional", "torch")


def test_the_innermost_module_is_named():
    model = nn.Sequential(nn.Sequential(nn.Linear(4, 3), nn.Linear(4, 3)))
    error = caught(lambda: model(torch.rand(2, 4)))
    assert failing_module(error, model) == ', in "0.1",'
    assert failing_module(ValueError(), model) == ""
    assert failing_line(ValueError()) is None


def test_a_line_is_written_with_its_place_in_a_package():
    line = write_line(FrameSummary("/a/site-packages/b/c.py", 3, "forward", line="h = x"))
    assert line == "b/c.py:3 in forward: `h = x`"
    assert write_line(FrameSummary("/home/me/net.py", 3, "f", line="")) == "net.py:3 in f"


def test_the_line_that_runs_is_the_innermost_of_the_model():
    def called_by_torch(x):
        found.append(running_line())
        return x

    found = []
    nn.Sequential(between(called_by_torch))(torch.rand(2, 4))
    first = called_by_torch.__code__.co_firstlineno
    assert (found[0].filename, found[0].lineno) == (__file__, first + 1)
