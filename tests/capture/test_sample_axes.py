"""Batch axes from what operations are known to do: held to runs in which other samples change."""

import pytest
import torch
from helpers.graphs import Applied
from helpers.networks import signed
from torch import nn
from torch.nn import functional as F

from relprop.capture.export import export_graph
from relprop.capture.sample_axes import sample_axes
from relprop.explanation.check_inputs import check_inputs

SAMPLES = 5
W = signed(4, 4, seed=1)
CONV = {k: signed(4, 4, *[3] * k, seed=2) for k in (1, 2, 3)}
LSTM, GRU = nn.LSTM(4, 4).double(), nn.GRU(4, 4, batch_first=True).double()
TABLE = signed(9, 4, seed=3)
PARTS = torch.tensor([3, 1, 0])
STATISTICS = signed(4, seed=4), signed(4, seed=5).abs() + 1


def pictures(h):
    """(batch, 4) -> (batch, 4, 4, 4)"""
    return h[:, :, None, None] * W * W[0, :, None]


def heads_first(h):
    """(batch, 4, 4) -> (2 * batch, 4, 2), samples before heads."""
    return h.reshape(-1, 4, 2, 2).transpose(1, 2).reshape(-1, 4, 2)


def ids(h):
    """Return numbers below 4, of each entry."""
    return (h > 0).long() + (h > 1).long()


# Functions of h (batch, 4); what they return begins with the samples.
APART = {
    "linear": lambda h: F.linear(h, W, W[0]),
    "matrix product": lambda h: h @ W,
    "rows": lambda h: pictures(h) @ W,
    "addmm": lambda h: torch.addmm(W[0], h, W),
    "product of samples' own": lambda h: pictures(h) @ pictures(h).transpose(-1, -2),
    "bmm": lambda h: torch.bmm(pictures(h)[:, 0], pictures(h)[:, 1]),
    "einsum": lambda h: torch.einsum("bchw,bcxw->bhx", pictures(h), pictures(h) + 1),
    "einsum with a matrix": lambda h: torch.einsum("xw,bchw->bxh", W, pictures(h)),
    "attention": lambda h: F.scaled_dot_product_attention(*[pictures(h)] * 3),
    "masked attention": lambda h: F.scaled_dot_product_attention(
        *[pictures(h)] * 3, attn_mask=(h > 0)[:, None, None, :] | torch.eye(4).bool()
    ),
    "heads and samples as one": lambda h: (
        heads_first(pictures(h)[:, 0]).softmax(-1).reshape(-1, 16)
    ),
    "samples second": lambda h: (h[:, None] * W).transpose(0, 1).softmax(0).transpose(0, 1),
    "samples and heads, length first": lambda h: (
        (h[:, None] * W).transpose(0, 1).reshape(4, -1, 2).tanh().reshape(4, -1, 4).transpose(0, 1)
    ),
    "convolution": lambda h: F.conv2d(pictures(h), CONV[2], padding=1, groups=1),
    "transposed convolution": lambda h: F.conv_transpose1d(pictures(h)[:, 0], CONV[1]),
    "convolution of volumes": lambda h: F.conv3d(pictures(h)[..., None], CONV[3], padding=1),
    "pooling": lambda h: F.avg_pool2d(F.max_pool2d(pictures(h), 2), 2),
    "adaptive pooling": lambda h: F.adaptive_avg_pool2d(F.adaptive_max_pool2d(pictures(h), 2), 1),
    "upsampling": lambda h: F.interpolate(pictures(h), scale_factor=2, mode="bilinear"),
    "batch norm": lambda h: F.batch_norm(pictures(h), *STATISTICS),
    "group norm": lambda h: F.group_norm(pictures(h), 2),
    "instance norm": lambda h: F.instance_norm(pictures(h)),
    "layer norm": lambda h: F.layer_norm(pictures(h), (4,)),
    "softmax": lambda h: pictures(h).softmax(-1).log_softmax(1),
    "reductions": lambda h: pictures(h).sum((1, 3)).amax(-1) + pictures(h).std((1, 2, 3)),
    "kept dimensions": lambda h: h - h.mean(-1, keepdim=True) / h.norm(dim=-1, keepdim=True),
    "a variance": lambda h: h.var(-1, correction=0) + torch.var_mean(pictures(h), (1, 2, 3))[0],
    "cumulative": lambda h: h.cumsum(1).cummax(1)[0].logsumexp(1),
    "a choice": lambda h: h.topk(2, 1)[0] + h.sort(-1)[0][:, :2],
    "gathered": lambda h: h.gather(1, h.argsort(1)),
    "scattered": lambda h: torch.zeros_like(h).scatter_add(1, ids(h), h),
    "embedding": lambda h: h[:, None] + F.embedding(ids(h), TABLE),
    "comparisons": lambda h: torch.where((h > 0) & (h < 1), h, -h).masked_fill(h.isnan(), 0.0),
    "a token of its own": lambda h: torch.cat([W[:1].expand(h.shape[0], 1, 4), h[:, None]], 1),
    "repeated": lambda h: torch.cat([W[None].repeat(h.shape[0], 1, 1), h[:, None]], 1),
    "a start of zeros": lambda h: LSTM((h[:, None] * W).transpose(0, 1))[0].transpose(0, 1),
    "samples first": lambda h: GRU(h[:, None] * W)[0],
    "padded": lambda h: F.pad(pictures(h), (1, 1, 0, 2)) + F.pad(h, (1, 3))[:, 2:6, None, None],
    "written into": lambda h: torch.slice_scatter(h, h[:, :2] * 2, 1, 1, 3),
    "selected": lambda h: torch.select_scatter(h, h[:, 0] * 2, 1, 3),
    "added by index": lambda h: h.index_add(1, PARTS, h[:, :3]),
    "taken by index": lambda h: h[:, PARTS] + h.index_select(1, PARTS),
    "last of each": lambda h: pictures(h)[torch.arange(h.shape[0]), ids(h).sum(1) // 4, 0],
    "windows": lambda h: pictures(h).unfold(2, 2, 2).unfold(3, 2, 2),
    "windows as samples": lambda h: (
        pictures(h)
        .view(-1, 4, 2, 2, 2, 2)
        .permute(0, 2, 4, 1, 3, 5)
        .reshape(-1, 4, 4)
        .softmax(-1)
        .reshape(-1, 2, 2, 4, 2, 2)
        .permute(0, 3, 1, 4, 2, 5)
    ),
    "columns": lambda h: F.fold(F.unfold(pictures(h), 2, stride=2), 4, 2, stride=2),
    "shuffled": lambda h: F.pixel_shuffle(pictures(h), 2).roll(1, -1).flip(2),
    "triangles": lambda h: (h[:, None] * W).tril() + (h[:, None] * W).triu(),
    "parts": lambda h: (
        torch.stack([*h.chunk(2, 1), *h.split(2, 1)], 2) + h.unbind(1)[0][:, None, None]
    ),
    "diagonal": lambda h: (h[:, None] * W).diagonal(dim1=1, dim2=2),
    "shapes": lambda h: h.unflatten(1, (2, 2)).flatten(1).unsqueeze(1).squeeze(1),
    "activations": lambda h: F.prelu(F.gelu(h) + h.abs().sqrt(), W[0]).clamp(0, 2).round() + h,
    "repeats": lambda h: h.repeat_interleave(2, 1).repeat(1, 2),
    "samples twice": lambda h: torch.cat([h, -h]).tanh().chunk(2)[0],
    "samples twice, and a fill": lambda h: (
        torch.cat([h, -h]) + h.new_zeros(2 * h.shape[0], 4)
    ).chunk(2)[1],
    "as many as there are": lambda h: (
        h.new_zeros(h.shape[0], 4) + h + h.new_full((h.shape[0], 4), 2.0)
    ),
}


def graph_of(function, x):
    """Export a function without a comparison with anything."""
    model = Applied(lambda x, *layers: function(x)).double().eval()
    inputs = check_inputs(model, x, None)
    graph = export_graph(model, inputs, None, per_input=False)
    return graph, inputs, {name: model.get_parameter(path) for name, path in graph.state.items()}


@pytest.mark.parametrize("function", APART.values(), ids=APART)
@pytest.mark.parametrize("samples", [1, SAMPLES])
def test_other_samples_change_nothing_of_a_sample(function, samples):
    graph, inputs, state = graph_of(function, signed(samples, 4))
    axes = sample_axes(graph, inputs, state)
    assert axes is not None
    x, kept = signed(SAMPLES, 4), 3
    others = signed(SAMPLES, 4, seed=9).index_copy(0, torch.tensor([kept]), x[kept : kept + 1])
    before, after = (graph.run_all({"x": values}, state) for values in (x, others))
    moved = 0
    for node in graph.nodes:
        if (at := axes.get(node.name)) is not None and node.floating:
            one, other = (each_sample(values[node.name], at) for values in (before, after))
            torch.testing.assert_close(one[kept], other[kept], rtol=1e-12, atol=1e-12)
            moved += int(not torch.equal(one, other))
    assert moved > 0


def each_sample(value, at):
    """Put samples first."""
    sizes = at.outer, SAMPLES, value.shape[at.axis] // (at.outer * SAMPLES)
    return value.unflatten(at.axis, sizes).movedim(at.axis + 1, 0)


# Of each of these one sample changes another, or it depends on how many there are.
TOGETHER = {
    "a mean": lambda h: h - h.mean(0),
    "a mean of all": lambda h: h - h.mean(),
    "a norm": lambda h: h / h.norm(dim=0),
    "a norm of all": lambda h: h / torch.linalg.vector_norm(h),
    "a deviation of all": lambda h: h / h.std(True),
    "a largest entry": lambda h: h - h.amax(0, keepdim=True),
    "a softmax": lambda h: h.softmax(0),
    "a sum so far": lambda h: h.cumsum(0),
    "an order": lambda h: h.sort(0)[0],
    "the largest": lambda h: torch.cat([h.topk(1, 0)[0].expand(h.shape[0], 4), h], 1),
    "batch norm of the batch": lambda h: F.batch_norm(pictures(h), None, None, training=True),
    "a softmax of columns": lambda h: h.T.softmax(-1).T,
    "the other order": lambda h: h + h.flip(0),
    "another place": lambda h: h.roll(1, 0),
    "the first sample": lambda h: h + h[:1],
    "the first one's weights": lambda h: F.linear(h, h[0] * W),
    "a product with all": lambda h: (h @ h.T).sum(1),
    "all as keys": lambda h: F.scaled_dot_product_attention(h[None], h[None], h[None])[0],
    "convolution along samples": lambda h: F.conv1d(h.T[None], CONV[1], padding=1)[0].T,
    "pooling along samples": lambda h: F.avg_pool1d(h.T[None], 3, 1, 1)[0].T,
    "gathered": lambda h: h.gather(0, (h > 0).long()),
    "scattered": lambda h: torch.zeros_like(h).scatter_add(0, (h > 0).long(), h),
    "added by index": lambda h: torch.zeros_like(h).index_add(0, (h[:, 0] > 0).long(), h),
    "a mask of another": lambda h: h.masked_fill(h.roll(1, 0) > 0, 0.0),
    "a number of samples": lambda h: h / h.shape[0],
    "a number in a fill": lambda h: h + h.new_full((h.shape[0], 4), h.shape[0] * 1.0),
    "a number from a fill": lambda h: h / h.new_ones(h.shape[0], h.shape[0]).sum(),
    "numbers of samples": lambda h: h + torch.arange(h.shape[0])[:, None],
    "samples by number": lambda h: h[torch.arange(h.shape[0]) * 0],
    "samples of others": lambda h: pictures(h)[torch.arange(h.shape[0]), ids(h.flip(0))[:, 0]],
    "samples by an index": lambda h: h[ids(h)[:, 0]],
    "every other's index": lambda h: pictures(h)[torch.arange(h.shape[0]), ids(h)[:, :1]].sum(0),
    "a table's rows": lambda h: h + W[torch.arange(h.shape[0])],
    "one sample dropped": lambda h: h.unsqueeze(1).squeeze(),
    "pairs": lambda h: (h[:, None] * h[None]).sum(1),
    "repeated by number": lambda h: h.repeat(1, h.shape[0]).reshape(h.shape[0], -1, 4)[:, 0],
    "samples twice, in pairs": lambda h: torch.cat([h, h]).reshape(-1, 2, 4)[:, 0],
    "samples twice, in two orders": lambda h: (torch.cat([h, h]) + h.repeat_interleave(2, 0)).chunk(
        2
    )[0],
    "samples second": lambda h: h.T,
    "two results of each": lambda h: torch.cat([h, h]),
    "einsum over samples": lambda h: torch.einsum("bi,ci->bi", h, h),
    "written into the next": lambda h: torch.slice_scatter(h, h[:1] * 2, 0, 1, 2),
}


@pytest.mark.parametrize("function", TOGETHER.values(), ids=TOGETHER)
@pytest.mark.parametrize("samples", [1, SAMPLES])
def test_nothing_is_said_of_operations_that_may_mix_samples(function, samples):
    graph, inputs, state = graph_of(function, signed(samples, 4))
    assert sample_axes(graph, inputs, state) is None
