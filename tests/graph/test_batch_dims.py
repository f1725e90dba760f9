"""Each rule of batch axes: what it says runs along with the batch axis, held to a real run."""

import pytest
import torch
from helpers.networks import signed
from torch import nn
from torch.nn import functional as F

from relprop.capture.export import export_graph
from relprop.explanation.check_inputs import check_inputs
from relprop.graph.batch_dims import batch_dims

# All sizes are the same: a wrong dimension must be noticed by numbers, no size may tell.
SIZE = 4
X, Y, Z = (signed(*[SIZE] * 4, seed=seed) for seed in (1, 2, 3))
A, B, C = X[0, 0], Y[0, 0], Z[0, 0]  # matrices
IDS = torch.randint(SIZE, (SIZE,) * 4, generator=torch.Generator().manual_seed(1))
KERNEL = {k: signed(SIZE, SIZE, *[3] * k, seed=5) for k in (1, 2, 3)}
VOLUME = signed(*[SIZE] * 5, seed=6)
STATISTICS = A[0], A[1].abs() + 1
LSTM = nn.LSTM(SIZE, SIZE).double()
GRU = nn.GRU(SIZE, SIZE, batch_first=True).double()
RNN = nn.RNN(SIZE, SIZE).double()


class OnBuffers(nn.Module):
    """The sum of a function of buffers, times the input."""

    def __init__(self, function, tensors):
        super().__init__()
        self.function, self.names = function, [f"t{i}" for i in range(len(tensors))]
        for name, tensor in zip(self.names, tensors, strict=True):
            self.register_buffer(name, tensor.clone())

    def forward(self, x):
        return x * self.function(*(getattr(self, name) for name in self.names)).sum().double()


# What is computed of which tensors, and the dimensions of the result in which it keeps entries
# apart, as far as a rule says so.
RULES = {
    "entrywise": (lambda x, y: torch.addcmul(x, x, y), (X, Y), "0123"),
    "entrywise, broadcast": (lambda x, y: torch.atan2(x, y), (X, A), "0123"),
    "entrywise, of size 1": (lambda x, y: torch.copysign(x, y), (X, X[:1]), "0123"),
    "an activation": (F.gelu, (X,), "0123"),
    "conv1d": (lambda x, w: F.conv1d(x, w, padding=1), (X[0], KERNEL[1]), "0"),
    "conv2d": (lambda x, w: F.conv2d(x, w, padding=1), (X, KERNEL[2]), "0"),
    "conv3d": (lambda x, w: F.conv3d(x, w, padding=1), (VOLUME, KERNEL[3]), "0"),
    "conv_transpose2d": (F.conv_transpose2d, (X, KERNEL[2]), "0"),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 2), (X,), "0"),
    "max_pool1d": (lambda x: F.max_pool1d(x, 2), (X[0],), "0"),
    "pooling without a batch": (lambda x: F.max_pool2d(x, 2), (X[0],), ""),
    "adaptive_avg_pool3d": (lambda x: F.adaptive_avg_pool3d(x, 2), (VOLUME,), "0"),
    "upsample_bilinear2d": (
        lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
        (X,),
        "0",
    ),
    "pixel_shuffle": (lambda x: F.pixel_shuffle(x, 2), (X,), "0"),
    "group_norm": (lambda x: F.group_norm(x, 2), (X,), "0"),
    "instance_norm": (F.instance_norm, (X,), "0"),
    "layer_norm": (lambda x: F.layer_norm(x, (SIZE, SIZE)), (X,), "01"),
    "batch_norm": (lambda x, m, v: F.batch_norm(x, m, v), (X, *STATISTICS), "023"),
    "batch_norm of a batch": (lambda x: F.batch_norm(x, None, None, training=True), (X,), ""),
    "matmul": (torch.matmul, (X, Y), "012"),
    "matmul with a matrix": (torch.matmul, (X, A), "012"),
    "bmm": (torch.bmm, (X[0], Y[0]), "01"),
    "baddbmm": (torch.baddbmm, (X[0], Y[0], Z[0]), "0"),
    "mm": (torch.mm, (A, B), "0"),
    "addmm": (torch.addmm, (A[0], B, C), "0"),
    "linear": (F.linear, (X, A, B[0]), "012"),
    "im2col": (lambda x: F.unfold(x, 2, stride=2), (X,), "0"),
    "im2col without a batch": (lambda x: F.unfold(x, 2, stride=2), (X[0],), ""),
    "col2im": (lambda x: F.fold(x, 4, 2, stride=2), (X[0],), "0"),
    "embedding": (F.embedding, (IDS[0], A), "012"),
    "grid_sampler": (
        lambda x, y: F.grid_sample(x, y, align_corners=False),
        (X, Y[..., :2]),
        "0",
    ),
    "attention": (F.scaled_dot_product_attention, (X, Y, Z), "01"),
    "attention with a mask": (
        lambda x, y, z, m: F.scaled_dot_product_attention(x, y, z, attn_mask=m),
        (X, Y, Z, A),
        "01",
    ),
    "attention with dropout": (
        lambda x, y: F.scaled_dot_product_attention(x, y, y, dropout_p=0.5),
        (X, Y),
        "",
    ),
    "einsum": (lambda x, y: torch.einsum("abcd,abde->bace", x, y), (X, Y), "0123"),
    "einsum of one twice": (lambda x: torch.einsum("bi,ci->bc", x, x), (A,), ""),
    "einsum of a trace": (lambda x: torch.einsum("bbi->bi", x), (X[0],), "1"),
    "sum": (lambda x: x.sum((1, 2)), (X,), "01"),
    "sum of all": (lambda x: x.sum(), (X,), ""),
    "mean, dimensions kept": (lambda x: x.mean((0, 2), keepdim=True), (X,), "13"),
    "amax": (lambda x: x.amax((2, 1)), (X,), "01"),
    "amin of the first": (lambda x: x.amin(0), (X,), "012"),
    "std": (lambda x: x.std((1, 3)), (X,), "01"),
    "std of all": (lambda x: x.std(True), (X,), ""),
    "logsumexp": (lambda x: x.logsumexp(-1), (X,), "012"),
    "argmax": (lambda x: x.argmax(1), (X,), "012"),
    "argmax of all": (lambda x: x.argmax(), (X,), ""),
    "max": (lambda x: x.max(1)[0], (X,), "012"),
    "cumsum": (lambda x: x.cumsum(1), (X,), "023"),
    "flip": (lambda x: x.flip(1), (X,), "023"),
    "softmax": (lambda x: x.softmax(2), (X,), "013"),
    "var_mean": (lambda x: torch.var_mean(x, (2, 3))[1], (X,), "01"),
    "norm": (lambda x: x.norm(dim=1), (X,), "012"),
    "linalg_vector_norm": (lambda x: torch.linalg.vector_norm(x, dim=(0, 1)), (X,), "01"),
    "vector norm of all": (torch.linalg.vector_norm, (X,), ""),
    "topk": (lambda x: x.topk(2, 1)[0], (X,), "023"),
    "topk of the last": (lambda x: x.topk(2)[0], (X,), "012"),
    "sort": (lambda x: x.sort(0)[0], (X,), "123"),
    "argsort": (lambda x: x.argsort(-1), (X,), "012"),
    "gather": (lambda x, i: x.gather(1, i), (X, IDS), "023"),
    "gather of parts": (lambda x, i: x.gather(1, i), (X, IDS[:2]), "23"),
    "scatter": (lambda x, i, y: x.scatter(2, i, y), (X, IDS, Y), "013"),
    "scatter_add": (lambda x, i, y: x.scatter_add(-1, i, y), (X, IDS, Y), "012"),
    "index_add": (lambda x, i, y: x.index_add(1, i, y), (X, IDS[0, 0, 0], Y), "023"),
    "slice_scatter": (lambda x, y: torch.slice_scatter(x, y, 1, 1, 3), (X, Y[:, :2]), "023"),
    "select_scatter": (lambda x, y: torch.select_scatter(x, y, 1, 2), (X, Y[0]), "023"),
    "pad": (lambda x: F.pad(x, (1, 0, 0, 2)), (X,), "01"),
    "pad by reflection": (lambda x: F.pad(x, (1, 0, 0, 2), mode="reflect"), (X,), "01"),
    "pad the first": (lambda x: F.pad(x, (0, 0, 0, 0, 0, 0, 1, 1)), (X,), "123"),
    "tril": (torch.tril, (X,), "01"),
    "triu": (torch.triu, (A,), ""),
    "lstm": (lambda x: LSTM(x)[0], (X[0],), "1"),
    "state of an lstm": (lambda x: LSTM(x)[1][1], (X[0],), "1"),
    "lstm of a state": (lambda x, y: LSTM(x, (y[:1], y[1:2]))[0], (X[0], Y[0]), "1"),
    "gru": (lambda x: GRU(x)[0], (X[0],), "0"),
    "state of a gru": (lambda x: GRU(x)[1], (X[0],), "1"),
    "rnn": (lambda x, y: RNN(x, y[:1])[0], (X[0], Y[0]), "1"),
    "an unknown operation": (lambda x, y: torch.cdist(x, y), (X, Y), ""),
}


@pytest.mark.parametrize(("function", "tensors", "known"), RULES.values(), ids=RULES)
def test_what_is_paired_along_a_dimension_is_all_that_is_read(function, tensors, known):
    node, values = node_of(function, tensors)
    shapes = {name: tuple(values[name].shape) for name in values if hasattr(values[name], "shape")}
    found = {dim: batch_dims(node, dim, shapes) for dim in range(len(node.shape))}
    assert "".join(str(dim) for dim, dims in found.items() if dims) == known
    for dim, dims in found.items():
        for at in range(node.shape[dim]) if dims else ():
            moved = {name: changed_but_at(values[name], of, at) for name, of in dims.items()}
            before, after = (node.run(given).select(dim, at) for given in (values, values | moved))
            torch.testing.assert_close(before, after, rtol=1e-12, atol=1e-12)
            assert not torch.equal(node.run(values), node.run(values | moved))


def node_of(function, tensors):
    """Return the last node of a function, and all values of a run."""
    model = OnBuffers(function, tensors).eval()
    x = torch.ones(1, 1).double()
    graph = export_graph(model, check_inputs(model, x, None), None, per_input=True)
    state = {name: model.get_buffer(path) for name, path in graph.state.items()}
    *_, node, _ = [n for n in graph.nodes if n.operation not in ("to", "_to_copy", "mul")]
    return node, {**state, **graph.run_all({"x": x}, state)}


def changed_but_at(value, dim, kept):
    """Change all entries but those at one index along a dimension."""
    others = value.roll(1, dim).flip(*[at for at in range(value.dim()) if at != dim][:1])
    if value.is_floating_point():
        others = 3 * others + 1
    index = torch.tensor([kept])
    return others.index_copy(dim, index, value.index_select(dim, index))
