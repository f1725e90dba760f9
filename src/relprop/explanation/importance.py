"""The result of averaging relevance over many samples: a frozen record, printed as a table.

Takes ranked features. Gives text, figures, pages, frames and files. Must not know explanations.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ..errors import InputError
from ..plot.importance import FeatureImportance, SampleRelevance, check_features
from ..support.arguments import suggest
from ..support.estimates import Estimate
from ..support.extras import needs
from ..support.files import write_csv
from ..support.number_text import number_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

Drawing = Literal["bars", "beeswarm"]
DRAWINGS: tuple[Drawing, ...] = ("bars", "beeswarm")
IMPORTANCE_COLUMNS = (
    *("feature", "mean_absolute", "mean_absolute_low", "mean_absolute_high"),
    *("mean", "mean_low", "mean_high", "n"),
)


@dataclass(frozen=True, eq=False, repr=False)
class OverallImportance:
    """How much each feature counts over a data set. Print it to read it.

    Attributes:
        features: The features, by mean |R|, the largest first: `name`, `mean_absolute` (mean |R|)
            and `mean` (mean R), each with its `mean` and its 95 % interval of the percentile
            bootstrap over samples, `interval.low` to `interval.high`; None for one sample.
        samples: `relevance` and `values` of each sample, (n, features), in the order of `features`.
        n: Number of samples.
        explained: What was explained, in words.
    """

    features: tuple[FeatureImportance, ...]
    samples: SampleRelevance
    n: int
    explained: str

    def plot(self, kind: Drawing = "bars", *, features: int = 12) -> "Figure":
        """Draw the features of the largest mean |R|.

        Args:
            kind: "bars", mean |R| and mean R with intervals; or "beeswarm", a dot for each sample
                at its relevance, coloured by what the feature was. One-hot columns that were summed
                have no one value: their dots are grey.
            features: How many of them.

        Returns:
            A matplotlib Figure: `figure.savefig(path)` writes it.

        Raises:
            InputError: An argument is wrong.
            MissingExtraError: matplotlib, of the extra "plot", is not installed.
        """
        if kind not in DRAWINGS:
            todo = suggest(kind, DRAWINGS, otherwise='write kind="beeswarm"')
            raise InputError(f"kind is {kind!r}", '"bars" or "beeswarm"', todo)
        check_features(features)
        from ..plot.importance_figure import bar_figure, swarm_figure  # loaded on use

        shown, all_features = self.features[:features], len(self.features)
        count = f"{len(shown)} of {all_features} features" if len(shown) < all_features else ""
        title = "; ".join(filter(None, [self._samples_text, count]))
        if kind == "bars":
            return bar_figure(shown, title)
        return swarm_figure(shown, self.samples, title)

    def to_frame(self) -> "DataFrame":
        """Return a pandas DataFrame with a row for each feature, and the columns of `to_csv`.

        Raises:
            MissingExtraError: pandas, of the extra "explain", is not installed.
        """
        with needs("explain", "data frames"):
            from pandas import DataFrame
        return DataFrame(self.rows(), columns=list(IMPORTANCE_COLUMNS))

    def to_csv(self, path: str | Path) -> None:
        """Write a row for each feature: its name, both means, the ends of their intervals, and n.

        Args:
            path: The file, such as "importance.csv". Intervals of one sample are empty.

        Raises:
            FileError: It cannot be written.
            InputError: Its name is that of another format.
        """
        write_csv(path, [IMPORTANCE_COLUMNS, *self.rows()], "importance.to_csv")

    def to_html(self, path: str | Path) -> None:
        """Write a page with the table: one file that loads nothing from elsewhere.

        Args:
            path: The file, such as "importance.html".

        Raises:
            FileError: It cannot be written.
            InputError: Its name is that of another format.
        """
        from ..plot.pages import write_page  # loaded on use

        write_page(path, "Overall importance", self._repr_html_, "importance.to_html")

    def _repr_html_(self) -> str:
        from ..plot.importance_page import importance_fragment

        return importance_fragment(self.features, self._summary)

    def __repr__(self) -> str:
        head = ("feature", "mean |R|", "95 % interval", "mean R", "95 % interval")
        cells = [
            (f.name, *_texts(f.mean_absolute), *_texts(f.mean, sign="+")) for f in self.features
        ]
        rows = [head, *cells]
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = [
            "  ".join(c.rjust(w) if i else c.ljust(w) for i, (c, w) in enumerate(pairs)).rstrip()
            for pairs in (list(zip(row, widths, strict=True)) for row in rows)
        ]
        return "\n".join([self._summary, *lines])

    @property
    def _samples_text(self) -> str:
        return f"{self.n:,} sample{'' if self.n == 1 else 's'}, explained: {self.explained}"

    @property
    def _summary(self) -> str:
        intervals = "; 95 % bootstrap intervals" if self.n > 1 else ""
        return f"Means over {self._samples_text}{intervals}"

    def rows(self) -> list[list[Any]]:
        """List the rows of `to_csv`, without their head."""
        return [
            [f.name, *_numbers(f.mean_absolute), *_numbers(f.mean), self.n] for f in self.features
        ]


def _numbers(estimate: Estimate) -> Sequence[float | None]:
    end = estimate.interval
    return estimate.mean, end.low if end else None, end.high if end else None


def _texts(estimate: Estimate, sign: Literal["", "+"] = "") -> tuple[str, str]:
    end, text = estimate.interval, partial(number_text, sign=sign)
    interval = f"{text(end.low)} to {text(end.high)}" if end else ""
    return text(estimate.mean), interval
