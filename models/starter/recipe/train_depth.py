"""Train the depth estimator: how near everything in a picture is, in the layout of Depth Anything."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import (
    AutoImageProcessor,
    AutoModelForDepthEstimation,
    DepthAnythingConfig,
    DepthAnythingForDepthEstimation,
    Dinov2Config,
    DPTImageProcessor,
)

from . import seen
from .canvas import Field, Picture, paint, truth
from .draw import KINDS, draw
from .figures import Figure
from .hogwild import Lesson, Plan
from .schooling import School, attend
from .seen import Seen
from .sheet import page
from .train_vae import slopes_apart
from .wear import generated, unit

PLAN = Plan("depth", 2_900, 1e-3, warm=150, hold=0.4, ema=0.99, weight_decay=0.02)
SIDE, PATCH, WIDTH, LAYERS = 128, 8, 96, 4
BATCH = 8
_MEAN, _SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Ranging(msgspec.Struct):
    """The lesson of the depth estimator: the nearness of every pixel."""

    seen: Seen
    device: str

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """How far nearness and its steps are off, and how little the two agree."""
        index = np.sort(rng.integers(0, len(self.seen.near), BATCH))
        shown = unit(np.asarray(self.seen.pictures[index]))
        near = torch.from_numpy(np.asarray(self.seen.near[index])).float().div(255)
        if rng.random() < 0.5:
            shown, near = shown.flip(-1), near.flip(-1)
        shown = normal(generated(rng, shown)).to(self.device)
        near = near.to(self.device)
        with torch.autocast(self.device, torch.bfloat16):
            guess = model(shown).predicted_depth
        guess = guess.float()
        away, agreed = (guess - near).abs().mean(), agreement(guess, near)
        loss = away + 0.5 * slopes_apart(guess, near) + 0.5 * (1 - agreed).mean()
        return loss, {"loss": float(loss.detach()), "corr": float(agreed.detach().mean())}


def normal(shown: Tensor) -> Tensor:
    """Pictures of 0 to 1 as the processor gives them to the model."""
    return (shown - torch.tensor(_MEAN)[:, None, None]) / torch.tensor(_SPREAD)[:, None, None]


def agreement(a: Tensor, b: Tensor) -> Tensor:
    """The correlation of two batches of fields: (n, h, w) to (n,)."""
    a, b = (some.flatten(1) - some.flatten(1).mean(1, keepdim=True) for some in (a, b))
    return (a * b).sum(1) / ((a.square().sum(1) + 1e-4) * (b.square().sum(1) + 1e-4)).sqrt()


def new_depth() -> Any:
    """A DepthAnythingForDepthEstimation of four layers on patches of 8 x 8."""
    backbone = Dinov2Config(
        image_size=SIDE,
        patch_size=PATCH,
        hidden_size=WIDTH,
        num_hidden_layers=LAYERS,
        num_attention_heads=WIDTH // 32,
        out_indices=list(range(1, LAYERS + 1)),
        reshape_hidden_states=False,
        use_mask_token=False,
    )
    model = DepthAnythingForDepthEstimation(
        DepthAnythingConfig(
            backbone_config=backbone,
            patch_size=PATCH,
            reassemble_hidden_size=WIDTH,
            neck_hidden_sizes=[24, 32, 48, 64],
            fusion_hidden_size=24,
            head_hidden_size=16,
            initializer_range=0.05,
        )
    )
    model.backbone.set_attn_implementation("eager")  # for 256 patches the fused one takes longer here
    with torch.no_grad():
        model.backbone.embeddings.position_embeddings.copy_(places(SIDE // PATCH, WIDTH))
        for part in (model.neck, model.head):
            for layer in part.modules():
                if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                    nn.init.kaiming_uniform_(layer.weight, 1)
        # a rectified answer that starts below zero would never learn
        nn.init.constant_(model.head.conv3.bias, 0.3)
        model.head.conv3.weight.mul_(0.1)
    return model


def places(side: int, width: int) -> Tensor:
    """Waves over rows and columns, (1, 1 + side², width): where a patch is, before it is learnt."""
    waves = 1 / 100 ** (torch.arange(width // 4) / (width // 4))
    turns = torch.arange(side)[:, None] * waves
    line = torch.cat((turns.sin(), turns.cos()), 1)  # (side, width / 2)
    grid = torch.cat((line[:, None].expand(-1, side, -1), line[None].expand(side, -1, -1)), 2)
    return torch.cat((torch.zeros(1, width), 0.3 * grid.reshape(side * side, width)))[None]


def lesson(checkpoints: Path, device: str) -> Lesson:
    """The lesson, from the noted truths."""
    return Ranging(seen.load(checkpoints), device)


def write(_: Path, model: Any, folder: Path) -> None:
    """Write the model in half precision, with its image processor."""
    model.half().save_pretrained(folder)
    DPTImageProcessor(
        size={"height": SIDE, "width": SIDE},
        keep_aspect_ratio=True,
        ensure_multiple_of=PATCH,
        image_mean=list(_MEAN),
        image_std=list(_SPREAD),
    ).save_pretrained(folder)


def estimate(folder: Path, pictures: list[Picture], device: str = "cpu") -> list[Field]:
    """The nearness that the model sees in pictures."""
    processor = AutoImageProcessor.from_pretrained(folder)
    model = AutoModelForDepthEstimation.from_pretrained(folder, dtype=torch.float32).to(device)
    found: list[Field] = []
    for start in range(0, len(pictures), 16):
        some = pictures[start : start + 16]
        with torch.inference_mode():
            answer = model(**processor(some, return_tensors="pt").to(device))
        sizes = [picture.shape[:2] for picture in some]
        ready = processor.post_process_depth_estimation(answer, target_sizes=sizes)
        found += [one["predicted_depth"].cpu().numpy() for one in ready]
    return found


def figures(family: Path, count: int, device: str = "cpu") -> list[Figure]:
    """Correlation with the true nearness by kind of scene, beside that of 'lower is nearer'."""
    slope = np.repeat(np.arange(SIDE, dtype=np.float32)[:, None], SIDE, 1)
    found = []
    for kind in KINDS:
        scenes = [draw(seed, kind) for seed in range(max(2, count // 2))]
        near = [truth(scene).near for scene in scenes]
        seen_near = estimate(family / PLAN.name, [paint(scene) for scene in scenes], device)
        reached = np.mean([_correlation(*pair) for pair in zip(seen_near, near, strict=True)])
        without = np.mean([_correlation(slope, one) for one in near])
        found.append(Figure(PLAN.name, f"correlation, {kind}", float(reached), 0.95, float(without)))
    return found


def contact(family: Path, store: Path) -> None:
    """Pictures, how near the model sees everything, and how near it is."""
    scenes = [draw(seed, kind) for kind in KINDS for seed in (1, 2)][:8]
    pictures = [paint(scene) for scene in scenes]
    guesses = estimate(family / PLAN.name, pictures)
    page([pictures, [_gray(one) for one in guesses], [_gray(truth(scene).near) for scene in scenes]], store)


def _correlation(a: Field, b: Field) -> float:
    if not a.std() or not b.std():
        return 0.0
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def _gray(near: Field) -> NDArray[np.uint8]:
    return np.repeat((np.clip(near, 0, 1) * 255).astype(np.uint8)[..., None], 3, 2)


SCHOOL = School(plan=PLAN, prepare=seen.prepare, build=lambda _: new_depth(), lesson=lesson, write=write)

if __name__ == "__main__":
    attend(__doc__, SCHOOL)
