"""Targets: what of the output is explained, against reference maps of each class."""

import re
from array import array
from collections import deque
from collections.abc import Callable

import numpy as np
import pytest
import torch
from helpers import reference_rules as reference
from helpers.networks import pixels, randomise, signed, small_cnn
from torch import Tensor, nn

import relprop
from relprop.errors import InputError


def assert_same(got: Tensor, want: Tensor) -> None:
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-10)


@pytest.fixture(scope="module")
def four_classes():
    """An explainer of four classes, its input, its scores, and the map of each class per unit."""
    net, x = randomise(small_cnn().double()), signed(3, 2, 12, 12)
    explainer = relprop.Explainer(net, "epsilon")
    initials = torch.eye(4, dtype=torch.float64)[:, None].expand(4, 3, 4)
    rules = reference.uniform("epsilon")
    maps = torch.stack([reference.explain(net, x, rules, initial) for initial in initials], 1)
    return explainer, x, net(x).detach(), maps  # maps (n, 4, 2, 12, 12)


def weighted(maps: Tensor, initial: Tensor) -> Tensor:
    """Sum initial (n, 4) times maps (n, 4, 2, 12, 12) over classes."""
    return (maps * initial[..., None, None, None]).sum(1)


def one_hot(classes: Tensor) -> Tensor:
    return nn.functional.one_hot(classes, 4).double()


LABELS = torch.tensor([2, 0, 3])
# A target, and its weight of each class: the relevance of the output is that weight times z.
TARGETS: dict[str, tuple[object, Callable[[Tensor], Tensor]]] = {
    "predicted": (None, lambda z: one_hot(z.argmax(1))),
    "int": (2, lambda z: one_hot(torch.full((3,), 2))),
    "labels": (LABELS, lambda z: one_hot(LABELS)),
    "array of labels": (LABELS.numpy(), lambda z: one_hot(LABELS)),
    "runner-up": ("runner-up", lambda z: one_hot(z.argsort(1)[:, -2])),
    "contrast": ((1, 3), lambda z: torch.tensor([0.0, 1.0, 0.0, -1.0]).expand(3, 4)),
    "contrast of labels": ((LABELS, 1), lambda z: one_hot(LABELS) - one_hot(0 * LABELS + 1)),
    "callable": (
        lambda output: 2 * output[:, 0] - 3 * output[:, 2],
        lambda z: torch.tensor([2.0, 0.0, -3.0, 0.0]).expand(3, 4),
    ),
}


@pytest.mark.parametrize("name", TARGETS)
def test_target_that_starts_with_its_score(four_classes, name):
    """The default: each class starts with its weight times its own score."""
    explainer, x, z, maps = four_classes
    target, weight = TARGETS[name]
    assert_same(explainer(x, target=target).relevance, weighted(maps, weight(z) * z))


@pytest.mark.parametrize("name", TARGETS)
def test_target_that_starts_with_one(four_classes, name):
    """The map that starts with the score, divided by that score."""
    explainer, x, z, maps = four_classes
    target, weight = TARGETS[name]
    initial = weight(z) * z / (weight(z) * z).sum(1, keepdim=True)
    assert_same(explainer(x, target=target, initial="one").relevance, weighted(maps, initial))


def test_several_targets_share_one_forward_pass(four_classes):
    explainer, x, z, maps = four_classes
    initials = [weight(z) * z for _, weight in TARGETS.values()]
    e = explainer(x, target=[target for target, _ in TARGETS.values()])
    assert e.relevance.shape == (3, len(TARGETS), 2, 12, 12)
    for i, initial in enumerate(initials):
        assert_same(e.relevance[:, i], weighted(maps, initial))
    assert e.target is None  # some of them are no classes


def test_all_classes(four_classes):
    explainer, x, _, maps = four_classes
    e = explainer(x, target="all", initial="one")
    assert_same(e.relevance, maps)
    assert e.target.tolist() == [[0, 1, 2, 3]] * 3
    assert_same(explainer(x[:1], target="all", initial="one").relevance, maps[:1])  # together
    pairs = explainer(x, target=[(0, 1), (2, 3)])
    assert pairs.target.tolist() == [[[0, 1], [2, 3]]] * 3
    assert "4x2x12x12" in repr(e)


def test_a_list_of_one_is_still_several(four_classes):
    explainer, x, z, _ = four_classes
    e = explainer(x, target=["runner-up"])
    assert e.relevance.shape == (3, 1, 2, 12, 12)
    assert_same(e.relevance[:, 0], explainer(x, target="runner-up").relevance)
    assert e.target[:, 0].equal(z.argsort(1)[:, -2])


class Segmentation(nn.Module):
    """Scores of three classes at every pixel, (batch, 3, height, width)."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 3, 1)

    def forward(self, x):
        return self.last(self.first(x).relu())


@pytest.fixture(scope="module")
def segmented() -> tuple[nn.Module, relprop.Explainer, Tensor]:
    model = randomise(Segmentation()).double()
    return model, relprop.Explainer(model, "zero"), pixels(2, 1, 6, 6)


def gradient_times_input(model: nn.Module, x: Tensor, score: Callable[[Tensor], Tensor]) -> Tensor:
    leaf = x.clone().requires_grad_()
    return x * torch.autograd.grad(score(model(leaf)).sum(), leaf)[0]


def test_one_pixel_of_a_segmentation(segmented):
    model, explainer, x = segmented
    e = explainer(x, target=relprop.at(2, 3, -1))
    assert_same(e.relevance, gradient_times_input(model, x, lambda out: out[:, 2, 3, -1]))
    assert e.prediction is e.probabilities is e.margin is e.target is None
    assert (e.relevance[:, :, :, :4] == 0).all()  # outside that pixel's receptive field


def test_the_difference_of_two_entries(segmented):
    model, explainer, x = segmented
    e = explainer(x, target=(relprop.at(2, 3, 3), relprop.at(1, 3, 3)))
    want = gradient_times_input(model, x, lambda out: out[:, 2, 3, 3] - out[:, 1, 3, 3])
    assert_same(e.relevance, want)


def test_a_function_of_an_output_of_any_shape(segmented):
    model, explainer, x = segmented
    score = lambda out: out[:, 1].amax((1, 2))  # noqa: E731
    assert_same(explainer(x, target=score).relevance, gradient_times_input(model, x, score))


def test_a_single_score():
    model, x = randomise(nn.Sequential(nn.Linear(4, 1))).double(), signed(2, 4)
    e = relprop.explain(model, x, "zero", target=relprop.at(0))
    assert_same(e.relevance, x * model[0].weight.detach())


def test_a_class_of_an_output_that_is_not_by_classes(segmented):
    _, explainer, x = segmented
    for target in (None, 1, "all", "runner-up"):
        with pytest.raises(relprop.RelpropError, match=r"\(batch, 3, 6, 6\)(.|\n)*relprop.at"):
            explainer(x, target=target)


@pytest.mark.parametrize("index", [(), (1.5,), (True,), ("a",)])
def test_an_entry_is_named_by_integers(index):
    with pytest.raises(relprop.RelpropError, match="one integer for each dimension"):
        relprop.at(*index)


def test_outputs_and_layers_have_the_strides_of_the_model():
    """A target may call view on them."""
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1)).eval()
    explainer, x = relprop.Explainer(model, "epsilon"), torch.randn(2, 3, 6, 6)
    found = explainer(x, lambda output: output.view(2, -1).amax(1), layers=["0"])
    assert found.output.is_contiguous()
    assert found.layers["0"].is_contiguous()


# ---- lists of class numbers ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "classes",
    [
        *([2, 0, 3], list(LABELS), list(LABELS.numpy()), [LABELS[0], 0, 3]),
        *(deque([2, 0, 3]), array("i", [2, 0, 3]), bytearray([2, 0, 3])),
    ],
)
def test_a_list_of_as_many_classes_as_samples_is_refused_with_both_spellings(four_classes, classes):
    explainer, x, z, maps = four_classes
    for options in ({}, {"batch_size": 2}):
        with pytest.raises(InputError, match="which may mean one class per sample, or") as error:
            explainer(x, classes, **options)
    per_sample, several = re.findall(
        r"write target=(.*) for one .* target=(.*) for", error.value.todo
    )[0]
    e = explainer(x, eval(per_sample))
    assert_same(e.relevance, weighted(maps, one_hot(LABELS) * z))
    e = explainer(x, eval(several))
    assert_same(
        e.relevance, torch.stack([maps[:, k] * z[:, k, None, None, None] for k in (2, 0, 3)], 1)
    )
    assert e.target.tolist() == [[2, 0, 3]] * 3


@pytest.mark.parametrize("classes", [range(3), range(2), range(3, -1, -1)])
def test_a_range_is_refused_with_both_spellings_whatever_its_length(four_classes, classes):
    explainer, x, _, _ = four_classes
    for target in (classes, ["predicted", classes], (classes, "runner-up")):
        with pytest.raises(InputError, match="of type range, with") as error:
            explainer(x, target)
    per_sample, several = re.findall(r"write target=(.*) for one .*=(.*) for", error.value.todo)[0]
    assert explainer(x, eval(several)).target.tolist() == [list(classes)] * 3
    assert eval(per_sample).equal(torch.tensor(list(classes)))


@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor")
@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LABELS.to("meta"), "a tensor on meta"),
        (lambda: LABELS[0].to("meta"), "a tensor on meta"),
        (LABELS.to_sparse, r"a tensor of layout torch\.sparse_coo"),
        (
            lambda: torch.quantize_per_tensor(LABELS.float(), 1.0, 0, torch.qint32),
            "a quantised tensor",
        ),
    ],
)
@pytest.mark.parametrize("options", [{}, {"batch_size": 2}])
def test_a_tensor_without_dense_numbers_is_refused_with_the_line_to_write(
    four_classes, make, words, options
):
    (explainer, x, _, _), target = four_classes, make()
    for given in (target, (target, 1), [target, 1], [target] * 3):
        with pytest.raises(InputError, match=words) as error:
            explainer(x, given, **options)
    if "write" in error.value.todo:
        labels = eval(error.value.todo.removeprefix("write "), {"target": target})
        assert explainer(x, labels).target.equal(LABELS)


def test_a_list_of_another_number_of_classes_is_several_targets(four_classes):
    explainer, x, _, _ = four_classes
    assert explainer(x, [2, 0]).target.tolist() == [[2, 0]] * 3
    assert explainer(x, [2, 0], batch_size=2).target.tolist() == [[2, 0]] * 3
    assert explainer(x[:1], [2]).target.tolist() == [[2]]
    assert explainer(x, [2, 0, "predicted"]).relevance.shape[1] == 3


# ---- one unit ------------------------------------------------------------------------------------

ONE_UNIT = {"(batch, 1)": nn.Identity(), "(batch,)": nn.Flatten(0)}


@pytest.mark.parametrize("shape", ONE_UNIT)
def test_a_model_with_one_unit_needs_no_target(shape):
    linear, x = randomise(nn.Linear(4, 1)).double(), signed(3, 4)
    explainer = relprop.Explainer(nn.Sequential(linear, ONE_UNIT[shape]), "zero")
    want = x * linear.weight.detach()
    for target in (None, "predicted", 0):
        e = explainer(x, target)
        assert_same(e.relevance, want)
        assert e.target is e.prediction is e.probabilities is e.margin is None
    assert_same(explainer(x, "all").relevance, want[:, None])
    assert_same(explainer(x, batch_size=2).relevance, want)
    assert_same(explainer(x, initial="one").relevance, want / linear(x).detach())


# A target of a model with one unit -> what the line that is proposed makes of the unit's score.
OF_ONE_UNIT = {
    "a class": (1, lambda z: -z),
    "True": (True, lambda z: -z),
    "runner-up": ("runner-up", lambda z: -z.abs()),
    "labels": (torch.tensor([0, 1, 0]), lambda z: z * torch.tensor([-1, 1, -1])),
    "labels (n, 1)": (torch.tensor([[1.0], [0.0], [0.0]]), lambda z: z * torch.tensor([1, -1, -1])),
}


@pytest.mark.parametrize("name", OF_ONE_UNIT)
def test_a_class_of_one_unit_is_refused_with_the_line_to_write(name):
    linear, x = randomise(nn.Linear(4, 1, bias=False)).double(), signed(3, 4)
    explainer = relprop.Explainer(linear, "zero")
    target, wanted = OF_ONE_UNIT[name]
    with pytest.raises(InputError, match="a class as target for a model with one unit") as error:
        explainer(x, target)
    _, line = error.value.todo.split("write target=")
    relevance = explainer(x, eval(line, {"labels": target})).relevance
    assert_same(relevance.sum(1), wanted(linear(x).detach().flatten()))


# ---- what is no target, and the line to write ------------------------------------------------

WRONG = {
    "predict": ("predict", None),
    "Predicted": ("Predicted", None),
    "runner up": ("runner up", "runner-up"),
    "a number as text": (" 2", 2),
    "one-hot rows": (one_hot(LABELS), LABELS),
    "one-hot booleans": (one_hot(LABELS).bool(), LABELS),
    "one-hot integers": (one_hot(LABELS).long(), LABELS),
    "one-hot array": (one_hot(LABELS).bool().numpy(), LABELS),
    "a column": (LABELS[:, None], LABELS),
    "a column of floats": (LABELS[:, None].float(), LABELS),
    "floats": (LABELS.double(), LABELS),
    "array of floats": (LABELS.numpy().astype("float32"), LABELS),
    "a float": (3.0, 3),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_an_error_says_to_write_in_place_of_a_target(four_classes, name):
    explainer, x, _, _ = four_classes
    target, meant = WRONG[name]
    with pytest.raises(InputError, match="target is") as error:
        explainer(x, target=target)
    line = re.search(r"write (?:target=)?([^,]*)", error.value.todo.replace("integers: ", "write "))
    instead = explainer(x, target=eval(line[1], {"target": target}))
    assert instead.relevance.equal(explainer(x, target=meant).relevance)


@pytest.mark.parametrize("text", ["cat", "second", "top", ""])
def test_a_text_like_no_target_proposes_none_of_them(four_classes, text):
    explainer, x, _, _ = four_classes
    for options in ({}, {"compile": True}):
        with pytest.raises(InputError) as error:
            relprop.Explainer(explainer.model, **options)(x, target=text)
        assert error.value.todo.startswith("write the number of the class")


def test_all_within_a_list_is_refused(four_classes):
    explainer, x, _, _ = four_classes
    with pytest.raises(InputError, match='write target="all" alone'):
        explainer(x, target=["all", 3])


# An output of shape (batch, *sizes), and what is proposed for the target 2.
OF_SIZES = {
    (5, 7): (relprop.at(-1, 2), lambda o: o[:, -1].amax(1)),
    (5, 2): (relprop.at(-1, 0), lambda o: o[:, -1].amax(1)),
    (3, 4, 6): (relprop.at(2, 2, 3), lambda o: o[:, 2].amax((1, 2))),
    (2, 1, 3, 3): (relprop.at(0, 0, 1, 1), lambda o: o[:, 0].amax((1, 2, 3))),
}


@pytest.mark.parametrize("sizes", OF_SIZES)
def test_of_an_output_of_other_sizes_an_entry_and_a_function_are_proposed(sizes):
    model, x = (
        nn.Sequential(nn.Linear(4, Tensor(*sizes).numel()), nn.Unflatten(1, sizes)),
        signed(3, 4),
    )
    explainer = relprop.Explainer(model.double().eval(), "zero")
    with pytest.raises(InputError) as error:
        explainer(x, target=2)
    lines = re.findall(r"target=(.*) is one, and target=(.*) the largest", error.value.todo)[0]
    for line, wanted in zip(lines, OF_SIZES[sizes], strict=True):
        assert explainer(x, eval(line)).relevance.equal(explainer(x, wanted).relevance)


@pytest.mark.parametrize(
    ("entry", "instead"),
    [(relprop.at(2), (2, 3, 3)), (relprop.at(7), (0, 3, 3)), (relprop.at(2, 9, -9), (2, 5, -6))],
)
def test_in_place_of_an_entry_that_is_none_the_nearest_is_proposed(segmented, entry, instead):
    _, explainer, x = segmented
    with pytest.raises(InputError, match=r"sizes \(3, 6, 6\)") as error:
        explainer(x, target=entry)
    assert eval(error.value.todo.partition("target=")[2]) == relprop.at(*instead)
    assert explainer(x, target=relprop.at(*instead)).relevance.abs().sum() > 0


def test_integers_of_numpy_and_torch_name_an_entry():
    assert relprop.at(torch.tensor(2), np.int64(-1)) == relprop.at(2, -1)


@pytest.mark.parametrize(
    ("index", "instead"),
    [
        (((3, 4),), "relprop.at(3, 4)"),
        (([3],), "relprop.at(3)"),
        ((-1, "predicted"), "target=lambda output: output[:, -1].amax(-1)"),
        ((...,), "relprop.at(-1, 0)"),
        ((torch.arange(99),), "relprop.at(-1, 0)"),
    ],
)
def test_what_an_error_says_to_write_in_place_of_an_index(index, instead):
    with pytest.raises(InputError) as error:
        relprop.at(*index)
    assert instead in error.value.todo
    assert len(error.value.given) < 60


def test_an_entry_of_classes_is_that_class(four_classes):
    explainer, x, _, _ = four_classes
    e = explainer(x, relprop.at(-1))
    assert e.target.tolist() == [3, 3, 3]
    assert_same(e.relevance, explainer(x, 3).relevance)
