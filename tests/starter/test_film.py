"""Image to video: it starts as a copy, learns, keeps its layout, and is measured fairly."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from diffusers import StableVideoDiffusionPipeline
from PIL import Image
from recipe.canvas import paint
from recipe.clips import FRAMES, PHRASES, Motion, clip
from recipe.draw import draw
from recipe.film import Film, glance, pipeline
from recipe.measure import FAMILY
from recipe.measure_film import MODEL, Shot, animate, as_far, calm, load, marks, psnr, unrest
from recipe.motions import COURSES, flicker, motion, watch
from recipe.moving import MOTIONS, NATURAL, PAN_LEFT, PAN_RIGHT, SLOW, Reel, take
from recipe.train_film import PLAN, Filming, export
from recipe.train_vae import tensor, unseen
from recipe.vae import new_vae
from torch import Tensor, nn


def size(part: nn.Module) -> float:
    """The weight of a part in half precision, in MB."""
    return float(sum(weight.numel() for weight in part.parameters()) * 2 / 1e6)


def coarse(frames: Tensor) -> Tensor:
    """Latents that anybody could make: mean colours and their mean."""
    small = nn.functional.avg_pool2d(frames, 8)
    return torch.cat([small * 1.5, small.mean(1, keepdim=True)], 1)


def lesson(takes: int = 3) -> Filming:
    """A lesson of a few clips, with coarse latents."""
    shown = [take(index) for index in range(takes)]
    frames = np.stack([one.paint() for one in shown])
    latents = np.stack([coarse(tensor(some)).numpy() for some in frames]).astype(np.float16)
    motions = np.asarray([one.motion for one in shown])
    buckets = np.asarray([one.bucket for one in shown])
    reel = Reel(latents, frames[:, 0], motions, buckets, [list(one.captions) for one in shown])
    return Filming(reel, frames[:, 0], latents[:, 0], 1.0, "cpu")


@pytest.mark.parametrize("name", PHRASES)
def test_the_judge_names_the_motion_of_a_render(name: Motion) -> None:
    frames = clip(3, name).paint()
    assert motion(frames) == name
    assert watch(frames).course == COURSES[name]
    assert flicker(frames) < flicker([frames[(5 * place) % FRAMES] for place in range(FRAMES)])


def test_a_picture_that_stays_is_still_and_a_clip_backwards_goes_back() -> None:
    assert watch([paint(draw(4))] * FRAMES).course == "still"
    assert watch(clip(3, "walking").paint()[::-1]).course == "left"
    assert watch(clip(3, "sunrise").paint()[::-1]).course == "down"
    assert watch(clip(3, "pan left").paint()[::-1]).course == "pan right"


def test_takes_are_the_same_always_and_every_fourth_round_is_slow() -> None:
    assert take(2).captions == take(2).captions
    fast, slow = take(MOTIONS.index("sailing")), take(3 * len(MOTIONS) + MOTIONS.index("sailing"))
    assert (fast.bucket, slow.bucket) == (NATURAL, SLOW)
    assert len(fast.scenes) == len(slow.scenes) == FRAMES
    quick, calm = watch(list(fast.paint())), watch(list(slow.paint()))
    assert calm.course == quick.course == "right"
    assert 0.35 < calm.right / quick.right < 0.65


def test_the_parts_have_their_sizes() -> None:
    film = Film()
    assert size(film.unet) < 7
    assert size(film.eye) < 1


def test_a_new_denoiser_copies_the_first_frame() -> None:
    torch.manual_seed(0)
    shown = clip(3, "waving").paint()[0]
    first = coarse(tensor(shown[None]))
    sigma = torch.tensor([100.0])
    noisy = torch.randn(1, FRAMES, 4, 16, 16)
    with torch.no_grad():
        velocity = Film().eval()(
            noisy, 0.25 * sigma.log(), first, glance(tensor(shown[None])), torch.tensor([[6.0, 127.0, 0.02]])
        )
    assert (-velocity - first).square().mean() < 0.1 * first.square().mean()


def test_the_loss_of_a_new_denoiser_falls() -> None:
    torch.manual_seed(0)
    film, clips = Film(), lesson(2)
    optimiser = torch.optim.AdamW(film.parameters(), 5e-4)
    losses = []
    for _ in range(3):
        torch.manual_seed(1)
        loss, told = clips.loss(film, np.random.default_rng(1), 0.0)
        assert all(np.isfinite(value) for name, value in told.items() if name in ("loss", "moving"))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[2] < losses[1] < losses[0]
    assert PLAN.name == "image-to-video"


def test_what_is_written_is_read_by_the_ordinary_loader(tmp_path: Path) -> None:
    torch.manual_seed(0)
    filming = pipeline(Film(), new_vae((8, 16, 16, 16)))
    filming.vae.save_pretrained(tmp_path / "base" / "vae")
    picture = Image.fromarray(unseen(1)[0])

    def made(by: Any) -> Tensor:
        answer = by(
            picture,
            height=128,
            width=128,
            num_inference_steps=2,
            generator=torch.Generator().manual_seed(1),
            output_type="latent",
        )
        frames: Tensor = answer.frames
        return frames

    before = made(filming)
    export(filming, tmp_path / "image-to-video")
    assert not (tmp_path / "image-to-video" / "vae").exists()
    after = made(load(tmp_path))
    assert before.shape == (1, FRAMES, 4, 16, 16)
    assert (after - before).abs().mean() < 0.02 * before.abs().mean()


def test_measuring_tells_good_films_from_bad() -> None:
    films = [Shot(name, frames, frames) for name in MOTIONS for frames in [clip(5, name).paint()]]
    good = {figure.what: figure for figure in marks(films)}
    assert all(figure.met for figure in good.values())
    assert good["things move in the right direction"].reached == 1
    assert good["pans as its number says"].reached == 1
    frozen = [msgspec.structs.replace(film, made=[film.render[0]] * FRAMES) for film in films]
    bad = {figure.what: figure for figure in marks(frozen)}
    assert bad["things move in the right direction"].reached == 0
    assert bad["background moves"].reached < 0.01
    mixed = [
        msgspec.structs.replace(film, made=other.render)
        for film, other in zip(films, [*films[2:], *films[:2]], strict=True)
    ]
    wrong = {figure.what: figure for figure in marks(mixed)}
    assert not wrong["first frame kept"].met
    assert not wrong["background moves"].met
    assert wrong["things move in the right direction"].reached < 0.7


@pytest.fixture(scope="module")
def filming() -> Any:
    """The one that comes along, by the standard class and nothing else."""
    found = StableVideoDiffusionPipeline.from_pretrained(FAMILY / MODEL, dtype=torch.float32)
    found.set_progress_bar_config(disable=True)
    return found


@pytest.mark.model
def test_a_boat_in_a_picture_sails_as_boats_do_and_what_stands_stays(filming: Any) -> None:
    """Beside the same frames backwards, and beside the picture as it was."""
    render = clip(0, "sailing").paint()
    [frames] = animate(filming, [render[0]], NATURAL)
    assert len(frames) == FRAMES
    assert psnr(frames[0], render[0]) > 24 > psnr(frames[-1], render[0])
    assert watch(frames).course == watch(render).course == "right"
    assert as_far(Shot("sailing", frames, render))
    assert unrest(frames, calm(render)) < 8 < 20 < unrest(frames, ~calm(render))
    assert watch(frames[::-1]).course == "left"
    assert watch([render[0]] * FRAMES).course == "still"


@pytest.mark.model
def test_the_number_of_a_motion_turns_the_camera(filming: Any) -> None:
    shown = clip(0, "pan left").paint()[0]
    [left], [right] = (animate(filming, [shown], number) for number in (PAN_LEFT, PAN_RIGHT))
    assert watch(left).pan > 0.12
    assert watch(right).pan < -0.12
