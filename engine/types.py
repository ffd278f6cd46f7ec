"""Values that travel on wires, and the shared vocabulary of inputs.

A class here is a port type: ports match by class and ancestry, never by a string. An alias (`Steps`, `Seed`)
is a plain Python type that carries its limits, help and widget, so every node means the same thing by it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeVar

from msgspec import Meta, Struct

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[tuple[int, ...], np.dtype[np.generic]]

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")

Lazy = Callable[[], Awaitable[T]]
"""An input that is computed only if the node awaits it."""


class Value(Struct, frozen=True, eq=False):
    """Base of every value with a class of its own: it has a socket, and cannot be typed into a form.

    Fields may be scalars, text, bytes, numpy arrays, other values, and lists or dictionaries of these: such a
    value has a digest, can be cached, and can be sent to another process. Arrays become read-only on a wire.
    """

    labels: ClassVar[frozenset[str]] = frozenset()
    """Fields that only say how the value is called: values that differ in these alone are interchangeable."""


class Image(Value, frozen=True, eq=False):
    """One picture, sRGB: height × width × channels (1, 3 or 4), uint8 in 0..255 or float32 in 0..1."""

    pixels: Array

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])


class Mask(Value, frozen=True, eq=False):
    """Where an edit applies: height × width, float32, 0 keeps and 1 changes."""

    pixels: Array


class Latent(Value, frozen=True, eq=False):
    """One picture as its model's VAE sees it: channels × height/factor × width/factor, float32."""

    samples: Array
    family: str
    factor: int = 8
    noisy: bool = False
    """Still carries noise: a later sampler goes on from it instead of starting over."""
    mask: Array | None = None
    """height/factor × width/factor, float32: 0 keeps the latent as it is, 1 draws it anew"""
    hole: Array | None = None
    """The latent of the picture with grey where the mask is, for models that were made to fill holes."""


class Conditioning(Value, frozen=True, eq=False):
    """A prompt as a text encoder read it."""

    embeds: Array
    """tokens × width, float32; what is read first, if the prompt changes"""
    family: str
    pooled: Array | None = None
    """width of the pooled vector, for families that have one"""
    encoder: TextEncoder | None = None
    """Who read it, and can read the empty prompt in the same way."""
    stages: tuple[Stage, ...] = ()
    """What it becomes while a picture is drawn, in order and from the first step on; none if it stays."""
    mask: Array | None = None
    """Where it applies, everywhere if None: height × width of any size, 0 to 1, laid over the picture."""
    strength: float = 1.0
    """How much it counts beside the others where several apply."""
    more: dict[str, Array] = {}
    """What else its family's pipeline wants of a prompt, by the names it has for that: masks, sizes."""
    also: tuple[Conditioning, ...] = ()
    """Prompts that apply besides this one, each where its mask says; they have no `also` of their own."""


class Stage(Value, frozen=True, eq=False):
    """What a changing prompt is from some point on: at each step the next of its turns."""

    since: float
    """Below 1 a part of the steps, from 1 on the number of a step."""
    turns: tuple[Conditioning, ...]


class Model(Value, frozen=True, eq=False):
    """A reference to weights: what they are by content, never the weights or a path."""

    labels = frozenset({"name", "bytes"})

    name: str
    family: str
    sha256: str
    bytes: int = 0
    dtype: str = "auto"
    variant: str = ""
    """Which weights of a folder are read, such as "fp16", in the parts that have several."""
    loras: tuple[tuple[str, str, float], ...] = ()
    """(name, sha256, weight) of each LoRA, in order of application."""
    tweaks: tuple[Tweak, ...] = ()
    """What it does in another way than usual, one of each class, by their names."""


class Tweak(Value, frozen=True, eq=False):
    """Something that a model does in another way than usual, with the same weights."""


class Denoiser(Model, frozen=True, eq=False):
    """The part of a model that turns noise into a latent, step by step."""

    channels: int = 4
    factor: int = 8
    size: int = 512
    """Native width and height in pixels."""
    prediction: str = "epsilon"
    distilled: bool = False
    """Has guidance in it: it is told how much, and takes no negative prompt."""


class TextEncoder(Model, frozen=True, eq=False):
    """The part of a model that reads prompts."""


class Vae(Model, frozen=True, eq=False):
    """The part of a model that maps pictures to latents and back."""

    factor: int = 8


class Preview(Model, frozen=True, eq=False):
    """A small decoder that shows what becomes of a picture while it is drawn."""


class ControlNet(Model, frozen=True, eq=False):
    """Weights that let a denoiser follow a picture: its edges, its depth, a pose."""


class T2IAdapter(ControlNet, frozen=True, eq=False):
    """Small weights that let a denoiser follow a picture; they look at it only once."""


class VisionModel(Model, frozen=True, eq=False):
    """Weights that look at pictures on behalf of an IP-Adapter."""


class IpAdapter(Model, frozen=True, eq=False, kw_only=True):
    """Weights that let a denoiser be prompted with pictures."""

    vision: VisionModel
    """Who looks at the pictures."""
    patches: bool = False
    """Wants to know what every patch of a picture shows, not only the picture as a whole."""


class Transformer(Model, frozen=True, eq=False):
    """A whole model of the transformers library: it looks at pictures, or goes on with words."""


class DepthModel(Transformer, frozen=True, eq=False):
    """Weights that tell how near everything in a picture is."""


class PoseModel(Transformer, frozen=True, eq=False):
    """Weights that find the joints of a person."""


class ObjectFinder(Transformer, frozen=True, eq=False):
    """Weights that find things of known kinds, such as people, and where they are."""


class SceneParser(Transformer, frozen=True, eq=False):
    """Weights that tell for every pixel what it is a part of."""


class Outliner(Transformer, frozen=True, eq=False):
    """Weights that find the outline of what is pointed at."""


class Captioner(Transformer, frozen=True, eq=False):
    """Weights that say in words what a picture shows."""


class Matcher(Transformer, frozen=True, eq=False):
    """Weights that tell how well words fit a picture."""


class LanguageModel(Transformer, frozen=True, eq=False):
    """Weights that go on with a text."""


class SafetyModel(Transformer, frozen=True, eq=False):
    """Weights that tell what may be shown, of pictures or of texts."""


class Guide(Value, frozen=True, eq=False):
    """A picture to follow, through a ControlNet or a T2I-Adapter."""

    net: ControlNet
    image: Image
    strength: float = 1.0
    start: float = 0.0
    """The part of the steps after which it begins to count."""
    end: float = 1.0
    """The part of the steps after which it no longer counts."""


class Box(Value, frozen=True, eq=False):
    """A rectangle of a picture in which something is, in pixels from the top left."""

    left: float
    top: float
    width: float
    height: float
    label: str = ""
    score: float = 1.0
    """How sure whoever found it was, 0 to 1."""


class Pose(Value, frozen=True, eq=False):
    """A person in a picture as 17 joints in COCO's order, from the nose to the ankles, left before right."""

    joints: Array
    """17 × 2, float32: x and y in pixels from the top left"""
    scores: Array
    """17, float32: how sure each joint is, 0 to 1; 0 where it was not seen"""
    width: int
    """Of the picture, in pixels."""
    height: int


class Upscaler(Model, frozen=True, eq=False):
    """Weights that make pictures larger, or clear at their size."""

    architecture: str = ""


class FaceFinder(Model, frozen=True, eq=False):
    """Weights that find faces in pictures."""


class FaceRestorer(Model, frozen=True, eq=False):
    """Weights that make a damaged face clear."""

    architecture: str = ""
    size: int = 512
    """Width and height at which it wants to see a face, in pixels."""


class BackgroundRemover(Model, frozen=True, eq=False):
    """Weights that tell what stands in front from what lies behind."""


class Segmenter(Model, frozen=True, eq=False):
    """Weights that find in a picture what words name."""


class Face(Box, frozen=True, eq=False):
    """A face in a picture."""

    marks: Array | None = None
    """5 × 2, float32, in pixels: the eye on the left of the picture, that on the right, the nose, and the
    corners of the mouth on the left and on the right"""


class Noise(Value, frozen=True, eq=False):
    """What a picture starts from: the noise of a seed, or something between those of two."""

    seed: int
    other: int
    amount: float = 0.0
    """0 is the noise of `seed`, 1 that of `other`."""


class Schedule(Value, frozen=True, eq=False):
    """How much noise is left before each step of a way; after the last one there is none."""

    sigmas: Array
    """float64, falling; the standard deviation of the noise over that of the picture"""


class Artifact(Value, frozen=True, eq=False):
    """Bytes kept by the engine: an upload, or something a node saved. Known by content."""

    labels = frozenset({"name", "bytes", "width", "height"})

    sha256: str
    mime: str
    bytes: int
    name: str = ""
    width: int = 0
    height: int = 0


class Secret(Value, frozen=True, eq=False):
    """The name of a secret. `engine.vault.reveal` gives a node its value, which is nowhere else."""

    name: str


class Score(Value, frozen=True, eq=False):
    """A figure that says how good a kept picture is in one respect, and what it was measured with."""

    artifact: Artifact
    metric: str
    value: float
    prompt: str = ""
    """The words it was compared with, if that was what was measured."""
    reference: str = ""
    """The SHA-256 of the picture it was compared with."""
    model: str = ""
    """Who measured, by name and by content; empty if no model did."""
    model_sha256: str = ""


class JsonMark(Struct, frozen=True):
    """Marks an annotation whose values may be any JSON."""


Json = Annotated[object, JsonMark()]
"""Any JSON value: null, true, number, text, list, object."""


def ui(widget: str, **hints: object) -> dict[str, object]:
    """Editor hints, carried inside the JSON schema of an input."""
    return {"x-widget": widget, **{f"x-{key}": value for key, value in hints.items()}}


def slider(low: float, high: float, description: str = "", *, step: float = 0.01) -> Meta:
    """Limits of a number that is chosen with a slider."""
    shown = ui("slider", step=step)
    return Meta(ge=low, le=high, description=description or None, extra_json_schema=shown)


Steps = Annotated[int, Meta(ge=1, le=150, description="Denoising steps. More is slower and finer.")]
Guidance = Annotated[
    float,
    slider(0, 30, "How strictly to follow the prompt. 1 switches guidance off.", step=0.1),
]
MAX_SEED = 2**53 - 1
"""The largest whole number that a browser keeps exactly."""
Seed = Annotated[
    int, Meta(ge=0, le=MAX_SEED, description="Same seed, same picture.", extra_json_schema=ui("seed"))
]
Strength = Annotated[
    float,
    slider(0, 1, "How much may change: 0 keeps the start, 1 ignores it."),
]
Fraction = Annotated[float, slider(0, 1)]
Degrees = Annotated[float, slider(-360, 360, "In degrees; more than 0 turns clockwise.", step=1)]
Prompt = Annotated[
    str, Meta(max_length=20_000, description="What to draw, in words.", extra_json_schema=ui("text"))
]
Pixels = Annotated[int, Meta(ge=16, le=16_384, multiple_of=8, description="A width or height, in pixels.")]
Colour = Annotated[
    str,
    Meta(
        max_length=40,
        pattern=r"^(#([0-9A-Fa-f]{3,4}|[0-9A-Fa-f]{6}|[0-9A-Fa-f]{8})|[A-Za-z]+)$",
        description='A colour: "#ff8800", "#f80", "#ff880080" with transparency, or a name such as "orange", '
        '"white" or "transparent".',
        extra_json_schema=ui("colour"),
    ),
]
Quality = Annotated[int, Meta(ge=1, le=100, description="Quality of lossy formats: 100 is best and largest.")]


def model_name(kind: str, what: str) -> Meta:
    """The name of a file of one kind in the models folder: an editor offers those, and a receipt names it."""
    return Meta(
        min_length=1,
        max_length=200,
        description=f"{what} by its name in the models folder.",
        extra_json_schema=ui("model", kind=kind),
    )


ModelName = Annotated[str, model_name("model", "A model")]
DenoiserName = Annotated[str, model_name("denoiser", "A denoiser")]
ControlNetName = Annotated[str, model_name("controlnet", "A ControlNet")]
T2IAdapterName = Annotated[str, model_name("t2i_adapter", "A T2I-Adapter")]
IpAdapterName = Annotated[str, model_name("ip_adapter", "An IP-Adapter")]
VisionName = Annotated[str, model_name("vision", "A vision model")]
VaeName = Annotated[str, model_name("vae", "A VAE")]
LoraName = Annotated[str, model_name("lora", "A LoRA")]
FileName = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=80,
        pattern=r"^[^\x00-\x1f/\\:*?\"<>|]+$",
        description="How the file is called, without folder or ending. {prompt}, {seed}, {width}, {date} and "
        "other named inputs in braces stand for their values.",
    ),
]
Text = Annotated[str, Meta(max_length=1_000_000, extra_json_schema=ui("text"))]
