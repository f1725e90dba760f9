"""Renders an explanation for notebooks: input, heatmap and probabilities of the first samples.

Takes the tensors of an explanation, gives HTML without any reference to the outside.
"""

import base64
import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from ..errors import InputError, MissingExtraError
from ..support.heatmap import input_colours, png, relevance_colours

if TYPE_CHECKING:
    from .result import Explanation

SAMPLES = 8  # shown of a batch
CLASSES = 5  # the most probable ones, shown of each sample
FEATURES = 10  # the most relevant ones, shown of an input that is no picture


@dataclass(frozen=True)
class Sample:
    """One sample of an explanation; shapes without the batch dimension."""

    input: Tensor
    relevance: Tensor
    probabilities: Tensor
    target: str


def explanation_html(explanation: "Explanation") -> str:
    """Render the first samples of an explanation; as text, what is not of images or features."""
    count = min(SAMPLES, len(explanation.output))
    try:
        drawable = explanation.input.is_floating_point() and not explanation.several
    except InputError as error:  # its memory was written into
        return f"<pre>{explanation!r}\n{html.escape(str(error))}</pre>"
    if not drawable or explanation.probabilities is None:
        return f"<pre>{explanation!r}</pre>"
    samples = [_sample(explanation, i) for i in range(count)]
    return samples_html(samples, len(explanation.output))


def _sample(explanation: "Explanation", i: int) -> Sample:
    probabilities = explanation.output[i].detach().softmax(0)
    target = "a function of the output"
    if explanation.target is not None and explanation.target.ndim == 2:
        target = "class {} against class {}".format(*explanation.target[i].tolist())
    elif explanation.target is not None:
        target = f"class {int(explanation.target[i])}"
    x, relevance = explanation.input[i].detach(), explanation.relevance[i].detach()
    return Sample(x, relevance, probabilities, target)


def samples_html(samples: list[Sample], total: int) -> str:
    """Render a table with a row for each sample; `total` is the size of the batch."""
    rows = "".join(_row(sample) for sample in samples)
    heads = ("input", "relevance", "probabilities")
    head = "".join(f'<th style="text-align:left">{name}</th>' for name in heads)
    left = total - len(samples)
    more = f"<p>and {left} more in this batch</p>" if left else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"


def _row(sample: Sample) -> str:
    cells = [*_pictures(sample), _probabilities(sample)]
    return "<tr>" + "".join(f'<td style="text-align:left">{cell}</td>' for cell in cells) + "</tr>"


def _pictures(sample: Sample) -> tuple[str, str]:
    x, relevance = sample.input, sample.relevance
    if x.ndim != 3 or x.shape[0] not in (1, 3):
        return _features(x), _features(relevance)
    try:
        picture = input_colours(x[0] if len(x) == 1 else x)
        heatmap = relevance_colours(relevance.sum(0))
        return _image(png(picture), "input"), _image(png(heatmap), f"relevance for {sample.target}")
    except MissingExtraError as error:
        return _features(x), f"{_features(relevance)}<br><i>{html.escape(error.todo)}</i>"


def _image(data: bytes, words: str) -> str:
    source = base64.b64encode(data).decode()
    style = "width:112px;image-rendering:pixelated"
    return f'<img style="{style}" alt="{html.escape(words)}" src="data:image/png;base64,{source}">'


def _features(values: Tensor) -> str:
    """Describe the largest entries by size: index and value."""
    flat = values.flatten()
    largest = flat.abs().topk(min(FEATURES, len(flat))).indices.tolist()
    return "<br>".join(f"[{i}] {float(flat[i]):+.3g}" for i in largest)


def _probabilities(sample: Sample) -> str:
    top = sample.probabilities.topk(min(CLASSES, len(sample.probabilities)))
    bars = [
        f'<div style="display:inline-block;width:{round(100 * p)}px;height:0.7em;'
        f'background:#0072b2"></div> {k}: {p:.1%}'
        for p, k in zip(top.values.tolist(), top.indices.tolist(), strict=True)
    ]
    return f"explained: {html.escape(sample.target)}<br>" + "<br>".join(bars)
