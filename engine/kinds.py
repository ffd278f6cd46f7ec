"""The kinds of models: where each lies, how its files end, what people call it."""

from __future__ import annotations

from engine.weights import GGUF, ONNX, SAFE, UNSAFE, Kind

FOLDERS: dict[Kind, tuple[str, ...]] = {
    "model": ("checkpoints", "diffusers", "Stable-diffusion"),
    "denoiser": ("denoisers", "diffusion_models", "unet"),
    "lora": ("loras", "Lora"),
    "controlnet": ("controlnet", "ControlNet"),
    "vae": ("vae", "VAE"),
    "upscale": ("upscale", "upscale_models", "ESRGAN", "RealESRGAN"),
    "face": ("faces", "facerestore_models", "GFPGAN"),
    "detector": ("detectors", "facedetection"),
    "background": ("background", "rembg", "BiRefNet"),
    "segmenter": ("segmenters", "clipseg"),
    "embedding": ("embeddings",),
    "t2i_adapter": ("t2i_adapters",),
    "ip_adapter": ("ip_adapters", "ipadapter"),
    "vision": ("vision", "clip_vision"),
    "preview": ("previews", "vae_approx"),
    "depth": ("depth",),
    "pose": ("pose",),
    "caption": ("captions",),
    "finder": ("finders",),
    "clip": ("clip",),
    "language": ("language",),
    "safety": ("safety",),
    "backbone": ("backbones",),
    "lpips": ("lpips",),
    "aesthetic": ("aesthetic",),
}
"""Where each kind lies in a models folder: ours first, then as ComfyUI and Automatic1111 call it."""

ENDINGS: dict[Kind, tuple[str, ...]] = {"detector": (ONNX, SAFE), "background": (ONNX,)}
"""Of the single files of a kind; safetensors where nothing is said."""
ALONE: dict[str, Kind] = {
    "upscaler.safetensors": "upscale",
    "face-restorer.safetensors": "face",
    "face-finder.onnx": "detector",
    "background.onnx": "background",
}
"""Files of the starter family that are a whole model."""
NOUNS: dict[Kind, str] = {
    "upscale": "upscaler",
    "face": "face restorer",
    "detector": "face finder",
    "background": "background remover",
    "lpips": "LPIPS head",
    "aesthetic": "aesthetic head",
    "safety": "safety checker",
}
"""What models of a kind are called, where the kind is no word for it."""
REFUSED = (*UNSAFE, GGUF)
"""How files of weights end that are known and not loaded."""
STARTER = "starter-"
"""What names of the starter family begin with, but for its base."""


def stem(name: str, kind: Kind) -> str:
    """The name without the ending of a file."""
    found = next((e for e in ENDINGS.get(kind, (SAFE,)) if name.lower().endswith(e)), "")
    return name[: len(name) - len(found)]
