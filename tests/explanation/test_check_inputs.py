"""Inputs of a call: by position, by name, plain values; and inputs that are refused."""

import pytest
import torch
from helpers.models_with_inputs import IDS, MASK, Scaled, Text, Two
from helpers.networks import randomise, signed
from torch import nn

import relprop


@pytest.fixture(scope="module")
def two() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    return randomise(Two()).double(), signed(2, 4), signed(2, 3, seed=2)


def gradients(model, left, right, **options) -> list[torch.Tensor]:
    leaves = [left.clone().requires_grad_(), right.clone().requires_grad_()]
    score = model(*leaves, **options)[:, 1].sum()
    found = torch.autograd.grad(score, leaves)
    return [leaf.detach() * g for leaf, g in zip(leaves, found, strict=True)]


def test_several_inputs_by_position_and_by_name(two):
    model, left, right = two
    explainer = relprop.Explainer(model, "zero")
    want = gradients(model, left, right)
    torch.testing.assert_close(explainer((left, right), target=1).relevance, want[0])
    by_name = {"right": right, "left": left}
    e = explainer(by_name, target=1, explain="left")
    torch.testing.assert_close(e.relevance, want[0])
    torch.testing.assert_close(explainer(by_name, target=1).relevance, want[1])  # the first given


def test_what_is_no_tensor_is_passed_on(two):
    model, left, right = two
    explainer = relprop.Explainer(model, "zero")
    e = explainer({"left": left, "right": right, "scale": 2.5, "mode": "plain"}, target=1)
    want = gradients(model, left, right, scale=2.5, mode="plain")
    torch.testing.assert_close(e.relevance, want[0])
    again = explainer({"left": left, "right": right, "scale": -1.0}, target=1)
    torch.testing.assert_close(again.relevance, gradients(model, left, right, scale=-1.0)[0])


@pytest.mark.parametrize(
    ("given", "explain", "message"),
    [
        ({"left": signed(2, 4)}, "middle", r"explain is 'middle'(.|\n)*\"left\""),
        ({"left": 3}, None, "type dict"),
        ((), None, "type tuple"),
        ({"left": signed(4)}, None, r"shape \(4,\)"),
        ({"left": signed(2, 4) > 0}, None, "torch.bool"),
        ((signed(2, 4), signed(2, 3).float()), None, "torch.float32"),
        ((signed(2, 4), signed(2, 3) / 0), None, "NaN or infinity"),
        ((signed(2, 4), signed(2, 9)), None, r"model\(x\) alone raises this"),
    ],
)
def test_wrong_inputs(two, given, explain, message):
    with pytest.raises(relprop.RelpropError, match=message):
        relprop.Explainer(two[0], "zero")(given, explain=explain)


@pytest.fixture(scope="module")
def text() -> nn.Module:
    return randomise(Text()).double()


def test_tensors_in_the_place_of_labels_are_named_by_their_labels(two):
    model, left, right = two
    cases = [([left, right], '("left", "right")'), (right, '"right"'), ([left.clone()], '"left"')]
    for given, labels in cases:
        with pytest.raises(relprop.RelpropError, match="tensors in the place of labels") as error:
            relprop.explain(model, (left, right), explain=given)
        assert error.value.todo == f"write explain={labels}"
        e = relprop.explain(model, (left, right), "zero", 1, explain=eval(labels))
        want = dict(zip(("left", "right"), gradients(model, left, right), strict=True))
        torch.testing.assert_close(dict(e.relevances), {name: want[name] for name in e.relevances})


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
def test_a_quantised_tensor_is_an_error_with_the_line_to_write():
    x = torch.quantize_per_tensor(torch.tensor([[0.5, 1.0]]), 0.5, 0, torch.qint8)
    for given in (x, {"input": x}):
        with pytest.raises(relprop.RelpropError, match="a quantised input") as error:
            relprop.explain(nn.Linear(2, 3).eval(), given)
    x = eval(error.value.todo.removeprefix("write "), {"x": x})
    assert relprop.explain(nn.Linear(2, 3).eval(), x).relevance.shape == (1, 2)


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
@pytest.mark.parametrize("layout", [torch.strided, torch.jagged])
def test_a_nested_tensor_is_padded_as_told_whichever_argument_it_is(two, layout):
    model, left, right = two
    nested = torch.nested.nested_tensor(list(right), layout=layout)
    for given in ((left, nested), {"right": nested, "left": left}):
        with pytest.raises(relprop.RelpropError, match="a nested tensor") as error:
            relprop.explain(model, given)
        assert error.value.todo == "write torch.nested.to_padded_tensor(right, 0.0)"
    padded = eval(error.value.todo.removeprefix("write "), {"torch": torch, "right": nested})
    torch.testing.assert_close(padded, right)


def test_a_list_of_what_the_model_takes_is_told_to_be_a_tuple(two):
    model, left, right = two
    with pytest.raises(relprop.RelpropError, match="type list") as error:
        relprop.explain(model, [left, right])
    line = error.value.todo.removeprefix("write ")
    e = relprop.explain(model, eval(line, {"x": [left, right]}), "zero", 1)
    torch.testing.assert_close(e.relevance, gradients(model, left, right)[0])


def test_integers_that_no_embedding_looks_up():
    class Counts(nn.Module):
        def forward(self, ids):
            return torch.stack([(ids == k).sum(1) for k in range(3)], 1).float()

    with pytest.raises(relprop.RelpropError, match="no embedding looks up"):
        relprop.explain(Counts().eval(), IDS)


@pytest.mark.parametrize(
    ("scales", "message"),
    [
        (
            signed(3).numpy(),
            r'"scales" of type ndarray(.|\n)*torch.as_tensor\(scales, dtype=torch.float64\)',
        ),
        ([signed(3)], '"scales" of type list(.|\n)*argument of its own'),
        ({"a": (1, {2.0})}, '"scales" of type dict'),
    ],
)
def test_an_argument_that_hides_numbers(scales, message):
    with pytest.raises(relprop.RelpropError, match=message):
        relprop.explain(Scaled().double().eval(), (signed(2, 4), scales))


def test_arguments_beyond_those_that_have_names():
    class Sums(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 3)

        def forward(self, input_1, *more):
            return self.layer(input_1) + 2 * self.layer(more[0])

    model, x, y = randomise(Sums()).double(), signed(2, 4), signed(2, 4, seed=3)
    weight = model.layer.weight[1].detach()
    e = relprop.Explainer(model, "zero")((x, y), target=1, explain=("input_1", "input_2"))
    torch.testing.assert_close(
        dict(e.relevances), {"input_1": x * weight, "input_2": 2 * y * weight}
    )


class Passes(nn.Module):
    """Messages along edges (2, edges), which all samples share."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, x, edges):
        messages = torch.zeros_like(x).index_add(1, edges[1], x[:, edges[0]])
        return self.layer(messages).sum(1)


def test_a_shared_input_whose_first_size_is_that_of_the_batch():
    model, edges = randomise(Passes()).double(), torch.tensor([[0, 1, 2], [1, 2, 0]])
    with pytest.raises(relprop.RelpropError, match='"x", "edges" are taken to hold samples'):
        relprop.explain(model, (signed(2, 3, 4), edges))
    x = signed(3, 3, 4)
    e = relprop.explain(model, (x, edges), "zero", target=1)
    torch.testing.assert_close(e.relevance, x * model.layer.weight[1].detach())


def test_a_mask_that_is_given_first(text):
    given = {"attention_mask": MASK, "input_ids": IDS}
    with pytest.raises(relprop.RelpropError, match=r'"attention_mask"(.|\n)*explain="input_ids"'):
        relprop.explain(text, given)
    assert relprop.Explainer(text)(given, explain="input_ids").relevance.shape == IDS.shape


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"explain": 3}, r'explain is 3(.|\n)*explain="left"'),
        ({"explain": ()}, r"explain is \(\)"),
        ({"layers": 5}, "layers is 5"),
        ({"layers": [5]}, r"layers is \[5\]"),
    ],
)
def test_options_of_the_wrong_type(two, options, message):
    model, left, right = two
    with pytest.raises(relprop.RelpropError, match=message):
        relprop.Explainer(model, "zero")((left, right), **options)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Unflatten(1, (2, 2)), r"output has shape \(batch, 2, 2\)"),
        (nn.Linear(3, 3), "accepts"),
    ],
)
def test_outputs_that_are_no_scores_and_inputs_of_another_shape_are_refused(model, message):
    with pytest.raises(relprop.RelpropError, match=message):
        relprop.explain(model.eval(), signed(2, 4).float())
