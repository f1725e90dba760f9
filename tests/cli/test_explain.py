"""`relprop explain`: from an own model and own data to a report."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.explain_command import NETS, command, make_home, rows_of
from helpers.tokenizers import small_tokenizer
from PIL import Image
from torch import nn

import relprop
from relprop.report.output import IMAGES, MAPS, NUMBERS, PAGE

HOME = str(Path(relprop.__file__).parents[1])


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return make_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def pictures(home):
    out = home / "out"
    options = ("--model", f"{home}/nets.py:Net", "--recipe", "epsilon", "--out", out)
    result = command("explain", home / "pictures", *options, "--batch-size", 5, "--curves", 6)
    return result, out


def net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 3)).eval()


# ---- pictures --------------------------------------------------------------------------


def test_pictures_are_explained_as_the_library_does(home, pictures):
    result, out = pictures
    assert result.exit_code == 0, result.output
    assert result.stdout == f"The report: {out / PAGE}\n"
    assert "Running your file" in result.stderr
    files = sorted((home / "pictures").rglob("*.png"))
    pixels = torch.stack([torch.tensor(np.array(Image.open(f)) / 255)[None] for f in files])
    e = relprop.explain(net(), pixels.float(), "epsilon")
    maps = np.load(out / MAPS)
    np.testing.assert_allclose(maps["relevance"], e.relevance, rtol=1e-4, atol=1e-6)
    assert maps["names"].tolist() == [str(file) for file in files]
    names = ["cat", "cow", "dog"]
    for i, row in enumerate(rows_of(out)):
        k = int(e.prediction[i])
        assert (row["label"], row["predicted"]) == (files[i].parent.name, names[k])
        assert row["explained"] == names[k]
        assert float(row["probability"]) == pytest.approx(float(e.probabilities[i, k]), rel=1e-4)
        assert float(row["margin"]) == pytest.approx(float(e.margin[i]), rel=1e-3)
        assert float(row["relevance_sum"]) == pytest.approx(float(e.relevance[i].sum()), rel=1e-3)


def test_the_page_shows_each_picture_and_says_how_it_was_made(home, pictures):
    _, out = pictures
    page = (out / PAGE).read_text()
    assert page.count("<article") == 12
    assert not re.search(r"""(src|href)=["'](?!data:)|url\(|@import""", page)
    wrong = [row for row in rows_of(out) if row["label"] != row["predicted"]]
    assert page.count('data-verdict="wrong"') == len(wrong)
    assert f"{100 * (1 - len(wrong) / 12):.1f}% of" in page
    assert f"--model {home}/nets.py:Net" in page
    assert "plan of recipe epsilon" in page
    assert len(list((out / IMAGES).iterdir())) == 12


def test_the_strongest_evidence_of_a_picture_is_named_and_outlined(pictures):
    _, out = pictures
    page = (out / PAGE).read_text()
    assert "What counts overall" not in page
    cards = page.split("<article")[1:]
    maps = np.load(out / MAPS)["relevance"]
    for card, relevance in zip(cards, maps, strict=True):
        values = relevance[0].astype(float)  # 8 x 8, of which a region is one entry
        for speaks, sign in (("for", 1), ("against", -1)):
            signed = sign * values
            place = np.unravel_index(signed.argmax(), values.shape)
            share = signed[place] / np.abs(values).sum()
            row, column = (
                ("top", "", "bottom")[int(3 * (place[0] + 0.5) / 8)],
                ("left", "", "right")[int(3 * (place[1] + 0.5) / 8)],
            )
            name = " ".join(filter(None, [row, column])) or "centre"
            words = f"strongest {speaks}: {name}, {share:.0%} of all |relevance|"
            assert f'<p class="evidence">{words}</p>' in card
            alt = re.search(r'alt="(overlay of .*?)"', card).group(1)
            assert words in alt


def test_curves_have_a_control_that_knows_no_network(pictures):
    _, out = pictures
    numbers = json.loads((out / NUMBERS).read_text())
    assert list(numbers["curves"]) == ["mean", "blur"]
    for curves in numbers["curves"].values():
        assert list(curves) == ["LRP", "brightest first (no network)"]
        assert [one["n"] for one in curves.values()] == [6, 6]
        lrp = curves["LRP"]
        gap = np.array(lrp["least_relevant_first"]) - np.array(lrp["most_relevant_first"])
        steps = np.diff(lrp["removed"])
        assert lrp["srg"] == pytest.approx(
            float(((gap[1:] + gap[:-1]) / 2 * steps).sum()), rel=1e-4
        )
    assert numbers["samples_explained"] == 12


def test_json_is_all_there_is_on_stdout_and_a_config_is_overridden(home, tmp_path):
    (tmp_path / "c.toml").write_text(
        f'json = true\nmodel = "{home}/nets.py:Net"\nsamples = 4\ncurves = 0\n'
        'explain = "dog"\nrecipe = "zero"\n'
    )
    options = ("--config", tmp_path / "c.toml", "--samples", 3, "--quiet")
    result = command("explain", home / "pictures", *options, "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    numbers = json.loads(result.stdout)
    assert numbers["samples_explained"] == 3
    assert [row["explained"] for row in numbers["samples"]] == ["dog"] * 3
    # Evenly spaced, since folders hold a class each.
    assert [row["label"] for row in numbers["samples"]] == ["cat", "cow", "dog"]
    assert (tmp_path / "out" / NUMBERS).read_text() == result.stdout


def test_an_own_preprocessing_of_pictures_and_a_flat_model(home, tmp_path):
    options = ("--model", f"{home}/nets.py:Flat", "--preprocess", f"{home}/nets.py:halves")
    rest = ("--recipe", "zero", "--explain", "label", "--curves", 0, "--out", tmp_path / "out")
    result = command("explain", home / "pictures", *options, *rest)
    assert result.exit_code == 0, result.output
    torch.manual_seed(0)
    layer = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))[1]
    files = sorted((home / "pictures").rglob("*.png"))
    maps = np.load(tmp_path / "out" / MAPS)["relevance"]
    for file, relevance in zip(files, maps, strict=True):
        x = torch.tensor(np.array(Image.open(file)) / 255).float().flatten() - 0.5
        label = ["cat", "cow", "dog"].index(file.parent.name)
        want = (x * layer.weight[label]).detach()
        np.testing.assert_allclose(relevance.flatten(), want, rtol=1e-4, atol=1e-6)


def test_a_picture_that_cannot_be_read_is_named_and_the_rest_is_done(home, tmp_path):
    for name in ("a.png", "b.png"):
        Image.fromarray(np.zeros((8, 8), dtype="uint8")).save(tmp_path / name)
    (tmp_path / "c.png").write_bytes((tmp_path / "a.png").read_bytes()[:40])
    options = ("--model", f"{home}/nets.py:Net", "--curves", 0, "--out", tmp_path / "out")
    result = command("explain", tmp_path, *options)
    assert result.exit_code == 0, result.output
    assert (
        f"left out: {tmp_path}/c.png: the picture {tmp_path}/c.png cannot be read" in result.stderr
    )
    assert "1 sample could not be read" in (tmp_path / "out" / PAGE).read_text()
    assert len(rows_of(tmp_path / "out")) == 2


@pytest.mark.slow
def test_a_page_of_200_photographs_is_smaller_than_10_mb(tmp_path):
    from sklearn.datasets import load_sample_images

    (tmp_path / "net.py").write_text(
        "import torch\nfrom torch import nn\nclass Net(nn.Sequential):\n"
        "    def __init__(self):\n        torch.manual_seed(0)\n"
        "        super().__init__(nn.Conv2d(3, 8, 7, 4, 3), nn.ReLU(),\n"
        "            nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(128, 10))\n"
    )
    photographs, rng = load_sample_images().images, np.random.default_rng(0)
    (tmp_path / "photographs").mkdir()
    for i in range(200):
        y, x = rng.integers(0, (120, 330))
        part = photographs[i % 2][y : y + 300, x : x + 300]
        Image.fromarray(part).save(tmp_path / "photographs" / f"{i:03d}.png")
    options = ("--model", f"{tmp_path}/net.py:Net", "--size", "224x224", "--curves", 0)
    out = tmp_path / "out"
    result = command("explain", tmp_path / "photographs", *options, "--out", out)
    assert result.exit_code == 0, result.output
    page = (out / PAGE).read_text()
    assert page.count("<article") == 200
    assert len(page) < 10e6


# ---- tables and texts ------------------------------------------------------------------


def test_a_table_names_its_columns_and_leaves_incomplete_rows_out(home, tmp_path):
    model = ("--model", f"{home}/nets.py:Table", "--preprocess", f"{home}/nets.py:encode")
    options = ("--target", "rich", "--recipe", "zero", "--out", tmp_path / "out")
    result = command("explain", home / "rows.csv", *model, *options)
    assert result.exit_code == 0, result.output
    assert "left out: row 10 of rows.csv: a value that is missing" in result.stderr
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1)).eval()
    x = torch.tensor([[20.0 + i, i / 4, i % 2, 1 - i % 2] for i in range(9)])
    maps = np.load(tmp_path / "out" / MAPS)["relevance"]
    want = relprop.explain(layers, x, "zero").relevance
    np.testing.assert_allclose(maps, want, rtol=1e-4, atol=1e-6)
    rows = rows_of(tmp_path / "out")
    assert {row["explained"] for row in rows} == {"logit of yes"}
    p = layers(x).sigmoid().flatten()
    for row, one in zip(rows, p.tolist(), strict=True):
        assert row["predicted"] == ("yes" if one > 0.5 else "no")
        assert float(row["probability"]) == pytest.approx(max(one, 1 - one), rel=1e-4)
    page = (tmp_path / "out" / PAGE).read_text()
    assert ">job = cook</th>" in page
    assert "largest |value| first (no network)" in page


def test_a_table_shows_the_values_of_the_file_and_what_counts_overall(home, tmp_path):
    model = ("--model", f"{home}/nets.py:Table", "--preprocess", f"{home}/nets.py:scale")
    options = ("--target", "rich", "--recipe", "zero", "--curves", 0, "--out", tmp_path / "out")
    result = command("explain", home / "rows.csv", *model, *options)
    assert result.exit_code == 0, result.output
    page = (tmp_path / "out" / PAGE).read_text()
    bars = re.findall(r'<tr><th scope="row">(\w+) = (.*?)</th>', page)
    shown = {name: [value for one, value in bars if one == name] for name, _ in bars}
    assert shown["age"] == [str(20 + i) for i in range(9)]  # not (age - 24) / 3
    assert shown["job"] == [("cook", "clerk")[i % 2] for i in range(9)]
    assert shown["half"] == [f"{i / 8:.4g}" for i in range(9)]  # no column of the file
    maps = np.load(tmp_path / "out" / MAPS)["relevance"].astype(float)
    sums = {"age": maps[:, 0], "half": maps[:, 1], "job": maps[:, 2] + maps[:, 3]}
    rows = json.loads((tmp_path / "out" / NUMBERS).read_text())["importance"]
    assert [row["feature"] for row in rows] == sorted(
        sums, key=lambda name: -np.abs(sums[name]).mean()
    )
    for row in rows:
        one = sums[row["feature"]]
        assert row["mean_absolute"] == pytest.approx(np.abs(one).mean(), rel=1e-6)
        assert row["mean"] == pytest.approx(one.mean(), rel=1e-6)
        assert row["mean_low"] < row["mean"] < row["mean_high"]
        assert row["n"] == 9
    assert "What counts overall" in page
    assert "Samples are explained for different classes" not in page  # of one unit
    assert "Means over 9 samples, explained: logit of yes; 95 % bootstrap intervals" in page


@pytest.mark.parametrize("explain", ["no", "0", "label", "runner-up"])
def test_of_one_unit_no_other_class_is_explained(home, tmp_path, explain):
    """Its map for class 0 would be that of class 1 under another name."""
    model = ("--model", f"{home}/nets.py:Table", "--preprocess", f"{home}/nets.py:encode")
    options = ("--target", "rich", "--explain", explain, "--out", tmp_path / "out")
    result = command("explain", home / "rows.csv", *model, *options)
    assert result.exit_code == 2
    assert (
        f"--explain {explain} for a model with one unit, which is explained as yes" in result.stderr
    )
    assert "leave --explain out" in result.stderr


@pytest.mark.parametrize("labels", [("no", "yes"), ("0", "1")])
def test_one_unit_and_two_labels_are_a_logit(home, tmp_path, labels):
    """As trained with BCEWithLogitsLoss: maps and numbers are those of a sigmoid at the end."""
    table = (home / "rows.csv").read_text()
    for old, new in zip(("no", "yes"), labels, strict=True):
        table = table.replace(f",{old}\n", f",{new}\n")
    (tmp_path / "rows.csv").write_text(table)
    for name in ("Table", "Logit"):
        model = ("--model", f"{home}/nets.py:{name}", "--preprocess", f"{home}/nets.py:encode")
        options = ("--target", "rich", "--recipe", "zero", "--out", tmp_path / name)
        result = command("explain", tmp_path / "rows.csv", *model, *options)
        assert result.exit_code == 0, result.output
    said = f"Logit, its output taken as the logit of {labels[1]}"
    assert said in result.stderr
    assert said in (tmp_path / "Logit" / PAGE).read_text()
    assert rows_of(tmp_path / "Logit") == rows_of(tmp_path / "Table")
    numbers = [json.loads((tmp_path / name / NUMBERS).read_text()) for name in ("Table", "Logit")]
    assert numbers[0]["accuracy"] == numbers[1]["accuracy"]
    assert list(numbers[1]["curves"]["mean"]) == ["LRP", "largest |value| first (no network)"]
    assert numbers[0]["curves"] == numbers[1]["curves"]


def test_of_one_unit_its_class_is_explained_by_name(home, tmp_path):
    model = ("--model", f"{home}/nets.py:Table", "--preprocess", f"{home}/nets.py:encode")
    options = ("--target", "rich", "--explain", "yes", "--curves", 0, "--out", tmp_path / "out")
    assert command("explain", home / "rows.csv", *model, *options).exit_code == 0
    assert {row["explained"] for row in rows_of(tmp_path / "out")} == {"logit of yes"}


def test_a_regression_has_no_classes_and_no_curves(home, tmp_path):
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n3,4\n")
    options = ("--model", f"{home}/nets.py:Price", "--out", tmp_path / "out")
    result = command("explain", tmp_path / "rows.csv", *options)
    assert result.exit_code == 0, result.output
    numbers = json.loads((tmp_path / "out" / NUMBERS).read_text())
    assert (numbers["curves"], numbers["accuracy"]) == ({}, None)
    assert [row["explained"] for row in numbers["samples"]] == ["the output"] * 2


def test_texts_show_their_tokens(home, tmp_path):
    options = ("--model", f"{home}/nets.py:Text", "--tokenizer", home / "tokenizer")
    rest = ("--target", "mood", "--recipe", "zero", "--out", tmp_path / "out")
    result = command("explain", home / "texts.jsonl", *options, *rest)
    assert result.exit_code == 0, result.output
    assert 'left out: line 3: no text under "text", but txt: see --text' in result.stderr
    page = (tmp_path / "out" / PAGE).read_text()
    shown = re.findall(r'<span(?: class="(special)")? style=.*?>(.*?)</span>', page)
    assert shown[:6] == [
        *[("", word) for word in ("a", "un", "likely", "film")],
        *[("", "film"), ("special", "[PAD] x 3")],
    ]
    assert "first word first (no network)" in page
    assert [row["label"] for row in rows_of(tmp_path / "out")] == ["1", "0"]


@pytest.mark.slow
def test_the_commands_of_the_readme_run(home, tmp_path, monkeypatch):
    """With models and data of the names that they use."""
    from transformers import BertConfig, BertForSequenceClassification

    monkeypatch.chdir(tmp_path)
    text = (Path(__file__).parents[2] / "README.md").read_text()
    block = "".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL)).replace("\\\n", " ")
    commands = [shlex.split(line)[1:] for line in block.splitlines() if "relprop explain" in line]
    assert len(commands) == 3
    shutil.copytree(home / "pictures", "pictures")
    shutil.copy(home / "nets.py", "my_net.py")
    shutil.copy(home / "rows.csv", "adult.csv")
    (tmp_path / "adult.csv").write_text((home / "rows.csv").read_text().replace("rich", "income"))
    shutil.copy(home / "texts.jsonl", "films.jsonl")
    torch.save(net().state_dict(), "net.pt")
    torch.save(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1)).state_dict(), "table.pt")
    sizes = {"hidden_size": 8, "num_attention_heads": 2, "intermediate_size": 8}
    config = BertConfig(vocab_size=8, num_hidden_layers=1, **sizes)
    BertForSequenceClassification(config).save_pretrained("sentiment")
    small_tokenizer().save_pretrained("sentiment")
    for one in commands:
        result = command(*one)
        assert result.exit_code == 0, result.output
        assert (Path(one[-1]) / PAGE).exists()


# ---- what stays --------------------------------------------------------------------------


def test_ctrl_c_in_the_curves_keeps_the_maps(home, tmp_path, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("relprop.report.run.measure_curves", interrupted)
    options = ("--model", f"{home}/nets.py:Net", "--out", tmp_path / "out")
    result = command("explain", home / "pictures", *options)
    assert result.exit_code == 1
    assert "Stopped before removal curves were done; the rest is kept" in result.stderr
    assert len(rows_of(tmp_path / "out")) == 12
    assert "Stopped before all was done" in (tmp_path / "out" / PAGE).read_text()


def test_a_file_name_that_is_no_utf_8(home, tmp_path):
    name = os.fsencode(tmp_path) + b"/caf\xe9.png"
    Image.fromarray(np.zeros((8, 8), dtype="uint8") + 9).save(os.fsdecode(name))
    options = ("--model", f"{home}/nets.py:Net", "--curves", 0, "--out", tmp_path / "out")
    assert command("explain", tmp_path, *options).exit_code == 0
    assert "caf?.png" in (tmp_path / "out" / PAGE).read_text()


def test_json_is_pure_where_the_users_file_prints(home, tmp_path):
    (tmp_path / "net.py").write_text('print("hello")\n' + NETS)
    options = ("--model", f"{tmp_path}/net.py:Net", "--curves", 0, "--json", "--quiet")
    result = command("explain", home / "pictures", *options, "--out", tmp_path / "out")
    assert json.loads(result.stdout)["samples_explained"] == 12
    assert result.stderr.startswith("hello\n")


def test_the_colours_of_a_picture_are_those_of_its_summed_channels(tmp_path):
    """Relevance of three channels is drawn as one map: its own 99th percentile is full colour."""
    (tmp_path / "net.py").write_text(
        "import torch\nfrom torch import nn\nclass Net(nn.Sequential):\n"
        "    def __init__(self):\n        torch.manual_seed(0)\n"
        "        super().__init__(nn.Flatten(), nn.Linear(192, 2))\n"
    )
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype="uint8")).save(tmp_path / "a.png")
    options = ("--model", f"{tmp_path}/net.py:Net", "--recipe", "zero", "--size", "8x8")
    rest = ("--mean", "0,0,0", "--std", "1,1,1", "--curves", 0, "--out", tmp_path / "out")
    result = command("explain", tmp_path / "a.png", *options, *rest)
    assert result.exit_code == 0, result.output
    drawn = np.abs(np.load(tmp_path / "out" / MAPS)["relevance"][0].sum(0))
    scale = re.search(r"<span>-([\d.e-]+)</span>", (tmp_path / "out" / PAGE).read_text())
    assert float(scale[1]) == pytest.approx(np.quantile(drawn, 0.99, method="lower"), rel=0.05)


@pytest.mark.slow
def test_ctrl_c_keeps_what_is_done(home, tmp_path):
    """A real process, stopped by a signal in its third batch."""
    (tmp_path / "slow.py").write_text(
        "import os, signal\nfrom torch import nn\nimport torch\n"
        "class Net(nn.Sequential):\n"
        "    def __init__(self):\n"
        "        super().__init__(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(108, 3))\n"
        "seen = []\n"
        "def prepare(image):\n"
        "    seen.append(image)\n"
        "    if len(seen) == 5:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    import numpy\n"
        '    return torch.tensor(numpy.array(image, dtype="float32") / 255)[None]\n'
    )
    model = ("--model", f"{tmp_path}/slow.py:Net", "--preprocess", f"{tmp_path}/slow.py:prepare")
    options = ("--batch-size", "2", "--curves", "0", "--out", str(tmp_path / "out"))
    run = [sys.executable, "-m", "relprop", "explain", str(home / "pictures"), *model, *options]
    done = subprocess.run(
        run,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": HOME},
        check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored in background
    )
    assert done.returncode == 1, done.stderr
    assert "Stopped after 4 samples, which are kept" in done.stderr
    assert len(rows_of(tmp_path / "out")) == 4
    assert "Stopped before all was done" in (tmp_path / "out" / PAGE).read_text()


def test_an_earlier_report_is_replaced_and_other_files_are_not(home, pictures, tmp_path):
    _, out = pictures
    options = ("--model", f"{home}/nets.py:Net", "--samples", 1, "--curves", 0, "--out", out)
    assert command("explain", home / "pictures", *options).exit_code == 0
    assert len(list((out / IMAGES).iterdir())) == 1
    (out / "notes.txt").write_text("mine")
    assert command("explain", home / "pictures", *options).exit_code == 2
    assert (out / "notes.txt").read_text() == "mine"
