"""compile=True: the compiled program gives what the uncompiled one gives."""

import pytest
import torch
from helpers.networks import pixels
from torch import nn

import relprop
from relprop.errors import InputError, NumberError

# torch.compile imports modules that raise DeprecationWarning.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU()),
        *(nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)),
    ).eval()


def same(got: relprop.Explanation, want: relprop.Explanation) -> None:
    torch.testing.assert_close(got.relevance, want.relevance, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(got.output, want.output, rtol=1e-4, atol=1e-6)
    assert torch.equal(got.target, want.target)
    assert torch.equal(got.prediction, want.prediction)


@pytest.mark.slow
def test_batches_of_any_size_by_one_compilation():
    model, x = small(), pixels(8, 1, 10, 10).float()
    recipe = relprop.Recipe.preset("epsilon-gamma-box", low=0.0, high=1.0)
    eager, compiled = (relprop.Explainer(model, recipe, compile=c) for c in (False, True))
    torch._dynamo.utils.counters["graph_break"].clear()
    same(compiled(x), eager(x))
    assert not torch._dynamo.utils.counters["graph_break"]
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    labels = torch.arange(8) % 3
    same(compiled(x[:5], labels[:5]), eager(x[:5], labels[:5]))
    same(compiled(x, 2, initial="one"), eager(x, 2, initial="one"))
    scattered = pixels(4, 3, 10, 20).float()[:, 1:2, :, ::2]
    of_one_channel = x[:4].reshape(4, 10, 10, 1).permute(0, 3, 1, 2)
    for other in (scattered, x[:1].expand(4, 1, 10, 10), of_one_channel):
        same(compiled(other), eager(other))
    with torch.no_grad():
        model[0].weight.mul_(-1.5)  # followed, as by any explainer
        model[3].weight.data.add_(0.1)
    same(compiled(x[:3]), eager(x[:3]))
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == graphs


@pytest.mark.slow
def test_the_first_call_in_parts_that_fit_in_memory():
    model, x = small(), pixels(8, 1, 10, 10).float()
    explainer = relprop.Explainer(model, compile=True)
    same(explainer(x, memory=20_000), relprop.Explainer(model)(x))


@pytest.mark.slow
def test_images_of_another_memory_format_than_before():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3)).eval()
    eager, compiled = (relprop.Explainer(net, compile=c) for c in (False, True))
    x = pixels(6, 3, 6, 6).float()
    for other in (x, x.to(memory_format=torch.channels_last)):
        same(compiled(other), eager(other))


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 8)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, norm_first=True)
        self.head = nn.Linear(8, 3)

    def forward(self, ids):
        return self.head(self.encoder(self.embedding(ids)).mean(1))


@pytest.mark.slow
def test_a_model_of_token_ids():
    torch.manual_seed(0)
    model, x = Words().eval(), torch.randint(20, (3, 5))
    same(relprop.Explainer(model, compile=True)(x), relprop.Explainer(model)(x))


class Reader(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(20, 4)
        self.layer = nn.LSTM(4, 4, batch_first=True)
        self.head = nn.Linear(4, 3)

    def forward(self, ids):
        return self.head(self.layer(self.embedding(ids))[0][:, -1])


@pytest.mark.slow
def test_a_model_that_creates_its_own_initial_state():
    torch.manual_seed(0)
    model, x = Reader().eval(), torch.randint(20, (4, 2))
    eager, compiled = (relprop.Explainer(model, compile=c) for c in (False, True))
    for some in (x, x[:3]):
        same(compiled(some), eager(some))


@pytest.mark.slow
def test_the_operation_that_overflows_is_named():
    model, x = small(), pixels(2, 1, 10, 10).float()
    compiled = relprop.Explainer(model, compile=True)
    compiled(x)
    model[-1].weight.data.mul_(1e38)
    with pytest.raises(NumberError, match=r"output(.|\n)*linear"):
        compiled(100 * x)


def test_what_cannot_be_compiled_is_refused():
    model, x = small(), pixels(2, 1, 10, 10).float()
    compiled = relprop.Explainer(model, compile=True)
    for options in ({"ledger": True}, {"layers": ["0"]}, {"recompute": True}):
        with pytest.raises(InputError, match="leave compile=True out"):
            compiled(x, **options)
    for target in ("runner-up", (0, 1), "all", lambda output: output[:, 0], relprop.at(0)):
        with pytest.raises(InputError, match="leave compile=True out") as error:
            compiled(x, target)
        assert '"all"' not in error.value.allowed
    with pytest.raises(InputError, match="give 0 to 2"):
        compiled(x, 3)
    with pytest.raises(InputError, match="cannot be compiled once"):
        relprop.Explainer(model, compile=True, capture="per-input")


@pytest.mark.slow
def test_a_sum_with_a_scaled_matrix_product_is_compiled_right():
    """Gamma adds (1 + gamma / 2) times a matrix product, whose number inductor would drop."""
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(4, 3)).double().eval(), torch.randn(5, 4).double()
    want = relprop.Explainer(model, "gamma")(x).relevance
    torch.testing.assert_close(relprop.Explainer(model, "gamma", compile=True)(x).relevance, want)
