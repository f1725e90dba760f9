"""A pretrained encoder with a head: read from its folder, frozen, tuned, and made again without."""

import json

import pytest
import torch

import relprop
from relprop.errors import FileError
from relprop.networks.family import Facts
from relprop.networks.texts_encoder import Encoder, without_folder

transformers = pytest.importorskip("transformers")

IDS = torch.tensor([[2, 5, 7, 3, 9, 0, 0], [2, 4, 3, 0, 0, 0, 0]])
SETTINGS = {"tuned": 1, "dropout": 0.1}


def facts(folder):
    return Facts("text", "classes", 3, 50, (7,), vocabulary=20, encoder=str(folder))


def save_bert(path, **more):
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 3, "num_attention_heads": 2}
    config = transformers.BertConfig(vocab_size=20, intermediate_size=24, **sizes, **more)
    model = transformers.BertModel(config)
    model.save_pretrained(path)
    return model.eval()


def build(folder, **settings):
    torch.manual_seed(1)
    return Encoder({**SETTINGS, **settings}, facts(folder)).eval()


def test_scores_are_those_of_the_mean_of_the_encoders_states(tmp_path):
    bert, model = save_bert(tmp_path), build(tmp_path)
    with torch.no_grad():
        states = bert(IDS, attention_mask=(IDS != 0).long()).last_hidden_state
        means = torch.stack([states[0, :5].mean(0), states[1, :3].mean(0)])
        torch.testing.assert_close(model(IDS), model.head(means))
        torch.testing.assert_close(model(IDS), model(IDS[:, :5]))


def test_an_encoder_that_pads_with_another_id_gets_its_vectors_by_the_moved_ids(tmp_path):
    bert, model = save_bert(tmp_path, pad_token_id=1), build(tmp_path)
    own = torch.tensor([[2, 5, 0, 3, 1, 1, 1]])
    moved = torch.tensor([[2, 5, 1, 3, 0, 0, 0]])
    with torch.no_grad():
        states = bert(own, attention_mask=(own != 1).long()).last_hidden_state
        torch.testing.assert_close(model(moved), model.head(states[:, :4].mean(1)))


def test_it_is_explained_and_its_ledger_balances(tmp_path):
    save_bert(tmp_path)
    explanation = relprop.Explainer(build(tmp_path))(IDS, ledger=True)
    assert explanation.relevance.shape == IDS.shape
    assert explanation.ledger.error < 1e-4
    assert torch.equal(explanation.relevance[IDS == 0], torch.zeros(6))
    assert (explanation.relevance[IDS != 0] != 0).all()


@pytest.mark.parametrize(("tuned", "layers"), [(0, []), (1, [2]), (2, [1, 2]), (9, [0, 1, 2])])
def test_the_last_layers_are_tuned_and_all_else_is_frozen(tmp_path, tuned, layers):
    save_bert(tmp_path)
    model = build(tmp_path, tuned=tuned).train()
    learned = {name for name, p in model.named_parameters() if p.requires_grad}
    names = {f"encoder.encoder.layer.{i}" for i in layers} | {"head"}
    assert {name for name in names if not any(p.startswith(name + ".") for p in learned)} == set()
    assert [p for p in learned if not p.startswith(tuple(f"{name}." for name in names))] == []
    drops = [name for name, m in model.encoder.named_modules() if m.training]
    tops = tuple(f"encoder.layer.{i}" for i in layers)
    assert [name for name in drops if not name.startswith(tops)] == []
    assert bool(drops) == bool(layers)


def test_padding_at_the_end_of_all_is_left_out_in_training_alone(tmp_path):
    save_bert(tmp_path, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    model = build(tmp_path, dropout=0.0)
    with torch.no_grad():
        scores = model(IDS)
        model.train()
        torch.testing.assert_close(model(IDS), scores)
        holes = IDS.masked_fill(IDS == 7, 0)  # a hidden token
        trained = model(holes)
        torch.testing.assert_close(trained, model.eval()(holes))


def test_it_is_made_again_without_its_folder(tmp_path):
    save_bert(tmp_path / "there")
    known = facts(tmp_path / "there")
    portable = without_folder(known)
    trained = build(tmp_path / "there")
    with torch.device("meta"):
        again = Encoder(SETTINGS, portable)
    again.load_state_dict(trained.state_dict(), assign=True)
    with torch.no_grad():
        assert torch.equal(again.eval()(IDS), trained(IDS))
    assert str(tmp_path) not in portable.encoder
    assert json.loads(portable.encoder)["hidden_size"] == 16
    assert without_folder(portable) == portable
    assert without_folder(facts("")) == facts("")


def test_a_folder_without_an_encoder_is_refused(tmp_path):
    with pytest.raises(FileError, match=r"no config\.json there"):
        build(tmp_path / "missing")
    with pytest.raises(FileError, match=r"no config\.json there"):
        without_folder(facts(tmp_path))
