"""The line that makes a tensor of a path, a picture, a table or a list is run, and gives it."""

import datetime
from pathlib import Path

import numpy
import pandas
import PIL.Image
import pytest
import torch

import relprop
from relprop.support.make_tensor import line_for_tensor

NAMES = {"numpy": numpy, "pandas": pandas, "relprop": relprop, "torch": torch}
GREY = numpy.arange(6, dtype="uint8").reshape(2, 3)
COLOUR = numpy.arange(18, dtype="uint8").reshape(2, 3, 3)


def made(value: object, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return eval(line_for_tensor(value, "x", dtype), {**NAMES, "x": value})


@pytest.mark.parametrize("mode", ["L", "1", "RGB", "RGBA", "P"])
def test_a_picture_is_scaled_with_channels_first(mode):
    grey = mode in ("L", "1")
    source = PIL.Image.fromarray(GREY if grey else COLOUR).convert(mode)
    x = made(source, torch.float64)
    plain = numpy.array(source.convert("L" if grey else "RGB"))
    want = torch.from_numpy(plain / 255)
    want = want[None, None] if grey else want.permute(2, 0, 1)[None]
    torch.testing.assert_close(x, want, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("kind", [str, Path])
def test_a_path_is_opened(kind, tmp_path):
    path = tmp_path / "digit.PNG"
    PIL.Image.fromarray(COLOUR).save(path)
    want = torch.from_numpy(COLOUR / numpy.float32(255)).permute(2, 0, 1)[None]
    torch.testing.assert_close(made(kind(path)), want)
    torch.testing.assert_close(made([kind(path)] * 2), want.repeat(2, 1, 1, 1))


@pytest.mark.parametrize(
    ("value", "want"),
    [
        (numpy.array([[1.0, 2.0]]), torch.tensor([[1.0, 2.0]])),
        (numpy.array([[1, 2]]), torch.tensor([[1, 2]])),
        (pandas.DataFrame({"a": [1, 2], "b": [0.5, 1.5]}), torch.tensor([[1, 0.5], [2, 1.5]])),
        (pandas.DataFrame({"a": [1, 2], "b": ["u", "v"]}), torch.tensor([[1.0, 1, 0], [2, 0, 1]])),
        (pandas.DataFrame({"a": [True, False]}), torch.tensor([[1.0], [0.0]])),
        (pandas.Series([1, 2]), torch.tensor([[1.0, 2.0]])),  # a row
        ([[1.0, 2.0]], torch.tensor([[1.0, 2.0]])),
        ([torch.ones(2), torch.zeros(2)], torch.tensor([[1.0, 1], [0, 0]])),
        ([torch.ones(1, 2), torch.zeros(1, 2)], torch.tensor([[1.0, 1], [0, 0]])),
        ([torch.ones(2), torch.ones(1)], torch.tensor([[1.0, 1], [1, 0]])),
        ([numpy.ones(2), numpy.zeros(2)], torch.tensor([[1.0, 1], [0, 0]])),
        ((numpy.ones(2), numpy.zeros(2)), torch.tensor([[1.0, 1], [0, 0]])),
    ],
    ids=lambda value: type(value).__name__,
)
def test_numbers_stay_what_they_are(value, want):
    torch.testing.assert_close(made(value), want)


def test_texts_go_to_a_tokenizer():
    assert line_for_tensor("a film", "x", torch.float32) == 'tokenizer(x, return_tensors="pt")'
    line = line_for_tensor(["a", "film"], "x", torch.float32)
    assert line == 'tokenizer(x, return_tensors="pt", padding=True)'


@pytest.mark.parametrize("value", [None, 3, object(), [], [1, "a"], [None], datetime.date.today()])
def test_nothing_is_proposed_for_what_is_no_data(value):
    assert line_for_tensor(value, "x", torch.float32) == ""
