"""Trains one network within its time; validation samples choose among the weights of its course.

Takes prepared tensors and the settings of a trial. All randomness comes from one seed. Must not
know data sets, families of networks or the search.

    n  samples      k  outputs
"""

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..data.dataset import TaskKind
from ..errors import InputError
from ..networks.family import Settings, Starts
from ..support.lightning_runs import (
    interruptible,
    quiet_lightning,
    random_seed,
    require_lightning,
)
from .augmentation import augmentation
from .batch_loss import BatchLoss
from .batch_statistics import renew_statistics
from .clock import Clock
from .optimisation import make_average, make_optimiser, rate_factor, set_rate
from .precision import fast_format
from .settings import TrainingSettings
from .validation import loss_and_score, outputs_of

_STEP_IN_PASSES = 3  # a step is a forward pass, and a backward pass of twice the cost


@dataclass(frozen=True)
class Examples:
    """Prepared samples with what is to be predicted of them.

    Attributes:
        inputs: Prepared samples, (n, ...).
        targets: Class numbers, int64 (n,), or, to learn from, probabilities, float32 (n, k);
            labels, float32 (n, k) of 0 and 1; or standardised values, float32 (n, 1).
        teacher: What a teacher says of them, probabilities or standardised values, (n, k); None:
            there is no teacher.
    """

    inputs: Tensor
    targets: Tensor
    teacher: Tensor | None = None


@dataclass(frozen=True)
class Check:
    """What one validation measured.

    Attributes:
        progress: Part of the training that was done, 0 to 1.
        epoch: Number of whole passes that were done.
        seconds: Time since the training began.
        train_loss: Mean loss of the training batches since the check before.
        loss: Loss on the validation samples, without label smoothing.
        score: What is maximised: accuracy, mean average precision, or R^2.
    """

    progress: float
    epoch: int
    seconds: float
    train_loss: float
    loss: float
    score: float


OnBest = Callable[[Mapping[str, Tensor], Check], object]


@dataclass(frozen=True)
class Trained:
    """A trained network.

    Attributes:
        network: The network, in eval mode, with the last weights that none before were better than
            in both score and loss; the last ones where there are no validation samples.
        checks: What the validations measured, in order.
        outputs: What these weights gave for the validation samples, (n, k), in the number format of
            the training; None where there are none.
        seconds: How long it took.
        stopped: Why it ended: "done" (all epochs), "time", "pruned" or "diverged".
    """

    network: nn.Module
    checks: tuple[Check, ...]
    outputs: Tensor | None
    seconds: float
    stopped: str


def train_network(
    network: nn.Module,
    train: Examples,
    validation: Examples | None,
    settings: Settings,
    *,
    task: TaskKind,
    seed: int,
    seconds: float,
    on_check: Callable[[Check], bool] = lambda check: False,
    on_best: OnBest = lambda weights, check: None,
    device: str = "cpu",
) -> Trained:
    """Train a network in place.

    The learning rate follows what is further, the epochs that are done or the time that is spent,
    so that it reaches its end in a short time, too. With the same seed, and time for all epochs,
    the weights are the same on the same machine.

    Args:
        network: Maps inputs to scores, (n, k): logits, or standardised values.
        train: Samples to learn.
        validation: Samples that choose among the weights of 20 moments; None: the last are taken.
        settings: All settings of a trial; read are those of `TrainingSettings` and augmentations.
        task: What is predicted.
        seed: Of the order of samples, augmentation and dropout.
        seconds: The most time, from the call to the return; exceeded by one batch at most.
        on_check: Is told of each validation; True stops the training as "pruned".
        on_best: Is given weights that none before were better than in both score and loss, to keep;
            and told of their validation.
        device: "cpu" or "cuda".

    Returns:
        The network with what was measured.

    Raises:
        InputError: A setting is missing or out of range, or there is nothing to learn from.
        MissingExtraError: Lightning is not installed.
    """
    started = time.monotonic()
    _check(train, settings, seconds)
    require_lightning("fit", "training of networks")
    with random_seed(seed), quiet_lightning(), interruptible():
        train, validation = _moved(train, device), validation and _moved(validation, device)
        planned = TrainingSettings.of(settings)
        if isinstance(network, Starts):
            network.to(device).start(train.inputs, train.targets)
        numbers = fast_format(train.inputs, device)
        course = _Course(
            _laid_out(network.to(device), numbers.layout).train(),
            planned,
            BatchLoss(
                train.inputs,
                train.targets,
                train.teacher,
                task,
                planned,
                augmentation(settings, train.inputs),
                numbers,
            ),
            validation,
            Clock(planned.steps(len(train.inputs)), seconds, started),
            on_check,
            on_best,
            noisy=bool(settings.get("noise")),
        )
        course.run(seed)
    return course.result()


def _check(train: Examples, settings: Settings, seconds: float) -> None:
    TrainingSettings.of(settings)
    if not seconds > 0:
        raise InputError(f"seconds is {seconds!r}", "a number above 0", "write seconds=60")
    if len(train.inputs) < 2 or len(train.inputs) != len(train.targets):
        given = f"{len(train.inputs)} training samples with {len(train.targets)} targets"
        raise InputError(given, "two samples or more, with a target each", "add samples")
    if settings.get("mixup") and not train.inputs.is_floating_point():
        given = f"mixup={settings['mixup']} for samples of {train.inputs.dtype}"
        raise InputError(given, "samples of numbers, not of token ids", "write mixup=0")


def _moved(examples: Examples, device: str) -> Examples:
    teacher = None if examples.teacher is None else examples.teacher.to(device)
    return Examples(examples.inputs.to(device), examples.targets.to(device), teacher)


def _laid_out(network: nn.Module, layout: torch.memory_format) -> nn.Module:
    return network.to(memory_format=layout)  # type: ignore[call-overload, no-any-return]


class _Course:
    """One training: what is done before and after each step."""

    def __init__(
        self,
        network: nn.Module,
        settings: TrainingSettings,
        batch_loss: BatchLoss,
        validation: Examples | None,
        clock: Clock,
        on_check: Callable[[Check], bool],
        on_best: OnBest,
        *,
        noisy: bool,
    ) -> None:
        self.network, self.settings, self.batch_loss = network, settings, batch_loss
        self.validation, self.clock, self.noisy = validation, clock, noisy
        self.on_check, self.on_best = on_check, on_best
        self.optimiser = make_optimiser(network, settings)
        self.average = make_average(network, settings.average) if settings.average else None
        self.losses: list[float] = []  # since the last check
        self.step_began = 0.0  # imports and preparations before the first step are no part of it
        self.checks: list[Check] = []
        self.best_weights: dict[str, Tensor] | None = None
        self.outputs: Tensor | None = None  # of these weights
        self.stopped = ""

    def run(self, seed: int) -> None:
        """Train until the epochs are done or something stops it."""
        from .lightning_loop import Batches, Loop, run_loop

        generator = torch.Generator().manual_seed(seed)
        device = self.batch_loss.format.device
        samples = len(self.batch_loss.inputs)
        loop = Loop(
            self.network,
            self.optimiser,
            loss=self.loss_of,
            after_step=self.after_step,
        )
        batches = Batches(samples, self.settings.batch, generator, device)
        run_loop(loop, batches, epochs=self.settings.epochs, device=device)

    def loss_of(self, rows: Tensor) -> Tensor:
        """Return the loss of a batch, by its sample numbers, at the learning rate of this step."""
        self.step_began = self.clock.elapsed
        set_rate(self.optimiser, self.settings.rate * rate_factor(self.clock.progress))
        return self.batch_loss(self.network, rows)

    def after_step(self, loss: float) -> bool:
        """Note a step, validate where it is due, and tell whether to stop."""
        self.losses.append(loss)
        if not math.isfinite(loss):
            self.stopped = "diverged"
            return True
        if self.average is not None:
            self.average.update_parameters(self.network)
        if self.clock.steps == 0 and self.validation is not None:  # until one was measured
            steps = len(self.validation.inputs) / self.settings.batch / _STEP_IN_PASSES
            self.clock.expect_check((self.clock.elapsed - self.step_began) * steps)
        self.clock.step()
        self.stopped = self.clock.ended
        if self.validation is not None and self.clock.check_is_due():
            self.validate(self.validation)
        return self.stopped != ""

    def validate(self, validation: Examples) -> None:
        """Measure loss and score on the validation samples, and keep weights that are good."""
        begun = self.clock.elapsed
        network: nn.Module = self.network if self.average is None else self.average.module
        if self.noisy:
            renew_statistics(network, self.batch_loss.inputs)
        outputs = outputs_of(network, validation.inputs, self.batch_loss.format)
        measured, reached = loss_and_score(outputs, validation.targets, self.batch_loss.task)
        is_good = math.isfinite(measured) and not self.was_better(reached, measured)
        if is_good:
            self.best_weights, self.outputs = copy.deepcopy(network.state_dict()), outputs
        self.clock.checked(self.clock.elapsed - begun)
        epoch = self.clock.steps * self.settings.epochs // self.clock.planned
        mean = sum(self.losses) / len(self.losses)
        self.losses.clear()
        self.checks.append(
            Check(self.clock.progress, epoch, self.clock.elapsed, mean, measured, reached)
        )
        if is_good and self.best_weights is not None:
            self.on_best(self.best_weights, self.checks[-1])
        if not math.isfinite(measured):
            self.stopped = "diverged"
        elif self.on_check(self.checks[-1]) and not self.stopped:
            self.stopped = "pruned"

    def was_better(self, score: float, loss: float) -> bool:
        """Tell whether a check before had a higher score and a lower loss.

        The best score of many is, of few samples, that of a moment with luck; later weights, which
        were trained at a lower rate, are not given up for it while their loss is lower.
        """
        return any(check.score > score and check.loss < loss for check in self.checks)

    def result(self) -> Trained:
        """Return the network with the weights that were kept."""
        weights = self.best_weights
        if weights is None and self.average is not None:
            weights = self.average.module.state_dict()
        if weights is not None:
            self.network.load_state_dict(weights)
        if self.noisy and self.validation is None:
            renew_statistics(self.network, self.batch_loss.inputs)
        _laid_out(self.network, torch.contiguous_format).eval()
        outputs = None if self.outputs is None else self.outputs.cpu()
        return Trained(self.network, tuple(self.checks), outputs, self.clock.elapsed, self.stopped)
