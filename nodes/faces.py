"""Find faces and make them clear."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from msgspec import Meta

from engine.context import SILENT, Context
from engine.errors import BadInput, Unsupported
from engine.memory import loader, weights
from engine.models import ModelFile, content_of, models
from engine.node import node
from engine.types import Box, Face, FaceFinder, FaceRestorer, Image, Mask, Model, model_name, slider
from nodes.image import LONGEST
from nodes.load import identity

FaceFinderName = Annotated[str, model_name("detector", "A face finder")]
FaceRestorerName = Annotated[str, model_name("face", "A face restorer")]

Sure = Annotated[float, slider(0.05, 1, "How sure a find must be: less finds more, also what is no face.")]
Sight = Annotated[
    int,
    Meta(
        ge=64,
        le=4096,
        description="Pixels of the longer side at which the picture is searched; more finds smaller faces.",
    ),
]
Fidelity = Annotated[
    float, slider(0, 1, "How much of the face as it was stays: at 0 none of it, at 1 nothing changes.")
]
Edge = Annotated[
    float, Meta(ge=-LONGEST, le=LONGEST, description="Pixels from the left or the top of the picture.")
]
Length = Annotated[float, Meta(gt=0, le=LONGEST, description="In pixels.")]


class Restored(NamedTuple):
    image: Image
    mask: Mask
    faces: list[Box]


@node(category="enhance/faces", kind="source", lane="io", fingerprint=content_of("detector"))
def load_face_finder(model: FaceFinderName = "starter-faces") -> FaceFinder:
    """Choose a network that finds faces, with their eyes, nose and mouth.

    `model` is the name of a file in the folder `detectors` of the models folder (or `facedetection`): an
    `.onnx` file with the outputs of YuNet, as OpenCV publishes it, or facexlib's RetinaFace as
    `.safetensors`.
    """
    file = models().find(model, "detector")
    return FaceFinder(*identity(file, "faces"), "float32")


@node(category="enhance/faces", lane="gpu")
def find_faces(
    finder: FaceFinder,
    image: Image,
    sure: Sure = 0.6,
    sight: Sight = 640,
    most: Annotated[int, Meta(ge=1, le=1000, description="Keep so many, the largest.")] = 100,
) -> list[Face]:
    """Find the faces in a picture: their boxes, and where eyes, nose and mouth are; the largest first.

    Wire the list into `restore_faces`, or into `mask_boxes` to change the faces by inpainting, or to hide
    them. A picture without faces gives an empty list.
    """
    from nodes._lib import finding

    with weights(finder) as held:
        return finding.faces(held, image, sure, sight)[:most]


@node(category="masks", lane="inline")
def box(left: Edge, top: Edge, width: Length, height: Length) -> Box:
    """Mark a rectangle of a picture by hand, in pixels from the top left.

    It takes the place of what a network finds: for `mask_boxes`, or for `restore_faces` where a face was
    overlooked. Lists of numbers on its inputs make a list of boxes.
    """
    return Box(left, top, width, height)


@node(category="masks")
def mask_boxes(
    image: Image,
    boxes: list[Box],
    shape: Literal["ellipse", "rectangle"] = "ellipse",
    grow: Annotated[float, slider(-0.5, 2, "How much larger than the box, as a part of its size.")] = 0.1,
) -> Mask:
    """Make a mask of what was found in a picture: 1 within the boxes.

    Wire `find_faces` in, or what `box` marks by hand. A face's box ends at its brow and chin: a `grow` of 0.5
    takes in hair and ears. `feather_mask` makes the edge soft.
    """
    from nodes._lib import masking

    return Mask(masking.boxes(image.width, image.height, boxes, shape, grow))


@node(category="enhance/faces", kind="source", lane="io", fingerprint=content_of("face"))
def load_face_restorer(model: FaceRestorerName = "starter-face-restorer") -> FaceRestorer:
    """Choose a network that makes damaged faces clear.

    `model` is the name of a `.safetensors` file in the folder `faces` of the models folder (or
    `facerestore_models`, `GFPGAN`): a GFPGAN, a RestoreFormer, or any other network in a layout that spandrel
    knows. It is shown faces of 512 × 512, or of the `size` that stands in its file.
    """
    from nodes._lib import networks, restoring

    file = models().find(model, "face")
    if file.layout != "single_file":
        raise Unsupported(f"{file.name!r} is a folder.", remedy="Use a single .safetensors file.")
    kind, size = networks.architecture(file), restoring.side_of(file)
    return FaceRestorer(*identity(file, "spandrel"), architecture=kind, size=size)


@node(category="enhance/faces", lane="gpu")
def restore_faces(
    restorer: FaceRestorer,
    image: Image,
    finder: FaceFinder | None = None,
    boxes: list[Box] | None = None,
    fidelity: Fidelity = 0.0,
    sure: Sure = 0.6,
    sight: Sight = 640,
    ctx: Context = SILENT,
) -> Restored:
    """Make the faces of a picture clear, and leave the rest as it is, bit for bit.

    Each face is turned upright by its eyes, nose and mouth, restored, and laid back with a soft edge. With a
    `finder` the faces are found; with `boxes` only those in them are restored, and a `finder` beside them
    looks for their eyes. A box without marks is taken for an upright face.

    `fidelity` mixes the face as it was into the restored one: networks that draw much of their own, such as
    GFPGAN, stay more alike with 0.3 to 0.5. The `mask` marks what changed.
    """
    if finder is None and boxes is None:
        raise BadInput("finder", got="neither a finder nor boxes", want="one of them", remedy="Wire one in.")
    from nodes._lib import finding, restoring

    wanted: list[Box] = list(boxes or ())
    if finder is not None:
        with weights(finder) as held:
            if boxes is None:
                wanted = list(finding.faces(held, image, sure, sight))
            else:
                wanted = [
                    each
                    if isinstance(each, Face) and each.marks is not None
                    else finding.within(held, image, each, sure, sight)
                    for each in wanted
                ]
    with weights(restorer) as net:
        picture, mask = restoring.restored(net, restorer, image, wanted, 1 - fidelity, ctx)
    return Restored(picture, mask, wanted)


@loader(FaceFinder, "faces", kinds=("detector",))
def load_finder(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    """A network that finds faces."""
    from nodes._lib import finding

    return finding.load(file, device)


@loader(FaceRestorer, "spandrel", kinds=("face",))
def load_restorer(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    """A network that restores faces."""
    from nodes._lib import networks

    return networks.load(file, device, dtype)
