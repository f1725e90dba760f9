"""What a comparison compares: models, methods, fills, data and steps, as the user chooses them.

Gives a frozen record of names and numbers. Must not know models, images or results.
"""

from dataclasses import dataclass
from pathlib import Path

from .methods import METHODS


@dataclass(frozen=True)
class Settings:
    """Describes a comparison; the same settings on the same machine give the same numbers.

    Every method explains the class that the model predicts for the unmodified image.

    Attributes:
        models: Names of shipped models, or paths of saved ones.
        methods: Attribution methods, as text: a preset of `relprop.Recipe`, "gradient-x-input",
            "integrated-gradients" or "smoothgrad", with parameters after a colon.
        fills: Values of removed pixels: names in `relprop.evaluate.FILLS`. Fills that are
            estimated from data use all images of the comparison.
        data: "mnist" or "fashion-mnist" for all models; None takes for each model the data set
            that its card names.
        digits: Number of test images, the first ones; None takes all.
        steps: Number of removal steps, evenly spaced up to all pixels.
        score: Quantity that the curves show: a name in `relprop.evaluate.SCORES`.
        q: Shares of the pixels removed at which error rate and margins are reported, too.
        seed: Random seed of random orders, ties, fills and methods.
        data_dir: Folder of the data; None searches where `relprop.data.load_digits` does.

    Example:
        >>> from relprop.compare import Settings
        >>> settings = Settings(("mnist-cnn",), fills=("zero", "mean"), digits=100)
        >>> settings.methods[1]
        'epsilon:epsilon=0.1,relative=true'
    """

    models: tuple[str, ...]
    methods: tuple[str, ...] = METHODS
    fills: tuple[str, ...] = ("zero",)
    data: str | None = None
    digits: int | None = 1000
    steps: int = 20
    score: str = "probability"
    q: tuple[float, ...] = (0.1,)
    seed: int = 0
    data_dir: Path | None = None
