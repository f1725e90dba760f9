"""The benchmark runs on its smallest workload, and writes a page and a record."""

import json
from dataclasses import asdict, replace
from types import SimpleNamespace

import bench
import bench_page
import lxt_rules
import pytest
import timing
import torch
import workloads
from bench_page import Row
from click.testing import CliRunner
from workloads import WORKLOADS

SMALL = replace(
    next(one for one in WORKLOADS if one.name.startswith("mnist-dnn-500")),
    name="mnist-dnn-500, batch 8",
    make=workloads.digits("mnist-dnn-500", 8),
)


def test_one_round_gives_a_page_and_numbers(tmp_path, monkeypatch):
    for module in (bench, bench_page):
        monkeypatch.setattr(module, "WORKLOADS", [SMALL])
    out, record = tmp_path / "page.md", tmp_path / "numbers.json"
    options = ["--quick", "--rounds", "1", "--out", str(out), "--json", str(record)]
    result = CliRunner().invoke(bench.main, options, catch_exceptions=False)
    assert result.exit_code == 0
    results = json.loads(record.read_text())["cpu"]
    rows = {row["method"]: row for row in results["rows"]}
    assert results["machine"]["torch"]
    assert rows["gradient x input"]["ratio"] == 1
    assert rows["Zennit epsilon"]["differs"] < 1e-4
    assert rows["relprop epsilon-plus-flat, all 10 classes"]["ones"] > 0
    assert rows["relprop epsilon, saved plan"]["differs"] == 0
    assert rows["Captum LRP"]["problem"]
    assert "| mnist-dnn-500, batch 8 | epsilon | " in out.read_text()
    assert "| mnist-dnn-500, batch 8 | epsilon, saved plan | " in out.read_text()


def test_results_of_another_device_are_kept(tmp_path, monkeypatch):
    few = replace(SMALL, targets={"epsilon": 1.15}, peers=(), all_classes=None)
    monkeypatch.setattr(bench_page, "WORKLOADS", [few])
    record, out = tmp_path / "numbers.json", tmp_path / "page.md"
    row = Row(SMALL.name, "relprop epsilon", 0.001, 0.5, 0.4, 0.6, rounds=9)
    other = bench_page.Run({"card": "of some kind"}, {"device": "cuda"}, [row], "It was warm.")
    record.write_text(json.dumps({"cuda": asdict(other)}))
    bench.run([few], timing.Settings(1, 0, 0, True, False), out, record)
    assert list(json.loads(record.read_text())) == ["cpu", "cuda"]
    page = out.read_text()
    assert "## On a GPU\n\nCard of some kind.\n\nIt was warm." in page
    assert f"| {SMALL.name} | epsilon | 1.00 | 0.50 (0.40-0.60) |  |" in page  # no target there
    assert f"### On a CPU: {SMALL.name}" in page


@pytest.mark.slow
def test_methods_that_run_in_parts_give_the_relevance_of_the_whole_batch():
    few = replace(SMALL, targets={"epsilon": None}, peers=("Zennit epsilon",), all_classes=None)
    parts = replace(few, sizes=(2, 8))
    settings = timing.Settings(1, 0, 0, True, False)
    prepared, problems = timing.prepare_methods(parts, settings)
    assert not problems
    whole, _ = timing.prepare_methods(few, settings)
    for name in ("gradient x input", "relprop epsilon", "Zennit epsilon"):
        assert prepared[name].size in (2, 8)
        assert bench.distance(prepared[name].call(), whole[name].call()) < 1e-5
    assert "relprop epsilon-plus-flat, by map" in prepared


def test_memory_in_parts_is_compared_with_a_gradient_in_parts_of_the_same_size(monkeypatch):
    needed = {
        ("gradient x input", 2): 100,
        ("gradient x input", 8): 300,
        ("relprop epsilon", 8): 330,
    }
    needed = {key: {"resident": n * 2**20, "tensors": n / 2} for key, n in needed.items()}
    monkeypatch.setattr(bench, "fresh", lambda workload, name, size, threads: needed[name, size])
    common = {"seconds": 1.0, "ratio": 1.0, "lowest": 1.0, "highest": 1.0, "rounds": 1}
    names = {"gradient x input": 2, "relprop epsilon": 8}
    rows = {name: Row(SMALL.name, name, size=size, **common) for name, size in names.items()}
    got = bench.with_memory(SMALL, rows, timing.Settings(1, 0, 0, False, False))
    assert got["gradient x input"].memory == 1
    assert got["relprop epsilon"].memory == got["relprop epsilon"].tensors == 1.1


def test_the_fastest_peer_has_the_same_map_and_a_target_must_be_met():
    common = {"seconds": 1.0, "lowest": 1.0, "highest": 1.0, "rounds": 1}
    name = SMALL.name
    rows = {
        "relprop epsilon": Row(name, "relprop epsilon", ratio=1.2, **common),
        "Zennit": Row(name, "Zennit", ratio=3.0, recipe="epsilon", differs=1e-6, **common),
        "autoLRP": Row(name, "autoLRP", ratio=2.0, recipe="epsilon", differs=0.5, **common),
        "Captum": Row(name, "Captum", problem="none"),
    }
    assert bench_page.fastest_peer("epsilon", rows) == "Zennit 3.00"
    assert bench_page.fastest_peer("epsilon-plus-flat", rows) == "none"
    assert "1.15 **missed**" in bench_page.recipe_line(SMALL, "epsilon", rows)
    assert bench_page.target(1.15, 1.15) == "1.15 met"


class Layer:
    def forward(self):
        return "as it was"


def rewrite(kind):
    kind.original_forward, kind.forward = kind.forward, lambda self: "rewritten"
    return True


def test_classes_that_lxt_rewrites_are_rewritten_for_its_calls_alone():
    before, after = lxt_rules.find_changes({Layer: rewrite})
    layer = Layer()
    assert layer.forward() == "as it was"
    with pytest.raises(ZeroDivisionError), lxt_rules.changes_applied(before, after):
        1 / (layer.forward() != "rewritten")
    assert layer.forward() == "as it was"
    assert not hasattr(layer, "original_forward")


def test_a_process_that_fails_gives_no_numbers(monkeypatch):
    failed = SimpleNamespace(returncode=1, stdout="")
    monkeypatch.setattr(bench.subprocess, "run", lambda *_, **__: failed)
    assert bench.fresh(SMALL, "relprop epsilon", None, 1) == {}


def test_a_workload_of_lower_precision_runs_under_autocast():
    def make(model, x):
        return lambda: model(x)

    model, x = torch.nn.Linear(3, 2), torch.zeros(1, 3)
    assert timing.lowered(make, torch.bfloat16, "cpu")(model, x)().dtype is torch.bfloat16
    assert timing.lowered(make, None, "cpu")(model, x)().dtype is torch.float32
