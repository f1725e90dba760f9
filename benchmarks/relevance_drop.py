"""Trains small networks with and without relevance in the training, and writes a page.

    python benchmarks/relevance_drop.py ../data --out docs/training-results.md

Accuracy on clean and corrupted test pictures with RelevanceDrop, RelevanceMix, random erasing,
mixup and none; pictures with planted marks, with and without RelevancePenalty; and what a training
step costs. What is done is kept in a JSON file beside the page: a run that was stopped goes on.
"""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from relevance_drop_cost import measure_cost
from relevance_drop_data import Pictures, cifar, corners, corrupted, fashion, marked
from relevance_drop_networks import cnn, resnet
from relevance_drop_page import page
from torch import Tensor, nn

import relprop
from relprop.use import RelevanceDrop, RelevanceMix, RelevancePenalty

SHARE = 0.25  # of the blocks of a sample, for all methods
WEIGHT = 3.0  # of the penalty
PARTS = {"marks, penalty": 1 / 8, "marks, penalty on 40 %": 0.4}  # of a batch, penalised

# From a network, a batch and its classes to the loss.
Loss = Callable[[nn.Module, Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Task:
    """Pictures and the network that learns them.

    Attributes:
        read: Returns the pictures, of (data, train, test).
        network: Makes a network.
        layer: Module whose output RelevanceDrop masks as a hidden region.
        train: Number of training pictures.
        test: Number of test pictures.
        epochs: How often each training picture is seen.
        batch: Size of a batch.
        rate: Of Adam.
    """

    read: Callable[[Path, int, int], Pictures]
    network: Callable[[], nn.Module]
    layer: str
    train: int
    test: int
    epochs: int
    batch: int
    rate: float

    def numbers(self) -> dict[str, float]:
        """Return what the page tells of it."""
        names = ("train", "test", "epochs", "batch", "rate")
        return {name: getattr(self, name) for name in names}


TASKS = {
    "marks": Task(fashion, lambda: cnn(8), "2", 1_000, 2_000, 12, 50, 2e-3),
    "Fashion-MNIST": Task(fashion, lambda: cnn(8), "2", 1_000, 2_000, 12, 50, 2e-3),
    "CIFAR-10 sample": Task(cifar, lambda: resnet(8, 2), "4", 1_000, 2_000, 10, 50, 2e-3),
}
METHODS = (
    "none",
    "random erasing",
    "mixup",
    "RelevanceDrop",
    "RelevanceDrop, hidden",
    "RelevanceMix",
)
MARKED = ("without marks", "marks", *PARTS)


def plain_loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Return the cross-entropy."""
    return F.cross_entropy(model(x), y)


def mixup_loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Return the loss of a batch of which half is mixed in pairs, by uniform weights.

    Source: Zhang et al. 2018, "mixup: beyond empirical risk minimization", with alpha = 1.
    """
    labels = F.one_hot(y, 10).to(x.dtype)
    own = torch.randperm(len(x))[: len(x) // 2]
    weight = torch.rand(len(own), 1)
    mixed = torch.lerp(x[own], x[own.roll(1)], weight[:, :, None, None])
    labels = labels.index_copy(0, own, torch.lerp(labels[own], labels[own.roll(1)], weight))
    return F.cross_entropy(model(x.index_copy(0, own, mixed)), labels)


def loss_of(method: str, task: Task) -> Loss:
    """Return the loss of a method; all mask or mix the same share of half of a batch."""
    if method == "none":
        return plain_loss
    if method == "RelevanceMix":
        mix = RelevanceMix(10, SHARE)

        def mixed(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
            x, labels = mix(model, x, y)
            return F.cross_entropy(model(x), labels)

        return mixed
    if method == "mixup":
        return mixup_loss
    drop = {
        "random erasing": lambda: RelevanceDrop(SHARE, randomness=1.0),
        "RelevanceDrop": lambda: RelevanceDrop(SHARE),
        "RelevanceDrop, hidden": lambda: RelevanceDrop(SHARE, 2, layer=task.layer),
    }[method]()
    return lambda model, x, y: F.cross_entropy(drop.forward(model, x, y), y)


def train(task: Task, x: Tensor, y: Tensor, loss_of: Callable[[nn.Module], Loss]) -> nn.Module:
    """Train a network; random numbers are torch's global ones."""
    model = task.network()
    loss = loss_of(model)
    optimiser = torch.optim.Adam(model.parameters(), task.rate)
    for _ in range(task.epochs):
        for rows in torch.randperm(len(x)).split(task.batch):
            optimiser.zero_grad()
            loss(model, x[rows], y[rows]).backward()
            optimiser.step()
    return model.eval()


@torch.no_grad()
def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """Return the share of pictures that are classified correctly."""
    return float((model(x).argmax(1) == y).to(torch.float64).mean())


def run_accuracy(task: Task, pictures: Pictures, method: str, seed: int) -> dict[str, float]:
    """Train with a method, and test on clean and corrupted pictures."""
    torch.manual_seed(seed)
    loss = loss_of(method, task)
    model = train(task, pictures.train, pictures.classes, lambda _: loss)
    tests = corrupted(pictures)
    return {name: accuracy(model, x, pictures.test_classes) for name, x in tests.items()}


def run_marked(task: Task, pictures: Pictures, method: str, seed: int) -> dict[str, float]:
    """Train on marked pictures, and test without marks, with wrong and with right ones."""
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    x, y, test, right = (
        pictures.train,
        pictures.classes,
        pictures.test,
        pictures.test_classes,
    )
    if method != "without marks":
        x = marked(pictures, x, y, generator)
    outside = corners(x).any(0)  # (h, w)

    def penalised(model: nn.Module) -> Loss:
        penalty, part = RelevancePenalty(model), int(PARTS[method] * task.batch)

        def loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
            return plain_loss(model, x, y) + WEIGHT * penalty(x[:part], y[:part], ~outside)

        return loss

    model = train(task, x, y, penalised if method in PARTS else lambda _: plain_loss)
    wrong = torch.randint(10, right.shape, generator=generator)
    tests = {
        "no mark": test,
        "wrong mark": marked(pictures, test, wrong, generator),
        "right mark": marked(pictures, test, right, generator),
    }
    explained = relprop.explain(model, tests["right mark"], "epsilon", target=right)
    size = explained.relevance.abs()
    on_mark = (size * outside).sum((1, 2, 3)) / size.sum((1, 2, 3))
    found = {name: accuracy(model, x, right) for name, x in tests.items()}
    return {**found, "relevance on corners": float(on_mark.to(torch.float64).mean())}


def run_all(options: argparse.Namespace, tasks: dict[str, Task]) -> dict[str, Any]:
    """Run what the JSON file lacks, and write it after each run.

    Args:
        options: `data`, `out`, `seeds`, `rounds` and `only`, as `main` describes them.
        tasks: Name -> task; those of "marks" get marks.
    """
    file = options.out.with_suffix(".json")
    results = json.loads(file.read_text()) if file.exists() else {"runs": [], "cost": []}
    results["tasks"] = {name: task.numbers() for name, task in tasks.items()}
    done = {(run["data"], run["method"], run["seed"]) for run in results["runs"]}
    pictures: dict[str, Pictures] = {}
    for data, method, seed in planned(tasks, options.seeds):
        if (data, method, seed) in done or not fnmatch(f"{data}, {method}", options.only):
            continue
        task = tasks[data]
        if data not in pictures:
            pictures[data] = task.read(options.data, task.train, task.test).standardised()
        run = run_marked if data == "marks" else run_accuracy
        start = time.process_time()
        found = run(task, pictures[data], method, seed)
        seconds = time.process_time() - start
        about = {"data": data, "method": method, "seed": seed, "seconds": round(seconds, 1)}
        results["runs"].append(about | found)
        _write(file, results)
    if not results["cost"] and options.rounds:
        results["cost"] = measure_cost(options.rounds)
    _write(file, results)
    return results


def planned(tasks: dict[str, Task], seeds: int) -> list[tuple[str, str, int]]:
    """List all runs: data, method, seed."""
    methods = {data: MARKED if data == "marks" else METHODS for data in tasks}
    return [(d, m, seed) for d, names in methods.items() for m in names for seed in range(seeds)]


def _write(file: Path, results: dict[str, Any]) -> None:
    file.write_text(json.dumps(results, indent=1) + "\n")


def main() -> None:
    """Parse the options, run what is missing, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=15, help="of the measurement of time")
    parser.add_argument("--only", default="*", help='such as "Fashion-MNIST, *"')
    parser.add_argument("--out", type=Path, default=Path("training-results.md"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.write_text(page(run_all(options, TASKS)))


if __name__ == "__main__":
    main()
