"""Poses: limb angles by name, and the skeleton they give."""

import math
from random import Random

from msgspec import Struct

from .scene import Point

# 0 points right, 90 down; first the upper, then the lower part of a limb; R and L are the person's own sides,
# so R is on the left of the picture
Limb = tuple[float, float]


class Pose(Struct, frozen=True):
    """The directions of four limbs, and how far the hips sink."""

    right_arm: Limb = (105, 95)
    left_arm: Limb = (75, 85)
    right_leg: Limb = (95, 92)
    left_leg: Limb = (85, 88)
    sink: float = 0


class Skeleton(Struct, frozen=True):
    """Joints in picture units."""

    head: Point
    neck: Point
    shoulders: tuple[Point, Point]  # right, left
    elbows: tuple[Point, Point]
    wrists: tuple[Point, Point]
    hips: tuple[Point, Point]
    knees: tuple[Point, Point]
    ankles: tuple[Point, Point]
    scale: float

    def keypoints(self) -> tuple[Point, ...]:
        """COCO's 17: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles; left before right."""
        x, y = self.head
        s = self.scale
        face = (
            (x, y + 1.6 * s),
            (x + 2.8 * s, y),
            (x - 2.8 * s, y),
            (x + 7 * s, y + 0.8 * s),
            (x - 7 * s, y + 0.8 * s),
        )
        pairs = (self.shoulders, self.elbows, self.wrists, self.hips, self.knees, self.ankles)
        return face + tuple(point for right, left in pairs for point in (left, right))


POSES: dict[str, Pose] = {
    "standing": Pose(),
    "waving": Pose(left_arm=(-40, -75)),
    "with arms up": Pose((225, 250), (-45, -70), (97, 93), (83, 87)),
    "with arms spread": Pose((178, 182), (2, -2), (100, 97), (80, 83)),
    "with hands on hips": Pose((140, 40), (40, 140), (97, 93), (83, 87)),
    "running": Pose((140, 60), (60, -30), (125, 160), (50, 80), 1),
    "jumping": Pose((215, 235), (-35, -55), (130, 70), (50, 110), -7),
    "pointing left": Pose((180, 180)),
    "pointing right": Pose(left_arm=(0, 0)),
    "kicking": Pose((150, 130), (20, -30), (95, 92), (15, 10)),
    "sitting": Pose((100, 70), (80, 110), (20, 92), (20, 92), 10),
    "kneeling": Pose((105, 95), (75, 85), (92, 178), (88, 2), 13),
    "dancing": Pose((200, 250), (50, -20), (100, 95), (30, 120), 1),
}
NAMES = tuple(POSES)


def skeleton(rng: Random, pose: Pose, x: float, y: float, s: float, loose: float = 6) -> Skeleton:
    """The joints of a person whose waist is near (x, y), with limbs a little off the exact angles."""

    def reach(start: Point, angle: float, length: float) -> Point:
        turn = math.radians(angle + rng.uniform(-loose, loose))
        return start[0] + length * s * math.cos(turn), start[1] + length * s * math.sin(turn)

    y += pose.sink * s
    shoulders = ((x - 8 * s, y - 20 * s), (x + 8 * s, y - 20 * s))
    hips = ((x - 4.6 * s, y + 4 * s), (x + 4.6 * s, y + 4 * s))
    elbows = (reach(shoulders[0], pose.right_arm[0], 12), reach(shoulders[1], pose.left_arm[0], 12))
    wrists = (reach(elbows[0], pose.right_arm[1], 11), reach(elbows[1], pose.left_arm[1], 11))
    knees = (reach(hips[0], pose.right_leg[0], 15), reach(hips[1], pose.left_leg[0], 15))
    ankles = (reach(knees[0], pose.right_leg[1], 15), reach(knees[1], pose.left_leg[1], 15))
    head = (x + rng.uniform(-0.6, 0.6) * s, y - 32 * s)
    return Skeleton(head, (x, y - 22 * s), shoulders, elbows, wrists, hips, knees, ankles, s)


def blend(a: Pose, b: Pose, part: float) -> Pose:
    """A pose between two."""

    def between(one: Limb, two: Limb) -> Limb:
        return one[0] + (two[0] - one[0]) * part, one[1] + (two[1] - one[1]) * part

    return Pose(
        between(a.right_arm, b.right_arm),
        between(a.left_arm, b.left_arm),
        between(a.right_leg, b.right_leg),
        between(a.left_leg, b.left_leg),
        a.sink + (b.sink - a.sink) * part,
    )
