"""A model as it comes out of training, and what it gives for samples.

Takes prepared data, a family and settings. Trains the members of one model, which differ by their
seed alone. Must not know the search or files.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from ..bundles.content import TrialState
from ..networks.family import Facts, NetworkFamily, Settings
from ..prepare.base import Preparation
from ..training.objectives import score
from ..training.train import Check, Examples, Trained, train_network
from .prepared import PreparedData, Rows

_TEACHING = 0.3  # of the time of a training that a teacher may take, at most
_BATCH = 512  # samples that are predicted at a time


@dataclass(frozen=True)
class FittedModel:
    """A trained model.

    Attributes:
        family: Name of its family.
        settings: All settings of its trial.
        facts: What its family was told of the data.
        preparation: How samples become tensors.
        networks: Its members, whose outputs are averaged, in eval mode.
        parameters: Number of weights of all members.
        checks: What the validations of each member measured.
        state: How the training ended.
        seconds: How long it took.
        outputs: What its members gave for the validation rows while they were trained, (n,
            outputs); None without any.
        score: Their score.
        note: What the user should know of what it learned from, a sentence; "" for nothing.
    """

    family: str
    settings: Settings
    facts: Facts
    preparation: Preparation
    networks: tuple[nn.Module, ...]
    parameters: int
    checks: tuple[tuple[Check, ...], ...]
    state: TrialState
    seconds: float
    outputs: Tensor | None = None
    score: float | None = None
    note: str = ""

    @property
    def epochs(self) -> float | None:
        """Passes over the training part, as far as they are known."""
        if self.checks and self.checks[0]:
            return float(self.checks[0][-1].epoch)
        return float(self.settings["epochs"]) if self.state == "done" else None


@dataclass(frozen=True)
class TrainingRecipe:
    """What a model is trained by.

    Attributes:
        family: The family of networks.
        settings: All settings.
        seed: Random seed of weights, order of samples and augmentation.
        device: "cpu" or "cuda".
    """

    family: NetworkFamily
    settings: Settings
    seed: int
    device: str = "cpu"


def never(check: Check) -> bool:
    """Do not stop a training."""
    return False


def forget(weights: Mapping[str, Tensor], check: Check) -> None:
    """Do not keep weights."""


def ignore(model: FittedModel) -> None:
    """Do nothing with a model."""


def train_model(
    data: PreparedData,
    recipe: TrainingRecipe,
    train: Rows,
    validation: Rows | None,
    *,
    seconds: float,
    on_check: Callable[[Check], bool] = never,
    on_best: Callable[[FittedModel], object] = ignore,
) -> FittedModel:
    """Train the members of a model one after the other, each in its share of the time.

    Args:
        data: The samples.
        recipe: What to train.
        train: Samples to learn, by number.
        validation: Samples that choose among weights; None: there are none.
        seconds: The most time.
        on_check: Is told of each validation of the first member; True stops the training.
        on_best: Is given the first member as it is when it is best so far; it has no outputs.
    """
    started = time.monotonic()
    preparation = data.preparation(train, recipe.settings)
    facts = data.facts(preparation, len(train))
    learned = data.learned(train, recipe.settings, _TEACHING * seconds)
    checked = None if validation is None else data.examples(preparation, validation)
    members = int(recipe.settings.get("members", 1))
    done: list[Trained] = []

    def told(weights: Mapping[str, Tensor], check: Check) -> None:
        network = build_seeded(recipe, facts, recipe.seed)
        network.load_state_dict(weights)
        spent = time.monotonic() - started
        on_best(
            FittedModel(
                recipe.family.name,
                recipe.settings,
                facts,
                preparation,
                (network,),
                count_parameters(network),
                ((check,),),
                "time",
                spent,
                score=check.score,
                note=learned.note,
            )
        )

    networks = [build_seeded(recipe, facts, recipe.seed + number) for number in range(members)]
    for number, network in enumerate(networks):
        left = max(seconds - (time.monotonic() - started), 1e-3)
        done.append(
            train_network(
                network,
                learned.examples,
                checked,
                recipe.settings,
                task=facts.task,
                seed=recipe.seed + number,
                seconds=left / (members - number),
                on_check=never if number else on_check,
                on_best=told if on_best is not ignore and not number else forget,
                device=recipe.device,
            )
        )
        if done[-1].stopped in ("pruned", "diverged"):
            break
    made = _model(recipe, facts, preparation, done, checked, time.monotonic() - started)
    return replace(made, note=learned.note)


def build_seeded(recipe: TrainingRecipe, facts: Facts, seed: int) -> nn.Module:
    """Build an untrained network whose weights follow from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed sets those of CUDA, too
        return recipe.family.build(recipe.settings, facts)


@torch.inference_mode()
def mean_output(networks: tuple[nn.Module, ...], inputs: Tensor, device: str = "cpu") -> Tensor:
    """Return the mean output of networks for prepared samples, (n, outputs)."""
    total = torch.zeros(())
    for network in networks:
        network.to(device)
        parts = [network(batch.to(device)).float().cpu() for batch in torch.split(inputs, _BATCH)]
        network.cpu()
        total = total + torch.cat(parts)
    return total / len(networks)


def count_parameters(network: nn.Module) -> int:
    """Return the number of weights of a network."""
    return sum(parameter.numel() for parameter in network.parameters())


def trial_seed(seed: int, number: int, repeat: int = 0) -> int:
    """Return the seed of a trial by its number; those of its members follow it.

    Args:
        seed: Of the search.
        number: Of the trial.
        repeat: Of the training, where a trial is trained again.
    """
    return int(np.random.SeedSequence([seed, number, repeat]).generate_state(1)[0])


def _model(
    recipe: TrainingRecipe,
    facts: Facts,
    preparation: Preparation,
    done: list[Trained],
    checked: Examples | None,
    seconds: float,
) -> FittedModel:
    """Put together what was trained, and measure it."""
    networks = tuple(trained.network.cpu() for trained in done)
    states: dict[str, TrialState] = {
        "done": "done",
        "time": "time",
        "pruned": "pruned",
        "diverged": "diverged",
    }
    ended = states[done[-1].stopped]
    given = [trained.outputs for trained in done if trained.outputs is not None]
    outputs = reached = None
    if checked is not None and given and done[-1].stopped != "diverged":
        outputs = torch.stack(given).mean(0)
        reached = score(outputs, checked.targets, facts.task)
    return FittedModel(
        recipe.family.name,
        recipe.settings,
        facts,
        preparation,
        networks,
        sum(map(count_parameters, networks)),
        tuple(trained.checks for trained in done),
        "time" if ended == "done" and "time" in {one.stopped for one in done} else ended,
        seconds,
        outputs,
        reached,
    )
