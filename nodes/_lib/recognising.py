"""What a model file says about itself: which family it belongs to, and its numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct

from engine.errors import BadInput, Unsupported
from engine.models import ModelFile
from engine.weights import header
from nodes._lib.families import FAMILIES, LATENTS, Family, Latents, titles

CONTROLNET_SIGNS = (
    "control_model.input_hint_block.0.weight",
    "input_hint_block.0.weight",
    "controlnet_cond_embedding.conv_in.weight",
)
CONTROLNETS = {768: "sd15", 1024: "sd2", 2048: "sdxl"}
"""Families by how wide the prompts are that their ControlNets hear."""
JOINED = {"SD3ControlNetModel": "sd3", "FluxControlNetModel": "flux"}
"""Families by how the ControlNets of their transformers are called."""
FLOW = "flow"
"""How the prediction of a model is called that was taught by flow matching."""
REMEDY = "A family is one row in nodes/_lib/families.py; docs/families.md says how to add one."


class Facts(Struct, frozen=True):
    """What a model file says about itself."""

    family: Family
    channels: int
    factor: int
    size: int
    prediction: str
    distilled: bool


def facts(file: ModelFile) -> Facts:
    """Recognise a model. Raises Unsupported for a layout that no family has."""
    found = family_of(file)
    folder = folder_of(file, found)
    check_numbers(file)
    denoiser, vae = config(inside(folder, found.denoiser)), config(own(folder, "vae", found))
    channels, factor = cell_of(vae)
    return Facts(
        family=found,
        channels=channels,
        factor=factor,
        size=int(denoiser["sample_size"]) * factor if size_known(denoiser) else found.size,
        prediction=prediction(schedule_of(file, found)),
        distilled=bool(denoiser.get("guidance_embeds") or denoiser.get("time_cond_proj_dim")),
    )


def check_numbers(file: ModelFile) -> None:
    """Raise Unsupported for weights in the numbers of a library that is not here."""
    for path in sorted(file.path.glob("*/config.json")) if file.layout == "diffusers" else ():
        if how := read(path).get("quantization_config"):
            raise Unsupported(
                f"The {path.parent.name} of model {file.name!r} is quantised by {how.get('quant_method')}, "
                "which is not here.",
                remedy='Get the model in full precision; load_model makes it small with dtype "float8".',
            )


def family_of(file: ModelFile) -> Family:
    """The row that a file belongs to."""
    if file.layout == "single_file":
        return of_file(file)
    return of_unet(file) if file.kind == "denoiser" else of_folder(file)


def folder_of(file: ModelFile, family: Family) -> Path:
    """Where the configurations of a model lie; those of a single file come along with us."""
    if file.layout == "diffusers" or family.single is None:
        return file.path
    return family.single.config


def own(folder: Path, part: str, family: Family) -> Path:
    """The folder of a part's configuration: the model's own, or the family's where it has none."""
    if (folder / part).is_dir() or family.single is None:
        return folder / part
    return family.single.config / part


def inside(folder: Path, part: str) -> Path:
    """The folder of a part: one of that name, or a denoiser that stands alone is right here."""
    alone = not (folder / part).is_dir() and (folder / "config.json").is_file()
    return folder if alone else folder / part


def of_folder(file: ModelFile) -> Family:
    index = read(file.path / "model_index.json")
    name = str(index.get("_class_name"))
    rows = [row for row in FAMILIES.values() if name in row.pipelines]
    about = config(file.path / rows[0].denoiser) if rows else {}
    for row in sorted(rows, key=lambda row: -len(row.where) - len(row.lacks)):
        if says(about, row) and not any(has(index, part) for part in row.lacks):
            return row
    if known(name):
        text = f"Model {file.name!r} is made for {name}: diffusers has that family, the table here does not."
        raise Unsupported(text, remedy=f"{REMEDY} Here are: {titles()}.")
    raise Unsupported(f"Model {file.name!r} is made for {name}.", remedy=f"Use one of: {titles()}.")


def says(about: dict[str, Any], row: Family) -> bool:
    """Whether a denoiser's configuration is that of a row; a row known by what it lacks needs none."""
    return bool(row.lacks) or all(about.get(name) == value for name, value in row.where.items())


def has(index: dict[str, Any], part: str) -> bool:
    """Whether a model has a part, by its index: those it lacks stand there as nulls."""
    return names_part(index.get(part)) and any(index[part])


def names_part(entry: object) -> bool:
    """Whether an entry of an index is a library and a class, or two nulls, and no setting."""
    return isinstance(entry, list) and len(entry) == 2 and all(isinstance(one, str | None) for one in entry)


def known(pipeline: str) -> bool:
    """Whether diffusers has a pipeline of this name."""
    import diffusers

    return pipeline.endswith("Pipeline") and hasattr(diffusers, pipeline)


def of_file(file: ModelFile) -> Family:
    tensors = header(file.path)
    for row in FAMILIES.values():
        if row.single is not None and all(
            name in tensors and tensors[name].shape in (shape, fillers(shape))
            for name, shape in row.single.signature.items()
        ):
            return row
    singles = ", ".join(row.title for row in FAMILIES.values() if row.single is not None)
    raise Unsupported(
        f"Model {file.name!r} has {len(tensors)} tensors in a layout that is not known, starting with "
        f"{next(iter(sorted(tensors)), 'none')!r}.",
        remedy=f"Use a whole checkpoint of: {singles}. Other families load from a diffusers folder only.",
    )


def fillers(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of what sees latents, if it was made to fill holes: it sees the hole and its mask, too."""
    out, seen, *rest = shape
    return (out, 2 * seen + 1, *rest)


def seen_by(file: ModelFile, family: Family) -> dict[str, int]:
    """How many channels the denoiser of a single file sees; its family's configuration is for most."""
    if file.layout == "diffusers" or family.single is None:
        return {}
    about = header(file.path).get(f"{family.single.denoiser}input_blocks.0.0.weight")
    return {"in_channels": about.shape[1]} if about else {}


def of_unet(file: ModelFile) -> Family:
    """The family of a denoiser that stands alone."""
    about = config(inside(file.path, "unet"))
    if about.get("_class_name") == "UNet2DConditionModel":
        told = about.get("addition_embed_type") == "text_time"
        rows = [row for row in FAMILIES.values() if row.classic and bool(row.told) == told]
        for row in sorted(rows, key=lambda row: -len(row.where)):
            if all(about.get(name) == value for name, value in row.where.items()):
                return row
    raise Unsupported(
        f"Denoiser {file.name!r} is a {about.get('_class_name')} of no known family.",
        remedy=f"Use one of: {titles()}.",
    )


def of_controlnet(file: ModelFile) -> str:
    """The family that a ControlNet was made for. Raises Unsupported for one that no family has."""
    if file.layout == "diffusers":
        about = config(file.path)
        name = str(about.get("_class_name"))
        if name in JOINED:
            return JOINED[name]
        if name != "ControlNetModel":
            raise Unsupported(
                f"{file.name!r} is a {name}, not a ControlNet of a kind that is known.",
                remedy="Use one that was made for Stable Diffusion 1.5, 2, XL or 3, or for Flux.",
            )
        return CONTROLNETS.get(about.get("cross_attention_dim", 0), other(about))
    tensors = header(file.path)
    if any(name in tensors for name in CONTROLNET_SIGNS):
        wide = [about.shape[1] for name, about in tensors.items() if name.endswith("attn2.to_k.weight")]
        return CONTROLNETS.get(wide[0], "sd15") if wide else "sd15"
    raise Unsupported(
        f"ControlNet {file.name!r} is in a layout that is not known.",
        remedy="Use a diffusers folder, or the file that its makers published.",
    )


def other(about: dict[str, Any]) -> str:
    """The family of a ControlNet that is not of full size."""
    return "sdxl" if about.get("addition_embed_type") == "text_time" else "sd15"


def of_t2i_adapter(file: ModelFile) -> str:
    """The family that a T2I-Adapter was made for. Raises Unsupported for what is none."""
    remedy = "Use a folder with its config.json, as `python server.py models fetch t2i-canny` gets it."
    about = said(file, "_class_name", "T2IAdapter", "T2I-Adapter in the layout of diffusers", remedy)
    return "sdxl" if about.get("adapter_type") == "full_adapter_xl" else "sd15"


class Adapted(Struct, frozen=True):
    """What an IP-Adapter was made for."""

    family: str
    """Empty if it is none of full size: then only the denoiser can tell."""
    patches: bool
    sees: int
    """How many numbers it wants of a picture, or of each patch."""


def of_ip_adapter(file: ModelFile) -> Adapted:
    """What an IP-Adapter wants to see. Raises Unsupported for a layout that is not known."""
    shapes = {name: about.shape for name, about in header(file.path).items()}
    keys = [shape for name, shape in shapes.items() if name.endswith(".to_k_ip.weight")]
    family = CONTROLNETS.get(keys[0][1], "") if keys else ""
    if "image_proj.norm.weight" in shapes and "image_proj.proj.0.weight" in shapes:
        raise Unsupported(
            f"The IP-Adapter {file.name!r} wants faces as InsightFace measures them, which is not here.",
            remedy="Use ip-adapter-plus-face-sd15 or ip-adapter-full-face-sd15 for faces.",
        )
    for name, patches in (("proj", False), ("proj.0", True), ("proj_in", True)):
        if keys and (shape := shapes.get(f"image_proj.{name}.weight")) is not None:
            return Adapted(family, patches, shape[1])
    raise Unsupported(
        f"The IP-Adapter {file.name!r} is in a layout that is not known.",
        remedy="Use a `.safetensors` file that its makers published, with image_proj and ip_adapter in it.",
    )


class Sight(Struct, frozen=True):
    """In how many numbers a vision model tells what it sees."""

    whole: int
    patch: int


def of_vision(file: ModelFile) -> Sight:
    """What a vision model tells. Raises Unsupported for what is none."""
    remedy = "Put the whole folder into models/vision, with config.json and model.safetensors."
    what = "CLIP vision model with a configuration of its own"
    about = said(file, "model_type", "clip_vision_model", what, remedy)
    return Sight(int(about.get("projection_dim", 512)), int(about.get("hidden_size", 768)))


def said(file: ModelFile, name: str, wanted: str, what: str, remedy: str) -> dict[str, Any]:
    """The configuration of a folder. Raises Unsupported unless it says that it is what is wanted."""
    about = config(file.path) if file.layout == "diffusers" else {}
    if about.get(name) != wanted:
        raise Unsupported(f"{file.name!r} is no {what}.", remedy=remedy)
    return about


def of_vae(file: ModelFile, chosen: str = "auto") -> tuple[str, int]:
    """Whose latents a VAE that stands alone reads, and its factor."""
    rows = {name: config(row.config / "vae") for name, row in LATENTS.items() if has_vae(row)}
    if file.layout == "diffusers":
        about = config(file.path)
        same = [name for name, row in rows.items() if channels_of(row) == channels_of(about)]
        exact = [name for name in same if scaling(rows[name]) == scaling(about)]
        return one_of([chosen] if chosen in same else (exact or same)[:1], file), cell_of(about)[1]
    shapes = {name.removeprefix("first_stage_model."): t.shape for name, t in header(file.path).items()}
    channels = tiny_channels(shapes) or (*shapes.get("decoder.conv_in.weight", ()), 0, 0)[1]
    same = [name for name, row in rows.items() if channels_of(row) == channels]
    found = one_of([chosen] if chosen in same else same, file)
    return found, factor_of(rows[found])


TINY = "decoder.layers.0.weight"
"""What a small autoencoder, such as TAESD, has and no other."""


def tiny_channels(shapes: Mapping[str, tuple[int, ...]]) -> int:
    """Of the latents of a small autoencoder; 0 for a file that is none."""
    return (*shapes.get(TINY, ()), 0, 0)[1]


def one_of(found: list[str], file: ModelFile) -> str:
    if len(found) == 1:
        return found[0]
    if found:
        raise BadInput(
            "family", got="auto", want=" or ".join(found), remedy=f"{file.name} fits them all: choose."
        )
    raise Unsupported(
        f"VAE {file.name!r} is of no family that is known here.",
        remedy=f"Use one whose latents are those of {', '.join(LATENTS)}.",
    )


def has_vae(row: Latents) -> bool:
    return (row.config / "vae").is_dir()


def scaling(vae: dict[str, Any]) -> float:
    """What latents are multiplied by; the oldest configurations do not say."""
    return float(vae.get("scaling_factor") or 0.18215)


# -- configurations


def cell_of(vae: dict[str, Any]) -> tuple[int, int]:
    """Channels of a latent as denoisers see it, and pixels along each side of a cell."""
    patch = int(vae["patch_size"][0]) if NORMED in vae else 1
    return channels_of(vae) * patch**2, factor_of(vae) * patch


NORMED = "batch_norm_eps"
"""Says of a VAE that denoisers see its cells in patches, each channel normed by what it learned."""


def channels_of(vae: dict[str, Any]) -> int:
    return int(vae.get("latent_channels") or vae["z_dim"])


def factor_of(vae: dict[str, Any]) -> int:
    """Pixels along each side of a cell; VAEs say it in different ways."""
    if "block_out_channels" in vae:
        return int(2 ** (len(vae["block_out_channels"]) - 1))
    if "encoder_block_out_channels" in vae:
        return int(2 ** (len(vae["encoder_block_out_channels"]) - 1))
    return int(vae.get("scale_factor_spatial") or 2 ** len(vae["temperal_downsample"]))


def size_known(denoiser: dict[str, Any]) -> bool:
    return isinstance(denoiser.get("sample_size"), int)


def prediction(schedule: dict[str, Any]) -> str:
    """What a model was taught to answer: "epsilon", "v_prediction", "sample", or "flow"."""
    flow = str(schedule.get("_class_name")).startswith("FlowMatch") or schedule.get("use_flow_sigmas")
    return FLOW if flow else str(schedule["prediction_type"])


def schedule_of(file: ModelFile, family: Family) -> dict[str, Any]:
    """How a model was taught. Single files of that kind carry marks where they differ from their family."""
    found = schedule(own(folder_of(file, family), "scheduler", family))
    if file.layout == "single_file":
        names = header(file.path)
        if "v_pred" in names:
            found["prediction_type"] = "v_prediction"
        if "ztsnr" in names:
            found |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    return found


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
