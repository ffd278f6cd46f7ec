"""Pictures that move: every frame, how long it stays, and how often all of it plays."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image as pil

from engine import artifacts
from engine.errors import BadInput
from engine.types import Image
from nodes.files import load_frames, load_image, save_animation, save_image
from tests.pictured import MOVING, STILL, moving, noise, photo


@pytest.fixture(autouse=True)
def store(tmp_path: Path) -> Iterator[Path]:
    with artifacts.using(artifacts.Folder(tmp_path / "store"), tmp_path / "output"):
        yield tmp_path / "output"


@pytest.mark.parametrize("format", ["gif", "webp", "png"])
@pytest.mark.parametrize("channels", [3, 4])
def test_frames_saved_without_loss_are_the_same_frames(format: Any, channels: int) -> None:
    frames = moving(channels=channels)
    saved = save_animation(frames, fps=10, format=format, lossless=True)
    assert (saved.mime, saved.width, saved.height) == (f"image/{format}", 32, 24)
    found = load_frames(saved)
    assert found.fps == pytest.approx(10)
    for frame, wanted in zip(found.frames, frames, strict=True):
        pixels = frame.pixels
        if channels == 4 or pixels.shape[2] == 3:
            np.testing.assert_array_equal(pixels, wanted.pixels)
        else:
            np.testing.assert_array_equal(pixels[..., :3], wanted.pixels)


@pytest.mark.parametrize("format", MOVING)
def test_each_frame_lasts_as_long_as_it_is_told(format: Any) -> None:
    seconds = [0.1, 0.5, 0.04, 0.36]
    found = load_frames(save_animation(moving(), durations=seconds, format=format))
    assert found.durations == pytest.approx(seconds, abs=0.002)
    assert found.fps == pytest.approx(4)


def test_a_film_keeps_its_colours_is_laid_on_white_and_written_the_same_again() -> None:
    frames = [Image(np.full((32, 48, 3), colour, np.uint8)) for colour in ((200, 30, 90), (20, 160, 240))]
    first, again = (save_animation(frames, fps=8, format="mp4") for _ in range(2))
    assert (first.mime, first.sha256) == ("video/mp4", again.sha256)
    found = load_frames(first)
    assert found.fps == pytest.approx(8)
    for frame, wanted in zip(found.frames, frames, strict=True):
        assert np.abs(frame.pixels.astype(int) - wanted.pixels).max() <= 4
    clear = Image(np.zeros((32, 48, 4), np.uint8))
    [white] = load_frames(save_animation([clear], format="mp4")).frames
    assert white.pixels.min() >= 250


def test_a_gif_counts_in_hundredths_and_still_keeps_time() -> None:
    frames = moving(1) + [Image(np.full((24, 32, 3), i, np.uint8)) for i in range(23)]
    found = load_frames(save_animation(frames, fps=24, format="gif"))
    assert sum(found.durations) == pytest.approx(1.0, abs=0.011)
    assert {round(d, 2) for d in found.durations} == {0.04, 0.05}


def test_a_part_of_the_frames_can_be_taken_and_the_speed_stays() -> None:
    film = load_frames(save_animation(moving(6), fps=10, format="mp4"), start=1, count=2, step=2)
    assert film.durations == pytest.approx([0.2, 0.2], abs=0.002)
    saved = save_animation(moving(6), fps=10, format="png")
    found = load_frames(saved, start=1, count=2, step=2)
    assert found.durations == pytest.approx([0.2, 0.2])
    for frame, index in zip(found.frames, (1, 3), strict=True):
        np.testing.assert_array_equal(frame.pixels, moving(6)[index].pixels)
    for file in (saved, save_animation(moving(6), format="mp4")):
        assert len(load_frames(file, start=5).frames) == 1
        with pytest.raises(BadInput, match="start"):
            load_frames(file, start=6)


@pytest.mark.parametrize("format", STILL)
def test_a_picture_that_does_not_move_is_one_frame(format: Any) -> None:
    saved = save_image(photo(), format=format)
    [frame] = load_frames(saved).frames
    np.testing.assert_array_equal(frame.pixels, load_image(saved).image.pixels)


def test_one_frame_alone_can_be_saved() -> None:
    for format in MOVING:
        assert len(load_frames(save_animation(moving(1), format=format)).frames) == 1


@pytest.mark.parametrize(
    ("format", "loop", "said"),
    [("gif", 0, 0), ("gif", 1, None), ("gif", 3, 2), ("webp", 3, 3), ("png", 2, 2)],
)
def test_an_animation_plays_as_often_as_told(format: Any, loop: int, said: int | None) -> None:
    data = artifacts.read(save_animation(moving(), format=format, loop=loop))
    assert pil.open(io.BytesIO(data)).info.get("loop") == said


def test_many_colours_in_a_gif_stay_close() -> None:
    found = load_frames(save_animation([photo(), Image(photo().pixels[::-1])], format="gif")).frames
    blurred = [cv2.GaussianBlur(f.pixels[..., :3], (0, 0), 2).astype(int) for f in (found[0], photo())]
    assert np.abs(blurred[0] - blurred[1]).mean() < 6


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"frames": []}, "frames"),
        ({"frames": [noise(8, 8), noise(8, 9)]}, r"8 × 9 for frame 1.*8 × 8"),
        ({"durations": [0.1]}, "1 for 4 frames"),
        ({"durations": [0.1, 0.1, 0.0, 0.1]}, "durations"),
        ({"fps": 60, "format": "gif"}, "0.02"),
        ({"format": "avif", "loop": 2}, "loop"),
        ({"format": "mp4", "loop": 2}, "loop"),
        ({"format": "mp4", "frames": [noise(9, 8)]}, "9 × 8.*even"),
    ],
)
def test_what_makes_no_animation_is_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        save_animation(**{"frames": moving(), **options})


def test_more_frames_than_memory_bears_are_refused_before_they_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from engine import pictures

    saved = save_animation(moving(5), format="png")
    monkeypatch.setattr(pictures, "LIMIT", 24 * 32 * 3)
    monkeypatch.setattr(pil, "MAX_IMAGE_PIXELS", pil.MAX_IMAGE_PIXELS)  # reading sets it for all
    with pytest.raises(BadInput, match=r"count: .*5 frames of 32 × 24.*at most 3"):
        load_frames(saved)
    assert len(load_frames(saved, count=3).frames) == 3
