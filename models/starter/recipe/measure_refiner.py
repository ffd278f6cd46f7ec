"""Measure the refiner: how sharp its pictures are beside renders, and what it adds to the twin's."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionXLImg2ImgPipeline
from torch import Tensor

from .base import kept
from .base_refiner import LAST
from .canvas import Picture, paint
from .draw import draw
from .exam import mark, questions
from .figures import Figure
from .measure_base import SHOWN, generate, mean
from .measure_xl import open_xl, sharpness
from .sheet import page
from .train_refiner import blur
from .train_vae import copied, tensor

FROM = 1 - LAST / 1000  # of the way, where the refiner takes over
_BATCH = 16


def figures(family: Path, count: int = 200, device: str = "cpu") -> list[Figure]:
    """Sharpness beside that of copied renders, the error in blurred renders, and that prompts are kept."""
    twin = open_xl(family, device)
    refiner = open_refiner(family, twin.vae, device)
    seeds = range(max(4, count // 4))
    asked = [draw(seed).captions[0] for seed in seeds]
    renders = np.stack([paint(draw(seed)) for seed in seeds])
    ideal = sharpness(list(copied(twin.vae, renders)))
    alone, both = sharpness(generate(twin, asked)), sharpness(relayed(twin, refiner, asked))
    exam = questions(count // 2)
    prompts = [question.prompt for question in exam]
    kept_before = mean_of(exam, generate(twin, prompts))
    kept_after = mean_of(exam, relayed(twin, refiner, prompts))
    gain = restored(refiner, renders, asked) - restored(twin, renders, asked)
    name = "xl-refiner"
    return [
        Figure(name, "sharpness, as near to renders' as", near(both, ideal), 0.95, near(alone, ideal)),
        Figure(name, "blurred renders restored, over the twin", gain, 0.5, 0, "dB"),
        Figure(name, "right answers after the twin", kept_after, kept_before - 0.01, kept_before),
    ]


def relayed(twin: Any, refiner: Any, prompts: list[str]) -> list[Picture]:
    """Pictures that the twin begins and the refiner ends."""

    def both(some: list[str], **given: Any) -> Any:
        begun = twin(some, **given, denoising_end=FROM, output_type="latent").images
        given = {name: value for name, value in given.items() if name not in ("height", "width")}
        return refiner(some, image=begun, **given, denoising_start=FROM)

    return generate(both, prompts)


def restored(drawing: Any, renders: Any, prompts: list[str]) -> float:
    """The PSNR, in dB, of renders that were blurred, noised, and denoised in the last steps alone."""
    vae = drawing.vae
    made = []
    with torch.inference_mode():
        for start in range(0, len(renders), _BATCH):
            some = renders[start : start + _BATCH]
            soft = tensor(np.stack([blur(index, picture) for index, picture in enumerate(some)]))
            latents = vae.encode(soft).latent_dist.mean * vae.config.scaling_factor
            made.append(_denoised(drawing, latents, prompts[start : start + _BATCH]))
        shown = vae.decode(torch.cat(made) / vae.config.scaling_factor).sample.clamp(-1, 1)
    error = ((shown - tensor(renders)) / 2).square().mean((1, 2, 3))
    return float((-10 * error.log10()).mean())


def _denoised(drawing: Any, latents: Tensor, prompts: list[str]) -> Tensor:
    """Latents noised to where the refiner begins, and denoised from there without guidance."""
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(3))
    left = kept()[LAST - 1]
    noisy = left.sqrt() * latents + (1 - left).sqrt() * noise
    image_to_image = StableDiffusionXLImg2ImgPipeline(
        **drawing.components,
        requires_aesthetics_score=bool(drawing.config.get("requires_aesthetics_score", False)),
        force_zeros_for_empty_prompt=False,
        add_watermarker=False,
    )
    image_to_image.set_progress_bar_config(disable=True)
    made: Tensor = image_to_image(
        prompts,
        image=noisy,
        num_inference_steps=20,
        denoising_start=FROM,
        guidance_scale=1.0,
        output_type="latent",
    ).images
    return made


def near(one: float, other: float) -> float:
    """How alike two amounts are: the smaller as a part of the larger."""
    return min(one, other) / max(one, other)


def mean_of(asked: list[Any], made: list[Picture]) -> float:
    """The mean of the right answers."""
    return mean({name: (value, 0.0) for name, value in mark(asked, made).items()})


def open_refiner(family: Path, vae: Any, device: str = "cpu") -> Any:
    """The pipeline, as anybody would load it: with the base's autoencoder."""
    drawing = StableDiffusionXLImg2ImgPipeline.from_pretrained(
        family / "xl-refiner", vae=vae, dtype=torch.float32
    )
    drawing.set_progress_bar_config(disable=True)
    return drawing.to(device)


def contact(family: Path, store: Path) -> None:
    """Pictures of the twin alone, and below each the same ended by the refiner."""
    twin = open_xl(family)
    refiner = open_refiner(family, twin.vae)
    some = list(SHOWN[:8]), list(SHOWN[8:16])
    page([row for many in some for row in (generate(twin, many), relayed(twin, refiner, many))], store)
