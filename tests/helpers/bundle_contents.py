"""A bundle's content, made by hand: a linear network for three classes of flowers."""

from dataclasses import replace

import torch
from torch import nn

from relprop.bundles.content import (
    BundleContent,
    CurvePoint,
    LeaderboardRow,
    Member,
    Metric,
    PartOutputs,
    SavedPreparation,
)
from relprop.data.dataset import Finding
from relprop.networks.family import Facts

FACTS = Facts("table", "classes", 3, 90, (4,))
SETTINGS = {"width": 8, "rate": 0.01, "flip": False, "optimiser": "adamw"}


def content(seed=0, **changes):
    """A complete content, with the weights of a seed."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        weights = nn.Linear(4, 3).state_dict()
    made = BundleContent(
        modality="table",
        task="classes",
        target_names=("setosa", "versicolor", "virginica"),
        members=(Member("mlp", SETTINGS, FACTS, weights),),
        preparation=SavedPreparation({"names": ["a", "b"]}, {"mean": torch.arange(4.0)}),
        columns={"a": "number", "b": "category"},
        source="flowers.csv",
        options={"target": ["species"]},
        findings=(Finding("target", "species", "the last column"),),
        warnings=("2 rows are duplicates",),
        counts={"train": 90, "validation": 30, "test": 30},
        fingerprints={"data": "ab", "split": "cd"},
        seed=seed,
        versions={"relprop": "0.1.0"},
        score_name="accuracy",
        metrics=(Metric("accuracy", 0.9, 0.8, 1.0, 30),),
        leaderboard=(LeaderboardRow(0, "mlp", SETTINGS, "done", 0.9, 20.0, 1.5, 15),),
        curves=(CurvePoint(0, 1.0, 20.0, 1.5, 0.1, 0.2, 0.9),),
        budget=60.0,
        seconds=59.0,
        outputs={"test": PartOutputs(torch.arange(2), torch.ones(2, 3), torch.tensor([0, 2]))},
    )
    return replace(made, **changes)
