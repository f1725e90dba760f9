"""Baselines of docs/any-dataset.md: scikit-learn's usual models on the same parts.

Takes the files of a fold. Gives the accuracy of each. All settings are fixed, as scikit-learn has
them but for what is written here; none is chosen by a test part.
"""

from pathlib import Path

import numpy as np
import pandas
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVC

Scores = dict[str, np.ndarray]  # name of a baseline -> whether each test sample is right


def run_baselines(kind: str, train: Path, test: Path) -> Scores:
    """Fit the baselines of a kind, "table" or "text", on one file and test them on the other."""
    parts = [_read(path) for path in (train, test)]
    models = _of_tables() if kind == "table" else _of_texts()
    (x, y), (x_test, y_test) = (
        (frame.drop(columns="label") if kind == "table" else frame["text"], frame["label"])
        for frame in parts
    )
    return {
        name: np.asarray(model.fit(x, y).predict(x_test)) == y_test.to_numpy()
        for name, model in models.items()
    }


def _read(path: Path) -> pandas.DataFrame:
    """Read a file of a fold, or Adult's, which has no header and a dot behind test labels."""
    if not path.name.startswith("adult"):
        return pandas.read_csv(path, dtype={"label": str})
    frame = pandas.read_csv(path, header=None, na_values="?", skipinitialspace=True)
    frame.columns = [*(f"x{i + 1}" for i in range(14)), "label"]
    return frame.assign(label=frame["label"].str.rstrip("."))


def _of_tables() -> dict[str, Pipeline]:
    numbers = make_column_selector(dtype_include="number")
    others = make_column_selector(dtype_exclude="number")
    scaled = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    models = {
        "logistic regression": LogisticRegression(max_iter=5000),
        "SVM": SVC(C=10, gamma="scale"),
        "extra trees": ExtraTreesClassifier(500, random_state=0),
        "boosted trees": HistGradientBoostingClassifier(random_state=0),
    }
    return {
        name: make_pipeline(
            make_column_transformer(
                (scaled, numbers),
                (OneHotEncoder(handle_unknown="ignore", sparse_output=False), others),
            ),
            model,
        )
        for name, model in models.items()
    }


def _of_texts() -> dict[str, Pipeline]:
    return {
        "logistic regression on 1+2-grams": make_pipeline(
            CountVectorizer(ngram_range=(1, 2), binary=True, token_pattern=r"\S+"),
            LogisticRegression(max_iter=2000),
        )
    }
