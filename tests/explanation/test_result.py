"""What an explanation holds, copies and saves."""

import copy
import pickle

import numpy as np
import pytest
import torch
from helpers.heads import X, headed, logits
from helpers.networks import mnist_cnn, pixels, randomise, signed
from torch import nn

import relprop


@pytest.fixture(scope="module")
def explained() -> tuple[nn.Module, torch.Tensor, relprop.Explanation]:
    net, x = randomise(mnist_cnn()), pixels(3, 1, 28, 28).float()
    return net, x, relprop.Explainer(net, "epsilon")(x)


def test_an_explanation_holds_the_models_own_classification(explained):
    net, x, e = explained
    output = net(x).detach()
    torch.testing.assert_close(e.output, output)
    assert e.prediction.tolist() == output.argmax(1).tolist() == e.target.tolist()
    torch.testing.assert_close(e.probabilities, output.softmax(1))
    top = output.softmax(1).sort(1, descending=True).values
    torch.testing.assert_close(e.margin, (top[:, 0] - top[:, 1]) / top[:, 0])
    assert e.input.equal(x)
    assert e.relevance.shape == x.shape


def test_a_copy_of_an_explanation_has_inputs_of_its_own(explained):
    net, x, e = explained
    given = x.clone()
    e = relprop.Explainer(net)(given)
    copies = [copy.deepcopy(e), pickle.loads(pickle.dumps(e))]
    with torch.inference_mode():
        copies.append(copy.deepcopy(e))
    given.zero_()
    assert all(one.input.equal(x) for one in copies)


def test_an_explanation_has_a_copy_of_its_classes(explained):
    net, x, _ = explained
    for labels, expected in ((torch.tensor([1, 2, 3]), [1, 2, 3]), (torch.tensor(2), [2, 2, 2])):
        e = relprop.Explainer(net)(x, labels)
        labels.zero_()
        assert e.target.tolist() == expected


def test_a_saved_explanation_is_read_by_numpy(explained, tmp_path):
    *_, e = explained
    e.save(tmp_path / "e.npz")
    with np.load(tmp_path / "e.npz") as file:
        assert set(file.files) == {
            *("input", "output", "prediction", "probabilities", "margin", "target", "relevance"),
            *("amplification", "score_size", "relprop"),
        }
        np.testing.assert_array_equal(file["relevance"], e.relevance.numpy())
        np.testing.assert_array_equal(file["target"], e.target.numpy())
    assert [path.name for path in tmp_path.iterdir()] == ["e.npz"]


def test_saving_where_there_is_no_folder_says_so(explained, tmp_path):
    with pytest.raises(relprop.RelpropError, match="existing, writable folder"):
        explained[2].save(tmp_path / "missing" / "e.npz")


def test_the_record_is_its_own():
    model, x = randomise(nn.Sequential(nn.Linear(6, 3))).double(), signed(2, 6)
    e = relprop.explain(model, x)
    output, relevance = e.output.clone(), e.relevance.clone()
    x.add_(1)
    assert e.output.equal(output)
    assert e.relevance.equal(relevance)
    with pytest.raises(relprop.RelpropError, match="written into"):
        _ = e.input  # which is the caller's, not copied, and no longer what was explained
    later = relprop.explain(model, x)
    later.relevance.mul_(2)
    assert later.input.equal(signed(2, 6) + 1)


def test_a_bfloat16_explanation_is_saved(tmp_path):
    model = randomise(nn.Sequential(nn.Linear(6, 3))).bfloat16()
    e = relprop.explain(model, signed(2, 6).bfloat16(), "zero")
    e.save(tmp_path / "e.npz")
    with pytest.raises(relprop.RelpropError, match="cannot write"):
        e.save(tmp_path)


# ---- inputs that are written into ----------------------------------------------------------------


def test_an_input_that_was_written_into_is_an_error(explained):
    net, x, _ = explained
    for options in ({}, {"batch_size": 2}):
        given = x.clone()
        e = relprop.Explainer(net)(given, **options)
        assert e.input.equal(x)
        assert e.inputs["input"] is e.input
        given[1].mul_(0.5)
        with pytest.raises(relprop.RelpropError, match=r"written into after it was given"):
            _ = e.input
        assert "written into" in e._repr_html_()
        assert e.relevance.shape == x.shape


def test_an_input_that_a_target_writes_into_is_an_error():
    net, given = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).eval(), torch.rand(5, 2, 2)
    explainer = relprop.Explainer(net)
    explainer(given)

    def target(output: torch.Tensor) -> torch.Tensor:
        given.add_(1)
        return output[:, 0]

    for options in ({}, {"batch_size": 2}):
        with pytest.raises(relprop.RelpropError, match="written into"):
            explainer(given, target, **options)


def test_an_input_that_is_written_into_between_parts_is_an_error():
    net, given = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).eval(), torch.rand(5, 2, 2)

    class Writes:
        @property
        def shape(self) -> tuple[int, ...]:  # read when a part is taken
            given.add_(1)
            return ()

        def __call__(self, output: torch.Tensor) -> torch.Tensor:
            return output[:, 0]

    with pytest.raises(relprop.RelpropError, match="written into"):
        relprop.Explainer(net)(given, Writes(), batch_size=2)


def test_with_create_graph_an_input_that_is_written_into_later_has_its_gradient(explained):
    net, x, _ = explained
    given = x.clone().requires_grad_()
    e = relprop.Explainer(net, "epsilon")(given, create_graph=True)
    expected = torch.autograd.grad(e.relevance.square().sum(), given, retain_graph=True)[0]
    with torch.no_grad():
        given.zero_()
    assert torch.autograd.grad(e.relevance.square().sum(), given)[0].equal(expected)
    assert e.input.equal(x)


def test_an_input_of_inference_mode_is_copied_since_it_has_no_version(explained):
    net, x, _ = explained
    with torch.inference_mode():
        given = x.clone()
        e = relprop.Explainer(net)(given)
        given.zero_()
    assert e.input.equal(x)


# ---- outputs of other kinds than logits ----------------------------------------------------------


def test_probabilities_of_a_head_are_computed_once():
    for head in (lambda z: z.softmax(1), lambda z: z.log_softmax(1), lambda z: z):
        e = relprop.explain(headed(head), X)
        p = logits()(X).softmax(1).detach()
        torch.testing.assert_close(e.probabilities, p)
        torch.testing.assert_close(e.margin, relprop.margin(logits()(X).detach()))


def test_probabilities_of_independent_labels_are_the_output_itself():
    e = relprop.explain(headed(torch.sigmoid), X)
    p = logits()(X).sigmoid().detach()
    torch.testing.assert_close(e.probabilities, p)
    top = p.sort(1, descending=True).values
    torch.testing.assert_close(e.margin, (top[:, 0] - top[:, 1]) / top[:, 0])
    assert e.head.kind == "independent probabilities"


def test_the_class_of_saturated_labels_is_that_of_the_largest_logit():
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Sigmoid()).eval()
    model[0].weight.data = torch.tensor([[40.0, 0.0], [0.0, 50.0]])
    e = relprop.explain(model, torch.ones(1, 2), "zero")
    assert e.output.tolist() == [[1.0, 1.0]]
    assert e.prediction.tolist() == e.target.tolist() == [1]


@pytest.mark.parametrize("shape", [(2, 1), (2,)])
def test_one_sigmoid_has_a_prediction_and_the_margin_of_both_classes(shape):
    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.Sigmoid(), nn.Flatten(len(shape) - 1))
    model[0].weight.data = torch.ones(1, 1)
    e = relprop.explain(model.eval(), torch.tensor([[-1.0], [2.0]]), "zero")
    p = torch.tensor([-1.0, 2.0]).sigmoid()
    torch.testing.assert_close(e.probabilities, p.reshape(shape))
    assert e.prediction.tolist() == [0, 1]
    torch.testing.assert_close(e.margin, 1 - torch.stack([p[0] / (1 - p[0]), (1 - p[1]) / p[1]]))
    assert e.relevance.tolist() == [[-1.0], [2.0]]


def test_logits_are_saved_where_they_were_explained(tmp_path):
    e = relprop.explain(headed(torch.sigmoid), X)
    e.save(tmp_path / "e.npz")
    with np.load(tmp_path / "e.npz") as file:
        np.testing.assert_array_equal(file["logits"], e.scores.numpy())
