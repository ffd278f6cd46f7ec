"""What words name, found in a picture: CLIPSeg, through transformers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from PIL import Image as pil
from transformers import CLIPSegForImageSegmentation, CLIPSegProcessor

from engine.errors import Unsupported
from engine.models import ModelFile
from engine.types import Image
from nodes._lib import masking, pictures, recognising
from nodes._lib.arrays import array

if TYPE_CHECKING:
    from nodes._lib.masking import Plane


@dataclass(frozen=True)
class Segmenting:
    """A CLIPSeg with what prepares words and pictures for it."""

    module: Any
    processor: Any


def check(file: ModelFile) -> None:
    """Raise Unsupported unless the folder says that it holds a CLIPSeg."""
    found = recognising.config(file.path).get("model_type", "nothing that it names")
    if found != "clipseg":
        raise Unsupported(
            f"{file.name!r} finds no words in pictures: it is {found}.",
            remedy="Choose a CLIPSeg; for classes use load_scene_parser, for outlines load_outliner.",
        )


def load(file: ModelFile, device: str, dtype: str) -> Segmenting:
    options = {"local_files_only": True, "use_safetensors": True}
    try:
        module = CLIPSegForImageSegmentation.from_pretrained(
            file.path, dtype=getattr(torch, dtype), **options
        )
        processor = CLIPSegProcessor.from_pretrained(file.path, local_files_only=True)
    except (OSError, ValueError, KeyError) as error:
        said = str(error).partition("\n")[0]
        raise Unsupported(f"{file.name!r} is no whole CLIPSeg: {said}", remedy="Get it again.") from None
    return Segmenting(module.to(device).eval().requires_grad_(False), processor)


def likely(held: Segmenting, image: Image, words: Sequence[str]) -> Plane:
    """How likely each pixel belongs to what any of the words name, 0 to 1."""
    shown = pil.fromarray(np.ascontiguousarray(pictures.bytes_of(pictures.rgb(image))))
    found = np.stack([once(held, shown, word) for word in words]).max(0)
    large = cv2.resize(found, (image.width, image.height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(large, 0, 1), np.float32)


def once(held: Segmenting, shown: Any, word: str) -> Plane:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = held.processor(
            text=[word], images=[shown], padding="max_length", truncation=True, return_tensors="pt"
        )
    module = held.module
    given = {name: value.to(module.device) for name, value in given.items()}
    given["pixel_values"] = given["pixel_values"].to(module.dtype)
    with torch.inference_mode():
        logits = module(**given).logits
    return np.asarray(array(torch.sigmoid(logits.float()).reshape(logits.shape[-2:])), np.float32)


def marked(likely: Plane, threshold: float, softness: float) -> Plane:
    """1 where it is likely enough; soft about the threshold."""
    return masking.stepped(likely, threshold - softness / 2, threshold + softness / 2)
