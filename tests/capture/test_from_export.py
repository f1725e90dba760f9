"""Models written as functions: on ReLU networks `zero` is gradient x input, whatever they do."""

import pytest
import torch
from helpers.networks import randomise, signed
from torch import nn
from torch.nn import functional as F

import relprop
from relprop import Recipe


class Net(nn.Module):
    """Layers a (6 to 8), b (8 to 8), o and p (8 to 3), and a forward that the test writes."""

    def __init__(self, forward):
        super().__init__()
        self.a, self.b = nn.Linear(6, 8), nn.Linear(8, 8)
        self.o, self.p = nn.Linear(8, 3), nn.Linear(8, 3)
        self.norm = nn.BatchNorm1d(8)
        self.function = forward
        self.scale = torch.full((8,), 2.0)

    def forward(self, x):
        return self.function(self, x)


def net(function, dtype=torch.float64) -> nn.Module:
    return randomise(Net(function)).to(dtype)


def gradient_times_input(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    leaf = x.clone().requires_grad_()
    best = model(leaf).max(1).values.sum()
    return x * torch.autograd.grad(best, leaf)[0]


def chunked(m, x):
    first, second = m.a(x).chunk(2, 1)
    return m.o(m.a(x)) + m.p(torch.cat([first.relu(), second], 1))


def unbound(m, x):
    parts = m.a(x).relu().unflatten(1, (2, 4)).unbind(1)
    return m.o(torch.cat([parts[1], parts[0]], 1))


def split(m, x):
    first, second = m.a(x).relu().split([3, 5], 1)
    return m.o(torch.cat([second, first, first[:, :0]], 1))


def masked(m, x):
    h = m.a(x)
    return m.o(h * (h > 0))


def shared(m, x):
    h = m.b(m.a(x).relu()).relu()
    return m.o(m.b(h).relu() + h)


def normalised_after_use(m, x):
    h = m.a(x)
    return m.o(m.norm(h).relu()) + m.p(h)


def scaled(m, x):
    return m.o(-(m.a(x / 255).relu() * 3 * m.scale.to(x)))


@pytest.mark.parametrize(
    "function", [chunked, unbound, split, masked, shared, normalised_after_use, scaled]
)
@pytest.mark.parametrize("batch", [1, 5])
def test_zero_is_gradient_times_input(function, batch):
    model, x = net(function), signed(batch, 6)
    e = relprop.explain(model, x, "zero")
    torch.testing.assert_close(e.output, model(x).detach())
    torch.testing.assert_close(e.relevance, gradient_times_input(model, x))


SOME = torch.tensor([True, False, True, True, False, False, True, False])


def plane(h):
    return h.reshape(-1, 1, 2, 4)


def unpooled(h):
    largest, places = F.max_pool2d(plane(h), 2, return_indices=True)
    return F.max_unpool2d(largest, places, 2).flatten(1)


def resized(h, mode):
    return F.interpolate(plane(h), (4, 2), mode=mode, antialias=True).flatten(1)


LIKE_A_SUM = {
    "lerp": lambda h: torch.lerp(h, h.flip(1).relu(), 0.3),
    "lerp by tensor": lambda h: torch.lerp(h, h.flip(1).relu(), torch.arange(8.0).to(h) / 8),
    "tensordot": lambda h: torch.tensordot(h, torch.arange(64.0).to(h).reshape(8, 8).sin(), 1),
    "diff": lambda h: torch.diff(F.pad(h, (1, 0))),
    "nan_to_num": lambda h: h.nan_to_num(),
    "masked_scatter": lambda h: torch.stack([h, h], 1).masked_scatter(SOME, h)[:, 0],
    "bilinear": lambda h: resized(h, "bilinear"),
    "bicubic": lambda h: resized(h, "bicubic"),
    "max_unpool2d": unpooled,
    "median": lambda h: h + h.median(1, keepdim=True).values,
    "kthvalue": lambda h: h + h.kthvalue(3, 1, keepdim=True).values,
    "cummax": lambda h: h.cummax(1).values,
    "cummin": lambda h: h.cummin(1).values,
    "rrelu": lambda h: F.rrelu(h),
    "std": lambda h: h + h.std(1, keepdim=True),
    "norm": lambda h: h + h.norm(dim=1, keepdim=True),
}


@pytest.mark.parametrize("name", LIKE_A_SUM)
@pytest.mark.parametrize("flat", [False, True])
def test_what_scales_with_its_input_is_gradient_times_input(name, flat):
    """Also of a layer that is given relevance itself after it, of which all is accounted for."""
    f = LIKE_A_SUM[name]
    model, x = net(lambda m, x: m.o(m.b(f(m.a(x))).relu())), signed(1, 6)
    recipe = Recipe.preset("zero").using("b", "flat") if flat else Recipe.preset("zero")
    e = relprop.Explainer(model, recipe)(x, ledger=True)
    torch.testing.assert_close(e.output, model(x).detach())
    assert e.ledger.error <= 1e-9
    if not flat:
        torch.testing.assert_close(e.relevance, gradient_times_input(model, x))


def test_a_gated_linear_unit_holds_its_gate():
    def held(h):
        value, gate = h.chunk(2, 1)
        return value * gate.sigmoid().detach()

    model, other = (net(lambda m, x, f=f: m.o(F.pad(f(m.a(x)), (0, 4)))) for f in (F.glu, held))
    x = signed(2, 6)
    e = relprop.Explainer(model, "zero")(x, ledger=True)
    torch.testing.assert_close(e.output, model(x).detach())
    torch.testing.assert_close(e.relevance, gradient_times_input(other, x))
    assert e.ledger.error <= 1e-9


@pytest.mark.parametrize("arguments", [{}, {"unbiased": False}, {"correction": 2}])
def test_a_variance_is_a_mean_of_squares(arguments):
    """Whose relevance goes to what is squared: half of its gradient."""

    def model_with(share):
        def forward(m, x):
            variance = m.a(x).var(1, keepdim=True, **arguments)
            return m.o(m.b(m.a(x) + share * variance + (1 - share) * variance.detach()).relu())

        return net(forward)

    x = signed(2, 6)
    model = net(lambda m, x: m.o(m.b(m.a(x) + m.a(x).var(1, keepdim=True, **arguments)).relu()))
    e = relprop.Explainer(model, "zero")(x, ledger=True)
    torch.testing.assert_close(e.output, model(x).detach())
    torch.testing.assert_close(e.relevance, gradient_times_input(model_with(0.5), x))
    assert e.ledger.error <= 1e-9


def test_a_norm_that_counts_has_no_relevance_to_give():
    model = net(lambda m, x: m.o(m.a(x) + torch.linalg.vector_norm(m.a(x), 0, 1, keepdim=True)))
    with pytest.raises(relprop.RelpropError, match="cannot pass the statistic"):
        relprop.explain(model, signed(2, 6), "zero")


def test_a_pooled_context_is_a_factor_and_no_statistic():
    """A mean of one thing times another: half of the relevance to each, not all to the other."""

    def scored(share):
        def forward(m, x):
            return m.o(m.b(F.pad(share * x.mean(1) * m.a(x[:, 0])[:, :6], (0, 2))))

        return net(forward)

    x = signed(2, 4, 6)
    e = relprop.explain(scored(1.0), x, "zero", target=0)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(scored(0.5)(leaf)[:, 0].sum(), leaf)
    torch.testing.assert_close(e.relevance, x * gradient)


@pytest.mark.parametrize("rule", ["gamma", "z-plus", "flat", "zero"])
@pytest.mark.parametrize("shape", [(2, 6), (2, 4, 6), (2, 3, 4, 6)])
def test_a_product_with_a_matrix_is_a_linear_layer(rule, shape):
    """Its weights are constant, whatever the dimensions of what they are multiplied with."""

    def product(m, x):
        return m.o((x @ m.a.weight.t()).relu() + m.scale).flatten(1, -2).sum(1)

    def layer(m, x):
        return m.o(F.linear(x, m.a.weight).relu() + m.scale).flatten(1, -2).sum(1)

    x, recipe = signed(*shape), Recipe.preset("zero").using("*", rule)
    if len(shape) == 2:
        x = x.unsqueeze(1)
    got, want = (relprop.explain(net(f), x, recipe, target=1).relevance for f in (product, layer))
    torch.testing.assert_close(got, want)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda m, x: m.o(torch.clamp(m.a(x), min=m.b(m.a(x)))), "parameter depends on the input"),
        (lambda m, x: m.o(torch.clamp(m.scale.to(x), min=m.a(x))), "parameter depends on"),
        (lambda m, x: m.o(m.a(x) if x.shape[0] < 9 else -m.a(x)), "a batch of 2 to 8"),
        (lambda m, x: m.o(m.a(x) if x.shape[0] > 1 else -m.a(x)), "on one sample does not"),
        (lambda m, x: m.o(m.a(x) * torch.rand(8).to(x)), "random numbers"),
        (lambda m, x: m.o(torch.div(m.a(x), 2, rounding_mode="floor")), "no rule for div"),
    ],
)
def test_what_is_not_covered_is_refused(function, message):
    with pytest.raises(relprop.RelpropError, match=message):
        relprop.explain(net(function), signed(3, 6), "zero")


def test_what_is_computed_on_the_whole_batch_is_refused():
    """A mean over all samples makes one sample's output depend on the others'."""
    with pytest.raises(relprop.RelpropError, match=r"mean mixes the samples of a batch"):
        relprop.explain(net(lambda m, x: m.o(m.a(x) - m.a(x).mean())), signed(3, 6), "zero")


def test_functional_layers_are_named_by_the_module_that_ran_them():
    model = net(lambda m, x: F.linear(F.relu(m.a(x)), m.o.weight))
    plan = str(relprop.Explainer(model, Recipe.preset("zero").using("", "flat")).plan(signed(2, 6)))
    line = next(line for line in plan.splitlines() if " flat " in line)
    assert line.strip().startswith("linear")


def test_modules_whose_names_begin_with_an_underscore_are_named():
    class Underscored(nn.Module):
        def __init__(self):
            super().__init__()
            self._stem, self._head = nn.Linear(6, 8), nn.Sequential(nn.Linear(8, 3))

        def forward(self, x):
            return self._head(self._stem(x).relu())

    for capture in ("export", "per-input"):
        plan = relprop.Explainer(Underscored().double().eval(), "zero", capture=capture).plan(
            signed(2, 6)
        )
        linear = [node.module for node in plan.graph.nodes if node.operation == "linear"]
        assert linear == ["_stem", "_head.0"]


def test_a_node_names_the_class_of_torch_that_its_module_derives_from():
    class Narrow(nn.Linear):
        pass

    model = nn.Sequential(Narrow(6, 8), nn.ReLU(), nn.Linear(8, 3)).double().eval()
    nodes = relprop.Explainer(model, "zero").plan(signed(2, 6)).graph.nodes
    bases = [(node.type, node.base) for node in nodes]
    assert bases == [("Narrow", "Linear"), ("ReLU", "ReLU"), ("Linear", "Linear")]
    nodes = relprop.Explainer(net(lambda m, x: m.o(m.a(x).relu())), "zero").plan(signed(2, 6)).graph
    assert [(node.type, node.base) for node in nodes.nodes][1] == ("Net", "")


def cut(m, x):
    h = m.a(x)[:, None, :].squeeze(1)[:, : x.shape[1]].relu()  # slices that take all there is
    return m.o(m.b(h)[:, 1:].mean(1))


def written(m, x):
    h = m.a(x).clone()
    h[:, :, :4] += m.b(h)[:, :, 4:].relu()  # to all positions, which are open
    return m.o(h.mean(1))


@pytest.mark.parametrize(("function", "slices"), [(cut, 1), (written, 3)])
def test_what_takes_or_writes_all_is_left_out_with_open_sizes_as_without(function, slices):
    """The graph of one size alone has no such slice, since torch leaves it out."""
    model = net(function)
    explainer = relprop.Explainer(model, "zero")
    for length in (4, 5, 7):
        found = explainer(signed(2, length, 6), ledger=True)
    alone = relprop.Explainer(model, "zero")(signed(2, 7, 6), ledger=True)
    operations = [entry.operation for entry in found.ledger.entries]
    assert operations == [entry.operation for entry in alone.ledger.entries]
    assert operations.count("slice") == slices
    torch.testing.assert_close(found.relevance, alone.relevance, rtol=1e-9, atol=1e-12)


def test_a_slice_that_is_the_output_stays():
    model = net(lambda m, x: m.o(m.a(x).mean(1))[: x.shape[0]])
    explainer = relprop.Explainer(model, "zero")
    for length in (4, 5):
        x = signed(2, length, 6)
        torch.testing.assert_close(explainer(x).relevance, gradient_times_input(model, x))
