"""A user's model by its specification."""

import pytest
import torch
from helpers import made_bundles as made
from torch import nn

import relprop
from relprop.bundles.user_model import load_user_model
from relprop.errors import FileError, InputError


def test_an_own_class_with_own_weights(tmp_path):
    (tmp_path / "my_net.py").write_text(
        "from torch import nn\nclass Net(nn.Sequential):\n"
        "    def __init__(self):\n        super().__init__(nn.Linear(3, 2), nn.Dropout())\n"
    )
    trained = nn.Sequential(nn.Linear(3, 2), nn.Dropout()).eval()
    torch.save(trained.state_dict(), tmp_path / "w.pt")
    loaded = load_user_model(f"{tmp_path}/my_net.py:Net", tmp_path / "w.pt")
    x = torch.rand(4, 3)
    assert loaded.module(x).equal(trained(x))  # in eval mode
    assert loaded.runs_code


def test_an_exported_program_is_explained_as_the_model(tmp_path):
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 3)).eval()
    x = torch.rand(2, 1, 8, 8)
    sizes = ({0: torch.export.Dim("batch", min=1, max=64)},)
    torch.export.save(torch.export.export(model, (x,), dynamic_shapes=sizes), tmp_path / "m.pt2")
    loaded = load_user_model(str(tmp_path / "m.pt2"))
    e = relprop.Explainer(loaded.module, "epsilon", capture="per-input")(x)
    torch.testing.assert_close(e.relevance, relprop.explain(model, x, "epsilon").relevance)


def test_a_model_of_torchvision_with_a_file_of_weights(tmp_path):
    from torchvision.models import get_model

    model = get_model("squeezenet1_1", weights=None).eval()
    torch.save(model.state_dict(), tmp_path / "w.pt")
    loaded = load_user_model("torchvision:squeezenet1_1", tmp_path / "w.pt")
    x = torch.rand(1, 3, 64, 64)
    assert loaded.module(x).equal(model(x))
    assert loaded.pictures is not None
    assert loaded.pictures.size == (224, 224)


def test_a_folder_of_transformers_brings_its_tokenizer_and_names(tmp_path):
    from helpers.tokenizers import small_tokenizer
    from transformers import BertConfig, BertForSequenceClassification

    config = BertConfig(
        vocab_size=8,
        hidden_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=8,
        id2label={0: "bad", 1: "good"},
    )
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    small_tokenizer().save_pretrained(tmp_path)
    loaded = load_user_model(f"transformers:{tmp_path}")
    assert loaded.class_names == ("bad", "good")
    assert loaded.tokenizer("a film")["input_ids"] == small_tokenizer()("a film")["input_ids"]
    assert not loaded.module.training


def test_what_is_no_model_is_refused(tmp_path):
    for spec, kind, given in (
        ("mnist-cn", InputError, "the model 'mnist-cn'"),
        ("torchvision:resnet17", InputError, "torchvision has no model 'resnet17'"),
        (f"transformers:{tmp_path}", FileError, "cannot be loaded"),
        (f"{tmp_path}/none.pt2", FileError, "there is no file"),
    ):
        with pytest.raises(kind, match=given):
            load_user_model(spec)
    with pytest.raises(InputError) as error:
        load_user_model("resnet50")
    assert error.value.todo == "write my_net.py:Net, timm:resnet50 or torchvision:resnet50"


def test_a_misspelt_bundle_is_answered_with_the_one_beside_it(tmp_path):
    made.write_two(tmp_path, width=16, depth=1, dropout=0.0)
    with pytest.raises(InputError) as error:
        load_user_model(str(tmp_path / "bundel1"))
    assert error.value.todo == f'write "{tmp_path / "bundle1"}"'
