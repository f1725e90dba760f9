"""How long a training will take, by its first steps.

Takes prepared data and a recipe. Gives seconds. What it trains is thrown away. Must not know the
search.
"""

import math
import time
from dataclasses import dataclass

from ..training.train import Examples, train_network
from .model import TrainingRecipe, build_seeded, mean_output
from .prepared import PreparedData, Rows

_FIRST = 2  # steps that warm up
_MOST, _SECONDS = 40, 1.0  # steps that are measured: fewer where they take longer than this
_FEWEST = 2
_LEAST = 100  # steps of a training, unless the whole of it has fewer
_PREDICTED = 256  # samples whose prediction is timed


@dataclass(frozen=True)
class Timing:
    """What a training takes.

    Attributes:
        preparing: Seconds to prepare the training part, and of its teacher where it has one.
        start: Seconds that each network takes before its first step.
        step: Seconds of a step.
        steps: Steps of a pass over the training part.
        epochs: Passes of a whole training.
        members: Networks of the model.
        predicting: Seconds for which the model runs to predict a sample.
    """

    preparing: float
    start: float
    step: float
    steps: int
    epochs: int
    members: int
    predicting: float

    @property
    def epoch(self) -> float:
        """Seconds of a pass over the training part by all members."""
        return self.members * self.steps * self.step

    @property
    def training(self) -> float:
        """Seconds of a whole training."""
        return self.preparing + self.members * self.start + self.epochs * self.epoch

    @property
    def least(self) -> float:
        """Seconds of the shortest training that is worth its name, of samples that are prepared."""
        steps = min(_LEAST, self.steps * self.epochs)
        return self.members * (self.start + steps * self.step)


def time_training(data: PreparedData, recipe: TrainingRecipe, rows: Rows, seconds: float) -> Timing:
    """Measure the first steps of a training.

    Args:
        data: The samples.
        recipe: What is to be trained.
        rows: Samples that are learned, by number.
        seconds: The most time that a teacher may take.
    """
    started = time.monotonic()
    preparation = data.preparation(rows, recipe.settings)
    examples = data.learned(rows, recipe.settings, seconds).examples
    preparing = time.monotonic() - started
    facts = data.facts(preparation, len(rows))
    network = build_seeded(recipe, facts, recipe.seed)
    batch = int(recipe.settings["batch"])
    steps = math.ceil(len(examples.inputs) / batch)

    def run(batches: int, epochs: int) -> float:
        part = slice(0, batches * batch)
        teacher = None if examples.teacher is None else examples.teacher[part]
        some = Examples(examples.inputs[part], examples.targets[part], teacher)
        settings = {**recipe.settings, "epochs": epochs}
        trained = train_network(
            network,
            some,
            None,
            settings,
            task=facts.task,
            seed=recipe.seed,
            seconds=math.inf,
            device=recipe.device,
        )
        return trained.seconds

    few = min(_FIRST, steps)
    run(few, 1)  # compiles and allocates
    first = run(few, 1)
    wanted = min(max(int(_SECONDS * few / first), _FEWEST), _MOST)
    batches = min(wanted, steps)
    epochs = math.ceil(wanted / batches)
    more = run(batches, epochs)
    extra = batches * epochs - few
    step = (more - first) / extra if extra > 0 and more > first else first / few
    members = int(recipe.settings.get("members", 1))
    start = max(first - few * step, 0.0)
    some = examples.inputs[:_PREDICTED]
    mean_output((network.eval(),), some, recipe.device)
    begun = time.monotonic()
    mean_output((network,), some, recipe.device)
    predicting = members * (time.monotonic() - begun) / len(some)
    epochs = int(recipe.settings["epochs"])
    return Timing(preparing, start, step, steps, epochs, members, predicting)
