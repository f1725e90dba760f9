"""What a bundle holds: frozen records of plain values and tensors.

`relprop fit` makes them, `write.py` and `read.py` carry them to files and back, `bundle.py` makes a
model of them. Must not know files, how networks are built, or training.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import Tensor

from ..data.dataset import ColumnKind, Finding, Modality, TaskKind
from ..networks.family import Facts, Value

TrialState = Literal["done", "time", "pruned", "diverged", "memory", "failed"]


@dataclass(frozen=True)
class Member:
    """A trained network. Of several, the outputs are averaged.

    Attributes:
        family: Name of its family.
        settings: All settings of its trial.
        facts: What its family was told of the data.
        weights: Its state dict.
    """

    family: str
    settings: Mapping[str, Value]
    facts: Facts
    weights: Mapping[str, Tensor]


@dataclass(frozen=True)
class SavedPreparation:
    """What `Preparation.state` gives: what a preparation of samples was fitted to.

    Attributes:
        state: Values that JSON has.
        tensors: Tensors by name.
    """

    state: Mapping[str, Any]
    tensors: Mapping[str, Tensor]


@dataclass(frozen=True)
class ValueScale:
    """What a predicted value is standardised by: value = mean + std * output of the network.

    Attributes:
        mean: Mean of the training part.
        std: Standard deviation of the training part.
    """

    mean: float = 0.0
    std: float = 1.0


@dataclass(frozen=True)
class Metric:
    """A number that says how good the model is.

    Attributes:
        name: What it is: "accuracy", "R^2".
        value: Its value.
        low: Lower end of the 95 % interval; None where there is none.
        high: Upper end.
        n: Number of samples.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class LeaderboardRow:
    """A trial of the search.

    Attributes:
        number: Its number, from 0.
        family: Name of the family of networks.
        settings: All settings.
        state: How it ended.
        score: Its best validation score; None where it has none.
        epochs: Passes over the training part.
        seconds: How long it took.
        parameters: Number of weights.
        note: What else is to be known of it, in words.
    """

    number: int
    family: str
    settings: Mapping[str, Value]
    state: TrialState
    score: float | None
    epochs: float | None
    seconds: float
    parameters: int | None = None
    note: str = ""


@dataclass(frozen=True)
class CurvePoint:
    """What a check during the training of a member measured.

    Attributes:
        member: Which member, from 0.
        progress: Share of the planned training, 0 to 1.
        epoch: Passes over the training part so far.
        seconds: Since the training began.
        train_loss: Loss of the training since the check before.
        loss: Loss of the validation part; None without one.
        score: Score of the validation part.
    """

    member: int
    progress: float
    epoch: float
    seconds: float
    train_loss: float | None
    loss: float | None
    score: float | None


@dataclass(frozen=True)
class PartOutputs:
    """What the model gave for the samples of a part.

    Attributes:
        rows: Numbers of the samples in the data set, int64 (n,).
        outputs: What the network gave, float32 (n, outputs): logits, or the standardised value.
        targets: Class numbers, int64 (n,); labels, float32 (n, labels); or values in their own
            units, float64 (n,).
    """

    rows: Tensor
    outputs: Tensor
    targets: Tensor


@dataclass(frozen=True)
class BundleContent:
    """A trained model with all that is known of it.

    Attributes:
        modality: What the samples are.
        task: What is predicted.
        target_names: Names of the classes or labels; the name of the value.
        members: The network, or several whose outputs are averaged.
        preparation: How samples become tensors.
        scale: Of a value, its units.
        columns: Of a table, name of a column -> its kind; else empty.
        source: Where the data is from, as the user wrote it.
        options: How the data was read, as the fields of `DataOptions` that differ from defaults.
        findings: What was inferred from the data.
        warnings: What the user should know, a sentence each.
        counts: Part of the data -> number of samples.
        fingerprints: "data" and "split" -> their SHA256.
        seed: Random seed.
        versions: Package -> version.
        score_name: What `score` of trials and curves is: "accuracy".
        metrics: How good the model is on the test part.
        leaderboard: The trials, the best first.
        curves: The training of the members.
        budget: Seconds that were asked for; None: not limited.
        seconds: Seconds that it took.
        outputs: Part ("validation", "test") -> what the model gave for it.
    """

    modality: Modality
    task: TaskKind
    target_names: tuple[str, ...]
    members: tuple[Member, ...]
    preparation: SavedPreparation
    scale: ValueScale = field(default_factory=ValueScale)
    columns: Mapping[str, ColumnKind] = field(default_factory=dict)
    source: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    warnings: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    versions: Mapping[str, str] = field(default_factory=dict)
    score_name: str = ""
    metrics: tuple[Metric, ...] = ()
    leaderboard: tuple[LeaderboardRow, ...] = ()
    curves: tuple[CurvePoint, ...] = ()
    budget: float | None = None
    seconds: float = 0.0
    outputs: Mapping[str, PartOutputs] = field(default_factory=dict)
