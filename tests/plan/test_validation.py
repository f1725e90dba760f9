"""What planning refuses before anything runs; that the line it proposes gives the right value."""

import ast
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from helpers.function_between import Between
from helpers.nested_cnn import PIXELS, nested_cnn
from helpers.networks import randomise, signed
from torch import Tensor, nn

import relprop
from relprop import Recipe, Selector
from relprop.graph.ops import COMPARISONS, KINDS, STEPS
from relprop.recipes.selectors import RecipeRow


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda h: h + h.prod(1, keepdim=True), "relevance cannot pass the statistic prod"),
        (lambda h: torch.ones_like(h) / h, "a constant is divided by a value that depends"),
        (lambda h: torch.atan2(h, h + 1), "no rule for atan2"),
        (lambda h: torch.fft.rfft(h).abs()[:, :1] + h, "no rule for"),
        (lambda h: torch.lerp(h, h * 2, h), "a parameter depends on the input in lerp"),
        (lambda h: torch.addcmul(h, h, h), "an added value depends on the input"),
    ],
)
def test_an_operation_without_a_rule_is_named_with_the_line_to_write(function, message):
    model = Between(function).eval()
    with pytest.raises(relprop.RelpropError, match=message) as error:
        relprop.Explainer(model, "zero").plan(signed(2, 4).float())
    start = 'relprop.Recipe.preset("zero").using(relprop.Selector(operation="'
    assert error.value.todo.startswith(start)
    plan = planned_as_told(model, error.value, signed(2, 4).float())
    assert "gradient" in [step.rule.name for step in plan.steps if step.rule]


def planned_as_told(model, error, x):
    """Plan with the line that the error says to write; several operations need several."""
    names = {"relprop": relprop}
    for _ in range(3):
        names["recipe"] = eval(error.todo.partition(" takes")[0], names)
        try:
            return relprop.Explainer(model, names["recipe"]).plan(x)
        except relprop.RelpropError as another:
            if another.given == error.given:
                raise
            error = another
    raise error


@pytest.mark.parametrize(
    "function",
    [
        lambda h: torch.addcmul(h, h, h),
        lambda h: torch.lerp(h, h * 2, h),
        lambda h: torch.addmm(h, h, h.new_ones(4, 4)) * 1.5,
        lambda h: torch.atan2(h, h + 1),
    ],
)
def test_the_gradient_that_an_error_proposes_is_autograds(function):
    """The recipe's other rules are LRP-0, of which the whole is then gradient x input."""
    model, x = randomise(Between(function)).double(), signed(3, 4)
    leaf = x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf)[:, 1].sum(), leaf)
    try:
        relevance = relprop.explain(model, x, "zero", 1).relevance
    except relprop.RelpropError as error:
        recipe = planned_as_told(model, error, x).recipe
        relevance = relprop.explain(model, x, recipe, 1).relevance
    torch.testing.assert_close(relevance, x * gradient)


def test_an_lstm_with_a_projection_takes_the_gradient():
    """The row for it was refused by the very error that proposes it."""
    model, x = (
        randomise(nn.Sequential(nn.LSTM(4, 5, proj_size=3, batch_first=True))),
        signed(2, 5, 4),
    )
    model, leaf = model.double(), x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf)[0][:, -1, 1].sum(), leaf)
    recipe = Recipe.preset("zero").using("0", "gradient")
    relevance = relprop.explain(model, x, recipe, relprop.at(-1, 1)).relevance
    torch.testing.assert_close(relevance, x * gradient)


@pytest.mark.parametrize(
    ("name", "todo"),
    [("features.5", "name one of these"), ("0.00", 'write "0.0"'), ("1", "")],
)
def test_a_row_that_matches_nothing_is_an_error(name, todo):
    recipe = Recipe.preset("zero").using(name, "gamma")
    with pytest.raises(relprop.RelpropError, match="matches no module") as error:
        relprop.Explainer(nested_cnn().eval(), recipe).plan(PIXELS.float())
    assert '"0.0", "2.0", "4"' in error.value.allowed
    assert todo in error.value.todo


@pytest.mark.parametrize("kind", ["softmax", "linear"])
def test_a_kind_without_a_row_is_named_with_its_usual_rule(kind):
    rows = [row for row in Recipe.preset("epsilon").rows if kind not in row.selector.kinds]
    model = Between(lambda h: h.softmax(-1))
    with pytest.raises(relprop.RelpropError, match=f"has no row for .*, a {kind}") as error:
        relprop.Explainer(model.eval(), Recipe("mine", tuple(rows))).plan(signed(2, 4).float())
    recipe = eval(error.value.todo, {"recipe": Recipe("mine", tuple(rows))})
    (row, *_) = recipe.rows
    assert row.rule.name == {"softmax": "taylor", "linear": "epsilon"}[kind]
    assert kind in row.rule.definition.kinds


def test_an_output_that_does_not_depend_on_the_input_is_refused():
    class Constant(nn.Module):
        def forward(self, x):
            return torch.ones(x.shape[0], 3)

    with pytest.raises(relprop.RelpropError, match="does not depend on its input"):
        relprop.explain(Constant().eval(), signed(2, 4).float())


# ---- the proposed lines: written as they stand, run, and compared with what they should give -----

X = signed(3, 4)
ZERO = Recipe.preset("zero")
# Places in the package that propose a row of a recipe; a new one needs a test below. That of
# selectors is tested in tests/recipes/test_selectors.py.
PLACES = {
    "plan/validation.py": 6,
    "plan/head.py": 1,
    "recipes/selectors.py": 1,
    "rules/autodiff.py": 2,
}


def test_every_proposal_of_a_row_is_tested_here():
    package = Path(relprop.__file__).parent
    found = Counter(
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        for text in texts(ast.parse(path.read_text()))
        if "recipe.using(" in text or "as_written}.using(" in text
    )
    assert found == PLACES


def texts(tree: ast.Module) -> list[str]:
    """List the string literals of a module, those with fields as their code; no docstrings."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, documented) and isinstance(node.body[0], ast.Expr)
    }
    parts = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    return [
        ast.unparse(node)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr | ast.Constant) and id(node) not in docs | parts
    ]


def proposed(model: nn.Module, recipe: Recipe, x: Tensor = X) -> list[Recipe]:
    """Write the line that the refusal of a model proposes, and with its other rule, if any.

    The one that holds the value constant comes last.
    """
    with pytest.raises(relprop.RelpropError) as error:
        relprop.explain(model, x, recipe, target=1)
    todo = error.value.todo
    line = re.search(r"\S*ecipe\S*\.using\(.*?\)(?= |$)", todo)[0]
    rules = re.findall(r'"([a-z-]+)"\)? (?:passes|takes|holds)', todo)
    names = {"recipe": recipe, "explainer": relprop.Explainer(model, recipe), "relprop": relprop}
    lines = [re.sub(r'"[^"]*"\)$', f'"{rule}")', line) for rule in rules] or [line]
    return [eval(one, names) for one in sorted(lines, key=lambda one: '"constant")' in one)]


def by_gradient(model: nn.Module, x: Tensor = X) -> Tensor:
    """Gradient x input for class 1."""
    leaf = x.clone().requires_grad_()
    return x * torch.autograd.grad(model(leaf)[:, 1].sum(), leaf)[0]


def check(model: nn.Module, recipe: Recipe, want: Tensor, x: Tensor = X) -> None:
    e = relprop.explain(model, x, recipe, target=1, ledger=True)
    torch.testing.assert_close(e.relevance, want.detach())
    assert e.relevance.any()
    assert e.ledger.error < 1e-10


class Twofold(nn.Module):
    """A function between two layers, and a way around it."""

    def __init__(self, function):
        super().__init__()
        self.inner, self.head, self.function = nn.Linear(4, 4), nn.Linear(4, 3), function

    def forward(self, x):
        h = self.inner(x)
        return self.head(h.relu() + self.function(h))


STEP = {name: getattr(torch, name) for name in STEPS - COMPARISONS - {"heaviside"}}
STEP["heaviside"] = lambda h: torch.heaviside(h, h.new_zeros(1))
STEP["round"] = lambda h: torch.round(h, decimals=1)


def surrogate(function):
    return lambda h: h + (function(h) - h).detach()


def constant(function):
    return lambda h: function(h).detach()


@pytest.mark.parametrize("name", sorted(STEP))
@pytest.mark.parametrize("build", [Between, Twofold])
def test_a_step_passes_relevance_straight_through(name, build):
    model = randomise(build(STEP[name])).double()
    recipe, *held = proposed(model, ZERO)
    by_surrogate = randomise(build(surrogate(STEP[name]))).double()
    check(model, recipe, by_gradient(by_surrogate))
    assert len(held) == (build is Twofold)  # without a way around it nothing would be left
    for one in held:
        check(model, one, by_gradient(randomise(build(constant(STEP[name]))).double()))


def test_a_step_that_is_the_only_path_cannot_be_held_constant():
    recipe = ZERO.using(Selector(operation="round"), "constant")
    with pytest.raises(relprop.RelpropError, match="no relevance would reach"):
        relprop.explain(randomise(Between(torch.round)).double(), X, recipe)


def test_of_a_detach_beside_a_path_the_usual_rule_is_named_first():
    """As of quantised values, h + (q - h).detach(), where straight-through would leave nothing."""
    model = randomise(Between(lambda h: h + (h.argmin(1, True) - h).detach())).double()
    with pytest.raises(relprop.RelpropError, match="no rule for detach") as error:
        relprop.explain(model, X, ZERO)
    assert '"constant") holds its value constant, as autograd does' in error.value.todo
    check(model, proposed(model, ZERO)[-1], by_gradient(model))


SIGNS = {
    "the absolute value": lambda h: h * h.sign(),
    "a square with a sign": lambda h: h.abs().mul(2 * h.sign()),
    "a shrink": lambda h: torch.where(h.abs() > 0.1, h - 0.1 * h.sign(), 0 * h),
}


@pytest.mark.parametrize("name", SIGNS)
def test_of_a_sign_that_meets_its_own_argument_the_constant_is_named_first(name):
    """Its result is gradient x input; that of the identity is another function's."""
    model = randomise(Between(SIGNS[name])).double()
    with pytest.raises(relprop.RelpropError, match=r"no rule for .*sign") as error:
        relprop.explain(model, X, ZERO)
    assert '"constant") holds its value constant, as autograd does' in error.value.todo
    first = proposed(model, ZERO)[-1]
    check(model, first, by_gradient(model))


def test_of_a_sign_beside_its_argument_the_identity_is_named_first():
    model = randomise(Between(lambda h: h + h.sign())).double()
    with pytest.raises(relprop.RelpropError, match=r"no rule for .*sign") as error:
        relprop.explain(model, X, ZERO)
    assert '"straight-through") passes' in error.value.todo


QUOTIENTS = {
    "divided": lambda e: e / (1 + e.sum(1, keepdim=True)),
    "times one over": lambda e: e * (1 / (1 + e.sum(1, keepdim=True))),
}


@pytest.mark.parametrize("name", QUOTIENTS)
def test_a_quotient_that_looks_like_a_softmax_is_a_quotient_by_the_proposed_row(name):
    """Its divisor stays constant; of a product with the reciprocal the gradient is taken."""
    model = randomise(Between(lambda h: QUOTIENTS[name](h.exp()))).double()
    (row,) = proposed(model, ZERO)
    with pytest.warns(relprop.errors.UnreadSoftmaxWarning):
        as_before = relprop.explain(model, X, ZERO, target=1)
    got = relprop.explain(model, X, row, target=1)
    assert torch.equal(got.relevance, as_before.relevance) == (name == "divided")


@pytest.mark.parametrize("function", [torch.argmax, torch.argsort, lambda h, d: h.topk(1, d)[1]])
def test_of_an_index_that_is_the_only_path_no_row_is_proposed(function):
    model = randomise(
        Between(lambda h: function(h, 1).reshape(h.shape[0], -1)[:, :1] * torch.ones(4))
    )
    with pytest.raises(relprop.RelpropError, match=r"depends on its input by .* alone") as error:
        relprop.explain(model, X.float(), ZERO)
    assert error.value.todo.startswith("explain a model that ends before it")


def test_a_straight_through_estimator_written_out():
    """Both of its steps are named, one after the other."""
    model = randomise(Between(lambda h: h + (h.round() - h).detach())).double()
    once, constant_detach = proposed(model, ZERO)
    check(model, constant_detach, by_gradient(model))
    twice, _ = proposed(model, once)
    check(model, twice, by_gradient(model))


def attention(h: Tensor, mask: Tensor | None = None) -> Tensor:
    h = h[:, None, :, None]
    result = nn.functional.scaled_dot_product_attention(h, h + 1, 2 * h, attn_mask=mask)
    return result[:, 0, :, 0]


GRADIENTS = {
    "prod": lambda h: h + h.prod(1, keepdim=True),
    "reciprocal": lambda h: torch.ones_like(h) / h,
    "atan2": lambda h: torch.atan2(h, h + 1),
    "lerp": lambda h: torch.lerp(h, h * 2, h),
    "addcmul": lambda h: torch.addcmul(h, h, h),
    "baddbmm": lambda h: torch.baddbmm(h[:, None], h[:, None], h[:, :, None].tile(4))[:, 0],
    "the mask of attention": lambda h: attention(h, h[:, None, None]),
    "lgamma": torch.lgamma,
    "frac": torch.frac,
    "clamp by a value": lambda h: torch.clamp(h, max=h.sum(1, keepdim=True)),
    "quantile": lambda h: h - h.quantile(0.4, dim=1, keepdim=True),
}


class Projected(nn.Module):
    """An LSTM whose results are projected, and which starts from a value of the input."""

    def __init__(self, start: bool):
        super().__init__()
        self.cells = nn.LSTM(2, 3, batch_first=True, proj_size=0 if start else 2)
        self.start, self.head = start, nn.Linear(3 if start else 2, 3)

    def forward(self, x):
        state = x[None, :, :3].contiguous()
        result, _ = self.cells(x.reshape(-1, 2, 2), (state, state) if self.start else None)
        return self.head(result[:, -1])


@pytest.mark.parametrize("start", [True, False])
def test_the_gradient_of_a_recurrent_layer_is_that_of_autograd(start):
    model = randomise(Projected(start)).double()
    check(
        model,
        proposed(model, Recipe.preset("epsilon"))[0].using("head", "zero"),
        by_gradient(model),
    )


@pytest.mark.parametrize("name", GRADIENTS)
def test_the_gradient_is_that_of_autograd(name):
    model = randomise(Between(GRADIENTS[name])).double()
    check(model, proposed(model, ZERO)[0], by_gradient(model))


HELD = {
    "div": lambda h: torch.div(h, 0.7, rounding_mode="floor"),
    "floor_divide": lambda h: torch.floor_divide(h, h.new_full((4,), 0.7)),
    "copysign": lambda h: torch.copysign(torch.ones_like(h), h),
}


@pytest.mark.parametrize("name", HELD)
def test_a_step_that_is_no_identity_is_held_constant(name):
    model = randomise(Twofold(HELD[name])).double()
    check(
        model,
        proposed(model, ZERO)[0],
        by_gradient(randomise(Twofold(constant(HELD[name]))).double()),
    )


def test_a_step_with_two_arguments_of_the_input_is_held_constant():
    def function(h):
        return torch.heaviside(h, h.flip(1))

    model = randomise(Twofold(function)).double()
    straight, _ = proposed(model, ZERO)
    (held,) = (recipe for recipe in proposed(model, straight))
    check(model, held, by_gradient(randomise(Twofold(constant(function))).double()))


@pytest.mark.parametrize("name", ["heaviside", "floor_divide", "special_bessel_j0"])
def test_what_torch_cannot_differentiate_is_held_constant(name):
    """Of a function like Bessel's torch would give zero without a word."""
    function = {**STEP, **HELD, "special_bessel_j0": torch.special.bessel_j0}[name]
    model = randomise(Twofold(function)).double()
    (held,) = proposed(model, ZERO.using(Selector(operation=name), "gradient"))
    check(model, held, by_gradient(randomise(Twofold(constant(function))).double()))


def test_a_function_that_squashes_the_output_by_its_gradient():
    model = randomise(nn.Sequential(nn.Linear(4, 3), nn.Tanh())).double()
    check(model, proposed(model, ZERO)[0], by_gradient(model))


class Folded(nn.Module):
    """Samples and positions in one dimension, which a linear layer runs over."""

    def __init__(self):
        super().__init__()
        self.inner, self.head = nn.Linear(2, 3), nn.Linear(6, 3)

    def forward(self, x):
        return self.head(self.inner(x.reshape(-1, 2)).relu().reshape(-1, 6))


def test_an_epsilon_that_is_not_relative():
    model = randomise(Folded()).double()
    (recipe,) = proposed(model, Recipe.preset("epsilon", epsilon=0.25, relative=True))
    relative = Recipe.preset("zero").using("head", "epsilon", epsilon=0.25, relative=True)
    want = relprop.explain(model, X, relative.using("inner", "epsilon", epsilon=1e-6), target=1)
    check(model, recipe, want.relevance)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cells, self.head = nn.LSTM(2, 3, batch_first=True), nn.Linear(3, 3)

    def forward(self, x):
        return self.head(self.cells(x.reshape(-1, 2, 2))[0][:, -1])


OF_KIND = {
    "convolution": lambda: nn.Sequential(nn.Unflatten(1, (1, 4)), nn.Conv1d(1, 3, 4), nn.Flatten()),
    "linear": lambda: nn.Linear(4, 3),
    "average-pool": lambda: nn.Sequential(nn.Linear(4, 6), nn.AvgPool1d(2)),
    "product": lambda: Between(lambda h: h * h.flip(1)),
    "gate": lambda: Between(lambda h: h.sigmoid() * h.flip(1)),
    "matmul": lambda: Between(lambda h: (h[:, :, None] @ h[:, None]).sum(2)),
    "softmax": lambda: Between(lambda h: h.softmax(-1)),
    "attention": lambda: Between(attention),
    "normalisation": lambda: nn.Sequential(nn.LayerNorm(4), nn.Linear(4, 3)),
    "recurrent": Recurrent,
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_usual_rule_of_a_kind_is_that_of_the_preset_epsilon(kind):
    """The line names a module, so that several may be needed."""
    model, whole = randomise(OF_KIND[kind]()).double(), Recipe.preset("epsilon")
    recipe = Recipe("mine", tuple(without(row, kind) for row in whole.rows))
    assert any(step.kind == kind for step in relprop.Explainer(model, whole).plan(X).steps)
    for _ in range(2):
        recipe = proposed(model, recipe)[0]
        if is_complete(model, recipe):
            break
    check(model, recipe, relprop.explain(model, X, whole, target=1).relevance)


def without(row: RecipeRow, kind: str) -> RecipeRow:
    kinds = tuple(one for one in row.selector.kinds if one != kind)
    return replace(row, selector=replace(row.selector, kinds=kinds))


def is_complete(model: nn.Module, recipe: Recipe) -> bool:
    try:
        relprop.Explainer(model, recipe).plan(X)
    except relprop.RelpropError:
        return False
    return True
