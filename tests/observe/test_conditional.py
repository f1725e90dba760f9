"""Relevance that passes named modules and channels alone: what goes around them is left out.

The reference is gradient x input of the same model, written out with what is to be left out held
constant: LRP-0 of layers and ReLU is gradient x input.
"""

import pytest
import torch
from helpers.networks import Residual, randomise, signed
from torch import Tensor, nn

import relprop
from relprop import Recipe


class Branching(nn.Module):
    """A model of which `beside` marks what runs parallel to the named modules."""

    constant = False

    def beside(self, h: Tensor) -> Tensor:
        return h.detach() if self.constant else h


class BasicBlock(Branching):
    """As in ResNet-18: two convolutions with BatchNorm, and a residual connection."""

    def __init__(self):
        super().__init__()
        self.stem, self.conv1 = nn.Conv2d(2, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.bn1, self.relu, self.bn2 = nn.BatchNorm2d(4), nn.ReLU(), nn.BatchNorm2d(4)
        self.conv2, self.head = nn.Conv2d(4, 4, 3, padding=1), nn.Linear(4, 3)

    def forward(self, x):
        h = self.relu(self.stem(x))
        inside = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(h)))))
        return self.head(self.relu(self.beside(h) + inside).mean((2, 3)))


class Concatenated(Branching):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.head = nn.Linear(4, 5), nn.Linear(4, 3), nn.Linear(12, 3)

    def forward(self, x):
        beside = self.beside(torch.cat([x, self.b(x)], 1))
        return self.head(torch.cat([self.a(x), beside], 1).relu())


class Attention(Branching):
    """The weights of attention come from queries and keys, which run parallel to the values."""

    def __init__(self):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        weights = self.beside((self.q(x) @ self.k(x).transpose(1, 2)).softmax(-1))
        return self.head((weights @ self.v(x) + self.beside(x)).relu().mean(1))


class Branches(Branching):
    """Two branches, of which one has two layers, and a residual connection."""

    def __init__(self):
        super().__init__()
        self.left, self.deep = nn.Linear(4, 4), nn.Linear(4, 4)
        self.right, self.head = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        left = self.deep(self.left(x).relu())
        return self.head((left + self.right(x) + self.beside(x)).relu())


class Series(Branching):
    """Two residual blocks, one after the other."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        h = (self.beside(x) + self.first(x)).relu()
        return self.head((self.beside(h) + self.second(h)).relu())


class Selfgated(Branching):
    """A value and its gate, both of which relevance may pass."""

    def __init__(self):
        super().__init__()
        self.value, self.weight, self.head = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.value(x) * self.beside(self.weight(x)))


def factor_of(model: nn.Module) -> float:
    """A product of two values gives half of its relevance to either."""
    return 0.5 if isinstance(model, Attention | Selfgated) else 1.0


def by_gradient(model: Branching, x: Tensor, conditions: dict[str, list[int]], dim: int) -> Tensor:
    """Gradient x input for class 1, by the named channels of dimension `dim` alone."""

    def stop(channels):
        def hook(module, arguments, h):
            kept = torch.zeros(h.shape[dim], dtype=h.dtype)
            kept[channels] = 1
            kept = kept.reshape(-1, *[1] * (h.ndim - 1 - dim % h.ndim))
            return h * kept + (h * (1 - kept)).detach()

        return hook

    hooks = [
        model.get_submodule(name).register_forward_hook(stop(channels))
        for name, channels in conditions.items()
    ]
    leaf = x.clone().requires_grad_()
    model.constant = True
    score = model(leaf)[:, 1].sum()
    model.constant = False
    for hook in hooks:
        hook.remove()
    return x * torch.autograd.grad(score, leaf)[0]


CASES = {
    "residual": (BasicBlock, {"conv1": [2]}, 1),
    "residual, at its end": (BasicBlock, {"bn2": [0, 3]}, 1),
    "two in one branch": (BasicBlock, {"conv1": [1, 2], "conv2": [0, 3]}, 1),
    "a module called inside and outside": (BasicBlock, {"stem": [1, 2], "conv2": [0]}, 1),
    "concat": (Concatenated, {"a": [0, 4]}, -1),
    "attention": (Attention, {"v": [1, 3]}, -1),
    "two branches": (Branches, {"left": [0, 1], "right": [2]}, -1),
    "two branches, three conditions": (Branches, {"left": [0], "deep": [1, 2], "right": [3]}, -1),
    "series": (Series, {"first": [0, 1], "second": [1, 2]}, -1),
    "product": (Selfgated, {"value": [3]}, -1),
}


@pytest.mark.parametrize("case", CASES)
def test_what_goes_around_the_named_modules_is_left_out(case):
    build, conditions, dim = CASES[case]
    model = randomise(build()).double()
    x = signed(3, 2, 5, 5) if build is BasicBlock else signed(3, 4)
    x = signed(3, 6, 4) if build is Attention else x
    explainer = relprop.Explainer(model, "zero")
    want = factor_of(model) * by_gradient(model, x, conditions, dim)
    e = explainer(x, target=1, conditions=conditions, ledger=True)
    torch.testing.assert_close(e.relevance, want)
    assert e.ledger.error < 1e-13
    assert all(entry.error.abs().max() < 1e-13 for entry in e.ledger.entries)
    more = explainer(x, target=1, conditions=conditions, keep_parallel=True, ledger=True)
    assert not torch.allclose(more.relevance, want)
    assert more.ledger.error < 1e-13


@pytest.mark.parametrize("conditions", [{"first": [0, 1], "second": [0, 1]}, {"*[td]": [0, 1]}])
def test_a_glob_stands_for_each_module_that_it_matches(conditions):
    model, x = randomise(Series()).double(), signed(3, 4)
    want = by_gradient(model, x, {"first": [0, 1], "second": [0, 1]}, -1)
    got = relprop.explain(model, x, "zero", target=1, conditions={"first": [0, 1], **conditions})
    torch.testing.assert_close(got.relevance, want)


class Repeated(nn.Module):
    """One residual block three times, with the same weights."""

    def __init__(self):
        super().__init__()
        self.inner, self.head = nn.Linear(4, 4, bias=False), nn.Linear(4, 3, bias=False)

    def forward(self, x):
        for _ in range(3):
            x = x + self.inner(x).relu()
        return self.head(x)


def test_a_module_that_is_called_several_times_is_passed_in_at_least_one_call():
    """What passes is: all that passes only these channels, minus what passes no call at all."""
    model, x = randomise(Repeated()).double(), signed(3, 4)
    e = relprop.explain(model, x, "zero", target=1, conditions={"inner": [0, 2]})
    c = model.head.weight[1].expand(3, 4)
    kept, around, h = c, c, x
    with torch.no_grad():
        gates = []
        for _ in range(3):
            gates.append((model.inner(h) > 0).double() * torch.tensor([1.0, 0.0, 1.0, 0.0]))
            h = h + model.inner(h).relu()
        for gate in reversed(gates):
            kept = kept + (kept * gate) @ model.inner.weight
    torch.testing.assert_close(e.relevance, (x * (kept - around)).detach())


class Recurrence(nn.Module):
    """Two modules that are called in turn."""

    def __init__(self):
        super().__init__()
        self.f, self.g, self.head = nn.Linear(3, 3), nn.Linear(3, 3), nn.Linear(3, 2)

    def forward(self, x):
        for _ in range(2):
            x = x + self.f(x)
            x = x + self.g(x)
        return self.head(x)


def test_two_modules_called_in_turn_are_both_passed():
    """By all paths, one by one: a path is kept if it passes a call of f and a call of g."""
    model, x = randomise(Recurrence()).double(), signed(2, 3)
    got = relprop.explain(model, x, "zero", target=1, conditions={"f": [0, 1], "g": [1, 2]})
    f, g = (torch.tensor(mask, dtype=torch.float64) for mask in ([1, 1, 0], [0, 1, 1]))
    blocks = {"f": f[:, None] * model.f.weight, "g": g[:, None] * model.g.weight}
    want = torch.zeros(3, dtype=torch.float64)
    for path in range(16):  # which of the four blocks g, f, g, f it passes
        passes = [bool(path >> i & 1) for i in range(4)]
        c = model.head.weight[1]
        for name, inside in zip("gfgf", passes, strict=True):
            c = c @ blocks[name] if inside else c
        if any(passes[::2]) and any(passes[1::2]):
            want = want + c
    torch.testing.assert_close(got.relevance, (x * want).detach())


def test_a_layer_shows_the_sum_of_what_arrives_in_parts():
    """Of its last call: what has passed the last g, and what may still pass the one before."""
    model, x = randomise(Recurrence()).double(), signed(2, 3)
    e = relprop.explain(model, x, "zero", target=1, conditions={"g": [1, 2]}, layers=["f"])
    g = torch.tensor([[0.0], [1.0], [1.0]], dtype=torch.float64) * model.g.weight
    c = model.head.weight[1] + model.head.weight[1] @ g
    h = x + model.f(x)
    h = h + model.g(h)
    torch.testing.assert_close(e.layers["f"][1], (model.f(h) * c).detach())


# ---- with other options --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def block() -> relprop.Explainer:
    return relprop.Explainer(randomise(BasicBlock()).double(), "zero")


X, GIVEN = signed(4, 2, 5, 5), {"conv1": [2]}


def test_layers_show_what_arrives_and_is_not_left_out(block):
    e = block(X, 1, conditions=GIVEN, layers=["conv1", "stem", "bn2", "head"])
    assert (e.layers["conv1"][:, [0, 1, 3]] == 0).all()
    torch.testing.assert_close(e.layers["head"].sum(1), e.output[:, 1])
    model = block.model
    stem = model.stem(X).relu().detach().requires_grad_()
    inside = model.bn1(model.conv1(stem))
    inside = torch.cat([inside[:, :2].detach(), inside[:, 2:3], inside[:, 3:].detach()], 1)
    out = model.relu(stem.detach() + model.bn2(model.conv2(inside.relu()))).mean((2, 3))
    (gradient,) = torch.autograd.grad(model.head(out)[:, 1].sum(), stem)
    torch.testing.assert_close(e.layers["stem"], (stem * gradient).detach())


def test_a_layer_beside_the_named_one_shows_zero():
    model, x = randomise(Branches()).double(), signed(3, 4)
    e = relprop.explain(model, x, "zero", target=1, conditions={"left": [0]}, layers=["right"])
    assert e.layers["right"].equal(torch.zeros(3, 4, dtype=torch.float64))


@pytest.mark.parametrize("options", [{"batch_size": 3}, {"recompute": True}, {"layers": ["*"]}])
def test_other_options_change_nothing(block, options):
    want = block(X, 1, conditions=GIVEN).relevance
    torch.testing.assert_close(block(X, 1, conditions=GIVEN, **options).relevance, want)


def test_several_targets_are_those_one_by_one(block):
    e = block(X, [0, "runner-up"], conditions=GIVEN, ledger=True)
    for i, target in enumerate((0, "runner-up")):
        one = block(X, target, conditions=GIVEN, ledger=True)
        torch.testing.assert_close(e.relevance[:, i], one.relevance)
        torch.testing.assert_close(
            e.ledger[i].absorbed["conditions"], one.ledger.absorbed["conditions"]
        )


def test_capture_for_each_input_gives_the_same():
    model = randomise(BasicBlock()).double()
    want = relprop.explain(model, X, "zero", target=1, conditions=GIVEN).relevance
    explainer = relprop.Explainer(model, "zero", capture="per-input")
    torch.testing.assert_close(explainer(X, 1, conditions=GIVEN).relevance, want)


def test_it_can_be_differentiated():
    """The relevance of the branch is linear in x around x: its derivative sums to c."""
    model, x = randomise(Series()).double(), signed(1, 4).requires_grad_()
    explainer = relprop.Explainer(model, "zero")
    e = explainer(x, 1, conditions={"second": [2]}, create_graph=True)
    (got,) = torch.autograd.grad(e.relevance.sum(), x)
    h = (x + model.first(x)).relu()  # its residual connection stays: there is no condition on it
    gate = (h + model.second(h) > 0).double()
    c = (model.head.weight[1] * gate)[:, 2] @ model.second.weight[2:3] * (h > 0)
    c = c @ (torch.eye(4, dtype=torch.float64) + model.first.weight)
    torch.testing.assert_close(got, c)


def test_a_rule_that_gives_relevance_to_inputs_of_zero():
    """Flat at the first layer takes relevance itself, which the residual connection passes on."""
    body, head = nn.Linear(5, 5), nn.Linear(5, 3)
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), Residual(body), nn.ReLU(), head)
    model, x = randomise(model).double(), signed(3, 4)
    recipe = Recipe.preset("zero").using("0", "flat")
    e = relprop.explain(model, x, recipe, target=1, conditions={"2.body.0": [1, 4]}, ledger=True)
    h = model[:2](x)
    gate = (h + body(h) > 0).double()
    c = (head.weight[1] * gate)[:, [1, 4]] @ body.weight[[1, 4]]
    want = (h * c).sum(1, keepdim=True).expand(3, 4) / 4
    torch.testing.assert_close(e.relevance, want.detach())
    assert e.ledger.error < 1e-13


# ---- the ledger ----------------------------------------------------------------------------------


def test_the_ledger_names_what_conditions_leave_out():
    """Without biases: the residual connection at the sum, the other channels at the module."""
    layer, head = nn.Linear(4, 4, bias=False), nn.Linear(4, 3, bias=False)
    model = randomise(nn.Sequential(Residual(layer), head)).double()
    x = signed(3, 4)
    e = relprop.explain(model, x, "zero", target=1, conditions={"0.body": [2]}, ledger=True)
    c, z = head.weight[1], layer(x)
    entries = {entry.operation: entry for entry in e.ledger.entries if entry.absorbed}
    around, others = (x * c).sum(1), (z * c)[:, [0, 1, 3]].sum(1)
    torch.testing.assert_close(entries["add"].absorbed["conditions"], around)
    torch.testing.assert_close(entries["condition"].absorbed["conditions"], others)
    torch.testing.assert_close(entries["condition"].relevance_out, z[:, 2] * c[2])
    torch.testing.assert_close(e.ledger.absorbed["conditions"], around + others)
    assert "conditions" in str(e.ledger)
    assert [entry.operation for entry in e.ledger.entries] == [
        *("linear", "add", "condition", "linear")
    ]
    kept = relprop.explain(
        model, x, "zero", target=1, conditions={"0.body": [2]}, keep_parallel=True, ledger=True
    )
    torch.testing.assert_close(kept.ledger.absorbed["conditions"], others)


def test_what_relevance_passes_in_parts_has_one_entry():
    """Once for relevance that has passed `inner` before, and once for the rest."""
    model, x = randomise(Repeated()).double(), signed(3, 4)
    e = relprop.explain(model, x, "zero", target=1, conditions={"inner": [0, 2]}, ledger=True)
    labels = [entry.operation for entry in e.ledger.entries]
    assert labels == ["linear", *(3 * ["add", "condition", "linear + relu"])]
    assert e.ledger.error < 1e-13
    assert all(entry.error.abs().max() < 1e-13 for entry in e.ledger.entries)
    torch.testing.assert_close(
        e.ledger.absorbed["conditions"], (e.output[:, 1] - e.relevance.sum(1))
    )


class Sorted(nn.Module):
    """Sorts the samples of a batch among one another and puts them back, as experts do."""

    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Linear(4, 4), nn.Linear(4, 3)

    def forward(self, x):
        order = x.sum(1).argsort()
        h = self.layer(x[order])
        return self.head(x + h[order.argsort()])


def test_the_ledger_of_samples_that_are_sorted_follows_conditions():
    model, x = randomise(Sorted()).double(), signed(3, 4)
    explainer = relprop.Explainer(model, "zero")
    ledger = explainer(x, 1, conditions={"layer": [2]}, ledger=True).ledger
    assert ledger.error < 1e-13
    c = model.head.weight[1, 2]
    torch.testing.assert_close(ledger.relevance_out, (x @ model.layer.weight[2] * c).detach())
