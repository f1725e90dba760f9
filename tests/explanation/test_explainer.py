"""The wrapper: what an explanation holds, how it is saved and shown, how it follows the model."""

import copy
import pickle
import threading

import numpy as np
import pytest
import torch
from helpers.networks import mnist_cnn, pixels, randomise, signed, small_cnn
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


def test_margin_on_scores_is_the_formula_of_the_poster():
    scores = torch.tensor([[2.0, 8.0, 6.0], [-1.0, -2.0, -4.0]])
    assert relprop.margin(scores, on="scores").tolist() == [0.25, -1.0]
    top = scores.softmax(1).sort(1, descending=True).values
    torch.testing.assert_close(relprop.margin(scores), 1 - top[:, 1] / top[:, 0])


def test_relevance_sums_to_the_score_where_nothing_is_absorbed():
    net = nn.Sequential(nn.Linear(6, 5, bias=False), nn.ReLU(), nn.Linear(5, 3, bias=False))
    x = signed(4, 6)
    e = relprop.explain(randomise(net).double(), x, recipe="zero", target=2)
    torch.testing.assert_close(e.relevance.sum(1), e.output[:, 2])


def test_explain_is_the_explainer_in_one_call(explained):
    net, x, e = explained
    assert relprop.explain(net, x, recipe="epsilon").relevance.equal(e.relevance)


def test_one_sample_is_explained_as_it_is_in_a_batch(explained):
    net, x, e = explained
    one = relprop.Explainer(net, "epsilon")(x[1:2])
    torch.testing.assert_close(one.relevance, e.relevance[1:2])


def test_new_weights_are_seen_by_an_old_explainer():
    net, x = randomise(small_cnn()), signed(2, 2, 12, 12).float()
    explainer = relprop.Explainer(net, "epsilon-plus")
    explainer(x)
    randomise(net, seed=5)
    after = explainer(x).relevance
    assert after.equal(relprop.explain(net, x, "epsilon-plus").relevance)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.data.mul_(1.1)  # leaves no trace in the version counter
    changed = explainer(x).relevance
    assert changed.equal(relprop.explain(net, x, "epsilon-plus").relevance)
    assert not changed.equal(after)


def test_other_shapes_and_dtypes_are_planned_anew():
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    explainer = relprop.Explainer(randomise(net), "zero")
    small, large = signed(2, 1, 6, 6).float(), signed(2, 1, 9, 9).float()
    explainer(small)
    assert explainer(large).relevance.shape == large.shape
    net.double()
    x = large.double().requires_grad_()
    best = net(x).max(1).values.sum()
    expected = x * torch.autograd.grad(best, x)[0]
    torch.testing.assert_close(explainer(large.double()).relevance, expected.detach())


def test_gradients_and_inference_mode_around_a_call_change_nothing(explained):
    net, x, e = explained
    explainer = relprop.Explainer(net, "epsilon")
    with torch.inference_mode():
        assert explainer(x.clone()).relevance.equal(e.relevance)
    with torch.enable_grad():
        relevance = explainer(x.clone().requires_grad_()).relevance
    assert relevance.equal(e.relevance)
    assert not relevance.requires_grad


def test_an_input_that_was_written_into_since_is_an_error(explained):
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


def test_what_is_written_into_while_it_is_explained_is_an_error():
    net, given = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).eval(), torch.rand(5, 2, 2)
    explainer = relprop.Explainer(net)
    explainer(given)

    def target(output: torch.Tensor) -> torch.Tensor:
        given.add_(1)
        return output[:, 0]

    for options in ({}, {"batch_size": 2}):
        with pytest.raises(relprop.RelpropError, match="written into"):
            explainer(given, target, **options)


def test_what_is_written_into_between_parts_is_an_error():
    net, given = nn.Sequential(nn.Flatten(), nn.Linear(4, 3)).eval(), torch.rand(5, 2, 2)

    class Writes:
        @property
        def shape(self) -> tuple[int, ...]:  # asked for when a part is taken
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


def test_an_input_of_inference_mode_which_counts_no_changes_is_copied(explained):
    net, x, _ = explained
    with torch.inference_mode():
        given = x.clone()
        e = relprop.Explainer(net)(given)
        given.zero_()
    assert e.input.equal(x)


def test_a_copy_of_an_explanation_has_inputs_of_its_own(explained):
    net, x, e = explained
    given = x.clone()
    e = relprop.Explainer(net)(given)
    copies = [copy.deepcopy(e), pickle.loads(pickle.dumps(e))]
    with torch.inference_mode():
        copies.append(copy.deepcopy(e))
    given.zero_()
    assert all(one.input.equal(x) for one in copies)


def test_the_classes_of_a_record_are_its_own(explained):
    net, x, _ = explained
    for labels, expected in ((torch.tensor([1, 2, 3]), [1, 2, 3]), (torch.tensor(2), [2, 2, 2])):
        e = relprop.Explainer(net)(x, labels)
        labels.zero_()
        assert e.target.tolist() == expected


def test_a_module_that_moves_to_another_is_noticed():
    net = nn.Sequential(nn.Sequential(), nn.Linear(6, 6), nn.Sequential(nn.Linear(6, 6), nn.ReLU()))
    explainer, x = relprop.Explainer(randomise(net)), signed(3, 6).float()
    explainer(x)
    net[0].append(net[2].pop(-1))
    torch.testing.assert_close(explainer(x).output, net(x).detach())


def test_an_output_that_is_a_view_of_the_input_is_a_copy():
    x = signed(3, 4)
    e = relprop.explain(nn.Flatten().eval(), x)
    expected = x.clone()
    x.zero_()
    assert e.output.equal(expected)


def test_threads_that_share_an_explainer_get_what_one_thread_gets():
    net, batches = randomise(small_cnn()), [signed(2, 2, 12, 12, seed=i).float() for i in range(8)]
    expected = [relprop.explain(net, x).relevance for x in batches]
    explainer, got = relprop.Explainer(net), {}

    def work(i: int) -> None:
        got[i] = explainer(batches[i]).relevance

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(got[i].equal(expected[i]) for i in range(8))


def test_a_saved_explanation_is_read_by_numpy(explained, tmp_path):
    *_, e = explained
    e.save(tmp_path / "e.npz")
    with np.load(tmp_path / "e.npz") as file:
        assert set(file.files) == {
            *("input", "output", "prediction", "probabilities", "margin", "target", "relevance")
        }
        np.testing.assert_array_equal(file["relevance"], e.relevance.numpy())
        np.testing.assert_array_equal(file["target"], e.target.numpy())
    assert [path.name for path in tmp_path.iterdir()] == ["e.npz"]


def test_saving_where_there_is_no_folder_says_so(explained, tmp_path):
    with pytest.raises(relprop.RelpropError, match="a folder that exists"):
        explained[2].save(tmp_path / "missing" / "e.npz")


def test_a_notebook_shows_input_heatmap_and_probabilities(explained):
    *_, e = explained
    page = e._repr_html_()
    assert page.count('src="data:image/png;base64,') == 6  # input and heatmap of three digits
    for i in range(3):
        best = int(e.prediction[i])
        assert f"explained: class {best}" in page
        assert f"{best}: {float(e.probabilities[i, best]):.1%}" in page


def test_a_notebook_shows_the_largest_features_of_a_table_row():
    net = randomise(nn.Sequential(nn.Linear(4, 3)))
    e = relprop.explain(net, torch.tensor([[0.5, -3.0, 0.0, 1.0]]), recipe="zero", target=(0, 1))
    page = e._repr_html_()
    assert "[1] -3" in page
    assert "class 0 against class 1" in page
