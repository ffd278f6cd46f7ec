"""Networks from picture to picture, in every layout that spandrel knows."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from spandrel import (
    MAIN_REGISTRY,
    ImageModelDescriptor,
    ModelLoader,
    UnsupportedModelError,
    canonicalize_state_dict,
)

from engine.errors import Unsupported
from engine.machine import is_out_of_memory
from engine.models import ModelFile
from engine.weights import header
from nodes._lib import planes
from nodes._lib.arrays import array, tensor

if TYPE_CHECKING:
    from nodes._lib.planes import Floats

FACES = ("GFPGAN", "RestoreFormer")
"""Architectures that want to see a face, and nothing else."""


def architecture(file: ModelFile) -> str:
    """Which network a file holds, by the names and shapes of its tensors. Raises Unsupported for none."""
    shapes = {name: torch.empty(t.shape, device="meta") for name, t in header(file.path).items()}
    state = canonicalize_state_dict(shapes)
    for support in MAIN_REGISTRY.architectures("detection"):
        if support.architecture.detect(state):
            return str(support.architecture.id)
    first = next(iter(sorted(shapes)), "none")
    raise Unsupported(
        f"Model {file.name!r} has {len(shapes)} tensors in no known layout, starting with {first!r}.",
        remedy="Use a network in a layout that spandrel knows, such as RealESRGAN, ESRGAN or SwinIR.",
    )


def load(file: ModelFile, device: str, dtype: str) -> Any:
    """A network ready to run, in the wanted number format if it can."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some architectures were written for an older torch
            net = ModelLoader("cpu").load_from_file(file.path)
    except (UnsupportedModelError, KeyError, ValueError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise
        said = str(error).partition("\n")[0]
        raise Unsupported(
            f"Model {file.name!r} does not fit its layout: {said}", remedy="Get it again."
        ) from None
    channels = net.input_channels, net.output_channels
    if not isinstance(net, ImageModelDescriptor) or channels not in ((1, 1), (3, 3)):
        text = f"{file.name!r}, a {net.architecture.name}, does not make one picture of one picture."
        raise Unsupported(text, remedy="Use a network that does.")
    net.model.requires_grad_(False)
    return net.eval().to(torch.device(device), getattr(torch, possible(net, dtype)))


def possible(net: Any, dtype: str) -> str:
    """Some networks overflow in half precision, and bfloat16 is too coarse to be taken unasked."""
    can = {"float16": net.supports_half, "bfloat16": net.supports_bfloat16}
    return dtype if can.get(dtype, True) else "float32"


def run(net: Any, pixels: Floats) -> Floats:
    """What a network makes of colours or greys, 0 to 1, whichever it was made for."""
    have, wants = pixels.shape[2], net.input_channels
    if have == wants:
        return shown(net, pixels)
    if wants == 3:
        return planes.luma(shown(net, planes.widened(pixels, 3)))
    return np.concatenate([shown(net, pixels[..., c : c + 1]) for c in range(have)], 2)


def shown(net: Any, pixels: Floats) -> Floats:
    picture = tensor(pixels).permute(2, 0, 1)[None].to(net.device, net.dtype)
    return array(net(picture)[0].permute(1, 2, 0))
