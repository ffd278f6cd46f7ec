"""Poses: people as joints, typed in or found in a picture, and drawn for guides to follow."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from engine.errors import BadInput
from engine.node import node
from engine.types import Fraction, Image, Json, Pose, slider
from nodes.image import Side, check_size

People = Annotated[
    Json,
    Meta(
        description="For each person 17 joints (COCO's order) or 18 (OpenPose's), each [x, y] in parts of "
        "the picture, [x, y, score], or null; or a file of OpenPose."
    ),
]


@node(category="guides", lane="inline")
def pose_from_points(people: People, width: Side = 512, height: Side = 512) -> list[Pose]:
    """Make poses of typed-in joints, to draw them with `draw_pose`.

    A person is a list of 17 joints: nose, left and right eye, left and right ear, shoulders, elbows, wrists,
    hips, knees, ankles, always the person's left before the right. Each is [x, y] from the left and the top,
    as parts of the picture: [0.5, 0.5] is its middle. A joint that cannot be seen is null. 18 joints are
    taken for those of OpenPose, and so is an object with `canvas_width`, `canvas_height` and `people`, as
    pose editors write it; hands and faces in it are left out.
    """
    from nodes._lib import skeletons

    return skeletons.read(people, width, height)


@node(category="guides", lane="inline")
def pose_to_points(poses: list[Pose]) -> Json:
    """Write poses down as joints, in the way that `pose_from_points` reads: to keep, to change, to send."""
    from nodes._lib import skeletons

    return skeletons.written(poses)


@node(category="guides")
def draw_pose(
    poses: list[Pose],
    width: Side | None = None,
    height: Side | None = None,
    least: Annotated[Fraction, Meta(description="Joints of a lower score are left out.")] = 0.3,
    line: Annotated[
        float, slider(0.1, 5, "How thick limbs are: 1 is as ControlNets were shown them.", step=0.1)
    ] = 1.0,
) -> Image:
    """Draw people as coloured limbs and joints on black, as ControlNets of kind pose want them.

    It is OpenPose's drawing with 18 joints: each limb has its own colour, the joints are brighter. Without a
    size it is as large as the picture that the poses are of. A limb whose other end is missing is not drawn.
    """
    if (width is None or height is None) and not poses:
        raise BadInput(
            "width", got="nothing", want="a width and a height", remedy="There is no pose to tell."
        )
    from nodes._lib import skeletons

    wide, high = width or poses[0].width, height or poses[0].height
    check_size(wide, high, "width")
    return skeletons.drawn(poses, wide, high, least, line)
