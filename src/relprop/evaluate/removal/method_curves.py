"""The curves of one method, and those of several on the same samples, with how they are shown.

Takes removal curves. Gives records, figures, pages and files.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ...errors import InputError
from ...support.files import write_csv
from .measures import srg
from .removal_curve import CSV_COLUMNS, RemovalCurve

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class MethodCurves:
    """The three curves of one method.

    Attributes:
        morf: Most relevant units removed first.
        lerf: Least relevant units removed first.
        random: Units removed in random order, the same for all methods of a call.
    """

    morf: RemovalCurve
    lerf: RemovalCurve
    random: RemovalCurve

    @property
    def srg(self) -> Tensor:
        """Symmetric relevance gain of each sample, (n,): the area of `lerf` minus `morf`."""
        return srg(self.morf, self.lerf)

    def plot(self) -> "Figure":
        """Draw the three mean curves with their 95 % intervals.

        Returns:
            A matplotlib Figure, as of `RemovalCurve.plot`.
        """
        return plot_curves({"": self})

    def to_csv(self, path: str | Path) -> None:
        """Write a row for each order, sample and step: `order`, and what `RemovalCurve.to_csv` has.

        Args:
            path: The file.

        Raises:
            FileError: It cannot be written.
            InputError: Its name is that of another format.
        """
        write_csv(path, [("order", *CSV_COLUMNS), *self.rows()], "curves.to_csv")

    def to_html(self, path: str | Path) -> None:
        """Write a page with the figure, the areas and the mean of every step.

        Args:
            path: The file. The page loads nothing from elsewhere.

        Raises:
            FileError: It cannot be written.
            InputError: Its name is that of another format.
            MissingExtraError: matplotlib, of the extra "plot", is not installed.
        """
        _write({"": self}, path)

    def rows(self) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of `to_csv`."""
        for curve in (self.morf, self.lerf, self.random):
            yield from ((curve.order, *row) for row in curve.rows())

    def _repr_html_(self) -> str:
        return _notebook({"": self}, repr(self))


@dataclass(frozen=True, repr=False)
class RemovalCurves(Mapping[str, MethodCurves]):
    """The curves of several methods on the same samples: a mapping from their names.

    Attributes:
        by_method: Name of a method -> its curves.
    """

    by_method: Mapping[str, MethodCurves]

    def __getitem__(self, method: str) -> MethodCurves:
        return self.by_method[method]

    def __iter__(self) -> Iterator[str]:
        return iter(self.by_method)

    def __len__(self) -> int:
        return len(self.by_method)

    def plot(self) -> "Figure":
        """Draw the curves of each method in a panel of its own.

        Returns:
            A matplotlib Figure, as of `plot_curves`.
        """
        return plot_curves(self)

    def to_csv(self, path: str | Path) -> None:
        """Write a row for each method, order, sample and step.

        Args:
            path: The file. Its columns are `method`, and those of `MethodCurves.to_csv`.

        Raises:
            FileError: It cannot be written.
            InputError: Its name is that of another format.
        """
        rows = ((name, *row) for name, curves in self.items() for row in curves.rows())
        write_csv(path, [("method", "order", *CSV_COLUMNS), *rows], "curves.to_csv")

    def to_html(self, path: str | Path) -> None:
        """Write a page with the figure, the areas and the mean of every step; see `MethodCurves`.

        Args:
            path: The file.

        Raises:
            FileError: It cannot be written.
            InputError: Its name is that of another format.
            MissingExtraError: matplotlib, of the extra "plot", is not installed.
        """
        _write(self, path)

    def _repr_html_(self) -> str:
        return _notebook(self, repr(self))

    def __repr__(self) -> str:
        """Show the mean areas, because the curves would fill pages."""
        gains = (f"{name}: SRG {float(c.srg.double().mean()):.3f}" for name, c in self.items())
        return f"<RemovalCurves {'; '.join(gains)}>"


def plot_curves(curves: Mapping[str, MethodCurves]) -> "Figure":
    """Draw the curves of several methods, as `removal_curves` returns them, a panel for each.

    Args:
        curves: Name of a method -> its curves.

    Returns:
        A matplotlib Figure: `figure.savefig(path)` writes it. Shaded are 95 % bootstrap intervals.

    Raises:
        InputError: There are no curves.
        MissingExtraError: matplotlib, of the extra "plot", is not installed.

    Example:
        >>> import torch
        >>> from relprop.evaluate import plot_curves, removal_curves
        >>> x = torch.rand(8, 6)
        >>> model = torch.nn.Linear(6, 3).eval()
        >>> curves = removal_curves(model, x, {"x": x, "noise": torch.rand(8, 6)}, steps=3)
        >>> [axes.get_title(loc="left") for axes in plot_curves(curves).axes]
        ['x', 'noise']
    """
    from .curve_figure import draw_curves  # loaded on use

    _check_curves(curves)
    return draw_curves(curve_panels(curves))


def curve_panels(curves: Mapping[str, MethodCurves]) -> dict[str, list[RemovalCurve]]:
    """List the three curves of each method, in the order in which they are shown."""
    return {name: [c.morf, c.lerf, c.random] for name, c in curves.items()}


def _fragment(curves: Mapping[str, MethodCurves]) -> str:
    from .curve_page import curves_fragment  # loaded on use

    return curves_fragment(curve_panels(curves))


def _notebook(curves: Mapping[str, MethodCurves], text: str) -> str:
    from ...plot.pages import notebook_fragment  # loaded on use

    return notebook_fragment(lambda: _fragment(curves), text)


def _write(curves: Mapping[str, MethodCurves], path: str | Path) -> None:
    from ...plot.pages import write_page  # loaded on use

    write_page(path, "Removal curves", lambda: _fragment(curves), "curves.to_html")


def _check_curves(curves: object) -> None:
    """Raise InputError unless they are a mapping from names to curves, as they are plotted."""
    given, todo = f"curves of type {type(curves).__name__}", "write plot_curves({'lrp': curves})"
    if isinstance(curves, Mapping):
        wrong = [c for c in curves.values() if not isinstance(c, MethodCurves)]
        if curves and not wrong:
            return
        given, todo = "no curves", "name a method at least"
        if wrong:
            given, todo = f"a curve of type {type(wrong[0]).__name__}", "write curve.plot()"
    elif isinstance(curves, RemovalCurve):
        todo = "write curve.plot()"
    elif isinstance(curves, (list, tuple)):
        todo = "name each: plot_curves(dict(enumerate(curves)))"
    raise InputError(given, "what removal_curves returns: a mapping from names", todo)
