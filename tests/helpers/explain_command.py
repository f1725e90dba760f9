"""A folder of a user of `relprop explain`, the command, and what it wrote."""

import csv
import json

import numpy as np
from click.testing import CliRunner
from PIL import Image

from relprop.cli import main
from relprop.report.output import NUMBERS, ROWS

from .tokenizers import small_tokenizer

NETS = """
import torch, pandas
from torch import nn

class Net(nn.Sequential):
    def __init__(self):
        torch.manual_seed(0)
        super().__init__(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 3))

class Flat(nn.Sequential):
    def __init__(self):
        torch.manual_seed(0)
        super().__init__(nn.Flatten(), nn.Linear(64, 3))

class Table(nn.Sequential):
    def __init__(self):
        torch.manual_seed(0)
        super().__init__(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1), nn.Sigmoid())

class Logit(nn.Sequential):
    def __init__(self):
        torch.manual_seed(0)
        super().__init__(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1))

class Price(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(2, 1))

class Text(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.embedding, self.head = nn.Embedding(8, 4), nn.Linear(4, 2)
    def forward(self, input_ids, attention_mask):
        h = self.embedding(input_ids) * attention_mask[..., None]
        return self.head(h.sum(1))

def encode(frame):
    return pandas.get_dummies(frame, dtype=float)

def scale(frame):
    frame = frame.assign(age=(frame["age"] - 24) / 3, half=frame["hours"] / 2)
    return pandas.get_dummies(frame.drop(columns="hours"), dtype=float)[
        ["age", "half", "job_clerk", "job_cook"]
    ]

def halves(image):
    import numpy
    return torch.tensor(numpy.array(image, dtype="float32") / 255)[None] - 0.5
"""


NUMBERS_NET = """
from torch import nn
import torch

class Eleven(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(11, 11, bias=False))
        nn.init.eye_(self[0].weight)

class Three(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(3, 3, bias=False))
        nn.init.eye_(self[0].weight)

class Double(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(3, 3, bias=False, dtype=torch.float64))
        nn.init.eye_(self[0].weight)

def scaled(frame):
    frame["a"] /= 10
    return frame

def flawed(frame):
    return frame["absent"]
"""

ONE_HOT = {"cat": "1,0,0", "cow": "0,1,0", "dog": "0,0,1"}


def command(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def make_home(folder):
    """Write models, pictures of three classes, a table and texts to a folder."""
    (folder / "nets.py").write_text(NETS)
    rng = np.random.default_rng(0)
    for i in range(12):
        place = folder / "pictures" / ("cat", "cow", "dog")[i % 3]
        place.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (8, 8), dtype="uint8")
        Image.fromarray(pixels).save(place / f"{i:02d}.png")
    rows = [f"{20 + i},{('cook', 'clerk')[i % 2]},{i / 4},{('no', 'yes')[i % 2]}" for i in range(9)]
    lines = ["age,job,hours,rich", *rows, ",cook,1,no"]
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    texts = [{"text": "a unlikely film", "mood": "1"}, {"text": "film", "mood": "0"}, {"txt": 1}]
    (folder / "texts.jsonl").write_text("\n".join(map(json.dumps, texts)))
    small_tokenizer().save_pretrained(folder / "tokenizer")
    return folder


def rows_of(out):
    return list(csv.DictReader((out / ROWS).read_text().splitlines()))


def explained_table(folder, rows, *options):
    (folder / "net.py").write_text(NUMBERS_NET)
    (folder / "rows.csv").write_text("\n".join(rows) + "\n")
    line = ["explain", folder / "rows.csv", "--target", "y", "--out", folder / "out", *options]
    result = command(*line)
    numbers = folder / "out" / NUMBERS
    return result, json.loads(numbers.read_text()) if numbers.exists() else None
