"""Draws an explanation: chooses samples and the kind of picture, and names what was explained.

Takes an explanation and options. Gives figures, and files of images. Loaded on use.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..errors import InputError
from ..plot.colours import png
from ..plot.options import Naming, read_options
from ..plot.picture_figure import picture_figure
from ..plot.picture_grid import map_grid_figure
from ..plot.pictures import Panel, PictureStyle, picture_panels, summed
from ..plot.series_figure import series_figure
from ..plot.table_figure import table_figure
from ..plot.tables import Columns
from ..plot.text_figure import text_figure
from ..plot.texts import Token, tokens_of, whole_words
from ..plot.view import BatchView, SampleView, ViewKind
from ..support.checks import is_classification
from ..support.files import make_folder, write_atomically
from ..support.output_kinds import both_classes, has_one_unit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .result import Explanation

SAMPLES = 8  # drawn of a batch, unless they are named
_FUNCTION = "a function of the output"
SMALLEST = 224  # pixels that a saved image is wide at least, so that viewers do not blur it


def draw(explanation: "Explanation", samples: Any, options: dict[str, Any]) -> "Figure":
    """Draw samples of an explanation as a figure; see `Explanation.plot`."""
    style, pictures, naming = read_options({**explanation.naming, **options})
    view = batch_view(explanation, samples, naming, pictures)
    if view.kind == "picture" and explanation.several:
        return map_grid_figure(view, target_names(explanation), style, pictures)
    if view.kind == "picture":
        return picture_figure(view, style, pictures)
    if view.kind == "series":
        return series_figure(view, style, channel_names(view, naming))
    if view.kind == "text":
        return text_figure(view, texts_of(view, naming), style)
    return table_figure(
        *(view, columns_of(view, naming), naming.features, naming.waterfall),
        values_of(view, naming),
    )


def target_names(explanation: "Explanation") -> list[str]:
    """Name the targets as they were asked for."""
    count = explanation.relevance.shape[1]
    return list(explanation.targets) or [f"target {k}" for k in range(count)]


def channel_names(view: BatchView, naming: Naming) -> list[str]:
    """Name the channels of time series."""
    count = len(view.samples[0].input)
    return list(naming.feature_names or [f"channel {i}" for i in range(count)])


def texts_of(view: BatchView, naming: Naming) -> list[list[Token]]:
    """Name the tokens of each text."""
    texts = [
        tokens_of(
            None if one.input.is_floating_point() else one.input,
            one.relevance,
            naming.tokens,
            one.index,
        )
        for one in view.samples
    ]
    return [whole_words(text) for text in texts] if naming.words else texts


def columns_of(view: BatchView, naming: Naming) -> Columns:
    """Name the columns of a table."""
    return Columns.of(view.samples[0].input.shape, naming.feature_names, naming.groups)


def values_of(view: BatchView, naming: Naming) -> list[Mapping[str, str]]:
    """Return what is shown for the values of each row of a table, where that is given."""
    if not naming.values:
        return []
    last = max(one.index for one in view.samples)
    if last >= len(naming.values):
        given = f"no values for sample {last}: a list of length {len(naming.values)}"
        raise InputError(given, "a mapping for each sample of the batch", "leave values out")
    return [naming.values[one.index] for one in view.samples]


def save_images(
    explanation: "Explanation", folder: Path, samples: Any, options: dict[str, Any]
) -> list[Path]:
    """Write the panels of pictures as PNG files; see `Explanation.save_images`."""
    style, pictures, naming = read_options({**explanation.naming, **options})
    view = batch_view(explanation, samples, naming, pictures)
    if view.kind != "picture":
        given = f"images of samples of shape {tuple(view.samples[0].input.shape)}"
        raise InputError(given, "pictures, (channels, height, width)", "write e.plot()")
    make_folder(folder)
    written: list[Path] = []
    for sample, limit in zip(view.samples, view.limits(style), strict=True):
        for panel in picture_panels(sample, limit, style, pictures):
            enlarge = max(1, -(-SMALLEST // panel.colours.shape[1]))
            path = folder / _file_name(sample, panel, explanation.several, written)
            with write_atomically(path) as file:
                file.write(png(panel.colours, enlarge))
            written.append(path)
    return written


def _file_name(sample: SampleView, panel: Panel, several: bool, written: Sequence[Path]) -> str:
    """Name an image by its sample, its target where there are several, and what it shows."""
    words = f"{sample.explained} {panel.title}" if several else panel.title
    slug = re.sub(r"[^\w.-]+", "-", words).strip("-")
    stem = f"{sample.index:05d}-{slug}"
    names, number = {path.name for path in written}, 1
    while (name := f"{stem}.png" if number == 1 else f"{stem}-{number}.png") in names:
        number += 1
    return name


def batch_view(
    explanation: "Explanation", samples: Any, naming: Naming, pictures: PictureStyle
) -> BatchView:
    """Describe the samples that are to be drawn.

    Raises:
        InputError: A sample does not exist, the names do not fit, or the output is not by classes.
    """
    kind, floating = kind_of(explanation, naming), explanation.input.is_floating_point()
    places = _places(samples, len(explanation.output))
    output = shown_output(explanation)
    if naming.class_names and output.ndim == 2 and len(naming.class_names) != output.shape[1]:
        raise InputError(
            f"{len(naming.class_names)} class_names for {output.shape[1]} classes",
            "one name for each class, in their order",
            "leave class_names out, or complete it",
        )
    relevances = explanation.relevance.detach().cpu()
    if kind == "picture":
        relevances = summed(relevances, pictures)
    elif kind == "text":  # of embedded tokens the sum over each
        relevances = relevances.flatten(2 + explanation.several).sum(-1) if floating else relevances
    views = [
        view
        for i in places
        for view in _sample_views(explanation, i, relevances[i], naming.class_names)
    ]
    return BatchView(kind, views, relevances, naming.class_names)


def kind_of(explanation: "Explanation", naming: Naming) -> ViewKind:
    """Tell what the explained input is, by its shape and by the names that were given."""
    x = explanation.input
    if naming.tokens is not None or not x.is_floating_point():
        return "text"
    return {4: "picture", 3: "series"}.get(x.ndim, "table")  # type: ignore[return-value]


def _places(samples: Any, count: int) -> Sequence[int]:
    if samples is None:
        return range(min(SAMPLES, count))
    if isinstance(samples, slice):
        samples = range(count)[samples]
    if hasattr(samples, "tolist"):  # of a tensor or an array
        samples = samples.tolist()
    listed = [samples] if isinstance(samples, int) else samples
    if not isinstance(listed, Sequence) or isinstance(listed, str):
        raise InputError(f"samples is {samples!r}", "indices of samples", "write samples=[0, 1]")
    if len(listed) == count and all(isinstance(i, bool) for i in listed):
        given = "samples as a mask of True and False"
        raise InputError(given, "indices of samples", "write samples=mask.nonzero().flatten()")
    wrong = [
        i
        for i in listed
        if not isinstance(i, int) or isinstance(i, bool) or not -count <= i < count
    ]
    if wrong or not listed:
        given = f"sample {wrong[0]!r} of {count}" if wrong else "samples is empty"
        raise InputError(given, f"0 to {count - 1}, or a list of these", "leave samples out")
    return [i % count for i in listed]


def _sample_views(
    explanation: "Explanation", i: int, relevance: Tensor, class_names: Sequence[str]
) -> list[SampleView]:
    """Describe one sample, once for each of its targets."""
    p, output = explanation.probabilities, shown_output(explanation)
    by_class = is_classification(output) or has_one_unit(output)
    target = None if explanation.target is None else explanation.target[i]
    targets: list[tuple[Tensor | None, Tensor]] = [(target, relevance)]
    if explanation.several:
        classes = [None] * len(relevance) if target is None else list(target)
        targets = list(zip(classes, relevance, strict=True))
    return [
        SampleView(
            index=i,
            input=explanation.input[i].detach().cpu(),
            relevance=one,
            explained=explained_text(explanation, k, classes, class_names),
            output=output[i].detach().cpu().flatten() if by_class else torch.empty(0),
            are_probabilities=p is not None,
        )
        for k, (classes, one) in enumerate(targets)
    ]


def shown_output(explanation: "Explanation") -> Tensor:
    """Return the probabilities, of one unit those of both classes; or else the output itself."""
    p = explanation.probabilities
    if p is None:
        return explanation.output
    return both_classes(p) if has_one_unit(p) else p


def explained_text(
    explanation: "Explanation", k: int, target: Tensor | None, class_names: Sequence[str] = ()
) -> str:
    """Say what was explained of a sample: its class, or two of them, or what was asked for.

    Args:
        explanation: The explanation.
        k: Which of its targets.
        target: The class of the sample, or two of them; None for what is no class.
        class_names: Names of the classes; of a single value its name.
    """
    numbers = [] if target is None else target.reshape(-1).tolist()
    words = explanation.targets[k] if explanation.targets else _FUNCTION
    if words == "the output" and explanation.probabilities is not None:
        numbers = [1]  # the class whose probability the unit gives
    elif words == "the output" and len(class_names) == 1:
        return str(class_names[0])  # a value, which has a name
    if words in ("predicted", "runner-up"):
        words = f"{words} class"
    names = [str(class_names[one]) if class_names else f"class {one}" for one in numbers]
    words = " against ".join(names) or words
    if not explanation.head.explained:
        return words
    return words.replace("output", "logits") if words == _FUNCTION else f"logit of {words}"
