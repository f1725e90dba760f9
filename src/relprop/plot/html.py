"""An explanation as HTML: for notebooks, and as a page of its own.

Takes the view of a batch. Gives HTML that loads nothing from elsewhere: styles inline, images as
data. It follows the page around it, dark or light. Must not know explanations or files.
"""

from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..support.figures import figure_bytes
from .colours import Colours, ink_on, png, relevance_colours
from .pictures import PictureStyle, picture_panels
from .series_figure import series_figure
from .signed_bars import SignedBar, feature_bars, on_one_scale
from .style import MapStyle, limits_of
from .tables import Columns
from .texts import Token
from .view import BatchView, SampleView, caption, largest_outputs, output_text

if TYPE_CHECKING:
    from jinja2 import Environment

CLASSES = 5  # the largest of the output, listed of each sample
QUALITY = 75  # of WebP images: 38 kB for the three of a photograph of 224 x 224
SCALE_COLOURS = 32  # colours that the scale below a map is drawn of


@dataclass(frozen=True)
class Image:
    """A picture with its words.

    Attributes:
        url: The image, as data.
        caption: What it shows.
        alt: What it shows, for readers who cannot see it.
        pixelated: Whether it is enlarged to squares, as small pictures are.
    """

    url: str
    caption: str
    alt: str
    pixelated: bool = False


@dataclass(frozen=True)
class Word:
    """A token on the colour of its relevance."""

    text: str
    value: str
    ground: str
    ink: str
    special: bool


@dataclass(frozen=True)
class Card:
    """What is shown of a sample; of the kinds of contents, one is filled.

    Attributes:
        title: The largest entry of the output.
        explained: What was explained; "" where each image says it.
        outputs: Bars of the largest entries of the output.
        scale: The relevance of the ends of the colours, as text; None without colours.
        images, words, bars: The contents.
        name: What the sample is called; "" for its place alone.
        note: More about it.
        evidence: The strongest evidence, in words.
        data: What a page sorts and filters cards by.
    """

    title: str
    explained: str
    outputs: Sequence[SignedBar]
    scale: tuple[str, str] | None = None
    images: Sequence[Image] = ()
    words: Sequence[Word] = ()
    bars: Sequence[SignedBar] = ()
    name: str = ""
    note: str = ""
    evidence: Sequence[str] = ()
    data: Mapping[str, str] = field(default_factory=dict)


def picture_cards(
    view: BatchView,
    style: MapStyle,
    pictures: PictureStyle,
    encode: Callable[[Colours], str] | None = None,
) -> list[Card]:
    """Show the panels of each picture.

    Args:
        view: The pictures.
        style: How relevance is coloured.
        pictures: Which panels.
        encode: Makes the URL of an image; None: as PNG.
    """
    encode = encode or png_url
    cards = []
    for sample, limit in zip(view.samples, view.limits(style), strict=True):
        images = [
            Image(
                encode(panel.colours),
                panel.title,
                f"{panel.title} of sample {sample.index}"
                + ("" if panel.limit is None else f", {_extremes(sample)}"),
                is_small(panel.colours),
            )
            for panel in picture_panels(sample, limit, style, pictures)
        ]
        cards.append(_card(view, sample, scale=scale_ends(limit, style), images=images))
    return cards


def text_cards(view: BatchView, texts: Sequence[Sequence[Token]], style: MapStyle) -> list[Card]:
    """Show the tokens of each text on the colours of their relevance."""
    values = [torch.tensor([token.relevance for token in tokens]) for tokens in texts]
    limits = limits_of(values, torch.cat(values), style)
    cards = []
    for sample, tokens, relevance, limit in zip(view.samples, texts, values, limits, strict=True):
        colours = relevance_colours(relevance[None], limit, style)[0, :, :3]
        words = [_word(token, colour) for token, colour in zip(tokens, colours, strict=True)]
        cards.append(_card(view, sample, scale=scale_ends(limit, style), words=words))
    return cards


def table_cards(
    view: BatchView,
    columns: Columns,
    count: int,
    waterfall: bool,
    values: Sequence[Mapping[str, str]] = (),
) -> list[Card]:
    """Show the features of each sample as signed bars, all on one scale; see `table_figure`.

    Args:
        view: The samples.
        columns: What their entries are called.
        count: How many features of each; the others are one bar.
        waterfall: Whether each bar begins where the one before ends.
        values: Of each sample, name of a feature -> what is shown in place of the input's number.
    """
    known = values or [{}] * len(view.samples)
    listed = [
        feature_bars(columns.largest(one.input, one.relevance, count, shown), waterfall)
        for one, shown in zip(view.samples, known, strict=True)
    ]
    scaled = on_one_scale(listed)
    return [
        _card(view, sample, bars=bars) for sample, bars in zip(view.samples, scaled, strict=True)
    ]


def series_cards(view: BatchView, style: MapStyle, names: list[str]) -> list[Card]:
    """Show the lines of each time series on the colours of their relevance."""
    cards = []
    for sample, limit in zip(view.samples, view.limits(style), strict=True):
        alone = BatchView(view.kind, [sample], view.relevances, view.class_names)
        drawn = figure_bytes(series_figure(alone, style, names), "png")
        alt = f"time series of sample {sample.index}, {_extremes(sample)}"
        image = Image(_data_url(drawn), "", alt)
        cards.append(_card(view, sample, scale=scale_ends(limit, style), images=[image]))
    return cards


def fragment(cards: Sequence[Card], style: MapStyle, more: int) -> str:
    """Render cards for a notebook.

    Args:
        cards: What is shown of each sample.
        style: How relevance is coloured.
        more: How many samples are not shown.
    """
    return render("explanation.html", cards=cards, more=more, ramp=_ramp(style))


def png_url(colours: Colours) -> str:
    """Encode colours as the URL of a PNG image."""
    return _data_url(png(colours))


def small_image_url(colours: Colours) -> str:
    """Encode an image as the URL of a WebP; small ones as PNG, whose pixels stay apart."""
    from PIL import Image as Picture

    buffer = BytesIO()
    image = Picture.fromarray(colours[..., :3].copy())
    if is_small(colours):
        image.save(buffer, "PNG", optimize=True)
        return _data_url(buffer.getvalue())
    image.save(buffer, "WEBP", quality=QUALITY)
    return _data_url(buffer.getvalue(), "webp")


def _data_url(content: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{b64encode(content).decode()}"


def _card(
    view: BatchView,
    sample: SampleView,
    *,
    scale: tuple[str, str] | None = None,
    images: Sequence[Image] = (),
    words: Sequence[Word] = (),
    bars: Sequence[SignedBar] = (),
) -> Card:
    outputs = output_bars(view, sample)
    return Card(caption(view, sample), sample.explained, outputs, scale, images, words, bars)


def output_bars(view: BatchView, sample: SampleView) -> list[SignedBar]:
    """Show the largest entries of the output as bars."""
    return [
        SignedBar(
            view.class_name(k),
            output_text(sample, value),
            0.0,
            100 * value if sample.are_probabilities else 0.0,
            True,
        )
        for k, value in largest_outputs(sample, CLASSES)
    ]


def _word(token: Token, colour: Colours) -> Word:
    red, green, blue = (int(part) for part in colour)
    ground, ink = f"#{red:02x}{green:02x}{blue:02x}", ink_on(red, green, blue)
    return Word(token.text, f"{token.relevance:+.3g}", ground, ink, token.special)


def scale_ends(limit: float | None, style: MapStyle) -> tuple[str, str]:
    """Write the relevance at the ends of the colours; None: the limit of each map."""
    if limit is None:
        return "-limit" if style.sign == "all" else "0", "limit of each map"
    return f"{-limit if style.sign == 'all' else 0:.2g}", f"{limit:.2g} relevance"


def is_small(colours: Colours) -> bool:
    """Tell whether an image is enlarged to squares."""
    return bool(colours.shape[1] < 128)


def _extremes(sample: SampleView) -> str:
    """Say between which numbers the relevance of a sample lies, and what it was explained for."""
    lowest, highest = _range(sample.relevance)
    return f"relevance from {lowest:+.2g} to {highest:+.2g}, explained: {sample.explained}"


def _range(relevance: Tensor) -> tuple[float, float]:
    return float(relevance.min()), float(relevance.max())


def _ramp(style: MapStyle) -> list[str]:
    """List the colours of the scale, from its left end to its right one."""
    start = -1.0 if style.sign == "all" else 0.0
    colours = relevance_colours(torch.linspace(start, 1, SCALE_COLOURS)[None], 1.0, style)[0, :, :3]
    return ["#" + "".join(f"{part:02x}" for part in colour) for colour in colours.tolist()]


def render(template: str, **values: object) -> str:
    """Render one of the templates beside this module."""
    return environment("relprop.plot").get_template(template).render(values)


def environment(package: str) -> "Environment":
    """Return the templates of a package's folder; what they write is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader(package),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
