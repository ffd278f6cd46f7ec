"""The examples that put pictures together do what their pages say, shown on pictures known in every part."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from PIL import Image, ImageDraw

from engine.events import Job
from engine.registry import Registry
from engine.service import Engine
from engine.types import Artifact
from tests.engines import opened
from tests.flow.test_examples import done

pytestmark = pytest.mark.asyncio(loop_scope="module")

GROUND, FIGURE = (40, 90, 200), (230, 150, 40)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    async with opened(tmp_path_factory.mktemp("composing"), Registry.core()) as engine:
        yield engine


def figure() -> Image.Image:
    """A disc with a hole on a plain ground, 160 × 96, and a speck beside it."""
    picture = Image.new("RGB", (160, 96), GROUND)
    pen = ImageDraw.Draw(picture)
    pen.ellipse((50, 18, 110, 78), FIGURE)
    pen.ellipse((76, 44, 84, 52), GROUND)
    pen.rectangle((10, 10, 13, 13), FIGURE)
    return picture


def slope() -> Image.Image:
    """Brighter to the right, redder downwards."""
    y, x = np.mgrid[:128, :128]
    return Image.fromarray(np.stack([60 + y, 40 + x, 90 + x // 2], 2).astype(np.uint8))


def data_of(picture: Image.Image, format: str = "png", **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, format, **options)
    return out.getvalue()


async def made(engine: Engine, name: str, picture: bytes, **inputs: Any) -> Job:
    job = await done(engine, name, {"picture": await engine.add_artifact(picture), **inputs})
    assert job.state == "done", job.problem
    return job


async def file_of(engine: Engine, job: Job, output: str) -> Image.Image:
    artifact = await engine.artifact(engine.assets.id_of("local", job.outputs[output]["artifact"]["sha256"]))
    assert isinstance(artifact, Artifact)
    path, _ = await engine.artifact_path(engine.artifact_id(artifact, "local"))
    return Image.open(io.BytesIO(path.read_bytes()))


async def pixels_of(engine: Engine, job: Job, output: str) -> Any:
    return np.asarray(await file_of(engine, job, output))


async def test_a_figure_is_cut_out_whole_with_its_rim_and_without_specks(engine: Engine) -> None:
    job = await made(engine, "cut_out_figure", data_of(figure()), ground="#285ac8", rim=4, behind="#00ff00")
    cut = await pixels_of(engine, job, "figure")
    assert cut.shape[2] == 4
    assert abs(cut.shape[1] - (61 + 2 * (4 + 1 + 4))) <= 2, "the disc, its rim, its soft edge and the margin"
    middle = cut.shape[0] // 2
    assert tuple(cut[middle, middle]) == (*GROUND, 255), "the hole belongs to the figure"
    assert tuple(cut[middle, middle + 20]) == (*FIGURE, 255)
    assert cut[0, 0, 3] == 0
    row = cut[middle]
    rim = np.flatnonzero((row[:, :3] == 255).all(1) & (row[:, 3] > 250))
    assert 4 <= len(rim) <= 8, "white on both sides"
    picture, seen, behind = np.split((await pixels_of(engine, job, "row"))[:, : 3 * 168 - 8], [168, 336], 1)
    assert tuple(behind[90, 150]) == (0, 255, 0)
    assert tuple(behind[11, 11]) == (0, 255, 0), "the speck is gone"
    assert np.abs(seen[48, 100] - (np.array(FIGURE) + np.array([255, 0, 255])) / 2).max() <= 0.5
    assert tuple(seen[90, 150]) == tuple(picture[90, 150]) == GROUND


async def test_what_is_transparent_is_ground_too(engine: Engine) -> None:
    clear = figure().convert("RGBA")
    clear.putalpha(Image.new("L", clear.size, 255))
    clear.paste((0, 0, 0, 0), (0, 0, 80, 96))
    job = await made(engine, "cut_out_figure", data_of(clear), ground="#285ac8", rim=0)
    cut = await pixels_of(engine, job, "figure")
    assert abs(cut.shape[1] - (31 + 2 * 4 + 1)) <= 2, "half of the disc"


async def test_light_falls_in_from_its_side_and_the_corners_are_dark(engine: Engine) -> None:
    grey = data_of(Image.new("RGB", (128, 128), (100, 100, 100)))
    job = await made(engine, "light_leak", grey, shift=0, **{"from": 0}, light=1, vignette=1)
    found = (await pixels_of(engine, job, "row"))[:, 136:].astype(int)
    assert tuple(found[64, 36]) == (100, 100, 100)
    warm = found[64, 110]
    assert warm[0] > warm[1] > warm[2] > 90
    assert found[2, 2].max() < 60
    job = await made(engine, "light_leak", data_of(figure()), shift=3, light=0, vignette=0)
    row = (await pixels_of(engine, job, "row"))[:, 168:]
    red, green, blue = (np.flatnonzero(row[48, :, c] != GROUND[c]) for c in range(3))
    assert red.max() - green.max() == 3
    assert blue.min() - green.min() == -3


async def test_a_stencil_is_white_where_the_picture_is_bright(engine: Engine) -> None:
    ramp = data_of(Image.fromarray(np.tile(np.arange(160, dtype=np.uint8), (96, 1))))
    line = [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]
    job = await made(engine, "stencil", ramp, threshold=0.25, specks=0, line=line)
    row = (await pixels_of(engine, job, "row")).reshape(96, 3 * 168 - 8, -1)[..., 0]
    picture, stencil, parted = row[:, :160], row[:, 168:328], row[:, 336:]
    assert (stencil == np.where(np.arange(160) / 255 >= 0.25, 255, 0)).all()
    assert (parted[:, :80] == picture[:, :80]).all()
    assert (parted[:, 80:] == stencil[:, 80:]).all()


@pytest.mark.parametrize(("tile", "overlap"), [(64, 16), (48, 24), (256, 0)])
async def test_a_picture_enlarged_in_tiles_has_no_seam(engine: Engine, tile: int, overlap: int) -> None:
    larger = 2 * min(tile, 128)
    job = await made(engine, "tile_by_tile", data_of(slope()), tile=tile, overlap=overlap, larger=larger)
    found = (await pixels_of(engine, job, "picture")).astype(int)
    assert found.shape == (256, 256, 3)
    whole = np.asarray(slope().resize((256, 256), Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(found - whole).max() <= 2
    assert job.outputs["picture"]["artifact"]["name"].startswith("256x256")


async def test_a_cloned_piece_takes_on_the_light_of_its_place(engine: Engine) -> None:
    other = await engine.add_artifact(data_of(slope()))
    job = await made(engine, "clone_a_piece", data_of(figure()), other=other, width=60, left=40, top=40)
    row = (await pixels_of(engine, job, "row")).astype(int)
    pasted, cloned = row[:128, 168:296], row[:128, 304:432]
    assert row.shape == (128, 432, 3)
    ground = np.asarray(slope()).astype(int)
    far = np.ones((128, 128), bool)
    far[40:100, 40:100] = False
    assert (pasted[far] == ground[far]).all()
    assert (cloned[far] == ground[far]).all()
    jump = [np.abs(found[40:90, 40:101] - ground[40:90, 40:101]).max(2) for found in (pasted, cloned)]
    edge = np.flatnonzero(jump[0][20] > 0)[0]
    assert jump[1][20, edge] < jump[0][20, edge] / 3


async def test_a_window_goes_there_and_back(engine: Engine) -> None:
    job = await made(
        engine, "pan_across", data_of(slope()), window=32, top=8, count=3, step=10, format="png", fps=5
    )
    film: Any = await file_of(engine, job, "animation")
    places = [0, 10, 20, 10, 0]  # the last place twice in a row is one frame, shown twice as long
    assert (film.n_frames, film.size) == (5, (32, 32))
    for index, left in enumerate(places):
        film.seek(index)
        wanted = np.asarray(slope())[8:40, left : left + 32]
        assert (np.asarray(film.convert("RGB")) == wanted).all()
        assert film.info["duration"] == (400 if index == 2 else 200)
    assert job.outputs["sheet"]["artifact"]["width"] == 3 * 36 + 4


async def test_an_animation_is_played_backwards_with_its_times(engine: Engine) -> None:
    frames = [Image.new("RGB", (20, 10), (index * 60, 0, 0)) for index in range(4)]
    film = data_of(frames[0], "gif", save_all=True, append_images=frames[1:], duration=[100, 200, 300, 400])
    job = await made(engine, "play_backwards", film, format="png", loop=2)
    assert (job.outputs["frames"], job.outputs["seconds"]) == (4, 1.0)
    back: Any = await file_of(engine, job, "animation")
    assert (back.n_frames, back.info["loop"]) == (4, 2)
    for index in range(4):
        back.seek(index)
        assert back.convert("RGB").getpixel((5, 5)) == ((3 - index) * 60, 0, 0)
        assert back.info["duration"] == 400 - 100 * index


async def test_a_picture_tells_how_it_was_made(engine: Engine) -> None:
    first = await made(engine, "stencil", data_of(slope()), threshold=0.3)
    artifact = first.outputs["row"]["artifact"]
    path, _ = await engine.artifact_path(engine.assets.id_of("local", artifact["sha256"]))
    job = await made(engine, "how_was_it_made", path.read_bytes())
    assert job.outputs["settings"]["threshold"] == 0.3
    assert job.outputs["software"].startswith("Made with Tessera")
    bare = await made(engine, "how_was_it_made", data_of(slope()))
    assert (bare.outputs["prompt"], bare.outputs["settings"], bare.outputs["software"]) == ("", {}, "")
