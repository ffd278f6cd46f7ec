"""Model families: all of them, in one table. A family is one row."""

from __future__ import annotations

from engine.errors import BadInput
from nodes._lib.rows import CONFIGS, Clip, Family, Heard, Latents, Single, Spoken

__all__ = ["CONFIGS", "FAMILIES", "LATENTS", "Family", "Latents", "family", "titles"]

LATENTS: dict[str, Latents] = {
    "sd15": Latents(
        # the widely used fit for the VAE of Stable Diffusion 1, published by its author K. Turner in 2022
        preview=(
            (0.298, 0.207, 0.208),
            (0.187, 0.286, 0.173),
            (-0.158, 0.189, 0.264),
            (-0.184, -0.271, -0.473),
            (0.0, 0.0, 0.0),
        ),
        config=CONFIGS / "sd15",
    ),
    "sdxl": Latents(
        # from T. A. Vass, Explaining the SDXL latent space, 2023, which the guide of diffusers uses as well
        preview=(
            (0.471, 0.471, 0.471),
            (-0.471, -0.039, 0.078),
            (0.196, 0.118, -0.039),
            (-0.549, -0.392, -0.275),
            (0.176, 0.098, 0.020),
        ),
        config=CONFIGS / "sdxl",
    ),
    "sd3": Latents(),
    "flux": Latents(),
    "sana": Latents(),
    "qwen": Latents(),
    "cogview4": Latents(),
    "ovis": Latents(),
    "wan22": Latents(),
    "cogview3": Latents(),
    "bria": Latents(),
    "flux2": Latents(),
}
"""By the family that had them first."""

SD15 = Family(
    name="sd15",
    title="Stable Diffusion 1.5",
    pipelines=(
        "StableDiffusionPipeline",
        "StableDiffusionImg2ImgPipeline",
        "StableDiffusionInpaintPipeline",
        "LatentConsistencyModelPipeline",
    ),
    latents="sd15",
    denoiser="unet",
    clips=(Clip(prefix="cond_stage_model."),),
    single=Single(
        signature={
            "model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3),
            "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 768),
        },
        config=CONFIGS / "sd15",
    ),
)

SD2 = Family(
    name="sd2",
    title="Stable Diffusion 2",
    pipelines=SD15.pipelines,
    latents="sd15",
    denoiser="unet",
    where={"cross_attention_dim": 1024},
    clips=(Clip(prefix="cond_stage_model.", pad="!"),),
    single=Single(
        signature={
            "model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3),
            "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 1024),
        },
        config=CONFIGS / "sd2",
    ),
)

XL = (
    "StableDiffusionXLPipeline",
    "StableDiffusionXLImg2ImgPipeline",
    "StableDiffusionXLInpaintPipeline",
)

SDXL = Family(
    name="sdxl",
    title="Stable Diffusion XL",
    pipelines=XL,
    latents="sdxl",
    denoiser="unet",
    clips=(
        Clip(prefix="conditioner.embedders.0.", early=True),
        Clip("text_encoder_2", "tokenizer_2", "conditioner.embedders.1.", pad="!", pooled=True, early=True),
    ),
    told="sizes",
    single=Single(
        signature={
            "model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3),
            "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (640, 2048),
        },
        config=CONFIGS / "sdxl",
    ),
)

REFINER = Family(
    name="sdxl-refiner",
    title="the refiner of Stable Diffusion XL",
    pipelines=XL,
    latents="sdxl",
    denoiser="unet",
    where={"cross_attention_dim": 1280},
    lacks=("text_encoder",),
    clips=(
        Clip("text_encoder_2", "tokenizer_2", "conditioner.embedders.0.", pad="!", pooled=True, early=True),
    ),
    told="score",
    single=Single(
        signature={
            "model.diffusion_model.input_blocks.0.0.weight": (384, 4, 3, 3),
            "model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight": (768, 1280),
        },
        config=CONFIGS / "sdxl-refiner",
    ),
)

BOTH = ("prompt_embeds", "negative_prompt_embeds")
MASKED = (
    "prompt_embeds",
    "prompt_attention_mask",
    "negative_prompt_embeds",
    "negative_prompt_attention_mask",
)

SD3 = Family(
    name="sd3",
    title="Stable Diffusion 3 and 3.5",
    pipelines=(
        "StableDiffusion3Pipeline",
        "StableDiffusion3Img2ImgPipeline",
        "StableDiffusion3InpaintPipeline",
    ),
    latents="sd3",
    spoken=(Spoken((*BOTH, "pooled_prompt_embeds", "negative_pooled_prompt_embeds")),),
    cells=2,
    guided=True,
    heard=Heard("behind", ("tokenizer", "tokenizer_3")),
)

FLUX = Family(
    name="flux",
    title="Flux",
    pipelines=("FluxPipeline", "FluxImg2ImgPipeline", "FluxInpaintPipeline"),
    latents="flux",
    spoken=(Spoken(("prompt_embeds", "pooled_prompt_embeds", "")),),
    cells=2,
    guided=True,
    guidance="true_cfg_scale",
    embedded="guidance_scale",
    unasked=True,
    patch=2,
    heard=Heard("before", ("tokenizer_2",)),
)

CHROMA = Family(
    name="chroma",
    title="Chroma",
    pipelines=("ChromaPipeline", "ChromaImg2ImgPipeline"),
    latents="flux",
    spoken=(
        Spoken(
            (
                "prompt_embeds",
                "",
                "prompt_attention_mask",
                "negative_prompt_embeds",
                "",
                "negative_prompt_attention_mask",
            )
        ),
    ),
    cells=2,
    patch=2,
    heard=Heard("before"),
)

PIXART_ALPHA = Family(
    name="pixart-alpha",
    title="PixArt-α",
    pipelines=("PixArtAlphaPipeline",),
    latents="sd15",
    spoken=(Spoken(MASKED),),
    cells=2,
    options={"use_resolution_binning": False},
)

PIXART_SIGMA = Family(
    name="pixart-sigma",
    title="PixArt-Σ",
    pipelines=("PixArtSigmaPipeline",),
    latents="sdxl",
    spoken=(Spoken(MASKED),),
    cells=2,
    options={"use_resolution_binning": False},
)

SANA = Family(
    name="sana",
    title="Sana",
    pipelines=("SanaPipeline",),
    latents="sana",
    spoken=(Spoken(MASKED),),
    apart=True,
    exact=True,
    options={"use_resolution_binning": False},
)

QWEN = Family(
    name="qwen-image",
    title="Qwen-Image",
    pipelines=("QwenImagePipeline", "QwenImageImg2ImgPipeline", "QwenImageInpaintPipeline"),
    latents="qwen",
    spoken=(Spoken(("prompt_embeds", "prompt_embeds_mask")),),
    cells=2,
    guidance="true_cfg_scale",
    embedded="guidance_scale",
    patch=2,
    heard=Heard("before"),
)

Z_IMAGE = Family(
    name="z-image",
    title="Z-Image",
    pipelines=("ZImagePipeline", "ZImageImg2ImgPipeline", "ZImageInpaintPipeline"),
    latents="flux",
    spoken=(Spoken(BOTH),),
    cells=2,
    unguided=0.0,
    exact=True,
    listed=True,
    heard=Heard("behind", multiple=32, argument="cap_feats"),
)

LUMINA2 = Family(
    name="lumina2",
    title="Lumina-Image 2",
    pipelines=("Lumina2Pipeline",),
    latents="flux",
    spoken=(Spoken(MASKED),),
    apart=True,
    cells=2,
    heard=Heard("before"),
)

AURA_FLOW = Family(
    name="aura-flow",
    title="AuraFlow",
    pipelines=("AuraFlowPipeline",),
    latents="sdxl",
    spoken=(Spoken(MASKED),),
    cells=2,
    heard=Heard("before", lead=8),
)

COGVIEW4 = Family(
    name="cogview4",
    title="CogView4",
    pipelines=("CogView4Pipeline",),
    latents="cogview4",
    spoken=(Spoken(BOTH),),
    cells=2,
    heard=Heard("before"),
)

HUNYUAN_DIT = Family(
    name="hunyuan-dit",
    title="Hunyuan-DiT",
    pipelines=("HunyuanDiTPipeline",),
    latents="sdxl",
    spoken=tuple(
        Spoken(
            (
                f"prompt_embeds{end}",
                f"negative_prompt_embeds{end}",
                f"prompt_attention_mask{end}",
                f"negative_prompt_attention_mask{end}",
            ),
            {"text_encoder_index": number},
        )
        for number, end in enumerate(("", "_2"))
    ),
    cells=2,
    options={"use_resolution_binning": False},
    heard=Heard(tokenizers=("tokenizer", "tokenizer_2")),
)

OVIS = Family(
    name="ovis-image",
    title="Ovis-Image",
    pipelines=("OvisImagePipeline",),
    latents="ovis",
    spoken=(Spoken((*BOTH, "", "")),),
    cells=2,
    patch=2,
    heard=Heard("before"),
)

FIBO = Family(
    name="fibo",
    title="FIBO",
    pipelines=("BriaFiboPipeline",),
    latents="wan22",
    spoken=(Spoken(("prompt_embeds", "prompt_layers", "prompt_attention_mask"), method="get_prompt_embeds"),),
    asked={"text_encoder": {}},
    handed=True,
    structured=True,
    patch=1,
    heard=Heard("before"),
)

COGVIEW3_PLUS = Family(
    name="cogview3-plus",
    title="CogView3-Plus",
    pipelines=("CogView3PlusPipeline",),
    latents="cogview3",
    spoken=(Spoken(BOTH),),
    cells=2,
    handed=True,
    heard=Heard("before"),
)

LUMINA_NEXT = Family(
    name="lumina-next",
    title="Lumina-Next",
    pipelines=("LuminaPipeline", "LuminaText2ImgPipeline"),
    latents="sdxl",
    spoken=(Spoken((*MASKED[:2], "", "")),),
    cells=2,
    even=True,
)

BRIA = Family(
    name="bria",
    title="Bria 3",
    pipelines=("BriaPipeline",),
    latents="bria",
    spoken=(Spoken((*BOTH, "")),),
    cells=2,
    asked={"vae": {"block_out_channels": (0,) * 4, "shift_factor": 0.0}, "transformer": {}},
    factor=8,
    patch=2,
    heard=Heard("before"),
)

HIDREAM = Family(
    name="hidream",
    title="HiDream-I1",
    pipelines=("HiDreamImagePipeline",),
    latents="flux",
    spoken=(
        Spoken(
            tuple(
                side + name
                for name in ("prompt_embeds_t5", "prompt_embeds_llama3", "pooled_prompt_embeds")
                for side in ("", "negative_")
            )
        ),
    ),
    cells=2,
    native=True,
    heard=Heard("behind", ("tokenizer_3", "tokenizer_4", "tokenizer_4"), argument="encoder_hidden_states_t5"),
)

KREA2 = Family(
    name="krea2",
    title="Krea 2",
    pipelines=("Krea2Pipeline",),
    latents="qwen",
    spoken=(Spoken(("prompt_embeds", "prompt_embeds_mask")),),
    cells=2,
    unguided=0.0,
    patch=2,
    heard=Heard("before", tokenizers=()),
)

LONGCAT = Family(
    name="longcat-image",
    title="LongCat-Image",
    pipelines=("LongCatImagePipeline",),
    latents="flux",
    spoken=(Spoken(("prompt_embeds", "text_ids")),),
    cells=2,
    handed=True,
    options={"enable_prompt_rewrite": False},
    patch=2,
    heard=Heard("before", tokenizers=()),
)

ERNIE = Family(
    name="ernie-image",
    title="ERNIE-Image",
    pipelines=("ErnieImagePipeline",),
    latents="flux2",
    spoken=(Spoken(("prompt_embeds",)),),
    idle=("pe", "pe_tokenizer"),
    listed=True,
    heard=Heard("behind", argument="text_bth"),
)

NUCLEUS = Family(
    name="nucleus-image",
    title="NucleusMoE-Image",
    pipelines=("NucleusMoEImagePipeline",),
    latents="qwen",
    spoken=(Spoken(("prompt_embeds", "prompt_embeds_mask")),),
    cells=2,
    patch=2,
    heard=Heard("before", tokenizers=()),
)

FLUX2 = Family(
    name="flux2",
    title="Flux 2",
    pipelines=("Flux2Pipeline",),
    latents="flux2",
    spoken=(Spoken(("prompt_embeds", "")),),
    factor=16,
    rows=True,
    untold=True,
    heard=Heard("before"),
)

FLUX2_KLEIN = Family(
    name="flux2-klein",
    title="Flux 2 Klein",
    pipelines=("Flux2KleinPipeline",),
    latents="flux2",
    spoken=(Spoken(("prompt_embeds", "")),),
    factor=16,
    rows=True,
    goes_on=True,
    untold=True,
    heard=Heard("before"),
)

ROWS = (
    SD15, SD2, SDXL, REFINER, SD3, FLUX, CHROMA, PIXART_ALPHA, PIXART_SIGMA, SANA, QWEN, Z_IMAGE, LUMINA2,
    AURA_FLOW, COGVIEW4, HUNYUAN_DIT, OVIS, FIBO, COGVIEW3_PLUS, LUMINA_NEXT, BRIA, HIDREAM, KREA2,
    LONGCAT, ERNIE, NUCLEUS, FLUX2, FLUX2_KLEIN,
)  # fmt: skip

FAMILIES: dict[str, Family] = {row.name: row for row in ROWS}
"""All there are. Among rows that share a pipeline a folder belongs to the one that says most about it."""


def family(name: str) -> Family:
    """The row of this name."""
    if (found := FAMILIES.get(name)) is None:
        raise BadInput("model", got=name, want=f"a family among {', '.join(FAMILIES)}")
    return found


def titles() -> str:
    return ", ".join(row.title for row in FAMILIES.values())
