"""A callback of Lightning that logs how a model explains samples while it is trained.

Takes samples. Gives figures to the trainer's loggers. Needs Lightning, and matplotlib to draw.
"""

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from ..errors import InputError
from ..explanation.check_inputs import ModelInput
from ..explanation.explainer import Explainer
from ..explanation.targets import Target
from ..recipes.recipe import Recipe
from ..support.eval_mode import in_eval_mode
from ..support.extras import needs
from ..support.figures import figure_bytes
from ..support.files import make_folder, write_file

with needs("train", "relprop.integrations.lightning"):
    from lightning.pytorch import Callback, LightningModule, Trainer
    from lightning.pytorch.utilities.seed import isolate_rng

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..plot.options import PlotOptions

__all__ = ["LogExplanations"]

NAME = "explanations"


class LogExplanations(Callback):
    """Log a figure of explained samples after training epochs.

    Explains what the LightningModule's `forward` returns, in eval mode. TensorBoard's logger gets
    the figure "explanations" by `add_figure`; a logger with `log_image`, such as that of Weights &
    Biases, gets it as an image. Where a logger has neither, and where there is none, it is written
    to `explanations/epoch-0000.png` in the trainer's `log_dir`. Modes, gradients and random numbers
    are left as they were. Before the training starts the samples are explained and drawn once, so
    that what is wrong is told then. `forward` must not ask for `self.trainer`.

    Args:
        samples: What the model is called with, as `Explainer` takes it. All are drawn.
        every_n_epochs: Log after every so many epochs.
        recipe: A `Recipe` or the name of a preset.
        target: What is explained, as `Explainer` takes it; None: the predicted classes.
        **options: As for `Explanation.plot`: `class_names`, `tokens`, `feature_names`, for example.

    Raises:
        InputError: `every_n_epochs` is no whole number above 0.
        MissingExtraError: Lightning or matplotlib is not installed.

    Example:
        >>> import torch
        >>> from lightning.pytorch import Trainer
        >>> from relprop.integrations.lightning import LogExplanations
        >>> callback = LogExplanations(torch.rand(8, 1, 28, 28), every_n_epochs=5)
        >>> trainer = Trainer(callbacks=[callback])  # doctest: +SKIP
    """

    def __init__(
        self,
        samples: ModelInput,
        every_n_epochs: int = 1,
        recipe: Recipe | str = "auto",
        target: Target = None,
        **options: Unpack["PlotOptions"],
    ) -> None:
        whole = isinstance(every_n_epochs, int) and not isinstance(every_n_epochs, bool)
        if not whole or every_n_epochs < 1:
            given = f"every_n_epochs is {every_n_epochs!r}"
            raise InputError(given, "a whole number > 0", "write every_n_epochs=1")
        with needs("plot", "figures of explanations"):
            import matplotlib.figure  # noqa: F401  # before the training
        self.samples, self.every_n_epochs = samples, every_n_epochs
        self.recipe, self.target, self.options = recipe, target, options
        self._explainer: Explainer | None = None

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Explain and draw the samples once; nothing is logged.

        Args:
            trainer: The trainer.
            pl_module: The model.
        """
        if trainer.is_global_zero:
            figure_bytes(self._draw(trainer, pl_module), "png")

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the figure, if it is the turn of this epoch.

        Args:
            trainer: The trainer.
            pl_module: The model.
        """
        folder = trainer.log_dir  # which all processes must ask for
        turn = (trainer.current_epoch + 1) % self.every_n_epochs == 0
        if turn and trainer.is_global_zero:
            _log(trainer, self._draw(trainer, pl_module), Path(folder or trainer.default_root_dir))

    def _draw(self, trainer: Trainer, pl_module: LightningModule) -> "Figure":
        if self._explainer is None or self._explainer.model is not pl_module:
            self._explainer = Explainer(pl_module, self.recipe)
        samples = trainer.strategy.batch_to_device(self.samples)
        samples = trainer.precision_plugin.convert_input(samples)
        with isolate_rng(), in_eval_mode(pl_module):
            explanation = self._explainer(samples, self.target)
        return explanation.plot(slice(None), **self.options)


def _log(trainer: Trainer, figure: "Figure", folder: Path) -> None:
    """Give a figure to each logger, and write it to a file where one cannot take it."""
    step, written = trainer.global_step, not trainer.loggers
    for logger in trainer.loggers:
        experiment: Any = getattr(logger, "experiment", None)
        if hasattr(experiment, "add_figure"):
            experiment.add_figure(NAME, figure, global_step=step, close=False)
        elif hasattr(logger, "log_image"):
            logger.log_image(NAME, [_as_picture(figure)], step=step)
        else:
            written = True
    if written:
        make_folder(folder / NAME)
        file = folder / NAME / f"epoch-{trainer.current_epoch:04}.png"
        write_file(file, figure_bytes(figure, "png"))


def _as_picture(figure: "Figure") -> Any:
    from PIL import Image

    return Image.open(BytesIO(figure_bytes(figure, "png")))
