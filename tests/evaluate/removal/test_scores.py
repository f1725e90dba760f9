"""What a curve follows, and which class."""

import math
import re

import pytest
import torch
from helpers.removal_models import weighted
from torch import nn

import relprop
from relprop.errors import InputError
from relprop.evaluate import removal_curve, removal_curves

OUTPUT = torch.tensor([[2.0, 1.0, 0.0], [0.0, 3.0, 3.5], [1.0, 1.0, 5.0]]).double()
X = torch.zeros(3, 4)


class Fixed(nn.Module):
    """The same output whatever is removed, of any shape (3, ...), for batches of all three."""

    def __init__(self, output):
        super().__init__()
        self.output = output
        self.eval()

    def forward(self, x):
        return self.output


def scores(score, target=None, output=OUTPUT, **options):
    options |= {"score": score, "target": target, "steps": (4,)}
    got = removal_curve(Fixed(output), X, torch.rand(3, 4), **options)
    assert got.scores[:, 0].equal(got.scores[:, 1])
    return got.scores[:, 0].tolist()


# ---- definitions -----------------------------------------------------------------------


def test_the_probability_is_of_softmax():
    e = math.exp
    expected = [e(2) / (e(2) + e(1) + 1), e(3.5) / (1 + e(3) + e(3.5)), e(5) / (2 * e(1) + e(5))]
    assert scores("probability") == pytest.approx(expected)


def test_the_logit_is_the_output_itself():
    assert scores("logit") == [2.0, 3.5, 5.0]
    assert scores("logit", 1) == [1.0, 3.0, 1.0]


def test_the_margin_is_of_the_class_that_leads_whatever_the_target():
    assert scores("margin", 0) == pytest.approx(relprop.margin(OUTPUT).tolist())


def test_the_lead_is_the_margin_with_a_sign():
    """1 - exp(-1) for class 0 before class 1; exp(0.5) of the third class beside the second."""
    assert scores("signed_margin") == pytest.approx(relprop.margin(OUTPUT).tolist())
    expected = [math.exp(-1) - 1, math.exp(-0.5) - 1, math.exp(-4) - 1]
    assert scores("signed_margin", 1) == pytest.approx(expected)


def test_accuracy_is_1_where_the_target_is_predicted():
    assert scores("accuracy", torch.tensor([0, 1, 2])) == [1.0, 0.0, 1.0]


def test_a_function_of_the_output_is_a_score():
    def sure(output):
        return output.amax(1) - output.amin(1)

    assert scores(sure) == [2.0, 3.5, 4.0]
    got = removal_curve(Fixed(OUTPUT), X, X, score=sure, steps=(4,))
    assert got.score == "sure"


# ---- kinds of output -------------------------------------------------------------------


@pytest.mark.parametrize("score", ["probability", "margin", "signed_margin", "accuracy"])
def test_scores_are_the_same_whatever_the_model_returns(score):
    p = OUTPUT.softmax(1)
    expected = pytest.approx(scores(score, 1))
    assert scores(score, 1, p) == expected
    assert scores(score, 1, p.log()) == expected
    for kind, output in (("probabilities", p), ("log-probabilities", p.log()), ("logits", OUTPUT)):
        assert scores(score, 1, output, output_kind=kind) == expected


def test_the_probability_of_an_independent_label_is_the_output_itself():
    p, kind = OUTPUT.sigmoid(), "independent probabilities"
    assert scores("probability", 1, p, output_kind=kind) == p[:, 1].tolist()
    expected = (p[:, 1] - p[:, [0, 2]].amax(1)) / p.amax(1)
    assert scores("signed_margin", 1, p, output_kind=kind) == pytest.approx(expected.tolist())
    model = Fixed(p)
    curves = removal_curves(model, X, {"x": X}, output_kind=kind, steps=(4,), score="margin")
    top = p.sort(1, descending=True).values
    torch.testing.assert_close(curves["x"].morf.predictions.margin[:, 0], 1 - top[:, 1] / top[:, 0])
    with pytest.raises(InputError, match="which may be probabilities of independent labels"):
        scores("probability", 1, p)


# ---- targets ---------------------------------------------------------------------------


def test_without_a_target_the_class_is_what_was_predicted_before_anything_was_removed():
    model, x = weighted(6, samples=20)
    got = removal_curve(model, x, x * model.w, steps=3, score="logit")
    assert got.target.equal(model(x).argmax(1))
    assert not got.predictions.prediction[:, 1].equal(got.target)
    negative = got.target == 1
    assert (got.scores[negative] == 0).all()  # class 1 scores 0, even when 0 is predicted later


@pytest.mark.parametrize("target", [1, torch.tensor([2, 0, 1])])
def test_a_class_is_for_all_samples_or_for_each(target):
    got = removal_curve(Fixed(OUTPUT), X, X, target=target, steps=(4,), score="logit")
    classes = torch.as_tensor(target).expand(3)
    assert got.target.equal(classes)
    assert got.scores[:, 1].equal(OUTPUT[torch.arange(3), classes])


# ---- outputs of other shapes -----------------------------------------------------------


SHAPES = [(3,), (3, 1)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("score", ["probability", "margin", "signed_margin", "accuracy"])
def test_a_single_score_has_a_logit_and_nothing_else(shape, score):
    single = OUTPUT[:, 0].reshape(shape)
    assert scores("logit", output=single) == [2.0, 0.0, 1.0]
    for options in ({}, {"output_kind": "logits"}):
        match = re.escape(f'score="{score}" of an output of shape {shape}')
        with pytest.raises(InputError, match=match) as caught:
            scores(score, output=single, **options)
        assert caught.value.todo.split(";")[0] == 'write score="logit"'
    with pytest.raises(InputError, match=r"target=1 of an output of shape") as caught:
        scores("logit", 1, output=single)
    assert caught.value.todo == "leave target out"


@pytest.mark.parametrize("shape", SHAPES)
def test_one_unit_that_gives_a_probability_is_followed_by_the_proposed_line(shape):
    model = nn.Sequential(nn.Linear(4, 1), nn.Sigmoid(), nn.Flatten(len(shape) - 1)).eval()
    x, e = torch.rand(3, 4), relprop.explain(model, torch.rand(3, 4))
    methods = {"lrp": relprop.Method(relprop.Explainer(model))}
    with pytest.raises(InputError, match='score="probability" of an output') as caught:
        removal_curves(model, x, methods, steps=(4,))
    line = caught.value.todo.split("sigmoid, ")[1]
    assert line == 'score="probability", output_kind=e.head.kind'
    curve = eval(f"removal_curves(model, x, methods, steps=(4,), {line})")["lrp"].morf
    both = torch.stack([model(x).flatten(), model(0 * x).flatten()], 1).detach()
    torch.testing.assert_close(curve.scores, both)
    assert curve.target is None
    for kind, output in (("probabilities", both[:, 0]), ("log-probabilities", both[:, 0].log())):
        got = scores("probability", output=output.reshape(shape), output_kind=kind)
        assert got == pytest.approx(both[:, 0].tolist())
    with pytest.raises(InputError, match='score="margin" of an output') as caught:
        removal_curves(model, x, methods, steps=(4,), output_kind=e.head.kind, score="margin")
    assert caught.value.todo == 'write score="probability"'


def test_an_output_of_any_shape_needs_a_score_of_ones_own():
    boxes = OUTPUT.reshape(3, 3, 1, 1)
    assert scores(lambda output: output[:, 0, 0, 0], output=boxes) == [2.0, 0.0, 1.0]
    got = removal_curve(Fixed(boxes), X, X, score=lambda out: out.flatten(1).sum(1), steps=(4,))
    assert (got.target, got.predictions) == (None, None)
    with pytest.raises(InputError, match="predictions of a model whose output is not"):
        got.at(1.0)
    with pytest.raises(InputError, match=r"of an output of shape \(3, 3, 1, 1\)"):
        scores("probability", output=boxes)


def test_of_a_mapping_the_logits_are_taken():
    assert scores("logit", output={"hidden": X, "logits": OUTPUT}) == [2.0, 3.5, 5.0]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_scored_in_single_precision(dtype):
    half = OUTPUT.to(dtype)
    got = scores("probability", output=half)
    assert got == half.float().softmax(1).amax(1).tolist()
    assert got != half.softmax(1).amax(1).tolist()


# ---- bad input -------------------------------------------------------------------------


def test_an_unknown_score_is_named_with_the_known_ones():
    for score in ("confidence", 3, None, ["logit"]):
        with pytest.raises(InputError, match="score=") as caught:
            scores(score)
        assert caught.value.allowed.startswith(
            "one of probability, logit, margin, signed_margin, accuracy"
        )


@pytest.mark.parametrize("target", [(0, 1), [0, 1], lambda output: output[:, 0]])
def test_a_target_is_a_class(target):
    with pytest.raises(InputError, match=r"target=.* of a curve"):
        scores("logit", target)


@pytest.mark.parametrize("target", [3, -1, torch.tensor([0, 1]), 1.5])
def test_a_class_that_does_not_exist_is_refused(target):
    with pytest.raises(InputError, match="target is"):
        scores("logit", target)


@pytest.mark.parametrize("output", [OUTPUT[:2], {"scores": OUTPUT}, None, (OUTPUT, X)])
def test_a_model_that_gives_no_scores_is_refused(output):
    with pytest.raises(InputError, match="a model that returned"):
        scores("logit", output=output)


def test_a_score_that_is_not_a_number_for_each_sample_is_refused():
    with pytest.raises(InputError, match=r"a score that returned \(3, 3\) for a batch of 3"):
        scores(lambda output: output)


def test_a_model_that_gives_nonsense_is_named():
    with pytest.raises(InputError, match="output has NaN or infinite values"):
        scores("logit", output=OUTPUT * math.inf)


@pytest.mark.parametrize(
    "score", [lambda o: o[:, 0] - o.mean(), lambda o: o[2], lambda o: o[:, o.mean(0).argmax()]]
)
def test_a_score_that_mixes_samples_is_refused(score):
    x = torch.tensor([[3.0, 1.0, 2.0], [0.0, 4.0, 1.0], [1.0, 2.0, 5.0]])
    with pytest.raises(InputError, match="a score that mixes the samples") as error:
        removal_curve(nn.Identity().eval(), x, x, score=score, steps=3)
    line = eval(error.value.todo.split("as ")[1].split(" does")[0])
    curve = removal_curve(nn.Identity().eval(), x, x, score=line, steps=3)
    assert curve.scores[:, 0].tolist() == [3.0, 4.0, 5.0]
