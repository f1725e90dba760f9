"""Reference implementation of LRP through LSTM, GRU and RNN: one sample, unit by unit.

Written from Arras et al. 2017 and 2019. Slow on purpose, numpy in float64, and independent of the
package: nothing here imports it. Every share is a term of a sum; a bias is part of the sum, but
takes no share:

    R_i = a_i / (z + eps sign z) R      z = sum_i a_i + bias, sign 0 = +1

A product gate * signal gives all of its relevance to the signal; tanh and ReLU pass it on as it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

Array = np.ndarray
Step = Mapping[str, Array]  # what one time step computed, by the letters of torch's documentation


def sigmoid(z: Array) -> Array:
    """1 / (1 + e^-z)."""
    return 1 / (1 + np.exp(-z))


def share(term: float, total: float, relevance: float, eps: float) -> float:
    """Compute the share of a term of a sum; a denominator of exactly zero has no shares to give."""
    denominator = total - eps if total < 0 else total + eps
    return 0.0 if denominator == 0 else term / denominator * relevance


@dataclass(frozen=True)
class Shares:
    """How relevance is shared: eps of every sum, and how much of a product its signal gets.

    signal  1.0 is the rule; a smaller one is wrong, and tests that the comparison notices
    """

    eps: float
    signal: float = 1.0

    def of_sum(self, term: Array, total: Array, relevance: Array) -> Array:
        """Compute the share of a term of sums (units,)."""
        units = zip(term, total, relevance, strict=True)
        return np.array([share(a, z, r, self.eps) for a, z, r in units])

    def of_product(self, relevance: Array) -> Array:
        """Compute the share of the signal in gate * signal."""
        return self.signal * relevance

    def of_weights(self, x: Array, w: Array, total: Array, relevance: Array) -> Array:
        """Compute shares of x (inputs,) in sums (units,) of terms x_i w_ji, w (units, inputs)."""
        below = np.zeros(len(x))
        for j in range(len(w)):
            for i in range(len(x)):
                below[i] += share(x[i] * w[j, i], total[j], relevance[j], self.eps)
        return below


@dataclass(frozen=True)
class Cell:
    """One direction of one layer: its weights by gate, in torch's order.

    w_x (units, inputs)   w_h (units, units)   b_x, b_h (units,)
    """

    w_x: list[Array]
    w_h: list[Array]
    b_x: list[Array]
    b_h: list[Array]

    @classmethod
    def of(cls, layer: nn.RNNBase, at: int, backward: bool) -> "Cell":
        """Split the weights that torch stacks."""
        suffix = f"_l{at}" + "_reverse" * backward
        gates = {nn.LSTM: 4, nn.GRU: 3, nn.RNN: 1}[type(layer)]

        def parts(name: str) -> list[Array]:
            value = getattr(layer, name + suffix, None)
            whole = np.zeros(gates * layer.hidden_size) if value is None else to_numpy(value)
            return np.split(whole, gates)

        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        return cls(*(parts(name) for name in names))

    def z(self, k: int, x: Array, h: Array) -> Array:
        """The whole pre-activation of gate k."""
        return self.w_x[k] @ x + self.b_x[k] + self.w_h[k] @ h + self.b_h[k]


def to_numpy(value: Tensor) -> Array:
    """Convert to numpy, in float64."""
    return value.detach().double().numpy()


# ---- one time step: forward and backward --------------------------------------------------------
# forward  (cell, x, h, c) -> Step with the new h and c
# back     (cell, step, R of h, R of c, shares) -> R of x, of the old h, of the old c


def lstm(cell: Cell, x: Array, h: Array, c: Array) -> Step:
    """Gates i, f, g, o. c' = f c + i g, h' = o tanh c'."""
    i, f, o = (sigmoid(cell.z(k, x, h)) for k in (0, 1, 3))
    z_g = cell.z(2, x, h)
    g = np.tanh(z_g)
    new = f * c + i * g
    return {
        "x": x,
        "old_h": h,
        "old_c": c,
        "i": i,
        "f": f,
        "g": g,
        "z_g": z_g,
        "c": new,
        "h": o * np.tanh(new),
    }


def lstm_back(cell: Cell, s: Step, r_h: Array, r_c: Array, how: Shares) -> tuple[Array, ...]:
    """The output gate's product, the sum of two, then the weights of g alone."""
    r_c = r_c + how.of_product(r_h)
    r_old = how.of_product(how.of_sum(s["f"] * s["old_c"], s["c"], r_c))
    r_g = how.of_product(how.of_sum(s["i"] * s["g"], s["c"], r_c))
    r_x = how.of_weights(s["x"], cell.w_x[2], s["z_g"], r_g)
    return r_x, how.of_weights(s["old_h"], cell.w_h[2], s["z_g"], r_g), r_old


def gru(cell: Cell, x: Array, h: Array, c: Array) -> Step:
    """Gates r, z, n. n = tanh(W x + b + r (U h + b')), h' = (1 - z) n + z h."""
    r, z = (sigmoid(cell.z(k, x, h)) for k in (0, 1))
    z_n = cell.w_x[2] @ x + cell.b_x[2] + r * (cell.w_h[2] @ h + cell.b_h[2])
    n = np.tanh(z_n)
    return {
        "x": x,
        "old_h": h,
        "r": r,
        "z": z,
        "n": n,
        "z_n": z_n,
        "h": (1 - z) * n + z * h,
        "c": c,
    }


def gru_back(cell: Cell, s: Step, r_h: Array, r_c: Array, how: Shares) -> tuple[Array, ...]:
    """The sum of two, then the weights of n; r scales those that h has."""
    r_old = how.of_product(how.of_sum(s["z"] * s["old_h"], s["h"], r_h))
    r_n = how.of_product(how.of_sum((1 - s["z"]) * s["n"], s["h"], r_h))
    r_x = how.of_weights(s["x"], cell.w_x[2], s["z_n"], r_n)
    scaled = s["r"][:, None] * cell.w_h[2]
    return r_x, r_old + how.of_weights(s["old_h"], scaled, s["z_n"], r_n), r_c


def rnn(activation: Callable[[Array], Array]) -> Callable[..., Step]:
    """H' = activation(W x + b + U h + b')."""

    def step(cell: Cell, x: Array, h: Array, c: Array) -> Step:
        z = cell.z(0, x, h)
        return {"x": x, "old_h": h, "z": z, "h": activation(z), "c": c}

    return step


def rnn_back(cell: Cell, s: Step, r_h: Array, r_c: Array, how: Shares) -> tuple[Array, ...]:
    """One sum."""
    r_x = how.of_weights(s["x"], cell.w_x[0], s["z"], r_h)
    return r_x, how.of_weights(s["old_h"], cell.w_h[0], s["z"], r_h), r_c


def step_of(layer: nn.RNNBase) -> tuple[Callable[..., Step], Callable[..., tuple[Array, ...]]]:
    """Return the forward and backward functions of a layer's cell."""
    if isinstance(layer, nn.LSTM):
        return lstm, lstm_back
    if isinstance(layer, nn.GRU):
        return gru, gru_back
    relu = layer.nonlinearity == "relu"
    return rnn((lambda z: np.maximum(z, 0)) if relu else np.tanh), rnn_back


# ---- all steps, directions and layers -----------------------------------------------------------


@dataclass(frozen=True)
class ForwardPass:
    """What a recurrent layer computed for one sample, and what its backward pass needs.

    output (length, directions * units)   h, c (layers * directions, units), as torch gives them
    steps  for each layer and direction its time steps, in the order in which they run
    """

    layer: nn.RNNBase
    output: Array
    h: Array
    c: Array
    steps: list[list[Step]]

    @classmethod
    def forward(
        cls, layer: nn.RNNBase, x: Array, h: Array | None = None, c: Array | None = None
    ) -> "ForwardPass":
        """Take x (length, inputs); h and c are the initial states, zero if left out."""
        step, _ = step_of(layer)
        directions = 1 + layer.bidirectional
        zeros = np.zeros((layer.num_layers * directions, layer.hidden_size))
        first_h, first_c = zeros if h is None else h, zeros if c is None else c
        steps: list[list[Step]] = []
        for at in range(layer.num_layers):
            outputs = []
            for backward in range(directions):
                cell = Cell.of(layer, at, bool(backward))
                now = {"h": first_h[len(steps)], "c": first_c[len(steps)]}
                passed: list[Step] = []
                for row in x[::-1] if backward else x:
                    now = step(cell, row, now["h"], now["c"])
                    passed.append(now)
                steps.append(passed)
                in_order = passed[::-1] if backward else passed
                outputs.append(np.array([s["h"] for s in in_order]))
            x = np.concatenate(outputs, 1)
        ends = [passed[-1] for passed in steps]
        return cls(
            layer, x, np.array([s["h"] for s in ends]), np.array([s["c"] for s in ends]), steps
        )

    def back(
        self,
        how: Shares,
        output: Array | None = None,
        h: Array | None = None,
        c: Array | None = None,
    ) -> Array:
        """Propagate relevance of the output, of h and of c to the input (length, inputs)."""
        layer, units = self.layer, self.layer.hidden_size
        directions = 1 + layer.bidirectional
        relevance = np.zeros_like(self.output) if output is None else output
        for at in reversed(range(layer.num_layers)):
            below: Array | float = 0.0
            for backward in range(directions):
                place = at * directions + backward
                arriving = relevance[:, backward * units : (backward + 1) * units]
                r_h = np.zeros(units) if h is None else h[place]
                r_c = np.zeros(units) if c is None else c[place]
                cell = Cell.of(layer, at, bool(backward))
                reached = self._direction(
                    cell, place, arriving[::-1] if backward else arriving, r_h, r_c, how
                )
                below = below + (reached[::-1] if backward else reached)
            relevance = np.asarray(below)
        return relevance

    def _direction(
        self, cell: Cell, place: int, arriving: Array, r_h: Array, r_c: Array, how: Shares
    ) -> Array:
        _, back = step_of(self.layer)
        reached = []
        for step, r_output in zip(reversed(self.steps[place]), arriving[::-1], strict=True):
            r_x, r_h, r_c = back(cell, step, r_h + r_output, r_c, how)
            reached.append(r_x)
        return np.array(reached[::-1])
