"""A bundle is a model of `relprop explain`: it prepares the samples itself."""

import csv
import json
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from helpers import made_bundles as made

from relprop.bundle_report.removal_units import series_windows
from relprop.bundles.bundle import load, open_content
from relprop.bundles.content import Metric
from relprop.bundles.write import write_bundle
from relprop.data.dataset import Finding
from relprop.errors import FileError, InputError
from relprop.evaluate import removal_curves
from relprop.report.curves import CurveSamples, measure_curves
from relprop.report.page import render_report
from relprop.report.records import samples_csv, to_json
from relprop.report.run import run_report
from relprop.report.settings import Settings
from relprop.support.progress import QUIET

SMALL = {"width": 16, "depth": 1, "dropout": 0.0}


def written(folder, dataset, family, **changes):
    """Write a bundle for a data set; return its path and the bundle."""
    content = made.content_of(dataset, family, **changes)
    write_bundle(folder / "bundle", content)
    return str(folder / "bundle"), open_content(content)


def table_file(folder, labels):
    frame = made.table().samples.assign(animal=labels)
    frame.to_csv(folder / "animals.csv", index=False)
    return folder / "animals.csv"


def test_rows_are_explained_by_their_own_columns_without_preprocessing(tmp_path):
    model, bundle = written(tmp_path, made.table(), "mlp", **SMALL)
    data = table_file(tmp_path, [made.ANIMALS[k % 3] for k in range(60)])
    report = run_report(Settings((data,), model, samples=20, curves=8))
    predicted = bundle.predict(made.table().samples.iloc[::3])
    assert [sample.predicted for sample in report.samples] == list(predicted)
    right = predicted == np.array([made.ANIMALS[k % 3] for k in range(0, 60, 3)])
    assert report.accuracy == pytest.approx(right.mean())
    assert report.class_names == made.ANIMALS
    assert {one.name for one in report.importance.features} == {"age", "colour", "seen"}
    page = render_report(report, tmp_path)
    assert f"colour = {made.table().samples['colour'][0]}" in page
    assert report.preprocessing == bundle.preparation.describe()


def test_samples_that_the_model_has_learned_are_said_to_be(tmp_path):
    data = table_file(tmp_path, [made.ANIMALS[k % 3] for k in range(60)])
    content = made.content_of(made.table(), "mlp", **SMALL)
    tested = Metric("accuracy", 0.75, 0.5, 0.9, 12)
    write_bundle(tmp_path / "bundle", replace(content, source=str(data), metrics=(tested,)))
    settings = Settings((data,), str(tmp_path / "bundle"), samples=5, curves=0)
    report = run_report(settings)
    said = (
        f"the model was fitted to {data}: it has learned most of these samples; "
        "on its test part: accuracy 0.7500 [0.5000, 0.9000], n = 12"
    )
    assert said in report.warnings
    assert said in render_report(report, tmp_path)
    other = tmp_path / "other.csv"
    other.write_bytes(data.read_bytes())
    assert said not in run_report(replace(settings, data=(other,))).warnings


def test_rows_without_labels_and_labels_with_dots_are_taken(tmp_path):
    model, _ = written(tmp_path, made.table(), "mlp", **SMALL)
    made.table().samples.to_csv(tmp_path / "new.csv", index=False)
    report = run_report(Settings((tmp_path / "new.csv",), model, samples=5, curves=0))
    assert report.accuracy is None
    data = table_file(tmp_path, ["cat."] * 60)
    report = run_report(Settings((data,), model, samples=5, curves=0))
    assert {sample.label for sample in report.samples} == {"cat"}


def test_a_predicted_value_is_written_and_called_by_its_name(tmp_path):
    dataset = made.table(made.value())
    model, bundle = written(tmp_path, dataset, "mlp", members=2, **SMALL)
    frame = dataset.samples.assign(animal=100 * dataset.target.values)  # the target's column
    frame.to_csv(tmp_path / "weights.csv", index=False)
    report = run_report(Settings((tmp_path / "weights.csv",), model, samples=6, curves=0))
    expected = bundle.predict(dataset.samples.iloc[::10])
    rows = list(csv.DictReader(StringIO(samples_csv(report))))
    assert [float(row["value"]) for row in rows] == pytest.approx(expected.tolist(), rel=1e-5)
    assert [row["predicted"] for row in rows] == [""] * 6
    assert json.loads(to_json(report))["samples"][0]["value"] == float(rows[0]["value"])
    page = render_report(report, tmp_path)
    assert f"<b>weight: {expected[0]:.5g}</b>" in page
    assert "<p>label 1000</p>" in page
    assert "(mlp, mean of 2)" in page
    assert {sample.explained for sample in report.samples} == {"weight"}
    assert "<p>explained: weight</p>" in page
    assert "Predictions and relevance are in the unit of weight." in page
    assert "the output" not in page


def test_a_text_of_an_ngram_bundle_has_the_relevance_of_its_words(tmp_path):
    content = made.content_of(made.texts(), "ngrams")
    ratio = content.members[0].weights["ratio"]
    ratio[1:] = torch.randn(ratio[1:].shape, generator=torch.manual_seed(0))
    write_bundle(tmp_path / "bundle", content)
    texts = ["The small cat sees a dog", "an owl"]
    (tmp_path / "new.txt").write_text("\n".join(texts))
    settings = Settings((tmp_path / "new.txt",), str(tmp_path / "bundle"), explain="dog", curves=0)
    report = run_report(settings)
    expected = load(tmp_path / "bundle").explain(texts, "dog").relevance
    for sample, text, relevance in zip(report.samples, texts, expected, strict=True):
        words = text.lower().split()
        assert [token for token, special in sample.tokens if not special] == words
        torch.testing.assert_close(sample.view.relevance, relevance)
        assert float(relevance[: len(words)].abs().sum()) > 0
    page = render_report(report, tmp_path)
    assert ">small</span>" in page
    assert ">small cat</span>" not in page


def test_labels_are_those_of_the_columns_and_all_that_are_predicted(tmp_path):
    dataset = made.table(made.labels())
    model, bundle = written(tmp_path, dataset, "mlp", **SMALL)
    names, values = bundle.classes, dataset.target.values
    frame = dataset.samples.assign(**dict(zip(names, values.T, strict=True)))
    frame.loc[0, "third"] = None
    frame.to_csv(tmp_path / "numbers.csv", index=False)
    report = run_report(Settings((tmp_path / "numbers.csv",), model, curves=0))
    rows = list(csv.DictReader(StringIO(samples_csv(report))))
    assert [row["label"] for row in rows[:7]] == [
        *("", "even", "no label", "even, third", "no label", "even, fifth", "third")
    ]
    predicted = bundle.predict(dataset.samples)
    assert predicted.sum(1).max() > 1
    for row, flags in zip(rows, predicted, strict=True):
        assert row["predicted"] == (", ".join(np.array(names)[flags]) or "no label")
    same = (predicted == (values > 0.5)).all(1)[1:]
    assert report.accuracy == pytest.approx(same.mean())
    assert report.model == "mlp"
    assert not report.warnings


def test_rows_without_the_columns_of_labels_have_none(tmp_path):
    model, _ = written(tmp_path, made.table(made.labels()), "mlp", **SMALL)
    made.table().samples.to_csv(tmp_path / "new.csv", index=False)
    report = run_report(Settings((tmp_path / "new.csv",), model, samples=5, curves=0))
    assert [sample.label for sample in report.samples] == [None] * 5
    assert report.accuracy is None


def test_names_of_classes_are_not_asked_of_the_user_of_a_bundle(tmp_path):
    model, _ = written(tmp_path, made.table(), "mlp", **SMALL)
    data = table_file(tmp_path, ["cat"] * 30 + ["cow"] * 30)
    report = run_report(Settings((data,), model, samples=5, curves=0))
    (warning,) = (one for one in report.warnings if "no class of the model" in one)
    assert "cow; its classes: cat, dog, owl; write labels as the bundle names" in warning
    assert "--classes" not in warning
    with pytest.raises(InputError, match=r"\n.*write labels as the bundle names its classes, or"):
        run_report(Settings((data,), model, explain="label"))


def test_series_are_read_as_fit_reads_them(tmp_path):
    dataset = made.series()
    model, bundle = written(tmp_path, dataset, "fcn", width=8)
    numbers = np.stack(dataset.samples)
    np.savez(tmp_path / "series.npz", x=numbers, y=np.array(made.ANIMALS)[np.arange(60) % 3])
    report = run_report(Settings((tmp_path / "series.npz",), model, samples=10, curves=4))
    assert report.kind == "series"
    assert [s.predicted for s in report.samples] == list(bundle.predict(list(numbers[::6])))
    assert set(report.curves) == {"mean", "marginal"}
    assert "time series of sample" in render_report(report, tmp_path)


def test_data_of_another_modality_is_refused(tmp_path):
    model, _ = written(tmp_path, made.series(), "fcn", width=8)
    data = table_file(tmp_path, ["cat", "dog"] * 30)
    with pytest.raises(InputError, match=r"holds tables, and the model reads time series"):
        run_report(Settings((data,), model))


def test_options_that_the_bundle_knows_itself_are_refused(tmp_path):
    model, _ = written(tmp_path, made.table(), "mlp", **SMALL)
    data = table_file(tmp_path, ["cat", "dog"] * 30)
    with pytest.raises(InputError, match=r"--mean for tables of a bundle.*changes nothing"):
        run_report(Settings((data,), model, mean=(0.5,)))
    with pytest.raises(InputError, match=r"--weights beside .*bundle, which has its own"):
        run_report(Settings((data,), model, weights=Path("w.pt")))
    with pytest.raises(InputError, match=r"there is no column 'animl'\n.*\n.*--target animal"):
        run_report(Settings((data,), model, target="animl"))


def test_a_damaged_bundle_is_refused_as_such(tmp_path):
    model, _ = written(tmp_path, made.table(), "mlp", **SMALL)
    (Path(model) / "bundle.json").write_text("{}")
    with pytest.raises(FileError, match="is damaged or was changed"):
        run_report(Settings((table_file(tmp_path, ["cat", "dog"] * 30),), model))
    (Path(model) / "bundle.json").unlink()
    with pytest.raises(FileError, match="is no bundle"):
        run_report(Settings((tmp_path / "animals.csv",), model))


def test_a_table_of_texts_needs_no_labels(tmp_path):
    dataset = replace(made.texts(), findings=(Finding("text", "column said", ""),))
    model, bundle = written(tmp_path, dataset, "ngrams")
    texts = made.texts().samples[:12]
    data = tmp_path / "new.csv"
    for table in (pd.DataFrame({"said": texts}), pd.DataFrame({"n": range(12), "said": texts})):
        table.to_csv(data, index=False)
        report = run_report(Settings((data,), model, samples=12, curves=0))
        assert [sample.predicted for sample in report.samples] == list(bundle.predict(texts))
        assert report.accuracy is None
    table.rename(columns={"said": "Said"}).to_csv(data, index=False)
    with pytest.raises(InputError, match=r"without the column 'said'") as caught:
        run_report(Settings((data,), model, samples=12, curves=0))
    assert caught.value.todo == 'rename "Said" to "said"'


@pytest.mark.parametrize("name", ["new.csv", "new.jsonl"])
def test_few_texts_with_labels_are_read_by_the_column_of_the_bundle(tmp_path, name):
    found = (Finding("text", "column said", ""), Finding("target", "kind", ""))
    model, bundle = written(tmp_path, replace(made.texts(), findings=found), "ngrams")
    texts = made.texts().samples[:4]
    table = pd.DataFrame({"said": texts, "kind": ["cat", "dog", "owl", "cat"]})
    data = tmp_path / name
    if name == "new.csv":
        table.to_csv(data, index=False)
    else:
        table.to_json(data, orient="records", lines=True)
    report = run_report(Settings((data,), model, samples=12, curves=0))
    predicted = list(bundle.predict(texts))
    assert [sample.predicted for sample in report.samples] == predicted
    assert [sample.label for sample in report.samples] == ["cat", "dog", "owl", "cat"]
    right = sum(a == b for a, b in zip(predicted, table["kind"], strict=True))
    assert report.accuracy == pytest.approx(right / 4)


def test_a_text_of_one_word_leaves_the_curves_of_others_their_steps(tmp_path):
    model, _ = written(tmp_path, made.texts(), "textcnn")
    long = ["the small cat sees a large old dog"] * 11
    (tmp_path / "new.txt").write_text("\n".join([*long, "owl"]))
    report = run_report(Settings((tmp_path / "new.txt",), model, samples=12, curves=12))
    curves = report.curves["padding"]["LRP"]
    assert curves.morf.scores.shape == (11, 9)
    page = render_report(report, tmp_path)
    assert "Texts that are too short" in page
    assert "Two fills" not in page


def test_series_lose_windows_and_never_their_padding(tmp_path):
    dataset = made.series(ragged=True)
    model, bundle = written(tmp_path, dataset, "fcn")
    x = bundle.prepare_samples(dataset.samples[:12])
    kept = CurveSamples(12, 12)
    kept.add(x, bundle.explainer(x))
    found = measure_curves(
        Settings((tmp_path,), model), bundle.model, "series", kept, QUIET, masked=True
    )
    e = bundle.explainer(x)
    expected = removal_curves(
        bundle.model,
        x,
        {"LRP": e.relevance.detach()},
        target=e.prediction,
        fill="mean",
        steps=10,
        units=series_windows(x, 10, masked=True),
    )["LRP"]
    torch.testing.assert_close(found["mean"]["LRP"].morf.scores, expected.morf.scores)
    plain = measure_curves(Settings((tmp_path,), model), bundle.model, "series", kept, QUIET)
    assert not torch.equal(plain["mean"]["LRP"].morf.scores, expected.morf.scores)
