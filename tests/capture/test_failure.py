"""Why a model cannot be captured: the model's own errors, batch_first, capture per input."""

import pytest
import torch
from helpers.networks import randomise, signed
from helpers.refused_models import Function, Positions, between, convolutional, encoder, recurrent
from torch import nn

import relprop


def refused(model: nn.Module, x: object, **options: object) -> relprop.RelpropError:
    with pytest.raises(relprop.RelpropError) as error:
        relprop.Explainer(model, **options)(x)
    assert str(error.value).count("\n") == 2
    return error.value


def gradient_times_input(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    leaf = x.clone().requires_grad_()
    return x * torch.autograd.grad(model(leaf)[:, 1].sum(), leaf)[0]


def means(layer: nn.Module) -> nn.Module:
    """The mean over positions of what a recurrent layer or attention returns."""
    head = nn.Linear(3 if isinstance(layer, nn.RNNBase) else 4, 3)
    inputs = 1 if isinstance(layer, nn.RNNBase) else 3
    return Function(lambda m, x: m.head(m.layer(*[x] * inputs)[0].mean(1)), layer=layer, head=head)


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        (recurrent(batch_first=False), "LSTM"),
        (means(nn.GRU(4, 3)), "GRU"),
        (means(nn.RNN(4, 3)), "RNN"),
        (means(nn.MultiheadAttention(4, 2)), "MultiheadAttention"),
        (encoder(batch_first=False), "TransformerEncoderLayer"),
    ],
)
def test_samples_that_are_read_as_time_steps_are_put_down_to_batch_first(model, kind):
    error = refused(model, signed(3, 5, 4).float())
    assert f"torch.nn.{kind}(..., batch_first=True)" in error.todo
    assert "reads samples as time steps" in error.given


def test_batch_first_is_missed_for_a_single_sample_too():
    error = refused(recurrent(batch_first=False), signed(1, 5, 4).float())
    assert "torch.nn.LSTM(..., batch_first=True)" in error.todo


def test_batch_first_that_is_written_as_told_explains_every_sample():
    model, x = recurrent(batch_first=True).double(), signed(3, 5, 4)
    whole = relprop.explain(model, x, "attnlrp", 1).relevance
    alone = torch.cat([relprop.explain(model, one[None], "attnlrp", 1).relevance for one in x])
    torch.testing.assert_close(whole, alone)


def test_a_layer_that_gets_length_first_is_not_blamed():
    def forward(m, x):
        states, _ = m.lstm(x.transpose(0, 1))
        return m.head(states[-1]) * (1 if x.sum() > -1e9 else 2)

    model = Function(forward, lstm=nn.LSTM(4, 3), head=nn.Linear(3, 3))
    error = refused(model, signed(2, 5, 4).float())
    assert "data-dependent" in error.given
    assert 'capture="per-input"' in error.todo


@pytest.mark.parametrize(
    ("model", "x", "line"),
    [
        (convolutional(1), torch.rand(1, 8, 8), "x[None]"),
        (convolutional(3), torch.rand(3, 8, 8), "x[None]"),
        (convolutional(1), torch.rand(8, 8), "x[None, None]"),
        (convolutional(3), torch.rand(8, 8, 3), "x.movedim(-1, 0)[None]"),
        (convolutional(1), (255 * torch.rand(2, 8, 8)).byte(), "x[:, None].float() / 255"),
        (Function(lambda m, x: m.c(x).mean(-1), c=nn.Conv1d(3, 2, 3)), torch.rand(3, 8), "x[None]"),
    ],
)
def test_what_helps_is_tried_on_the_model(model, x, line):
    error = refused(model, x)
    assert f"write {line}, which the model takes" in error.todo
    assert relprop.explain(model, eval(line, {"x": x})).relevance.abs().sum() > 0


@pytest.mark.parametrize("capture", ["export", "per-input"])
def test_the_models_own_error_is_given_with_its_own_numbers(capture):
    def picky(m, x):
        if x.shape[1] != 5:
            raise ValueError(f"five columns, not {x.shape[1]}")
        return m.layer(x)

    error = refused(Function(picky, layer=nn.Linear(5, 3)), torch.rand(2, 4), capture=capture)
    assert error.given.endswith("five columns, not 4")
    assert "model(x) alone raises this" in error.todo


def test_no_symbol_of_torch_is_shown():
    model = Function(lambda m, x: m.layer(x.reshape(1, 4)), layer=nn.Linear(4, 3))
    error = refused(model, torch.rand(1, 4))
    assert "size 4*batch" in error.given
    assert 'capture="per-input"' in error.todo


@pytest.mark.parametrize(
    ("model", "given"),
    [
        (between(lambda h: h if h.sum() > 0 else -h), "data-dependent"),
        (between(lambda h: h * (2 if h.abs().max() < 9 else 1)), "data-dependent"),
        (between(lambda h: h if h.shape[0] < 5 else -h), "a batch of 2 to 4 and another beyond"),
        (between(lambda h: h.reshape(len(h), -1)), "works for one batch size only"),
        (Positions(), 'reads as many rows of "table" as there are samples'),
    ],
)
def test_capture_per_input_is_proposed_where_it_works(model, given):
    model, x = randomise(model).double(), signed(3, 4)
    error = refused(model, x, recipe="zero")
    assert given in error.given
    line = 'relprop.Explainer(model, capture="per-input")'
    assert error.todo.startswith(f"write {line}, which captures it for this input; or ")
    explainer = eval(line, {"relprop": relprop, "model": model}).with_recipe("zero")
    torch.testing.assert_close(
        explainer(x, 1).relevance, gradient_times_input(model, x), rtol=1e-9, atol=1e-9
    )


def test_capture_per_input_is_not_proposed_where_it_does_not_work():
    def forward(m, x):
        return m.layer(x) * torch.from_numpy(x.detach().numpy()[:, :3]).abs()

    model = Function(forward, layer=nn.Linear(4, 3))
    for capture in ("export", "per-input"):
        error = refused(model, torch.rand(2, 4), capture=capture)
        assert "per-input" not in error.todo
        assert "without x.numpy()" in error.todo
    mixing = between(lambda h: (h - h.mean(0)) * (1 if h.sum() > -1e9 else 2))
    assert "per-input" not in refused(mixing, torch.rand(3, 4)).todo


def test_sizes_that_follow_a_mask_are_no_batch_sizes():
    """A mask of 20 entries selects 0 to 20: that is no condition on the batch."""

    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 20)
            self.register_buffer("keep", torch.arange(20) % 3 == 0)

        def forward(self, x):
            kept = self.layer(x)[:, self.keep]
            return torch.stack([kept.sum(1), kept.mean(1)], 1)

    model, x = randomise(Masked()).double(), signed(3, 4)
    relevance = relprop.explain(model, x, "zero", 1).relevance
    torch.testing.assert_close(relevance, gradient_times_input(model, x))


class ReadInConditions(nn.Module):
    """Reads a tensor in conditions alone, as solvers with adaptive steps do."""

    def __init__(self, registered):
        super().__init__()
        self.layer, times = nn.Linear(4, 3), torch.tensor([1.0, 2.0])
        if registered:
            self.register_buffer("times", times)
        else:
            self.times = times

    def forward(self, x):
        self.times.detach()
        self.times.to(x.dtype)
        return self.layer(x) if bool((self.times[1:] > self.times[:-1]).all()) else x


def test_a_stop_iteration_of_torchs_is_put_down_to_the_tensor_that_it_comes_from():
    error = refused(ReadInConditions(False).eval(), torch.rand(2, 4), capture="per-input")
    assert "a tensor that forward reads in conditions alone" in error.given
    assert "self.register_buffer" in error.todo
    model, x = randomise(ReadInConditions(True)).double(), signed(2, 4)
    e = relprop.Explainer(model, "zero", capture="per-input")(x, 1)
    torch.testing.assert_close(e.relevance, gradient_times_input(model, x))


def flex(m, x):
    from torch.nn.attention.flex_attention import flex_attention

    q, k, v = m.layer(x)[:, None].chunk(3, -1)
    return m.head(flex_attention(q, k, v)[:, 0].mean(1))


@pytest.mark.filterwarnings("ignore:flex_attention called without")
@pytest.mark.parametrize("trained", [True, False])
def test_flex_attention_is_named_with_the_way_out(trained):
    model = Function(flex, layer=nn.Linear(4, 12), head=nn.Linear(4, 3)).requires_grad_(trained)
    error = refused(model, torch.rand(2, 5, 4))
    assert "flex_attention" in error.given
    assert 'attn_implementation="sdpa"' in error.todo
    assert "scaled_dot_product_attention" in error.todo


@pytest.mark.filterwarnings("ignore")
def test_other_operations_that_run_functions_are_named_too():
    def forward(m, x):
        return torch.cond(x.sum() > 0, lambda h: h.relu(), lambda h: -h, (m.layer(x),))

    def repeated(m, x):
        return torch.while_loop(
            lambda i, h: i < 3, lambda i, h: (i + 1, h * 2), (torch.tensor(0), x)
        )

    model = Function(forward, layer=nn.Linear(4, 3))
    error = refused(model, torch.rand(2, 4))
    assert "calls cond, which runs functions" in error.given
    assert "torch.where" in error.todo
    loop = Function(lambda m, x: m.layer(repeated(m, x)[1]), layer=nn.Linear(4, 3))
    assert "calls while_loop, which runs functions" in refused(loop, torch.rand(2, 4)).given


def test_an_error_has_no_cause_that_is_itself():
    error = refused(between(lambda h: h - h.mean(0)), torch.rand(3, 4))
    seen = set()
    while error is not None:
        assert id(error) not in seen
        seen.add(id(error))
        error = error.__cause__
