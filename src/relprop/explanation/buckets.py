"""Explains single samples of many shapes: those of equal or close shape share a batch, a bucket.

Takes samples, window by window, and a function that explains a batch. Gives the explanation of each
sample in the order given, as that of the sample alone. Must not know programs.
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import InputError, NumberError
from ..graph.inputs import Inputs, signature_without
from .check_inputs import check_inputs
from .label_tensors import refuse_other_labels
from .options import USUAL_MASK, Request
from .own_sizes import OwnSizes
from .own_targets import OwnTargets
from .padding import (
    Results,
    Sample,
    cut,
    fixed_sizes,
    pad_together,
    padding_values,
    read_off_sizes,
    refuse_other_result,
    refuse_relevant_padding,
)
from .result import Explanation

# Buckets are made of so many times `bucket_size` samples; the next ones are loaded meanwhile.
WINDOW = 8


@dataclass(frozen=True)
class Buckets:
    """Explains samples in buckets.

    Attributes:
        model: The model.
        explain: Explains a batch.
        request: How.
        size: How many samples share a batch at most.
        mask: Label of the argument that masks padding; None: nothing is padded.
    """

    model: nn.Module
    explain: Callable[[Inputs, Any, Request], Explanation]
    request: Request
    size: int
    mask: str | None
    _fill: dict[str, float] = field(default_factory=dict)
    _known: dict[Hashable, Results] = field(default_factory=dict)

    @property
    def window(self) -> int:
        """Of how many samples buckets are made at a time."""
        return WINDOW * self.size

    def explain_all(self, windows: Iterator[list[tuple[Any, Any]]]) -> Iterator[Explanation]:
        """Yield the explanation of each sample, in order.

        Args:
            windows: Samples (x, target), so many at a time as buckets are made of.
        """
        count = 0
        for window in windows:
            samples = self._in_context(self._read, window, count)
            count += len(samples)
            buckets = make_buckets(samples, self.size)
            bucket_of = {sample.index: bucket for bucket in buckets for sample in bucket.samples}
            done: dict[int, Explanation] = {}
            for sample in samples:
                if sample.index not in done:
                    done.update(self._in_context(self._explain_or_name, bucket_of[sample.index]))
                yield done.pop(sample.index)

    def _in_context(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function as a call of an explainer runs, whatever mode the caller is in now."""
        with torch.inference_mode(False), torch.set_grad_enabled(self.request.create_graph):
            return function(*arguments)

    def _read(self, window: Sequence[tuple[Any, Any]], start: int) -> list[Sample]:
        return [self._sample(i, *pair) for i, pair in enumerate(window, start)]

    def _sample(self, index: int, x: Any, target: Any) -> Sample:
        """Check one sample. Errors name it by its place among all."""
        try:
            request = self.request
            inputs = check_inputs(self.model, x, request.explain, request.create_graph)
            _refuse_several(inputs)
            refuse_other_labels(target, inputs.batch)
            length = self._length(inputs)
        except InputError as error:
            raise _named(error, index) from None
        if length and not self._fill:
            self._fill.update(padding_values(self.model, str(self.mask), inputs))
        places = frozenset(
            (label, dim)
            for label, tensor in inputs.tensors.items()
            for dim in range(1, tensor.ndim)
            if length and tensor.shape[dim] == length
        )
        return Sample(index, replace(inputs, start=index), target, length, places)

    def _length(self, inputs: Inputs) -> int:
        """Return the number of positions in a sample's mask; 0 if it has none."""
        if self.mask is None or (self.mask == USUAL_MASK and self.mask not in inputs.tensors):
            return 0
        if self.mask not in inputs.tensors:
            given = f'a sample without the mask "{self.mask}"'
            names = ", ".join(f'"{label}"' for label in inputs.tensors)
            raise InputError(given, f"one of {names}, or mask=None", "give it with each sample")
        shape = tuple(inputs.tensors[self.mask].shape)
        if len(shape) != 2 or not shape[1]:
            given = f'the mask "{self.mask}" of shape {shape}'
            raise InputError(given, "(1, length)", "write mask=None")
        return shape[1]

    def _explain_or_name(self, bucket: "Bucket") -> Mapping[int, Explanation]:
        """Explain a bucket. Errors name the sample, where one has them alone, too."""
        try:
            return self._explain_bucket(bucket)
        except (InputError, NumberError):
            for sample in bucket.samples:
                try:
                    self._alone(sample)
                except (InputError, NumberError) as error:
                    raise _named(error, sample.index) from None
            raise

    def _alone(self, sample: Sample) -> Explanation:
        return self.explain(sample.inputs, sample.target, self.request)

    def _explain_bucket(self, bucket: "Bucket") -> dict[int, Explanation]:
        first = bucket.samples[0]
        if len(bucket.samples) == 1:
            return {first.index: self._alone(first)}
        alone = self._alone(first) if self._is_new(bucket) else None
        targets = OwnTargets(
            tuple(sample.target for sample in bucket.samples),
            tuple(sample.length for sample in bucket.samples),
            lambda output: self._output_sizes(bucket, alone, output),
        )
        e = self.explain(pad_together(bucket.samples, self._fill), targets, self.request)
        sizes = self._sizes(bucket, alone, e)
        if bucket.pads:
            refuse_relevant_padding(e, bucket.samples, sizes)
        each = {s.index: cut(e, i, s, sizes, self.request) for i, s in enumerate(bucket.samples)}
        if alone is not None:
            words = f"{bucket.words} of {type(self.model).__name__}"
            refuse_other_result(alone, each[first.index], words)
            self._known[bucket.form] = sizes
        return each

    def _is_new(self, bucket: "Bucket") -> bool:
        """Tell whether the shortest sample is to be explained alone, too, for comparison."""
        return (bucket.pads or bool(self.request.layers)) and bucket.form not in self._known

    def _output_sizes(
        self, bucket: "Bucket", alone: Explanation | None, output: Tensor
    ) -> OwnSizes:
        """Return the sizes of the own output of each sample, given that of the batch."""
        if alone is not None:
            first, shape = bucket.samples[0], alone.output.shape
            return OwnSizes.read_off(shape, first.length, output.shape, bucket.length)
        if not bucket.pads:
            return OwnSizes.fixed(output)
        known: OwnSizes = self._known[bucket.form]["output"]
        return known.checked(output, bucket.length)

    def _sizes(self, bucket: "Bucket", alone: Explanation | None, e: Explanation) -> Results:
        """Return the own sizes of all results."""
        if alone is not None:
            return read_off_sizes(alone, bucket.samples[0].length, e, bucket.length)
        return self._known[bucket.form] if bucket.pads else fixed_sizes(e)


@dataclass(frozen=True)
class Bucket:
    """Samples that share a batch, the shortest first.

    Attributes:
        samples: The samples.
    """

    samples: tuple[Sample, ...]

    @property
    def length(self) -> int:
        """The length that all are padded to."""
        return self.samples[-1].length

    @property
    def pads(self) -> bool:
        """Whether a sample is padded."""
        return self.samples[0].length < self.length

    @property
    def form(self) -> Hashable:
        """What a comparison with one sample alone is good for."""
        return form_of(self.samples[0]), self.pads

    @property
    def words(self) -> str:
        """The shortest sample, and what it meets in the batch."""
        first = self.samples[0]
        padded = f", padded from {first.length} to {self.length}," if self.pads else ""
        return f"sample {first.index}{padded} in a batch of {len(self.samples)}"


def make_buckets(samples: Sequence[Sample], size: int) -> list[Bucket]:
    """Group samples of the same form, the longest at most twice as long as the shortest.

    Args:
        samples: The samples.
        size: How many share a bucket at most.
    """
    by_form: dict[Hashable, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_form[form_of(sample)].append(sample)
    buckets: list[list[Sample]] = []
    for alike in by_form.values():
        buckets.append([])
        for sample in sorted(alike, key=lambda one: one.length):
            bucket = buckets[-1]
            if len(bucket) == size or (bucket and sample.length > 2 * bucket[0].length):
                buckets.append([])
            buckets[-1].append(sample)
    return [Bucket(tuple(bucket)) for bucket in buckets]


def form_of(sample: Sample) -> Hashable:
    """Return what samples of a bucket have in common: all but the length and the numbers."""
    target = sample.target
    several = len(target) if isinstance(target, list) else isinstance(target, str) and target
    targets = several if isinstance(target, list) or several == "all" else None
    return signature_without(sample.inputs.signature, sample.places), targets


def _refuse_several(inputs: Inputs) -> None:
    """Refuse a sample that is no batch of one, and tensors that samples share."""
    shape = tuple(inputs.first.shape)
    if inputs.batch != 1:
        one = "x[None]" if inputs.positional else "{k: v[None] for k, v in x.items()}"
        raise InputError(
            f"an input of shape {shape} where bucket_size asks for samples",
            "one sample at a time as a call takes it, (1, *features)",
            f"write explainer.map(({one} for x in samples), bucket_size=8); leave bucket_size out "
            "for batches",
        )
    for label in inputs.tensors:
        if label not in inputs.batched:
            given = f'the argument "{label}", which begins with no batch axis of 1'
            raise InputError(given, "arguments of one sample", "keep it as attribute of the model")


def _named(error: InputError | NumberError, index: int) -> InputError | NumberError:
    """Return an error that says which sample it is of."""
    if f"sample {index}" in error.given:
        return error
    return type(error)(f"sample {index}: {error.given}", error.allowed, error.todo)
