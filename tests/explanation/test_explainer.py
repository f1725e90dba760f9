"""The Explainer: it follows the model, changes nothing and may be shared between threads."""

import copy
import pickle
import threading

import pytest
import torch
from helpers.networks import mnist_cnn, pixels, randomise, signed, small_cnn
from torch import nn

import relprop


@pytest.fixture(scope="module")
def explained() -> tuple[nn.Module, torch.Tensor, relprop.Explanation]:
    net, x = randomise(mnist_cnn()), pixels(3, 1, 28, 28).float()
    return net, x, relprop.Explainer(net, "epsilon")(x)


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


def test_an_explainer_follows_new_weights():
    net, x = randomise(small_cnn()), signed(2, 2, 12, 12).float()
    explainer = relprop.Explainer(net, "epsilon-plus")
    explainer(x)
    randomise(net, seed=5)
    after = explainer(x).relevance
    assert after.equal(relprop.explain(net, x, "epsilon-plus").relevance)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.data.mul_(1.1)  # does not raise torch's version counter
    changed = explainer(x).relevance
    assert changed.equal(relprop.explain(net, x, "epsilon-plus").relevance)
    assert not changed.equal(after)


def test_an_explainer_follows_other_shapes_and_dtypes():
    """The rule zero is gradient x input on a ReLU network."""
    net = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    explainer = relprop.Explainer(randomise(net), "zero")
    small, large = signed(2, 1, 6, 6).float(), signed(2, 1, 9, 9).float()
    for x in (small, large, small, large.double(), small.double()):
        leaf = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(net.to(x.dtype)(leaf).amax(1).sum(), leaf)
        torch.testing.assert_close(explainer(x).relevance, x * gradient)


def test_gradients_and_inference_mode_around_a_call_change_nothing(explained):
    net, x, e = explained
    explainer = relprop.Explainer(net, "epsilon")
    with torch.inference_mode():
        assert explainer(x.clone()).relevance.equal(e.relevance)
    with torch.enable_grad():
        relevance = explainer(x.clone().requires_grad_()).relevance
    assert relevance.equal(e.relevance)
    assert not relevance.requires_grad


def test_a_module_that_is_moved_is_followed():
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


@pytest.mark.parametrize("name", ["model", "recipe", "output", "capture", "compile"])
def test_what_an_explainer_was_made_with_cannot_be_set(explained, name):
    explainer = relprop.Explainer(explained[0])
    with pytest.raises(AttributeError):
        setattr(explainer, name, getattr(explainer, name))


def test_an_explainer_says_what_it_was_made_with(explained):
    model = explained[0]
    explainer = relprop.Explainer(model, "gamma")
    assert (explainer.model, explainer.recipe.name) == (model, "gamma")
    assert (explainer.output, explainer.capture, explainer.compile) == (None, "export", False)
    assert repr(explainer) == f"Explainer({type(model).__name__}, 'gamma')"


class Everything(nn.Module):
    """Constants, an einsum, a result among several, and a size that forward computes."""

    def __init__(self):
        super().__init__()
        self.layer, self.head = nn.Linear(4, 8), nn.Linear(4, 3)

    def forward(self, x):
        first, second = self.layer(x).chunk(2, 1)
        h = first.relu() * torch.tensor([1.0, 2.0, 3.0, 4.0]) + second.max(1, keepdim=True).values
        return self.head(torch.einsum("nd,de->ne", h, torch.ones(4, 4)).reshape(x.shape[0] * 1, 4))


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
}


@pytest.mark.parametrize("how", COPIES)
def test_a_used_explainer_can_be_copied(how):
    model, x = randomise(Everything()), signed(2, 4).float()
    explainer = relprop.Explainer(model, relprop.Recipe.preset("epsilon", epsilon=0.1))
    expected = explainer(x, target=1)
    made = COPIES[how](explainer)
    assert (made.model is model) == (how == "copy")
    assert made.recipe == explainer.recipe
    for _ in range(2):
        assert made(x, target=1).relevance.equal(expected.relevance)
    made.model.head.weight.data.mul_(2)  # a copy follows its own model
    torch.testing.assert_close(made(x).output, made.model(x).detach())
    torch.testing.assert_close(explainer(x).output, model(x).detach())


@pytest.mark.parametrize("how", COPIES)
def test_a_plan_can_be_copied(how):
    model, x = randomise(Everything()), signed(2, 4).float()
    plan = relprop.Explainer(model, "epsilon").plan(x)
    made = COPIES[how](plan)
    assert str(made) == str(plan)
    assert [node.target for node in made.graph.nodes] == [node.target for node in plan.graph.nodes]
    state = {name: model.get_parameter(path).detach() for name, path in plan.graph.state.items()}
    torch.testing.assert_close(made.graph.run({"x": x}, state), model(x).detach())
