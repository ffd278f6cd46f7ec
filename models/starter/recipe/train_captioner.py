"""Train the captioner: the scorer's eye learns to say in plain words what it sees."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import (
    BlipConfig,
    BlipForConditionalGeneration,
    BlipImageProcessor,
    BlipProcessor,
    CLIPModel,
)

from . import copies, pictures, wordpieces
from .hogwild import Lesson, Plan
from .schooling import School, attend
from .sight import SIZE, worn
from .train_vae import tensor

PLAN = Plan("captioner", 6_500, 1.2e-3, warm=100, hold=0.3, ema=0.995)
BATCH = 48
COPIES = 0.15  # of the batches show pictures that went through the autoencoder
LENGTH = 64
WIDTH, LAYERS, HEADS = 128, 2, 4  # of the half that speaks
_PLAIN = 2  # the first captions of a picture are in plain words


class Telling(msgspec.Struct):
    """The lesson of the captioner: the next word of a caption."""

    pictures: NDArray[np.uint8]
    copies: NDArray[np.uint8]
    tokens: NDArray[np.int64]  # (pictures, captions, longest); 0 behind the end
    device: str

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """The cross entropy of all words of the captions."""
        source = self.copies if rng.random() < COPIES else self.pictures
        index = np.sort(rng.integers(0, len(source), BATCH))
        shown = worn(rng, tensor(np.asarray(source[index])).to(self.device))
        rows = self.tokens[index, rng.integers(0, _PLAIN, BATCH)]
        said = torch.from_numpy(rows[:, : int((rows > 0).sum(1).max())]).to(self.device)
        with torch.autocast(self.device, torch.bfloat16):
            told = model(
                pixel_values=shown,
                input_ids=said,
                attention_mask=(said > 0).long(),
                labels=said.masked_fill(said == 0, -100),
            )
        hits = (told.logits.detach()[:, :-1].argmax(2) == said[:, 1:])[said[:, 1:] > 0]
        return told.loss, {"loss": float(told.loss.detach()), "words": float(hits.float().mean())}


def telling(checkpoints: Path, device: str) -> Lesson:
    """The lesson, from drawn pictures, their copies and their plain captions."""
    said = [many[:_PLAIN] for many in pictures.captions(checkpoints / "pictures")]
    flat = [caption for many in said for caption in many]
    coded = tokenizer(checkpoints)(flat, padding=True, truncation=True, return_tensors="np").input_ids
    tokens = np.asarray(coded, np.int64).reshape(len(said), _PLAIN, -1)
    return Telling(pictures.load(checkpoints / "pictures"), copies.load(checkpoints), tokens, device)


def tokenizer(checkpoints: Path) -> Any:
    """A tokenizer that knows the words of plain captions."""
    said = (caption for many in pictures.captions(checkpoints / "pictures") for caption in many[:_PLAIN])
    return wordpieces.build(said, LENGTH)


def new_captioner(checkpoints: Path) -> Any:
    """A BLIP captioner with the eye of the finished scorer."""
    words, clip = (
        tokenizer(checkpoints),
        CLIPModel.from_pretrained(checkpoints / "clip" / "final", dtype=torch.float32),
    )
    seen = clip.config.vision_config
    text = {
        "vocab_size": len(words),
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "max_position_embeddings": LENGTH,
        "bos_token_id": words.cls_token_id,
        "eos_token_id": words.sep_token_id,
        "sep_token_id": words.sep_token_id,
        "pad_token_id": words.pad_token_id,
        "initializer_range": WIDTH**-0.5,  # with the usual 0.02, for wide models, words hardly look
    }
    vision = {
        "hidden_size": seen.hidden_size,
        "intermediate_size": seen.intermediate_size,
        "num_hidden_layers": seen.num_hidden_layers,
        "num_attention_heads": seen.num_attention_heads,
        "hidden_act": seen.hidden_act,
        "image_size": seen.image_size,
        "patch_size": seen.patch_size,
        "initializer_range": 0.02,
    }
    captioner = BlipForConditionalGeneration(BlipConfig(text_config=text, vision_config=vision))
    with torch.no_grad():
        lend_eye(
            clip.vision_model, captioner.vision_model, tensor(pictures.load(checkpoints / "pictures")[:64])
        )
    return captioner


def lend_eye(clip: Any, blip: Any, shown: Tensor) -> None:
    """Copy CLIP's eye into BLIP's, which has no normalisation before its layers: its mean is folded in."""
    norm, tokens = clip.pre_layrnorm, clip.embeddings(shown)  # (n, 1 + places, width)
    gain = norm.weight / tokens[:, 1:].std(2, correction=0).mean()
    filters, where = clip.embeddings.patch_embedding.weight, clip.embeddings.position_embedding.weight
    start = blip.embeddings
    start.patch_embedding.weight.copy_((filters - filters.mean(0)) * gain.view(-1, 1, 1, 1))
    nn.init.zeros_(start.patch_embedding.bias)
    start.position_embedding[0].copy_((where - where.mean(1, keepdim=True)) * gain + norm.bias)
    start.position_embedding[0, 0] = norm(clip.embeddings.class_embedding + where[0])
    nn.init.zeros_(start.class_embedding)
    for ours, theirs in zip(blip.encoder.layers, clip.encoder.layers, strict=True):
        heads = [theirs.self_attn.q_proj, theirs.self_attn.k_proj, theirs.self_attn.v_proj]
        ours.self_attn.qkv.weight.copy_(torch.cat([head.weight for head in heads]))
        ours.self_attn.qkv.bias.copy_(torch.cat([head.bias for head in heads]))
        ours.self_attn.projection.load_state_dict(theirs.self_attn.out_proj.state_dict())
        for part in ("layer_norm1", "layer_norm2", "mlp"):
            getattr(ours, part).load_state_dict(getattr(theirs, part).state_dict())
    blip.post_layernorm.load_state_dict(clip.post_layernorm.state_dict())


def write(checkpoints: Path, captioner: Any, folder: Path) -> None:
    """Write the captioner in half precision, with its processor."""
    words = tokenizer(checkpoints)
    captioner.half().save_pretrained(folder)
    seer = BlipImageProcessor(size={"height": SIZE, "width": SIZE}, image_mean=[0.5] * 3, image_std=[0.5] * 3)
    BlipProcessor(seer, words).save_pretrained(folder)
    wordpieces.save(words, folder)


SCHOOL = School(plan=PLAN, prepare=copies.prepare, build=new_captioner, lesson=telling, write=write)

if __name__ == "__main__":
    attend(__doc__, SCHOOL)
