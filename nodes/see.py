"""Models that look at pictures: how near things are, people's joints, things and areas by name."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple, TypeVar

from msgspec import Meta

from engine.context import SILENT, Context
from engine.errors import BadInput
from engine.memory import loader, weights
from engine.models import ModelFile, content_of, models
from engine.node import node
from engine.types import (
    Box,
    DepthModel,
    Fraction,
    Image,
    Json,
    JsonMark,
    Mask,
    Model,
    ObjectFinder,
    Outliner,
    Pose,
    PoseModel,
    SceneParser,
    Transformer,
    model_name,
    slider,
)
from engine.weights import WHOLE
from nodes.load import Precision, identity
from nodes.mask import point_of

DepthName = Annotated[str, model_name("depth", "A depth model")]
PoseName = Annotated[str, model_name("pose", "A pose model")]
FinderName = Annotated[str, model_name("finder", "A finder of things")]
SegmenterName = Annotated[str, model_name("segmenter", "A segmenter")]

Part = TypeVar("Part", bound=Transformer)

Names = Annotated[
    str,
    Meta(max_length=2000, description="Names with commas between, as the model knows them; all if empty."),
]
Sure = Annotated[Fraction, Meta(description="What the model is less sure of is left out.")]


class Depth(NamedTuple):
    image: Image
    exact: Image
    nearest: float
    farthest: float


class Areas(NamedTuple):
    image: Image
    names: list[str]
    masks: list[Mask]
    shares: list[float]


class Outline(NamedTuple):
    mask: Mask
    score: float


# -- which model


def chosen(part: type[Part], model: str, dtype: Precision) -> Part:
    """The model of this name, if it is of the kind that is wanted."""
    from nodes._lib import transformer

    file = models().find(model, transformer.TASKS[part].kind)
    transformer.layout_of(file, part)
    return part(*identity(file, transformer.FAMILY), dtype)


@node(category="guides", kind="source", lane="io", fingerprint=content_of("depth"))
def load_depth_model(model: DepthName = "starter-depth", dtype: Precision = "auto") -> DepthModel:
    """Choose a model that tells how near everything in a picture is.

    `model` is the name of a folder in `depth` of the models folder, as transformers saves it: Depth Anything,
    DPT, ZoeDepth, GLPN and others; or the id of a Hugging Face repository in the local cache.
    """
    return chosen(DepthModel, model, dtype)


@node(category="guides", kind="source", lane="io", fingerprint=content_of("pose"))
def load_pose_model(model: PoseName = "starter-pose", dtype: Precision = "auto") -> PoseModel:
    """Choose a model that finds the joints of people.

    `model` is the name of a ViTPose in the layout of transformers, a folder in `pose` of the models folder.
    """
    return chosen(PoseModel, model, dtype)


@node(category="look", kind="source", lane="io", fingerprint=content_of("finder"))
def load_finder(model: FinderName = "rt-detr", dtype: Precision = "auto") -> ObjectFinder:
    """Choose a model that finds things of the kinds that it knows.

    `model` is the name of a folder in `finders` of the models folder, as transformers saves it: RT-DETR,
    DETR, YOLOS and others. Most know the 80 kinds of COCO: people, animals, vehicles, furniture, food.
    """
    return chosen(ObjectFinder, model, dtype)


@node(category="look", kind="source", lane="io", fingerprint=content_of("segmenter"))
def load_scene_parser(model: SegmenterName = "mask2former-ade", dtype: Precision = "auto") -> SceneParser:
    """Choose a model that names every pixel.

    `model` is the name of a folder in `segmenters` of the models folder, as transformers saves it: SegFormer,
    UPerNet, DPT, MaskFormer, Mask2Former and others. Those that were trained on ADE20K know 150 kinds of
    places and things: sky, sea, wall, tree, person.
    """
    return chosen(SceneParser, model, dtype)


@node(category="masks", kind="source", lane="io", fingerprint=content_of("segmenter"))
def load_outliner(model: SegmenterName = "sam-base", dtype: Precision = "auto") -> Outliner:
    """Choose a model that outlines what is pointed at.

    `model` is the name of a SAM in the layout of transformers, a folder in `segmenters` of the models folder.
    """
    return chosen(Outliner, model, dtype)


@loader(Transformer, "transformers", kinds=WHOLE)
def load_transformer(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    """Any model of the transformers library with its processor."""
    from nodes._lib import transformer

    assert isinstance(ref, Transformer)
    return transformer.load(file, type(ref), device, dtype)


# -- what it sees


@node(category="guides", lane="gpu")
def estimate_depth(model: DepthModel, image: Image) -> Depth:
    """Tell how near everything in a picture is: near is white, as ControlNets of kind depth want it.

    `image` goes from black, the farthest, to white, the nearest; `exact` is the same in floating point. What
    the model itself said of the two ends is `nearest` and `farthest`: metres with models that were made to
    measure, else numbers that mean something only beside each other.
    """
    from nodes._lib import seeing, tracing

    with weights(model) as held:
        found = seeing.near(held, image)
    return Depth(tracing.shown(found.pixels), Image(found.pixels[..., None]), found.nearest, found.farthest)


@node(category="guides", lane="gpu")
def estimate_poses(
    model: PoseModel, image: Image, boxes: list[Box] | None = None, ctx: Context = SILENT
) -> list[Pose]:
    """Find the joints of people: of one in each box, or of one who fills the picture.

    `boxes` come from `find_things` with the name "person". `draw_pose` draws what is found.
    """
    from nodes._lib import seeing

    around = [Box(0.0, 0.0, float(image.width), float(image.height))] if boxes is None else boxes
    for box in around:
        if box.width <= 0 or box.height <= 0:
            raise BadInput("boxes", got=f"a box of {box.width:g} × {box.height:g}", want="some pixels")
    with weights(model) as held:
        return seeing.poses(held, image, around, ctx.thrift, ctx)


@node(category="look", lane="gpu")
def find_things(
    model: ObjectFinder,
    image: Image,
    names: Names = "",
    least: Sure = 0.5,
    most: Annotated[int, Meta(ge=1, le=1000, description="Keep so many, the surest.")] = 100,
) -> list[Box]:
    """Find things and where they are, the surest first.

    `names` are words that the model was made to know, such as "person" or "cat"; others are refused with the
    nearest that it knows. Wire the boxes into `draw_boxes` to see them, into `estimate_poses` to find the
    joints of people, or into `outline_at` for a mask of each.
    """
    from nodes._lib import seeing

    with weights(model) as held:
        return seeing.things(held, image, listed(names), least)[:most]


@node(category="look")
def draw_boxes(
    image: Image,
    boxes: list[Box],
    line: Annotated[
        float, slider(0.25, 8, "How thick frames and letters are: 1 suits the picture.", step=0.25)
    ] = 1.0,
    names: Annotated[bool, Meta(description="Write what it is and how sure that is.")] = True,
) -> Image:
    """Show on a picture what was found in it: a frame around each thing, in one colour for each name."""
    from nodes._lib import framing

    return framing.framed(image, boxes, line, names)


@node(category="look", lane="gpu")
def parse_scene(
    model: SceneParser,
    image: Image,
    names: Names = "",
    least: Annotated[Fraction, Meta(description="Of the picture; smaller areas are left out.")] = 0.005,
) -> Areas:
    """Divide a picture into named areas, with a mask for each.

    The largest come first. With `names` there is one mask for each of them, in their order, empty where the
    picture has none; others are refused with the nearest that the model knows. In `image` every class has its
    colour as the PASCAL VOC challenge numbers them; ControlNets that learnt other colours need theirs.
    """
    from nodes._lib import seeing

    with weights(model) as held:
        return Areas(*seeing.parsed(held, image, listed(names), least))


Spots = Annotated[
    object, JsonMark(), Meta(description="Places as parts of the picture: [[0.5, 0.5]] is its middle.")
]


@node(category="masks", lane="gpu")
def outline_at(
    model: Outliner, image: Image, points: Spots = None, avoid: Spots = None, box: Box | None = None
) -> Outline:
    """Mark the thing that is pointed at, up to its outline.

    `points` lie on it and `avoid` beside it, as [[x, y], …] in parts of the picture; a `box` around it does
    as well. `score` is how good the model thinks its outline is.
    """
    on, off = spots("points", points), spots("avoid", avoid)
    if not on and box is None:
        raise BadInput("points", got="nothing", want="a point on the thing, or a box around it")
    from nodes._lib import seeing

    places = [[x * image.width, y * image.height] for x, y in (*on, *off)]
    with weights(model) as held:
        return Outline(*seeing.outlined(held, image, places, [1] * len(on) + [0] * len(off), box))


def spots(place: str, value: Json) -> list[tuple[float, float]]:
    """Typed-in places, checked one by one."""
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MOST_SPOTS:
        raise BadInput(
            place, got=value, want=f"at most {MOST_SPOTS} places", remedy="Write them like [[0.5, 0.5]]."
        )
    found = [point_of(item) for item in value]
    for x, y in found:
        if not (0 <= x <= 1 and 0 <= y <= 1):
            raise BadInput(place, got=[x, y], want="parts of the picture, 0 to 1")
    return found


MOST_SPOTS = 100


def listed(names: str) -> list[str]:
    return [name for name in map(str.strip, names.split(",")) if name]
