"""Pads samples to one batch, and cuts its explanation into one for each sample again.

Takes samples that differ in their length alone. Positions are added at the end, and the mask says
that they do not count. Must not know how a batch is explained.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..capture.tolerance import equal_within_precision, precision, relative_difference
from ..errors import InputError
from ..graph.inputs import InputGuard, Inputs
from ..graph.sizes import Place
from ..observe.ledger import Ledger
from .options import Request
from .own_sizes import WITHOUT_PADDING, OwnSizes, map_results
from .result import Explanation
from .run import measure_scores, scale_initial
from .targets import resolve_targets, stack_classes


@dataclass(frozen=True)
class Sample:
    """One sample: a batch of one, as a call takes it.

    Attributes:
        index: Its place among those given.
        inputs: The arguments of the call.
        target: Its target, as for a call.
        length: The number of positions in its mask; 0 without one.
        places: The sizes that are this length: labels with dimensions.
        guard: Notices if the inputs are written into.
    """

    index: int
    inputs: Inputs
    target: Any
    length: int
    places: frozenset[Place]
    guard: InputGuard = field(init=False, repr=False)

    def __post_init__(self) -> None:
        guard = InputGuard(self.inputs.tensors, self.inputs.explained)
        object.__setattr__(self, "guard", guard)


def pad_together(samples: Sequence[Sample], fill: Mapping[str, float]) -> Inputs:
    """Return the inputs of a batch, each sample padded to the length of the longest.

    Args:
        samples: Samples of the same form.
        fill: Label -> what padding holds; 0 for the others.
    """
    first, longest = samples[0].inputs, max(sample.length for sample in samples)
    values = {
        label: torch.cat(
            [_padded(sample, label, longest, fill.get(label, 0)) for sample in samples]
        )
        for label in first.tensors
    }
    return replace(first, values={**first.values, **values}, start=0)


def _padded(sample: Sample, label: str, longest: int, value: float) -> Tensor:
    tensor, more = sample.inputs.tensors[label], longest - sample.length
    if not more:
        return tensor
    widths = [more * ((label, dim) in sample.places) for dim in reversed(range(tensor.ndim))]
    return functional.pad(tensor, [w for width in widths for w in (0, width)], value=value)


def padding_values(model: nn.Module, mask: str, inputs: Inputs) -> dict[str, float]:
    """Return what padding holds, where it is not 0: the padding token, and what the mask says.

    A boolean mask that is False for all of a sample is True where positions do not count, as
    key_padding_mask of torch's attention.

    Args:
        model: The model, whose configuration may name a token.
        mask: Label of the mask.
        inputs: Those of one sample, with the mask.
    """
    token = getattr(getattr(model, "config", None), "pad_token_id", None)
    tensor = inputs.tensors[mask]
    inverted = tensor.dtype is torch.bool and not bool(tensor.any())
    return {"input_ids": token if isinstance(token, int) and token > 0 else 0, mask: int(inverted)}


Results = Mapping[str, Any]


def results_of(e: Explanation) -> Results:
    """Return everything in an explanation that has a value for each sample, and may be padded."""
    return {
        "output": e.output,
        "logits": e.logits,
        "relevances": e.relevances,
        "layers": e.layers,
    }


def read_off_sizes(alone: Explanation, length: int, together: Explanation, padded: int) -> Results:
    """Read off the own sizes of all results; see `OwnSizes.read_off`."""

    def read(one: Tensor, other: Tensor) -> OwnSizes:
        return OwnSizes.read_off(one.shape, length, other.shape, padded)

    return dict(map_results(read, results_of(alone), results_of(together)))


def fixed_sizes(e: Explanation) -> Results:
    """Return the sizes of the results of a batch without padding."""
    return dict(map_results(OwnSizes.fixed, results_of(e)))


def cut(
    e: Explanation, place: int, sample: Sample, sizes: Results, request: Request
) -> Explanation:
    """Return the explanation of one sample of a batch, in memory of its own.

    Args:
        e: The explanation of the batch.
        place: Of the sample in the batch.
        sample: The sample.
        sizes: The own sizes of all results.
        request: How the batch was explained.
    """

    def own(result: Tensor, size: OwnSizes) -> Tensor:
        return size.own(result, place, sample.length).clone()

    results = map_results(own, results_of(e), sizes)
    scores = results["output"] if e.logits is None else results["logits"]
    resolved, several = resolve_targets(results["output"], scores, sample.target, sample.index)
    initial = [scale_initial(scores, t.c, request.initial, sample.index) for t in resolved]
    one_hot = request.initial == "score" and all(t.one_hot for t in resolved)
    classes = [t.classes for t in resolved]
    sample.guard.check()
    return replace(
        e,
        **results,
        target=stack_classes(classes) if several else classes[0],
        inputs=sample.guard,
        score_size=measure_scores(scores, initial, several, one_hot).each,
        ledgers=tuple(_ledger_of_sample(ledger, place) for ledger in e.ledgers),
        targets=tuple(t.words for t in resolved),
    )


def _ledger_of_sample(ledger: Ledger, place: int) -> Ledger:
    chosen = slice(place, place + 1)
    entries = tuple(
        replace(
            entry,
            relevance_in=entry.relevance_in[chosen],
            relevance_out=entry.relevance_out[chosen],
            absorbed={cause: amount[chosen] for cause, amount in entry.absorbed.items()},
        )
        for entry in ledger.entries
    )
    relevance_in, relevance_out = ledger.relevance_in[chosen], ledger.relevance_out[chosen]
    return Ledger(relevance_in, relevance_out, ledger.size[chosen], entries)


def refuse_relevant_padding(e: Explanation, samples: Sequence[Sample], sizes: Results) -> None:
    """Raise InputError unless relevance is exactly 0 at all padded positions."""
    padded = max(sample.length for sample in samples)

    def check(result: Tensor, size: OwnSizes) -> None:
        size.checked(result, padded)
        own = sum(size.own(result, i, one.length).count_nonzero() for i, one in enumerate(samples))
        if bool(result.count_nonzero() != own):
            given = f"relevance at positions that pad samples {[one.index for one in samples]}"
            raise InputError(given, "a model and rules that mask padding", WITHOUT_PADDING)

    for kind in ("relevances", "layers"):
        map_results(check, results_of(e)[kind], sizes[kind])


def refuse_other_result(alone: Explanation, together: Explanation, what: str) -> None:
    """Raise InputError unless a sample has the same explanation alone and in a batch.

    Args:
        alone: Its explanation alone.
        together: Its explanation in a batch, cut to its own size.
        what: The batch, in words.
    """

    def check(one: Tensor, other: Tensor, name: str, same: Any) -> None:
        if not same(other, one):
            raise InputError(
                f"{what}: its {name} is another one than alone",
                "a model that gives a sample the same result in any batch, however it is padded",
                WITHOUT_PADDING,
            )

    with torch.no_grad():
        for name, same in _COMPARED.items():
            one, other = results_of(alone)[name], results_of(together)[name]
            map_results(lambda a, b, n=name, s=same: check(a, b, n, s), one, other)


def _same_relevance(got: Tensor, expected: Tensor) -> bool:
    """Tell whether relevance is the same up to rounding, which rules magnify: a third of digits."""
    limit = precision(expected) ** (2 / 3)
    return got.shape == expected.shape and relative_difference(got, expected) <= limit


_COMPARED = {
    "output": equal_within_precision,
    "relevances": _same_relevance,
    "layers": _same_relevance,
}
