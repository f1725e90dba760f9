"""Renders an explanation for notebooks: input, heatmap and output of the first samples.

Takes the tensors of an explanation, gives HTML without any reference to the outside.
"""

import base64
import html
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor

from ..errors import InputError, MissingExtraError
from ..plot.colours import input_colours, png, relevance_colours
from ..support.checks import is_classification
from ..support.output_kinds import has_one_unit
from .drawing import SAMPLES, explained_text

if TYPE_CHECKING:
    from .result import Explanation


CLASSES = 5  # the most probable ones, shown of each sample
FEATURES = 10  # the most relevant ones, shown of an input that is no picture


@dataclass(frozen=True)
class Sample:
    """One sample of an explanation; shapes without the batch dimension.

    Attributes:
        input: The explained input.
        relevance: Its relevance.
        output: Probabilities, (classes,) or (1,), or else the output itself.
        are_probabilities: Which of the two.
        target: What was explained.
    """

    input: Tensor
    relevance: Tensor
    output: Tensor
    are_probabilities: bool
    target: str


def explanation_html(explanation: "Explanation") -> str:
    """Render the first samples of an explanation; as text, what is not of images or features."""
    count = min(SAMPLES, len(explanation.output))
    try:
        drawable = explanation.input.is_floating_point() and not explanation.several
    except InputError as error:  # its memory was written into
        return f"<pre>{explanation!r}\n{html.escape(str(error))}</pre>"
    output = explanation.output
    if not drawable or not (is_classification(output) or has_one_unit(output)):
        return f"<pre>{explanation!r}</pre>"
    samples = [_sample(explanation, i) for i in range(count)]
    return samples_html(samples, len(explanation.output))


def _sample(explanation: "Explanation", i: int) -> Sample:
    probabilities, target = explanation.probabilities, explanation.target
    output = explanation.output if probabilities is None else probabilities
    words = explained_text(explanation, None if target is None else target[i])
    x, relevance = explanation.input[i].detach(), explanation.relevance[i].detach()
    values = output[i].detach().flatten()
    return Sample(x, relevance, values, probabilities is not None, words)


def samples_html(samples: list[Sample], total: int) -> str:
    """Render a table with a row for each sample; `total` is the size of the batch."""
    rows = "".join(_row(sample) for sample in samples)
    name = "probabilities" if samples[0].are_probabilities else "output"
    heads = ("input", "relevance", name)
    head = "".join(f'<th style="text-align:left">{name}</th>' for name in heads)
    left = total - len(samples)
    more = f"<p>and {left} more in this batch</p>" if left else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"


def _row(sample: Sample) -> str:
    cells = [*_pictures(sample), _output(sample)]
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


def _output(sample: Sample) -> str:
    """Name the target, and list the largest entries of the output, with bars for probabilities."""
    top = sample.output.topk(min(CLASSES, len(sample.output)))
    lines = [
        f"{_bar(value)} {k}: {value:.1%}" if sample.are_probabilities else f"{k}: {value:+.3g}"
        for value, k in zip(top.values.tolist(), top.indices.tolist(), strict=True)
    ]
    return "<br>".join([f"explained: {html.escape(sample.target)}", *lines])


def _bar(p: float) -> str:
    style = f"display:inline-block;width:{round(100 * p)}px;height:0.7em;background:#0072b2"
    return f'<div style="{style}"></div>'
