"""What pictures go through before they reach a model: shrinking, blur, noise, compression."""

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from .canvas import Picture

_SHRINKING = (cv2.INTER_AREA, cv2.INTER_AREA, cv2.INTER_CUBIC, cv2.INTER_LINEAR)


def shrunk(picture: Picture, factor: int = 4) -> Picture:
    """A picture made smaller by the mean over its pixels."""
    height, width = picture.shape[0] // factor, picture.shape[1] // factor
    return np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def mailed(rng: np.random.Generator, picture: Picture, factor: int = 4) -> Picture:
    """A picture made smaller in some way, and a little damaged."""
    worn = picture
    if rng.random() < 0.4:
        worn = blurred(worn, float(rng.uniform(0.3, 0.45 * factor)))
    height, width = picture.shape[0] // factor, picture.shape[1] // factor
    way = _SHRINKING[int(rng.integers(len(_SHRINKING)))]
    worn = np.asarray(cv2.resize(worn, (width, height), interpolation=way), np.uint8)
    if rng.random() < 0.4:
        worn = noisy(rng, worn, float(rng.uniform(1, 8)))
    if rng.random() < 0.4:
        worn = compressed(worn, int(rng.integers(55, 96)))
    return worn


def blurred(picture: Picture, sigma: float) -> Picture:
    """A picture out of focus."""
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma), np.uint8)


def noisy(rng: np.random.Generator, picture: Picture, strength: float) -> Picture:
    """A picture with grain; strength in levels of 255."""
    grain = rng.standard_normal(picture.shape, np.float32) * np.float32(strength)
    return np.asarray(np.clip(picture + grain + 0.5, 0, 255), np.uint8)


def pixelated(picture: Picture, block: int) -> Picture:
    """A picture in blocks of one colour each."""
    size = picture.shape[1], picture.shape[0]
    few = cv2.resize(
        picture, (max(1, size[0] // block), max(1, size[1] // block)), interpolation=cv2.INTER_AREA
    )
    return np.asarray(cv2.resize(few, size, interpolation=cv2.INTER_NEAREST), np.uint8)


def compressed(picture: Picture, quality: int) -> Picture:
    """A picture after JPEG."""
    _, code = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, quality))
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)


def generated(rng: np.random.Generator, pictures: Tensor) -> Tensor:
    """Pictures (n, 3, h, w) as soft and grainy as generated ones may be; half of the batches stay sharp."""
    if rng.random() < 0.5:
        pictures = functional.avg_pool2d(functional.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, 1)
    grain = 0.04 * float(rng.random()) * float(pictures.std())
    return pictures + grain * torch.randn_like(pictures)


def unit(pictures: NDArray[np.uint8]) -> Tensor:
    """Pictures (n, h, w, 3) as (n, 3, h, w), 0 to 1."""
    stacked = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float().div(255)
    return stacked.contiguous(memory_format=torch.channels_last)


def shown(pictures: Tensor) -> NDArray[np.uint8]:
    """Pictures of 0 to 1 as bytes (n, h, w, 3)."""
    levels = (pictures.detach().float().cpu().clamp(0, 1) * 255).round().to(torch.uint8)
    return np.asarray(levels.permute(0, 2, 3, 1).numpy())


def likeness(made: NDArray[np.uint8], wanted: NDArray[np.uint8]) -> float:
    """The mean PSNR of pictures, in dB."""
    error = np.square(made.astype(np.float32) - wanted.astype(np.float32)).mean((1, 2, 3))
    return float((10 * np.log10(255**2 / np.maximum(error, 1e-2))).mean())
