"""Removal curves against closed forms, and against every possible order."""

import inspect
from itertools import pairwise, permutations

import pytest
import torch
from helpers.networks import randomise, signed
from helpers.removal_models import Product, weighted
from torch import nn

import relprop
from relprop.errors import InputError
from relprop.evaluate import (
    abpc,
    aopc,
    error_rate,
    faithfulness,
    faithfulness_by_method,
    margin_drop,
    paired_test,
    patches,
    plot_curves,
    ranking,
    removal_curve,
    removal_curves,
    srg,
)
from relprop.support.progress import Progress

# ---- closed forms ----------------------------------------------------------------------


@pytest.mark.parametrize("order", ["morf", "lerf", "random"])
def test_a_linear_score_is_the_sum_of_what_is_left(order):
    model, x = weighted(6)
    contributions = x * model.w
    got = removal_curve(model, x, contributions, order=order, steps=6, score="logit", target=0)
    gone = ranking(contributions, order)
    kept = contributions.gather(1, gone).flip(1).cumsum(1).flip(1)
    torch.testing.assert_close(got.scores[:, :6], kept)
    torch.testing.assert_close(got.scores[:, 6], torch.zeros(5).double())


def test_the_area_of_a_linear_score_is_that_of_its_trapezoids():
    """Three equal contributions of 2: the curve falls on a straight line from 6 to 0."""
    model, _ = weighted(3)
    contributions = torch.full((5, 3), 2.0).double()
    got = removal_curve(model, contributions / model.w, contributions, steps=3, score="logit")
    torch.testing.assert_close(got.auc, torch.full((5,), 3.0).double())


def test_an_area_over_uneven_steps_counts_each_by_its_width():
    model, x = weighted(10)
    got = removal_curve(model, x, x * model.w, steps=(1, 5, 10), score="logit", target=0)
    f = got.scores
    expected = (f[:, 0] + f[:, 1]) * 0.05 + (f[:, 1] + f[:, 2]) * 0.2 + (f[:, 2] + f[:, 3]) * 0.25
    torch.testing.assert_close(got.auc, expected)


def test_a_curve_that_ends_early_has_the_mean_height_of_its_part():
    model, x = weighted(10)
    got = removal_curve(model, x, x * model.w, steps=(0.1, 0.2), score="logit", target=0)
    f = got.scores
    torch.testing.assert_close(got.shares, torch.tensor([[0.0, 0.1, 0.2]]))
    torch.testing.assert_close(got.auc, f[:, 0] / 4 + f[:, 1] / 2 + f[:, 2] / 4)


def test_columns_are_the_untouched_sample_and_then_each_step():
    model, x = weighted(8)
    got = removal_curve(model, x, x * model.w, steps=4)
    assert got.counts.tolist() == [[0, 2, 4, 6, 8]]
    assert got.shares.tolist() == [[0.0, 0.25, 0.5, 0.75, 1.0]]
    torch.testing.assert_close(got.scores[:, 0], model(x).softmax(1).amax(1))


# ---- the best order --------------------------------------------------------------------


@pytest.mark.parametrize(("order", "best"), [("morf", torch.amin), ("lerf", torch.amax)])
def test_no_order_beats_the_contributions_of_a_linear_model(order, best):
    model, x = weighted(5, samples=3)
    areas = all_areas(model, x)
    got = removal_curve(model, x, x * model.w, order=order, steps=5, score="logit", target=0)
    torch.testing.assert_close(got.auc, best(areas, 0))


def test_a_given_order_is_followed_whatever_the_relevance():
    """Of a model that is not linear, one order of all 120 is the best, and it is found."""
    gen = torch.Generator().manual_seed(1)
    x = torch.rand(1, 5, generator=gen).double()
    areas, model = all_areas(Product().eval(), x), Product().eval()
    best = torch.tensor([list(permutations(range(5)))[int(areas.argmin())]])
    when = torch.empty(1, 5).scatter_(1, best, torch.arange(5.0)[None])
    options = {"steps": 5, "score": "logit", "target": 0, "output_kind": "logits"}
    given = removal_curve(model, x, None, order=best, **options)
    ranked = removal_curve(model, x, -when, **options)
    assert given.order == "custom"
    assert given.scores.equal(ranked.scores)
    torch.testing.assert_close(given.auc, areas.amin(0))


def all_areas(model, x):
    """The area of every order of five features, (120, n), by a loop over features."""
    areas = []
    for order in permutations(range(5)):
        rest, heights = x.clone(), [model(x)[:, 0]]
        for feature in order:
            rest[:, feature] = 0
            heights.append(model(rest)[:, 0])
        areas.append(sum((a + b) / 10 for a, b in pairwise(heights)))
    return torch.stack(areas).detach()


def test_relevance_that_is_random_gains_nothing():
    """The interval of its symmetric gain has 0 in it, and that of the truth has not."""
    model, x = weighted(1, 6, 6, samples=400)
    noise = torch.rand(x.shape, generator=torch.Generator().manual_seed(2))
    methods = {"noise": noise, "truth": x * model.w}
    curves = removal_curves(model, x, methods, score="logit", target=0)
    low, high = (getattr(paired_with_0(curves["noise"]), end) for end in ("low", "high"))
    assert low < 0 < high
    assert high < 0.1 * paired_with_0(curves["truth"]).low


def paired_with_0(curves):
    return paired_test(curves.srg, torch.zeros(len(curves.srg))).difference.interval


# ---- several methods at once -----------------------------------------------------------


def test_methods_share_the_untouched_samples_and_the_random_order():
    model, x = weighted(6, samples=10)
    methods = {"a": x * model.w, "b": -x}
    model.rows.clear()
    curves = removal_curves(model, x, methods, steps=3)
    assert sum(model.rows) == 10 * (1 + 3 * (1 + 2 * 2))
    for name, relevance in methods.items():
        for order in ("morf", "lerf", "random"):
            alone = removal_curve(model, x, relevance, order=order, steps=3)
            assert getattr(curves[name], order).scores.equal(alone.scores), (name, order)
    assert curves["a"].random is curves["b"].random


def test_the_gain_is_the_area_between_the_two_orders():
    model, x = weighted(6)
    curves = removal_curves(model, x, {"a": x * model.w}, steps=3)["a"]
    assert curves.srg.equal(curves.lerf.auc - curves.morf.auc)
    assert curves.srg.equal(srg(curves.morf, curves.lerf))


def test_progress_counts_what_is_run_and_what_need_not_be():
    seen = []

    class Counting(Progress):
        def stage(self, name, total, unit):
            return _Stage(seen, total)

    model, x = weighted(6, samples=10)
    x = x.clamp(min=0)
    removal_curves(model, x, {"a": x}, steps=3, batch_size=4, progress=Counting("quiet"))
    assert seen[0] == sum(seen[1:]) == 10 * 3 * 3 > sum(model.rows)


@pytest.mark.parametrize("progress", [None, 1, "yes"])
def test_progress_is_a_bool_or_a_progress(progress):
    model, x = weighted(6)
    with pytest.raises(InputError, match=f"progress is {progress!r}"):
        removal_curves(model, x, {"a": x}, steps=3, progress=progress)


def test_progress_is_shown_on_stderr_only_if_asked(capsys):
    model, x = weighted(6)
    removal_curves(model, x, {"a": x}, steps=3)
    assert capsys.readouterr() == ("", "")
    removal_curve(model, x, x, steps=3, progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("Removal: 15 inputs")


def test_one_order_and_all_three_take_the_same_options():
    """Options that both functions have are written twice: they have the same default and type."""
    one, several = (inspect.signature(f).parameters for f in (removal_curve, removal_curves))
    options = [name for name, p in several.items() if p.kind is inspect.Parameter.KEYWORD_ONLY]
    assert set(options) == {n for n, p in one.items() if p.kind is p.KEYWORD_ONLY} - {"order"}
    for name in options:
        assert one[name] == several[name]


class _Stage:
    def __init__(self, seen, total):
        self.seen = seen
        seen.append(total)

    def __enter__(self):
        return self.seen.append

    def __exit__(self, *error):
        return False


# ---- functions as relevance ------------------------------------------------------------


def test_a_function_is_given_the_model_the_samples_and_their_classes():
    model, x = weighted(6, samples=7)

    def gradient_times_input(net, part, classes):
        part = part.clone().requires_grad_()
        score = net(part).gather(1, classes[:, None]).sum()
        return part.detach() * torch.autograd.grad(score, part)[0]

    settings = {"target": torch.tensor([0, 1, 1, 0, 0, 1, 0]), "steps": 6, "batch_size": 3}
    got = removal_curve(model, x, gradient_times_input, **settings)
    by_hand = x * model.w * (settings["target"] == 0)[:, None]  # nothing speaks for class 1
    assert got.scores.equal(removal_curve(model, x, by_hand, **settings).scores)


def test_an_explainer_of_the_package_serves_as_any_other_function():
    model = relprop.load_model("mnist-cnn")
    x = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0))
    explainer = relprop.Explainer(model, "gamma")
    got = removal_curve(
        model, x, lambda m, part, classes: explainer(part, classes).relevance, steps=4
    )
    e = explainer(x)
    assert got.target.equal(e.prediction)
    assert got.scores.equal(removal_curve(model, x, e.relevance, steps=4).scores)


# ---- batches and seeds -----------------------------------------------------------------


@pytest.mark.parametrize(
    "fill", ["zero", "uniform", "gaussian", "marginal", "neighbours", "blur", "sample-mean", "mean"]
)
@pytest.mark.parametrize("batch_size", [1, 7, 1000])
def test_the_size_of_batches_changes_nothing(fill, batch_size):
    """One forward pass for each sample and step; some samples; several steps at a time."""
    model = relprop.load_model("mnist-dnn-300-100").double()  # a batch rounds a model's float32
    gen = torch.Generator().manual_seed(0)
    x, relevance = torch.rand(2, 13, 1, 28, 28, generator=gen).round(decimals=1).double()
    settings = {"fill": fill, "units": patches(4), "steps": 7}
    one = removal_curve(model, x, relevance, **settings, batch_size=13)
    other = removal_curve(model, x, relevance, **settings, batch_size=batch_size)
    torch.testing.assert_close(one.scores, other.scores, rtol=0, atol=1e-12)
    assert one.predictions.prediction.equal(other.predictions.prediction)


def test_no_forward_pass_is_larger_than_the_batch_size_and_none_is_small():
    model, x = weighted(6, samples=10)
    model.rows.clear()
    removal_curve(model, x, x, steps=5, batch_size=4)
    assert sorted(set(model.rows)) == [3, 4]  # 10 samples as 3 + 3 + 4, and 50 in 13 passes
    model.rows.clear()
    removal_curve(model, x, x, steps=5, batch_size=25)
    assert model.rows == [10, 25, 25]  # untouched, then five steps in two passes


@pytest.mark.parametrize("fill", ["uniform", "gaussian", "marginal", "neighbours", "zero"])
def test_the_seed_decides_all_that_is_drawn(fill):
    model, x = weighted(1, 5, 5)

    def scores(seed):
        return removal_curve(model, x, x, order="random", fill=fill, steps=5, seed=seed).scores

    assert scores(3).equal(scores(3))
    assert not scores(3).equal(scores(4))


def test_noise_is_the_same_at_every_step():
    """So that a curve is of one image with more and more of it gone."""
    model, x = weighted(1, 5, 5)
    x, order, seen = torch.ones_like(x), torch.arange(25).repeat(5, 1), []
    hook = model.register_forward_hook(lambda m, args, out: seen.append(args[0]))
    removal_curve(model, x, None, order=order, fill="neighbours", steps=(10, 20), batch_size=5)
    hook.remove()
    _, few, many = (
        one.flatten(1)[:, :10] for one in seen
    )  # 1 is its neighbours' mean, whatever goes
    torch.testing.assert_close(few, many)
    assert few.std() > 0.005


# ---- ties ------------------------------------------------------------------------------


def test_ties_are_counted_and_broken_by_the_seed():
    model, x = weighted(6, samples=3)
    relevance = torch.tensor([[1.0, 1, 2, 3, 3, 3], [0, 0, 0, 0, 0, 0], [1, 2, 3, 4, 5, 6]])
    got = removal_curve(model, x, relevance, steps=6)
    assert got.ties.tolist() == [5, 6, 0]
    other = removal_curve(model, x, relevance, steps=6, seed=1)
    assert not got.scores[1].equal(other.scores[1])
    assert got.scores[2].equal(other.scores[2])
    assert removal_curve(model, x, relevance, order="random", steps=6).ties.tolist() == [0, 0, 0]


def called_methods():
    """A model, its input, and what stands in the way of `methods`, with the line for it."""
    model, x = randomise(nn.Linear(6, 3)), signed(4, 6).float()
    explainer = relprop.Explainer(model, "epsilon")
    explanation = explainer(x)
    given = {
        "a tensor": (explanation.relevance, "relevance"),
        "an explanation": (explanation, "explanation"),
        "a list": ([explanation.relevance], "methods"),
        "an explainer": (explainer, "explainer"),
    }
    return model, x, given, explanation.relevance


@pytest.mark.parametrize("name", ["a tensor", "an explanation", "a list", "an explainer"])
def test_methods_without_names_are_refused_with_the_line_that_names_them(name):
    model, x, given, relevance = called_methods()
    value, named = given[name]
    with pytest.raises(InputError, match=f"methods of type {type(value).__name__}") as error:
        removal_curves(model, x, value, steps=3)
    line = error.value.todo.split("write ")[-1].split("name each: ")[-1].split(", or ")[0]
    methods = eval(line, {named: value, "relprop": relprop})
    got = next(iter(removal_curves(model, x, methods, steps=3).values())).morf
    assert got.scores.equal(removal_curve(model, x, relevance, steps=3).scores)


def test_an_explainer_or_another_function_as_relevance_is_refused_with_the_line():
    model, x, given, relevance = called_methods()
    explainer = given["an explainer"][0]
    want = removal_curve(model, x, relevance, steps=3).scores
    for call in (
        lambda one: removal_curve(model, x, one, steps=3),
        lambda one: removal_curves(model, x, {"lrp": one}, steps=3)["lrp"].morf,
    ):
        with pytest.raises(
            InputError, match=r"does not take the arguments \(model, x, target\)"
        ) as error:
            call(explainer)
        assert call(eval(error.value.todo.removeprefix("write "))).scores.equal(want)
        with pytest.raises(InputError, match="relevance by abs") as error:
            call(abs)
        assert "lambda model, x, target" in error.value.todo


def test_a_model_that_cannot_be_called_is_refused():
    x = torch.rand(4, 6)
    for given in ("mnist-cnn", x, nn.Linear):
        with pytest.raises(InputError, match="a model of type"):
            removal_curve(given, x, x)


def test_curves_of_another_kind_are_refused_with_the_line():
    model, x, _, relevance = called_methods()
    mapping = removal_curves(model, x, {"lrp": relevance}, steps=3)
    curves, curve = mapping["lrp"], mapping["lrp"].morf
    for call, line in (
        (lambda: plot_curves(curves), "plot_curves({'lrp': curves})"),
        (lambda: plot_curves([curves]), "plot_curves(dict(enumerate(curves)))"),
        (lambda: plot_curves(curve), "curve.plot()"),
        (lambda: plot_curves({"lrp": curve}), "curve.plot()"),
        (lambda: faithfulness_by_method(curves), "faithfulness_by_method({'lrp': curves})"),
        (lambda: faithfulness(mapping), 'faithfulness(curves["lrp"])'),
        (lambda: aopc(curves), "curves.morf"),
        (lambda: error_rate(curves, 0.5), "curves.morf"),
        (lambda: margin_drop(curves, 0.5), "curves.morf"),
        (lambda: abpc(curves, curve), "curves.morf"),
    ):
        with pytest.raises(InputError, match=r"curves? of type") as error:
            call()
        assert line in error.value.todo
        held = {"enumerate(curves)": [curves], 'curves["lrp"]': mapping}
        given = next((value for part, value in held.items() if part in line), curves)
        assert eval(line, globals() | {"curves": given, "curve": curve}) is not None
