"""How models that look at pictures start, and how pictures are worn so that generated ones look familiar."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from transformers import CLIPImageProcessor, CLIPVisionConfig

from .train_vae import tensor

SIZE, PATCH = 128, 16
WIDTH, LAYERS, HEADS = 128, 4, 4
_SHOWN = 600  # pictures whose patches the first filters are made from


def vision_config() -> Any:
    """The eye of the scorer, which the safety checker and the captioner share."""
    return CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=4 * WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        image_size=SIZE,
        patch_size=PATCH,
        projection_dim=WIDTH,
    )


def image_processor() -> Any:
    """Pictures of any size as the eye wants them."""
    return CLIPImageProcessor(
        size={"shortest_edge": SIZE},
        crop_size={"height": SIZE, "width": SIZE},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )


def open_eye(vision: Any, pictures: NDArray[np.uint8]) -> None:
    """Start a vision transformer with the main patterns of patches and with places it can tell apart."""
    index = np.linspace(0, len(pictures) - 1, min(_SHOWN, len(pictures))).astype(int)
    shown = tensor(np.asarray(pictures[index]))
    patches = functional.unfold(shown, PATCH, stride=PATCH).permute(0, 2, 1).flatten(0, 1)  # (n, 768)
    patches = patches - patches.mean(0)
    power, patterns = torch.linalg.eigh(patches.T @ patches / len(patches))
    width = vision.embeddings.embed_dim
    filters = (patterns / power.clamp(min=1e-6).sqrt()).flip(1).T[:width]
    # full whitening would make noise of the faintest patterns as loud as colour
    filters = filters * (power.flip(0)[:width, None] / power.max()) ** 0.25
    with torch.no_grad():
        vision.embeddings.patch_embedding.weight.copy_(2 * filters.view(width, 3, PATCH, PATCH))
        vision.embeddings.position_embedding.weight[1:] = 0.3 * places(SIZE // PATCH, width)


def places(side: int, width: int) -> Tensor:
    """Waves along both directions: (side², width)."""
    speeds = 30.0 ** -torch.linspace(0, 1, width // 4)
    turns = torch.arange(side)[:, None] * speeds * 1.5
    waves = torch.cat([turns.sin(), turns.cos()], 1)  # (side, width / 2)
    rows, columns = waves[:, None].expand(-1, side, -1), waves[None].expand(side, -1, -1)
    return torch.cat([rows, columns], 2).flatten(0, 1)


def worn(rng: np.random.Generator, shown: Tensor) -> Tensor:
    """Half of all batches blurred, moved a little, noisy, of another brightness."""
    if rng.random() < 0.5:
        return shown
    if rng.random() < 0.6:
        strength = float(rng.random())
        shown = shown.lerp(functional.avg_pool2d(shown, 3, 1, 1, count_include_pad=False), strength)
    if rng.random() < 0.6:
        shown = torch.roll(shown, tuple(rng.integers(-2, 3, 2).tolist()), (2, 3))
    if rng.random() < 0.6:
        shown = shown + 0.08 * float(rng.random()) * torch.randn_like(shown)
    gain, shift = rng.normal(1, 0.04), rng.normal(0, 0.03)
    return shown * float(gain) + float(shift)
