"""What stands in front of a picture, found by rembg's sessions, and the edge between it and the rest."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
import torch
from PIL import Image as pil

from engine.errors import Unsupported
from engine.models import ModelFile
from engine.types import Image
from nodes._lib import geometry, pictures, planes

if TYPE_CHECKING:
    from nodes._lib.masking import Plane

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from pymatting.foreground.estimate_foreground_ml import estimate_foreground_ml
    from rembg.bg import alpha_matting_cutout
    from rembg.sessions import sessions

MATTED = 2**21
"""Pixels of the largest picture that is matted as it is: each takes about 3 kB meanwhile."""
OF_ITS_OWN = ("sam", "u2net_cloth_seg")
"""Sessions that want a hint, or find something else."""
CUSTOM = {320: "u2net_custom", 1024: "dis_custom"}
"""Sessions for files of other names, by the side of the picture that they want to see."""


def load(file: ModelFile) -> Any:
    """A session of rembg on a file of ours; nothing is fetched."""
    name = file.name.rpartition("/")[2].lower()
    kind = sessions.get(name)
    if name in OF_ITS_OWN or (kind is not None and not kind.is_local()):
        text = f"{file.name!r} does not tell what is in front."
        raise Unsupported(text, remedy="Use a background remover, such as u2net or isnet-general-use.")
    if kind is not None and not name.endswith("_custom"):
        return opened(kind, file)
    found = opened(sessions["u2net_custom"], file)
    side = found.inner_session.get_inputs()[0].shape[-1]
    return opened(sessions[CUSTOM[side]], file) if side in CUSTOM and side != 320 else found


def opened(kind: Any, file: ModelFile) -> Any:
    """With so many threads as torch has, and the same result every time."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
    options.use_deterministic_compute = True
    path = str(file.path)
    here = type(kind.__name__, (kind,), {"download_models": classmethod(lambda *_, **__: path)})
    try:
        return here(file.name, options, model_path=path, providers=["CPUExecutionProvider"])
    except (onnxruntime.capi.onnxruntime_pybind11_state.InvalidProtobuf,
            onnxruntime.capi.onnxruntime_pybind11_state.InvalidGraph) as error:  # fmt: skip
        said = str(error).partition("\n")[0]
        raise Unsupported(f"{file.name!r} is not an ONNX file: {said}", remedy="Get it again.") from None


def front(session: Any, image: Image) -> Plane:
    """How much each pixel belongs to what stands in front, 0 to 1."""
    with np.errstate(invalid="ignore", divide="ignore"):  # it divides by 0 where all pixels are alike
        masks = session.predict(shown(image))
    if not masks:
        return np.zeros((image.height, image.width), np.float32)
    return np.asarray(masks[0].convert("L"), np.float32) / np.float32(255)


def shown(image: Image) -> Any:
    return pil.fromarray(np.ascontiguousarray(pictures.bytes_of(pictures.rgb(image))))


def matted(image: Image, front: Plane, reach: int, thrift: int) -> Plane:
    """The edge found anew, hair by hair, within so many pixels of where it was."""
    scale = min(1, ((MATTED >> thrift) / (image.width * image.height)) ** 0.5)
    width, height = (max(1, round(side * scale)) for side in (image.width, image.height))
    small = geometry.scaled(image, width, height, "area")
    mask = geometry.scaled(Image(front[..., None]), width, height, "area")
    grey = pil.fromarray(np.ascontiguousarray(pictures.bytes_of(mask)[..., 0]))
    size = max(1, round(2 * reach * scale))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cut = alpha_matting_cutout(shown(small), grey, 240, 10, size)
    except ValueError:  # nothing is surely in front, or nothing surely behind: there is no edge
        return front
    alpha = Image(np.asarray(cut)[..., 3:].astype(np.float32) / 255)
    return np.asarray(geometry.scaled(alpha, image.width, image.height, "bicubic").pixels[..., 0])


def hardened(front: Plane, hardness: float) -> Plane:
    """The soft edge made narrower about its middle, down to none."""
    if hardness >= 1:
        return (front >= 0.5).astype(np.float32)
    found: Plane = np.clip((front - 0.5) / np.float32(1 - hardness) + 0.5, 0, 1).astype(np.float32)
    return found


def cut_out(image: Image, front: Plane, clean: bool) -> Image:
    """What stands in front, on nothing; cleaned, its edge has no colour of what was behind it."""
    colours, alpha = planes.split(image)
    colours = planes.widened(colours, 3)
    if clean and 0 < front.mean() < 1:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            whole = estimate_foreground_ml(colours.astype(np.float64), front.astype(np.float64))
        colours = np.where(front[..., None] < 1, whole.astype(np.float32), colours)
    seen = front[..., None] if alpha is None else front[..., None] * alpha
    return Image(planes.stored(np.concatenate([colours, seen], 2), image.pixels.dtype))
