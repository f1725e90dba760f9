"""Planning: what the plan says of each operation, and what it refuses before anything runs."""

import pytest
import torch
from helpers.networks import randomise, signed
from torch import nn

import relprop
from relprop import Recipe


def rows(model: nn.Module, x: torch.Tensor, recipe: Recipe | str) -> dict[str, str]:
    """Module -> its line of the printed plan."""
    lines = str(relprop.Explainer(model.eval(), recipe).plan(x)).splitlines()[2:]
    return {line.split()[0]: line for line in lines}


CNN = nn.Sequential(
    *(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout()),
    *(nn.Conv2d(4, 4, 3), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(16, 3)),
)
X = signed(2, 1, 14, 14).float()


def test_a_plan_says_the_rule_of_each_operation_and_why():
    plan = rows(CNN, X, Recipe.preset("epsilon-plus-flat").using("9", "gamma", gamma=0.1))
    assert "flat" in plan["0"]
    assert "any first convolution or linear" in plan["0"]
    assert "conv2d + batch_norm" in plan["0"]
    assert 'BatchNorm "1" folded' in plan["0"]
    assert "1" not in plan
    assert "z-plus" in plan["5"]
    assert "input >= 0" in plan["5"]  # after ReLU and pooling
    assert "epsilon(epsilon=1e-06, relative=False)" in plan["7"]
    assert "input >= 0" not in plan["7"]  # after tanh
    assert "gamma(gamma=0.1)" in plan["9"]
    assert '"9"' in plan["9"]


@pytest.mark.parametrize("name", ["attnlrp", "cp-lrp"])
def test_the_layers_of_a_transformer_have_the_epsilon_that_is_given(name):
    net, x = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 2)).double(), signed(3, 4)
    for given, same in (({}, "zero"), ({"epsilon": 0.1}, Recipe.preset("epsilon", epsilon=0.1))):
        got = relprop.explain(net.eval(), x, Recipe.preset(name, **given)).relevance
        assert torch.equal(got, relprop.explain(net, x, same).relevance)


def test_only_a_layer_whose_output_goes_to_relu_alone_is_rectified():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            a = self.a(x).relu()
            b = self.b(a)
            return self.c(b.relu() + b)

    plan = rows(Net(), signed(2, 4).float(), "gamma")
    assert "only where output > 0" in plan["a"]
    assert "only where output > 0" not in plan["b"]
    assert "input >= 0" in plan["b"]
    assert "input >= 0" not in plan["c"]


def test_the_last_row_that_was_added_wins_and_names_are_globs():
    recipe = Recipe.preset("zero").using("*", "z-plus").using("[05]", "flat").using("5", "epsilon")
    plan = rows(CNN, X, recipe)
    assert " flat " in plan["0"]
    assert " epsilon(" in plan["5"]
    assert " z-plus " in plan["9"]


def test_a_recipe_prints_as_its_table():
    recipe = Recipe.preset("epsilon-gamma-box", low=0.0, high=1.0).using("f.*", "flat")
    rows = [line[2:] for line in str(recipe).splitlines()[1:]]
    assert [(row[:36].strip(), row[36:].strip()) for row in rows] == [
        ('"f.*"', "flat"),
        ("any first convolution", "z-box(low=0, high=1)"),
        ("any convolution", "gamma(gamma=0.25)"),
        ("any linear", "epsilon(epsilon=1e-06, relative=False)"),
        ("any average-pool", "epsilon(epsilon=1e-06, relative=False)"),
        ("any softmax", "taylor"),
        ("any attention", "attnlrp"),
        ("any product or matmul", "uniform"),
        ("any gate", "constant-gate"),
        ("any normalisation", "constant-statistics"),
        ("any recurrent", "signal-takes-all(epsilon=0.001)"),
    ]


def test_constants_are_marked():
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(4, 3)
            self.scale = nn.Parameter(torch.ones(4))

        def forward(self, x):
            return self.a(x * self.scale.exp())

    plan = str(relprop.Explainer(Net().eval(), "zero").plan(signed(2, 4).float()))
    line = next(line for line in plan.splitlines() if " exp " in line)
    assert line.endswith("constant")


class Squared(nn.Module):
    """A layer that relprop has no rule for."""

    def __init__(self, function):
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4, 4))
        self.function = function
        self.head = nn.Linear(4, 3)

    def forward(self, x):
        return self.head(self.function(self.inner(x)))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda h: h.floor(), "no rule for floor"),
        (lambda h: h.sign(), "no rule for sign"),
        (lambda h: h + h.prod(1, keepdim=True), "relevance cannot pass the statistic prod"),
        (lambda h: torch.ones_like(h) / h, "a constant is divided by a value that depends"),
        (lambda h: torch.atan2(h, h + 1), "no rule for atan2"),
        (lambda h: torch.fft.rfft(h).abs()[:, :1] + h, "no rule for"),
        (lambda h: torch.lerp(h, h * 2, h), "a parameter depends on the input in lerp"),
        (lambda h: torch.addcmul(h, h, h), "an added value depends on the input"),
    ],
)
def test_an_operation_without_a_rule_is_named_with_the_line_to_write(function, message):
    model = Squared(function).eval()
    with pytest.raises(relprop.RelpropError, match=message) as error:
        relprop.Explainer(model, "zero").plan(signed(2, 4).float())
    assert error.value.todo.startswith('recipe.using(relprop.Selector(operation="')


class Beside(nn.Module):
    """A function beside a path that relevance can take, in the model itself."""

    def __init__(self, function):
        super().__init__()
        self.a, self.head, self.function = nn.Linear(4, 4), nn.Linear(4, 3), function

    def forward(self, x):
        h = self.a(x)
        return self.head(h.relu() + self.function(h))


def cosine(h):
    return nn.functional.cosine_similarity(h, h.flip(1) + 1, dim=1)[:, None]


@pytest.mark.parametrize("rule", ["gradient", "constant"])
@pytest.mark.parametrize(
    "function", [torch.detach, torch.round, torch.sign, torch.ceil, torch.frac, cosine]
)
def test_the_line_that_an_error_advises_can_be_written(function, rule):
    """It gives a rule to this operation alone: the rest is gradient x input."""
    model, x, recipe = randomise(Beside(function)).double(), signed(2, 4), Recipe.preset("zero")
    with pytest.raises(relprop.RelpropError) as error:
        relprop.explain(model, x, recipe)
    line = error.value.todo.split(" takes")[0].replace("gradient", rule)
    recipe = eval(line, {"recipe": recipe, "relprop": relprop})
    e = relprop.Explainer(model, recipe)(x, 1, ledger=True)
    taken = function if rule == "gradient" else lambda h: function(h).detach()
    leaf = x.clone().requires_grad_()
    h = model.a(leaf)
    score = model.head(h.relu() + taken(h))[:, 1]
    torch.testing.assert_close(e.relevance, x * torch.autograd.grad(score.sum(), leaf)[0])
    assert e.ledger.error <= 1e-12
    assert e.relevance.any()


@pytest.mark.parametrize("name", ["heaviside", "floor_divide"])
def test_where_torch_has_no_derivative_the_value_is_to_be_held_constant(name):
    model = randomise(Beside(lambda h: getattr(torch, name)(h, h.new_ones(4)))).double()
    x, chosen = signed(2, 4), relprop.Selector(operation=name)
    recipe = Recipe.preset("zero").using(chosen, "gradient")
    with pytest.raises(relprop.RelpropError, match=f"gradient of {name}") as error:
        relprop.explain(model, x, recipe)
    recipe = eval(error.value.todo, {"recipe": recipe, "relprop": relprop})
    assert relprop.explain(model, x, recipe).relevance.any()


def test_what_holds_for_real_numbers_is_not_taken_for_complex_ones():
    model = randomise(Beside(lambda h: torch.fft.rfft(h, n=6).abs())).double()
    x, zero = signed(2, 4), Recipe.preset("zero")
    with pytest.raises(relprop.RelpropError, match="no rule for complex_abs"):
        relprop.explain(model, x, zero.using(relprop.Selector(operation="fft_rfft"), "gradient"))
    explainer = relprop.Explainer(model, zero.using("", "gradient"))
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf)[:, 0].sum(), leaf)
    torch.testing.assert_close(explainer(x, 0).relevance, x * gradient)
    with pytest.raises(relprop.RelpropError, match="ledger of relevance that passes complex"):
        explainer(x, 0, ledger=True)


def test_the_gradient_is_taken_where_a_recipe_asks_for_it():
    class Inner(nn.Module):
        def forward(self, x):
            return x.sin() * x.exp()

    model = randomise(nn.Sequential(nn.Linear(4, 4), Inner(), nn.Linear(4, 3))).double()
    x = signed(2, 4)
    e = relprop.explain(model, x, Recipe.preset("zero").using("1", "gradient"), target=1)
    leaf = x.clone().requires_grad_()
    expected = x * torch.autograd.grad(model(leaf)[:, 1].sum(), leaf)[0]
    torch.testing.assert_close(e.relevance, expected)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.Dropout(0.5), r'"1" \(native_dropout\) uses random numbers'),
        (nn.BatchNorm1d(4), r'"1" .* uses the batch\'s own statistics'),
    ],
)
def test_a_layer_in_train_mode_is_refused(layer, message):
    model = nn.Sequential(nn.Linear(4, 4), layer, nn.Linear(4, 3)).train()
    with pytest.raises(relprop.RelpropError, match=message) as error:
        relprop.explain(model, signed(2, 4).float())
    assert error.value.todo == "call model.eval() before"
    assert relprop.explain(model.eval(), signed(2, 4).float()).relevance.shape == (2, 4)


class Dropping(nn.Module):
    def forward(self, x):
        return nn.functional.dropout(x, 0.5, training=True)


@pytest.mark.parametrize(
    ("layer", "problem", "todo"),
    [
        (Dropping(), "to do so in eval mode too", "training=self.training"),
        (nn.BatchNorm1d(4, track_running_stats=False), "in eval mode", "track_running_stats=True"),
    ],
)
def test_what_is_random_in_eval_mode_is_not_put_down_to_train_mode(layer, problem, todo):
    model = nn.Sequential(nn.Linear(4, 4), layer, nn.Linear(4, 3)).eval()
    with pytest.raises(relprop.RelpropError, match=problem) as error:
        relprop.explain(model, signed(2, 4).float())
    assert todo in error.value.todo


def test_going_back_to_train_mode_is_noticed():
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5), nn.Linear(4, 3)).eval()
    explainer = relprop.Explainer(model, "zero")
    explainer(signed(2, 4).float())
    model.train()
    with pytest.raises(relprop.RelpropError, match="train mode"):
        explainer(signed(2, 4).float())


@pytest.mark.parametrize(
    ("name", "todo"),
    [("features.5", "name one of these"), ("55", 'write "5"'), ("2", "")],
)
def test_a_row_that_fits_nothing_is_an_error(name, todo):
    with pytest.raises(relprop.RelpropError, match="matches no module") as error:
        rows(CNN, X, Recipe.preset("zero").using(name, "gamma"))
    assert '"0", "5", "7", "9"' in error.value.allowed
    assert todo in error.value.todo


@pytest.mark.parametrize("x", [signed(2, 4), signed(1, 4), signed(1, 4).expand(2, 4)])
def test_samples_that_are_mixed_are_named(x):
    """Also where there is one sample, or two that are the same: the plan serves for others."""
    for function in (
        lambda h: nn.functional.linear(h, h[:1].expand(4, 4)),  # a result without a batch
        lambda h: h + h.flip(0),  # a result with one, in which each sample takes from another
        lambda h: h * (h.sum(0) > 0),  # through a mask alone
        lambda h: torch.where(h > 0, h, 0.0).cumsum(0),  # what is NaN in one is 0 in the next
        lambda h: torch.where(h.abs() < 9, h, 0.0).flip(0).cumsum(0).flip(0),
    ):
        model = randomise(Squared(function))
        with pytest.raises(relprop.RelpropError, match="mixes the samples of a batch"):
            relprop.Explainer(model, "zero").plan(x.float())


def test_samples_that_are_mixed_are_refused_again_by_another_recipe():
    """Also if the first recipe had no rule, and so nothing was run by it."""
    model = randomise(Squared(lambda h: torch.where(h.abs() < 9, h, 0.0).flip(0).cumsum(0).flip(0)))
    explainer = relprop.Explainer(model, Recipe.preset("zero").using("nowhere", "gamma"))
    for _ in range(2):
        with pytest.raises(relprop.RelpropError, match="matches no module"):
            explainer.plan(signed(2, 4).float())
    with pytest.raises(relprop.RelpropError, match="mixes the samples of a batch"):
        explainer.with_recipe("zero").plan(signed(3, 4, seed=1).float())


class Fixed(nn.Module):
    def forward(self, x):
        return x.reshape(2, -1)[:, :3]


class Branching(nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x


class Two(nn.Module):
    def forward(self, x):
        return x, x + 1


class Constant(nn.Module):
    def forward(self, x):
        return torch.ones(x.shape[0], 3)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (Fixed(), "one batch size only"),
        (Branching(), "do not depend on the values of its input"),
        (Two(), "returns 2 tensors"),
        (Constant(), "does not depend on its input"),
        (nn.Linear(4, 1), r"output has shape \(batch, 1\)"),
        (nn.Unflatten(1, (2, 2)), r"output has shape \(batch, 2, 2\)"),
        (nn.Linear(3, 3), "accepts"),
    ],
)
def test_a_model_that_cannot_be_explained_is_refused(model, message):
    with pytest.raises(relprop.RelpropError, match=message):
        relprop.explain(model.eval(), signed(2, 4).float())
