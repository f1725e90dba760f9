"""Reference implementation of LRP through attention: dense, one sample, as the papers write it.

Slow on purpose, numpy in float64, and independent of the package: nothing here imports it. The
rules are those of Achtibat et al. 2024 (AttnLRP) and Ali et al. 2022 (CP-LRP). A test writes its
model with these functions; each takes values that depend on the input (`Value`) or that do not
(arrays), and records how relevance R is propagated to its operands.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np
from torch import Tensor

Array = np.ndarray
Back = Callable[[Array], Sequence[Array]]  # R of the result -> R of each parent
_NUMBERS = count()


@dataclass(eq=False)
class Value:
    """A value that depends on the input, for one sample, and the backward pass to its parents."""

    data: Array
    parents: Sequence["Value"] = ()
    back: Back = tuple
    number: int = field(default_factory=lambda: next(_NUMBERS))


Operand = Value | Array


def data(value: Operand | Tensor) -> Array:
    """Return the numbers, in float64."""
    if isinstance(value, Tensor):
        return value.detach().double().numpy()
    return value.data if isinstance(value, Value) else value


def explain(x: Value, output: Value, k: int) -> Array:
    """Propagate output k, whose relevance is its own value, to x."""
    initial = np.zeros_like(output.data)
    initial[k] = output.data[k]
    waiting = {output: initial}
    while waiting:
        value = max(waiting, key=lambda v: v.number)  # the latest: all its relevance has arrived
        relevance = waiting.pop(value)
        if value is x:
            return relevance
        for parent, part in zip(value.parents, value.back(relevance), strict=True):
            waiting[parent] = waiting.get(parent, 0.0) + part
    raise AssertionError("no relevance reaches x")


def over(relevance: Array, z: Array) -> Array:
    """R / z; a denominator of exactly zero has no shares to give."""
    return np.where(z == 0, 0.0, relevance / np.where(z == 0, 1.0, z))


def _of(terms: Sequence[tuple[Operand, Back | Callable[[Array], Array]]], result: Array) -> Operand:
    """Build a value whose parents are those of `terms` that depend on the input."""
    inside = [(v, back) for v, back in terms if isinstance(v, Value)]
    if not inside:
        return result
    return Value(result, [v for v, _ in inside], lambda r: [back(r) for _, back in inside])


# ---- linear: weights, sums, copies ---------------------------------------------------------------


def linear(x: Operand, weight: Tensor, bias: Tensor | None, eps: float = 0.0) -> Operand:
    """R_i = sum_j x_i w_ij / (z_j + eps sign z_j) R_j on each row of x (rows, inputs)."""
    a, w = data(x), data(weight)
    z = a @ w.T + (0.0 if bias is None else data(bias))

    def back(relevance: Array) -> Array:
        s = over(relevance, np.where(z < 0, z - eps, z + eps))
        below = np.zeros_like(a)
        for row in np.ndindex(a.shape[:-1]):
            for i in range(w.shape[1]):
                for j in range(w.shape[0]):
                    below[(*row, i)] += a[(*row, i)] * w[j, i] * s[(*row, j)]
        return below

    return _of([(x, back)], z)


def add(a: Operand, b: Operand) -> Operand:
    """Each summand of one shape gets its share of the sum."""
    z = data(a) + data(b)
    return _of([(v, lambda r, v=v: data(v) * over(r, z)) for v in (a, b)], z)


def masked(x: Operand, mask: Array) -> Operand:
    """X + mask, where mask may be -inf and has a share like any constant."""
    z = data(x) + mask
    return _of([(x, lambda r: np.where(np.isinf(z), 0.0, data(x) * over(r, z)))], z)


def scale(x: Operand, factor: Array | float) -> Operand:
    """X times a constant."""
    return _of([(x, lambda r: r)], data(x) * factor)


def move(x: Operand, how: Callable[[Array], Array]) -> Operand:
    """Move or repeat entries of x; `how` is applied to their positions, too."""
    a = data(x)
    places = how(np.arange(a.size).reshape(a.shape))

    def back(relevance: Array) -> Array:
        below = np.zeros(a.size)
        for place, r in zip(places.reshape(-1), relevance.reshape(-1), strict=True):
            below[place] += r
        return below.reshape(a.shape)

    return _of([(x, back)], a.reshape(-1)[places])


def join(values: Sequence[Operand], axis: int) -> Operand:
    """Concatenate values."""
    ends = np.cumsum([data(v).shape[axis] for v in values])
    begins = [0, *ends[:-1]]

    def part(begin: int, end: int) -> Callable[[Array], Array]:
        return lambda r: np.take(r, range(begin, end), axis)

    backs = [part(begin, end) for begin, end in zip(begins, ends, strict=True)]
    joined = np.concatenate([data(v) for v in values], axis)
    return _of(list(zip(values, backs, strict=True)), joined)


def mean(x: Operand, axis: int | tuple[int, ...]) -> Operand:
    """Each entry gets its share of the sum."""
    a = data(x)
    z = a.sum(axis, keepdims=True)
    return _of([(x, lambda r: a * over(r.reshape(z.shape), z))], a.mean(axis))


# ---- nonlinear functions -------------------------------------------------------------------------


def activation(x: Operand, function: Callable[[Array], Array]) -> Operand:
    """Pass relevance on unchanged."""
    return _of([(x, lambda r: r)], function(data(x)))


def softmax(x: Operand, constant: bool = False) -> Operand:
    """R_i = x_i (R_i - s_i sum_j R_j) on each row; constant: nothing."""
    a = data(x)
    s = np.exp(a - a.max(-1, keepdims=True))
    s = s / s.sum(-1, keepdims=True)
    if constant:
        return s

    def back(relevance: Array) -> Array:
        below = np.zeros_like(a)
        for row in np.ndindex(a.shape[:-1]):
            total = relevance[row].sum()
            for i in range(a.shape[-1]):
                if s[(*row, i)] != 0:
                    below[(*row, i)] = a[(*row, i)] * (relevance[(*row, i)] - s[(*row, i)] * total)
        return below

    return _of([(x, back)], s)


def matmul(a: Operand, b: Operand) -> Operand:
    """z_ij = sum_k a_ik b_kj: of each term's share half to each factor, or all to the only one."""
    left, right = data(a), data(b)
    z = left @ right
    part = 0.5 if isinstance(a, Value) and isinstance(b, Value) else 1.0

    def back(relevance: Array) -> tuple[Array, Array]:
        of_a, of_b, s = np.zeros_like(left), np.zeros_like(right), over(relevance, z)
        for i, j in np.ndindex(z.shape):
            for k in range(left.shape[1]):
                share = part * left[i, k] * right[k, j] * s[i, j]
                of_a[i, k] += share
                of_b[k, j] += share
        return of_a, of_b

    return _of([(a, lambda r: back(r)[0]), (b, lambda r: back(r)[1])], z)


def product(a: Operand, b: Operand, rule: str = "uniform") -> Operand:
    """The product a * b, entry by entry.

    uniform: half each; proportional: by size; first: all to a, as b is a gate or a statistic
    """
    left, right = np.abs(data(a)), np.abs(data(b))
    part = {
        "uniform": np.full_like(left, 0.5),
        "proportional": over(left, left + right),
        "first": np.ones_like(left),
    }[rule]
    return _of([(a, lambda r: part * r), (b, lambda r: (1 - part) * r)], data(a) * data(b))


def normalise(
    x: Operand,
    groups: Sequence[Array],
    weight: Array | float = 1.0,
    bias: Array | float = 0.0,
    *,
    centred: bool,
    eps: float,
) -> Operand:
    """Gives y = (x - mean) / std w + b over each group of x's entries, std held constant.

    groups   places in x.reshape(-1)   weight, bias  of the shape of x
    centred  without: y = x / sqrt(mean x^2 + eps) w + b
    R_i = x_i sum_j J_ji R_j / y_j, J the derivative of y with std held constant
    """
    a = data(x).reshape(-1)
    w, b = (np.broadcast_to(v, data(x).shape).reshape(-1) for v in (weight, bias))
    y, jacobian = np.zeros_like(a), np.zeros((a.size, a.size))  # [j, i]
    for group in groups:
        middle = a[group].mean() if centred else 0.0
        std = np.sqrt(((a[group] - middle) ** 2).mean() + eps)
        y[group] = (a[group] - middle) / std * w[group] + b[group]
        for j in group:
            for i in group:
                jacobian[j, i] = w[j] / std * ((i == j) - centred / len(group))
    back = lambda r: (a * (jacobian.T @ over(r.reshape(-1), y))).reshape(data(x).shape)  # noqa: E731
    return _of([(x, back)], y.reshape(data(x).shape))


# ---- attention -----------------------------------------------------------------------------------


def attention(
    q: Operand,
    k: Operand,
    v: Operand,
    mask: Array | None = None,
    factor: float | None = None,
    constant: bool = False,
) -> Operand:
    """softmax(q k^T factor + mask) v of one head, (length, width); constant: the weights are."""
    factor = data(q).shape[1] ** -0.5 if factor is None else factor
    scores = scale(matmul(q, move(k, np.transpose)), factor)
    scores = scores if mask is None else masked(scores, mask)
    return matmul(softmax(scores, constant), v)


def heads(
    q: Operand, k: Operand, v: Operand, of_q: int, of_k: int | None = None, **how: object
) -> Operand:
    """Attention by heads, each some columns; several of q's may share one of k and v."""
    of_k = of_k or of_q

    def head(x: Operand, number: int, of: int) -> Operand:
        return move(x, lambda n: np.split(n, of, 1)[number])

    results = []
    for h in range(of_q):
        shared = h // (of_q // of_k)
        results.append(
            attention(head(q, h, of_q), head(k, shared, of_k), head(v, shared, of_k), **how)
        )
    return join(results, 1)
