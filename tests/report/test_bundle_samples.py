"""A bundle is a model of `relprop explain`: it prepares the samples itself."""

from pathlib import Path

import numpy as np
import pytest
from helpers import made_bundles as made

from relprop.bundles.bundle import open_content
from relprop.bundles.write import write_bundle
from relprop.errors import FileError, InputError
from relprop.report.page import render_report
from relprop.report.run import run_report
from relprop.report.settings import Settings

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


def test_rows_without_labels_and_labels_with_dots_are_taken(tmp_path):
    model, _ = written(tmp_path, made.table(), "mlp", **SMALL)
    made.table().samples.to_csv(tmp_path / "new.csv", index=False)
    report = run_report(Settings((tmp_path / "new.csv",), model, samples=5, curves=0))
    assert report.accuracy is None
    data = table_file(tmp_path, ["cat."] * 60)
    report = run_report(Settings((data,), model, samples=5, curves=0))
    assert {sample.label for sample in report.samples} == {"cat"}


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
    with pytest.raises(InputError, match=r"holds data of modality table\n.*series"):
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
