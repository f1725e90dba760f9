"""Captured models are verified against the model itself."""

import pytest
import torch
from helpers.networks import randomise, signed
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import relprop
from relprop.errors import CaptureError, NumberError


def gradient_times_input(model, x) -> torch.Tensor:
    leaf = x.clone().requires_grad_()
    return x * torch.autograd.grad(model(leaf)[:, 1].sum(), leaf)[0]


class Overflows(nn.Module):
    """Infinity in the middle, which the output may not show."""

    def __init__(self, after):
        super().__init__()
        self.first, self.wide, self.after = nn.Linear(4, 4), nn.Identity(), after

    def forward(self, x):
        return self.after(self.first(x).exp().pow(60.0))


@pytest.mark.parametrize(
    ("after", "what"),
    [(lambda h: h, "output"), (lambda h: torch.atan(h) * h, "output")],
)
def test_the_operation_that_made_the_first_infinity_is_named(after, what):
    model = Overflows(after).eval()
    model.first.weight.data = torch.eye(4)
    with pytest.raises(
        relprop.RelpropError, match=rf"{what} for sample 0 is not finite; .* from pow"
    ):
        relprop.explain(model, 20 + signed(2, 4).float(), "zero")


def test_the_rule_that_made_the_first_infinity_is_named():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False)

        def forward(self, x):
            return self.last(self.first(x).sigmoid())

    model = Model().eval()
    model.first.weight.data = torch.full((2, 2), 1e-44)  # next to nothing, and relevance over it
    sigmoid = relprop.Selector(operation="sigmoid")
    recipe = relprop.Recipe.preset("zero").using(sigmoid, "pass-through")
    with pytest.raises(relprop.RelpropError, match=r'relevance for sample 0 .* "first" .* zero'):
        relprop.explain(model, torch.ones(2, 2), recipe)


class Chaotic(nn.Module):
    """Magnifies differences of its input by a factor."""

    def __init__(self, factor):
        super().__init__()
        self.layer, self.norm, self.factor = nn.Linear(3, 3), nn.BatchNorm1d(3), factor

    def forward(self, x):
        return (self.factor * (self.norm(self.layer(x)) - 0.3)).sin()


SINE = relprop.Recipe.preset("zero").using(relprop.Selector(operation="sin"), "gradient")


def test_a_model_that_magnifies_rounding_is_refused():
    model = randomise(Chaotic(1e12))
    with pytest.raises(relprop.RelpropError, match=r"magnifies rounding(.|\n)*model.double\(\)"):
        relprop.explain(model, signed(5, 3).float(), SINE)


@pytest.mark.filterwarnings("ignore:the sum of:relprop.errors.AmplificationWarning")
def test_a_program_may_round_otherwise_than_the_model():
    model, x = randomise(Chaotic(6e4)), signed(5, 3).float()
    explanation = relprop.explain(model, x, SINE)
    assert 1e-3 < (explanation.output - model(x))[-1].abs().max() < 1e-2
    expected = relprop.explain(model.double(), x.double(), SINE).relevance
    assert (explanation.relevance - expected).norm() < 0.02 * expected.norm()


def test_a_model_moved_to_another_dtype_is_captured_again():
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3)).eval()
    explainer = relprop.Explainer(model, "zero")
    assert explainer(signed(2, 4).float()).relevance.dtype is torch.float32
    model.double()
    x = signed(2, 4)
    torch.testing.assert_close(explainer(x, target=1).relevance, gradient_times_input(model, x))
    with pytest.raises(relprop.RelpropError, match=r"x.to\(torch.float64\)"):
        explainer(x.float())


def test_recipes_of_one_model_share_the_captured_graph():
    model, x = nn.Sequential(nn.Linear(4, 3)).eval(), signed(2, 4).float()
    first = relprop.Explainer(model, "zero")
    first(x)
    second = first.with_recipe("epsilon")
    assert second.plan(x).graph.nodes is first.plan(x).graph.nodes
    assert second.recipe.name == "epsilon"


def test_two_explainers_on_one_model():
    model, x = randomise(nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 3))), signed(2, 4)
    one, other = relprop.Explainer(model.double(), "zero"), relprop.Explainer(model, "zero")
    assert one(x).relevance.equal(other(x).relevance)


class Samples(TorchDispatchMode):
    """Counts the samples that a convolution is really run on."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.convolution.default and type(result) is torch.Tensor:
            self.count += len(result)
        return result


def samples(run) -> int:
    with Samples() as counter:
        run()
    return counter.count


def test_a_new_shape_runs_the_model_on_a_few_samples(tmp_path):
    model = randomise(nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)))
    x, explainer = torch.randn(5, 1, 4, 4), relprop.Explainer(model, "zero")
    # the model on one; the program on one
    assert samples(lambda: explainer.plan(x)) == 1 + 1
    assert samples(lambda: explainer.plan(x[:3])) == 0
    # another recipe's program, and the model
    assert samples(lambda: explainer.with_recipe("epsilon").plan(x)) == 1 + 1
    explainer.save(tmp_path / "plan.safetensors")
    loaded = relprop.Explainer.load(tmp_path / "plan.safetensors", model)
    # the graph and the model on six multiples of one; the program on one, and on two for a trial of
    # the backward pass
    assert samples(lambda: loaded.plan(x)) == 6 + 6 + 1 + 2


class Alone(nn.Module):
    """Does to a single sample what `change` says."""

    def __init__(self, change):
        super().__init__()
        self.linear, self.change = nn.Linear(6, 4), change

    def forward(self, x):
        h = self.linear(x)
        return self.change(h) if x.shape[0] == 1 else h


@pytest.mark.parametrize("change", [lambda h: 2 * h, lambda h: 1.001 * h, lambda h: h[:, :3]])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_model_that_does_another_thing_to_one_sample_is_refused(change, batch):
    with pytest.raises(CaptureError, match="on one sample does not do what it does"):
        relprop.Explainer(randomise(Alone(change)), "zero").plan(torch.randn(batch, 6))


@pytest.mark.parametrize("change", [torch.squeeze, torch.t])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_model_that_moves_samples_out_of_the_first_dimension_is_refused(change, batch):
    model = nn.Sequential(randomise(nn.Linear(6, 4)), Applied(change))
    with pytest.raises(CaptureError, match="mixes the samples"):
        relprop.Explainer(model, "zero").plan(torch.randn(batch, 6))


def test_a_model_that_fails_on_three_samples_is_refused():
    some = torch.tensor([True, False, True, False])

    def scattered(h):  # needs as many numbers as the square of the samples
        return h[:, None].masked_scatter(some.expand(h.shape), h[:, None])[:, 0]

    model = nn.Sequential(randomise(nn.Linear(6, 4)), Applied(scattered))
    with pytest.raises(CaptureError, match=r"fails on other numbers of samples than 2: .* mask"):
        relprop.Explainer(model, "zero").plan(torch.randn(2, 6))


@pytest.mark.parametrize("change", [torch.sum, torch.squeeze])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_model_that_gives_a_single_number_is_refused(change, batch):
    model = nn.Sequential(randomise(nn.Linear(6, 1)), Applied(change))
    with pytest.raises(CaptureError):
        relprop.Explainer(model, "zero").plan(torch.randn(batch, 6))


def test_a_last_sample_without_a_finite_output_is_named():
    model = nn.Sequential(randomise(nn.Linear(6, 4)), Applied(torch.square))
    x = torch.randn(3, 6)
    x[2] = 1e30
    with pytest.raises(NumberError, match="output for sample 2 is not finite"):
        relprop.Explainer(model, "zero").plan(x)


class Applied(nn.Module):
    """A function."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


class Named(nn.Module):
    """A batch norm by the name that torch has for the operation."""

    def __init__(self):
        super().__init__()
        self.conv, self.batch_norm, self.head = (
            nn.Conv1d(1, 3, 2),
            nn.BatchNorm1d(3),
            nn.Linear(9, 2),
        )

    def forward(self, x):
        return self.head(self.batch_norm(self.conv(x)).relu().flatten(1))


def test_a_module_may_have_the_name_of_an_operation():
    model, x = randomise(Named()).double(), signed(3, 1, 4)
    got = relprop.explain(model, x, "zero", target=1).relevance
    torch.testing.assert_close(got, gradient_times_input(model, x))


def test_other_activations_and_a_bias_less_are_followed():
    model = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)).eval()
    explainer, x = relprop.Explainer(model, "zero"), signed(2, 6).float()
    for activation in (nn.Tanh, nn.ReLU, nn.ELU, nn.Tanh, nn.ReLU6, nn.ELU):
        model[1] = activation().eval()
        torch.testing.assert_close(explainer(x).output, model(x).detach())
    model[0].bias = None
    torch.testing.assert_close(explainer(x).output, model(x).detach())
