"""The truth about drawn pictures on disk: what the models that look at pictures learn from."""

from pathlib import Path
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from . import pictures
from .canvas import truth
from .draw import draw
from .filling import Store, fill
from .pictures import FIRST_SEED
from .progress import reached
from .scene import Scene

JOINTS, MARKS = 17, 5
_CHUNK = 500
# of a head, in units of half the distance of its eyes, from the middle between them
_NOSE, _MOUTH_X, _MOUTH_Y = 0.57, 0.97, 1.2


class Seen(Struct, frozen=True):
    """Drawn pictures with the truth about them."""

    pictures: NDArray[np.uint8]  # (n, 128, 128, 3)
    near: NDArray[np.uint8]  # (n, 128, 128), 0 far to 255 near
    front: NDArray[np.uint8]  # (n, 128, 16), packed bits: whether a thing is in front
    people: NDArray[np.float16]  # (n, 19, 2): 17 joints, then the box's corners; NaN where nobody is
    faces: NDArray[np.float16]  # (n, 5, 2): eyes, nose, corners of the mouth; NaN where no face is
    kinds: NDArray[np.str_]  # (n,)

    def of(self, *kinds: str) -> NDArray[np.int64]:
        """The indices of the pictures of some kinds."""
        return np.flatnonzero(np.isin(self.kinds, kinds))

    def fronts(self, index: NDArray[np.int64]) -> NDArray[np.uint8]:
        """Where things are in front: (n, 128, 128), 0 or 1."""
        return np.unpackbits(self.front[index], axis=2)


def prepare(checkpoints: Path) -> None:
    """Note the truth about all drawn pictures, going on where an earlier run stopped."""
    folder, count = checkpoints / "seen", pictures.drawn(checkpoints / "pictures")
    stores = [
        Store(folder / "near.npy", np.uint8, (count, 128, 128)),
        Store(folder / "front.npy", np.uint8, (count, 128, 16)),
        Store(folder / "people.npy", np.float16, (count, JOINTS + 2, 2)),
        Store(folder / "faces.npy", np.float16, (count, MARKS, 2)),
    ]
    fill("seen", folder / "noted", stores, _truths, chunk=_CHUNK)


def load(checkpoints: Path) -> Seen:
    """The drawn pictures and their truth, read as they are needed."""
    folder = checkpoints / "seen"
    count = reached(folder / "noted")
    kinds = np.asarray(pictures.kinds(checkpoints / "pictures"))[:count]
    near, front, people, faces = (
        np.load(folder / f"{name}.npy", mmap_mode="r")[:count]
        for name in ("near", "front", "people", "faces")
    )
    return Seen(pictures.load(checkpoints / "pictures")[:count], near, front, people, faces, kinds)


def person(scene: Scene) -> NDArray[np.float32]:
    """The joints and the box of a scene's person: (19, 2), NaN where nobody is."""
    found = np.full((JOINTS + 2, 2), np.nan, np.float32)
    for thing, box in zip(scene.things, truth(scene).boxes, strict=True):
        if thing.keypoints and box is not None:
            found[:JOINTS] = thing.keypoints
            found[JOINTS:] = ((box[0], box[1]), (box[2], box[3]))
    return found


def landmarks(scene: Scene) -> NDArray[np.float32]:
    """The landmarks of a scene's face, also of a person's small one: (5, 2), NaN where no face is."""
    for thing in scene.things:
        if thing.landmarks:
            return np.asarray(thing.landmarks, np.float32)
        if thing.keypoints:
            return _head(np.asarray(thing.keypoints, np.float32), child=scene.facts["who"] == "child")
    return np.full((MARKS, 2), np.nan, np.float32)


def face_box(marks: NDArray[np.float32]) -> NDArray[np.float32]:
    """The box around a face with these landmarks: left, top, right, bottom."""
    radius = float(np.abs(marks[1, 0] - marks[0, 0])) / 0.76
    x, y = (marks[0] + marks[1]) / 2
    middle = y + 0.18 * radius
    reach = 0.95 * radius
    return np.asarray((x - reach, middle - reach, x + reach, middle + reach), np.float32)


def _truths(which: range) -> list[NDArray[Any]]:
    """Nearness, fronts, people and faces of some pictures."""
    scenes = [draw(FIRST_SEED + index) for index in which]
    known = [truth(scene) for scene in scenes]
    return [
        np.stack([np.round(one.near * 255) for one in known]),
        np.stack([np.packbits(one.owner >= 0, axis=1) for one in known]),
        np.stack([person(scene) for scene in scenes]),
        np.stack([landmarks(scene) for scene in scenes]),
    ]


def _head(joints: NDArray[np.float32], child: bool) -> NDArray[np.float32]:
    """The landmarks of a person's head, which a child has larger."""
    middle = (joints[1] + joints[2]) / 2
    half = abs(float(joints[1, 0] - joints[2, 0])) / 2 * (1.18 if child else 1)
    places = ((-1, 0), (1, 0), (0, _NOSE), (-_MOUTH_X, _MOUTH_Y), (_MOUTH_X, _MOUTH_Y))
    return np.asarray([middle + half * np.asarray(place, np.float32) for place in places])


if __name__ == "__main__":
    import sys

    prepare(Path(sys.argv[1]))
