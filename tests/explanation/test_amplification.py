"""A map whose sum of |relevance| is many times the score says so."""

import pytest
import torch
from torch import Tensor, nn

import relprop
from relprop.errors import AmplificationWarning, NumberError, VanishingWarning


class Cancelling(nn.Module):
    """Gives the difference of two large numbers: w (a - b) + b, where a and b are near equal."""

    def __init__(self, w: float) -> None:
        super().__init__()
        self.large = nn.Linear(2, 2, bias=False)
        self.large.weight.data = torch.tensor([[w, -w], [0.0, 1.0]])

    def forward(self, x: Tensor) -> Tensor:
        return self.large(x).relu()


X = torch.tensor([[1.001, 1.0], [3.0, 1.0]], dtype=torch.float64)


@pytest.mark.filterwarnings("ignore::relprop.errors.AmplificationWarning")
@pytest.mark.parametrize(
    "options", [{}, {"batch_size": 1}, {"create_graph": True}, {"layers": ["*"]}]
)
def test_it_is_the_sum_of_sizes_by_the_score(options):
    """Sample 0 scores 10 and 1, from 10,010 - 10,000; sample 1 scores 20,000 and 1."""
    explainer = relprop.Explainer(Cancelling(10_000.0).double().eval(), "zero")
    for initial in ("score", "one"):
        e = explainer(X, target=0, initial=initial, **options)
        want = torch.tensor([20_010 / 10, 40_000 / 20_000]).double()
        torch.testing.assert_close(e.amplification, want, rtol=1e-9, atol=0)


@pytest.mark.filterwarnings("ignore::relprop.errors.AmplificationWarning")
def test_for_several_targets():
    """The largest score of the sample counts: class 1 of sample 1 scores 1 beside 20,000."""
    explainer = relprop.Explainer(Cancelling(10_000.0).double().eval(), "zero")
    e = explainer(X, target="all")
    want = torch.tensor([[2001, 1 / 10], [2, 1 / 20_000]], dtype=torch.float64)
    torch.testing.assert_close(e.amplification, want, rtol=1e-9, atol=0)


@pytest.mark.filterwarnings("ignore::relprop.errors.AmplificationWarning")
@pytest.mark.parametrize(
    ("target", "sizes"),
    [
        ((0, 1), [10, 20_000]),  # 9 and 19,999, which are less than the largest scores
        (lambda scores: 3 * scores[:, 0] + 2 * scores[:, 1], [32, 60_002]),
        (lambda scores: 0.5 * scores[:, 1], [5, 10_000]),
        (relprop.at(1), [10, 20_000]),
        ([relprop.at(1), (0, 1)], [[10, 10], [20_000, 20_000]]),
    ],
)
def test_by_the_size_of_any_target(target, sizes):
    """Not below the size that the largest score would have with the largest weight."""
    explainer = relprop.Explainer(Cancelling(10_000.0).double().eval(), "zero")
    e = explainer(X, target=target)
    want = torch.tensor(sizes, dtype=torch.float64)
    torch.testing.assert_close(e.score_size, want, rtol=1e-9, atol=0)
    torch.testing.assert_close(e.amplification, e.relevance.abs().sum(-1) / want)


def test_it_warns_once_and_names_the_operation():
    explainer = relprop.Explainer(Cancelling(10_000.0).double().eval(), "zero")
    with pytest.warns(AmplificationWarning, match=r'2,001 times the score; "large" \(linear'):
        explainer(X, target=0)
    assert float(explainer(X, target=0).amplification[0]) > 2000  # and no more warning


def test_it_warns_of_relevance_spread_over_many_features():
    """1,500 times +1 and 1,499 times -1: none is large, the sum of their sizes is."""
    linear = nn.Linear(2999, 1, bias=False).double()
    linear.weight.data = torch.tensor([[(-1.0) ** i for i in range(2999)]]).double()
    explainer = relprop.Explainer(linear.eval(), "zero")
    with pytest.warns(AmplificationWarning, match="2,999 times the score"):
        explainer(torch.ones(3, 2999, dtype=torch.float64))


def test_a_moderate_map_does_not_warn():
    e = relprop.Explainer(Cancelling(100.0).double().eval(), "zero")(X, target=1)
    assert e.amplification.tolist() == pytest.approx([1.0, 0.005], rel=1e-4)


def test_what_passes_through_an_exponential_unchanged():
    """At z = 1e-4, R = exp(z) is divided by z; the secant, whose slope is 1, does not divide."""
    linear = nn.Linear(2, 1, bias=False).double()
    linear.weight.data = torch.tensor([[1.0, -1.0]]).double()

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = linear

        def forward(self, x):
            return self.linear(x).exp() @ torch.full((1, 1), 2.0).double()

    x = torch.tensor([[1.0001, 1.0]], dtype=torch.float64)
    z = x[0, 0] - x[0, 1]
    explainer = relprop.Explainer(Net().eval(), "zero")
    e = explainer(x, target=relprop.at(0))
    torch.testing.assert_close(e.amplification[0], 2.0001 * z.expm1() / z / z.exp())
    row = relprop.Selector(operation="exp"), "pass-through"
    unbounded = explainer.with_recipe(relprop.Recipe.preset("zero").using(*row))
    with pytest.warns(AmplificationWarning, match=r'20,001 times the score; "linear" \(linear\)'):
        unbounded(x, target=relprop.at(0))


class Masked(nn.Module):
    """Two classes by (w, -w) and (1, 1), and one that is masked by the number given."""

    def __init__(self, w: float, mask: float) -> None:
        super().__init__()
        self.layer, self.mask = nn.Linear(2, 3, bias=False), mask
        self.layer.weight.data = torch.tensor([[w, -w], [1.0, 1.0], [0.0, 0.0]])

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).masked_fill(torch.tensor([False, False, True]), self.mask).softmax(1)


@pytest.mark.parametrize("mask", [float("-inf"), -1e9, torch.finfo(torch.float32).min])
@pytest.mark.parametrize("target", [0, (0, 1), [0], lambda scores: scores[:, 0]])
def test_a_masked_class_has_no_score_to_compare_with(mask, target):
    """Scores 10 and 2.001; relevance 10,010 and -10,000 for class 0."""
    explainer = relprop.Explainer(Masked(10_000.0, mask).double().eval(), "zero")
    with pytest.warns(AmplificationWarning, match="the sum of"):
        e = explainer(X[:1], target=target)
    assert e.score_size.flatten().tolist() == pytest.approx([10.0], rel=1e-9)


def test_infinite_relevance_is_an_error_beside_a_masked_class():
    model = Masked(2e3, float("-inf")).half().eval()
    x = torch.tensor([[60.0, 59.0]]).half()
    with pytest.raises(NumberError, match="relevance for sample 0 is not finite"):
        relprop.explain(model, x, "zero", target=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_sums_of_half_precision_do_not_overflow(dtype):
    """Relevance 50,500 and -49,500, whose sizes add up to more than float16 holds."""
    linear = nn.Linear(100, 2, bias=False)
    linear.weight.data = torch.tensor([[101.0] * 50 + [-99.0] * 50, [0.0] * 100])
    e = relprop.Explainer(linear.to(dtype).eval(), "zero")(10 * torch.ones(1, 100).to(dtype))
    assert e.amplification.tolist() == pytest.approx([100.0], rel=1e-2)


class Written(nn.Module):
    """Straight-through rounding under no_grad, of which only h - h remains if it is constant."""

    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            rest = x.round() - x
        return (x + rest) @ torch.tensor([[1.0, 3.0], [2.0, 1.0]])


def test_relevance_that_vanishes_is_said_once():
    model, x = Written().eval(), torch.tensor([[1.4, 2.2], [0.9, 0.1]])
    recipe = relprop.Recipe.preset("zero")
    chosen = relprop.Selector(operation="round")
    explainer = relprop.Explainer(model, recipe.using(chosen, "constant"))
    with pytest.warns(VanishingWarning, match="less than a millionth of the score"):
        e = explainer(x)
    assert e.relevance.abs().max() < 1e-6
    explainer(x)
    explainer.with_recipe(recipe.using(chosen, "straight-through"))(x)


@pytest.mark.parametrize("x", [torch.zeros(2, 2), torch.tensor([[0.0, 0.0], [1.0, 1.0]])])
def test_relevance_of_zeros_is_zero_without_a_word(x):
    linear = nn.Linear(2, 3)
    e = relprop.explain(linear.eval(), x, "zero")
    assert not e.relevance[0].any()
    assert float(relprop.explain(difference(), torch.zeros(1, 2).double()).amplification) == 0


def difference(dtype: torch.dtype = torch.float64) -> nn.Module:
    linear = nn.Linear(2, 1, bias=False, dtype=dtype)
    linear.weight.data = torch.tensor([[1.0, -1.0]], dtype=dtype)
    return linear.eval()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("options", [{}, {"target": [relprop.at(0)]}, {"ledger": True}])
def test_a_score_of_zero_is_no_reason_to_warn_and_leaves_the_warning_for_others(dtype, options):
    explainer = relprop.Explainer(difference(dtype), "zero")
    x = torch.tensor([[0.5, 0.5], [1.0, 0.0]], dtype=dtype)
    e = explainer(x, **options)
    assert e.relevance.reshape(2, 2).tolist() == [[0.5, -0.5], [1.0, 0.0]]
    assert e.amplification.flatten().tolist() == [float("inf"), 1.0]
    apart = torch.tensor([[0.5, 0.5], [1024.5, 1024.0]], dtype=dtype)
    with pytest.warns(AmplificationWarning, match="is 4,097 times the score"):
        explainer(apart, **options)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of modules that torch.compile imports
def test_a_score_of_zero_in_a_compiled_program():
    explainer = relprop.Explainer(difference(), "zero", compile=True)
    e = explainer(torch.tensor([[0.5, 0.5], [1.0, 0.0]], dtype=torch.float64))
    assert e.amplification.tolist() == [float("inf"), 1.0]


def test_a_large_number_is_written_short():
    explainer = relprop.Explainer(difference(), "zero")
    with pytest.warns(AmplificationWarning, match=r"is 2\.2e\+12 times the score"):
        explainer(torch.tensor([[1.1, 1.1 - 1e-12]], dtype=torch.float64))
