"""Lowering: a step of the plan -> a function that runs it and returns its backward pass.

Takes values of a graph by name, gives plain torch operations on them. Weighted sums are lowered in
`lower_layers`.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..graph.ir import Node, Ref, Values
from ..graph.ops import WEIGHTED_SUMS, Operation, Principle
from ..plan.plan import Step
from ..rules import nonlinear
from ..rules.autodiff import Traced, Vjp, trace, without_gradient
from ..rules.backward import Absorbed, Back, Form
from ..rules.own_sum import Multiplier, gate
from ..rules.recurrent import Layers, run_layers, select_result
from ..rules.secants import at_zero, secant, slope
from ..rules.weights import STABILISER
from ..support.numerics import quotient, signed, stabilise, times
from .attention import plain_attention, trace_attention
from .distances import plain_distances
from .lower_layers import Run, lower_forward, lower_layer
from .normalisation import hold
from .vjps import RunWithVjp, run_with_vjp
from .weight_cache import WeightCache


def lower(step: Step, cache: WeightCache, shared_layers: str | None = None) -> Run:
    """Build the function that runs a step on values by name, and gives its backward pass.

    Args:
        step: The step.
        cache: Holds the weights that rules derive.
        shared_layers: Name of the value that holds the layers of a recurrent module, if several
            steps use its results and it is run once for all.
    """
    if step.arriving is None:
        run = lower_forward(step, cache) if step.kind in WEIGHTED_SUMS else _plain(step)
        return lambda values: (run(values), None)
    if step.kind in WEIGHTED_SUMS and step.rule:
        return lower_layer(step, cache)
    if runs_cells(step):
        return _recurrent(step, shared_layers)
    if step.principle is Principle.ACTIVATION:
        return _activation(step)
    return _by_vjp(step) or _traced(step)


def _plain(step: Step) -> Callable[[Values], Any]:
    node, batch_norm = step.node, step.batch_norm
    if batch_norm is None:
        return node.run
    return lambda values: batch_norm.run({**values, node.name: node.run(values)})


def _rule(step: Step) -> Callable[[Any], Back]:
    assert step.rule is not None
    function, parameters = step.rule.definition.function, dict(step.rule.parameters)
    return lambda operation: function(operation, **parameters)


def runs_cells(step: Step) -> bool:
    """Tell whether a step runs a recurrent module cell by cell, as its rule needs it."""
    if step.kind != "recurrent" or step.arriving is None or step.rule is None:
        return False
    return not step.rule.definition.any_named


def lower_recurrent_module(step: Step) -> Run:
    """Build the function that runs all layers of a recurrent module, for several steps."""

    def run(values: Values) -> tuple[Layers, None]:
        x, *rest = step.node.resolve_args(values)
        return run_layers(step.node.operation, x, rest), None

    return run


def _recurrent(step: Step, shared_layers: str | None) -> Run:
    rule, node, run_alone = _rule(step), step.node, lower_recurrent_module(step)

    def run(values: Values) -> tuple[Tensor, Back]:
        layers = values[shared_layers] if shared_layers else run_alone(values)[0]
        op = select_result(layers, node.operation, node.item or 0)
        back = rule(op)
        return op.z, taking_relevance(back, op.z) if step.arriving is Form.RELEVANCE else back

    return run


def _activation(step: Step) -> Run:
    """Build an activation f: relevance per unit times (f(x) - f(0)) / x; f(0) is absorbed.

    Without a finite f(0) it is multiplied by f'(x), and the rest of f(x) is absorbed. Relevance
    itself passes unchanged.
    """
    node, operation = step.node, step.operation
    assert operation is not None
    if step.arriving is Form.RELEVANCE:
        return lambda values: (node.run(values), Back(lambda r: r, _nothing))
    (name, *_) = node.inputs
    factor = _factor(step, operation)
    absorbs = node.operation != "relu"

    def run(values: Values) -> tuple[Tensor, Back]:
        x, y = values[name], node.run(values)
        multiply = factor(x, y, values)
        absorbed = partial(_absorbed_by_activation, step, values, y) if absorbs else _nothing
        return y, Back(multiply, absorbed, multiply.release)

    return run


def _factor(step: Step, operation: Operation) -> Callable[[Tensor, Tensor, Values], Multiplier]:
    """Return the function from x, y and all values to what relevance per unit is multiplied by."""
    node = step.node
    if node.operation == "relu":
        return lambda x, y, values: Multiplier(y, gate)
    if operation.keeps_zero:
        return lambda x, y, values: Multiplier(quotient(y, x))
    if not operation.finite_at_zero:
        return lambda x, y, values: Multiplier(slope(node, x, y))
    return lambda x, y, values: Multiplier(secant(node, x, y, values))


def _absorbed_by_activation(step: Step, values: Values, y: Tensor, c: Tensor) -> Absorbed:
    """Compute the share of f(0), or of all at an infinite x, such as -inf of a mask.

    Without a finite f(0), it is what f'(x) x leaves of f(x).
    """
    x = values[step.routes[0]]
    at_infinity = times(c, y) * x.isinf()
    if step.operation is None or step.operation.keeps_zero:
        return {"constants": at_infinity}
    if not step.operation.finite_at_zero:
        linear = slope(step.node, x, y) * torch.where(x.isinf(), 0, x)
        return {"linearisation": times(c, y - linear)}
    constant = times(c, at_zero(step.node, values))
    return {"constants": torch.where(x.isinf(), at_infinity, constant)}


def _nothing(v: Tensor) -> Absorbed:
    """Absorb nothing."""
    return {}


def _by_vjp(step: Step) -> Run | None:
    """Build a step whose VJP is hand-written; None for any other."""
    scale = _vjp_scale(step)

    def absorbed(values: Values, v: Tensor) -> Absorbed:
        return _back(step, _reader(step)(values)).absorbed(v)

    run = run_with_vjp(step.node, step.routes, absorbed) if scale else None
    if run is None or _needs_per_unit(step) or _passes_unchanged(step):
        return None
    return run if scale == 1 else partial(_run_scaled, run, scale)


def _run_scaled(run: RunWithVjp, scale: float, values: Values) -> tuple[Any, Back]:
    """Run a step, and scale its backward pass."""
    result, back = run(values)
    pull = back.pull
    return result, Back(lambda v: tuple(_times(scale, part) for part in pull(v)), back.absorbed)


def _vjp_scale(step: Step) -> float:
    """Return the number that a step multiplies its VJP by; 0 if its rule does more than that."""
    return 1.0 if step.rule is None else step.rule.definition.vjp_scale


def _times(scale: float, part: Tensor) -> Tensor:
    """Scale a tensor that no one else holds."""
    return part * scale if torch.is_grad_enabled() else part.mul_(scale)


def _back(step: Step, traced: Traced) -> Back:
    return _rule(step)(traced) if step.rule else _derivative(step, traced)


def _passes_unchanged(step: Step) -> bool:
    """Tell whether relevance itself passes from each result entry to one input entry."""
    return step.elementwise and step.arriving is step.leaving is Form.RELEVANCE


def _needs_per_unit(step: Step) -> bool:
    """Tell whether relevance itself arrives at a backward pass that takes it per unit."""
    takes_per_unit = step.rule is not None or step.leaving is Form.PER_UNIT
    return step.arriving is Form.RELEVANCE and takes_per_unit


def _traced(step: Step) -> Run:
    """Build a step that runs by autograd; its rule, if any, changes the VJP."""
    read = _reader(step)

    def run(values: Values) -> tuple[Tensor, Back]:
        traced = read(values)
        if _passes_unchanged(step):
            return traced.z, _unchanged(traced)
        back = _back(step, traced)
        return traced.z, taking_relevance(back, traced.z) if _needs_per_unit(step) else back

    return run


def _plain_hardsigmoid(x: Tensor) -> Tensor:
    return (x + 3).clamp(0, 6) / 6


# Operations whose gradient torch cannot differentiate, from operations where it can.
_PLAIN: Mapping[str, Callable[..., Tensor]] = {
    "scaled_dot_product_attention": plain_attention,
    "cdist": plain_distances,
    "hardsigmoid": _plain_hardsigmoid,
}


def _reader(step: Step) -> Callable[[Values], Traced]:
    """Build the function from values by name to the operation, run on them."""
    node, routes, places = step.node, step.routes, step.places
    holds = step.kind == "normalisation" and step.rule and not step.rule.definition.any_named
    if holds and node.operation not in ("mul", "div"):
        return lambda values: hold(node.operation, values[routes[0]], node.resolve_args(values)[1:])
    function = _function(node, step)
    plain = _PLAIN.get(node.operation)
    smooth = _function(replace(node, target=plain), step) if plain else None
    run = trace_attention if node.operation == "scaled_dot_product_attention" else None
    by_gradient = step.rule is not None and step.rule.name == "gradient"

    def read(values: Values) -> Traced:
        x = tuple(values[name] for name in routes)
        given = function(values), x, places, smooth and smooth(values)
        if run is not None:
            return run(node, values, *given)
        traced = trace(*given)
        if by_gradient and isinstance(traced.vjp, Vjp) and not traced.vjp.exists:
            raise without_gradient(node.where, node.operation)
        return traced

    return read


def _function(node: Node, step: Step) -> Callable[[Values], Callable[..., Tensor]]:
    """Build the function from values to the operation, as a function of the routed inputs."""
    node = _with_slots(node, step.places) if step.places else node
    slots = [str(place) for place in step.places] if step.places else step.routes
    others = [name for name in node.inputs if name not in slots]

    def given(values: Values) -> Callable[..., Tensor]:
        held = {name: values[name] for name in others}
        return lambda *leaves: node.run({**held, **dict(zip(slots, leaves, strict=True))})

    return given


def _with_slots(node: Node, places: tuple[int, ...]) -> Node:
    """Give each argument slot a unique name: the same value may fill several."""
    args = tuple(Ref(str(i)) if i in places else arg for i, arg in enumerate(node.args))
    return replace(node, args=args)


def _derivative(step: Step, traced: Traced) -> Back:
    relevance = step.leaving is Form.RELEVANCE
    if step.principle is Principle.CHOICE:
        return (
            nonlinear.maximum_relevance(traced) if relevance else nonlinear.maximum_per_unit(traced)
        )
    if step.node.operation == "batch_norm":  # one that was not folded: its shift is a bias
        return nonlinear.constant_statistics(traced)
    return nonlinear.by_vjp_relevance(traced) if relevance else nonlinear.by_vjp(traced)


def _unchanged(traced: Traced) -> Back:
    """Pass relevance itself through an elementwise operation, as through an activation.

    Divided by the values, it would be lost or unbounded where these are near zero.
    """
    shape = traced.x[0].shape
    return Back(lambda r: (r.sum_to_size(shape),), lambda r: {})


def taking_relevance(back: Back, z: Tensor) -> Back:
    """Convert a backward pass of relevance per unit of z to one of relevance itself."""

    def absorbed(r: Tensor) -> Absorbed:
        c = r / stabilise(z, STABILISER)
        amounts = dict(back.absorbed(c))
        lost = c * signed(z, STABILISER)
        amounts["stabiliser"] = amounts.get("stabiliser", 0) + lost
        # An infinite result is that of a mask: what arrives there is not shared among its inputs.
        amounts["constants"] = amounts.get("constants", 0) + r * z.isinf()
        return amounts

    return Back(lambda r: back.pull(r / stabilise(z, STABILISER)), absorbed)
