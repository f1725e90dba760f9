"""Recurrent layers, LSTM, GRU and RNN, run step by step so that relevance can be walked back.

All three are one cell, with gates between 0 and 1 that are held constant on the way back:

    pre_t = W x_t + b + reset_t (U h_{t-1} + b')       n_t = tanh(pre_t), or relu
    s_t   = keep_t s_{t-1} + write_t n_t               h_t = out_t tanh(s_t), or s_t

T, B, D, H   time steps, batch, input features, hidden units; everything is (T, B, ...) here
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from ..graph.ir import Node
from ..support.numerics import divide, signed
from .backward import Absorbed, Back, Cause
from .scaling import damp

RESULTS = {"lstm": ("output", "h", "s"), "gru": ("output", "h")}


@dataclass(frozen=True)
class Pass:
    """One direction of one layer, run over all time steps, in the order in which it ran.

    signal, recurrent  W (H, D) and U (H, H) of the signal, its gates left out
    shift, inner       b and b' (H,), or 0
    pre, new, state, keep, write, reset, out   (T, B, H) each
    state_0, hidden_0  (B, H)
    sums               the state is a sum of two terms, and its output tanh of it where `squashes`
    """

    signal: Tensor
    recurrent: Tensor
    shift: Tensor | float
    inner: Tensor | float
    pre: Tensor
    new: Tensor
    state: Tensor
    keep: Tensor
    write: Tensor
    reset: Tensor
    out: Tensor
    state_0: Tensor
    hidden_0: Tensor
    sums: bool
    squashes: bool
    backwards: bool

    @property
    def hidden(self) -> Tensor:
        """H (T, B, H), in the order in which it ran."""
        return self.out * (self.state.tanh() if self.squashes else self.state)


@dataclass(frozen=True)
class Recurrent:
    """A recurrent layer, run: all that a rule may know of it.

    passes   one for each layer and direction, layers first
    result   "output" (T, B, directions x H), "h" or "s" (layers x directions, B, H): the states
             after the last step
    z        that result, in the layout of the model
    """

    passes: tuple[tuple[Pass, ...], ...]
    result: str
    batch_first: bool
    z: Tensor


Cell = Callable[..., tuple[Tensor, ...]]


def recurrent(node: Node, x: Tensor, rest: Sequence[Any]) -> Recurrent:
    """Run a recurrent layer. Arguments as torch.lstm, torch.gru and torch.rnn_tanh have them."""
    states, parameters, biases, layers, _, _, both, batch_first = rest
    x = x.transpose(0, 1) if batch_first else x
    states = states if isinstance(states, (list, tuple)) else (states, states)
    directions, size = (2 if both else 1), (4 if biases else 2)
    passes: list[tuple[Pass, ...]] = []
    for layer in range(layers):
        found = []
        for direction in range(directions):
            i = layer * directions + direction
            weights = [*parameters[i * size : (i + 1) * size], None, None][:4]
            initial = (states[0][i], states[-1][i])
            found.append(_run(node.operation, x, weights, initial, direction == 1))
        passes.append(tuple(found))
        x = torch.cat([_forwards(p, p.hidden) for p in found], -1)
    result = RESULTS.get(node.operation, RESULTS["gru"])[node.item or 0]
    return Recurrent(tuple(passes), result, batch_first, _result(passes, x, result, batch_first))


def _result(passes: Any, output: Tensor, result: str, batch_first: bool) -> Tensor:
    if result == "output":
        return output.transpose(0, 1).contiguous() if batch_first else output
    last = [(p.hidden if result == "h" else p.state)[-1] for layer in passes for p in layer]
    return torch.stack(last)


def _forwards(p: Pass, value: Tensor) -> Tensor:
    return value.flip(0) if p.backwards else value


def _run(
    operation: str, x: Tensor, weights: list[Any], initial: tuple[Tensor, Tensor], backwards: bool
) -> Pass:
    w, u, b, c = weights
    hidden, state = initial
    x = x.flip(0) if backwards else x
    from_x, steps = linear(x, w, b), []
    for at in from_x:  # a step needs the one before it
        steps.append(_CELLS[operation](at, linear(hidden, u, c), hidden, state))
        hidden, state = steps[-1][0], steps[-1][3]
    _, pre, new, states, keep, write, reset, out = (
        torch.stack(v) for v in zip(*steps, strict=True)
    )
    rows = _signal_rows(operation, len(initial[0][0]) if initial[0].ndim else 0)
    return Pass(
        *(w[rows], u[rows]),
        *(0.0 if b is None else b[rows], 0.0 if c is None else c[rows]),
        *(pre, new, states, keep, write, reset, out),
        state_0=initial[1],
        hidden_0=initial[0],
        sums=operation in ("lstm", "gru"),
        squashes=operation == "lstm",
        backwards=backwards,
    )


def _signal_rows(operation: str, hidden: int) -> slice:
    return slice(2 * hidden, 3 * hidden) if operation in ("lstm", "gru") else slice(0, hidden)


def _lstm(a: Tensor, b: Tensor, hidden: Tensor, state: Tensor) -> tuple[Tensor, ...]:
    i, f, pre, o = (a + b).chunk(4, -1)
    write, keep, out, new = i.sigmoid(), f.sigmoid(), o.sigmoid(), pre.tanh()
    state = keep * state + write * new
    return out * state.tanh(), pre, new, state, keep, write, torch.ones_like(pre), out


def _gru(a: Tensor, b: Tensor, hidden: Tensor, state: Tensor) -> tuple[Tensor, ...]:
    (r, z, n), (r_h, z_h, n_h) = a.chunk(3, -1), b.chunk(3, -1)
    reset, keep = (r + r_h).sigmoid(), (z + z_h).sigmoid()
    pre = n + reset * n_h
    new = pre.tanh()
    state = keep * hidden + (1 - keep) * new
    return state, pre, new, state, keep, 1 - keep, reset, torch.ones_like(pre)


def _rnn(function: Callable[[Tensor], Tensor]) -> Cell:
    def cell(a: Tensor, b: Tensor, hidden: Tensor, state: Tensor) -> tuple[Tensor, ...]:
        pre = a + b
        new, one = function(pre), torch.ones_like(pre)
        return new, pre, new, new, torch.zeros_like(pre), one, one, one

    return cell


_CELLS: dict[str, Cell] = {
    "lstm": _lstm,
    "gru": _gru,
    "rnn_tanh": _rnn(torch.tanh),
    "rnn_relu": _rnn(torch.relu),
}


def signal_takes_all(step: Recurrent, *, epsilon: float = 1e-3) -> Back:
    """Gates are held constant and signals take all; sums share by epsilon.

    R_i = x_i w_ij / (z_j + epsilon sign z_j) R_j for the sum before tanh, biases in z_j, and for
    the two terms of the state. Absorbs what biases, epsilon and the initial states contributed.
    Source: Arras et al. 2017 and 2019.
    """

    def absorbed(c: Tensor) -> Absorbed:
        return {cause: _noted(step, v) for cause, v in _walk(step, c, epsilon)[1].items()}

    return Back(lambda c: _walk(step, c, epsilon)[0], absorbed)


def _noted(step: Recurrent, amount: Tensor) -> Tensor:
    """An amount by sample (B,) in the shape of the result, at the first entry of each sample."""
    by_batch = step.batch_first and step.result == "output"
    full = torch.zeros_like(step.z)
    first = full[:, 0, 0] if by_batch else full[0, :, 0]
    first += amount
    return full


def _walk(step: Recurrent, c: Tensor, epsilon: float) -> tuple[Tensor, dict[Cause, Tensor]]:
    """Relevance per unit of x, and what was absorbed, by cause and sample (B,)."""
    hidden, last_h, last_s = _arriving(step, c)
    absorbed: dict[Cause, Tensor] = {}
    for layer in range(len(step.passes) - 1, -1, -1):
        parts, below = hidden.chunk(len(step.passes[layer]), -1), []
        for d, p in enumerate(step.passes[layer]):
            i = layer * len(step.passes[layer]) + d
            at_pre, lost = _through(p, _forwards(p, parts[d]), last_h[i], last_s[i], epsilon)
            below.append(_forwards(p, at_pre) @ p.signal)
            absorbed = {cause: absorbed.get(cause, 0) + lost[cause] for cause in lost}
        hidden = torch.stack(below).sum(0)
    return hidden.transpose(0, 1) if step.batch_first else hidden, absorbed


def _arriving(step: Recurrent, c: Tensor) -> tuple[Tensor, Any, Any]:
    """What arrives at the outputs of the last layer, and at each pass's last h and last state."""
    nothing = [0.0] * sum(len(layer) for layer in step.passes)
    if step.result == "output":
        return (c.transpose(0, 1) if step.batch_first else c), nothing, nothing
    outputs = torch.cat([torch.zeros_like(p.state) for p in step.passes[-1]], -1)
    return (outputs, c, nothing) if step.result == "h" else (outputs, nothing, c)


def _through(
    p: Pass, c_hidden: Tensor, c_last_h: Any, c_last_s: Any, epsilon: float
) -> tuple[Tensor, dict[Cause, Tensor]]:
    """What arrives at each `pre` (T, B, H), and what was absorbed by sample (B,)."""
    passed = p.out * (divide(p.state.tanh(), p.state) if p.squashes else 1)
    written = p.write * divide(p.new, p.pre)
    c_h, c_s, at_pre, at_state = c_last_h, c_last_s, [], []
    for t in range(len(p.pre) - 1, -1, -1):
        c_s = c_s + (c_hidden[t] + c_h) * passed[t]
        c_s = damp(c_s, p.state[t].abs(), epsilon) if p.sums and epsilon else c_s
        c_pre = c_s * written[t]
        c_pre = damp(c_pre, p.pre[t].abs(), epsilon) if epsilon else c_pre
        at_state.append(c_s)
        at_pre.append(c_pre)
        c_h, c_s = (c_pre * p.reset[t]) @ p.recurrent, c_s * p.keep[t]
    pre, state = torch.stack(at_pre[::-1]), torch.stack(at_state[::-1])
    lost: dict[Cause, Tensor] = {
        "bias": (pre * (p.shift + p.reset * p.inner)).sum((0, 2)),
        "stabiliser": (pre * signed(p.pre, epsilon)).sum((0, 2))
        + (state * signed(p.state, epsilon)).sum((0, 2)) * p.sums,
        "constants": (c_h * p.hidden_0 + c_s * p.state_0).sum(-1),
    }
    return pre, lost
