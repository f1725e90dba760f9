"""What the table of operations says, held to what torch computes.

Each operation without a rule has a sample call here. A new row of the table needs one as well.
"""

from typing import Any

import pytest
import torch
from torch import Tensor

from relprop.graph.ir import Node, Ref
from relprop.graph.ops import OPERATIONS, Operation, Principle, operation_of

GENERATOR = torch.Generator().manual_seed(0)


def random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


def names(*principles: Principle) -> list[str]:
    return [name for name, operation in OPERATIONS.items() if operation.principle in principles]


def node(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Node:
    """A node whose first argument is the model's input, and whose other tensors are parameters."""
    args = (Ref("x"), *(Ref("w") if isinstance(arg, Tensor) else arg for arg in args[1:]))
    target = getattr(torch.ops.aten, name, None)
    return Node("node", name, target, args, kwargs, "", "", 0, (), True)


# ---- activations ---------------------------------------------------------------------------------

LINE = torch.arange(-20, 21).double() / 5
ACTIVATION_ARGS: dict[str, list[tuple[Any, ...]]] = {
    "prelu": [(torch.tensor([0.25]).double(),)],
    "threshold": [(0.5, 2.0)],
    "hardtanh": [(), (0.0, 2.0), (-2.0, -1.0)],
    "clamp": [(-1.0, 1.0), (0.0,), (None, 3.0), (0.5, 2.0)],
    "clamp_min": [(0.0,), (-1.0,)],
    "clamp_max": [(1.0,), (-1.0,)],
    "pow": [(1,), (2,), (3,), (0.5,), (0,), (-1,), (-2,)],
    "leaky_relu": [(), (0.3,)],
}
ACTIVATIONS = [
    (name, args) for name in names(Principle.ACTIVATION) for args in ACTIVATION_ARGS.get(name, [()])
]


@pytest.mark.parametrize(("name", "args"), ACTIVATIONS, ids=str)
def test_an_activation_is_what_the_table_says(name, args):
    def f(x: Tensor) -> Tensor:
        return getattr(torch.ops.aten, name)(x, *args)

    for known in (operation_of(node(name, (LINE, *args), {})), OPERATIONS[name]):
        assert known is not None
        y = f(LINE)
        each = torch.cat([f(x[None]) for x in LINE])
        torch.testing.assert_close(y, each, rtol=1e-14, atol=1e-14, equal_nan=True)
        if known.keeps_zero:
            assert y[LINE == 0] == 0
        if known.finite_at_zero:
            assert y[LINE == 0].isfinite()
        if known.keeps_sign:
            assert (y * LINE >= 0).all()
        if known.rectifies:
            assert (y[LINE <= 0] == 0).all()
        assert_nonnegative(known, y, f(LINE[LINE >= 0]))
        if known.gate:
            bounded = f(torch.tensor([-1e6, 1e6]).double()).abs().max()
            assert bounded <= 10
        if known.gate == "open":
            assert ((y >= 0) & (y <= 1)).all()


def assert_nonnegative(known: Operation, y: Tensor, y_of_nonnegative: Tensor) -> None:
    """NaN, as sqrt gives it for what is negative, counts as no number at all."""
    if known.nonnegative == "always":
        assert not (y < 0).any()
    if known.nonnegative != "never":
        assert not (y_of_nonnegative < 0).any()


# ---- selections, choices and linear operations ---------------------------------------------------

X = random(2, 4, 4, 4)
SERIES, VOLUME, ROW = random(2, 4, 4), random(2, 4, 4, 4, 4), random(2, 4)
INDEX = torch.tensor([[3, 1, 0, 0], [2, 2, 1, 3]])
MASK = torch.tensor([[True, False, True, True], [False, True, True, False]])
PARTS = torch.tensor([3, 1, 0])
POOLED_2D = torch.nn.functional.max_pool2d(X, 2, return_indices=True)
POOLED_3D = torch.nn.functional.max_pool3d(VOLUME, 2, return_indices=True)
GRID = torch.rand(2, 3, 3, 2, generator=GENERATOR, dtype=torch.float64) - 0.5
STATISTICS = (random(4), random(4), random(4), random(4).abs() + 1)
# The first argument depends on the model's input; a dict at the end holds keyword arguments.
CALLS: dict[str, tuple[Any, ...]] = {
    "view": (X, [2, 64]),
    "reshape": (X, [2, 64]),
    "_unsafe_view": (X, [2, 64]),
    "view_as": (X, random(2, 64)),
    "flatten": (X, 1),
    "unflatten": (X, 1, [2, 2]),
    "squeeze": (X[:1],),
    "unsqueeze": (X, 1),
    "permute": (X, [1, 3, 0, 2]),
    "transpose": (X, 1, 2),
    "t": (ROW,),
    "movedim": (X, 0, 1),
    "swapaxes": (X, 0, 1),
    "contiguous": (X,),
    "clone": (X,),
    "alias": (X,),
    "to": (X, torch.float64),
    "_to_copy": (X,),
    "type_as": (X, ROW),
    "slice": (X, 1, 1, 3),
    "select": (X, 1, 2),
    "narrow": (X, 1, 1, 2),
    "cat": ([X, X], 1),
    "stack": ([X, X], 1),
    "expand": (X[:, :1], [2, 4, 4, 4]),
    "expand_as": (X[:, :1], X),
    "repeat": (X, [1, 2, 1, 1]),
    "tile": (X, [1, 2]),
    "repeat_interleave": (X, 2, 1),
    "flip": (X, [1, 2]),
    "roll": (X, [1], [1]),
    "rot90": (X, 1, [2, 3]),
    "index": (X, [None, PARTS]),
    "index_select": (X, 1, PARTS),
    "gather": (ROW, 1, INDEX),
    "take_along_dim": (ROW, INDEX, 1),
    "pixel_shuffle": (X, 2),
    "pixel_unshuffle": (X, 2),
    "channel_shuffle": (X, 2),
    "native_channel_shuffle": (X, 2),
    "pad": (X, [1, 1]),
    "constant_pad_nd": (X, [1, 1]),
    "reflection_pad1d": (SERIES, [1, 1]),
    "reflection_pad2d": (X, [1, 1, 1, 1]),
    "replication_pad1d": (SERIES, [1, 1]),
    "replication_pad2d": (X, [1, 1, 1, 1]),
    "chunk": (X, 2, 1),
    "split": (X, 2, 1),
    "split_with_sizes": (X, [1, 3], 1),
    "unsafe_split": (X, 2, 1),
    "unbind": (X, 1),
    "diagonal": (X, 0, 1, 2),
    "unfold": (X, 1, 2, 1),
    "im2col": (X, [2, 2], [1, 1], [0, 0], [1, 1]),
    "tril": (X,),
    "triu": (X,),
    "where": (ROW, MASK, 0.0),
    "masked_fill": (ROW, MASK, 0.0),
    "masked_scatter": (ROW, MASK, random(8)),
    "max_unpool2d": (POOLED_2D[0], POOLED_2D[1], [4, 4]),
    "max_unpool3d": (POOLED_3D[0], POOLED_3D[1], [4, 4, 4], [2, 2, 2], [0, 0, 0]),
    "upsample_nearest1d": (SERIES, [8]),
    "upsample_nearest2d": (X, [8, 8]),
    "upsample_nearest3d": (VOLUME, [8, 8, 8]),
    "_upsample_nearest_exact1d": (SERIES, [8]),
    "_upsample_nearest_exact2d": (X, [8, 8]),
    "_upsample_nearest_exact3d": (VOLUME, [8, 8, 8]),
    "max_pool1d": (SERIES, [2]),
    "max_pool2d": (X, [2, 2]),
    "max_pool3d": (VOLUME, [2, 2, 2]),
    "max_pool2d_with_indices": (X, [2, 2]),
    "max_pool3d_with_indices": (VOLUME, [2, 2, 2]),
    "adaptive_max_pool1d": (SERIES, [2]),
    "adaptive_max_pool2d": (X, [2, 2]),
    "adaptive_max_pool3d": (VOLUME, [2, 2, 2]),
    "topk": (X, 2, 1),
    "sort": (X, 1),
    "cummax": (X, 1),
    "cummin": (X, 1),
    "maximum": (X, torch.zeros_like(X)),
    "minimum": (X, torch.zeros_like(X)),
    "amax": (X, [1]),
    "amin": (X, [1]),
    "max": (X, 1),
    "min": (X, 1),
    "median": (X, 1),
    "kthvalue": (X, 2, 1),
    "add": (X, 2.0),
    "sub": (X, 2.0),
    "rsub": (X, 2.0),
    "neg": (X,),
    "mean": (X, [1]),
    "sum": (X, [1]),
    "cumsum": (X, 1),
    "upsample_linear1d": (SERIES, [7], False),
    "upsample_bilinear2d": (X, [7, 7], False),
    "upsample_trilinear3d": (VOLUME, [7, 7, 7], False),
    "_upsample_bilinear2d_aa": (X, [3, 3], False),
    "upsample_bicubic2d": (X, [7, 7], False),
    "_upsample_bicubic2d_aa": (X, [3, 3], False),
    "col2im": (SERIES, [3, 3], [2, 2], [1, 1], [0, 0], [1, 1]),
    "index_add": (X, 1, PARTS, random(2, 3, 4, 4).abs()),
    "scatter_add": (ROW, 1, INDEX, random(2, 4).abs()),
    "scatter": (ROW, 1, INDEX, random(2, 4).abs()),
    "index_put": (X, [None, PARTS], random(2, 3, 4, 4).abs()),
    "index_copy": (X, 1, PARTS, random(2, 3, 4, 4).abs()),
    "slice_scatter": (X, random(2, 2, 4, 4).abs(), 1, 1, 3),
    "select_scatter": (X, random(2, 4, 4).abs(), 1, 2),
    "grid_sampler": (X, GRID, 0, 0, False),
    "scatter_reduce": (ROW, 1, INDEX, random(2, 4), "sum"),
    "diff": (X,),
    "batch_norm": (X, *STATISTICS, False, 0.1, 1e-5, False),
    "lerp": (X, random(2, 4, 4, 4), 0.3),
    "std": (X, [1]),
    "norm": (X, 2, [1]),
    "linalg_vector_norm": (X, 2, [1]),
    "var_mean": (X, [1]),
    "logsumexp": (X, [1]),
    "prod": (X, 1),
}
# Homogeneous of degree one rather than linear.
NORMS = ("std", "norm", "linalg_vector_norm")
# torch has no kernel for the CPU, or an extension defines the operation.
NOT_RUN = ("grouped_mm_fallback", "_grouped_mm")


def run(name: str, x: Any) -> Tensor:
    """The result, all its parts side by side, without indices."""
    _, *args = CALLS[name]
    args = [args[0], x, *args[1:]] if name == "where" else [x, *args]
    result = getattr(torch.ops.aten, name)(*args)
    parts = result if isinstance(result, (tuple, list)) else [result]
    return torch.cat([part.flatten() for part in parts if part.is_floating_point()])


def combine(a: float, x: Any, b: float, y: Any) -> Any:
    """Return a x + b y, also of lists of tensors."""
    if isinstance(x, list):
        return [a * v + b * w for v, w in zip(x, y, strict=True)]
    return a * x + b * y


def other(x: Any) -> Any:
    return [random(*v.shape) for v in x] if isinstance(x, list) else random(*x.shape)


def test_every_operation_without_a_rule_has_a_sample_call():
    rows = set(OPERATIONS) - set(names(Principle.RULE, Principle.ACTIVATION))
    assert rows - set(NOT_RUN) == set(CALLS)


LINEAR = [n for n in names(Principle.SELECTION, Principle.LINEAR) if n not in NOT_RUN]


@pytest.mark.parametrize("name", [name for name in LINEAR if name not in NORMS])
def test_a_selection_or_linear_operation_is_linear(name):
    """But for a constant: what is added, filled in or written beside the input."""
    x = CALLS[name][0]
    y, zero = other(x), combine(0, x, 0, x)
    constant = run(name, zero)
    got = run(name, combine(2.0, x, -3.0, y)) - constant
    want = 2.0 * (run(name, x) - constant) - 3.0 * (run(name, y) - constant)
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", [*NORMS, *names(Principle.CHOICE)])
def test_a_choice_or_a_norm_is_homogeneous(name):
    x = CALLS[name][0]
    torch.testing.assert_close(run(name, 3 * x), 3 * run(name, x), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", names(Principle.SELECTION, Principle.CHOICE))
def test_a_selection_or_a_choice_copies_entries(name):
    """Or writes entries of parameters, or zeros, beside them."""
    x, *others = CALLS[name]
    tensors = [*x, *others] if isinstance(x, list) else [x, *others]
    sources = [v.flatten() for v in tensors if isinstance(v, Tensor) and v.is_floating_point()]
    assert torch.isin(run(name, x), torch.cat([*sources, torch.zeros(1).double()])).all()


@pytest.mark.parametrize("name", CALLS)
def test_a_result_is_nonnegative_where_the_table_says_so(name):
    x, *args = CALLS[name]
    known = operation_of(node(name, (x, *args), {}))
    assert known is not None
    positive = [v.abs() for v in x] if isinstance(x, list) else x.abs()
    if name not in ("masked_scatter", "max_unpool2d", "max_unpool3d"):  # parameters of any sign
        assert_nonnegative(known, run(name, x), run(name, positive))


@pytest.mark.parametrize("name", [n for n, o in OPERATIONS.items() if n in CALLS and o.elementwise])
def test_an_elementwise_operation_reads_one_entry_for_each(name):
    x = CALLS[name][0]
    base = run(name, x)
    for i in range(0, x.numel(), 7):
        moved = x.clone()
        moved.view(-1)[i] += 5.0
        changed = (run(name, moved) != base).nonzero().flatten()
        assert set(changed.tolist()) <= {i}


def test_an_exact_record_depends_on_arguments():
    def known(name: str, *args: Any, **kwargs: Any) -> Operation | None:
        return operation_of(node(name, (X, *args), kwargs))

    assert known("div", 2.0, rounding_mode="floor") is None
    assert known("div", 2.0).nonnegative == "if-inputs"
    assert known("div", -2.0).nonnegative == "never"
    assert known("pow", Tensor()) is None
    assert known("clamp", min=0.0).rectifies
    assert known("clamp", Tensor()).nonnegative == "never"
    assert known("add", -1.0).nonnegative == "never"
    assert known("add", 1.0, alpha=-1).nonnegative == "never"
    assert known("scatter_reduce", 1, INDEX, ROW, "amax") is None
    assert known("norm", 0).principle is Principle.STATISTIC
    assert known("no such operation") is None
