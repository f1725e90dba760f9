"""Models and functions from a user's own file."""

import pytest
from torch import nn

from relprop.errors import FileError, InputError
from relprop.models.user_code import load_object, make_model

CODE = """
from dataclasses import dataclass
import beside
from torch import nn

@dataclass
class Shape:
    width: int = beside.WIDTH

class Net(nn.Linear):
    def __init__(self, width=Shape().width):
        super().__init__(width, 2)

class Wide(nn.Linear):
    def __init__(self, width, *, depth):
        super().__init__(width, depth)

class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        raise ValueError("no such layer")

def model():
    return Net(3)

ready = Net(5)
number = 7
"""


@pytest.fixture
def file(tmp_path):
    (tmp_path / "beside.py").write_text("WIDTH = 4\n")
    path = tmp_path / "my_net.py"
    path.write_text(CODE)
    return path


@pytest.mark.parametrize(("name", "width"), [("Net", 4), ("model", 3), ("ready", 5)])
def test_a_class_a_function_or_a_model(file, name, width):
    made = make_model(f"{file}:{name}")
    assert isinstance(made, nn.Module)
    assert made.in_features == width


REFUSED = {
    "Nett": (r"defines no 'Nett'", 'write "Net"'),
    "number": ("which is of type int", "name a torch.nn.Module"),
    "Wide": (
        "needs the arguments width, depth",
        "write in {file}: def model(): return Wide(",
    ),
    "Broken": (r"raised ValueError: no such layer \(line 21 of my_net.py\)", "mend it"),
    "Shape": ("which gives a Shape", "return the model"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_gives_no_model_is_refused(file, name):
    given, todo = REFUSED[name]
    with pytest.raises(InputError, match=given) as error:
        make_model(f"{file}:{name}")
    assert error.value.todo.startswith(todo.format(file=file))


def test_the_line_for_a_class_with_arguments_works(file):
    with pytest.raises(InputError) as error:
        make_model(f"{file}:Wide")
    line = error.value.todo.split(": ", 1)[1].split(", and")[0]
    file.write_text(CODE + "\n" + line.replace("width=...", "width=6").replace("=...", "=2") + "\n")
    assert make_model(f"{file}:model").in_features == 6


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("import torch\nimport no_such_package", r"ModuleNotFoundError: .* \(line 2 of bad.py\)"),
        ("x = (", r"SyntaxError: .* \(line 1 of bad.py\)"),
        ("import sys\n\nsys.exit(3)", r"SystemExit: 3 \(line 3 of bad.py\)"),
    ],
)
def test_a_file_that_raises_is_refused_with_its_line(tmp_path, code, given):
    (tmp_path / "bad.py").write_text(code)
    with pytest.raises(InputError, match=given):
        load_object(f"{tmp_path}/bad.py:Net")


def test_a_missing_file_and_a_missing_name(file, tmp_path):
    with pytest.raises(FileError, match="there is no file"):
        load_object(f"{tmp_path}/none.py:Net")
    with pytest.raises(InputError) as error:
        load_object(str(file))
    assert error.value.todo == f"write {file}:ready"
