"""Single files: the names that the first releases of Stable Diffusion gave to what diffusers calls otherwise.

Written down from the published layouts: blocks are numbered through, attention stands second in its block,
OpenCLIP keeps queries, keys and values in one matrix.
"""

from __future__ import annotations

from typing import Any

import torch

from nodes._lib.rows import Clip, Family
from tests import tiny

Tensors = dict[str, torch.Tensor]


def single(row: Family, parts: dict[str, Any]) -> Tensors:
    """All parts of a model as its makers put them into one file."""
    found = unet(parts["unet"])
    blocks = len(parts["vae"].config.block_out_channels)
    for key, value in parts["vae"].state_dict().items():
        name = tiny.vae_name(key, blocks)
        found[name] = tiny.shaped(name, value)
    for clip in row.clips:
        found |= encoder(clip, parts[clip.folder])
    return found


def unet(module: Any) -> Tensors:
    weights, blocks = module.state_dict(), module.config.layers_per_block
    attentive = {key.split(".")[1] for key in weights if key.startswith("up_blocks") and "attentions" in key}
    return {unet_name(key, blocks, attentive): value for key, value in weights.items()}


def unet_name(key: str, blocks: int, attentive: set[str]) -> str:
    """As in the first release, for UNets whose outermost blocks need not have attention; SDXL has labels."""
    for ours, theirs in (("linear_1", "label_emb.0.0"), ("linear_2", "label_emb.0.2")):
        if key.startswith(f"add_embedding.{ours}."):
            return "model.diffusion_model." + key.replace(f"add_embedding.{ours}", theirs)
    name = tiny.unet_name(key, blocks)
    kind, level, part, *_ = [*key.split("."), "", ""]
    if kind == "up_blocks" and part == "upsamplers":
        block = int(level) * (blocks + 1) + blocks
        place = 2 if level in attentive else 1
        name = f"model.diffusion_model.output_blocks.{block}.{place}." + ".".join(key.split(".")[4:])
    return name


def encoder(clip: Clip, module: Any) -> Tensors:
    weights = {key.removeprefix("text_model."): value for key, value in module.state_dict().items()}
    if clip.folder == "text_encoder" and not clip.pad:
        return {f"{clip.prefix}transformer.text_model.{key}": value for key, value in weights.items()}
    return open_clip(clip.prefix + "model.", weights)


def open_clip(prefix: str, weights: Tensors) -> Tensors:
    found: Tensors = {}
    ends = {
        "embeddings.position_embedding.weight": "positional_embedding",
        "embeddings.token_embedding.weight": "token_embedding.weight",
        "final_layer_norm.weight": "ln_final.weight",
        "final_layer_norm.bias": "ln_final.bias",
    }
    inner = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj"}
    for key, value in weights.items():
        if key in ends:
            found[prefix + ends[key]] = value
        elif key == "text_projection.weight":
            found[prefix + "text_projection"] = value.T
        elif key.startswith("encoder.layers."):
            _, _, number, *rest = key.split(".")
            name = ".".join(rest)
            for ours, theirs in inner.items():
                name = name.replace(ours, theirs)
            block = f"{prefix}transformer.resblocks.{number}."
            if ".q_proj." in name:
                three = [weights[key.replace("q_proj", letter + "_proj")] for letter in "qkv"]
                found[f"{block}attn.in_proj_{rest[-1]}"] = torch.cat(three)
            elif "_proj." in name and "out_proj" not in name and "c_proj" not in name:
                continue
            else:
                found[block + name.replace("self_attn", "attn")] = value
    return found
