"""Well-known models by short names, and where their makers publish them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from engine.weights import Kind


class Known(Struct, frozen=True):
    """A model that people ask for. What is not written here is asked from its source."""

    kind: Kind
    hub: str = ""
    """Its repository."""
    file: str = ""
    """The file in the repository, or a folder of it with `/` at the end; empty for all of it."""
    url: str = ""
    """Where it lies, if not in a repository."""
    check: str = ""
    """What its content is known by, such as md5:…, where the source does not say."""
    licence: str = ""
    """Where the source does not say."""
    bytes: int = 0


def controlnet(hub: str, licence: str = "") -> Known:
    return Known("controlnet", hub, licence=licence)


def filler(hub: str, licence: str) -> Known:
    """A UNet that fills holes, without what reads and decodes for it."""
    return Known("denoiser", hub, "unet/", licence=licence)


def lora(hub: str, licence: str, file: str = "pytorch_lora_weights.safetensors") -> Known:
    return Known("lora", hub, file, licence=licence)


def ip_adapter(file: str, kind: Kind = "ip_adapter") -> Known:
    """A file of those that first came, or who looks for them: ViT-H for all but one, ViT-bigG for that."""
    return Known(kind, "h94/IP-Adapter", file, licence="Apache-2.0")


def t2i_adapter(hub: str) -> Known:
    return Known("t2i_adapter", f"TencentARC/{hub}", licence="Apache-2.0")


OPEN, OPEN_XL = "CreativeML OpenRAIL-M", "CreativeML OpenRAIL++-M"
RELEASES = "https://github.com"


def realesrgan(file: str) -> Known:
    """One that its makers publish: a release and its file."""
    url = f"{RELEASES}/xinntao/Real-ESRGAN/releases/download/{file}.pth"
    return Known("upscale", url=url, licence="BSD-3-Clause")


def background(name: str, md5: str) -> Known:
    """One that rembg publishes, with the sum that rembg itself checks."""
    url = f"{RELEASES}/danielgatis/rembg/releases/download/v0.0.0/{name}.onnx"
    return Known("background", url=url, check=f"md5:{md5}", licence="Apache-2.0")


def aesthetic(repository: str, file: str, licence: str) -> Known:
    """A head that was taught how much people liked pictures."""
    return Known("aesthetic", url=f"{RELEASES}/{repository}/raw/main/{file}", licence=licence)


KNOWN: dict[str, Known] = {
    "sd15": Known(
        "model",
        "stable-diffusion-v1-5/stable-diffusion-v1-5",
        "v1-5-pruned-emaonly.safetensors",
        licence=OPEN,
        bytes=4_265_146_304,
    ),
    "sdxl": Known(
        "model",
        "stabilityai/stable-diffusion-xl-base-1.0",
        "sd_xl_base_1.0.safetensors",
        licence=OPEN_XL,
        bytes=6_938_078_334,
    ),
    "sdxl-refiner": Known(
        "model",
        "stabilityai/stable-diffusion-xl-refiner-1.0",
        "sd_xl_refiner_1.0.safetensors",
        licence=OPEN_XL,
        bytes=6_075_981_930,
    ),
    "sd15-inpainting": filler("stable-diffusion-v1-5/stable-diffusion-inpainting", OPEN),
    "sdxl-inpainting": filler("diffusers/stable-diffusion-xl-1.0-inpainting-0.1", OPEN_XL),
    "lcm-lora-sd15": lora("latent-consistency/lcm-lora-sdv1-5", OPEN_XL),
    "lcm-lora-sdxl": lora("latent-consistency/lcm-lora-sdxl", OPEN_XL),
    "pixel-art-xl": lora("nerijs/pixel-art-xl", OPEN, "pixel-art-xl.safetensors"),
    "controlnet-canny": controlnet("lllyasviel/control_v11p_sd15_canny", OPEN),
    "controlnet-depth": controlnet("lllyasviel/control_v11f1p_sd15_depth", OPEN),
    "controlnet-pose": controlnet("lllyasviel/control_v11p_sd15_openpose", OPEN),
    "controlnet-scribble": controlnet("lllyasviel/control_v11p_sd15_scribble", OPEN),
    "controlnet-lineart": controlnet("lllyasviel/control_v11p_sd15_lineart", OPEN),
    "controlnet-tile": controlnet("lllyasviel/control_v11f1e_sd15_tile", OPEN),
    "controlnet-canny-sdxl": controlnet("diffusers/controlnet-canny-sdxl-1.0", OPEN_XL),
    "controlnet-depth-sdxl": controlnet("diffusers/controlnet-depth-sdxl-1.0", OPEN_XL),
    "controlnet-pose-sdxl": controlnet("thibaud/controlnet-openpose-sdxl-1.0"),
    "t2i-canny": t2i_adapter("t2iadapter_canny_sd15v2"),
    "t2i-sketch": t2i_adapter("t2iadapter_sketch_sd15v2"),
    "t2i-canny-sdxl": t2i_adapter("t2i-adapter-canny-sdxl-1.0"),
    "t2i-depth-sdxl": t2i_adapter("t2i-adapter-depth-midas-sdxl-1.0"),
    "t2i-sketch-sdxl": t2i_adapter("t2i-adapter-sketch-sdxl-1.0"),
    "vae-ft-mse": Known("vae", "stabilityai/sd-vae-ft-mse"),
    "sdxl-vae-fp16-fix": Known("vae", "madebyollin/sdxl-vae-fp16-fix"),
    "realesrgan-x4plus": realesrgan("v0.1.0/RealESRGAN_x4plus"),
    "realesrgan-x2plus": realesrgan("v0.2.1/RealESRGAN_x2plus"),
    "realesrgan-anime": realesrgan("v0.2.2.4/RealESRGAN_x4plus_anime_6B"),
    "realesrgan-general": realesrgan("v0.2.5.0/realesr-general-x4v3"),
    "gfpgan": Known(
        "face",
        url=f"{RELEASES}/TencentARC/GFPGAN/releases/download/v1.3.0/GFPGANv1.4.pth",
        licence="Apache-2.0, with parts under the licence of NVIDIA's StyleGAN2",
    ),
    "restoreformer": Known(
        "face",
        url=f"{RELEASES}/TencentARC/GFPGAN/releases/download/v1.3.4/RestoreFormer.pth",
        licence="Apache-2.0",
    ),
    "yunet": Known(
        "detector",
        "opencv/face_detection_yunet",
        "face_detection_yunet_2023mar.onnx",
        licence="MIT",
        bytes=232_589,
    ),
    "u2net": background("u2net", "60024c5c889badc19c04ad937298a77b"),
    "u2netp": background("u2netp", "8e83ca70e441ab06c318d82300c84806"),
    "isnet-general-use": background("isnet-general-use", "fc16ebd8b0c10d971d3513d564d01e29"),
    "depth-anything-v2-small": Known(
        "depth", "depth-anything/Depth-Anything-V2-Small-hf", licence="Apache-2.0"
    ),
    "vitpose-base": Known("pose", "usyd-community/vitpose-base-simple", licence="Apache-2.0"),
    "blip-base": Known("caption", "Salesforce/blip-image-captioning-base", licence="BSD-3-Clause"),
    "rt-detr": Known("finder", "PekingU/rtdetr_r50vd", licence="Apache-2.0"),
    "clipseg": Known("segmenter", "CIDAS/clipseg-rd64-refined", licence="Apache-2.0"),
    "mask2former-ade": Known("segmenter", "facebook/mask2former-swin-tiny-ade-semantic"),
    "sam-base": Known("segmenter", "facebook/sam-vit-base", licence="Apache-2.0"),
    "clip-base": Known("clip", "openai/clip-vit-base-patch32", licence="MIT"),
    "clip-large": Known("clip", "openai/clip-vit-large-patch14", licence="MIT"),
    "vgg16": Known("backbone", "timm/vgg16.tv_in1k", "model.safetensors", licence="BSD-3-Clause"),
    "lpips-vgg": Known(
        "lpips",
        url=f"{RELEASES}/richzhang/PerceptualSimilarity/raw/master/lpips/weights/v0.1/vgg.pth",
        check="sha256:a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
        licence="BSD-2-Clause",
    ),
    "lpips-alex": Known(
        "lpips",
        url=f"{RELEASES}/richzhang/PerceptualSimilarity/raw/master/lpips/weights/v0.1/alex.pth",
        licence="BSD-2-Clause",
    ),
    "aesthetic-linear": aesthetic("LAION-AI/aesthetic-predictor", "sa_0_4_vit_l_14_linear.pth", "MIT"),
    "aesthetic-mlp": aesthetic(
        "christophschuhmann/improved-aesthetic-predictor",
        "sac%2Blogos%2Bava1-l14-linearMSE.pth",
        "Apache-2.0",
    ),
    "magicprompt": Known("language", "Gustavosta/MagicPrompt-Stable-Diffusion", licence="MIT"),
    "safety-checker": Known("safety", "CompVis/stable-diffusion-safety-checker"),
    "nsfw-image": Known("safety", "Falconsai/nsfw_image_detection", licence="Apache-2.0"),
    "nsfw-text": Known("safety", "eliasalbouzidi/distilbert-nsfw-text-classifier", licence="Apache-2.0"),
    "taesd": Known("preview", "madebyollin/taesd"),
    "taesdxl": Known("preview", "madebyollin/taesdxl"),
    "ip-adapter-sd15": ip_adapter("models/ip-adapter_sd15.safetensors"),
    "ip-adapter-plus-sd15": ip_adapter("models/ip-adapter-plus_sd15.safetensors"),
    "ip-adapter-plus-face-sd15": ip_adapter("models/ip-adapter-plus-face_sd15.safetensors"),
    "ip-adapter-full-face-sd15": ip_adapter("models/ip-adapter-full-face_sd15.safetensors"),
    "ip-adapter-sdxl": ip_adapter("sdxl_models/ip-adapter_sdxl.safetensors"),
    "ip-adapter-plus-sdxl": ip_adapter("sdxl_models/ip-adapter-plus_sdxl_vit-h.safetensors"),
    "ip-adapter-plus-face-sdxl": ip_adapter("sdxl_models/ip-adapter-plus-face_sdxl_vit-h.safetensors"),
    "ip-adapter-vision": ip_adapter("models/image_encoder/", "vision"),
    "ip-adapter-vision-sdxl": ip_adapter("sdxl_models/image_encoder/", "vision"),
}
"""Models that nodes here use. Any other is fetched by its repository or address."""
ALSO = {
    "sd-1.5": "sd15",
    "sd1.5": "sd15",
    "stable-diffusion-v1-5": "sd15",
    "runwayml/stable-diffusion-v1-5": "sd15",
    "v1-5-pruned-emaonly": "sd15",
    "sd_xl_base_1.0": "sdxl",
    "stable-diffusion-xl-base-1.0": "sdxl",
    "sd_xl_refiner_1.0": "sdxl-refiner",
    "realesrgan": "realesrgan-x4plus",
    "RealESRGAN_x4plus": "realesrgan-x4plus",
    "RealESRGAN_x2plus": "realesrgan-x2plus",
    "RealESRGAN_x4plus_anime_6B": "realesrgan-anime",
    "realesr-general-x4v3": "realesrgan-general",
    "RestoreFormer": "restoreformer",
    "face_detection_yunet_2023mar": "yunet",
    "GFPGANv1.4": "gfpgan",
    **{KNOWN[name].hub: name for name in ("sd15", "sdxl", "sdxl-refiner")},
}
"""Other names for them."""


def known(name: str) -> Known | None:
    """The model of this short name, if it is one."""
    plain = name.removesuffix(".safetensors")
    return KNOWN.get(ALSO.get(plain, plain))


def offers(kind: Kind) -> list[str]:
    """Short names of models of a kind."""
    return [name for name, found in KNOWN.items() if found.kind == kind]
