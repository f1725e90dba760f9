"""Presets: what they say of layers, and the usual rule of each kind."""

import pytest
import torch
from helpers.networks import signed
from torch import nn

import relprop
from relprop import Recipe
from relprop.graph.ops import KINDS
from relprop.recipes.presets import usual_rule
from relprop.rules.registry import RULES


@pytest.mark.parametrize("name", ["attnlrp", "cp-lrp"])
def test_the_layers_of_a_transformer_have_the_epsilon_that_is_given(name):
    net, x = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)).double(), signed(3, 4)
    for given, same in (({}, "zero"), ({"epsilon": 0.1}, Recipe.preset("epsilon", epsilon=0.1))):
        got = relprop.explain(net.eval(), x, Recipe.preset(name, **given)).relevance
        assert torch.equal(got, relprop.explain(net, x, same).relevance)


@pytest.mark.parametrize("kind", KINDS)
def test_the_usual_rule_of_a_kind_can_be_given_to_it(kind):
    """Errors advise it."""
    assert kind in RULES[usual_rule(kind)].kinds


@pytest.mark.parametrize(
    ("name", "todo"),
    [
        ("flat", 'write "epsilon-plus-flat"'),
        ("zbox", 'write "epsilon-gamma-box"'),
        ("z_plus", 'write "epsilon-plus"'),
        ("LRP-0", 'write "zero"'),
        ("LRP_Epsilon", 'write "epsilon"'),
        ("Epsilon", 'write "epsilon"'),
        ("AttnLRP", 'write "attnlrp"'),
        ("lrp", "choose one of these"),
        ("saliency", "choose one of these"),
    ],
)
def test_another_name_of_a_preset_proposes_it_or_none(name, todo):
    with pytest.raises(relprop.RelpropError, match="unknown preset") as error:
        relprop.Recipe.preset(name)
    assert error.value.todo == todo


@pytest.mark.parametrize("name", ["gradient", "w-squared", "w2"])
def test_a_rule_as_preset_is_told_to_be_one(name):
    with pytest.raises(relprop.RelpropError, match="unknown preset") as error:
        relprop.Recipe.preset(name)
    recipe = eval(error.value.todo.removeprefix("it is a rule: write "))
    assert recipe.rows[0].rule.name == {"w2": "w-squared"}.get(name, name)


def test_bounds_that_are_missing_are_written_in_one_line():
    recipe = relprop.Recipe.preset("zero")
    for given in ({}, {"low": 3}, {"high": -2.0}, {"low": torch.zeros(1)}):
        with pytest.raises(relprop.RelpropError, match="was not given") as error:
            recipe.using("0", "z-box", **given)
        line = error.value.todo.removeprefix("write ")
        assert recipe.using("0", "z-box", **given, **eval(f"dict({line})")).rows
    with pytest.raises(relprop.RelpropError, match="was not given 'high'"):
        recipe.using("0", "z-box", low=10**400)


@pytest.mark.parametrize(
    ("name", "todo"),
    [("lrp-0", '"zero"'), ("Z+", '"z-plus"'), ("zbox", '"z-box"'), ("lrp", "choose one")],
)
def test_another_name_of_a_rule(name, todo):
    with pytest.raises(relprop.RelpropError, match="unknown rule") as error:
        relprop.Recipe.preset("zero").using("0", name)
    assert todo in error.value.todo


def half(product):
    """Halve the gradient of a product, and not the product."""
    return product / 2 + product.detach() / 2


class Block(nn.Module):
    """A pre-norm transformer with a GELU, and a gated layer of two branches, over (n, 5, 8).

    pruned   detaches and scales as LibraGrad writes: the same values, another gradient
    """

    def __init__(self, pruned):
        super().__init__()
        self.pruned, self.norm = pruned, nn.LayerNorm(8)
        self.qkv, self.out = nn.Linear(8, 24), nn.Linear(8, 8)
        self.up, self.down = nn.Linear(8, 12), nn.Linear(12, 8)
        self.gate, self.value, self.head = nn.Linear(8, 6), nn.Linear(8, 6), nn.Linear(6, 3)

    def normed(self, x):
        if not self.pruned:
            return self.norm(x)
        deviation = (x.var(-1, unbiased=False, keepdim=True) + self.norm.eps).sqrt().detach()
        centred = x - x.mean(-1, keepdim=True)
        return centred / deviation * self.norm.weight + self.norm.bias

    def attended(self, x):
        q, k, v = (t.unflatten(-1, (2, 4)).transpose(1, 2) for t in self.qkv(x).chunk(3, -1))
        if self.pruned:
            mixed = (q @ k.transpose(-1, -2) / 2).softmax(-1).detach() @ v
        else:
            mixed = nn.functional.scaled_dot_product_attention(q, k, v)
        return self.out(mixed.transpose(1, 2).flatten(2))

    def forward(self, x):
        x = x + self.attended(self.normed(x))
        up = self.up(self.normed(x))
        if self.pruned:
            up = up * ((1 + torch.erf(up / 2**0.5)) / 2).detach()
            x = x + self.down(up)
            gate = self.gate(x)
            product = half(gate * torch.sigmoid(gate).detach() * self.value(x))
        else:
            x = x + self.down(nn.functional.gelu(up))
            product = nn.functional.silu(self.gate(x)) * self.value(x)
        return self.head(product).mean(1)


class StateSpace(nn.Module):
    """A Mamba block over (n, 5, 8): convolution, SiLU, selective scan, gate.

    pruned   detaches and scales as MambaLRP writes
    """

    def __init__(self, pruned):
        super().__init__()
        self.pruned, self.norm = pruned, nn.RMSNorm(8, eps=1e-6)
        self.in_proj, self.conv = nn.Linear(8, 12), nn.Conv1d(6, 6, 3, groups=6, padding=2)
        self.x_proj, self.dt_proj = nn.Linear(6, 2 + 4 + 4, bias=False), nn.Linear(2, 6)
        self.a_log, self.skip = nn.Parameter(torch.rand(6, 4)), nn.Parameter(torch.rand(6))
        self.out, self.head = nn.Linear(6, 8), nn.Linear(8, 3)

    def normed(self, x):
        if not self.pruned:
            return self.norm(x)
        size = (x.square().mean(-1, keepdim=True) + 1e-6).sqrt()
        return x / size.detach() * self.norm.weight

    def silu(self, x):
        return x * torch.sigmoid(x).detach() if self.pruned else nn.functional.silu(x)

    def scanned(self, x):
        dt, b, c = self.x_proj(x).split([2, 4, 4], -1)
        dt = nn.functional.softplus(self.dt_proj(dt))
        kept, taken = torch.exp(dt[..., None] * -self.a_log.exp()), dt[..., None] * b[:, :, None]
        if self.pruned:
            kept, taken, c = kept.detach(), taken.detach(), c.detach()
        state, steps = torch.zeros_like(taken[:, 0]), []
        for t in range(x.shape[1]):
            state = kept[:, t] * state + taken[:, t] * x[:, t, :, None]
            steps.append((state * c[:, t, None]).sum(-1))
        return torch.stack(steps, 1) + x * self.skip

    def forward(self, x):
        u, z = self.in_proj(self.normed(x)).chunk(2, -1)
        u = self.silu(self.conv(u.transpose(1, 2))[..., :5].transpose(1, 2))
        product = self.scanned(u) * self.silu(z)
        x = x + self.out(half(product) if self.pruned else product)
        return self.head(x[:, -1])


@pytest.mark.parametrize(
    ("block", "recipe"),
    [
        (Block, Recipe.preset("libragrad")),
        (StateSpace, Recipe.preset("libragrad").using("x_proj", "constant")),
    ],
    ids=["LibraGrad", "MambaLRP"],
)
def test_libragrad_is_the_input_times_the_pruned_gradient(block, recipe):
    """Of a transformer; and of a Mamba block whose dt, B and C are constant, as MambaLRP has it."""
    torch.manual_seed(0)
    net, pruned, x = block(False).double().eval(), block(True).double(), signed(3, 5, 8)
    pruned.load_state_dict(net.state_dict())
    leaf = x.clone().requires_grad_()
    score = pruned(leaf)[:, 1]
    torch.testing.assert_close(score, net(x)[:, 1], rtol=1e-12, atol=1e-12)
    (gradient,) = torch.autograd.grad(score.sum(), leaf)
    got = relprop.explain(net, x, recipe, 1).relevance
    torch.testing.assert_close(got, gradient * x, rtol=1e-9, atol=1e-12)
