"""The final model, made of what the search found, in the time that is left.

Takes a search that has ended. Gives the content of a bundle, without the test part.
"""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..bundles.content import BundleContent, LeaderboardRow
from ..training.objectives import score
from .alarm import Alarm
from .budget import write_duration
from .choice import beats, is_better
from .contents import add_to_average, part_outputs, same_preparation
from .folds import learn_most
from .loop import SLOWER, Search
from .model import FittedModel, train_model
from .prepared import Rows
from .trial import Train, on_everything, run_trial

# Of the time of a whole training; one with less is of another kind, though its learning rate falls.
_ENOUGH = 0.75
_WORSE = 1.0  # standard errors by which a longer training must not be worse than a short one


def make_final(search: Search, leader: LeaderboardRow) -> BundleContent:
    """Make the final model.

    "slices": the best settings, trained for the time that is left, on most of the validation part,
    too. "whole": the average of the best models, if it is better on the validation part; else the
    best settings, trained once more as for "slices". "folds": the average of the best models, each
    trained on everything, and more of the best where there is time.

    Args:
        search: The search.
        leader: The trial whose model is the best so far.
    """
    content, kind = search.shelf.model(leader.number), search.allocation.kind
    if kind == "slices":
        return _train_longer(search, leader, content)
    if kind == "single":
        return content
    made = _average(search, leader, content)
    is_alone = len(made.members) == len(content.members)
    return _train_again(search, leader, made) if kind == "whole" and is_alone else made


def _average(search: Search, leader: LeaderboardRow, content: BundleContent) -> BundleContent:
    """Average the best model with others, where that is better on the samples of comparison."""
    if search.outputs(leader.number) is None:
        return _repeat(search, leader, content) if search.setup.folds else content
    (_, first), *rest = search.together(leader)
    others, given = list[BundleContent](), [first]
    for row, outputs in rest:
        other = _model_of(search, row)
        if other is not None and same_preparation(content, other):
            others.append(other)
            given.append(outputs)
    mean = torch.stack(given).mean(0)
    together = _with_outputs(search, add_to_average(content, others), mean)
    return _repeat(search, leader, together) if search.setup.folds and not others else together


def _model_of(search: Search, row: LeaderboardRow) -> BundleContent | None:
    """Return a trial's model; of folds it is trained on everything if it is not on the disk."""
    known = search.model(row.number)
    if known is not None or not search.setup.folds:
        return known
    if search.deadline.left() < SLOWER * row.seconds / len(search.setup.folds):
        return None
    return _on_everything(search, row, repeat=0)


def _repeat(search: Search, leader: LeaderboardRow, content: BundleContent) -> BundleContent:
    """Average the best model with others of its settings, where there is time for them."""
    trainings = 1 if search.outputs(leader.number) is None else len(search.setup.folds)
    others, longest = list[BundleContent](), leader.seconds / trainings
    while len(others) + 1 < search.averaged and search.deadline.left() > _ENOUGH * longest:
        before = search.deadline.left()
        search.progress.log(
            f"training {leader.family} once more, to average {len(others) + 2}; "
            f"{write_duration(before)} left"
        )
        other = _on_everything(search, leader, repeat=len(others) + 1)
        if other is None:
            break
        others.append(other)
        longest = max(longest, before - search.deadline.left())
    return add_to_average(content, others)


def _on_everything(search: Search, row: LeaderboardRow, repeat: int) -> BundleContent | None:
    """Train a trial's settings on everything; None if it fails or its time is over."""
    seconds = search.deadline.left()
    train = on_everything(search.setup, row, seconds, repeat)
    model = run_trial(search.setup, row, train, seconds).model
    return None if model is None else search.content(model, None)


@dataclass(frozen=True)
class _Watched:
    """Validation samples that are not learned in the end.

    Attributes:
        learned: Numbers of the samples that are: training part and most of the validation part.
        rows: Numbers of those that are not.
        targets: Their targets.
        before: What the short training gave for them.
    """

    learned: Rows
    rows: Rows
    targets: Tensor
    before: Tensor


def _train_longer(search: Search, leader: LeaderboardRow, content: BundleContent) -> BundleContent:
    """Train the best settings for the time that is left, with most of the validation part.

    Where that is enough for several whole trainings, their networks are averaged.
    """
    seconds, count = search.deadline.left(), min(search.averaged, search.allocation.long)
    before = search.outputs(leader.number)
    if seconds < leader.seconds or before is None:
        return _longer(search, leader, content)
    watched = _watched(search, before)
    search.progress.log(f"training {leader.family} for {seconds / count:.0f} s")
    first = _with_validation(search, leader, watched, seconds / count)
    if first is None:
        return _longer(search, leader, content)
    models = [first, *_others_like(search, leader, watched, first, count)]
    return _mean_of(search, watched, models)


def _others_like(
    search: Search, leader: LeaderboardRow, watched: _Watched, first: FittedModel, count: int
) -> list[FittedModel]:
    """Train the settings of a model again until there are so many, each in its part of the time.

    One that would have much less time than the first is left out.
    """
    others = list[FittedModel]()
    for number in range(1, count):
        seconds = search.deadline.left() / (count - number)
        if seconds < _ENOUGH * first.seconds:
            break
        search.progress.log(
            f"training {leader.family} once more, to average {number + 1} of {count}"
        )
        train = _training_like(search, leader, watched, number, seconds)
        model = run_trial(search.setup, leader, train, seconds).model
        others += [] if model is None else [model]
    return others


def _training_like(
    search: Search, leader: LeaderboardRow, watched: _Watched, repeat: int, seconds: float
) -> Train:
    """Return what trains the best settings from another seed."""
    recipe, rows = search.setup.recipe(leader, repeat), (watched.learned, watched.rows)
    return lambda alarm: train_model(search.setup.data, recipe, *rows, seconds=seconds)


def _mean_of(search: Search, watched: _Watched, models: list[FittedModel]) -> BundleContent:
    """Return the average of models of the same settings.

    It is the first one alone where that has a higher score and a lower loss.
    """
    measured = [(model, model.outputs) for model in models if model.outputs is not None]
    models, given = [model for model, _ in measured], [outputs for _, outputs in measured]
    mean, task = torch.stack(given).mean(0), search.origin.dataset.target.task
    if beats(given[0], mean, watched.targets, task):
        models, mean = models[:1], given[0]
    first, *others = models
    content = search.content(first, (watched.rows, mean))
    return add_to_average(content, [search.content(model, None) for model in others])


def _train_again(search: Search, leader: LeaderboardRow, content: BundleContent) -> BundleContent:
    """Train the best settings once more where there is time, with most of the validation part.

    Its teacher is fitted again, too, which the time of the trial may not hold. A model that had to
    do without one is not taken.
    """
    seconds = search.deadline.left()
    needed = SLOWER * max(leader.seconds, search.allocation.usual)
    before = search.outputs(leader.number)
    if seconds < needed or before is None:
        return _longer(search, leader, content)
    watched = _watched(search, before)
    if len(watched.learned) == len(search.setup.train):
        return content
    search.progress.log(
        f"training {leader.family} once more, with most of the validation part; "
        f"{write_duration(seconds)} left"
    )
    model = _with_validation(search, leader, watched, seconds)
    if model is None:
        return _longer(search, leader, content)
    made = _mean_of(search, watched, [model])
    return made if set(made.warnings) <= set(content.warnings) else content


def _with_validation(
    search: Search, leader: LeaderboardRow, watched: _Watched, seconds: float
) -> FittedModel | None:
    """Train a trial's settings with most of the validation part.

    The rest of that part chooses among the weights, and tells whether the training went well.

    Returns:
        The model; None where there is none, or it is worse than that of the trial. What was better
        on the way is on the disk.
    """
    task = search.origin.dataset.target.task
    train = _long_training(search, leader, watched, seconds)
    model = run_trial(search.setup, leader, train, seconds).model
    if model is None or model.outputs is None:
        return None
    return (
        None if is_better(watched.before, model.outputs, watched.targets, task, _WORSE) else model
    )


def _longer(search: Search, leader: LeaderboardRow, content: BundleContent) -> BundleContent:
    """Return what was best on the way of a longer training; a content where there is none."""
    return search.shelf.longer(leader.number) or content


def _watched(search: Search, given: Tensor) -> _Watched:
    """Choose validation samples that are not learned.

    Where samples of one group, or of one time, are in one part, none of that part is learned.

    Args:
        search: The search.
        given: What the trial gave for the validation samples.
    """
    setup, learned, rows = search.setup, search.setup.train, search.setup.validation
    if setup.may_mix:
        learned, rows = learn_most(search.origin.dataset, learned, rows, setup.seed)
    here = torch.from_numpy(np.isin(setup.validation, rows))
    return _Watched(learned, rows, setup.data.targets(rows), given[here])


def _long_training(
    search: Search, leader: LeaderboardRow, watched: _Watched, seconds: float
) -> Train:
    """Return what trains a model, and keeps it on the disk when it is better than the short one."""
    setup = search.setup
    reached = score(watched.before, watched.targets, search.origin.dataset.target.task)

    def train(alarm: Alarm) -> FittedModel:
        def keep(model: FittedModel) -> None:
            if model.score is not None and model.score > reached:
                content = search.content(model, None)
                with alarm.wait():
                    search.shelf.put_longer(leader.number, content)
                    search.write(content)

        return train_model(
            setup.data,
            setup.recipe(leader),
            watched.learned,
            watched.rows,
            seconds=seconds,
            on_best=keep,
        )

    return train


def _with_outputs(search: Search, content: BundleContent, outputs: Tensor) -> BundleContent:
    """Return a content with what its model gives for the samples of comparison."""
    found = part_outputs(search.origin.dataset, search.setup.compared, outputs)
    return replace(content, outputs={**content.outputs, "validation": found})
