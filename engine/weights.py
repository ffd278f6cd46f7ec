"""What lies in files and folders of weights, by their own account."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePath
from typing import Literal, get_args

import msgspec
from msgspec import Struct

from engine.errors import UnsafeModel

Kind = Literal[
    "model", "denoiser", "lora", "controlnet", "vae", "upscale", "face", "detector", "background",
    "segmenter", "embedding", "t2i_adapter", "ip_adapter", "vision", "preview", "depth", "pose", "caption",
    "safety", "finder", "clip", "language", "backbone", "lpips", "aesthetic",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)

SAFE = ".safetensors"
ONNX = ".onnx"
UNSAFE = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
GGUF = ".gguf"
COUNTED = (SAFE, ".json", ".txt")
"""Files of a diffusers folder that make its content; pictures and readmes do not."""
HEADER_LIMIT = 100 * 1024**2
DEPTH = 4
"""Levels of sub-folders that are searched."""

WHOLE: tuple[Kind, ...] = (
    "depth", "pose", "finder", "segmenter", "caption", "clip", "language", "safety",
)  # fmt: skip
"""Kinds whose models are whole folders, as transformers saves them."""
ARCHITECTURES: tuple[tuple[str, Kind], ...] = (
    ("ForDepthEstimation$", "depth"),
    ("ForPoseEstimation$", "pose"),
    ("ForObjectDetection$", "finder"),
    ("For(Semantic|Universal|Instance|Image)?Segmentation$|^Sam\\w*Model$", "segmenter"),
    ("^(CLIP|Siglip\\d*)Model$", "clip"),
    ("^VisionEncoderDecoderModel$|^Blip\\w*ForConditionalGeneration$|^GitForCausalLM$", "caption"),
    ("LMHeadModel$|ForCausalLM$", "language"),
    ("^StableDiffusionSafetyChecker$|For(Image|Sequence)Classification$", "safety"),
)
"""What the architecture that a transformers folder names is for; the first that fits counts."""
CLASSES: dict[str, Kind] = {
    "ControlNetModel": "controlnet",
    "SD3ControlNetModel": "controlnet",
    "FluxControlNetModel": "controlnet",
    "T2IAdapter": "t2i_adapter",
    "UNet2DConditionModel": "denoiser",
    "AutoencoderTiny": "preview",
}
"""What a diffusers folder of this class is for."""
SEES = "ForConditionalGeneration"
"""Ends the names of models that go on with a text: with a picture too, if they have a part for it."""


class Tensor(Struct, frozen=True):
    """One entry of a safetensors header."""

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


def header(path: Path) -> dict[str, Tensor]:
    """Names, types and shapes of the tensors in a safetensors file; its weights are not read."""
    with path.open("rb") as stream:
        start = stream.read(8)
        size = int.from_bytes(start, "little")
        try:
            if size > min(HEADER_LIMIT, path.stat().st_size - 8):
                raise ValueError("no header")
            return header_in(start + stream.read(size))
        except ValueError:
            text = f"{path.name} is not a safetensors file."
            raise UnsafeModel(text, remedy="Get the file again.") from None


def header_in(start: bytes) -> dict[str, Tensor]:
    """The same from how a file begins. Raises ValueError if that is no header."""
    size = int.from_bytes(start[:8], "little")
    if len(start) < 8 + size or not size:
        raise ValueError("no header")
    found = msgspec.json.decode(start[8 : 8 + size], type=dict[str, msgspec.Raw])
    found.pop("__metadata__", None)
    return {name: msgspec.json.decode(entry, type=Tensor) for name, entry in found.items()}


def weights_of(folder: Path, wanted: str = "") -> list[Path]:
    """The safetensors files of one part of a model, without other variants of the same weights.

    Of the wanted variant if it has that, or else the plain ones.
    """
    files = sorted(folder.glob(f"*{SAFE}"))
    plain = [file for file in files if not variant(file)]
    return [file for file in files if wanted and variant(file) == wanted] or plain or files


def variant(file: PurePath) -> str:
    """`fp16` of `model.fp16.safetensors` and `model.fp16-00001-of-00002.safetensors`."""
    found = re.search(r"\.(fp16|bf16|fp32|fp8|ema|non_ema)(-\d+-of-\d+)?\.safetensors$", file.name)
    return found.group(1) if found else ""


def variants(folder: Path) -> set[str]:
    """The variants of weights that a model's folder has somewhere, besides the plain ones."""
    return {variant(file) for file in folder.rglob(f"*{SAFE}")} - {""}


def counted(folder: Path) -> list[tuple[str, Path]]:
    """The files that make a folder's content, by relative name."""
    files = [path for path in folder.rglob("*") if path.suffix.lower() in COUNTED and path.is_file()]
    return sorted((path.relative_to(folder).as_posix(), path) for path in files)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for _, path in counted(folder))


def on_disk(models: Iterable[Path]) -> int:
    """What these files and folders take together: a file that several share, by links, is there once."""
    files = {path.resolve() for model in models for path in files_of(model)}
    return sum(path.stat().st_size for path in files)


def files_of(model: Path) -> list[Path]:
    return [model] if model.is_file() else [path for _, path in counted(model)]


def is_diffusers(path: Path) -> bool:
    return any((path / name).is_file() for name in ("model_index.json", "config.json", "unet/config.json"))


class About(Struct, rename={"class_name": "_class_name"}):
    """What the `config.json` of a folder says it holds."""

    class_name: str = ""
    architectures: list[str] | None = None
    vision_config: dict[str, msgspec.Raw] | None = None


def kind_of(folder: Path) -> Kind | None:
    """What a folder of diffusers or transformers holds, by its own account."""
    if (folder / "model_index.json").is_file():
        return "model"
    if (folder / "unet" / "config.json").is_file():
        return "denoiser"
    if (folder / "pytorch_lora_weights.safetensors").is_file():
        return "lora"
    try:
        about = msgspec.json.decode((folder / "config.json").read_bytes(), type=About)
    except (OSError, msgspec.MsgspecError):
        return None
    if (kind := CLASSES.get(about.class_name)) is not None:
        return kind
    name = (about.architectures or [""])[0]
    if name.endswith(SEES) and about.vision_config is not None:
        return "caption"
    return next((kind for pattern, kind in ARCHITECTURES if re.search(pattern, name)), None)


def has_weights(folder: Path) -> bool:
    return any(path.suffix.lower() == SAFE for _, path in counted(folder))


def walk(top: Path, depth: int = DEPTH) -> Iterator[Path]:
    """Files and diffusers folders below, in order of name; what is hidden is left out."""
    if not top.is_dir() or depth < 0:
        return
    for path in sorted(top.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_file() or is_diffusers(path):
            yield path
        elif path.is_dir():
            yield from walk(path, depth - 1)
