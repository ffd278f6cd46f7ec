"""Model families: how each is recognised, and the facts its nodes need. A family is one row."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from msgspec import Struct

from engine.errors import BadInput, Unsupported
from engine.models import ModelFile, header
from nodes._lib.previews import Factors

CONFIGS = Path(__file__).parent / "configs"


class Family(Struct, frozen=True):
    """What makes a family: its names in files, its pipeline in diffusers."""

    name: str
    title: str
    pipelines: tuple[str, ...]
    """Classes that a diffusers folder may name in model_index.json."""
    pipeline: str
    """The class that turns noise into latents."""
    denoiser: str
    """What that class calls the denoiser."""
    without: tuple[str, ...]
    """Parts of that class that are not needed for latents."""
    signature: dict[str, tuple[int, ...]]
    """Tensors that a single file of this family has, with their shapes."""
    prefixes: dict[str, str]
    """What the names of its tensors start with in a single file, by part."""
    config: Path
    """The folder of configurations for single files, which have none."""
    preview: Factors


SD15 = Family(
    name="sd15",
    title="Stable Diffusion 1.5",
    pipelines=("StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline", "StableDiffusionInpaintPipeline"),
    pipeline="StableDiffusionPipeline",
    denoiser="unet",
    without=("vae", "text_encoder", "tokenizer", "safety_checker", "feature_extractor"),
    signature={
        "model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3),
        "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 768),
    },
    prefixes={
        "unet": "model.diffusion_model.",
        "vae": "first_stage_model.",
        "text_encoder": "cond_stage_model.",
    },
    config=CONFIGS / "sd15",
    # the widely used fit for the VAE of Stable Diffusion 1, published by its author K. Turner in 2022
    preview=(
        (0.298, 0.207, 0.208),
        (0.187, 0.286, 0.173),
        (-0.158, 0.189, 0.264),
        (-0.184, -0.271, -0.473),
        (0.0, 0.0, 0.0),
    ),
)

FAMILIES: dict[str, Family] = {family.name: family for family in (SD15,)}


CONTROLNET_SIGNS = ("control_model.input_hint_block.0.weight", "input_hint_block.0.weight")


class Facts(Struct, frozen=True):
    """What a model file says about itself."""

    family: Family
    channels: int
    factor: int
    size: int
    prediction: str


def family(name: str) -> Family:
    """The row of this name."""
    if (found := FAMILIES.get(name)) is None:
        raise BadInput("model", got=name, want=f"a family among {', '.join(FAMILIES)}")
    return found


def facts(file: ModelFile) -> Facts:
    """Recognise a model. Raises Unsupported for a layout that no family has."""
    found = of_folder(file) if file.layout == "diffusers" else of_file(file)
    folder = file.path if file.layout == "diffusers" else found.config
    unet, vae = config(folder / "unet"), config(own(folder, "vae", found))
    factor = 2 ** (len(vae["block_out_channels"]) - 1)
    return Facts(
        family=found,
        channels=int(vae["latent_channels"]),
        factor=factor,
        size=int(unet["sample_size"]) * factor,
        prediction=str(schedule(own(folder, "scheduler", found))["prediction_type"]),
    )


def own(folder: Path, part: str, family: Family) -> Path:
    """The folder of a part's configuration: the model's own, or the family's where it has none."""
    return folder / part if (folder / part).is_dir() else family.config / part


def of_folder(file: ModelFile) -> Family:
    if file.kind == "denoiser":
        return of_unet(file)
    index = read(file.path / "model_index.json")
    name = str(index.get("_class_name"))
    for row in FAMILIES.values():
        if name in row.pipelines:
            return row
    raise Unsupported(f"Model {file.name!r} is made for {name}.", remedy=f"Use one of: {titles()}.")


def of_file(file: ModelFile) -> Family:
    tensors = header(file.path)
    for row in FAMILIES.values():
        if all(name in tensors and tensors[name].shape == shape for name, shape in row.signature.items()):
            return row
    raise Unsupported(
        f"Model {file.name!r} has {len(tensors)} tensors in a layout that is not known, starting with "
        f"{next(iter(sorted(tensors)), 'none')!r}.",
        remedy=f"Use a whole checkpoint of: {titles()}.",
    )


def of_controlnet(file: ModelFile) -> str:
    """The family that a ControlNet was made for. Raises Unsupported for one that no family has."""
    if file.layout == "diffusers":
        return "sdxl" if config(file.path).get("addition_embed_type") == "text_time" else "sd15"
    if any(name in header(file.path) for name in CONTROLNET_SIGNS):
        return "sd15"
    raise Unsupported(
        f"ControlNet {file.name!r} is in a layout that is not known.",
        remedy="Use a diffusers folder, or the file that its makers published.",
    )


def titles() -> str:
    return ", ".join(row.title for row in FAMILIES.values())


def of_unet(file: ModelFile) -> Family:
    """The family of a denoiser that stands alone."""
    about = config(file.path / "unet")
    if about.get("_class_name") == "UNet2DConditionModel" and about.get("addition_embed_type") is None:
        return SD15
    raise Unsupported(
        f"Denoiser {file.name!r} is a {about.get('_class_name')} of no known family.",
        remedy=f"Use one of: {titles()}.",
    )


def schedule(folder: Path) -> dict[str, Any]:
    """The noise schedule that a model was trained with, from its folder `scheduler`."""
    return {"prediction_type": "epsilon", **read(folder / "scheduler_config.json")}


def config(folder: Path) -> dict[str, Any]:
    return read(folder / "config.json")


def read(file: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError):
        place = f"{file.parent.name}/{file.name}"
        raise Unsupported(
            f"The model lacks a readable {place}.", remedy="Get the whole model again."
        ) from None
