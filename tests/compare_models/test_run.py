"""Families and bundles are compared on the same test samples."""

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import made_bundles as made

from relprop.bundles.bundle import load
from relprop.bundles.write import write_bundle
from relprop.compare_models.output import comparison_json, comparison_text, write_comparison
from relprop.compare_models.run import compare_models
from relprop.data import DataOptions, read_dataset
from relprop.data.dataset import DataTarget
from relprop.errors import FileError, InputError
from relprop.evaluate import paired_test, similarity
from relprop.support.progress import Progress

SECONDS = 300.0  # of a comparison; not reached: each family ends after one trial
SMALL = {"width": 16, "depth": 1, "dropout": 0.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table, and two bundles for it that differ by their random weights."""
    folder = tmp_path_factory.mktemp("models")
    return made.write_two(folder, **SMALL)


@pytest.fixture(scope="module")
def compared(folder):
    names = [str(folder / "bundle0"), str(folder / "bundle1")]
    options = DataOptions(target="animal")
    return compare_models(str(folder / "animals.csv"), names, folder / "out", options=options)


def test_models_are_measured_on_the_test_part(compared, folder):
    dataset = read_dataset(folder / "animals.csv", DataOptions(target="animal"))
    rows = dataset.rows("test")
    true = [dataset.target.names[k] for k in dataset.target.values[rows]]
    for one in compared.models:
        right = load(one.name).predict(dataset.take(rows)) == np.array(true)
        assert one.right.tolist() == right.tolist()
        assert one.metrics[0].value == pytest.approx(right.mean())
        assert one.parameters == sum(p.numel() for p in load(one.name).model.parameters())
        assert one.size == 4 * one.parameters
        assert one.microseconds > 0
    assert compared.test == len(rows)
    best, other = sorted(compared.models, key=lambda one: -float(one.right.mean()))
    assert compared.best == best.name
    assert compared.p_values == {other.name: paired_test(best.right, other.right).p_value}


def test_relevance_is_compared_by_the_columns_of_the_user(compared, folder):
    dataset = read_dataset(folder / "animals.csv", DataOptions(target="animal"))
    samples = dataset.take(dataset.rows("test"))
    true = torch.from_numpy(dataset.target.values[dataset.rows("test")])
    maps = []
    for one in compared.models:
        frame = load(one.name).explain(samples, true).to_frame()
        maps.append(torch.from_numpy(frame[["age", "colour", "seen"]].to_numpy().copy()))
        torch.testing.assert_close(one.maps.relevance, maps[-1], rtol=1e-4, atol=1e-6)
    (agreement,) = compared.agreement
    expected = similarity(*maps).spearman.mean()
    assert agreement.spearman == pytest.approx(float(expected), abs=1e-6)


def test_a_bundle_of_another_split_is_warned_of(compared):
    assert len(compared.warnings) == 2
    assert "may have been in its training part" in compared.warnings[0]


def test_it_is_written_as_text_numbers_and_page(compared, tmp_path):
    text = comparison_text(compared)
    assert text.splitlines()[0].split()[:3] == ["model", "network", "accuracy"]
    assert f"{compared.models[0].metrics[0].value:.4f}" in text
    document = json.loads(comparison_json(compared))
    assert document["best"] == compared.best
    assert [one["name"] for one in document["models"]] == [one.name for one in compared.models]
    assert document["models"][0]["srg"]["mean"] == pytest.approx(
        float(compared.models[0].curves.srg.double().mean())
    )
    write_comparison(compared, tmp_path)
    page = (tmp_path / "comparison.html").read_text()
    assert "Whether they look at the same" in page
    assert re.search(r"2 models of \S+animals.csv, on the same 9 test samples\.", page)
    assert page.count("<picture>") == 1
    for column in (
        "p to best: how likely",
        "by a paired test of right and wrong",
        "SRG: symmetric relevance gain",
        "Sparseness: Gini",
    ):
        assert column in page
    title, section = (
        float(re.search(rf"\n{h} {{ font-size: ([\d.]+)rem", page)[1]) for h in ("h1", "h2")
    )
    assert section < title
    assert json.loads((tmp_path / "comparison.json").read_text()) == document


def test_models_that_cannot_be_compared_are_refused_before_any_fit(folder, tmp_path):
    data, options = str(folder / "animals.csv"), DataOptions(target="animal")

    def compare(*names):
        compare_models(data, names, tmp_path, options=options)

    with pytest.raises(InputError, match=r"the model 'residual_mpl'(.|\n)*\"residual-mlp\""):
        compare("residual_mpl")
    near = rf"mlp, .* for data of modality table; or folders of bundles(.|\n)*{folder}/bundle1"
    with pytest.raises(InputError, match=near):
        compare(f"{folder}/bundel1")
    with pytest.raises(InputError, match=r"the model mlp twice\n"):
        compare("mlp", "mlp")
    with pytest.raises(FileError, match="is no bundle"):
        compare(str(tmp_path))
    (tmp_path / "file").write_text("")
    with pytest.raises(FileError, match="file"):
        compare_models(data, ["mlp"], tmp_path / "file", options=options)
    write_bundle(tmp_path / "series", made.content_of(made.series(), "fcn", width=8))
    with pytest.raises(InputError, match=r"a bundle of series data(.|\n)*leave .*series out"):
        compare(str(tmp_path / "series"))
    strange = made.dataset_of(
        "table",
        made.table().samples,
        DataTarget("classes", ("owl", "newt"), np.arange(60) % 2),
        made.table().columns,
    )
    write_bundle(tmp_path / "newts", made.content_of(strange, "mlp", **SMALL))
    with pytest.raises(InputError, match=r"whose target is classes: cat, dog, owl\n.*owl, newt"):
        compare("mlp", str(tmp_path / "newts"))
    seen = replace(
        made.table(),
        samples=made.table().samples.assign(size=1.5 * np.arange(60)),
        columns={**made.table().columns, "size": "number"},
    )
    write_bundle(tmp_path / "sizes", made.content_of(seen, "mlp", **SMALL))
    with pytest.raises(InputError, match="size"):
        compare("mlp", str(tmp_path / "sizes"))
    assert not (tmp_path / "mlp").exists()


def test_a_bundle_called_like_a_family_is_written_as_a_folder(folder, tmp_path, monkeypatch):
    shutil.copytree(folder / "bundle1", tmp_path / "mlp")
    monkeypatch.chdir(tmp_path)
    options = DataOptions(target="animal")
    names = [str(folder / "bundle0"), "./mlp"]
    data = str(folder / "animals.csv")
    first, second = compare_models(data, names, tmp_path / "out", options=options).models
    alone = compare_models(data, [str(folder / "bundle1")], tmp_path / "out", options=options)
    assert second.right.equal(alone.models[0].right)
    assert not second.right.equal(first.right)
    with pytest.raises(InputError, match="a budget of"):  # mlp is a family, which is to be fitted
        compare_models(data, ["mlp"], tmp_path / "out", options=options, seconds=1.5)
    with pytest.raises(InputError, match="a budget of 1s, which is over before mlp is") as error:
        compare_models(data, ["mlp"], tmp_path / "out", options=options, seconds=0.1)
    assert error.value.todo.startswith("write --budget 1s; what is fitted already stays in")


def test_a_model_without_relevance_is_compared_all_the_same(folder, tmp_path):
    content = made.content_of(made.table(), "mlp", **SMALL)
    member = content.members[0]
    zero = {name: torch.zeros_like(values) for name, values in member.weights.items()}
    write_bundle(tmp_path / "zero", replace(content, members=(replace(member, weights=zero),)))
    options, data = DataOptions(target="animal"), str(folder / "animals.csv")
    compared = compare_models(data, [str(tmp_path / "zero")], tmp_path, options=options)
    assert json.loads(comparison_json(compared))["models"][0]["sparseness"] is None
    assert comparison_text(compared).splitlines()[1].endswith("no relevance")


@pytest.mark.slow
def test_families_have_equal_shares_though_the_first_needs_less(folder, tmp_path, capsys):
    options = DataOptions(target="animal")
    names = ["mlp", "tabm"]
    progress = Progress.detect(quiet=False)
    data = str(folder / "animals.csv")
    compare_models(data, names, tmp_path, options=options, seconds=SECONDS, progress=progress)
    shares = re.findall(r"Fitting (\w+) in ([\d.]+) s", capsys.readouterr().err)
    assert [name for name, _ in shares] == names
    assert shares[0][1] == shares[1][1]
    assert float(shares[0][1]) == pytest.approx(0.85 * SECONDS / 2, abs=3.0)  # less the reading


@pytest.mark.slow
def test_a_family_is_fitted_in_its_share_of_the_time(folder, tmp_path):
    data, names = str(folder / "animals.csv"), ["mlp", str(folder / "bundle0")]
    options = DataOptions(target="animal")
    compared = compare_models(data, names, tmp_path, options=options, seconds=SECONDS)
    assert (tmp_path / "mlp" / "bundle.json").exists()
    assert compared.models[0].family == "mlp"
    assert 0 < compared.models[0].training < SECONDS
    assert len(compared.warnings) == 1
