"""Changes of a model that an explainer follows, each by another explanation that is the model's."""

import copy
import functools
from collections import Counter, OrderedDict, UserDict, defaultdict, deque
from dataclasses import dataclass, field

import pytest
import torch
from helpers.networks import randomise, signed
from torch import nn
from torch.nn.utils import parametrize, prune

import relprop
from relprop.capture import model as capturing
from relprop.capture.attributes import MOST_ENTRIES, Attribute
from relprop.capture.configuration import Configuration
from relprop.errors import PlanError

X = signed(3, 4).double()


@dataclass
class Settings:
    """A configuration object, equal to another one of the same values."""

    scale: float = 2.0
    powers: list[float] = field(default_factory=lambda: [1.0, 0.5])
    layer: nn.Module = field(default_factory=lambda: nn.Linear(4, 4).double(), compare=False)


def double(h):
    return 2 * h


def triple(h):
    return 3 * h


class Switched(nn.Module):
    """Reads attributes of every sort in its forward, and writes one."""

    factor = 1.0

    def __init__(self):
        super().__init__()
        self.first, self.norm, self.head = nn.Linear(4, 4), nn.BatchNorm1d(4), nn.Linear(4, 3)
        self.on, self.after, self.shift = True, torch.tanh, torch.arange(4.0).double()
        self.settings, self.listed = Settings(), [[1.0, 2.0], {"skip": ()}]
        self.beside = [nn.Linear(4, 4).double()]
        self.steps = (torch.ones(4).double(), functools.partial(torch.mul, other=2.0))
        self.kept = None

    def forward(self, x):
        h = self.norm(self.first(x))
        self.kept = h.detach()
        if self.on:
            h = self.after(h) + self.shift
        h = h * self.settings.scale * self.settings.powers[0] * self.listed[0][1] * self.factor
        h = self.steps[1](h * self.steps[0])
        h = h if h.shape[1] == 3 else self.settings.layer(h)
        return self.head(h if "last" in self.listed[1]["skip"] else self.beside[0](h))


@pytest.fixture
def model(monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(Switched, "factor", 1.0)
    monkeypatch.setattr(Switched, "forward", Switched.forward)
    return randomise(Switched()).double()


@pytest.fixture
def captures(monkeypatch):
    """Counts captures in a list."""
    made, capture = [], capturing.capture_model

    def counted(*arguments, **options):
        made.append(1)
        return capture(*arguments, **options)

    monkeypatch.setattr(capturing, "capture_model", counted)
    return made


def hook(model):
    model.first.register_forward_hook(lambda module, args, output: 2 * output)


def pre_hook(model):
    model.head.register_forward_pre_hook(lambda module, args: (args[0] + 1,))


def pruned(model):
    """Three hidden units of four: other shapes under the same names."""
    with torch.no_grad():
        for layer in (model.first, model.norm):
            layer.weight, layer.bias = (nn.Parameter(p[:3]) for p in (layer.weight, layer.bias))
        model.norm.running_mean, model.norm.running_var = torch.zeros(2, 3).double()
        model.norm.running_var += 1
        model.on, model.steps = False, (torch.ones(3).double(), model.steps[1])
        model.beside = [nn.Linear(3, 4).double()]


def without_head(model):
    model.head.weight.data, model.head.bias.data = (
        model.head.weight.data[:2],
        torch.ones(2).double(),
    )


def other_class(model):
    class Doubled(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    model.first.__class__ = Doubled


CHANGES = {
    "a flag": lambda m: setattr(m, "on", False),
    "a number of torch's layer": lambda m: setattr(m.norm, "eps", 0.5),
    "a function": lambda m: setattr(m, "after", torch.sigmoid),
    "another function that forward calls": lambda m: setattr(m, "after", triple),
    "a partial function": lambda m: setattr(m, "steps", (m.steps[0], functools.partial(triple))),
    "a method of one module": lambda m: setattr(m.first, "forward", triple),
    "a tensor": lambda m: setattr(m, "shift", torch.ones(4).double()),
    "a tensor of the same numbers, written into": lambda m: (
        setattr(m, "shift", m.shift.clone()),
        m.shift.add_(1),
    ),
    "numbers of a tensor": lambda m: m.shift.mul_(3),
    "numbers of a tensor in a tuple": lambda m: m.steps[0].mul_(3),
    "an entry of a list in a list": lambda m: m.listed[0].__setitem__(1, 5.0),
    "an entry of a dict in a list": lambda m: m.listed[1].update(skip=("last",)),
    "an attribute of an object": lambda m: setattr(m.settings, "scale", 7.0),
    "a list of an object": lambda m: m.settings.powers.reverse(),
    "an equal object, changed": lambda m: (
        setattr(m, "settings", Settings()),
        setattr(m.settings, "scale", 7.0),
    ),
    "weights of a module in a list": lambda m: m.beside[0].weight.detach().add_(1),
    "weights of a module in an object": lambda m: m.settings.layer.weight.detach().add_(1),
    "an attribute of a class": lambda m: setattr(Switched, "factor", 4.0),
    "a method of a class": lambda m: setattr(
        Switched, "forward", lambda self, x: self.head(self.first(x))
    ),
    "the class of a module": other_class,
    "a hook": hook,
    "a hook before": pre_hook,
    "a module": lambda m: setattr(m, "norm", nn.Identity()),
    "a bias": lambda m: setattr(m.head, "bias", None),
    "other shapes": pruned,
    "other shapes of the same parameters": without_head,
    "a parametrisation": lambda m: parametrize.register_parametrization(
        m.first, "weight", nn.Softplus()
    ),
    "a pruning mask": lambda m: prune.l1_unstructured(m.first, "weight", 0.5),
}


def gradient_times_input(model, x):
    leaf = x.clone().requires_grad_()
    output = model(leaf)
    return output.detach(), x * torch.autograd.grad(output[:, 1].sum(), leaf)[0]


def assert_explained(explainer, x=X):
    """Compare with the model's own output, and the relevance with that of a new explainer."""
    e, new = explainer(x, target=1), relprop.explain(explainer.model, x, "zero", target=1)
    torch.testing.assert_close(e.output, explainer.model(x).detach())
    torch.testing.assert_close(e.relevance, new.relevance)


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_followed(name, model):
    explainer = relprop.Explainer(model, "zero")
    explainer(X)
    before = model(X).detach()
    CHANGES[name](model)
    assert_explained(explainer)
    after = model(X).detach()
    assert after.shape != before.shape or not after.allclose(before)


def test_an_earlier_configuration_that_comes_back_is_not_captured_again(model, captures):
    explainer = relprop.Explainer(model, "zero")
    for on in (True, False, True, False, True):
        model.on = on
        assert_output(explainer)
    model.shift.add_(1)
    assert_output(explainer)
    assert len(captures) == 3


def test_new_weights_of_the_same_shape_are_no_change(model, captures):
    explainer = relprop.Explainer(model, "zero")
    for change in (
        lambda: model.first.weight.data.mul_(2),
        lambda: setattr(model.first, "weight", nn.Parameter(torch.rand(4, 4).double())),
        lambda: setattr(model.norm, "running_mean", torch.rand(4).double()),
        lambda: model.load_state_dict(copy.deepcopy(model.state_dict())),
        lambda: model.requires_grad_(False),
    ):
        change()
        for _ in range(2):
            assert_output(explainer)
    assert len(captures) == 1


def test_what_forward_itself_writes_is_no_change(model, captures):
    explainer = relprop.Explainer(model, "zero")
    for _ in range(3):
        assert_output(explainer)  # which runs the model
        assert_output(explainer.with_recipe("epsilon"))
    assert len(captures) == 1
    model.extra = 3  # beside what forward writes
    model.settings.scale = 5.0
    assert_output(explainer)
    assert len(captures) == 2


class Grows(nn.Module):
    """Writes a list, an object's attribute, a buffer of the batch's shape, and a new attribute."""

    def __init__(self):
        super().__init__()
        self.layer, self.calls, self.settings = nn.Linear(4, 3), [], Settings()
        self.register_buffer("seen", None)

    def forward(self, x):
        self.calls.append(len(self.calls))
        self.settings.scale += 1
        self.seen = x.detach().clone()
        self.last = "forward"
        return self.layer(x)


def test_all_that_forward_may_write(captures):
    model = randomise(Grows()).double()
    explainer = relprop.Explainer(model, "zero")
    for count in (3, 2, 3, 1):
        assert_output(explainer, X[:count])
        explainer(X[:count])
    assert len(captures) == 1


def test_torch_and_copies_add_nothing_that_counts(model):
    before = Configuration(model)
    copy.deepcopy(model)
    relprop.explain(copy.deepcopy(model), X, "zero")
    assert not before.changes()
    assert before.is_current()


def test_the_changes_are_named(model):
    before = Configuration(model)
    model.on, model.norm.eps = False, 0.1
    model.settings.scale = 3.0
    model.first.register_forward_hook(lambda *_: None)
    names = {name for _, name in before.changes()}
    assert names == {"on", "eps", "scale", "_forward_hooks"}
    assert Attribute("norm", "eps") in before.changes()
    before.ignore(before.changes())
    assert not before.changes()


def test_of_a_long_container_the_entries_do_not_count(model):
    model.words = {str(i): i for i in range(MOST_ENTRIES + 1)}
    model.order = OrderedDict(model.words)
    before = Configuration(model)
    model.words["0"] = 7
    assert before.is_current()
    model.words = {}
    assert not before.is_current()


def test_a_container_that_holds_itself_ends(model):
    model.listed.append(model.listed)
    assert Configuration(model).is_current()


def test_a_hook_of_all_modules_is_followed(model):
    explainer = relprop.Explainer(model, "zero")
    assert_output(explainer)
    hook = nn.modules.module.register_module_forward_hook(
        lambda module, args, output: 2 * output if isinstance(module, nn.Linear) else None
    )
    try:
        assert_explained(explainer)
    finally:
        hook.remove()
    assert_explained(explainer)


@pytest.mark.parametrize("part", ["", "1"])
def test_train_mode_is_the_same_error_as_at_the_first_call(part):
    model = nn.Sequential(nn.Linear(4, 4), nn.Sequential(nn.Dropout(0.5)), nn.Linear(4, 3)).double()
    explainer = relprop.Explainer(model.eval(), "zero")
    explainer(X)
    model.get_submodule(part).train()
    with pytest.raises(PlanError) as first:
        relprop.explain(model, X, "zero")
    with pytest.raises(PlanError) as later:
        explainer(X)
    assert str(first.value) == str(later.value)
    assert "train mode" in str(later.value)
    model.eval()
    assert_output(explainer)


@dataclass(slots=True)
class Slotted:
    scale: float = 1.0
    shift: torch.Tensor = field(default_factory=lambda: torch.zeros(4).double())


class MoreSlots(Slotted):
    """Has slots of its own, of its base, and a private one, and no dict."""

    __slots__ = ("__power",)

    def __init__(self, power):
        super().__init__()
        self.power = power

    @property
    def power(self):
        return self.__power

    @power.setter
    def power(self, number):
        self.__power = number


class AttrDict(dict):
    """Reads its entries as attributes, as those of many configurations."""

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


class Tagged(list):
    """A list that has attributes, too."""

    tag = 1.0


class Stamped(tuple):
    """A tuple with a mutable attribute."""

    stamp = 1.0


def scaled(h, by=1.0, settings=None):
    return h * by * (settings.scale if settings else 1.0)


# What a model may hold, how its forward reads a factor from it, and how that changes.
HELD = {
    "a defaultdict": (
        lambda: defaultdict(lambda: 1.0, {"a": 2.0}),
        lambda h: h["a"],
        lambda h: h.update(a=5.0),
    ),
    "the factory of a defaultdict": (
        lambda: defaultdict(lambda: 1.0),
        lambda h: h.default_factory(),
        lambda h: setattr(h, "default_factory", lambda: 3.0),
    ),
    "a counter": (lambda: Counter("aab"), lambda h: h["a"], lambda h: h.update("a")),
    "a dict's subclass": (
        lambda: AttrDict(a=AttrDict(b=2.0)),
        lambda h: h.a.b,
        lambda h: h.a.update(b=5.0),
    ),
    "an attribute of a dict's subclass": (
        AttrDict,
        lambda h: vars(h).get("x", 1.0),
        lambda h: setattr(h, "x", 5.0),
    ),
    "a tensor in a dict's subclass": (
        lambda: AttrDict(a=torch.ones(4).double()),
        lambda h: h.a,
        lambda h: h.a.mul_(3),
    ),
    "a dict in an object": (
        lambda: UserDict(a=2.0),
        lambda h: h["a"],
        lambda h: h.update(a=5.0),
    ),
    "a deque": (lambda: deque([1.0, 2.0]), lambda h: h[0], lambda h: h.rotate()),
    "a list in a deque": (lambda: deque([[2.0]]), lambda h: h[0][0], lambda h: h[0].insert(0, 4.0)),
    "a list's subclass": (lambda: Tagged([2.0]), lambda h: h[0], lambda h: h.insert(0, 4.0)),
    "an attribute of a list's subclass": (
        lambda: Tagged([2.0]),
        lambda h: h.tag,
        lambda h: setattr(h, "tag", 4.0),
    ),
    "an attribute of a tuple's subclass": (
        lambda: Stamped([2.0]),
        lambda h: h.stamp,
        lambda h: setattr(h, "stamp", 4.0),
    ),
    "a slot": (Slotted, lambda h: h.scale, lambda h: setattr(h, "scale", 4.0)),
    "a slot of a base": (
        lambda: MoreSlots(2.0),
        lambda h: h.scale,
        lambda h: setattr(h, "scale", 4.0),
    ),
    "a private slot": (
        lambda: MoreSlots(2.0),
        lambda h: h.power,
        lambda h: setattr(h, "power", 4.0),
    ),
    "a tensor in a slot": (Slotted, lambda h: 1 + h.shift, lambda h: h.shift.add_(2)),
    "slots in a list": (
        lambda: [Slotted()],
        lambda h: h[0].scale,
        lambda h: setattr(h[0], "scale", 4.0),
    ),
    "a keyword of a partial function": (
        lambda: functools.partial(scaled, by=2.0),
        lambda h: h(1.0),
        lambda h: h.keywords.update(by=4.0),
    ),
    "an object in a partial function": (
        lambda: functools.partial(scaled, settings=Settings()),
        lambda h: h(1.0),
        lambda h: setattr(h.keywords["settings"], "scale", 4.0),
    ),
}


class Holds(nn.Module):
    """Multiplies by a factor that it reads from what it holds."""

    def __init__(self, held, read):
        super().__init__()
        self.layer, self.held, self.read = nn.Linear(4, 3), held, read

    def forward(self, x):
        return self.layer(x * self.read(self.held))


@pytest.mark.parametrize("name", HELD)
def test_a_change_in_what_a_model_holds_is_followed(name, captures):
    make, read, change = HELD[name]
    model = randomise(Holds(make(), read)).double()
    explainer = relprop.Explainer(model, "zero")
    before = model(X).detach()
    for _ in range(2):
        assert_output(explainer)
    assert len(captures) == 1  # without a change, none is seen
    change(model.held)
    assert not model(X).allclose(before)
    assert_explained(explainer)


def test_a_slot_that_is_filled_later_is_a_change():
    settings = Slotted.__new__(Slotted)
    model = Holds(settings, lambda held: getattr(held, "scale", 1.0))
    before = Configuration(model)
    assert before.is_current()
    settings.scale = 2.0
    assert {name for _, name in before.changes()} == {"scale"}


def assert_output(explainer, x=X):
    torch.testing.assert_close(explainer(x, target=1).output, explainer.model(x).detach())


class Halved(nn.Module):
    """Adds up two halves, whose size its forward takes from a weight."""

    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Linear(4, 4), nn.Linear(2, 3)

    def forward(self, x):
        half = self.layer.weight.shape[0] // 2
        return self.head(self.layer(x).reshape(-1, 2, half).sum(1))


def test_a_size_that_forward_takes_from_a_weight_is_followed():
    model = randomise(Halved()).double()
    explainer = relprop.Explainer(model, "zero")
    explainer(X)
    model.layer.weight.data, model.layer.bias.data = (
        torch.rand(6, 4).double(),
        torch.rand(6).double(),
    )
    model.head.weight.data = torch.rand(3, 3).double()
    assert_explained(explainer)
