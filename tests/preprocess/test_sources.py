"""What libraries' models do to pictures, against what they do themselves."""

import numpy as np
import pytest
import torch
import torchvision
from PIL import Image
from transformers import CLIPImageProcessor, ConvNextImageProcessor, ViTImageProcessor

from relprop.errors import InputError
from relprop.preprocess import from_timm, from_torchvision, from_transformers

IMAGE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (301, 457, 3), dtype="uint8"))


@pytest.mark.parametrize("name", ["resnet18", "inception_v3", "efficientnet_b0", "vit_h_14"])
def test_torchvision_gives_the_same_tensor(name):
    weights = torchvision.models.get_model_weights(name).DEFAULT
    assert from_torchvision(weights)(IMAGE)[0].equal(weights.transforms()(IMAGE))


@pytest.mark.parametrize("kind", [ViTImageProcessor, CLIPImageProcessor])
def test_transformers_gives_the_same_tensor_within_a_level_of_grey(kind):
    """It may resize tensors, which rounds otherwise than PIL does."""
    processor = kind()
    theirs = processor(IMAGE, return_tensors="pt")["pixel_values"]
    level = 1.01 / 255 / torch.tensor(processor.image_std)[None, :, None, None]
    assert ((from_transformers(processor)(IMAGE) - theirs).abs() <= level).all()


def test_other_steps_are_refused():
    with pytest.raises(InputError, match="an image processor with size"):
        from_transformers(ConvNextImageProcessor())
    detection = torchvision.models.detection.FasterRCNN_ResNet50_FPN_Weights.DEFAULT
    with pytest.raises(InputError, match="weights with the transform ObjectDetection"):
        from_torchvision(detection)


def test_timm_gives_the_same_tensor():
    timm = pytest.importorskip("timm")
    model = timm.create_model("resnet18")
    config = timm.data.resolve_model_data_config(model)
    theirs = timm.data.create_transform(**config, is_training=False)
    torch.testing.assert_close(from_timm(model)(IMAGE)[0], theirs(IMAGE))
