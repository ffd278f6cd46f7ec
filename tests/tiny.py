"""Tiny random models in the layouts of real ones, made in a moment."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, ControlNetModel, DDIMScheduler, T2IAdapter, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPVisionConfig, CLIPVisionModelWithProjection

from engine.config import ROOT

TOKENIZER = ROOT / "models" / "starter" / "base" / "tokenizer"
WORDS = len(json.loads((TOKENIZER / "vocab.json").read_text()))
BLOCKS = 2


def unet(channels: int = 4, widths: tuple[int, ...] = (16, 32)) -> Any:
    """Two levels, as Stable Diffusion names them, or more."""
    crossing = len(widths) - 1
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=channels,
        block_out_channels=widths,
        layers_per_block=BLOCKS,
        down_block_types=(*("CrossAttnDownBlock2D",) * crossing, "DownBlock2D"),
        up_block_types=("UpBlock2D", *("CrossAttnUpBlock2D",) * crossing),
        cross_attention_dim=32,
        attention_head_dim=2,
        norm_num_groups=8,
    )


def controlnet(seed: int = 0, unet: Callable[[], Any] = unet, hint: tuple[int, ...] = (8, 16)) -> Any:
    """One for a UNet, that one if no other, whose outputs are not zero as before training."""
    torch.manual_seed(seed)
    net = ControlNetModel.from_unet(unet(), conditioning_embedding_out_channels=hint)
    for weight in net.parameters():
        if not weight.any():
            torch.nn.init.normal_(weight, std=0.3)
    return net


def vae() -> Any:
    return AutoencoderKL(
        block_out_channels=(8, 16),
        layers_per_block=BLOCKS,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        norm_num_groups=4,
        sample_size=16,
    )


def text_encoder() -> Any:
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    ends = {"bos_token_id": WORDS - 2, "eos_token_id": WORDS - 1, "pad_token_id": WORDS - 1}
    return CLIPTextModel(CLIPTextConfig(vocab_size=WORDS, projection_dim=32, **sizes, **ends))


def scheduler() -> Any:
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


def t2i_adapter(unet: Any, layout: str = "full_adapter", factor: int = 2, seed: int = 0, **more: Any) -> Any:
    """A T2I-Adapter for a UNet, in a layout of its makers."""
    torch.manual_seed(seed)
    widths = list(unet.config.block_out_channels)
    channels = widths[:-1] if layout == "light_adapter" else widths
    return T2IAdapter(
        channels=channels, num_res_blocks=1, downscale_factor=factor, adapter_type=layout, **more
    )


SEES, SUMS_UP = 32, 16
"""Numbers in which the tiny vision model tells what a patch shows, and what a picture."""


def vision(seed: int = 0) -> Any:
    """A CLIP that looks at pictures of 32 × 32 in 16 patches."""
    torch.manual_seed(seed)
    sizes = {"hidden_size": SEES, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
    return CLIPVisionModelWithProjection(
        CLIPVisionConfig(image_size=32, patch_size=8, projection_dim=SUMS_UP, **sizes)
    )


def ip_adapter(unet: Any, layout: str = "plain", seed: int = 0) -> dict[str, torch.Tensor]:
    """An IP-Adapter for a UNet and the tiny vision model, in a layout of its makers."""
    torch.manual_seed(seed)
    crossing = [name for name in unet.attn_processors if not name.endswith("attn1.processor")]
    wide = unet.config.cross_attention_dim
    found: dict[str, torch.Tensor] = {}
    for place, name in enumerate(crossing):
        inner = unet.get_submodule(name.removesuffix(".processor")).inner_kv_dim
        for what in "kv":
            found[f"ip_adapter.{2 * place + 1}.to_{what}_ip.weight"] = torch.randn(inner, wide) / wide**0.5
    shapes = {"plain": plain_shapes, "full": full_shapes, "plus": plus_shapes}[layout](wide)
    picture = {name: torch.randn(shape) / shape[-1] ** 0.5 for name, shape in shapes.items()}
    return found | {f"image_proj.{name}": weight for name, weight in picture.items()}


Shapes = dict[str, tuple[int, ...]]


def both(name: str, *shape: int) -> Shapes:
    return {f"{name}.weight": shape, f"{name}.bias": shape[:1]}


def plain_shapes(wide: int) -> Shapes:
    return both("proj", 4 * wide, SUMS_UP) | both("norm", wide)


def full_shapes(wide: int) -> Shapes:
    return both("proj.0", SEES, SEES) | both("proj.2", wide, SEES) | both("proj.3", wide)


def plus_shapes(wide: int, inner: int = 64) -> Shapes:
    found: Shapes = {"latents": (1, 4, inner)}
    found |= both("proj_in", inner, SEES) | both("proj_out", wide, inner) | both("norm_out", wide)
    for layer in range(4):
        name = f"layers.{layer}"
        found |= both(f"{name}.0.norm1", inner) | both(f"{name}.0.norm2", inner) | both(f"{name}.1.0", inner)
        found |= {f"{name}.0.to_q.weight": (inner, inner), f"{name}.0.to_kv.weight": (2 * inner, inner)}
        found |= {f"{name}.0.to_out.weight": (inner, inner)}
        found |= {f"{name}.1.1.weight": (4 * inner, inner), f"{name}.1.3.weight": (inner, 4 * inner)}
    return found


def diffusers_folder(folder: Path, seed: int = 0) -> Path:
    """A whole Stable Diffusion of some hundred kilobytes, as diffusers saves it."""
    torch.manual_seed(seed)
    unet().save_pretrained(folder / "unet")
    vae().save_pretrained(folder / "vae")
    text_encoder().save_pretrained(folder / "text_encoder")
    scheduler().save_pretrained(folder / "scheduler")
    shutil.copytree(TOKENIZER, folder / "tokenizer")
    shutil.copy(TOKENIZER.parent / "model_index.json", folder)
    return folder


def filler(folder: Path) -> None:
    """A denoiser that fills holes, by itself."""
    torch.manual_seed(3)
    unet(9).save_pretrained(folder / "unet")
    vae().save_config(folder / "vae")  # for how many pixels a cell stands


def single_file(folder: Path, file: Path) -> Path:
    """The same weights as one file with the names that the first release of Stable Diffusion gave them."""
    found: dict[str, torch.Tensor] = {}
    for part, name in (("unet", unet_name), ("vae", vae_name), ("text_encoder", text_name)):
        weights = load(folder / part)
        found |= {name(key): shaped(name(key), value) for key, value in weights.items()}
    found["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(77)[None]
    found["model_ema.decay"] = torch.tensor(0.9999)
    save_file({key: value.contiguous() for key, value in found.items()}, file)
    return file


def load(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return dict(load_file(next(folder.glob("*.safetensors"))))


def shaped(key: str, value: torch.Tensor) -> torch.Tensor:
    """Attention of the VAE was a 1 × 1 convolution."""
    attention = key.startswith("first_stage_model.") and ".attn_1." in key and key.endswith("weight")
    return value[..., None, None] if attention and value.ndim == 2 else value


def text_name(key: str) -> str:
    return "cond_stage_model.transformer.text_model." + key.removeprefix("text_model.")


def unet_name(key: str, blocks: int = BLOCKS, levels: int = 2) -> str:
    """`down_blocks.0.resnets.1.conv1.weight` → `input_blocks.2.0.in_layers.2.weight`, and so on."""
    ends = {
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "conv_in": "input_blocks.0.0",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
    }
    for ours, theirs in ends.items():
        if key.startswith(ours + "."):
            return "model.diffusion_model." + key.replace(ours, theirs, 1)
    kind, *rest = key.split(".")
    if kind == "mid_block":
        place = {("resnets", "0"): 0, ("attentions", "0"): 1, ("resnets", "1"): 2}[rest[0], rest[1]]
        return f"model.diffusion_model.middle_block.{place}.{inner(rest[2:])}"
    level, part, index = int(rest[0]), rest[1], int(rest[2])
    if kind == "down_blocks":
        block = 1 + level * (blocks + 1) + (blocks if part == "downsamplers" else index)
        place = 1 if part == "attentions" else 0
        tail = "op." + rest[-1] if part == "downsamplers" else inner(rest[3:])
        return f"model.diffusion_model.input_blocks.{block}.{place}.{tail}"
    block = level * (blocks + 1) + (blocks if part == "upsamplers" else index)
    place = {"resnets": 0, "attentions": 1, "upsamplers": 2 if level else 1}[part]
    tail = ".".join(rest[3:]) if part == "upsamplers" else inner(rest[3:])
    return f"model.diffusion_model.output_blocks.{block}.{place}.{tail}"


def inner(rest: list[str]) -> str:
    """Names within a residual block; those of an attention block never changed."""
    names = {
        "norm1": "in_layers.0",
        "conv1": "in_layers.2",
        "time_emb_proj": "emb_layers.1",
        "norm2": "out_layers.0",
        "conv2": "out_layers.3",
        "conv_shortcut": "skip_connection",
    }
    return ".".join([names.get(rest[0], rest[0]), *rest[1:]])


def vae_name(key: str, levels: int = 2) -> str:
    """`decoder.up_blocks.0.resnets.1.…` → `decoder.up.1.block.1.…`, and so on."""
    side, _, rest = key.partition(".")
    parts = rest.split(".")
    if parts[0] == "down_blocks":
        what = {"resnets": f"block.{parts[3]}", "downsamplers": "downsample"}[parts[2]]
        rest = ".".join([f"down.{parts[1]}.{what}", *parts[4:]])
    elif parts[0] == "up_blocks":
        what = {"resnets": f"block.{parts[3]}", "upsamplers": "upsample"}[parts[2]]
        rest = ".".join([f"up.{levels - 1 - int(parts[1])}.{what}", *parts[4:]])
    elif parts[0] == "mid_block" and parts[1] == "resnets":
        rest = ".".join([f"mid.block_{int(parts[2]) + 1}", *parts[3:]])
    elif parts[0] == "mid_block":
        tail = ".".join(parts[3:])
        for ours, theirs in ATTENTION.items():
            tail = tail.replace(ours, theirs)
        rest = f"mid.attn_1.{tail}"
    rest = rest.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    return f"first_stage_model.{side}.{rest}"


ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
