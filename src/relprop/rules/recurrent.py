"""Recurrent layers (LSTM, GRU, RNN), run step by step, and their rule.

All three are one cell, whose gates between 0 and 1 are held constant in the backward pass:

    pre_t = W x_t + b + reset_t (U h_{t-1} + b')       new_t = tanh(pre_t), or relu
    s_t   = keep_t s_{t-1} + write_t new_t             h_t = out_t tanh(s_t), or s_t

T, B, D, H   time steps, batch, input features, hidden units; tensors are (T, B, ...) in here
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import linear

from ..support.numerics import divide, signed
from .backward import Absorbed, Back, Cause
from .own_sum import damp

RESULTS = {"lstm": ("output", "h", "s"), "gru": ("output", "h")}


class Cell(NamedTuple):
    """One time step, (B, H) each; of a whole pass, (T, B, H) each."""

    hidden: Tensor
    pre: Tensor
    new: Tensor
    state: Tensor
    keep: Tensor
    write: Tensor
    reset: Tensor
    out: Tensor


@dataclass(frozen=True)
class Pass:
    """One direction of one layer, run over all time steps.

    Attributes:
        signal: W (H, D) of the signal, without the gates.
        recurrent: U (H, H) of the signal.
        shift: b (H,), or 0.
        inner: b' (H,), or 0.
        cells: All time steps (T, B, H), in the order in which they ran.
        state_0: The initial state (B, H).
        hidden_0: The initial hidden state (B, H).
        sums: Whether the state is a sum of two terms.
        squashes: Whether the output is tanh of the state.
        reverse: Whether it ran from the last time step to the first.
    """

    signal: Tensor
    recurrent: Tensor
    shift: Tensor | float
    inner: Tensor | float
    cells: Cell
    state_0: Tensor
    hidden_0: Tensor
    sums: bool
    squashes: bool
    reverse: bool

    @property
    def hidden(self) -> Tensor:
        """Compute h (T, B, H), in the order in which it ran."""
        state = self.cells.state
        return self.cells.out * (state.tanh() if self.squashes else state)

    def in_order(self, values: Tensor) -> Tensor:
        """Turn time steps of this pass to the order of the input, or back."""
        return values.flip(0) if self.reverse else values


@dataclass(frozen=True)
class Layers:
    """A recurrent module that was run on a batch, all layers and directions of it.

    Attributes:
        passes: By layer, then by direction.
        output: Hidden states of the last layer (T, B, directions x H).
        batch_first: Whether the model's own layout is (B, T, ...).
    """

    passes: tuple[tuple[Pass, ...], ...]
    output: Tensor
    batch_first: bool


@dataclass(frozen=True)
class Recurrent:
    """One result of a recurrent module: all that a rule may know of it.

    Attributes:
        layers: The module that was run.
        result: "output", or "h" or "s": the last states (layers x directions, B, H).
        z: That result, in the layout of the model.
    """

    layers: Layers
    result: str
    z: Tensor


def run_layers(operation: str, x: Tensor, args: Sequence[Any]) -> Layers:
    """Run a recurrent module.

    Args:
        operation: "lstm", "gru", "rnn_tanh" or "rnn_relu".
        x: Input, (T, B, D) or (B, T, D).
        args: The other arguments, as torch.lstm, torch.gru and torch.rnn_tanh take them.
    """
    states, parameters, biases, layers, _, _, both, batch_first = args
    x = x.transpose(0, 1) if batch_first else x
    states = states if isinstance(states, (list, tuple)) else (states, states)
    directions, size = (2 if both else 1), (4 if biases else 2)
    passes: list[tuple[Pass, ...]] = []
    for layer in range(layers):
        by_direction = []
        for direction in range(directions):
            i = layer * directions + direction
            weights = [*parameters[i * size : (i + 1) * size], None, None][:4]
            initial = (states[0][i], states[-1][i])
            by_direction.append(_run_pass(operation, x, weights, initial, direction == 1))
        passes.append(tuple(by_direction))
        x = torch.cat([p.in_order(p.hidden) for p in by_direction], -1)
    return Layers(tuple(passes), x, batch_first)


def select_result(layers: Layers, operation: str, index: int) -> Recurrent:
    """Select one of the results that torch returns: output, h, and the state of an LSTM."""
    result = RESULTS.get(operation, RESULTS["gru"])[index]
    if result == "output":
        output = layers.output
        z = output.transpose(0, 1).contiguous() if layers.batch_first else output
        return Recurrent(layers, result, z)
    passes = [p for layer in layers.passes for p in layer]
    last = [(p.hidden if result == "h" else p.cells.state)[-1] for p in passes]
    return Recurrent(layers, result, torch.stack(last))


def _run_pass(
    operation: str, x: Tensor, weights: list[Any], initial: tuple[Tensor, Tensor], reverse: bool
) -> Pass:
    w, u, b, c = weights
    hidden, state = initial
    x = x.flip(0) if reverse else x
    from_x, cells = linear(x, w, b), list[Cell]()
    for at in from_x:  # each step needs the one before it
        cells.append(_CELLS[operation](at, linear(hidden, u, c), hidden, state))
        hidden, state = cells[-1].hidden, cells[-1].state
    rows = _signal_rows(operation, len(initial[0][0]) if initial[0].ndim else 0)
    return Pass(
        signal=w[rows],
        recurrent=u[rows],
        shift=0.0 if b is None else b[rows],
        inner=0.0 if c is None else c[rows],
        cells=Cell(*(torch.stack(values) for values in zip(*cells, strict=True))),
        state_0=initial[1],
        hidden_0=initial[0],
        sums=operation in ("lstm", "gru"),
        squashes=operation == "lstm",
        reverse=reverse,
    )


def _signal_rows(operation: str, hidden: int) -> slice:
    """Select the rows of torch's weights that belong to the signal, not to a gate."""
    return slice(2 * hidden, 3 * hidden) if operation in ("lstm", "gru") else slice(0, hidden)


def _lstm(a: Tensor, b: Tensor, hidden: Tensor, state: Tensor) -> Cell:
    i, f, pre, o = (a + b).chunk(4, -1)
    write, keep, out, new = i.sigmoid(), f.sigmoid(), o.sigmoid(), pre.tanh()
    state = keep * state + write * new
    return Cell(out * state.tanh(), pre, new, state, keep, write, torch.ones_like(pre), out)


def _gru(a: Tensor, b: Tensor, hidden: Tensor, state: Tensor) -> Cell:
    (r, z, n), (r_h, z_h, n_h) = a.chunk(3, -1), b.chunk(3, -1)
    reset, keep = (r + r_h).sigmoid(), (z + z_h).sigmoid()
    pre = n + reset * n_h
    new = pre.tanh()
    state = keep * hidden + (1 - keep) * new
    return Cell(state, pre, new, state, keep, 1 - keep, reset, torch.ones_like(pre))


def _rnn(function: Callable[[Tensor], Tensor]) -> Callable[..., Cell]:
    def cell(a: Tensor, b: Tensor, hidden: Tensor, state: Tensor) -> Cell:
        pre = a + b
        new, ones = function(pre), torch.ones_like(pre)
        return Cell(new, pre, new, new, torch.zeros_like(pre), ones, ones, ones)

    return cell


_CELLS: dict[str, Callable[..., Cell]] = {
    "lstm": _lstm,
    "gru": _gru,
    "rnn_tanh": _rnn(torch.tanh),
    "rnn_relu": _rnn(torch.relu),
}


def signal_takes_all(op: Recurrent, *, epsilon: float = 1e-3) -> Back:
    """Hold gates constant: signals take all, and sums share by epsilon.

    R_i = x_i w_ij / (z_j + epsilon sign z_j) R_j for the sum before tanh, biases in z_j, and for
    the two terms of the state. Absorbs what biases, epsilon and the initial states contributed.

    Source: Arras et al. 2017 and 2019.
    """

    def absorbed(c: Tensor) -> Absorbed:
        _, amounts = _backward(op, c, epsilon)
        return {cause: _at_first_entries(op, amount) for cause, amount in amounts.items()}

    return Back(lambda c: _backward(op, c, epsilon)[0], absorbed)


def _at_first_entries(op: Recurrent, amount: Tensor) -> Tensor:
    """Put an amount per sample (B,) at the first entry of each sample, in z's shape."""
    by_batch = op.layers.batch_first and op.result == "output"
    full = torch.zeros_like(op.z)
    first = full[:, 0, 0] if by_batch else full[0, :, 0]
    first += amount
    return full


def _backward(op: Recurrent, c: Tensor, epsilon: float) -> tuple[Tensor, dict[Cause, Tensor]]:
    """Compute relevance per unit of x, and what is absorbed by cause and sample (B,)."""
    passes, batch_first = op.layers.passes, op.layers.batch_first
    hidden, last_h, last_s = _initial(op, c)
    absorbed: dict[Cause, Tensor] = {}
    for layer in range(len(passes) - 1, -1, -1):
        by_direction, below = hidden.chunk(len(passes[layer]), -1), []
        for direction, p in enumerate(passes[layer]):
            i = layer * len(passes[layer]) + direction
            arriving = p.in_order(by_direction[direction])
            at_pre, amounts = _backward_through_time(p, arriving, last_h[i], last_s[i], epsilon)
            below.append(p.in_order(at_pre) @ p.signal)
            absorbed = {cause: absorbed.get(cause, 0) + amounts[cause] for cause in amounts}
        hidden = torch.stack(below).sum(0)
    return hidden.transpose(0, 1) if batch_first else hidden, absorbed


def _initial(op: Recurrent, c: Tensor) -> tuple[Tensor, Any, Any]:
    """Return what arrives at the last layer's outputs, at each pass's last h and last state."""
    passes = op.layers.passes
    nothing = [0.0] * sum(len(layer) for layer in passes)
    if op.result == "output":
        return (c.transpose(0, 1) if op.layers.batch_first else c), nothing, nothing
    outputs = torch.cat([torch.zeros_like(p.cells.state) for p in passes[-1]], -1)
    return (outputs, c, nothing) if op.result == "h" else (outputs, nothing, c)


def _backward_through_time(
    p: Pass, c_hidden: Tensor, c_last_h: Any, c_last_s: Any, epsilon: float
) -> tuple[Tensor, dict[Cause, Tensor]]:
    """Compute what arrives at each `pre` (T, B, H), and what is absorbed by sample (B,)."""
    cells = p.cells
    to_state = cells.out * (divide(cells.state.tanh(), cells.state) if p.squashes else 1)
    to_pre = cells.write * divide(cells.new, cells.pre)
    c_h, c_s, at_pre, at_state = c_last_h, c_last_s, [], []
    for t in range(len(cells.pre) - 1, -1, -1):
        c_s = c_s + (c_hidden[t] + c_h) * to_state[t]
        c_s = damp(c_s, cells.state[t].abs(), epsilon) if p.sums and epsilon else c_s
        c_pre = c_s * to_pre[t]
        c_pre = damp(c_pre, cells.pre[t].abs(), epsilon) if epsilon else c_pre
        at_state.append(c_s)
        at_pre.append(c_pre)
        c_h, c_s = (c_pre * cells.reset[t]) @ p.recurrent, c_s * cells.keep[t]
    pre, state = torch.stack(at_pre[::-1]), torch.stack(at_state[::-1])
    absorbed: dict[Cause, Tensor] = {
        "bias": (pre * (p.shift + cells.reset * p.inner)).sum((0, 2)),
        "stabiliser": (pre * signed(cells.pre, epsilon)).sum((0, 2))
        + (state * signed(cells.state, epsilon)).sum((0, 2)) * p.sums,
        "constants": (c_h * p.hidden_0 + c_s * p.state_0).sum(-1),
    }
    return pre, absorbed
