"""Tiny random models of the transformers library in the layouts of real ones, and what they look at."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as tf
from PIL import Image as Pillow
from recipe import wordpieces
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from torch import nn

from engine.types import Image
from tests.tiny import TOKENIZER, WORDS

SAID = ("a red circle on a blue background", "a smiling orange cat", "green hills at night, soft light")
NAMES = ("wall", "sky", "cat, house cat", "person", "tree")
SIDE = 64
END = "<|endoftext|>"


def picture(seed: int = 0, width: int = 80, height: int = 56) -> Image:
    """Blocks of chance colours."""
    chance = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    return Image(chance.repeat(8, 0).repeat(8, 1))


def opened(image: Image) -> Pillow.Image:
    """As the library wants it."""
    return Pillow.fromarray(np.asarray(image.pixels, np.uint8))


def lively(module: nn.Module) -> Any:
    """With weights large enough that inputs matter."""
    with torch.no_grad():
        for name, weight in module.named_parameters():
            if weight.ndim > 1 and "norm" not in name:
                nn.init.normal_(weight, std=1.5 / weight[0].numel() ** 0.5)
    return module.eval()


def depth_anything(folder: Path) -> None:
    backbone = tf.Dinov2Config(
        image_size=SIDE, patch_size=8, hidden_size=32, num_hidden_layers=4, num_attention_heads=2,
        out_indices=[1, 2, 3, 4], reshape_hidden_states=False,
    )  # fmt: skip
    config = tf.DepthAnythingConfig(
        backbone_config=backbone, patch_size=8, reassemble_hidden_size=32, neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8, head_hidden_size=8,
    )  # fmt: skip
    model = lively(tf.DepthAnythingForDepthEstimation(config))
    nn.init.constant_(model.head.conv3.bias, 2.0)  # the answer is rectified
    model.save_pretrained(folder)
    depth_processor().save_pretrained(folder)


def depth_processor() -> Any:
    return tf.DPTImageProcessor(
        size={"height": SIDE, "width": SIDE}, keep_aspect_ratio=True, ensure_multiple_of=8
    )


def dpt(folder: Path) -> None:
    config = tf.DPTConfig(
        hidden_size=32, num_hidden_layers=4, num_attention_heads=2, intermediate_size=64, image_size=SIDE,
        patch_size=8, backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8,
    )  # fmt: skip
    model = lively(tf.DPTForDepthEstimation(config))
    nn.init.constant_(model.head.head[4].bias, 2.0)
    model.save_pretrained(folder)
    tf.DPTImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)


def glpn(folder: Path) -> None:
    config = tf.GLPNConfig(
        depths=[1, 1, 1, 1], hidden_sizes=[8, 8, 16, 16], num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16,
    )  # fmt: skip
    lively(tf.GLPNForDepthEstimation(config)).save_pretrained(folder)
    tf.GLPNImageProcessor().save_pretrained(folder)


def vitpose(folder: Path, joints: int = 17, experts: int = 1) -> None:
    backbone = tf.VitPoseBackboneConfig(
        image_size=(SIDE, SIDE), patch_size=(8, 8), hidden_size=32, num_hidden_layers=2,
        num_attention_heads=2, out_indices=[2], num_experts=experts, part_features=16 if experts > 1 else 0,
    )  # fmt: skip
    config = tf.VitPoseConfig(backbone_config=backbone, num_labels=joints, scale_factor=4)
    lively(tf.VitPoseForPoseEstimation(config)).save_pretrained(folder)
    tf.VitPoseImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)


def rt_detr(folder: Path) -> None:
    backbone = tf.RTDetrResNetConfig(
        embedding_size=8, hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = tf.RTDetrConfig(
        backbone_config=backbone, encoder_hidden_dim=32, d_model=32, encoder_in_channels=[8, 16, 16],
        encoder_layers=1, encoder_ffn_dim=32, encoder_attention_heads=2, decoder_in_channels=[32, 32, 32],
        decoder_ffn_dim=32, num_queries=20, decoder_layers=1, decoder_attention_heads=2, num_denoising=0,
        id2label=dict(enumerate(NAMES)), label2id={name: at for at, name in enumerate(NAMES)},
    )  # fmt: skip
    lively(tf.RTDetrForObjectDetection(config)).save_pretrained(folder)
    tf.RTDetrImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)


def segformer(folder: Path) -> None:
    config = tf.SegformerConfig(
        hidden_sizes=[8, 8, 16, 16], depths=[1, 1, 1, 1], num_attention_heads=[1, 1, 2, 2],
        decoder_hidden_size=16, id2label=dict(enumerate(NAMES)),
    )  # fmt: skip
    lively(tf.SegformerForSemanticSegmentation(config)).save_pretrained(folder)
    tf.SegformerImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)


def mask2former(folder: Path) -> None:
    backbone = tf.SwinConfig(
        image_size=SIDE, embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=2,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    config = tf.Mask2FormerConfig(
        backbone_config=backbone, feature_size=32, mask_feature_size=32, hidden_dim=32,
        encoder_feedforward_dim=32, dim_feedforward=32, encoder_layers=1, decoder_layers=2,
        num_attention_heads=2, num_queries=8, id2label=dict(enumerate(NAMES)),
    )  # fmt: skip
    lively(tf.Mask2FormerForUniversalSegmentation(config)).save_pretrained(folder)
    tf.Mask2FormerImageProcessor(size={"height": SIDE, "width": SIDE}).save_pretrained(folder)


def sam(folder: Path) -> None:
    vision = tf.SamVisionConfig(
        hidden_size=16, output_channels=16, num_hidden_layers=1, num_attention_heads=2, image_size=SIDE,
        patch_size=8, mlp_dim=16, num_pos_feats=8, global_attn_indexes=[0],
    )  # fmt: skip
    prompts = tf.SamPromptEncoderConfig(hidden_size=16, image_size=SIDE, patch_size=8)
    decoder = tf.SamMaskDecoderConfig(
        hidden_size=16, mlp_dim=16, num_hidden_layers=1, num_attention_heads=2, iou_head_hidden_dim=16
    )
    config = tf.SamConfig(
        vision_config=vision.to_dict(),
        prompt_encoder_config=prompts.to_dict(),
        mask_decoder_config=decoder.to_dict(),
    )
    lively(tf.SamModel(config)).save_pretrained(folder)
    seer = tf.SamImageProcessor(
        size={"longest_edge": SIDE}, pad_size={"height": SIDE, "width": SIDE},
        mask_size={"longest_edge": 32}, mask_pad_size={"height": 32, "width": 32},
    )  # fmt: skip
    tf.SamProcessor(seer).save_pretrained(folder)


def clipseg(folder: Path) -> None:
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 2}
    ends = {"bos_token_id": WORDS - 2, "eos_token_id": WORDS - 1, "pad_token_id": WORDS - 1}
    config = tf.CLIPSegConfig(
        text_config={**sizes, **ends, "vocab_size": WORDS},
        vision_config={**sizes, "image_size": SIDE, "patch_size": 16},
        projection_dim=32, reduce_dim=16, extract_layers=[0, 1, 2],
        decoder_num_attention_heads=2, decoder_intermediate_size=32,
    )  # fmt: skip
    lively(tf.CLIPSegForImageSegmentation(config)).save_pretrained(folder)
    seer = tf.ViTImageProcessor(size={"height": SIDE, "width": SIDE})
    tf.CLIPSegProcessor(seer, tf.CLIPTokenizer.from_pretrained(TOKENIZER)).save_pretrained(folder)


def blip(folder: Path) -> None:
    words = wordpieces.build(SAID, 32)
    text = {
        "vocab_size": len(words), "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "max_position_embeddings": 32, "encoder_hidden_size": 32,
        "bos_token_id": words.cls_token_id, "eos_token_id": words.sep_token_id,
        "sep_token_id": words.sep_token_id, "pad_token_id": words.pad_token_id,
    }  # fmt: skip
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = tf.BlipConfig(text_config=text, vision_config={**vision, "image_size": SIDE, "patch_size": 16})
    lively(tf.BlipForConditionalGeneration(config)).save_pretrained(folder)
    seer = tf.BlipImageProcessor(size={"height": SIDE, "width": SIDE})
    tf.BlipProcessor(seer, words).save_pretrained(folder)
    wordpieces.save(words, folder)


def llava(folder: Path) -> None:
    """One that chats about pictures."""
    words = byte_words(["<image>", "<pad>"])
    vision = tf.CLIPVisionConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, image_size=SIDE,
        patch_size=16,
    )  # fmt: skip
    text = tf.LlamaConfig(
        vocab_size=len(words), hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, num_key_value_heads=2, max_position_embeddings=256,
        bos_token_id=words.eos_token_id, eos_token_id=words.eos_token_id,
    )  # fmt: skip
    config = tf.LlavaConfig(
        vision_config=vision, text_config=text, image_token_index=words.convert_tokens_to_ids("<image>")
    )
    lively(tf.LlavaForConditionalGeneration(config)).save_pretrained(folder)
    seer = tf.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    template = (
        "{% for m in messages %}USER: {% for c in m.content %}{% if c.type == 'image' %}<image>\n"
        "{% else %}{{ c.text }}{% endif %}{% endfor %} {% endfor %}ASSISTANT:"
    )
    tf.LlavaProcessor(
        seer, words, patch_size=16, vision_feature_select_strategy="default", chat_template=template,
        num_additional_image_tokens=1,
    ).save_pretrained(folder)  # fmt: skip


def clip(folder: Path) -> None:
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    ends = {"bos_token_id": WORDS - 2, "eos_token_id": WORDS - 1, "pad_token_id": WORDS - 1}
    config = tf.CLIPConfig(
        text_config={**sizes, **ends, "vocab_size": WORDS},
        vision_config={**sizes, "image_size": SIDE, "patch_size": 16},
        projection_dim=16,
    )
    lively(tf.CLIPModel(config)).save_pretrained(folder)
    seer = tf.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})
    tf.CLIPProcessor(seer, tf.CLIPTokenizer.from_pretrained(TOKENIZER)).save_pretrained(folder)


def gpt2(folder: Path, places: int = 48) -> None:
    words = byte_words([])
    config = tf.GPT2Config(
        vocab_size=len(words), n_positions=places, n_embd=32, n_layer=2, n_head=2,
        bos_token_id=words.eos_token_id, eos_token_id=words.eos_token_id,
    )  # fmt: skip
    model = lively(tf.GPT2LMHeadModel(config))
    model.generation_config = tf.GenerationConfig(
        do_sample=True, temperature=0.8, top_p=0.9, max_new_tokens=12, pad_token_id=words.eos_token_id,
        bos_token_id=words.eos_token_id, eos_token_id=words.eos_token_id,
    )  # fmt: skip
    model.save_pretrained(folder)
    words.save_pretrained(folder)


def byte_words(more: list[str]) -> Any:
    """A tokenizer in the layout of GPT-2 that knows a few words."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    bpe.train_from_iterator(SAID * 20, trainer)
    vocabulary = bpe.get_vocab()
    merges = json.loads(bpe.to_str())["model"]["merges"]
    return tf.GPT2Tokenizer(
        vocab={**vocabulary, END: len(vocabulary)},
        merges=[tuple(one.split(" ")) if isinstance(one, str) else tuple(one) for one in merges],
        add_prefix_space=True, pad_token=END, additional_special_tokens=more,
    )  # fmt: skip


KINDS: dict[str, tuple[Callable[[Path], None], ...]] = {
    "depth": (depth_anything, dpt, glpn),
    "pose": (vitpose,),
    "finders": (rt_detr,),
    "segmenters": (segformer, mask2former, sam, clipseg),
    "captions": (blip, llava),
    "clip": (clip,),
    "language": (gpt2,),
}


def make(top: Path, *kinds: str) -> Path:
    """A models folder with one of each, or of these kinds."""
    for seed, kind in enumerate(KINDS):
        for maker in KINDS[kind] if kind in (kinds or KINDS) else ():
            torch.manual_seed(seed)
            maker(top / kind / maker.__name__)
    return top
