"""Attention against the definitions in reference_attention.py, in float64."""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
import torch
from helpers import reference_attention as ref
from helpers.networks import randomise, signed
from helpers.reference_maps import (
    ATTN,
    LENGTH,
    ROWS,
    WIDTH,
    Net,
    assert_same,
    check,
    erf_gelu,
    linear,
    tokens,
)
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode

import relprop
from relprop.program import attention
from relprop.support.fused_attention import AttentionArguments

SOME = torch.tensor([[1, 0, 1, 1], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]]).bool()
ADDED = signed(LENGTH, LENGTH, seed=5).masked_fill(~SOME, -math.inf)
CAUSAL = np.where(np.tri(LENGTH) > 0, 0.0, -np.inf)


@dataclass(frozen=True)
class Attention:
    """Arguments of torch's function, and the same for the reference."""

    called: dict[str, object]
    mask: np.ndarray | None = None
    factor: float | None = None
    of_k: int = 2  # heads of keys and values, of 2


ATTENTIONS = {
    "plain": Attention({}),
    "boolean mask": Attention({"attn_mask": SOME}, np.where(SOME.numpy(), 0.0, -np.inf)),
    "added mask": Attention({"attn_mask": ADDED}, ADDED.numpy()),
    "causal": Attention({"is_causal": True}, CAUSAL),
    "scale": Attention({"scale": 0.9}, factor=0.9),
    "shared heads": Attention({"enable_gqa": True}, of_k=1),
    "shared heads, causal": Attention({"enable_gqa": True, "is_causal": True}, CAUSAL, of_k=1),
}


def split_heads(x: Tensor, of: int) -> Tensor:
    return x.unflatten(-1, (of, WIDTH // 2)).transpose(1, 2)


def by_hand(q: Tensor, k: Tensor, v: Tensor, how: Attention) -> Tensor:
    """Attention as torch's documentation writes it."""
    k, v = (t.repeat_interleave(2 // how.of_k, 1) for t in (k, v))
    scores = q @ k.transpose(-2, -1) * (how.factor or (WIDTH // 2) ** -0.5)
    if how.called.get("attn_mask") is SOME:
        scores = scores.masked_fill(~SOME, -math.inf)
    elif how.mask is not None:
        scores = scores + torch.from_numpy(how.mask)
    return scores.softmax(-1) @ v


def attending(how: Attention, fused: bool) -> Net:
    def body(m: Net, x: Tensor) -> Tensor:
        q, k, v = (
            split_heads(m.q(x), 2),
            split_heads(m.k(x), how.of_k),
            split_heads(m.v(x), how.of_k),
        )
        if not fused:
            return by_hand(q, k, v, how).transpose(1, 2)
        return F.scaled_dot_product_attention(q, k, v, **how.called).transpose(1, 2)

    shared = how.of_k * WIDTH // 2
    layers = {"q": nn.Linear(WIDTH, WIDTH), "k": nn.Linear(WIDTH, shared)}
    net = Net(body, LENGTH * WIDTH, **layers, v=nn.Linear(WIDTH, shared))
    return randomise(net.double())


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "by hand"])
@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention(name, fused):
    """Fused or written out, both give the relevance of the reference."""
    how = ATTENTIONS[name]

    def reference(m: Net, x: ref.Value, constant: bool) -> ref.Operand:
        q, k, v = linear(x, m.q), linear(x, m.k), linear(x, m.v)
        given = {"mask": how.mask, "factor": how.factor, "constant": constant}
        return ref.heads(q, k, v, 2, how.of_k, **given)

    check(attending(how, fused), reference, tokens())


SUBSETS = ["q", "k", "v", "qk", "qv", "kv"]


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "by hand"])
@pytest.mark.parametrize("inside", SUBSETS)
def test_attention_with_constants(inside, fused):
    """A factor that does not depend on the input gets nothing, the other factor all."""

    def body(m: Net, x: Tensor) -> Tensor:
        given = [
            getattr(m, n)(x) if n in inside else getattr(m, n)(m.memory).expand(x.shape[0], -1, -1)
            for n in "qkv"
        ]
        q, k, v = (split_heads(t, 2) for t in given)
        if fused:
            return F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        return by_hand(q, k, v, ATTENTIONS["plain"]).transpose(1, 2)

    def reference(m: Net, x: ref.Value, constant: bool) -> ref.Operand:
        memory = ref.data(m.memory[0])
        q, k, v = (linear(x if n in inside else memory, getattr(m, n)) for n in "qkv")
        return ref.heads(q, k, v, 2, constant=constant)

    net = Net(body, LENGTH * WIDTH, **{n: nn.Linear(WIDTH, WIDTH) for n in "qkv"})
    net.memory = nn.Parameter(torch.empty(1, LENGTH, WIDTH))
    check(randomise(net.double()), reference, tokens(), None if "v" in inside else ATTN)


# ---- torch's layers ------------------------------------------------------------------------------


def multihead(
    layer: nn.MultiheadAttention, q: ref.Operand, kv: ref.Operand, constant: bool
) -> ref.Operand:
    """Compute nn.MultiheadAttention in the reference implementation."""
    w, b = layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3)
    parts = [ref.linear(x, w[i], b[i]) for i, x in enumerate((q, kv, kv))]
    return linear(ref.heads(*parts, layer.num_heads, constant=constant), layer.out_proj)


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("query", ["itself", "constant"])
def test_multihead_attention(query, weights):
    """With need_weights torch runs softmax and bmm, and without one fused operation."""

    def body(m: Net, x: Tensor) -> Tensor:
        q = x if query == "itself" else m.query.expand(x.shape[0], -1, -1)
        return m.attention(q, x, x, need_weights=weights)[0]

    def reference(m: Net, x: ref.Value, constant: bool) -> ref.Operand:
        q = x if query == "itself" else ref.data(m.query[0])
        return multihead(m.attention, q, x, constant)

    attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True)
    net = Net(body, LENGTH * WIDTH, attention=attention)
    net.query = nn.Parameter(torch.empty(1, LENGTH, WIDTH))
    check(randomise(net.double()), reference, tokens())


ACTIVATIONS = {"relu": lambda z: np.maximum(z, 0), "gelu": erf_gelu}


@pytest.mark.parametrize(("first", "name"), list(product([False, True], ACTIVATIONS)))
def test_transformer_encoder_layer(first, name):
    """With the norm before or after each block, by both presets."""
    layer = nn.TransformerEncoderLayer(
        WIDTH, 2, 8, activation=name, batch_first=True, norm_first=first
    )

    def reference(m: Net, x: ref.Value, constant: bool) -> ref.Operand:
        e = m.encoder

        def norm(layer: nn.LayerNorm, x: ref.Operand) -> ref.Operand:
            weight, bias = ref.data(layer.weight), ref.data(layer.bias)
            return ref.normalise(x, ROWS, weight, bias, centred=True, eps=layer.eps)

        def forward(x: ref.Operand) -> ref.Operand:
            return linear(ref.activation(linear(x, e.linear1), ACTIVATIONS[name]), e.linear2)

        if first:
            n = norm(e.norm1, x)
            x = ref.add(x, multihead(e.self_attn, n, n, constant))
            return ref.add(x, forward(norm(e.norm2, x)))
        x = norm(e.norm1, ref.add(x, multihead(e.self_attn, x, x, constant)))
        return norm(e.norm2, ref.add(x, forward(x)))

    net = randomise(Net(lambda m, x: m.encoder(x), LENGTH * WIDTH, encoder=layer).double())
    check(net, reference, tokens())


def test_each_sample_is_explained_by_itself():
    net, x = attending(ATTENTIONS["added mask"], True), tokens()
    explainer = relprop.Explainer(net, "attnlrp")
    alone = [explainer(sample[None], target=1).relevance for sample in x]
    assert_same(explainer(x, target=1).relevance, torch.cat(alone), 1e-12)


# ---- backward pass to values alone ---------------------------------------------------------------

FUSED = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward.default


class Called(TorchDispatchMode):
    """Records the operations that run."""

    def __init__(self) -> None:
        super().__init__()
        self.functions = set[object]()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.functions.add(func)
        return func(*args, **(kwargs or {}))


def values_alone(called: dict[str, object], *shapes: tuple[int, ...], dtype=torch.float64):
    """Draw queries, keys, values and a cotangent c of these shapes; autograd's derivative."""
    q, k, v, c = (signed(*s, seed=i).to(dtype).requires_grad_() for i, s in enumerate(shapes))
    z = F.scaled_dot_product_attention(q, k, v, **called)
    return q, k, v, c, torch.autograd.grad(z, v, c)[0]


# Shapes of queries, keys, values and results; which keys each query may look at, some at none.
PLAIN = [(5, 2, 7, 3), (5, 2, 6, 3), (5, 2, 6, 4), (5, 2, 7, 4)]
SHARED = [(3, 4, 7, 3), (3, 2, 6, 3), (3, 2, 6, 3), (3, 4, 7, 3)]
LOOKS = (signed(5, 1, 7, 6, seed=8) > 0) & (torch.arange(7) % 3 > 0)[:, None]


ALONE = {
    "plain": ({}, PLAIN),
    "scale": ({"scale": 0.3}, PLAIN),
    "shared heads": ({"enable_gqa": True}, SHARED),
    "broadcast heads": ({}, [(5, 2, 7, 3), (5, 1, 6, 3), (5, 1, 6, 4), (5, 2, 7, 4)]),
    "causal": ({"is_causal": True}, PLAIN),
    "causal, shared heads": ({"is_causal": True, "enable_gqa": True}, SHARED),
    "added": ({"attn_mask": signed(7, 6, seed=9)}, PLAIN),
    "added to heads": ({"attn_mask": signed(2, 1, 6, seed=9)}, PLAIN),
    "added to keys": ({"attn_mask": signed(5, 1, 1, 6, seed=9)}, PLAIN),
    "added to all": ({"attn_mask": signed(5, 2, 7, 6, seed=9)}, PLAIN),
    "added, shared heads": (
        {"attn_mask": signed(3, 4, 7, 6, seed=9), "enable_gqa": True},
        SHARED,
    ),
    "boolean": ({"attn_mask": LOOKS}, PLAIN),
    "infinite": ({"attn_mask": torch.where(LOOKS, 0.0, -torch.inf).double()}, PLAIN),
}


@pytest.mark.parametrize("at_once", [2**20, 150, 1], ids=["whole", "samples", "queries"])
@pytest.mark.parametrize("name", ALONE)
def test_values_alone_get_their_derivative(name, at_once, monkeypatch):
    called, shapes = ALONE[name]
    monkeypatch.setattr(attention, "_AT_ONCE", at_once)
    q, k, v, c, want = values_alone(called, *shapes)
    pull = attention.values_vjp(AttentionArguments(q, k, v, **called))
    assert_same(pull(c)[0], want, 1e-12)
    with torch.no_grad():
        assert_same(pull(c)[0], want, 1e-12)
    several = torch.func.vmap(pull)(torch.stack([c.detach(), 2 * c.detach()]))[0]
    assert_same(several[1], 2 * want, 1e-12)
    assert torch.autograd.gradcheck(
        lambda q, k, c: attention.values_vjp(AttentionArguments(q, k, v, **called))(c),
        (q, k, c),
        fast_mode=at_once == 1,  # which takes its time
    )


@pytest.mark.parametrize("name", ALONE)
def test_attention_from_its_parts_is_that_of_torch(name):
    called, shapes = ALONE[name]
    q, k, v, c, want = values_alone(called, *shapes)
    result = attention.plain_attention(q, k, v, **called)
    assert_same(result, F.scaled_dot_product_attention(q, k, v, **called), 1e-12)
    assert_same(torch.autograd.grad(result, v, c)[0], want, 1e-12)


@pytest.mark.parametrize("name", ATTENTIONS)
def test_attention_goes_back_to_values_alone(name):
    explainer, x = relprop.Explainer(attending(ATTENTIONS[name], True), "cp-lrp"), tokens()
    explainer(x)
    with Called() as called:
        explainer(x)
    assert FUSED not in called.functions


def test_autocast_leaves_attention_to_torch():
    model, x = attending(ATTENTIONS["plain"], True).float(), tokens().float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        explainer = relprop.Explainer(model, "cp-lrp")
        explainer(x)
        with Called() as called:
            result = explainer(x, 0).relevance
    assert FUSED in called.functions
    assert_same(result, relprop.explain(model, x, "cp-lrp", 0).relevance, 0.1)
