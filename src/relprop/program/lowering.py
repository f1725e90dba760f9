"""Lowering: a step of the plan -> a function that runs it and returns its way back.

Plain torch operations on the values of a graph, by name.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..graph.ir import Node, Ref, Values
from ..graph.ops import WEIGHTED_SUMS, Principle
from ..plan.plan import Step
from ..rules import linear as rules
from ..rules import nonlinear as shares
from ..rules.autodiff import Traced, trace
from ..rules.backward import Absorbed, Back, Form
from ..rules.layer import STABILISER
from ..rules.recurrent import recurrent
from ..rules.scaling import Factor, gate
from ..support.numerics import divide, signed, stabilise
from .attention import plain_attention, values_alone
from .lower_layers import result, weighted_sum
from .normalisation import hold
from .vjps import Adjoint, adjoint
from .weight_cache import KeptWeights, stands_in

Run = Callable[[Values], tuple[Any, Back | None]]


def lower(step: Step, kept: KeptWeights) -> Run:
    """The function that runs a step on values by name; its way back is None if none is needed."""
    if step.arriving is None:
        run = result(step, kept) if step.kind in WEIGHTED_SUMS else _plain(step)
        return lambda values: (run(values), None)
    if step.kind in WEIGHTED_SUMS and step.rule:
        return _weighted_sum(step, kept)
    if step.kind == "recurrent" and step.rule and not step.rule.definition.any_named:
        return _recurrent(step)
    if step.principle is Principle.ACTIVATION:
        return _activation(step)
    return _known(step) or _traced(step)


def _plain(step: Step) -> Callable[[Values], Any]:
    node, batch_norm = step.node, step.batch_norm
    if batch_norm is None:
        return node.run
    return lambda values: batch_norm.run({**values, node.name: node.run(values)})


def _rule(step: Step) -> Callable[[Any], Back]:
    assert step.rule is not None
    function, parameters = step.rule.definition.function, dict(step.rule.parameters)
    if function is shares.gradient and step.kind in WEIGHTED_SUMS:
        function = rules.zero  # the same, and it knows a folded batch norm
    return lambda traced: function(traced, **parameters)


def _weighted_sum(step: Step, kept: KeptWeights) -> Run:
    rule, read = _rule(step), weighted_sum(step, kept)

    def run(values: Values) -> tuple[Tensor, Back]:
        layer = read(values)
        back = rule(layer)
        return layer.result, back

    return run


def _recurrent(step: Step) -> Run:
    rule, node = _rule(step), step.node

    def run(values: Values) -> tuple[Tensor, Back]:
        x, *rest = node.resolve_args(values)
        layer = recurrent(node, x, rest)
        back = rule(layer)
        return layer.z, per_unit(back, layer.z) if step.arriving is Form.RELEVANCE else back

    return run


def _activation(step: Step) -> Run:
    """Relevance passes unchanged; per unit of activation that is a factor f(x) / x."""
    assert step.operation is not None
    passes = step.arriving is Form.RELEVANCE
    is_relu, keeps_zero = step.node.operation == "relu", step.operation.keeps_zero
    (name,) = step.routes

    def run(values: Values) -> tuple[Tensor, Back]:
        x, y = values[name], step.node.run(values)
        if passes:
            return y, Back(lambda r: r, lambda v: {})
        factor = Factor(y, gate) if is_relu else Factor(divide(y, x) if keeps_zero else y)
        return y, Back(factor, lambda v: {}, factor.release)

    return run


def _known(step: Step) -> Run | None:
    """What goes back through an adjoint that is written down; None for others."""
    share = _share_of_derivative(step)

    def absorbed(values: Values, v: Tensor) -> Absorbed:
        return _back(step, _reader(step)(values)).absorbed(v)

    known = adjoint(step.node, step.routes, absorbed) if share else None
    if known is None or _converts(step) or _passes(step):
        return None
    return known if share == 1 else partial(_shared, known, share)


def _shared(known: Adjoint, share: float, values: Values) -> tuple[Any, Back]:
    """The same with a share of what it gives back."""
    result, back = known(values)
    pull = back.pull
    return result, Back(lambda v: tuple(_times(share, part) for part in pull(v)), back.absorbed)


def _share_of_derivative(step: Step) -> float:
    """What part of the derivative a step gives to each input; 0 where it gives something else."""
    if step.rule is None:
        return 1.0
    if step.node.operation != "mul":
        return 0.0
    return _OF_PRODUCTS.get(step.rule.definition.function, 0.0)


_OF_PRODUCTS: Mapping[Callable[..., Back], float] = {
    shares.constant_gate: 1.0,
    shares.constant_statistics: 1.0,
    shares.uniform: 0.5,
}


def _times(share: float, part: Tensor) -> Tensor:
    """The part, which is our own, scaled."""
    return part * share if torch.is_grad_enabled() else part.mul_(share)


def _back(step: Step, traced: Traced) -> Back:
    return _rule(step)(traced) if step.rule else _derivative(step, traced)


def _passes(step: Step) -> bool:
    """Whether relevance itself passes from each entry of the result to one of the input."""
    return step.elementwise and step.leaving is Form.RELEVANCE


def _converts(step: Step) -> bool:
    """Whether relevance itself arrives, and relevance per unit leaves."""
    return step.arriving is Form.RELEVANCE and step.leaving is Form.GRADIENT


def _traced(step: Step) -> Run:
    """What goes back through the operation's own derivative, as a rule has it or as it is."""
    read = _reader(step)

    def run(values: Values) -> tuple[Tensor, Back]:
        traced = read(values)
        if _passes(step):
            return traced.z, _unchanged(traced)
        back = _back(step, traced)
        return traced.z, per_unit(back, traced.z) if _converts(step) else back

    return run


def _reader(step: Step) -> Callable[[Values], Traced]:
    """The function from values by name to the operation, run on them."""
    node, routes, places = step.node, step.routes, step.places
    holds = step.kind == "normalisation" and step.rule and not step.rule.definition.any_named
    if holds and node.operation not in ("mul", "div"):
        return lambda values: hold(node.operation, values[routes[0]], node.resolve_args(values)[1:])
    attends = node.operation == "scaled_dot_product_attention"
    function = _function(node, step)
    smooth = _function(replace(node, target=plain_attention), step) if attends else None

    def read(values: Values) -> Traced:
        x = tuple(values[name] for name in routes)
        pull = _to_values(node, values) if attends and places == (2,) else None
        return trace(function(values), x, places, smooth and smooth(values), pull)

    return read


def _to_values(node: Node, values: Values) -> Callable[[Tensor], tuple[Tensor]] | None:
    """The way back of attention to values alone, where it is written down."""
    args = node.resolve_args(values)
    return None if stands_in(args[0]) else values_alone(*args, **node.resolve_kwargs(values))


def _function(node: Node, step: Step) -> Callable[[Values], Callable[..., Tensor]]:
    """From values to the operation as a function of the inputs that receive relevance."""
    node = _with_slots(node, step.places) if step.places else node
    slots = [str(place) for place in step.places] if step.places else step.routes
    others = [name for name in node.inputs if name not in slots]

    def given(values: Values) -> Callable[..., Tensor]:
        held = {name: values[name] for name in others}
        return lambda *leaves: node.run({**held, **dict(zip(slots, leaves, strict=True))})

    return given


def _with_slots(node: Node, places: tuple[int, ...]) -> Node:
    """The same with a name of its own for each of these arguments: one value may be several."""
    args = tuple(Ref(str(i)) if i in places else arg for i, arg in enumerate(node.args))
    return replace(node, args=args)


def _derivative(step: Step, traced: Traced) -> Back:
    relevance = step.leaving is Form.RELEVANCE
    if step.principle is Principle.CHOICE:
        return shares.choice(traced) if relevance else shares.chosen(traced)
    return shares.copied(traced) if relevance else shares.linear(traced)


def _unchanged(traced: Traced) -> Back:
    """Relevance itself passes an operation on each entry as it passes an activation.

    Divided by the values there, it would be lost or without bound where these are near zero.
    """
    shape = traced.x[0].shape
    return Back(lambda r: (r.sum_to_size(shape),), lambda r: {})


def per_unit(back: Back, z: Tensor) -> Back:
    """A way back for relevance per unit of z, made one for relevance itself."""

    def absorbed(r: Tensor) -> Absorbed:
        c = r / stabilise(z, STABILISER)
        found = dict(back.absorbed(c))
        return {**found, "stabiliser": found.get("stabiliser", 0) + c * signed(z, STABILISER)}

    return Back(lambda r: back.pull(r / stabilise(z, STABILISER)), absorbed)
