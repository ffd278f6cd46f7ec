"""A tiny random model of each family, as its own diffusers pipeline."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from tests import speech, tiny

TWINS: dict[str, Callable[[], Any]] = {}
"""What makes each, by family."""


def twin(name: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def declare(fn: Callable[[], Any]) -> Callable[[], Any]:
        TWINS[name] = fn
        return fn

    return declare


def make(name: str, seed: int = 0) -> Any:
    """A pipeline that is ready to draw, and quiet."""
    torch.manual_seed(seed)
    pipeline = TWINS[name]()
    pipeline.set_progress_bar_config(disable=True)
    for part in pipeline.components.values():
        if isinstance(part, torch.nn.Module):
            part.eval()
    decode = pipeline.vae.decode  # a latent with other strides comes out with other last bits
    pipeline.vae.decode = lambda cells, **options: decode(cells.contiguous(), **options)
    return pipeline


# -- parts


def vae(channels: int = 4, scaling: float = 0.13025, **options: Any) -> Any:
    """One that stands for 8 pixels in each direction, as most do."""
    return AutoencoderKL(
        block_out_channels=(4,) * 4,
        layers_per_block=1,
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        norm_num_groups=2,
        latent_channels=channels,
        scaling_factor=scaling,
        sample_size=64,
        **options,
    )


def clip(pooled: bool = False, width: int = 32, act: str = "quick_gelu", length: int = 77) -> Any:
    kind = CLIPTextModelWithProjection if pooled else CLIPTextModel
    return kind(
        CLIPTextConfig(
            vocab_size=tiny.WORDS,
            max_position_embeddings=length,
            hidden_size=width,
            intermediate_size=37,
            num_hidden_layers=3,
            num_attention_heads=4,
            projection_dim=32,
            hidden_act=act,
            bos_token_id=tiny.WORDS - 2,
            eos_token_id=tiny.WORDS - 1,
            pad_token_id=tiny.WORDS - 1,
        )
    )


def clip_words(**options: Any) -> Any:
    return CLIPTokenizer.from_pretrained(tiny.TOKENIZER, local_files_only=True, **options)


def large_unet(cross: int, numbers: int) -> Any:
    """The UNet of SDXL: words deep inside only, and so many numbers about the picture."""
    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4),
        transformer_layers_per_block=(1, 2),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=numbers * 8 + 32,
        cross_attention_dim=cross,
        norm_num_groups=8,
    )


def large_controlnet(seed: int) -> Any:
    """One for SDXL."""
    return tiny.controlnet(seed, lambda: large_unet(64, 6), (8, 8, 8, 16))


def euler(**options: Any) -> Any:
    return diffusers.EulerDiscreteScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1,
        timestep_spacing="leading", **options,
    )  # fmt: skip


# -- families


@twin("sd15")
def sd15() -> Any:
    return diffusers.StableDiffusionPipeline(
        vae(scaling=0.18215), clip(), clip_words(), tiny.unet(), euler(), None, None,
        requires_safety_checker=False,
    )  # fmt: skip


@twin("sd2")
def sd2() -> Any:
    unet = UNet2DConditionModel(
        **{**tiny.unet().config, "cross_attention_dim": 1024, "use_linear_projection": True}
    )
    return diffusers.StableDiffusionPipeline(
        vae(scaling=0.18215), clip(width=1024, act="gelu"), clip_words(pad_token="!"), unet,
        euler(prediction_type="v_prediction"), None, None, requires_safety_checker=False,
    )  # fmt: skip


@twin("sdxl")
def sdxl() -> Any:
    return diffusers.StableDiffusionXLPipeline(
        vae(), clip(), clip(pooled=True), clip_words(), clip_words(pad_token="!"), large_unet(64, 6), euler()
    )


@twin("sdxl-refiner")
def refiner() -> Any:
    unet = large_unet(1280, 5)
    return diffusers.StableDiffusionXLImg2ImgPipeline(
        vae(), None, clip(pooled=True, width=1280), None, clip_words(pad_token="!"), unet, euler(),
        requires_aesthetics_score=True, force_zeros_for_empty_prompt=False,
    )  # fmt: skip


# -- families whose prompts their own pipelines read


def flow(**options: Any) -> Any:
    return diffusers.FlowMatchEulerDiscreteScheduler(**options)


def wide_vae() -> Any:
    """16 channels, with a shift, and nothing between it and the denoiser."""
    return vae(16, 0.3611, shift_factor=0.1159, use_quant_conv=False, use_post_quant_conv=False)


@twin("sd3")
def sd3() -> Any:
    net = diffusers.SD3Transformer2DModel(
        sample_size=8, patch_size=2, in_channels=16, num_layers=2, attention_head_dim=8,
        num_attention_heads=4, joint_attention_dim=64, caption_projection_dim=32, pooled_projection_dim=64,
        out_channels=16,
        pos_embed_max_size=16,
    )  # fmt: skip
    return diffusers.StableDiffusion3Pipeline(
        net, flow(shift=3.0), wide_vae(), clip(pooled=True), clip_words(), clip(pooled=True),
        clip_words(pad_token="!"), speech.t5(64), speech.letters(),
    )  # fmt: skip


@twin("flux")
def flux() -> Any:
    net = diffusers.FluxTransformer2DModel(
        patch_size=1, in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=(4, 4, 8),
        guidance_embeds=True,
    )  # fmt: skip
    return diffusers.FluxPipeline(
        flow(shift=3.0, use_dynamic_shifting=True), wide_vae(), clip(), clip_words(), speech.t5(),
        speech.letters(), net,
    )  # fmt: skip


@twin("chroma")
def chroma() -> Any:
    net = diffusers.ChromaTransformer2DModel(
        patch_size=1, in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=32, axes_dims_rope=(4, 4, 8), approximator_hidden_dim=32,
        approximator_layers=1, approximator_num_channels=16,
    )  # fmt: skip
    return diffusers.ChromaPipeline(flow(), wide_vae(), speech.t5(), speech.letters(), net)


def pixart(kind: Any) -> Any:
    net = diffusers.PixArtTransformer2DModel(
        sample_size=8, num_layers=1, patch_size=2, attention_head_dim=8, num_attention_heads=3,
        caption_channels=32, in_channels=4, cross_attention_dim=24, out_channels=8, attention_bias=True,
        activation_fn="gelu-approximate", num_embeds_ada_norm=1000, norm_type="ada_norm_single",
        norm_elementwise_affine=False, norm_eps=1e-6, use_additional_conditions=False,
    )  # fmt: skip
    return kind(speech.letters(), speech.t5(), vae(), net, diffusers.DPMSolverMultistepScheduler())


@twin("pixart-alpha")
def pixart_alpha() -> Any:
    return pixart(diffusers.PixArtAlphaPipeline)


@twin("pixart-sigma")
def pixart_sigma() -> Any:
    return pixart(diffusers.PixArtSigmaPipeline)


@twin("sana")
def sana() -> Any:
    net = diffusers.SanaTransformer2DModel(
        patch_size=1, in_channels=4, out_channels=4, num_layers=1, num_attention_heads=2,
        attention_head_dim=4, num_cross_attention_heads=2, cross_attention_head_dim=4, cross_attention_dim=8,
        caption_channels=16,
        sample_size=32,
    )  # fmt: skip
    blocks = ("ResBlock", "EfficientViTBlock")
    coder = diffusers.AutoencoderDC(
        in_channels=3, latent_channels=4, attention_head_dim=2, encoder_block_types=blocks,
        decoder_block_types=blocks, encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8),
        encoder_qkv_multiscales=((), (5,)), decoder_qkv_multiscales=((), (5,)),
        encoder_layers_per_block=(1, 1), decoder_layers_per_block=(1, 1), downsample_block_type="conv",
        upsample_block_type="interpolate",
        decoder_norm_types="rms_norm", decoder_act_fns="silu", scaling_factor=0.41407,
    )  # fmt: skip
    steps = diffusers.DPMSolverMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
    )
    return diffusers.SanaPipeline(speech.letters(), speech.gemma(), coder, net, steps)


def qwen_vae() -> Any:
    return diffusers.AutoencoderKLQwenImage(
        base_dim=8, z_dim=4, dim_mult=[1, 1, 2, 2], num_res_blocks=1,
        temperal_downsample=[False, True, True], latents_mean=[0.1, -0.2, 0.3, 0.0],
        latents_std=[1.5, 2.0, 0.7, 1.0],
    )  # fmt: skip


@twin("qwen-image")
def qwen_image() -> Any:
    net = diffusers.QwenImageTransformer2DModel(
        patch_size=2, in_channels=16, out_channels=4, num_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=16, guidance_embeds=False, axes_dims_rope=(8, 4, 4),
    )  # fmt: skip
    return diffusers.QwenImagePipeline(
        flow(use_dynamic_shifting=True, base_shift=0.5, max_shift=0.9, max_image_seq_len=8192,
             shift_terminal=0.02),
        qwen_vae(), speech.qwen_vl(), speech.letters(1200, ends=False), net,
    )  # fmt: skip


@twin("z-image")
def z_image() -> Any:
    net = diffusers.ZImageTransformer2DModel(
        all_patch_size=(2,), all_f_patch_size=(1,), in_channels=16, dim=32, n_layers=1, n_refiner_layers=1,
        n_heads=2, n_kv_heads=2, cap_feat_dim=16, axes_dims=[8, 4, 4], axes_lens=[1024, 32, 32],
    )  # fmt: skip
    return diffusers.ZImagePipeline(
        flow(shift=3.0), wide_vae(), speech.qwen3(), speech.letters(ends=False), net
    )


@twin("lumina2")
def lumina2() -> Any:
    net = diffusers.Lumina2Transformer2DModel(
        sample_size=8, patch_size=2, in_channels=16, hidden_size=24, num_layers=1, num_refiner_layers=1,
        num_attention_heads=2, num_kv_heads=2, multiple_of=16, axes_dim_rope=(4, 4, 4),
        axes_lens=(300, 64, 64), cap_feat_dim=16,
    )  # fmt: skip
    return diffusers.Lumina2Pipeline(net, flow(), wide_vae(), speech.gemma(), speech.letters())


@twin("aura-flow")
def aura_flow() -> Any:
    net = diffusers.AuraFlowTransformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, num_mmdit_layers=1, num_single_dit_layers=1,
        attention_head_dim=8, num_attention_heads=4, caption_projection_dim=32, joint_attention_dim=32,
        out_channels=4, pos_embed_max_size=256,
    )  # fmt: skip
    return diffusers.AuraFlowPipeline(speech.letters(), speech.t5(), vae(), net, flow(shift=1.73))


@twin("cogview4")
def cogview4() -> Any:
    net = diffusers.CogView4Transformer2DModel(
        patch_size=2, in_channels=16, num_layers=1, attention_head_dim=8, num_attention_heads=4,
        out_channels=16, text_embed_dim=32, time_embed_dim=8, condition_dim=4,
    )  # fmt: skip
    steps = flow(use_dynamic_shifting=True, base_shift=0.25, max_shift=0.75, time_shift_type="linear")
    return diffusers.CogView4Pipeline(speech.letters(), speech.glm(), vae(16, 1.0), net, steps)


@twin("cogview3-plus")
def cogview3_plus() -> Any:
    net = diffusers.CogView3PlusTransformer2DModel(
        patch_size=2, in_channels=16, num_layers=1, attention_head_dim=8, num_attention_heads=4,
        out_channels=16, text_embed_dim=32, time_embed_dim=8, condition_dim=4, pos_embed_max_size=16,
        sample_size=8,
    )  # fmt: skip
    steps = diffusers.CogVideoXDDIMScheduler(
        snr_shift_scale=4.0, prediction_type="v_prediction", rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
    )  # fmt: skip
    return diffusers.CogView3PlusPipeline(speech.letters(), speech.t5(), vae(16, 1.0), net, steps)


@twin("lumina-next")
def lumina_next() -> Any:
    net = diffusers.LuminaNextDiT2DModel(
        sample_size=8, patch_size=2, in_channels=4, hidden_size=24, num_layers=1, num_attention_heads=3,
        num_kv_heads=1, multiple_of=16, cross_attention_dim=16,
    )  # fmt: skip
    return diffusers.LuminaPipeline(net, flow(), vae(), speech.gemma(), speech.letters())


@twin("bria")
def bria() -> Any:
    net = diffusers.BriaTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=8,
        num_attention_heads=2, joint_attention_dim=32, axes_dims_rope=[0, 4, 4],
    )  # fmt: skip
    steps = flow(use_dynamic_shifting=True)
    return diffusers.BriaPipeline(net, steps, vae(shift_factor=0.0), speech.t5(), speech.letters())


@twin("hidream")
def hidream() -> Any:
    net = diffusers.HiDreamImageTransformer2DModel(
        patch_size=2, in_channels=16, out_channels=16, num_layers=1, num_single_layers=1,
        attention_head_dim=8, num_attention_heads=4, caption_channels=[32, 16], text_emb_dim=64,
        axes_dims_rope=(4, 2, 2), max_resolution=(32, 32), llama_layers=(0, 1),
    )  # fmt: skip
    found = diffusers.HiDreamImagePipeline(
        flow(shift=3.0), wide_vae(), clip(pooled=True, length=128), clip_words(),
        clip(pooled=True, length=128), clip_words(pad_token="!"), speech.t5(), speech.letters(),
        speech.llama(), speech.letters(ends=False), net,
    )  # fmt: skip
    found.default_sample_size = 8
    return found


def normed_vae(**options: Any) -> Any:
    coder = diffusers.AutoencoderKLFlux2(
        block_out_channels=(4,) * 4, layers_per_block=1, latent_channels=4, norm_num_groups=2, sample_size=64,
        **options,
    )  # fmt: skip
    coder.bn.running_mean.normal_()
    coder.bn.running_var.uniform_(0.5, 2)
    return coder


def flux2_net(guided: bool) -> Any:
    return diffusers.Flux2Transformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=48, timestep_guidance_channels=16,
        axes_dims_rope=(4, 4, 4, 4), guidance_embeds=guided,
    )  # fmt: skip


@twin("flux2")
def flux2() -> Any:
    return diffusers.Flux2Pipeline(
        flow(shift=3.0, use_dynamic_shifting=True), normed_vae(), speech.mistral(), speech.letters(),
        flux2_net(True),
    )  # fmt: skip


@twin("flux2-klein")
def flux2_klein() -> Any:
    return diffusers.Flux2KleinPipeline(
        flow(shift=3.0, use_dynamic_shifting=True), normed_vae(), speech.qwen3(layers=28), speech.letters(),
        flux2_net(False),
    )  # fmt: skip


@twin("hunyuan-dit")
def hunyuan_dit() -> Any:
    net = diffusers.HunyuanDiT2DModel(
        sample_size=8, num_layers=2, patch_size=2, attention_head_dim=8, num_attention_heads=3, in_channels=4,
        cross_attention_dim=32, cross_attention_dim_t5=32, pooled_projection_dim=16, hidden_size=24,
        activation_fn="gelu-approximate", text_len=77, text_len_t5=256,
    )  # fmt: skip
    steps = diffusers.DDPMScheduler(prediction_type="v_prediction", beta_schedule="scaled_linear")
    return diffusers.HunyuanDiTPipeline(
        vae(), speech.bert(), speech.letters(77), net, steps, None, None, requires_safety_checker=False,
        text_encoder_2=speech.t5(), tokenizer_2=speech.letters(256),
    )  # fmt: skip


@twin("ovis-image")
def ovis() -> Any:
    net = diffusers.OvisImageTransformer2DModel(
        patch_size=1, in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=16, axes_dims_rope=(4, 4, 8),
    )  # fmt: skip
    return diffusers.OvisImagePipeline(
        flow(shift=3.0, use_dynamic_shifting=True),
        wide_vae(),
        speech.qwen3(),
        speech.letters(ends=False),
        net,
    )


@twin("fibo")
def fibo() -> Any:
    net = diffusers.BriaFiboTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=8,
        num_attention_heads=2, joint_attention_dim=32, text_encoder_dim=16, axes_dims_rope=(0, 4, 4),
    )  # fmt: skip
    coder = diffusers.AutoencoderKLWan(
        base_dim=8, z_dim=16, dim_mult=[1, 1, 2, 2], num_res_blocks=1, patch_size=2, in_channels=12,
        out_channels=12, temperal_downsample=[False, True, True], scale_factor_spatial=16,
    )  # fmt: skip
    steps = flow(use_dynamic_shifting=True)
    return diffusers.BriaFiboPipeline(net, steps, coder, speech.smol(), speech.letters(ends=False))


@twin("krea2")
def krea2() -> Any:
    net = diffusers.Krea2Transformer2DModel(
        in_channels=16, num_layers=1, attention_head_dim=8, num_attention_heads=2, num_key_value_heads=2,
        intermediate_size=16, timestep_embed_dim=8, text_hidden_dim=16, num_text_layers=2,
        text_num_attention_heads=2, text_num_key_value_heads=2, text_intermediate_size=16,
        num_layerwise_text_blocks=1, num_refiner_text_blocks=1, axes_dims_rope=(4, 2, 2),
    )  # fmt: skip
    return diffusers.Krea2Pipeline(
        flow(use_dynamic_shifting=True), qwen_vae(), speech.qwen3_vl(), speech.letters(ends=False), net,
        text_encoder_select_layers=(0, 2),
    )  # fmt: skip


@twin("longcat-image")
def longcat_image() -> Any:
    net = diffusers.LongCatImageTransformer2DModel(
        patch_size=1, in_channels=64, num_layers=1, num_single_layers=1, attention_head_dim=16,
        num_attention_heads=2, joint_attention_dim=16, pooled_projection_dim=16, axes_dims_rope=[4, 4, 8],
    )  # fmt: skip
    return diffusers.LongCatImagePipeline(
        flow(use_dynamic_shifting=True), wide_vae(), speech.qwen_vl(), speech.letters(ends=False), None, net
    )


@twin("ernie-image")
def ernie_image() -> Any:
    net = diffusers.ErnieImageTransformer2DModel(
        hidden_size=32, num_attention_heads=2, num_layers=1, ffn_hidden_size=32, in_channels=16,
        out_channels=16, text_in_dim=16, rope_axes_dim=(8, 4, 4),
    )  # fmt: skip
    for weight in net.parameters():  # it begins with an answer of zeros, in which no word counts
        if not weight.any():
            torch.nn.init.normal_(weight, std=0.3)
    return diffusers.ErnieImagePipeline(
        net,
        normed_vae(batch_norm_eps=1e-5),
        speech.mistral(layers=2),
        speech.letters(ends=False),
        flow(shift=3.0),
    )


@twin("nucleus-image")
def nucleus_image() -> Any:
    net = diffusers.NucleusMoEImageTransformer2DModel(
        in_channels=16, out_channels=4, num_layers=1, attention_head_dim=32, num_attention_heads=4,
        joint_attention_dim=16, axes_dims_rope=(16, 8, 8), num_experts=2, moe_intermediate_dim=16,
    )  # fmt: skip
    reader = speech.qwen3_vl(layers=8, writes=True)
    return diffusers.NucleusMoEImagePipeline(
        net, flow(use_dynamic_shifting=True), qwen_vae(), reader, speech.qwen3_vl_sight()
    )
