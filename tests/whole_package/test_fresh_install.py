"""From an empty environment to a report, by the commands of the README, in processes of their own.

The models and data are a user's: files with an own net, PNGs, a tokenizer made here, a real table.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.real_data import FOLDER
from helpers.tokenizers import small_tokenizer
from PIL import Image
from torch import nn

from relprop.report.output import IMAGES, NUMBERS, PAGE

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow

OWN_FILE = """
import pandas
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(1, 4, 3, padding=1)
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(torch.relu(self.convolution(x)).amax((2, 3)))


class Table(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Linear(COLUMNS, 16), nn.ReLU(), nn.Linear(16, 1))


def encode(frame):
    numbers = frame.select_dtypes("number")
    scaled = (numbers - numbers.mean()) / numbers.std()
    return pandas.get_dummies(frame, dtype=float).assign(**scaled)
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """A virtual environment that holds relprop alone."""
    home = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    return home / "bin" / "python"


def install(python, *what):
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--constraint", ROOT / "constraints.txt", *what], check=True, cwd=ROOT)


def run(python, folder, *command):
    """Run a command of the environment in a folder, without what this process has on its path."""
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    line = [python.parent / command[0], *command[1:]]
    return subprocess.run(
        line, cwd=folder, env=inherited, capture_output=True, text=True, check=False
    )


def commands_of_the_readme() -> list[list[str]]:
    blocks = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.startswith("relprop explain")]


def trained(model, x, labels, loss, steps, rate) -> nn.Module:
    optimiser = torch.optim.Adam(model.parameters(), rate)
    for _ in range(steps):
        optimiser.zero_grad()
        loss(model(x), labels).backward()
        optimiser.step()
    return model.eval()


def make_pictures(folder, own) -> None:
    """Save pictures of upright and lying bars, and a net that tells them apart."""
    rng, pixels = np.random.default_rng(0), []
    for i in range(24):
        one = rng.integers(0, 40, (12, 12), dtype="uint8")
        place = int(rng.integers(2, 10))
        one[(slice(None), place) if i % 2 else (place, slice(None))] = 230
        (folder / "pictures" / ("lying", "upright")[i % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(one).save(
            folder / "pictures" / ("lying", "upright")[i % 2] / f"{i:02d}.png"
        )
        pixels.append(one)
    x = torch.tensor(np.stack(pixels))[:, None] / 255
    labels = torch.arange(24) % 2
    net = trained(own["Net"](), x, labels, nn.functional.cross_entropy, 300, 0.02)
    assert (net(x).argmax(1) == labels).all()
    torch.save(net.state_dict(), folder / "net.pt")


def make_texts(folder) -> None:
    from transformers import BertConfig, BertForSequenceClassification

    sizes = {"hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 8}
    config = BertConfig(vocab_size=8, num_hidden_layers=1, **sizes)
    BertForSequenceClassification(config).save_pretrained(folder / "sentiment")
    small_tokenizer().save_pretrained(folder / "sentiment")
    texts = [{"text": "a unlikely film", "mood": 1}, {"text": "a film", "mood": 0}]
    (folder / "films.jsonl").write_text("\n".join(map(json.dumps, texts)))


def make_table(folder, own, frame) -> float:
    """Save real rows and a net trained on them; return its accuracy."""
    frame.to_csv(folder / "adult.csv", index=False)
    x = torch.tensor(own["encode"](frame.drop(columns="income")).to_numpy("float32"))
    labels = torch.tensor((frame["income"] == ">50K").to_numpy("float32"))[:, None]
    loss = nn.functional.binary_cross_entropy_with_logits
    model = trained(own["Table"](), x, labels, loss, 200, 0.02)
    torch.save(model.state_dict(), folder / "table.pt")
    return float(((model(x) > 0) == (labels > 0.5)).float().mean())


def table_rows():
    """Return the first rows of the real table Adult, or rows made up where it is missing."""
    import pandas

    tabular = FOLDER / "tabular"
    if tabular.is_dir():
        names = re.findall(r"^([a-z-]+):", (tabular / "adult.names").read_text(), re.MULTILINE)
        file, columns = tabular / "adult-train.csv.gz", [*names, "income"]
        return pandas.read_csv(file, names=columns, skipinitialspace=True, nrows=2000)
    rng = np.random.default_rng(0)
    frame = pandas.DataFrame({"age": rng.integers(18, 80, 500), "hours": rng.integers(5, 60, 500)})
    frame["job"] = rng.choice(["cook", "clerk", "smith"], 500)
    rich = frame["age"] + frame["hours"] + 20 * (frame["job"] == "smith") > 90
    return frame.assign(income=np.where(rich, ">50K", "<=50K"))


def test_three_commands_lead_from_own_files_to_reports(python, tmp_path):
    torch.manual_seed(0)
    frame = table_rows()
    install(python, ".")
    explain_pictures, explain_table, explain_texts = commands_of_the_readme()
    own: dict = {}
    exec(OWN_FILE.replace("COLUMNS", "0"), own)
    columns = own["encode"](frame.drop(columns="income")).shape[1]
    source = OWN_FILE.replace("COLUMNS", str(columns))
    (tmp_path / "my_net.py").write_text(source)
    exec(source, own)
    make_pictures(tmp_path, own)
    make_texts(tmp_path)
    accuracy = make_table(tmp_path, own, frame)
    assert accuracy > 0.83

    without = run(python, tmp_path, *explain_pictures)
    assert without.returncode == 2
    assert 'pip install "relprop[explain]"' in without.stderr
    assert not (tmp_path / "report").exists()

    install(python, ".[explain]")
    without = run(python, tmp_path, *explain_texts)
    assert "to do:   pip install transformers\n" in without.stderr
    install(python, "transformers")
    for command in (explain_pictures, explain_table, explain_texts):
        done = run(python, tmp_path, *command)
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
        assert (tmp_path / command[-1] / PAGE).stat().st_size > 10_000
    report = tmp_path / explain_pictures[-1]
    assert json.loads((report / NUMBERS).read_text())["accuracy"] == 1
    assert len(list((report / IMAGES).glob("*.png"))) == 24
    table = json.loads((tmp_path / explain_table[-1] / NUMBERS).read_text())
    assert {row["explained"] for row in table["samples"]} == {"logit of >50K"}
    texts = (tmp_path / explain_texts[-1] / PAGE).read_text()
    assert ">film</span>" in texts
