"""Tables as tensors: against scikit-learn, restored to the bit, each feature with its column."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PowerTransformer, StandardScaler
from torch import nn

import relprop
from relprop.data.dataset import Dataset, DataTarget
from relprop.data.read import read_dataset
from relprop.errors import FileError, InputError
from relprop.plot.tables import Columns
from relprop.prepare.fit_tables import fit_table
from relprop.prepare.table_columns import check_columns
from relprop.prepare.tables import MOST_DEVIATIONS, TablePreparation

STANDARD = {"numbers": "standard", "bins": 0, "bins_by": "quantile"}
ALL = {"numbers": "normal", "bins": 4, "bins_by": "tree"}
KINDS = {
    "age": "number",
    "city": "category",
    "joined": "date",
    "zip": "category",
    "income": "number",
}
ROWS = 6000


def table(rows=ROWS, seed=0):
    random = np.random.default_rng(seed)
    age = random.uniform(18, 90, rows)
    zips = random.integers(0, 130, rows)
    return pd.DataFrame(
        {
            "age": np.where(random.uniform(size=rows) < 0.1, np.nan, age),
            "city": random.choice(["Rome", "Oslo", "Bonn", None], rows),
            "joined": pd.Timestamp("2020-01-31 05:00") + pd.to_timedelta(zips * 40, unit="D"),
            "zip": [f"z{code:03d}" for code in zips],
            "income": random.lognormal(size=rows),
        }
    )


def dataset(frame, task="classes"):
    high = (frame["zip"] > "z064").to_numpy()
    target = {
        "classes": DataTarget("classes", ("low", "high"), high.astype(np.int64)),
        "value": DataTarget("value", ("price",), high * 10.0),
        "labels": DataTarget(
            "labels", ("a", "b"), np.column_stack([high, ~high]).astype(np.float32)
        ),
    }[task]
    keys = tuple(map(str, range(len(frame))))
    kinds = {name: KINDS[name] for name in frame.columns}
    return Dataset("made", "table", frame, keys, target, np.full(len(frame), "train"), kinds)


@pytest.fixture(scope="module")
def frame():
    return table()


@pytest.fixture(scope="module")
def fitted(frame):
    return fit_table(dataset(frame), np.arange(ROWS), ALL)


def test_numbers_and_categories_are_those_of_scikit_learn(frame):
    some = frame[["income", "city"]].dropna()
    preparation = fit_table(dataset(frame), np.arange(ROWS), STANDARD)
    made = preparation.apply(frame).numpy()
    want = StandardScaler().fit_transform(frame[["income"]].to_numpy())
    want = np.clip(want, -MOST_DEVIATIONS, MOST_DEVIATIONS)
    np.testing.assert_allclose(made[:, 7], want[:, 0] - want.mean(), atol=1e-6)
    places = list(preparation.columns.groups["city"])[1:]  # the first says: missing
    cities = OneHotEncoder().fit_transform(some[["city"]]).toarray()
    shares = cities.sum(0) / ROWS
    np.testing.assert_allclose(made[np.ix_(some.index, places)], cities - shares, atol=1e-6)


@pytest.mark.parametrize("settings", [STANDARD, ALL], ids=["standard", "all"])
def test_each_feature_is_0_on_average_over_the_rows_it_was_fitted_on(frame, settings):
    """Of what is known of it: a missing number counts as its mean."""
    half = np.arange(0, ROWS, 2)
    made = fit_table(dataset(frame), half, settings)
    means = made.apply(frame.iloc[half]).double().mean(0)
    torch.testing.assert_close(means, torch.zeros_like(means), atol=1e-6, rtol=0)


@pytest.mark.parametrize("settings", [STANDARD, ALL], ids=["standard", "all"])
def test_a_category_without_influence_gets_no_relevance(frame, settings):
    """All features of the city have the same weights, so that the scores do not depend on it."""
    kinds = {name: KINDS[name] for name in frame.columns if name != "zip"}
    data = Dataset(**{**vars(dataset(frame)), "columns": kinds})
    made = fit_table(data, np.arange(ROWS), settings)
    cities = list(made.columns.groups["city"])
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(made.shape[0], 16), nn.ReLU(), nn.Linear(16, 2)).eval()
    with torch.no_grad():
        network[0].weight[:, cities] = torch.rand(16, 1) + 1
    x = made.apply(frame[:200])
    explained = relprop.explain(network, x, target=1)
    relevance = explained.relevance[:, cities]
    assert relevance.abs().sum(1).mean() > 0.1
    torch.testing.assert_close(relevance.sum(1), torch.zeros(200), atol=1e-4, rtol=0)


def test_normal_numbers_are_those_of_scikit_learn(frame):
    part = frame[["income"]]
    made = fit_table(dataset(part.assign(zip=frame["zip"])), np.arange(ROWS), {**ALL, "bins": 0})
    want = make_pipeline(StandardScaler(), PowerTransformer()).fit_transform(part.to_numpy())
    got = made.apply(frame)[:, list(made.columns.groups["income"])]
    np.testing.assert_allclose(got, want, atol=1e-6)


def test_restored_without_fitting_it_is_the_same_to_the_bit(fitted):
    state, tensors = fitted.state()
    restored = TablePreparation.restore(json.loads(json.dumps(state)), tensors)
    others = table(500, seed=1)
    others.loc[3, ["age", "city"]] = [np.nan, "Paris"]
    assert torch.equal(restored.apply(others), fitted.apply(others))
    assert restored.columns == fitted.columns
    assert restored.describe() == fitted.describe()


@pytest.mark.parametrize("settings", [STANDARD, ALL], ids=["standard", "all"])
def test_a_cell_changes_features_of_its_column_only(frame, settings):
    made = fit_table(dataset(frame), np.arange(ROWS), settings)
    before = made.apply(frame[:1])
    other = {"age": 31.5, "city": "Oslo", "joined": "1999-01-01", "zip": "z000", "income": 9.0}
    for name, value in other.items():
        changed = frame[:1].astype({"joined": str}).assign(**{name: value})
        features = torch.nonzero((made.apply(changed) != before)[0]).flatten().tolist()
        assert features
        assert set(features) <= set(made.columns.groups[name])


def test_groups_sum_relevance_to_columns(frame, fitted):
    """Any linear first layer: relevance of the columns is that of their features."""
    names, groups = fitted.columns.names, fitted.columns.groups
    assert len(set(names)) == len(names) == fitted.shape[0]
    columns = Columns.of(fitted.shape, names, groups)
    features = fitted.apply(frame[:20]) * torch.linspace(-1, 1, fitted.shape[0])
    kept, sums = columns.summed(features)
    assert sorted(kept) == sorted(KINDS)
    for place, name in enumerate(kept):
        want = features.double()[:, list(groups[name])].sum(1)
        torch.testing.assert_close(sums[:, place], want)


def test_missing_numbers_have_a_feature_and_no_other_value(frame, fitted):
    features = dict(zip(fitted.columns.names, fitted.apply(frame).T, strict=True))
    missing = torch.from_numpy(frame["age"].isna().to_numpy().copy())
    torch.testing.assert_close(
        features["age is missing"], missing.float() - missing.float().mean(), atol=1e-6, rtol=0
    )
    others = [name for name in features if name.startswith("age") and "missing" not in name]
    assert sum(float(features[name][missing].abs().sum()) for name in others) == 0


def test_unknown_categories_are_rare_ones_or_nothing():
    frame = table(300)
    frame.loc[:2, "city"] = ["Paris", "Cairo", "Lima"]
    made = fit_table(dataset(frame), np.arange(300), STANDARD)
    names = list(made.columns.names)
    known, unknown = frame[3:5].copy(), frame[3:5].assign(city="Quito")
    known["city"] = ["Rome", "Lima"]
    rome, rare = names.index("city is Rome"), names.index("city is rare")
    share = (frame["city"] == "Rome").mean()
    assert made.apply(known)[:, rome].tolist() == pytest.approx([1 - share, -share])
    assert made.apply(known)[:, rare].tolist() == pytest.approx([-0.01, 0.99])
    assert made.apply(unknown)[:, rare].tolist() == pytest.approx([0.99, 0.99])
    without = fit_table(dataset(frame[3:]), np.arange(297), STANDARD)
    assert "city is rare" not in without.columns.names
    places = list(without.columns.groups["city"])
    assert without.apply(unknown)[:, places].abs().sum() == 0


def test_dates_are_numbers(frame):
    made = fit_table(dataset(frame[["joined", "zip"]]), np.arange(ROWS), STANDARD)
    assert made.columns.names[:5] == tuple(
        f"joined, {part}" for part in ("year", "month", "weekday", "hour", "days")
    )
    dates = frame["joined"]
    want = StandardScaler().fit_transform(dates.dt.day_of_week.to_numpy()[:, None])
    np.testing.assert_allclose(made.apply(frame)[:, 2], want[:, 0], atol=1e-6)


def test_missing_dates_have_a_feature_for_each_number():
    frame = table(300)[["joined", "age"]]
    frame.loc[:9, "joined"] = None
    kinds = {"joined": "date", "age": "number"}
    data = Dataset(**{**vars(dataset(table(300))), "samples": frame, "columns": kinds})
    made = fit_table(data, np.arange(300), STANDARD)
    of_dates = made.columns.groups["joined"]
    assert [made.columns.names[i] for i in of_dates[5:]] == [
        f"joined, {part} is missing" for part in ("year", "month", "weekday", "hour", "days")
    ]
    features = made.apply(frame)[:, list(of_dates)]
    want = torch.tensor([0.0] * 5 + [1 - 10 / 300] * 5).expand(10, 10)
    torch.testing.assert_close(features[:10], want)
    torch.testing.assert_close(features[10:, 5:], torch.full((290, 5), -10 / 300))


@pytest.mark.parametrize(("task", "targets"), [("classes", 1), ("value", 1), ("labels", 2)])
def test_very_many_categories_become_means_of_the_target(frame, task, targets):
    made = fit_table(dataset(frame, task), np.arange(ROWS), STANDARD)
    places = made.columns.groups["zip"]
    assert len(places) == targets
    mean = made.apply(frame)[:, places[0]]
    high = torch.from_numpy((frame["zip"] > "z064").to_numpy().copy())
    assert mean[high].min() > 0 > mean[~high].max()
    # A category that was never seen counts as the mean of all samples.
    unknown = made.apply(frame[:1].assign(zip="?"))[0, places[0]]
    assert float(unknown) == pytest.approx(0, abs=0.05)


def test_other_columns_and_orders_are_no_matter(frame, fitted):
    shuffled = frame[["zip", "income", "city", "age", "joined"]].assign(more=1)
    assert torch.equal(fitted.apply(shuffled), fitted.apply(frame))


def test_it_says_what_it_does(fitted):
    assert fitted.describe().startswith(
        f"5 columns as {fitted.shape[0]} features: 8 numbers made nearly normal"
    )
    assert "1 number with a feature for missing" in fitted.describe()
    assert fitted.describe().endswith("from each its mean subtracted")


def test_bad_rows_are_named(frame, fitted):
    with pytest.raises(InputError, match=r"without the column 'age'") as caught:
        fitted.apply(frame.rename(columns={"age": "Age"}))
    assert caught.value.todo == 'rename "Age" to "age"'
    with pytest.raises(InputError, match=r"without the columns 'age', 'income'\n"):
        fitted.apply(frame.drop(columns=["age", "income"]))
    with pytest.raises(InputError, match=r"'old' in the column 'age', which holds numbers"):
        fitted.apply(frame.astype({"age": object}).assign(age="old"))
    with pytest.raises(InputError, match=r"'soon' in the column 'joined', which holds dates"):
        fitted.apply(frame.astype({"joined": str}).assign(joined="soon"))
    with pytest.raises(InputError, match=r"rows as a ndarray"):
        fitted.apply(np.zeros((3, 5)))


def test_a_table_without_features_is_refused():
    frame = pd.DataFrame({"zip": [f"z{i}" for i in range(20)]})
    made = dataset(frame)
    with pytest.raises(InputError, match="1 rows whose columns \\(none\\) give no feature"):
        fit_table(Dataset(**{**vars(made), "columns": {}}), np.arange(1), STANDARD)


@pytest.mark.parametrize(("name", "value"), [("numbers", "norml"), ("bins_by", "trees")])
def test_an_unknown_setting_is_refused(frame, name, value):
    with pytest.raises(InputError, match=f"{name} is '{value}'"):
        fit_table(dataset(frame), np.arange(ROWS), {**ALL, name: value})


@pytest.mark.parametrize("broken", ["mean_", "_infrequent_enabled", "lambdas_"])
def test_a_state_that_is_read_otherwise_is_refused(fitted, broken):
    """As another version of scikit-learn would: it misses an attribute, or means another thing."""
    state, tensors = fitted.state()
    state = json.loads(json.dumps(state))
    for transformer in (state["scaler"], state["one_hot"], state["normal"]):
        transformer["attributes"].pop(broken, None)
    state["versions"]["scikit-learn"] = "9.9.9"
    with pytest.raises(FileError, match=r"a prepared table of scikit-learn 9\.9\.9") as caught:
        TablePreparation.restore(state, tensors)
    assert caught.value.todo.startswith("pip install scikit-learn==9.9.9")


def test_numbers_that_are_read_otherwise_are_refused(fitted):
    state, tensors = fitted.state()
    name = state["scaler"]["attributes"]["mean_"]["tensor"]
    with pytest.raises(FileError, match="computes wrongly"):
        TablePreparation.restore(state, {**tensors, name: tensors[name] + 1})


def test_raw_dates_are_read_as_those_that_were_fitted():
    written = [f"{i % 28 + 1:02d}/{i % 12 + 1:02d}/2020" for i in range(60)]
    raw = pd.DataFrame({"joined": written, "class": ["a", "b"] * 30})
    read = read_dataset(raw)
    fitted = fit_table(read, read.rows("train"), STANDARD)
    state, tensors = fitted.state()
    restored = TablePreparation.restore(json.loads(json.dumps(state)), tensors)
    for one in (0, 28, 30):  # alone, 01/05/2020 tells nothing of the order
        row = raw.iloc[[one]]
        assert torch.equal(restored.apply(row), fitted.apply(read.samples.iloc[[one]]))


@pytest.mark.parametrize("settings", [STANDARD, ALL])
def test_a_column_without_a_value_in_the_training_part_is_constant(frame, settings):
    made = frame.head(60).assign(age=np.nan)
    fitted = fit_table(dataset(made), np.arange(60), settings)
    state, tensors = fitted.state()
    restored = TablePreparation.restore(json.loads(json.dumps(state, allow_nan=False)), tensors)
    features = restored.apply(frame.head(60))
    assert torch.isfinite(features).all()
    (number, *others) = restored.columns.groups["age"]
    assert features[:, number].tolist() == [0.0] * 60
    assert [restored.columns.names[place] for place in others] == ["age is missing"]


def test_no_column_that_is_needed_is_to_be_renamed():
    kinds = dict.fromkeys(["width 1", "width 2", "n"], "number")
    frame = pd.DataFrame([[1.0, 2.0, 3.0]], columns=list(kinds))
    with pytest.raises(InputError, match=r"without the column 'width 2'") as caught:
        check_columns(frame.drop(columns="width 2"), kinds)
    assert caught.value.todo == "add it; write float('nan') where a value is not known"
    with pytest.raises(InputError, match=r"without the columns 'width 1', 'width 2'") as caught:
        check_columns(frame[["n"]], kinds)
    assert caught.value.todo.startswith("add them; ")
