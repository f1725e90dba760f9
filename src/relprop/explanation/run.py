"""Runs a program for a request: forward pass, target, initial relevance, backward pass, record.

Takes a built program, the model's present weights and a batch, gives an `Explanation`. One target
without observers is carried back here, anything else by `backward`.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from ..capture.model import current_state
from ..errors import InputError
from ..graph.dropped import MASKS_FROM
from ..graph.first_nonfinite import describe_first_nonfinite
from ..graph.inputs import InputGuard, Inputs
from ..graph.ir import Graph, Head
from ..graph.token_ids import token_relevance
from ..plan.plan import Plan
from ..support.checks import check_finite, is_finite
from .amplification import LIMIT, VANISHED, warn_if_amplified, warn_if_vanished
from .backward import BackwardResult, ForwardResult, Observed, refuse_nonfinite, run_backward
from .built_program import BuiltProgram
from .options import Initial, Request
from .own_targets import resolve_each
from .program_cache import ProgramCache
from .prove_sizes import OtherAtSizeError, first_run
from .result import Explanation
from .targets import refuse_masked, stack_classes


def explain_batch(
    cache: ProgramCache, inputs: Inputs, target: Any, request: Request
) -> Explanation:
    """Run the program for a batch; where the model does something else at its sizes, another one.

    Raises what `run_request` raises, and what capturing and planning raise.
    """
    built = cache.get_or_build(inputs, proved=False)
    try:
        return run_request(built, cache.model, inputs, target, request)
    except OtherAtSizeError as error:
        alone = cache.build_alone(inputs, built, error)
        return run_request(alone, cache.model, inputs, target, request)


def run_request(
    built: BuiltProgram, model: nn.Module, inputs: Inputs, target: Any, request: Request
) -> Explanation:
    """Run the model forward, and relevance backward for each target.

    Raises:
        InputError: A target, a layer or a channel does not exist.
        NumberError: The output or the relevance is not finite.
        OtherAtSizeError: The program does not give the model's output at these sizes.
    """
    guard = InputGuard(inputs.tensors, inputs.explained)
    program = built.program if request.observes else built.pruned
    observed = Observed.of(program.plan, request) if request.observes else None
    state = present_state(built, model, tracked=request.create_graph)
    keep = observed.names if observed else ()
    options = keep, request.ledger, request.recompute
    run = partial(program.forward, inputs.tensors, state, *options)
    new = id(program) in built.new
    trace = first_run(built, program, model, inputs, run) if new else run()
    output = _check_output(trace.output, program.plan.graph, inputs, state)
    scores = output if trace.scores is trace.output else copy_of_view(trace.scores, inputs)
    resolved, several = resolve_each(output, scores, target, inputs.start)
    if scores is not output:
        refuse_masked(scores, resolved, inputs.start)
    initial = [scale_initial(scores, t.c, request.initial, inputs.start) for t in resolved]
    forward = ForwardResult(built, program, inputs, state, trace)
    if len(initial) > 1 or observed or request.create_graph:
        results = run_backward(forward, initial, observed, request)
    else:
        results = [BackwardResult(program.backward(trace, initial[0]))]
    classes = [one.classes for one in resolved]
    one_hot = request.initial == "score" and all(one.one_hot for one in resolved)
    by_input = [relevance_by_input(built.program.plan, inputs, state, r.relevance) for r in results]
    relevances = _stack(by_input) if several else by_input[0]
    sizes = measure_scores(scores, initial, several, one_hot)
    explanation = Explanation(
        output=output,
        target=stack_classes(classes) if several else classes[0],
        inputs=guard,
        relevances=relevances,
        layers=observed.by_module([r.layers for r in results], several) if observed else {},
        several=several,
        ledgers=tuple(r.ledger for r in results if r.ledger is not None),
        score_size=sizes.each,
        dropped=built.program.plan.dropped_at,
        head=program.plan.graph.head or Head(),
        logits=None if scores is output else scores,
        targets=tuple(one.words for one in resolved),
    )
    if not is_moderate(relevances, sizes):
        for c, result in zip(initial, results, strict=True):
            refuse_nonfinite(forward, c, result.relevance)
        warn_if_amplified(forward, initial, explanation)
        if not request.conditions:  # relevance through a channel may well be none
            warn_if_vanished(built, explanation)
    guard.check()
    return explanation


def present_state(built: BuiltProgram, model: nn.Module, tracked: bool) -> dict[str, Tensor]:
    """Return the model's present parameters and buffers by value name.

    Args:
        built: The program, which knows the modules that own them.
        model: The user's model.
        tracked: Whether they stay attached to autograd.
    """
    state = {}
    for name, registry, key in built.state:
        tensor = registry.get(key)
        if tensor is None:  # moved or removed: found by its dotted name, or named in an error
            return dict(current_state(model, built.program.plan.graph, detached=not tracked))
        state[name] = tensor if tracked else tensor.detach()
    return state


def _check_output(
    output: Tensor, graph: Graph, inputs: Inputs, state: Mapping[str, Tensor]
) -> Tensor:
    """Refuse an output without samples or with NaN; copy one that is a view of an input."""
    if output.ndim == 0 or len(output) != inputs.batch:
        raise InputError(
            f"a model whose output has shape {tuple(output.shape)} for a batch of {inputs.batch}",
            "(batch, classes), or (batch, ...) with a target that says which entry to explain",
            "wrap the model so that the first dimension runs over the samples",
        )
    if not is_finite(output):
        first = describe_first_nonfinite(graph, inputs.tensors, state)
        todo = "check the model's weights and the input"
        check_finite(output, "model's output", first, todo, inputs.start)
    return copy_of_view(output, inputs)


def copy_of_view(output: Tensor, inputs: Inputs) -> Tensor:
    """Copy the output if it is a view of an input, which the caller may overwrite."""
    address = output.untyped_storage().data_ptr()
    for tensor in inputs.tensors.values():
        if tensor.untyped_storage().data_ptr() == address:
            return output.clone()
    return output


def scale_initial(scores: Tensor, c: Tensor, initial: Initial, start: int) -> Tensor:
    """Return the initial relevance per unit of scores; with "one", relevance sums to 1 per sample.

    Raises InputError for "one" where the target's score is 0.
    """
    if initial == "score":
        return c
    score = torch.where(c == 0, 0, scores * c).reshape(len(c), -1).sum(1)
    if bool((score == 0).any()):
        sample = start + int((score == 0).nonzero()[0, 0])
        raise InputError(
            f'initial="one" for sample {sample}, whose target scores 0',
            "a target whose score is not 0",
            'write initial="score"',
        )
    return c / score.reshape(-1, *[1] * (c.ndim - 1))


class ScoreSizes(NamedTuple):
    """The size of what is explained.

    Attributes:
        each: Of each sample, (batch,) or (batch, targets).
        least: The smallest of them.
    """

    each: Tensor
    least: float


def measure_scores(
    scores: Tensor, initial: Sequence[Tensor], several: bool, one_hot: bool
) -> ScoreSizes:
    """Return the size of what is explained.

    The |score| of the target; where the sample has a larger score, its size: a class whose score
    happens to be near 0 makes no map doubtful.

    Args:
        scores: The scores, (batch, ...).
        initial: Initial relevance per unit of score, for each target.
        several: Whether several targets were asked for.
        one_hot: Whether each is 1 at one entry of a sample and 0 elsewhere, as is quicker.
    """
    with torch.no_grad():
        scores = scores.to(torch.promote_types(scores.dtype, torch.float32))
        sizes = scores.abs().reshape(len(scores), -1)
        largest = sizes.amax(-1)
        least, most = largest.aminmax()
        masks = most.item() >= MASKS_FROM
        if one_hot and not masks:
            each = largest[:, None].expand(-1, len(initial)) if several else largest
            return ScoreSizes(each, least.item())
        if masks:  # what masks a class is no score
            largest = sizes.where(scores.reshape(len(scores), -1) > -MASKS_FROM, 0).amax(-1)
        c = torch.stack(list(initial), 1)
        products = torch.where(c == 0, 0, scores.unsqueeze(1) * c)
        score = products.reshape(*c.shape[:2], -1).sum(-1).abs()
        each = torch.maximum(score, largest[:, None] * c.abs().reshape(*c.shape[:2], -1).amax(-1))
        return ScoreSizes(each if several else each[:, 0], each.min().item())


def is_moderate(relevances: Mapping[str, Tensor], sizes: ScoreSizes) -> bool:
    """Tell quickly that relevance is finite, not amplified, not vanished; False: look at samples.

    The sum of |R| over n numbers is at least the square root of their sum of squares, and at most
    sqrt(n) times that: one pass over memory for the whole batch.
    """
    squares, numbers = 0.0, 0
    for r in relevances.values():
        flat = r.detach().reshape(-1)
        squares += torch.dot(flat, flat).item()
        numbers += r.numel() // sizes.each.numel()
    if math.sqrt(squares) < VANISHED * sizes.least:
        return False
    return math.sqrt(numbers * squares) <= LIMIT * sizes.least < math.inf


def relevance_by_input(
    plan: Plan, inputs: Inputs, state: Mapping[str, Tensor], by_source: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Add up the relevance of the sources of each explained input; of tokens, all embeddings."""
    graph, relevances = plan.graph, {}
    for label in inputs.explained:
        name = graph.inputs[label]
        parts = {source: r for source, r in by_source.items() if plan.sources[source] == name}
        if name in graph.tokens:
            values = graph.initial_values(inputs.tensors, state)
            parts = {s: token_relevance(graph, s, name, values, r) for s, r in parts.items()}
        first, *others = parts.values()
        relevances[label] = sum(others, first)
    return relevances


def _stack(by_target: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Stack the relevance of several targets, (batch, targets, ...)."""
    return {label: torch.stack([one[label] for one in by_target], 1) for label in by_target[0]}
