"""Maps of several methods or layers of the same pictures, beside one another.

Takes explanations and relevance by name. Gives figures and pages.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import InputError
from ..plot.html import fragment
from ..plot.options import Naming, read_options
from ..plot.pages import notebook_fragment, write_page
from ..plot.picture_grid import grid_cards, map_grid_figure
from ..plot.pictures import PictureStyle
from ..plot.style import MapStyle
from ..plot.view import BatchView, SampleView
from .drawing import batch_view
from .result import Explanation

if TYPE_CHECKING:
    from typing import Unpack

    from matplotlib.figure import Figure

    from ..plot.options import PlotOptions
    from .result import Samples

_SHAPES = "(batch, channels, height, width), or (batch, height, width) as of the pictures"


@dataclass(frozen=True, eq=False, repr=False)
class MapGrid:
    """Relevance maps of the same pictures beside one another: by several methods, at layers.

    Channels are summed. A map that is smaller than the picture, as of a layer, is drawn at its
    size: each entry as a rectangle.

    Args:
        maps: Name -> an `Explanation`, or relevance (batch, channels, height, width) of any source,
            such as `e.layers`. One at least is an explanation, which has the pictures.

    Attributes:
        maps: The maps by name, in the order of their columns.

    Raises:
        InputError: The maps are not of the same pictures, or are no pictures.

    Example:
        >>> import torch, relprop
        >>> net = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 3), torch.nn.Flatten())
        >>> net.append(torch.nn.Linear(144, 3)).eval()
        Sequential(...)
        >>> x = torch.rand(2, 1, 8, 8)
        >>> explainer = relprop.Explainer(net, "epsilon")
        >>> e, gamma = explainer(x, layers=["0"]), explainer.with_recipe("gamma")(x)
        >>> figure = relprop.MapGrid({"epsilon": e, "gamma": gamma}).plot(0)
        >>> figure = relprop.MapGrid({"input": e, **e.layers}).plot(0, class_names=["a", "b", "c"])
        >>> [axes.get_title() for axes in figure.axes[:3]]
        ['input', 'input', '0']
    """

    maps: Mapping[str, Explanation | Tensor | tuple[Tensor, ...]]

    def __post_init__(self) -> None:
        if not isinstance(self.maps, Mapping) or not self.maps:
            given = f"maps of type {type(self.maps).__name__}" if self.maps else "no maps"
            todo = 'write relprop.MapGrid({"epsilon": e1, "gamma": e2})'
            raise InputError(given, "a mapping from names to explanations or relevance", todo)
        for name, one in self._listed():
            _check(name, one, self._first)

    def plot(self, samples: "Samples" = None, **options: "Unpack[PlotOptions]") -> "Figure":
        """Draw a row for each sample, and a column for each map.

        Args:
            samples: As for `Explanation.plot`.
            **options: As for `Explanation.plot`, of pictures. limits="sample" gives each map its
                own limit, which is below it; "batch" gives all maps one.

        Returns:
            A matplotlib Figure: `figure.savefig(path)` writes it.

        Raises:
            InputError: An option is wrong.
            MissingExtraError: matplotlib, of the extra "plot", is not installed.
        """
        style, pictures, naming = _read(options)
        view, names = self._view(samples, naming, pictures)
        return map_grid_figure(view, names, style, pictures)

    def to_html(
        self, path: str | Path, samples: "Samples" = None, **options: "Unpack[PlotOptions]"
    ) -> None:
        """Write a page with the maps of each sample: one file that loads nothing from elsewhere.

        Args:
            path: The file.
            samples: As for `Explanation.plot`.
            **options: As for `plot`.

        Raises:
            InputError: An option is wrong, or the file's name is that of another format.
            FileError: The file cannot be written.
            MissingExtraError: matplotlib, of the extra "plot", is not installed.
        """
        write_page(
            path, "Relevance maps", lambda: self._fragment(samples, dict(options)), "grid.to_html"
        )

    def _repr_html_(self) -> str:
        return notebook_fragment(lambda: self._fragment(None, {}), repr(self))

    def __repr__(self) -> str:
        return f"MapGrid({len(self._first.output)} pictures: {', '.join(map(str, self.maps))})"

    @property
    def _first(self) -> Explanation:
        """The explanation whose pictures are shown."""
        for one in self.maps.values():
            if isinstance(one, Explanation):
                return one
        given = "relevance alone, without the pictures that it is of"
        raise InputError(given, "an explanation among the maps", 'write {"input": e, **e.layers}')

    def _listed(self) -> Iterator[tuple[str, Explanation | Tensor]]:
        """Yield names and maps; of a module with several outputs each."""
        for name, one in self.maps.items():
            if isinstance(one, tuple):
                yield from ((f"{name}, output {i}", part) for i, part in enumerate(one))
            else:
                yield str(name), one

    def _fragment(self, samples: Any, options: dict[str, Any]) -> str:
        style, pictures, naming = _read(options)
        view, names = self._view(samples, naming, pictures)
        cards = grid_cards(view, names, style, pictures)
        shown = len({sample.index for sample in view.samples})
        return fragment(cards, style, len(self._first.output) - shown)

    def _view(
        self, samples: Any, naming: Naming, pictures: PictureStyle
    ) -> tuple[BatchView, list[str]]:
        shown = batch_view(self._first, samples, naming, pictures)
        size = self._first.input.shape[-2:]
        columns, whole = [], []
        for _, one in self._listed():
            if isinstance(one, Explanation):
                part = batch_view(one, samples, naming, pictures)
                columns.append(list(part.samples))
                whole.append(part.relevances.flatten())
            else:
                summed = _summed(one)
                columns.append([_resized(sample, summed, size) for sample in shown.samples])
                whole.append(summed.flatten())
        views = [one for row in zip(*columns, strict=True) for one in row]
        names = [name for name, _ in self._listed()]
        return BatchView("picture", views, torch.cat(whole), naming.class_names), names


def _read(options: Mapping[str, Any]) -> tuple[MapStyle, PictureStyle, Naming]:
    style, pictures, naming = read_options(options)
    if naming.tokens is not None:
        given = "tokens for a grid of pictures"
        raise InputError(given, "tokens for texts alone", "leave tokens out")
    if pictures.channels != "sum":
        given = 'channels="apart" of a grid'
        raise InputError(given, "channels that are summed", 'write e.plot(channels="apart")')
    return style, pictures, naming


def _summed(relevance: Tensor) -> Tensor:
    """Return relevance (batch, height, width), summed over channels."""
    values = relevance.detach().cpu().double()
    return values.sum(1) if values.ndim == 4 else values


def _resized(sample: SampleView, summed: Tensor, size: torch.Size) -> SampleView:
    """Return the view of a sample with its relevance at the size of the picture."""
    relevance = summed[sample.index][None, None]
    larger = any(a > b for a, b in zip(relevance.shape[-2:], size, strict=True))
    mode = "area" if larger else "nearest-exact"  # of which the first drops nothing
    resized = F.interpolate(relevance, size=tuple(size), mode=mode)[0]
    return replace(sample, relevance=resized, explained="")


def _check(name: str, one: object, first: Explanation) -> None:
    """Refuse what is no map of the same pictures."""
    count, size = len(first.output), tuple(first.input.shape[-2:])
    if first.input.ndim != 4 or not first.input.is_floating_point():
        given = f"explanations of inputs of shape {tuple(first.input.shape)}"
        raise InputError(given, "pictures, (batch, channels, height, width)", "write e.plot()")
    if isinstance(one, Explanation):
        if one.several:
            given = f'"{name}", an explanation of several targets'
            todo = "write e.plot(), which draws a column for each target"
            raise InputError(given, "one target", todo)
        if one.input.shape != first.input.shape or not one.input.equal(first.input):
            given = f'"{name}", an explanation of other pictures than the first'
            raise InputError(given, "the same pictures in all", "explain the same batch")
        return
    if not isinstance(one, Tensor):
        given = f'"{name}" of type {type(one).__name__}'
        raise InputError(given, "an Explanation or a tensor", "write torch.as_tensor(relevance)")
    shape = tuple(one.shape)
    if one.ndim != 4 and not (one.ndim == 3 and shape[1:] == size):
        raise InputError(f'"{name}" of shape {shape}', _SHAPES, "leave it out")
    if len(one) != count:
        given = f'"{name}" of {len(one)} samples beside an explanation of {count}'
        raise InputError(given, f"{count} samples", "compute it on the same batch")
