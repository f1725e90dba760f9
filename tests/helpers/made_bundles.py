"""Bundles of made data sets, with real preparations and networks of fixed random weights."""

import numpy as np
import pandas as pd
import torch

from relprop.bundles.bundle import open_content
from relprop.bundles.content import BundleContent, Member, SavedPreparation, ValueScale
from relprop.bundles.write import write_bundle
from relprop.data.dataset import Dataset, DataTarget, Finding
from relprop.networks.family import Facts
from relprop.networks.registry import find_family
from relprop.prepare.registry import fit_preparation

ANIMALS = ("cat", "dog", "owl")


def dataset_of(modality, samples, target, columns=None):
    """A data set of 60 samples: 36 to train on, 12 to validate, 12 to test."""
    parts = np.repeat(["train", "validation", "test"], [36, 12, 12])
    keys = tuple(f"row {i + 1}" for i in range(60))
    finding = Finding("target", "animal", "the last column")
    return Dataset(
        f"{modality}.csv", modality, samples, keys, target, parts, columns or {}, (finding,)
    )


def classes(count=3):
    return DataTarget("classes", ANIMALS[:count], np.arange(60) % count)


def labels():
    numbers = np.arange(60)
    values = np.stack([numbers % 2, numbers % 3 == 0, numbers % 5 == 0], 1).astype(np.float32)
    return DataTarget("labels", ("even", "third", "fifth"), values)


def value():
    return DataTarget("value", ("weight",), np.linspace(10.0, 50.0, 60))


def table(target=None):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.uniform(1, 20, 60),
            "colour": np.array(["black", "white", "brown"])[rng.integers(0, 3, 60)],
            "seen": pd.to_datetime("2024-01-01") + pd.to_timedelta(rng.integers(0, 400, 60), "D"),
        }
    )
    frame.loc[3, "age"] = np.nan
    columns = {"age": "number", "colour": "category", "seen": "date"}
    return dataset_of("table", frame, target or classes(), columns)


def series(target=None, ragged=False):
    rng = np.random.default_rng(0)
    lengths = rng.integers(12, 20, 60) if ragged else [16] * 60
    made = [rng.normal(size=(2, length)).astype(np.float32) for length in lengths]
    return dataset_of("series", np.fromiter(made, object, 60), target or classes())


def pictures(target=None, channels=3):
    rng = np.random.default_rng(0)
    return dataset_of(
        "picture", rng.integers(0, 256, (60, 16, 16, channels), dtype=np.uint8), target or classes()
    )


def texts(target=None):
    words = np.array(["the", "a", "cat", "dog", "owl", "sees", "likes", "small", "large", "old"])
    rng = np.random.default_rng(0)
    made = [" ".join(words[rng.integers(0, 10, rng.integers(2, 9))]) for _ in range(60)]
    return dataset_of("text", np.array(made, object), target or classes())


def content_of(dataset, family, *, members=1, seed=0, **changes):
    """The content of a bundle for a data set, with the defaults of a family but for changes."""
    facts = Facts(dataset.modality, dataset.target.task, dataset.target.outputs, 36, (1, 16, 16))
    defaults = find_family(dataset.modality, family).default(facts)
    settings = {**defaults, **changes}
    preparation = fit_preparation(dataset, dataset.rows("train"), settings)
    facts = Facts(
        *(dataset.modality, dataset.target.task, dataset.target.outputs, 36, preparation.shape),
        vocabulary=preparation.vocabulary,
        masked=getattr(preparation, "masked", False),
        mirrors=getattr(preparation, "mirrors", False),
    )
    state, tensors = preparation.state()
    values = dataset.target.values
    scale = ValueScale(30.0, 11.0) if dataset.target.task == "value" else ValueScale()
    return BundleContent(
        modality=dataset.modality,
        task=dataset.target.task,
        target_names=dataset.target.names,
        members=tuple(_member(family, settings, facts, seed + k) for k in range(members)),
        preparation=SavedPreparation(state, tensors),
        scale=scale,
        columns=dataset.columns,
        source=dataset.source,
        findings=dataset.findings,
        counts={"train": 36, "validation": 12, "test": len(values) - 48},
        score_name="accuracy",
    )


def _member(family, settings, facts, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = find_family(facts.modality, family).build(settings, facts)
        for name, buffer in network.named_buffers():
            if name.endswith("running_var"):
                buffer.uniform_(0.5, 1.5)
    return Member(family, settings, facts, network.state_dict())


def bundle_of(dataset, family, **changes):
    """A bundle for a data set; see `content_of`."""
    return open_content(content_of(dataset, family, **changes))


def write_two(folder, **settings):
    """Write animals.csv, and two bundles for it that differ by their random weights."""
    frame = table().samples.assign(animal=[ANIMALS[k % 3] for k in range(60)])
    frame.to_csv(folder / "animals.csv", index=False)
    for seed in (0, 1):
        write_bundle(folder / f"bundle{seed}", content_of(table(), "mlp", seed=seed, **settings))
    return folder
