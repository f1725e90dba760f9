"""Attention and what goes with it against the definitions in slow_attention.py, in float64."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest
import slow_attention as slow
import torch
from networks import randomise, signed
from torch import Tensor, nn
from torch.nn import functional as F

import relprop
from relprop import Recipe, Selector

CLOSE = 1e-9  # of the norm
LENGTH, WIDTH, BATCH, CLASSES = 4, 6, 2, 2
CONSTANT = {"attnlrp": False, "cp-lrp": True}  # whether the weights of attention are

Twin = Callable[["Net", slow.Value, bool], slow.Given]


class Net(nn.Module):
    """Layers, a body that the test writes and a linear head over all that it returns.

    body  (net, x, ...)   layers  by name
    """

    def __init__(self, body: Callable[..., Tensor], outputs: int, **layers: nn.Module) -> None:
        super().__init__()
        self.body = body
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.head = nn.Linear(outputs, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Scores (batch, classes)."""
        return self.head(self.body(self, x).flatten(1))


def linear(x: slow.Given, layer: nn.Linear) -> slow.Given:
    """A layer in the twin."""
    return slow.linear(x, layer.weight, layer.bias)


def twin_map(net: Net, twin: Twin, x: Tensor, k: int, constant: bool = False) -> Tensor:
    """Relevance of a batch by the twin of net's body, and that the twin computes what net does."""
    maps = []
    for sample, scores in zip(x, net(x), strict=True):
        value = slow.Value(slow.data(sample))
        flat = slow.move(twin(net, value, constant), np.ravel)
        out = slow.linear(flat, net.head.weight, net.head.bias)
        np.testing.assert_allclose(out.data, slow.data(scores), rtol=1e-9)
        maps.append(torch.from_numpy(slow.explain(value, out, k)))
    return torch.stack(maps)


def assert_same(got: Tensor, want: Tensor, close: float = CLOSE) -> None:
    assert got.shape == want.shape
    assert torch.isfinite(got).all()
    assert ((got - want).norm() / want.norm()).item() < close


def check(net: Net, twin: Twin, x: Tensor, recipes: dict[str, Recipe | str] | None = None) -> None:
    """By each recipe, for each class: the twin's map, and a ledger that closes.

    recipes  name -> recipe; the twin holds attention constant for "cp-lrp"
    """
    recipes = recipes or {name: name for name in CONSTANT}
    explainer = relprop.Explainer(net)
    for name, recipe in recipes.items():
        for k in range(CLASSES):
            e = explainer.with_recipe(recipe)(x, target=k, ledger=True)
            assert_same(e.relevance, twin_map(net, twin, x, k, CONSTANT.get(name, False)))
            assert e.ledger.error < 1e-9


def tokens(*shape: int) -> Tensor:
    return signed(BATCH, *(shape or (LENGTH, WIDTH)))


# ---- one operation -------------------------------------------------------------------------------


def built(body: Callable[..., Tensor], outputs: int = LENGTH * WIDTH, **more: nn.Module) -> Net:
    """A net with layers a and b of WIDTH before the body's operation."""
    layers = {"a": nn.Linear(WIDTH, WIDTH), "b": nn.Linear(WIDTH, WIDTH), **more}
    return randomise(Net(body, outputs, **layers).double())


def sigmoid(z: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-z))


def silu(z: np.ndarray) -> np.ndarray:
    return z * sigmoid(z)


def tanh_gelu(z: np.ndarray) -> np.ndarray:
    return 0.5 * z * (1 + np.tanh(math.sqrt(2 / math.pi) * (z + 0.044715 * z**3)))


def erf_gelu(z: np.ndarray) -> np.ndarray:
    return 0.5 * z * (1 + np.vectorize(math.erf)(z / math.sqrt(2)))


def two(net: Net, x: slow.Value) -> tuple[slow.Given, slow.Given]:
    """The layers a and b."""
    return linear(x, net.a), linear(x, net.b)


def of_two(rule: str, function: Callable = lambda z: z) -> Twin:
    """a(x) times function of b(x)."""

    def twin(net: Net, x: slow.Value, constant: bool) -> slow.Given:
        a, b = two(net, x)
        return slow.product(a, slow.activation(b, function), rule)

    return twin


def of_one(function: Callable) -> Twin:
    """An activation of a(x)."""
    return lambda net, x, constant: slow.activation(linear(x, net.a), function)


def by_hand_swish(net: Net, x: Tensor) -> Tensor:
    a = net.a(x)
    return a * torch.sigmoid(a)


def by_hand_gelu(net: Net, x: Tensor) -> Tensor:
    a = net.a(x)
    return 0.5 * a * (1 + torch.tanh(math.sqrt(2 / math.pi) * (a + 0.044715 * a**3)))


def twin_softmax(net: Net, x: slow.Value, constant: bool) -> slow.Given:
    return slow.softmax(linear(x, net.a))


def twin_matmul(net: Net, x: slow.Value, constant: bool) -> slow.Given:
    a, b = two(net, x)
    return slow.matmul(a, slow.move(b, np.transpose))


ATTN = {"attnlrp": "attnlrp"}
OPERATIONS: dict[str, tuple[Callable[..., Tensor], Twin, int]] = {
    "softmax": (lambda m, x: m.a(x).softmax(-1), twin_softmax, LENGTH * WIDTH),
    "matmul": (lambda m, x: m.a(x) @ m.b(x).mT, twin_matmul, LENGTH * LENGTH),
    "einsum": (
        lambda m, x: torch.einsum("nid,njd->nij", m.a(x), m.b(x)),
        *(twin_matmul, LENGTH * LENGTH),
    ),
    "product": (lambda m, x: m.a(x) * m.b(x), of_two("uniform"), LENGTH * WIDTH),
    "SwiGLU": (lambda m, x: m.a(x) * F.silu(m.b(x)), of_two("uniform", silu), LENGTH * WIDTH),
    "gate": (lambda m, x: m.a(x) * m.b(x).sigmoid(), of_two("first", sigmoid), LENGTH * WIDTH),
    "SiLU": (lambda m, x: F.silu(m.a(x)), of_one(silu), LENGTH * WIDTH),
    "SiLU by hand": (by_hand_swish, of_one(silu), LENGTH * WIDTH),
    "GELU": (lambda m, x: F.gelu(m.a(x)), of_one(erf_gelu), LENGTH * WIDTH),
    "GELU by tanh": (
        lambda m, x: F.gelu(m.a(x), approximate="tanh"),
        *(of_one(tanh_gelu), LENGTH * WIDTH),
    ),
    "GELU by tanh, by hand": (by_hand_gelu, of_one(tanh_gelu), LENGTH * WIDTH),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_one_operation(name):
    body, twin, outputs = OPERATIONS[name]
    check(built(body, outputs), twin, tokens(), ATTN)


@pytest.mark.parametrize("function", [None, "sigmoid"])
def test_proportional(function):
    """By the size of each factor, a gate's too."""
    gate = getattr(torch, function) if function else (lambda b: b)
    recipe = Recipe.preset("attnlrp")
    kinds = ("gate",) if function else ("product",)
    recipe = recipe.using(Selector(kinds=kinds), "proportional")
    twin = of_two("proportional", sigmoid if function else (lambda z: z))
    check(built(lambda m, x: m.a(x) * gate(m.b(x))), twin, tokens(), {"proportional": recipe})


def test_a_gate_may_share():
    recipe = Recipe.preset("attnlrp").using(Selector(kinds=("gate",)), "uniform")
    net = built(lambda m, x: m.a(x) * m.b(x).sigmoid())
    check(net, of_two("uniform", sigmoid), tokens(), {"uniform": recipe})
    with pytest.raises(AssertionError):  # and the comparison notices
        check(net, of_two("uniform", sigmoid), tokens(), ATTN)


def test_squeeze_and_excitation():
    """The map gets all, its gate nothing."""

    def body(m: Net, x: Tensor) -> Tensor:
        h = m.conv(x)
        gate = m.up(F.relu(m.down(h.mean((2, 3))))).sigmoid()
        return h * gate[:, :, None, None]

    def twin(m: Net, x: slow.Value, constant: bool) -> slow.Given:
        rows = slow.move(x, lambda n: n.reshape(2, 9).T)
        h = slow.move(slow.linear(rows, m.conv.weight[:, :, 0, 0], m.conv.bias), np.transpose)
        hidden = linear(slow.mean(h, 1), m.down)
        gate = slow.activation(
            linear(slow.activation(hidden, lambda z: np.maximum(z, 0)), m.up), sigmoid
        )
        return slow.product(h, slow.move(gate, lambda n: np.repeat(n[:, None], 9, 1)), "first")

    layers = {"conv": nn.Conv2d(2, 3, 1), "down": nn.Linear(3, 2), "up": nn.Linear(2, 3)}
    check(randomise(Net(body, 27, **layers).double()), twin, tokens(2, 3, 3), ATTN)


# ---- normalisation -------------------------------------------------------------------------------

ROWS = [np.arange(WIDTH) + row * WIDTH for row in range(LENGTH)]


def normed(centred: bool, eps: float, over: list[np.ndarray] = ROWS, factor: float = 1.0) -> Twin:
    """a(x) normalised over groups, with weight and bias of the layer `norm` if there is one."""

    def twin(net: Net, x: slow.Value, constant: bool) -> slow.Given:
        layer = getattr(net, "norm", None)
        channels = isinstance(layer, nn.GroupNorm)
        parts = []
        for name, default in (("weight", 1.0), ("bias", 0.0)):
            given = getattr(layer, name, None)
            part = np.asarray(default) if given is None else slow.data(given)
            parts.append(part[:, None] if channels and given is not None else part)
        weight, bias = parts
        a = linear(x, net.a)
        return slow.normalise(a, over, weight * factor, bias, centred=centred, eps=eps)

    return twin


def through(m: Net, x: Tensor) -> Tensor:
    return m.norm(m.a(x))


def rms_by_hand(m: Net, x: Tensor) -> Tensor:
    a = m.a(x)
    return a * torch.rsqrt(a.pow(2).mean(-1, keepdim=True) + 1e-3)


def layer_norm_by_hand(m: Net, x: Tensor) -> Tensor:
    a = m.a(x)
    middle = a - a.mean(-1, keepdim=True)
    return middle / torch.sqrt(a.var(-1, keepdim=True, unbiased=False) + 1e-3)


def over_norm(m: Net, x: Tensor) -> Tensor:
    a = m.a(x)
    return a / a.norm(dim=-1, keepdim=True)


def normalised(m: Net, x: Tensor) -> Tensor:
    return F.normalize(m.a(x), dim=-1)


PAIRS = [np.arange(2 * WIDTH), np.arange(2 * WIDTH) + 2 * WIDTH]
LAYER, RMS, GROUP = nn.LayerNorm(WIDTH), nn.RMSNorm(WIDTH, eps=1e-3), nn.GroupNorm(2, LENGTH)
NO_BIAS = nn.LayerNorm(WIDTH, bias=False)
PLAIN = nn.LayerNorm(WIDTH, elementwise_affine=False)
LENGTHS = WIDTH**-0.5  # x / |x| is x / (root mean square), times this
NORMS: dict[str, tuple[Callable[..., Tensor], nn.Module | None, Twin]] = {
    "LayerNorm": (through, LAYER, normed(True, 1e-5)),
    "LayerNorm, no bias": (through, NO_BIAS, normed(True, 1e-5)),
    "LayerNorm, not affine": (through, PLAIN, normed(True, 1e-5)),
    "LayerNorm by hand": (layer_norm_by_hand, None, normed(True, 1e-3)),
    "RMSNorm": (through, RMS, normed(False, 1e-3)),
    "RMSNorm by hand": (rms_by_hand, None, normed(False, 1e-3)),
    "GroupNorm": (through, GROUP, normed(True, 1e-5, PAIRS)),
    "x / |x|": (over_norm, None, normed(False, 0.0, factor=LENGTHS)),
    "normalize": (normalised, None, normed(False, 0.0, factor=LENGTHS)),
}


@pytest.mark.parametrize("name", NORMS)
def test_normalisation(name):
    body, layer, twin = NORMS[name]
    check(built(body, **({"norm": layer} if layer else {})), twin, tokens(), ATTN)


# ---- scaled dot-product attention ----------------------------------------------------------------

SOME = torch.tensor([[1, 0, 1, 1], [1, 1, 0, 0], [0, 1, 1, 0], [0, 0, 0, 1]]).bool()
ADDED = signed(LENGTH, LENGTH, seed=5).masked_fill(~SOME, -math.inf)
CAUSAL = np.where(np.tri(LENGTH) > 0, 0.0, -np.inf)


@dataclass(frozen=True)
class Attention:
    """What torch's function is called with, and the same for the twin."""

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
    "shared heads": Attention({"enable_gqa": True, "is_causal": True}, CAUSAL, of_k=1),
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
    """Fused or written out: the twin's map either way, so each other's too."""
    how = ATTENTIONS[name]

    def twin(m: Net, x: slow.Value, constant: bool) -> slow.Given:
        q, k, v = linear(x, m.q), linear(x, m.k), linear(x, m.v)
        given = {"mask": how.mask, "factor": how.factor, "constant": constant}
        return slow.heads(q, k, v, 2, how.of_k, **given)

    check(attending(how, fused), twin, tokens())


SUBSETS = ["q", "k", "v", "qk", "qv", "kv"]


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "by hand"])
@pytest.mark.parametrize("inside", SUBSETS)
def test_attention_with_constants(inside, fused):
    """What does not depend on the input gets nothing, and the other factor of its product all."""

    def body(m: Net, x: Tensor) -> Tensor:
        given = [
            getattr(m, n)(x) if n in inside else getattr(m, n)(m.memory).expand(x.shape[0], -1, -1)
            for n in "qkv"
        ]
        q, k, v = (split_heads(t, 2) for t in given)
        if fused:
            return F.scaled_dot_product_attention(q, k, v).transpose(1, 2)
        return by_hand(q, k, v, ATTENTIONS["plain"]).transpose(1, 2)

    def twin(m: Net, x: slow.Value, constant: bool) -> slow.Given:
        memory = slow.data(m.memory[0])
        q, k, v = (linear(x if n in inside else memory, getattr(m, n)) for n in "qkv")
        return slow.heads(q, k, v, 2, constant=constant)

    net = Net(body, LENGTH * WIDTH, **{n: nn.Linear(WIDTH, WIDTH) for n in "qkv"})
    net.memory = nn.Parameter(torch.empty(1, LENGTH, WIDTH))
    check(randomise(net.double()), twin, tokens(), None if "v" in inside else ATTN)


# ---- torch's layers ------------------------------------------------------------------------------


def multihead(
    layer: nn.MultiheadAttention, q: slow.Given, kv: slow.Given, constant: bool
) -> slow.Given:
    """The layer of torch in the twin."""
    w, b = layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3)
    parts = [slow.linear(x, w[i], b[i]) for i, x in enumerate((q, kv, kv))]
    return linear(slow.heads(*parts, layer.num_heads, constant=constant), layer.out_proj)


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("query", ["itself", "constant"])
def test_multihead_attention(query, weights):
    """With need_weights torch runs softmax and bmm, and without one fused operation."""

    def body(m: Net, x: Tensor) -> Tensor:
        q = x if query == "itself" else m.query.expand(x.shape[0], -1, -1)
        return m.attention(q, x, x, need_weights=weights)[0]

    def twin(m: Net, x: slow.Value, constant: bool) -> slow.Given:
        q = x if query == "itself" else slow.data(m.query[0])
        return multihead(m.attention, q, x, constant)

    attention = nn.MultiheadAttention(WIDTH, 2, batch_first=True)
    net = Net(body, LENGTH * WIDTH, attention=attention)
    net.query = nn.Parameter(torch.empty(1, LENGTH, WIDTH))
    check(randomise(net.double()), twin, tokens())


ACTIVATIONS = {"relu": lambda z: np.maximum(z, 0), "gelu": erf_gelu}


@pytest.mark.parametrize(("first", "name"), list(product([False, True], ACTIVATIONS)))
def test_transformer_encoder_layer(first, name):
    """Norm before or after, both presets; two residual sums."""
    layer = nn.TransformerEncoderLayer(
        WIDTH, 2, 8, activation=name, batch_first=True, norm_first=first
    )

    def twin(m: Net, x: slow.Value, constant: bool) -> slow.Given:
        e = m.encoder

        def norm(layer: nn.LayerNorm, x: slow.Given) -> slow.Given:
            weight, bias = slow.data(layer.weight), slow.data(layer.bias)
            return slow.normalise(x, ROWS, weight, bias, centred=True, eps=layer.eps)

        def forward(x: slow.Given) -> slow.Given:
            return linear(slow.activation(linear(x, e.linear1), ACTIVATIONS[name]), e.linear2)

        if first:
            n = norm(e.norm1, x)
            x = slow.add(x, multihead(e.self_attn, n, n, constant))
            return slow.add(x, forward(norm(e.norm2, x)))
        x = norm(e.norm1, slow.add(x, multihead(e.self_attn, x, x, constant)))
        return norm(e.norm2, slow.add(x, forward(x)))

    net = randomise(Net(lambda m, x: m.encoder(x), LENGTH * WIDTH, encoder=layer).double())
    check(net, twin, tokens())


def test_each_sample_is_explained_by_itself():
    net, x = attending(ATTENTIONS["added mask"], True), tokens()
    explainer = relprop.Explainer(net, "attnlrp")
    alone = [explainer(sample[None], target=1).relevance for sample in x]
    assert_same(explainer(x, target=1).relevance, torch.cat(alone), 1e-12)


# ---- a softmax at the end ------------------------------------------------------------------------


def test_a_final_softmax_is_refused_unless_named():
    """Named: the relevance of a probability is that of its score against all others."""
    layer = randomise(nn.Linear(WIDTH, 3).double())
    net, x = nn.Sequential(nn.Identity(), layer, nn.Softmax(-1)), tokens(WIDTH)
    with pytest.raises(relprop.RelpropError, match=r"\b2\b.*softmax"):
        relprop.explain(net, x, "attnlrp", target=0)
    recipe = Recipe.preset("attnlrp").using("2", "taylor")
    e = relprop.Explainer(net, recipe)(x, target=0, ledger=True)
    for sample, got in zip(x, e.relevance, strict=True):
        value = slow.Value(slow.data(sample[None]))
        out = slow.move(slow.softmax(linear(value, layer)), np.ravel)
        assert_same(got, torch.from_numpy(slow.explain(value, out, 0)[0]))
    assert e.ledger.error < 1e-9
