"""Runs a compiled program for a request: one class of each sample, without observers.

Takes a built program and a batch, gives an `Explanation`.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..graph.inputs import InputGuard, Inputs
from ..graph.ir import Head
from ..program.compiled import PREDICTED
from ..support.checks import check_finite
from ..support.output_kinds import has_one_unit
from .amplification import has_vanished, is_amplified
from .built_program import BuiltProgram
from .options import Request, check_compilable
from .own_targets import OwnTargets
from .result import Explanation
from .run import (
    copy_of_view,
    is_moderate,
    measure_scores,
    present_state,
    relevance_by_input,
    run_request,
    scale_initial,
)
from .targets import ResolvedTarget, fixed_classes, refuse_masked, words_of


def run_compiled(
    built: BuiltProgram, model: nn.Module, inputs: Inputs, target: Any, request: Request
) -> Explanation:
    """Run the compiled program. Raises as `run_request`, and PlanError if it cannot be compiled."""
    check_compilable(request)
    guard, graph = InputGuard(inputs.tensors, inputs.explained), built.program.plan.graph
    node = graph.node(graph.scores)
    classes = _classes(target, node.shape if node else (), inputs.batch, inputs.first.device)
    state = present_state(built, model, tracked=False)
    finite, output, scores, chosen, by_source = built.compiled(inputs, state, classes)
    if not finite:
        run_request(built, model, inputs, target, request)  # which raises, and says where
        for values in (output, *by_source.values()):
            what, todo = "result of the compiled program", "leave compile=True out"
            check_finite(values, what, "", todo, inputs.start)
    if isinstance(target, OwnTargets):
        target.refuse_growing(output)
    relevances = relevance_by_input(built.program.plan, inputs, state, by_source)
    one_hot = torch.zeros_like(scores).scatter_(1, chosen[:, None], 1)
    if scores is not output:
        refuse_masked(scores, [ResolvedTarget(one_hot, chosen)], inputs.start)
    if request.initial == "one":
        one_hot = scale_initial(scores, one_hot, "one", inputs.start)
        scale = one_hot.sum(1)
        relevances = {
            label: r * scale.reshape(-1, *[1] * (r.ndim - 1)) for label, r in relevances.items()
        }
    guard.check()
    sizes = measure_scores(scores, [one_hot], False, request.initial == "score")
    explanation = Explanation(
        output=copy_of_view(output, inputs),
        target=None if has_one_unit(scores) else chosen,
        inputs=guard,
        relevances=relevances,
        layers={},
        several=False,
        ledgers=(),
        score_size=sizes.each,
        dropped=built.program.plan.dropped_at,
        head=graph.head or Head(),
        logits=None if scores is output else scores,
        targets=("the output" if has_one_unit(scores) else words_of(target),),
    )
    unusual = not built.warned and not is_moderate(relevances, sizes)
    if unusual and (is_amplified(explanation) or has_vanished(explanation.amplification)):
        run_request(built, model, inputs, target, request)  # which warns, and says where
    return explanation


def _classes(target: Any, shape: Sequence[int | None], batch: int, device: torch.device) -> Tensor:
    """Return the class to explain of each sample, (batch,), or PREDICTED."""
    if isinstance(target, OwnTargets):
        return torch.cat([_classes(one, shape, 1, device) for one in target.targets])
    known = fixed_classes(target, shape, batch)
    return torch.full((batch,), PREDICTED, device=device) if known is None else known.to(device)
