"""The result of an explanation: a frozen record that can be saved, and shown in a notebook."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..errors import InputError
from ..graph.ir import Head
from ..support.files import as_path
from ..support.margin import probability_margin
from ..support.output_kinds import predicted_classes, probabilities_of

if TYPE_CHECKING:
    from typing import Unpack

    from matplotlib.figure import Figure
    from pandas import DataFrame

    from ..observe.ledger import Ledger
    from ..plot.options import PlotOptions
    from .importance import OverallImportance

    Samples = int | Sequence[int] | slice | Tensor | None


@dataclass(frozen=True, eq=False)
class Explanation:
    """The output of a model for a batch, and its relevance.

    Attributes:
        output: The model's scores, (batch, classes), or of another shape (batch, ...).
        target: The class that was explained, (batch,); (batch, 2) for a contrast pair;
            (batch, targets, ...) for several targets; None for what is no class.
        inputs: The explained inputs by label. They are not copied: reading one after its memory was
            written into raises InputError.
        relevances: Relevance of each explained input by label, of its shape; for token ids one
            value per token; (batch, targets, *features) for several targets.
        layers: Relevance of the outputs of the modules in `layers=`, by name: a tensor, or a tuple
            for a module with several outputs.
        several: Whether several targets were asked for.
        ledgers: The ledger of each target, if asked for.
        score_size: |score| of the target, (batch,) or (batch, targets); the sample's largest
            |score| where that is larger, but for masked classes.
        dropped: Operations, with their modules, at which a path from the input to the output ended:
            a comparison, a cast to integers. What is computed from their results and added on
            counts as constant, and relevance lacks it. Empty for most models.
        head: What the model ends with. `head.kind` says what `output` is: "logits",
            "log-probabilities", "probabilities" of one class of many, "independent probabilities"
            or "other"; `head.explained` says what was explained where it is not the output itself,
            as in 'input of "1" (sigmoid)'; `head.named` what squashes the output and is explained
            with it, since the recipe names it.
        logits: The logits that were explained, shaped like `output`; None where the output was.
        targets: What each target was, as in "predicted", "class 3", "at(-1, 42)".
        naming: Options of `plot` that hold unless others are given: names, where they are known.

    Example:
        >>> import torch, relprop
        >>> model = torch.nn.Linear(2, 2, bias=False).eval()
        >>> _ = model.weight.data.copy_(torch.tensor([[1.0, 2.0], [0.0, 1.0]]))
        >>> explanation = relprop.explain(model, torch.tensor([[3.0, 1.0]]), "zero")
        >>> explanation.prediction.tolist(), explanation.relevance.tolist()
        ([0], [[3.0, 2.0]])
    """

    output: Tensor
    target: Tensor | None
    inputs: Mapping[str, Tensor]
    relevances: Mapping[str, Tensor]
    layers: Mapping[str, Tensor | tuple[Tensor, ...]]
    several: bool
    ledgers: tuple["Ledger", ...]
    score_size: Tensor
    dropped: tuple[str, ...] = ()
    head: Head = field(default_factory=Head)
    logits: Tensor | None = None
    targets: tuple[str, ...] = ()
    naming: Mapping[str, Any] = field(default_factory=dict)

    @property
    def scores(self) -> Tensor:
        """What targets refer to and relevance starts from: the logits, or else the output."""
        return self.output if self.logits is None else self.logits

    @property
    def prediction(self) -> Tensor | None:
        """The class with the largest output, (batch,); None if the output is not by classes.

        Between classes of the same output, as where probabilities have reached 1, the logits
        decide. Of one unit that gives a probability: 1 where that is above 1/2, else 0.
        """
        return predicted_classes(self.output, self.scores, self.probabilities)

    @property
    def probabilities(self) -> Tensor | None:
        """Probabilities, shaped like the output, by what the model ends with.

        The softmax of logits by classes, the exponential of log-probabilities, and an output of
        probabilities itself; None for any other output.
        """
        return probabilities_of(self.output, self.head.kind)

    @property
    def margin(self) -> Tensor | None:
        """(max - second max) / max of the probabilities, (batch,); None if not by classes.

        Of one unit with the probability p, that of p and 1 - p.
        """
        return probability_margin(self.probabilities)

    @property
    def input(self) -> Tensor:
        """The explained input, (batch, *features); the first of several."""
        return next(iter(self.inputs.values()))

    @property
    def relevance(self) -> Tensor:
        """Relevance of `input`, of its shape; (batch, targets, *features) for several targets."""
        return next(iter(self.relevances.values()))

    @property
    def amplification(self) -> Tensor:
        """Sum of |relevance| over the explained inputs divided by `score_size`, of its shape.

        Infinite where the score is 0, as where what speaks for it and against it is equal.
        Beyond 1,000 a warning, once, names the operation that raised it most; another says so where
        it is below a millionth for a whole batch.
        """
        from .amplification import measure_amplification  # loaded on use

        return measure_amplification(self.relevances, self.score_size, self.several)

    @property
    def ledger(self) -> "Ledger | tuple[Ledger, ...]":
        """The ledger of the one target, or those of several. Raises InputError if not asked for."""
        if not self.ledgers:
            given = "a ledger of an explanation that was made without"
            raise InputError(
                given, "an explanation with a ledger", "write explainer(x, ledger=True)"
            )
        return self.ledgers if self.several else self.ledgers[0]

    def save(self, path: str | Path) -> None:
        """Write everything to an .npz file, whole or not at all; `load` and `numpy.load` read it.

        What is by label is named "relevances/label", "layers/module". bfloat16, which numpy lacks,
        becomes float32; `load` gives it back as it was.

        Args:
            path: The file: its name ends in .npz, or has no suffix.

        Raises:
            FileError: It cannot be written.
            InputError: An input was written into since, or the name is that of another format.
        """
        from .saved_explanation import write_explanation  # loaded on use

        write_explanation(as_path(path), self)

    @classmethod
    def load(cls, path: str | Path) -> "Explanation":
        """Return an explanation that `save` wrote, on the CPU. It cannot run code.

        Args:
            path: The file.

        Raises:
            FileError: It is missing or damaged, or `save` did not write it.
        """
        from .saved_explanation import read_explanation

        return read_explanation(as_path(path), cls)

    def plot(self, samples: "Samples" = None, **options: "Unpack[PlotOptions]") -> "Figure":
        """Draw samples: pictures, rows of a table, time series or texts, by the input's shape.

        An input (batch, channels, height, width) is drawn as pictures, (batch, channels, length) as
        time series, token ids as text, and any other as a table. Of several targets each picture
        has a column for each.

        Args:
            samples: Index of a sample, or several: a list, a slice, a tensor of indices; None: the
                first eight.
            **options: Any of these:

                - cmap: Name of a colour map of matplotlib: for relevance of both signs one with a
                  middle, such as "RdBu_r" (the default), "seismic" or "coolwarm".
                - sign: "all", "positive" or "absolute": which relevance is shown.
                - clip: Percentage of the entries, those with the largest |relevance|, that have the
                  fullest colour, so that the others show beside outliers.
                - limits: What full colour stands for: the largest |relevance| of each "sample", of
                  the whole "batch", or a number.
                - class_names: Names of the classes, in their order.
                - panels: Of pictures any of "input", "relevance", "overlay" and "masked".
                - channels: Whether the relevance of a picture's channels is drawn as its "sum", or
                  "apart".
                - bounds: The input's values that are black and white; None: its smallest and
                  largest.
                - feature_names: Names of a table's columns, or of a time series' channels.
                - groups: Name -> columns, by name or index, whose relevance is summed: one-hot
                  columns as the one they stand for.
                - features: How many of a table's columns are drawn; the others are one bar.
                - waterfall: Whether each bar of a table begins where the one before ends.
                - tokens: A Hugging Face tokenizer, or a list of strings for each sample.
                - words: Whether the tokens of each word are joined, their relevance summed.
                - values: Of each sample, name of a table's column -> what is shown for its value.

        Returns:
            A matplotlib Figure: `figure.savefig(path)` writes it.

        Raises:
            InputError: An option is wrong.
            MissingExtraError: matplotlib, of the extra "plot", is not installed.
        """
        from .drawing import draw  # loaded on use

        return draw(self, samples, dict(options))

    def save_images(
        self,
        folder: str | Path,
        samples: "Samples" = None,
        **options: "Unpack[PlotOptions]",
    ) -> list[Path]:
        """Write a PNG image for each panel of pictures, such as "00003-relevance.png".

        Small pictures are enlarged by a whole factor, each entry to a square.

        Args:
            folder: Where to; it is made if it is missing.
            samples: As for `plot`.
            **options: As for `plot`, of pictures.

        Returns:
            The files.

        Raises:
            InputError: The input is no picture, or an option is wrong.
            FileError: A file cannot be written.
        """
        from .drawing import save_images  # loaded on use

        return save_images(self, as_path(folder), samples, dict(options))

    def to_html(
        self,
        path: str | Path,
        samples: "Samples" = None,
        **options: "Unpack[PlotOptions]",
    ) -> None:
        """Write a page that shows samples: one file that loads nothing from elsewhere.

        In a notebook, an explanation shows the same. Tokens have their relevance as hover values.

        Args:
            path: The file, such as "explanation.html".
            samples: As for `plot`.
            **options: As for `plot`.

        Raises:
            InputError: An option is wrong.
            FileError: The file cannot be written.
            MissingExtraError: matplotlib, of the extra "plot", is not installed.
        """
        from .html import write_html  # loaded on use

        write_html(self, as_path(path), samples, dict(options))

    def overall(
        self,
        *,
        feature_names: Sequence[str] | None = None,
        groups: Mapping[str, Sequence[str | int]] | None = None,
    ) -> "OverallImportance":
        """Average relevance over the samples; of several batches by `relprop.overall_importance`.

        Args:
            feature_names: Names of the columns that the model takes; None: their positions.
            groups: Name -> columns, by name or index, whose relevance is summed in each sample.

        Returns:
            Mean |R| and mean R with intervals. Raises InputError as `overall_importance` does.
        """
        from .overall import overall_importance  # loaded on use

        return overall_importance([self], feature_names=feature_names, groups=groups)

    def to_frame(
        self,
        *,
        feature_names: Sequence[str] | None = None,
        groups: Mapping[str, Sequence[str | int]] | None = None,
    ) -> "DataFrame":
        """Return relevance as a pandas DataFrame, with a row for each sample.

        Args:
            feature_names: Names of the columns that the model takes.
            groups: Name -> columns whose relevance is summed to one.

        Raises:
            InputError: There are several targets, or the names do not fit.
            MissingExtraError: pandas, of the extra "explain", is not installed.
        """
        from .frame import relevance_frame  # loaded on use

        return relevance_frame(self, feature_names, groups)

    def _repr_html_(self) -> str:
        from .html import notebook_html

        return notebook_html(self)

    def __repr__(self) -> str:
        shapes = ", ".join("x".join(map(str, t.shape[1:])) for t in self.relevances.values())
        classes = "" if self.prediction is None else f", predicted {self.prediction.tolist()}"
        explained = f", explained: {self.head}" if str(self.head) else ""
        return f"Explanation({len(self.output)} of {shapes}{classes}{explained})"
