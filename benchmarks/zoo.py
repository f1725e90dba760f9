"""The architectures that coverage is measured on: name -> model and example input.

Names are "library/architecture". No architecture is special-cased by name anywhere; options that
make it small are in its row.
"""

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import torch
from architecture import Architecture, Inputs, nodes, picture, text, vectors, words
from plain import (
    CLASSES,
    WORDS,
    Attention,
    Encoder,
    LastWord,
    MessagePassing,
    Packed,
    Recurrent,
    Translator,
    UNet,
)
from torch import nn

# ---- rows ----------------------------------------------------------------------------------------


def vision(name: str, size: int = 64, **options: Any) -> Architecture:
    """Build a classifier of torchvision."""

    def make() -> nn.Module:
        from torchvision import models

        return getattr(models, name)(num_classes=CLASSES, **options)

    return Architecture(f"torchvision/{name}", make, lambda: picture(size))


def timm(name: str, size: int = 64, **options: Any) -> Architecture:
    """Build a classifier of timm."""

    def make() -> nn.Module:
        import timm

        return timm.create_model(name, num_classes=CLASSES, **options)

    return Architecture(f"timm/{name}", make, lambda: picture(size))


SMALL = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "initializer_range": 0.1,
    "num_labels": CLASSES,
}
LANGUAGE = SMALL | {"vocab_size": WORDS, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
DECODER = LANGUAGE | {"num_key_value_heads": 2, "head_dim": 16, "use_cache": False}


def hf(name: str, inputs: Callable[[], Inputs], **options: Any) -> Architecture:
    """Build a model of transformers; one that scores each token is reduced to the last."""

    def make() -> nn.Module:
        library = importlib.import_module("transformers")
        kind = getattr(library, name)
        model = kind(kind.config_class(**options))
        return LastWord(model) if "LM" in name or "Token" in name else model

    return Architecture(f"transformers/{name}", make, inputs)


def encoder(name: str, *, segments: bool = False, **options: Any) -> Architecture:
    """Build a bidirectional language model of transformers."""
    return hf(name, lambda: text(segments=segments), **LANGUAGE | options)


def decoder(name: str, **options: Any) -> Architecture:
    """Build a causal language model of transformers."""
    return hf(name, text, **DECODER | options)


def image_encoder(name: str, **options: Any) -> Architecture:
    """Build an image classifier of transformers."""
    return hf(name, lambda: {"pixel_values": picture(32)}, **SMALL | {"image_size": 32} | options)


def plain(name: str, make: Callable[[], nn.Module], inputs: Callable[[], Inputs]) -> Architecture:
    """Build a model in plain torch."""
    return Architecture(f"torch/{name}", make, inputs)


DEEP = {"bidirectional": True, "num_layers": 2}
RELU = {"nonlinearity": "relu", "batch_first": False}


def small_vit() -> nn.Module:
    """Build three layers of torchvision's vision transformer."""
    from torchvision.models import VisionTransformer

    return VisionTransformer(64, 16, 3, 4, 64, 128, num_classes=CLASSES)


def small_maxvit() -> nn.Module:
    """Build two blocks of torchvision's MaxViT."""
    from torchvision.models import MaxVit

    return MaxVit((64, 64), 32, 2, [32, 64], [1, 1], 32, 0.0, num_classes=CLASSES)


TORCHVISION = [
    vision("alexnet"),
    vision("convnext_tiny"),
    vision("densenet121"),
    vision("efficientnet_b0"),
    vision("efficientnet_v2_s"),
    vision("googlenet", aux_logits=False, init_weights=False),
    vision("inception_v3", 96, aux_logits=False, init_weights=False),
    Architecture("torchvision/maxvit", small_maxvit, lambda: picture(64)),
    vision("mnasnet0_5"),
    vision("mobilenet_v2"),
    vision("mobilenet_v3_large"),
    vision("mobilenet_v3_small"),
    vision("regnet_x_400mf"),
    vision("regnet_y_400mf"),
    vision("resnet18"),
    vision("resnet50"),
    vision("resnext50_32x4d"),
    vision("shufflenet_v2_x0_5"),
    vision("squeezenet1_1"),
    vision("swin_t"),
    vision("swin_v2_t"),
    vision("vgg11"),
    vision("vgg16_bn"),
    Architecture("torchvision/vit", small_vit, lambda: picture(64)),
    vision("wide_resnet50_2"),
]
TIMM = [
    timm("beit_base_patch16_224", img_size=64, depth=3),
    timm("cait_xxs24_224", img_size=64, depth=3),
    timm("caformer_s18"),
    timm("coat_lite_tiny", 64, img_size=64),
    timm("coatnet_nano_rw_224", img_size=64),
    timm("convit_tiny", img_size=64, depth=4),
    timm("botnet26t_256", 256),
    timm("convmixer_768_32"),
    timm("convnextv2_atto"),
    timm("crossvit_tiny_240", img_size=240, size=240),
    timm("cspresnet50"),
    timm("davit_tiny"),
    timm("deit3_small_patch16_224", img_size=64, depth=3),
    timm("deit_tiny_distilled_patch16_224", img_size=64, depth=3),
    timm("dla46_c"),
    timm("dpn48b"),
    timm("ecaresnet26t"),
    timm("edgenext_xx_small"),
    timm("efficientformer_l1", 224),
    timm("efficientnet_lite0"),
    timm("efficientvit_b0"),
    timm("eva02_tiny_patch14_224", 56, img_size=56, depth=3),
    timm("fastvit_t8"),
    timm("focalnet_tiny_srf"),
    timm("ghostnet_050"),
    timm("gmlp_ti16_224", img_size=64),
    timm("halonet26t", 256),
    timm("gcvit_xxtiny", 224),
    timm("hgnetv2_b0"),
    timm("hiera_tiny_224", 224),
    timm("hrnet_w18_small"),
    timm("inception_next_atto"),
    timm("lambda_resnet26t", 256),
    timm("levit_128s", 224),
    timm("maxxvit_rmlp_nano_rw_256", 64, img_size=64),
    timm("mixer_s32_224", img_size=64),
    timm("mobilenetv4_conv_small_035"),
    timm("mobileone_s0"),
    timm("mobilevit_xxs"),
    timm("mobilevitv2_050"),
    timm("mvitv2_tiny", img_size=64),
    timm("nfnet_l0"),
    timm("pit_ti_224", 224),
    timm("poolformer_s12"),
    timm("pvt_v2_b0"),
    timm("regnety_002"),
    timm("repvgg_a0"),
    timm("res2net50_14w_8s"),
    timm("resmlp_12_224", img_size=64),
    timm("resnest14d"),
    timm("resnetv2_50x1_bit"),
    timm("rexnet_100"),
    timm("seresnet18"),
    timm("sequencer2d_s", img_size=64),
    timm("skresnet18"),
    timm("swin_tiny_patch4_window7_224", 56, img_size=56),
    timm("swinv2_cr_tiny_224", 64, img_size=64),
    timm("swiftformer_xs", 224),
    timm("tiny_vit_5m_224", 224),
    timm("tnt_s_patch16_224", img_size=64),
    timm("tresnet_m"),
    timm("twins_svt_small"),
    timm("visformer_tiny", 64, img_size=64),
    timm("volo_d1_224", img_size=64),
    timm("ese_vovnet19b_slim"),
    timm("xception41"),
    timm("xcit_nano_12_p16_224", depth=3),
]
TRANSFORMERS = [
    encoder("BertForSequenceClassification", segments=True),
    encoder("BertForMaskedLM"),
    encoder("RobertaForSequenceClassification"),
    encoder("DistilBertForSequenceClassification", dim=64, hidden_dim=128, n_layers=2, n_heads=4),
    encoder("AlbertForSequenceClassification", embedding_size=32),
    encoder("ElectraForSequenceClassification", embedding_size=32),
    encoder("DebertaV2ForSequenceClassification", relative_attention=True),
    encoder("ModernBertForSequenceClassification"),
    encoder("MPNetForSequenceClassification"),
    encoder("XLNetForSequenceClassification", d_model=64, n_layer=2, n_head=4, d_inner=128),
    encoder("BigBirdForSequenceClassification", attention_type="original_full"),
    encoder("LongformerForSequenceClassification", attention_window=4),
    hf("FNetForSequenceClassification", lambda: {"input_ids": words()}, **LANGUAGE),
    hf(
        "BartForSequenceClassification",
        lambda: text(end=2),
        d_model=64,
        encoder_layers=2,
        decoder_layers=2,
        encoder_ffn_dim=128,
        decoder_ffn_dim=128,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        use_cache=False,
        **LANGUAGE,
    ),
    encoder("T5ForTokenClassification", d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4),
    decoder("GPT2ForSequenceClassification", n_embd=64, n_layer=2, n_head=4),
    decoder("GPT2LMHeadModel", n_embd=64, n_layer=2, n_head=4),
    decoder("LlamaForSequenceClassification"),
    decoder("LlamaForCausalLM"),
    decoder("MistralForSequenceClassification"),
    decoder("MixtralForSequenceClassification", num_local_experts=4),
    decoder("Qwen2ForSequenceClassification"),
    decoder("Qwen3ForSequenceClassification"),
    decoder("GemmaForSequenceClassification"),
    decoder("Gemma2ForSequenceClassification"),
    decoder("PhiForSequenceClassification", num_key_value_heads=4),
    decoder("OPTForSequenceClassification", ffn_dim=128, word_embed_proj_dim=64),
    decoder("GPTNeoXForSequenceClassification"),
    decoder("BloomForSequenceClassification", n_layer=2, n_head=4),
    decoder("Lfm2ForCausalLM"),
    decoder("OlmoeForCausalLM", num_experts=4, num_experts_per_tok=2),
    encoder("RwkvForCausalLM", attention_hidden_size=64),
    decoder("Mamba2ForCausalLM", num_heads=8, state_size=8, n_groups=1),
    decoder("MambaForCausalLM", state_size=8),
    hf(
        "CLIPForImageClassification",
        lambda: {"pixel_values": picture(32)},
        vision_config=SMALL | {"image_size": 32, "patch_size": 8},
        num_labels=CLASSES,
    ),
    hf(
        "Wav2Vec2ForSequenceClassification",
        lambda: {"input_values": torch.randn(2, 1600)},
        conv_dim=[16, 16, 16],
        conv_kernel=[10, 8, 4],
        conv_stride=[5, 4, 2],
        num_conv_pos_embeddings=16,
        num_conv_pos_embedding_groups=4,
        **SMALL,
    ),
    image_encoder("ViTForImageClassification", patch_size=8),
    image_encoder("DeiTForImageClassification", patch_size=8),
    image_encoder("Dinov2ForImageClassification", patch_size=8),
    image_encoder("BeitForImageClassification", patch_size=8),
    hf(
        "SegformerForImageClassification",
        lambda: {"pixel_values": picture(64)},
        depths=[1, 1, 1, 1],
        num_labels=CLASSES,
    ),
    hf(
        "ASTForAudioClassification",
        lambda: {"input_values": torch.randn(2, 64, 32)},
        max_length=64,
        num_mel_bins=32,
        **SMALL,
    ),
    hf(
        "SwinForImageClassification",
        lambda: {"pixel_values": picture(32)},
        image_size=32,
        patch_size=2,
        window_size=2,
        embed_dim=16,
        depths=[2, 2],
        num_heads=[2, 4],
        num_labels=CLASSES,
    ),
    image_encoder(
        "ConvNextForImageClassification", hidden_sizes=[16, 32], depths=[1, 1], num_stages=2
    ),
    image_encoder(
        "ResNetForImageClassification", embedding_size=16, hidden_sizes=[16, 32], depths=[1, 1]
    ),
]
TORCH = [
    plain("lstm", lambda: Recurrent(nn.LSTM), words),
    plain("lstm, length first", lambda: Recurrent(nn.LSTM, batch_first=False), words),
    plain("lstm, two ways, two layers", lambda: Recurrent(nn.LSTM, **DEEP), words),
    plain("gru", lambda: Recurrent(nn.GRU), words),
    plain("gru, two ways, two layers", lambda: Recurrent(nn.GRU, **DEEP), words),
    plain("rnn", lambda: Recurrent(nn.RNN), words),
    plain("rnn, relu, length first", lambda: Recurrent(nn.RNN, **RELU), words),
    plain("attention", lambda: Attention(batch_first=True), vectors),
    plain("attention, length first", lambda: Attention(batch_first=False), vectors),
    plain("encoder", Encoder, words),
    plain("encoder, norm first", lambda: Encoder(norm_first=True, activation="gelu"), words),
    plain("encoder, padding masked", lambda: Encoder(padded=True), words),
    plain("encoder and decoder", Translator, vectors),
    plain("lstm, packed", Packed, words),
    plain("unet", UNet, lambda: picture(32)),
    plain("messages, index_add", lambda: MessagePassing(scatter=False), nodes),
    plain("messages, scatter_add", lambda: MessagePassing(scatter=True), nodes),
]
ROWS = [*TORCHVISION, *TIMM, *TRANSFORMERS, *TORCH]
ZOO: Mapping[str, Architecture] = {row.name: row for row in ROWS}
