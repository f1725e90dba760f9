"""Heads that are removed: against models whose heads join nothing, and relevance written out."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

import relprop
from relprop.errors import InputError
from relprop.use import prune_channels
from relprop.use.pruning.heads import find_heads, head_relevance

pytest.importorskip("torch_pruning")


class Timm(nn.Module):
    """Attention with the names that timm gives its parts, without a residual sum."""

    def __init__(self, width=12, heads=4):
        super().__init__()
        self.num_heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        n, length, _ = x.shape
        q, k, v = self.qkv(x).reshape(n, length, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        return self.proj(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))


class Classifier(nn.Module):
    """Two transformer layers, one of torch and one with timm's attention."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(5, 12)
        self.block = nn.TransformerEncoderLayer(12, 4, 16, dropout=0.0, batch_first=True)
        self.attn = Timm()
        self.head = nn.Linear(12, 3)

    def forward(self, x):
        x = self.block(self.embed(x))
        return self.head((x + self.attn(x)).mean(1))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Classifier().double().eval()


def samples(n=18):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, 6, 5, dtype=torch.float64, generator=generator), torch.arange(n) % 3


def zeroed(model, removed):
    """Return a copy whose removed heads join nothing."""
    other = copy.deepcopy(model)
    for name, heads in removed.items():
        attention = other.get_submodule(name)
        joined = attention.proj if name == "attn" else attention.out_proj
        with torch.no_grad():
            for head in heads:
                joined.weight[:, 3 * head : 3 * head + 3] = 0
    return other


@pytest.mark.parametrize("ranking", ["global", "layer"])
def test_removing_heads_is_zeroing_what_they_join(model, ranking):
    x, y = samples()
    before = copy.deepcopy(model.state_dict())
    pruned = prune_channels(model, x, y, 0, heads=0.5, ranking=ranking, rescale=False)
    removed = {one.name: one.removed for one in pruned.heads}
    assert set(removed) == {"block.self_attn", "attn"}
    assert sum(map(len, removed.values())) == 4
    assert ranking == "global" or {len(one) for one in removed.values()} == {2}
    assert (pruned.model(x) - zeroed(model, removed)(x)).abs().max() < 1e-12
    for one in pruned.heads:
        if one.removed:
            gone = ", ".join(map(str, one.removed))
            assert f"{one.name}: 4 -> {one.after} heads, without {gone}" in str(pruned)
    lost = 4 * (3 * 3 * 12 + 3 * 3 + 12 * 3)  # rows and biases of q, k, v; columns that join
    assert pruned.size_before.parameters - pruned.size_after.parameters == lost
    assert pruned.size_after.macs < pruned.size_before.macs
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert isinstance(model.block.self_attn, nn.MultiheadAttention)


@pytest.mark.slow
def test_heads_are_ranked_by_their_mean_share_of_relevance(model):
    """Against relevance at what each layer that joins the heads reads, sample by sample."""
    x, y = samples(6)
    taken = copy.deepcopy(model)
    taken.attn.proj = nn.Sequential(nn.Dropout(0.0), model.attn.proj)
    shares = torch.zeros(4, dtype=torch.float64)
    for i in range(6):
        e = relprop.explain(taken, x[i : i + 1], target=int(y[i]), layers=["attn.proj.0"])
        at = e.layers["attn.proj.0"][0]  # (tokens, units)
        sums = torch.stack([at[:, 3 * h : 3 * h + 3].sum().abs() for h in range(4)])
        shares += sums / sums.sum() / 6
    found, whole = find_heads(model, x)
    assert whole == {}
    given = head_relevance(model, found, x, y)
    assert given["attn"] == pytest.approx(shares, abs=1e-12)
    assert float(given["block.self_attn"].sum()) == pytest.approx(1)


def test_a_head_that_joins_nothing_goes_first_and_outputs_stay(model):
    model = zeroed(model, {"block.self_attn": [1], "attn": [3]})
    x, y = samples()
    pruned = prune_channels(model, x, y, 0, heads=0.25)
    assert {one.name: one.removed for one in pruned.heads} == {
        "block.self_attn": (1,),
        "attn": (3,),
    }
    assert (pruned.model(x) - model(x)).abs().max() < 1e-11
    e = relprop.explain(pruned.model, x, ledger=True)
    assert e.ledger.error < 1e-9


@pytest.mark.slow
def test_attention_that_cannot_lose_heads_stays_whole_and_it_is_said_why(model):
    model.attn.num_heads = 1
    x, y = samples()
    pruned = prune_channels(model, x, y, 0, heads=0.5)
    assert [one.name for one in pruned.heads] == ["block.self_attn"]
    assert pruned.whole["attn"] == "it has one head"
    model.attn.num_heads = 4
    model.attn.proj = nn.Sequential(model.attn.proj).eval()  # no longer as timm has it
    assert "attn" not in prune_channels(model, x, y, 0, heads=0.5).whole
    model.block.self_attn.add_zero_attn = True
    whole = {"block.self_attn": "it attends to constants beside its keys"}
    assert find_heads(model, x) == ([], whole)


def test_a_model_without_heads_that_can_go_is_an_error(model):
    model.block, model.attn.num_heads = nn.Identity().eval(), 1
    with pytest.raises(InputError) as caught:
        prune_channels(model, *samples(), 0, heads=0.5)
    assert "attn: it has one head" in caught.value.given
    assert caught.value.todo == "write heads=0"


@pytest.mark.parametrize(
    ("heads", "given", "todo"),
    [
        (0.9, "heads 0.9, 7 of 8 heads in 2 layers", "write heads=0.75"),
        (1, "heads is 1", "write heads=0.5"),
        ("half", "heads is 'half'", "write heads=0.5"),
    ],
)
def test_no_attention_may_be_left_without_a_head(model, heads, given, todo):
    with pytest.raises(InputError) as caught:
        prune_channels(model, *samples(), 0, heads=heads)
    assert (caught.value.given, caught.value.todo) == (given, todo)
