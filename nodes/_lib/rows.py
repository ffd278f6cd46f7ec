"""What a row of the table of model families says."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct

from nodes._lib.previews import Factors

CONFIGS = Path(__file__).parent / "configs"
TEXT_ENCODERS = ("text_encoder", "text_encoder_2", "text_encoder_3", "text_encoder_4")
"""The folders in which diffusers keeps text encoders; a model has the first of them at least."""


class Latents(Struct, frozen=True):
    """A kind of latents: what one VAE makes of pictures. Families that share it can share latents."""

    preview: Factors = ()
    """The colour of each channel; none where nobody has published any."""
    config: Path = CONFIGS
    """The folder whose `vae` describes it for single files."""


class Clip(Struct, frozen=True):
    """A CLIP text encoder that our own reader uses, word by word."""

    folder: str = "text_encoder"
    tokenizer: str = "tokenizer"
    prefix: str = ""
    """What the names of its tensors start with in a single file."""
    pad: str = ""
    """What fills up a short prompt in a single file; the end token if empty."""
    pooled: bool = False
    """Also sums up the whole prompt in one vector."""
    early: bool = False
    """Read before its last layer, and not normed."""


class Spoken(Struct, frozen=True):
    """One call of a pipeline's own reading of prompts."""

    returns: tuple[str, ...]
    """What it gives, by the keyword arguments of the pipeline that take it; empty names are dropped."""
    options: Mapping[str, object] = {}
    method: str = "encode_prompt"


class Single(Struct, frozen=True):
    """How a single file of a family is known."""

    signature: Mapping[str, tuple[int, ...]]
    """Tensors that it has, with their shapes."""
    config: Path
    """The folder of configurations, which such a file has none of."""
    denoiser: str = "model.diffusion_model."
    """What the names of the denoiser's tensors start with."""
    vae: str = "first_stage_model."


class Heard(Struct, frozen=True):
    """Where a denoiser's attention finds the words of a prompt."""

    where: Literal["apart", "before", "behind"] = "apart"
    """In attention of their own, or in one row with the picture."""
    tokenizers: tuple[str, ...] = ("tokenizer",)
    """Whose tokens the rows are, one after the other, where the pipeline reads; none if it cuts texts up."""
    lead: int = 0
    """Rows before the first word that are no words."""
    multiple: int = 1
    """To a multiple of this the places of the picture are filled up."""
    argument: str = "encoder_hidden_states"
    """What the denoiser calls the words."""


class Family(Struct, frozen=True, kw_only=True):
    """What makes a family: its names in files, its pipeline in diffusers, and how that is driven."""

    name: str
    title: str
    pipelines: tuple[str, ...]
    """Classes that a diffusers folder may name; the first one turns noise into latents."""
    latents: str
    """Which kind of latents it draws."""
    denoiser: str = "transformer"
    """What the pipeline calls the part that draws."""
    where: Mapping[str, object] = {}
    """What the denoiser's configuration must say, among families that share a pipeline."""
    lacks: tuple[str, ...] = ()
    """Parts that a folder of it must not have, among families that share a pipeline."""
    clips: tuple[Clip, ...] = ()
    """Encoders that our own reader uses; without any, prompts are read by the pipeline itself."""
    spoken: tuple[Spoken, ...] = ()
    """How the pipeline reads prompts."""
    apart: bool = False
    """Reads what is not to be drawn in another way than what is."""
    told: Literal["", "sizes", "score"] = ""
    """What else it is told of a picture: sizes, or sizes and how beautiful it is."""
    cells: int = 1
    """Cells of a latent along each side that go together; sizes must be multiples of them."""
    size: int = 1024
    """Native width and height, where the denoiser's configuration does not say."""
    guidance: str = "guidance_scale"
    """The pipeline's argument for guidance."""
    unguided: float = 1.0
    """What it is told where nothing is to be guided."""
    embedded: str = ""
    """Its argument for guidance that a distilled model has built in."""
    unasked: bool = False
    """Draws without guidance unless it is told what not to draw."""
    patch: int = 0
    """Cells along each side of the patches, in a row of which its pipeline has a latent; 0 if it has none."""
    exact: bool = False
    """Its latents are float32 in every precision."""
    handed: bool = False
    """Its pipeline takes texts alone, so it is handed what was read when it asks for a text to be read."""
    structured: bool = False
    """Reads a description in JSON."""
    factor: int = 0
    """Pixels along each side of a cell, where its pipeline counts in larger or smaller ones."""
    rows: bool = False
    """Its pipeline takes a latent as it is, and lays it out as a row of cells by itself."""
    goes_on: bool = False
    """Its pipeline goes on to pixels whatever it is told, so it is stopped after the last step."""
    idle: tuple[str, ...] = ()
    """Parts of a folder that are not for reading prompts, though they are models of transformers."""
    asked: Mapping[str, Mapping[str, object]] = {}
    """Parts that its pipeline asks something though it does not use them, with their configurations."""
    even: bool = False
    """Reads prompts no longer than they are, and wants both equally long."""
    native: bool = False
    """Its pipeline enlarges every picture to the area that it takes for native."""
    untold: bool = False
    """Its pipeline takes no text for what is not to be drawn."""
    listed: bool = False
    """Its pipeline wants prompts as a list."""
    guided: bool = False
    """ControlNets and places of prompts are here for it, though its denoiser is no UNet."""
    options: Mapping[str, object] = {}
    """What its pipeline is always told."""
    heard: Heard = Heard()
    single: Single | None = None

    @property
    def pipeline(self) -> str:
        """The class that turns noise into latents."""
        return self.pipelines[0]

    @property
    def encoders(self) -> tuple[str, ...]:
        """The folders of its text encoders."""
        if self.clips:
            return tuple(clip.folder for clip in self.clips)
        return TEXT_ENCODERS

    @property
    def embeds(self) -> str:
        """The pipeline's argument for the words of a prompt."""
        return self._returned[0] if self.spoken else "prompt_embeds"

    @property
    def others(self) -> tuple[str, ...]:
        """Its arguments for what else a prompt is made of."""
        known = (self.embeds, "pooled_prompt_embeds")
        return tuple(name for name in self._returned if name not in known)

    @property
    def _returned(self) -> list[str]:
        names = [name for call in self.spoken for name in call.returns]
        return [name for name in names if name and not name.startswith("negative_")]

    @property
    def classic(self) -> bool:
        """Whether its denoiser is a UNet, for which regions, guides and holes are made."""
        return self.denoiser == "unet"
