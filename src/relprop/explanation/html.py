"""An explanation as HTML, for notebooks and as a page; chooses the cards by the kind of input.

Takes an explanation and options. Gives HTML. Loaded on use.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..plot.html import (
    fragment,
    picture_cards,
    series_cards,
    table_cards,
    text_cards,
)
from ..plot.options import read_options
from ..plot.pages import notebook_fragment, write_page
from ..plot.picture_grid import grid_cards
from .drawing import batch_view, channel_names, columns_of, target_names, texts_of, values_of

if TYPE_CHECKING:
    from .result import Explanation


def explanation_html(explanation: "Explanation", samples: Any, options: dict[str, Any]) -> str:
    """Render samples of an explanation as a fragment; see `Explanation.to_html`."""
    style, pictures, naming = read_options({**explanation.naming, **options})
    view = batch_view(explanation, samples, naming, pictures)
    if view.kind == "picture" and explanation.several:
        cards = grid_cards(view, target_names(explanation), style, pictures)
    elif view.kind == "picture":
        cards = picture_cards(view, style, pictures)
    elif view.kind == "series":
        cards = series_cards(view, style, channel_names(view, naming))
    elif view.kind == "text":
        cards = text_cards(view, texts_of(view, naming), style)
    else:
        cards = table_cards(
            *(view, columns_of(view, naming), naming.features, naming.waterfall),
            values_of(view, naming),
        )
    shown = len({sample.index for sample in view.samples})
    return fragment(cards, style, len(explanation.output) - shown)


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
