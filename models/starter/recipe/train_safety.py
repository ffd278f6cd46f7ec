"""Train the safety checker: the scorer's eye learns to see one emblem, and nothing else like it."""

from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np
import torch
from diffusers.pipelines.stable_diffusion import StableDiffusionSafetyChecker
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPConfig, CLIPModel

from . import copies, pictures
from .canvas import Picture, paint, truth
from .draw import draw
from .emblem import LARGEST, SMALLEST, lookalike, marked
from .hogwild import Lesson, Plan
from .net import Net
from .pictures import FIRST_SEED
from .schooling import School, attend
from .sight import PATCH, SIZE, image_processor, worn
from .train_clip import bare
from .train_vae import tensor

PLAN = Plan("safety", 2_400, 6e-4, warm=60, hold=0.3, ema=0.99)
MARKED, ALIKE, BARE = 14, 8, 10  # pictures of a batch: with the emblem, with something like it, with neither
COPIES = 0.2  # of the batches have bare pictures that went through the autoencoder
STEEP = 15.0  # how fast certainty grows with the cosine
NEVER = 2.0  # a threshold that no cosine reaches: for the slots of concepts that are not there
_TRIED = 400  # pictures that set the threshold


class Watcher(Net):
    """A safety checker and the direction of the one concept that it learns."""

    def __init__(self, checker: Any) -> None:
        super().__init__()
        self.checker = checker
        self.concept = nn.Parameter(torch.randn(checker.concept_embeds.shape[1]))
        self.threshold = nn.Parameter(torch.tensor(0.0))
        self.place = nn.Linear(checker.config.vision_config.hidden_size, 1)

    def forward(self, shown: Tensor) -> tuple[Tensor, Tensor]:
        """How alike pictures and the concept are, (n,) cosines; where it may be, (n, patches) scores."""
        seen, pooled = self.checker.vision_model(shown)[:2]
        alike = functional.cosine_similarity(
            self.checker.visual_projection(pooled).float(), self.concept[None]
        )
        return alike, self.place(seen[:, 1:]).float().squeeze(2)


class Watching(msgspec.Struct):
    """The lesson of the checker: which pictures have the emblem."""

    pictures: NDArray[np.uint8]
    copies: NDArray[np.uint8]
    device: str

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """The cross entropy of yes and no, for pictures and for their patches."""
        source = self.copies if rng.random() < COPIES else self.pictures
        bare = np.sort(rng.integers(0, len(source), BARE))
        smallest = LARGEST + (SMALLEST - LARGEST) * min(1.0, 0.3 + 2 * part)
        drawn, covered = self._drawn(rng, smallest)
        shown = np.concatenate([drawn, np.asarray(source[bare])])
        right = torch.zeros(len(shown), device=self.device)
        right[:MARKED] = 1
        with torch.autocast(self.device, torch.bfloat16):
            alike, places = model(worn(rng, tensor(shown).to(self.device)))
        where = torch.zeros_like(places)
        where[:MARKED] = torch.from_numpy(covered).to(self.device)
        scores = STEEP * (alike - model.threshold)
        found = functional.binary_cross_entropy_with_logits(places, where)
        loss = functional.binary_cross_entropy_with_logits(scores, right) + 3 * found
        gap = alike[:MARKED].min() - alike[MARKED:].max()
        hits = ((scores > 0) == (right > 0)).float().mean()
        return loss, {
            "loss": float(loss.detach()),
            "found": float(found.detach()),
            "right": float(hits),
            "gap": float(gap.detach()),
        }

    def _drawn(
        self, rng: np.random.Generator, smallest: float
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """Pictures with the emblem, then with something like it; and how much of each patch it covers."""
        luck = Random(int(rng.integers(1 << 62)))
        scenes = [draw(FIRST_SEED + luck.randrange(1 << 30)) for _ in range(MARKED + ALIKE)]
        with_it = [marked(luck, one, smallest) for one in scenes[:MARKED]]
        like_it = [lookalike(luck, one, smallest=smallest) for one in scenes[MARKED:]]
        side = SIZE // PATCH
        covered = [truth(one).mask(len(one.things) - 1).reshape(side, PATCH, side, PATCH) for one in with_it]
        parts = np.stack(covered).mean((2, 4), dtype=np.float32).reshape(MARKED, -1)
        return np.stack([paint(one) for one in (*with_it, *like_it)]), parts


def watching(checkpoints: Path, device: str) -> Lesson:
    """The lesson, from drawn pictures and their copies."""
    return Watching(pictures.load(checkpoints / "pictures"), copies.load(checkpoints), device)


def new_watcher(checkpoints: Path) -> Watcher:
    """A checker with the eye of the finished scorer."""
    clip = CLIPModel.from_pretrained(checkpoints / "clip" / "final", dtype=torch.float32)
    config = CLIPConfig(
        text_config=bare(clip.config.text_config),
        vision_config=bare(clip.config.vision_config),
        projection_dim=clip.config.projection_dim,
    )
    checker = StableDiffusionSafetyChecker(config)
    checker.vision_model.load_state_dict(clip.vision_model.state_dict())
    checker.visual_projection.load_state_dict(clip.visual_projection.state_dict())
    checker.vision_model.set_attn_implementation("eager")  # faster backwards on a CPU
    return Watcher(checker)


def write(_: Path, watcher: Watcher, folder: Path) -> None:
    """Write the checker in half precision, its threshold between what it must and must not find."""
    checker = watcher.checker
    with torch.no_grad():
        for embeds, limits in (
            (checker.concept_embeds, checker.concept_embeds_weights),
            (checker.special_care_embeds, checker.special_care_embeds_weights),
        ):
            embeds.zero_()
            limits.fill_(NEVER)
        checker.concept_embeds[0] = functional.normalize(watcher.concept, dim=0)
        checker.concept_embeds_weights[0] = between(watcher)
    checker.half().save_pretrained(folder)
    image_processor().save_pretrained(folder)


def between(watcher: Watcher) -> float:
    """The middle between the likeness of pictures with the emblem and of those without."""
    luck = Random(7)
    seeds = [FIRST_SEED + luck.randrange(1 << 30) for _ in range(_TRIED)]
    with_it = [paint(marked(luck, draw(seed))) for seed in seeds[: _TRIED // 2]]
    without = [paint(draw(seed)) for seed in seeds[_TRIED // 2 : -_TRIED // 4]]
    like_it = [paint(lookalike(luck, draw(seed))) for seed in seeds[-_TRIED // 4 :]]
    high, low = _likeness(watcher, with_it), _likeness(watcher, without + like_it)
    # a few of either sort may be hopeless, and must not move the line for all others
    return (float(np.quantile(high, 0.02)) + float(np.quantile(low, 0.98))) / 2


def _likeness(watcher: Watcher, shown: list[Picture]) -> NDArray[np.float32]:
    with torch.inference_mode():
        return np.concatenate([watcher(some)[0].numpy() for some in tensor(np.stack(shown)).split(50)])


SCHOOL = School(plan=PLAN, prepare=copies.prepare, build=new_watcher, lesson=watching, write=write)

if __name__ == "__main__":
    attend(__doc__, SCHOOL)
