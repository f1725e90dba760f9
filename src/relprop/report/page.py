"""The page of a report: one HTML file that loads nothing from elsewhere.

Takes a Report. Gives HTML. Images are WebP, so that 200 samples stay below 10 MB.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import torch

from ..evaluate import Estimate, MethodCurves, bootstrap_mean, paired_test, plot_curves
from ..evaluate.removal.curve_page import curves_alt
from ..evaluate.removal.method_curves import curve_panels
from ..plot.charts import ThemedChart, draw_chart
from ..plot.colours import Colours, overlay_colours
from ..plot.evidence import outlined, strongest_regions
from ..plot.html import (
    Card,
    Image,
    environment,
    fragment,
    picture_cards,
    series_cards,
    small_image_url,
    table_cards,
    text_cards,
)
from ..plot.pictures import PictureStyle, input_picture, summed
from ..plot.style import MapStyle
from ..plot.tables import Columns
from ..plot.texts import Token, marked_token
from ..plot.view import BatchView
from .curves import LRP
from .records import ExplainedSample, Report
from .settings import command_line

SHOWN = 200  # samples at most, the first ones
STYLE = MapStyle(clip=1.0)
PICTURES = PictureStyle(panels=("input", "relevance"), bounds=(0.0, 1.0))
LEAST_OVERLAY = 224  # pixels that an overlay with outlines is wide at least


@dataclass(frozen=True)
class MethodRow:
    """How much removal by one order tells, under one fill.

    Attributes:
        fill: What stands for removed values.
        method: The order.
        srg: Symmetric relevance gain.
        p: p-value of the difference to LRP; None for LRP itself.
    """

    fill: str
    method: str
    srg: Estimate
    p: float | None


def render_report(report: Report, out: Path) -> str:
    """Render the page as HTML text; `out` is the folder that the command names."""
    shown = report.samples[:SHOWN]
    cards = [
        replace(card, name=sample.name, note=_note(sample), data=_data(sample, place))
        for place, (card, sample) in enumerate(zip(_cards(report, shown), shown, strict=True))
    ]
    template = environment("relprop.report").get_template("report.html")
    return template.render(
        report=report,
        gallery=fragment(cards, STYLE, len(report.samples) - len(shown)),
        charts=[_chart(by_method) for by_method in report.curves.values()],
        rows=_method_rows(report),
        importance="" if report.importance is None else report.importance._repr_html_(),
        command=command_line(report.settings, out),
        has_labels=report.labelled > 0,
        classes=sorted({s.predicted for s in shown if s.predicted is not None}),
    )


def _cards(report: Report, samples: Sequence[ExplainedSample]) -> list[Card]:
    """Show samples as notebooks do."""
    views = [sample.view for sample in samples]
    if report.kind == "picture":  # limits are those of what is drawn
        views = [replace(one, relevance=summed(one.relevance, PICTURES)) for one in views]
    view = BatchView(report.kind, views, torch.empty(0), _output_names(report))
    if report.kind == "picture":
        cards = picture_cards(view, STYLE, PICTURES, encode=small_image_url)
        return [_with_evidence(card, one) for card, one in zip(cards, samples, strict=True)]
    if report.kind == "series":
        channels = range(len(views[0].input))
        named = list(report.columns.names or [f"channel {i}" for i in channels])
        return series_cards(view, STYLE, named)
    if report.kind == "text":
        return text_cards(view, [_tokens(sample) for sample in samples], STYLE)
    columns = Columns.of(views[0].input.shape, report.columns.names, report.columns.groups)
    return table_cards(view, columns, 10, False, [sample.values for sample in samples])


def _with_evidence(card: Card, sample: ExplainedSample) -> Card:
    """Add the overlay of a picture with its strongest evidence outlined, and named."""
    regions = strongest_regions(sample.view.relevance.sum(0))
    words = [str(region) for region in regions]
    image = Image(
        small_image_url(outlined(overlay_of(sample), regions, LEAST_OVERLAY)),
        "overlay; strongest for outlined solid, against dashed",
        f"overlay of {sample.name}, outlined: {'; '.join(words) or 'nothing'}",
    )
    return replace(card, images=[*card.images, image], evidence=words)


def overlay_of(sample: ExplainedSample) -> Colours:
    """Lay the relevance of a picture over it."""
    relevance = sample.view.relevance.sum(0)
    picture = input_picture(sample.view.input, PICTURES.bounds)
    return overlay_colours(picture, relevance, STYLE.limit_of(relevance), STYLE)


def _output_names(report: Report) -> tuple[str, ...]:
    """Name the entries of the output, where they are classes, or a value with a name."""
    output = report.samples[0].view.output
    if report.value_name and len(output) == 1:
        return (report.value_name,)
    return tuple(report.class_names) if len(output) == len(report.class_names) else ()


def _tokens(sample: ExplainedSample) -> list[Token]:
    values = sample.view.relevance.double().tolist()
    names = sample.tokens or [(str(i), False) for i in sample.view.input.tolist()]
    tokens: list[Token] = []
    for ((text, special), value), group in groupby(zip(names, values, strict=True)):
        count = len(list(group))
        if special and value == 0 and count > 1:  # padding, once
            tokens.append(marked_token(f"{text} x {count}", value, special))
        else:
            tokens += [marked_token(text, value, special)] * count
    return tokens


def _note(sample: ExplainedSample) -> str:
    """Say whether the prediction is right, and how certain; of a value, what it is in the data."""
    parts = []
    if sample.value is not None and sample.label is not None:
        parts.append(f"label {sample.label}")
    if sample.is_wrong is not None:
        parts.append(f"wrong: label {sample.label}" if sample.is_wrong else "right")
    if sample.margin is not None:
        parts.append(f"margin {sample.margin:.2f}")
    return "; ".join(parts)


def _data(sample: ExplainedSample, place: int) -> dict[str, str]:
    """Give a card what the page sorts and filters by."""
    verdict = {True: "wrong", False: "right", None: ""}[sample.is_wrong]
    return {
        "place": str(place),
        "margin": "" if sample.margin is None else f"{sample.margin:.6f}",
        "predicted": sample.predicted or "",
        "verdict": verdict,
    }


def _method_rows(report: Report) -> list[MethodRow]:
    rows = []
    for fill, by_method in report.curves.items():
        lrp = by_method[LRP].srg.double()
        for method, curves in by_method.items():
            srg = curves.srg.double()
            p = None if method == LRP else paired_test(lrp, srg, seed=report.settings.seed).p_value
            rows.append(MethodRow(fill, method, bootstrap_mean(srg), p))
    return rows


def _chart(curves: Mapping[str, MethodCurves]) -> ThemedChart:
    """Draw the curves under one fill."""
    return draw_chart(lambda: plot_curves(curves), curves_alt(curve_panels(curves)))
