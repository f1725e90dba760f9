"""An explanation as HTML, for notebooks and as a page; chooses the cards by the kind of input.

Takes an explanation and options. Gives HTML. Loaded on use.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..plot.colours import Colours
from ..plot.html import (
    Card,
    fragment,
    picture_cards,
    series_cards,
    table_cards,
    text_cards,
)
from ..plot.options import Naming, read_options
from ..plot.pages import notebook_fragment, write_page
from ..plot.picture_grid import grid_cards
from ..plot.pictures import PictureStyle
from ..plot.style import MapStyle
from ..plot.view import BatchView
from .drawing import batch_view, channel_names, columns_of, target_names, texts_of, values_of

if TYPE_CHECKING:
    from .result import Explanation


def explanation_html(explanation: "Explanation", samples: Any, options: dict[str, Any]) -> str:
    """Render samples of an explanation as a fragment; see `Explanation.to_html`."""
    style, pictures, naming = read_options({**explanation.naming, **options})
    view = batch_view(explanation, samples, naming, pictures)
    shown = len({sample.index for sample in view.samples})
    if view.kind == "picture" and explanation.several:
        cards = grid_cards(view, target_names(explanation), style, pictures)
    else:
        cards = _cards(view, style, pictures, naming)
    return fragment(cards, style, len(explanation.output) - shown)


def explanation_cards(
    explanation: "Explanation",
    options: dict[str, Any],
    encode: Callable[[Colours], str] | None = None,
) -> list[Card]:
    """Show each sample of an explanation of one target, for a page that adds more to the cards.

    Args:
        explanation: The explanation.
        options: As of `Explanation.plot`.
        encode: Makes the URL of an image; None: as PNG.
    """
    style, pictures, naming = read_options({**explanation.naming, **options})
    every = range(len(explanation.output))
    return _cards(batch_view(explanation, every, naming, pictures), style, pictures, naming, encode)


def _cards(
    view: BatchView,
    style: MapStyle,
    pictures: PictureStyle,
    naming: Naming,
    encode: Callable[[Colours], str] | None = None,
) -> list[Card]:
    if view.kind == "picture":
        return picture_cards(view, style, pictures, encode)
    if view.kind == "series":
        return series_cards(view, style, channel_names(view, naming))
    if view.kind == "text":
        return text_cards(view, texts_of(view, naming), style)
    return table_cards(
        *(view, columns_of(view, naming), naming.features, naming.waterfall),
        values_of(view, naming),
    )


def notebook_html(explanation: "Explanation") -> str:
    """Render the first samples for a notebook; as text where they cannot be drawn."""
    return notebook_fragment(lambda: explanation_html(explanation, None, {}), repr(explanation))


def write_html(
    explanation: "Explanation", path: Path, samples: Any, options: dict[str, Any]
) -> None:
    """Write samples of an explanation as a page; see `Explanation.to_html`."""
    count = len(explanation.output)
    title = f"Explanation of {count:,} sample{'' if count == 1 else 's'}"
    write_page(
        *(path, title),
        lambda: explanation_html(explanation, samples, options),
        "explanation.to_html",
    )
