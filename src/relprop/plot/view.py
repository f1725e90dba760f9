"""What is drawn of an explanation: a record for each sample, whatever the kind of its input.

Takes tensors and names. Gives records that figures and pages are made of. Must not know how they
are drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Literal

from torch import Tensor

from ..support.number_text import number_text
from .style import MapStyle, limits_of

TITLE_LETTERS = 70  # of a title in a line

ViewKind = Literal["picture", "text", "table", "series"]


@dataclass(frozen=True)
class SampleView:
    """One target of one sample; shapes are without the batch axis.

    Attributes:
        index: Its place in the batch.
        input: The explained input.
        relevance: Its relevance, of its shape; of token ids one value per token.
        explained: What was explained, in words.
        output: Probabilities, (classes,) or (1,), or else the output itself; empty for an output of
            another shape.
        are_probabilities: Which of the two.
    """

    index: int
    input: Tensor
    relevance: Tensor
    explained: str
    output: Tensor
    are_probabilities: bool


@dataclass(frozen=True)
class BatchView:
    """The samples that are drawn.

    Attributes:
        kind: What the inputs are.
        samples: The samples; of several targets, each target of a sample is one of them.
        relevances: Relevance of the whole batch, (n, ...), for limits that all samples share.
        class_names: Names of the classes; empty: their numbers.
    """

    kind: ViewKind
    samples: Sequence[SampleView]
    relevances: Tensor
    class_names: Sequence[str] = ()

    def limits(self, style: MapStyle) -> list[float]:
        """Return the |relevance| of full colour of each sample that is drawn."""
        return limits_of([sample.relevance for sample in self.samples], self.relevances, style)

    def class_name(self, k: int) -> str:
        """Name a class, or an entry of the output."""
        return self.class_names[k] if self.class_names else str(k)


def largest_outputs(sample: SampleView, count: int) -> list[tuple[int, float]]:
    """List the largest entries of the output, the largest first: index and value."""
    top = sample.output.topk(min(count, len(sample.output)))
    return list(zip(top.indices.tolist(), top.values.tolist(), strict=True))


def output_text(sample: SampleView, value: float) -> str:
    """Write one entry of the output."""
    if sample.are_probabilities:
        return f"{value:.1%}"
    return number_text(value, 5) if len(sample.output) == 1 else number_text(value, sign="+")


def title(view: BatchView, sample: SampleView, letters: int = TITLE_LETTERS) -> str:
    """Write the largest entry of the output, and what was explained, in lines of `letters`."""
    explained = f"explained: {sample.explained}"
    top = caption(view, sample)
    return fill(f"{top}; {explained}" if top else explained, letters)


def caption(view: BatchView, sample: SampleView) -> str:
    """Write the largest entry of the output with its name; "" where it is not by classes."""
    for k, value in largest_outputs(sample, 1):
        return f"{view.class_name(k)}: {output_text(sample, value)}"
    return ""
