"""A model that ends with a sigmoid or softmax: its logits are explained, as if it ended with them.

The right maps are those of the same model without its last function, in float64.
"""

import pytest
import torch
from helpers.heads import MASK, X, headed, logits
from helpers.networks import randomise, signed
from torch import Tensor, nn
from torch.nn import functional

import relprop
from relprop.errors import InputError, PlanError
from relprop.evaluate import predict

HEADS = {
    "sigmoid": torch.sigmoid,
    "softmax": lambda z: z.softmax(1),
    "log_softmax": lambda z: z.log_softmax(1),
    "log_sigmoid": functional.logsigmoid,
    "softmax by hand": lambda z: (
        (z - z.amax(1, True)).exp() / (z - z.amax(1, True)).exp().sum(1, True)
    ),
    "sigmoid by hand": lambda z: 1 / (1 + torch.exp(-z)),
    "log_softmax by hand": lambda z: z - z.logsumexp(1, keepdim=True),
    "a clamped logarithm": lambda z: z.softmax(1).clamp(min=1e-12).log(),
    "scaled": lambda z: 10 * z.sigmoid() - 5,
}
TARGETS = {
    "predicted": None,
    "a class": 2,
    "labels": torch.tensor([2, 0, 1, 1, 0]),
    "runner-up": "runner-up",
    "a contrast": (2, 0),
    "an entry": relprop.at(1),
    "a function": lambda scores: scores[:, 0] - 2 * scores[:, 1],
    "several": ["predicted", (0, 1)],
    "all": "all",
}


def assert_same(got: Tensor, want: Tensor) -> None:
    torch.testing.assert_close(got, want, rtol=1e-12, atol=1e-12)


@pytest.fixture(scope="module")
def bare() -> relprop.Explainer:
    return relprop.Explainer(logits(), "epsilon")


@pytest.mark.parametrize("name", HEADS)
def test_the_map_is_that_of_the_logits_for_every_target(bare, name):
    model = headed(HEADS[name])
    explainer = relprop.Explainer(model, "epsilon")
    for target in TARGETS.values():
        e, want = explainer(X, target), bare(X, target)
        assert_same(e.relevance, want.relevance)
        assert_same(e.scores, want.output)
        assert_same(e.output, model(X).detach())
        assert (e.target is None) == (want.target is None)
        assert e.target is None or e.target.equal(want.target)
        assert e.prediction.equal(want.prediction)


@pytest.mark.parametrize("name", ["sigmoid", "softmax by hand", "a clamped logarithm"])
def test_every_option_works_as_without_the_head(bare, name, tmp_path):
    explainer = relprop.Explainer(headed(HEADS[name]), "epsilon")
    options = {"ledger": True, "layers": ["body.*"], "conditions": {"body.1": [0, 2, 3]}}
    e, want = explainer(X, **options), bare(X, **options)
    assert_same(e.relevance, want.relevance)
    assert e.layers.keys() == want.layers.keys()
    for layer, relevance in want.layers.items():
        assert_same(e.layers[layer], relevance)
    assert_same(e.ledger.relevance_in, want.ledger.relevance_in)
    assert_same(e.ledger.absorbed["bias"], want.ledger.absorbed["bias"])
    one, split = bare(X, initial="one").relevance, bare(X).relevance
    assert_same(explainer(X, initial="one").relevance, one)
    parts = explainer(X, batch_size=2)
    assert_same(parts.relevance, split)
    assert_same(parts.scores, e.scores)
    assert parts.head == e.head
    assert_same(explainer(X, recompute=True).relevance, split)
    assert_same(explainer(X, create_graph=True).relevance.detach(), split)
    explainer.save(tmp_path / "saved.plans")
    loaded = relprop.Explainer.load(tmp_path / "saved.plans", explainer.model)
    assert_same(loaded(X).relevance, split)
    assert loaded(X).head.explained == explainer(X).head.explained != ""
    each = relprop.Explainer(explainer.model, "epsilon", capture="per-input")
    assert_same(each(X[:1]).relevance, split[:1])


def test_a_sigmoid_does_not_turn_the_explanation_round():
    model = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Sigmoid()).double().eval()
    model[0].weight.data = torch.tensor([[1.0, -3.0]]).double()
    x = torch.ones(1, 2).double()
    explainer = relprop.Explainer(model, "zero")
    for target in (None, "predicted", 0, relprop.at(0)):
        assert explainer(x, target).relevance.tolist() == [[1.0, -3.0]]
    assert explainer(x, "all").relevance.tolist() == [[[1.0, -3.0]]]
    text = str(explainer.plan(x)).splitlines()
    assert text[1] == 'explained: input of "1" (sigmoid)'
    assert text[-1].split(None, 3) == ["1", "sigmoid", "-", "after what is explained"]
    assert 'explained: input of "1" (sigmoid)' in repr(explainer(x))


class Digits(nn.Module):
    """The net of PyTorch's MNIST example: convolutions, dropout, and log_softmax at the end."""

    def __init__(self, ends: bool = True) -> None:
        super().__init__()
        self.ends = ends
        self.conv1, self.conv2 = nn.Conv2d(1, 4, 3), nn.Conv2d(4, 8, 3)
        self.dropout1, self.dropout2 = nn.Dropout(0.25), nn.Dropout(0.5)
        self.fc1, self.fc2 = nn.Linear(8 * 4 * 4, 12), nn.Linear(12, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.conv2(functional.relu(self.conv1(x))))
        x = self.dropout1(functional.max_pool2d(x, 2)).flatten(1)
        x = self.fc2(self.dropout2(functional.relu(self.fc1(x))))
        return functional.log_softmax(x, dim=1) if self.ends else x


class Speech(nn.Module):
    """Layers over time, a recurrent layer, and log-probabilities (batch, time, classes)."""

    def __init__(self, ends: bool = True) -> None:
        super().__init__()
        self.ends = ends
        self.fc1, self.fc2 = nn.Linear(6, 8), nn.Linear(8, 8)
        self.rnn = nn.RNN(8, 8, nonlinearity="relu", bidirectional=True)
        self.out = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:  # (batch, channel, time, features)
        x = functional.hardtanh(self.fc2(functional.hardtanh(self.fc1(x), 0, 20)), 0, 20)
        x, _ = self.rnn(x.squeeze(1).transpose(0, 1))
        x = self.out(x[:, :, :8] + x[:, :, 8:]).permute(1, 0, 2)
        return functional.log_softmax(x, dim=2) if self.ends else x


@pytest.mark.parametrize(
    ("net", "x", "target"),
    [(Digits, signed(3, 1, 12, 12), None), (Speech, signed(2, 1, 7, 6), relprop.at(3, 1))],
)
def test_nets_of_pytorch_and_torchaudio_work_unmodified(net, x, target):
    whole, without = randomise(net()).double(), randomise(net(ends=False)).double()
    e = relprop.explain(whole, x, target=target)
    want = relprop.explain(without, x, target=target)
    assert_same(e.relevance, want.relevance)
    assert_same(e.probabilities, want.output.softmax(-1))
    assert e.head.kind == "log-probabilities"


class Tokens(nn.Module):
    """A transformer layer, and scores of one token, which is all that has to be computed."""

    def __init__(self, head: nn.Module) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.out, self.head = nn.Linear(8, 3), head

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.out(self.layer(x)))[:, 0]


def test_a_head_before_the_token_is_taken_is_pruned_with_it():
    x, options = signed(2, 6, 8), {"ledger": True}
    bare = relprop.Explainer(randomise(Tokens(nn.Identity())).double())
    explainer = relprop.Explainer(randomise(Tokens(nn.Softmax(dim=-1))).double())
    assert_same(explainer(x).relevance, bare(x).relevance)
    assert_same(explainer(x, **options).relevance, bare(x).relevance)
    assert explainer(x, **options).ledger.error < 1e-9


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of modules that torch.compile imports
def test_a_compiled_head_gives_the_same(bare):
    explainer = relprop.Explainer(headed(HEADS["sigmoid"]), "epsilon", compile=True)
    for options in ({}, {"target": 1}, {"initial": "one"}):
        e, want = explainer(X, **options), bare(X, **options)
        torch.testing.assert_close(e.relevance, want.relevance, rtol=1e-9, atol=1e-9)
        torch.testing.assert_close(e.scores, want.output)
        assert e.head.kind == "independent probabilities"
    unit = relprop.Explainer(headed(lambda z: z[:, :1].sigmoid()), "epsilon", compile=True)
    torch.testing.assert_close(unit(X).relevance, bare(X, 0).relevance)
    assert unit(X).target is None


def test_pixels_of_a_segmentation_with_a_softmax_over_classes():
    layers = nn.Conv2d(2, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 3, 1)
    whole = randomise(nn.Sequential(*layers, nn.Softmax(dim=1))).double()
    x, target = signed(2, 2, 5, 5), relprop.at(1, 2, 3)
    e = relprop.explain(whole, x, "epsilon", target)
    assert_same(e.relevance, relprop.explain(whole[:3], x, "epsilon", target).relevance)
    assert_same(e.probabilities, whole[:3](x).softmax(1).detach())


def test_a_masked_class_has_nothing_to_explain(bare):
    explainer = relprop.Explainer(
        headed(lambda z: z.masked_fill(MASK, -torch.inf).softmax(1)), "epsilon"
    )
    assert_same(explainer(X, 2).relevance, bare(X, 2).relevance)
    assert_same(explainer(X, 2, initial="one").relevance, bare(X, 2, initial="one").relevance)
    with pytest.raises(InputError, match="infinite logit for sample 0"):
        explainer(X, 1)


# ---- the class that is predicted, where logits are of several functions --------------------------

SEVERAL = {
    "two softmaxes": lambda z: torch.cat([(3 * z[:, :2]).softmax(1), z.softmax(1)], 1),
    "scores beside labels": lambda z: torch.cat([z / 4, (3 * z).sigmoid()], 1),
    "scaled unlike": lambda z: torch.cat([2 * z.sigmoid(), (5 * z).sigmoid()], 1),
    "stacked": lambda z: torch.stack([(3 * z).softmax(1)[:, 0], 0.1 * z.sigmoid()[:, 1]], 1),
    "one softmax of two groups": lambda z: (
        torch.cat([9 + z[:, :2], 3 * z[:, 1:]], 1).reshape(-1, 2, 2).softmax(2).flatten(1)
    ),
    "a softmax over pairs": lambda z: torch.stack([z, 4 * z], 1).softmax(1)[:, 0],
}


@pytest.mark.parametrize("name", SEVERAL)
def test_the_predicted_class_is_that_of_the_output(name):
    x, model = signed(40, 4), headed(SEVERAL[name])
    explainer = relprop.Explainer(model, "epsilon")
    e = explainer(x)
    first, second = model(x).detach().topk(2, dim=1).indices.unbind(1)
    assert not e.scores.argmax(1).equal(first)  # so that the logits would not do
    assert e.prediction.equal(first)
    assert e.target.equal(first)
    assert explainer(x, "predicted").target.equal(first)
    assert explainer(x, "runner-up").target.equal(second)
    assert explainer(x, ("predicted", "runner-up")).target.equal(torch.stack([first, second], 1))
    assert_same(e.relevance, explainer(x, first).relevance)
    assert predict(model, x, output_kind="independent probabilities").prediction.equal(first)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of modules that torch.compile imports
@pytest.mark.parametrize("name", SEVERAL)
def test_a_compiled_explainer_takes_the_predicted_class_of_the_output(name):
    x, model = signed(40, 4), headed(SEVERAL[name])
    e = relprop.Explainer(model, "epsilon")(x)
    compiled = relprop.Explainer(model, "epsilon", compile=True)(x)
    assert compiled.target.equal(model(x).argmax(1))
    torch.testing.assert_close(compiled.relevance, e.relevance, rtol=1e-9, atol=1e-9)


# ---- functions that squash, and rows that name them ----------------------------------------------

REFUSED = {
    "tanh": torch.tanh,
    "softplus": functional.softplus,
    "hardsigmoid": functional.hardsigmoid,
    "hardtanh": functional.hardtanh,
    "exp": torch.exp,
    "softsign": functional.softsign,
    "mean of softmax": lambda z: torch.stack([z, 2 * z]).softmax(2).mean(0),
    "softmax of tanh": lambda z: z.tanh().softmax(1),
    "sum of shares": lambda z: 0.3 * z.softmax(1) + 0.7 * (2 * z).softmax(1),
    "object and class": lambda z: z[:, :1].sigmoid() * z.sigmoid(),
    "parent and child": lambda z: z[:, :1].sigmoid() * z.softmax(1),
    "experts": lambda z: (
        z[:, :2].softmax(1)[..., None] * torch.stack([z, 2 * z], 1).softmax(2)
    ).sum(1),
    "normalised": lambda z: functional.normalize(z.softmax(1) ** 2, p=1),
    "tanh and softplus": lambda z: torch.cat([z.tanh(), functional.softplus(z)], 1),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_else_squashes_the_output_is_refused_with_the_line_to_write(name):
    model = headed(REFUSED[name])
    with pytest.raises(PlanError, match="which squashes its scores") as error:
        relprop.Explainer(model, "epsilon").plan(X)
    _, line = error.value.todo.split(" write ")
    recipe = eval(line, {"recipe": relprop.Recipe.preset("epsilon"), "relprop": relprop})
    e = relprop.Explainer(model, recipe)(X, target=0, ledger=True)
    assert e.ledger.error < 1e-7  # torch's hardsigmoid multiplies by 1/6 in single precision
    assert e.relevance.abs().sum() > 0
    if e.head.explained == "":
        assert e.head.kind == "other"
        assert e.probabilities is None
        assert_same(e.scores, model(X).detach())


class Ensemble(nn.Module):
    """Two networks with a softmax each, and the mean of both."""

    def __init__(self) -> None:
        super().__init__()
        parts = (nn.Sequential(nn.Linear(4, 3), nn.Softmax(dim=1)) for _ in range(2))
        self.first, self.second = parts

    def forward(self, x: Tensor) -> Tensor:
        return 0.4 * self.first(x) + 0.6 * self.second(x)


def test_every_function_of_an_ensemble_is_named_by_the_line():
    model, recipe = randomise(Ensemble()).double(), relprop.Recipe.preset("epsilon")
    line = 'recipe.using("first.1", "taylor").using("second.1", "taylor")'
    with pytest.raises(PlanError, match="which squashes its scores") as error:
        relprop.Explainer(model, recipe).plan(X)
    assert error.value.todo.endswith(line.removeprefix("recipe"))
    with pytest.raises(PlanError, match="which squashes its scores") as error:
        relprop.Explainer(model, recipe.using("first.1", "taylor")).plan(X)
    assert error.value.todo.endswith('.using("second.1", "taylor")')
    e = relprop.explain(model, X, eval(line, {"recipe": recipe}))
    assert (e.head.kind, e.probabilities) == ("other", None)
    assert e.prediction.equal(e.output.argmax(1))


@pytest.mark.parametrize("function", [torch.cumprod, torch.round])
def test_an_operation_without_a_rule_does_not_make_scores_of_probabilities(function):
    arguments = (1,) if function is torch.cumprod else ()
    model = headed(lambda z: function(1 - z.sigmoid(), *arguments))
    rule = "gradient" if arguments else "straight-through"
    selector = relprop.Selector(operation=function.__name__)
    recipe = relprop.Recipe.preset("epsilon").using(selector, rule)
    with pytest.raises(PlanError, match="ends with sigmoid, which squashes its scores") as error:
        relprop.Explainer(model, recipe).plan(X)
    _, line = error.value.todo.split(" write ")
    recipe = eval(line, {"recipe": recipe, "relprop": relprop})
    assert relprop.Explainer(model, recipe).plan(X).graph.head.kind == "other"


@pytest.mark.parametrize("function", [torch.tanh, functional.softplus, torch.exp])
def test_a_squashing_function_by_the_gradient_gives_the_logits_map_times_its_slope(bare, function):
    """With c_z = f'(z), and the relevance of one unit of z from the model without the function."""
    model = headed(function)
    selector = relprop.Selector(name="", operation=function.__name__)
    recipe = relprop.Recipe.preset("epsilon").using(selector, "gradient")
    z = bare(X).output[:, 0].requires_grad_()
    (slope,) = torch.autograd.grad(function(z).sum(), z)
    want = bare(X, 0, initial="one").relevance * (slope * z.detach())[:, None]
    e = relprop.Explainer(model, recipe)(X, 0)
    torch.testing.assert_close(e.relevance, want, rtol=1e-5, atol=1e-9)


def test_a_row_that_names_the_softmax_has_its_probabilities_explained():
    """By taylor: the gradient of the probability, as far as the layers are linear."""
    model = nn.Sequential(nn.Linear(4, 3, bias=False), nn.Softmax(dim=1)).double().eval()
    recipe = relprop.Recipe.preset("zero").using("1", "taylor")
    e = relprop.Explainer(model, recipe)(X, target=1)
    leaf = X.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(model(leaf)[:, 1].sum(), leaf)
    assert_same(e.relevance, X * gradient)
    assert (e.head.explained, e.logits) == ("", None)
    assert e.probabilities is e.output


GLOBS = {
    "all modules": "*",
    "a pattern of names": "[h1]*",
    "a type": relprop.Selector(type="Sigmoid"),
    "all types": relprop.Selector(type="*"),
    "all operations": relprop.Selector(operation="*"),
    "a pattern of operations": relprop.Selector(operation="sig*"),
}


@pytest.mark.parametrize("rule", ["pass-through", "gradient"])
@pytest.mark.parametrize("name", GLOBS)
def test_a_glob_that_takes_the_sigmoid_in_leaves_the_logits_explained(name, rule):
    """The logits' map of a linear layer is x w by all rules, so that rows for it change nothing."""
    model = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Sigmoid()).double().eval()
    model[0].weight.data = torch.tensor([[1.0, -3.0]]).double()
    explainer = relprop.Explainer(model, relprop.Recipe.preset("zero").using(GLOBS[name], rule))
    e = explainer(torch.ones(1, 2).double())
    assert_same(e.relevance, torch.tensor([[1.0, -3.0]]).double())
    assert e.head.explained == 'input of "1" (sigmoid)'


@pytest.mark.parametrize("end", ["tanh", "softplus", "sum of shares"])
@pytest.mark.parametrize("selector", ["*", relprop.Selector(operation="*")])
def test_a_glob_does_not_let_what_squashes_the_output_pass(end, selector):
    recipe = relprop.Recipe.preset("epsilon").using(selector, "gradient")
    with pytest.raises(PlanError, match="which squashes its scores"):
        relprop.Explainer(headed(REFUSED[end]), recipe).plan(X)


@pytest.mark.parametrize("row", ["1", relprop.Selector(operation="sigmoid")])
def test_the_plan_says_that_a_row_has_the_result_explained(row):
    model = nn.Sequential(nn.Linear(4, 3), nn.Sigmoid()).double().eval()
    explainer = relprop.Explainer(model, relprop.Recipe.preset("zero").using(row, "gradient"))
    words = 'explained: result of "1" (sigmoid), by a row of the recipe'
    assert str(explainer.plan(X)).splitlines()[1] == words
    e = explainer(X)
    assert repr(e).endswith(f"{words})")
    assert (e.head.explained, e.head.named, e.logits) == ("", '"1" (sigmoid)', None)


def test_every_operation_by_gradient_is_still_autograd():
    """Of the probability, where a row names the sigmoid; of the logit, where globs alone do."""
    model = headed(torch.sigmoid)
    recipe = relprop.Recipe.preset("zero").using("*", "gradient")
    recipe = recipe.using(relprop.Selector(operation="*"), "gradient")
    named = recipe.using(relprop.Selector(operation="sigmoid"), "gradient")
    for by, end in ((recipe, model.body), (named, model)):
        e = relprop.Explainer(model, by)(X, target=2)
        leaf = X.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(end(leaf)[:, 2].sum(), leaf)
        assert_same(e.relevance, X * gradient)


@pytest.mark.parametrize("end", [nn.ReLU(), nn.GELU(), nn.LeakyReLU()])
def test_other_activations_at_the_end_are_explained_as_they_are(end):
    e = relprop.explain(headed(end), X, "epsilon", ledger=True)
    assert e.head.explained == ""
    assert_same(e.ledger.relevance_in, e.output.amax(1))
