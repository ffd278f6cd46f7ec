"""Text to video: a motion module that starts as nothing, learns, and is measured fairly."""

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AnimateDiffPipeline, MotionAdapter
from recipe import moving
from recipe.base import kept
from recipe.canvas import paint
from recipe.clips import FRAMES, clip
from recipe.draw import draw
from recipe.measure_base import generate, open_base
from recipe.measure_motion import GUIDANCE, MODEL, captions, load, marks
from recipe.motion import animated, load_base, motion_modules, new_adapter
from recipe.motions import flicker, motion, watch
from recipe.moving import MOTIONS, Reel, take
from recipe.train_motion import Animating

from engine.config import ROOT

FAMILY = ROOT / "models" / "starter"


def test_a_new_module_leaves_the_frames_of_the_base_as_they_are() -> None:
    base = load_base(FAMILY / "base")
    model = animated(base.unet, new_adapter(base.unet)).eval()
    noise, words = torch.randn(1, 4, 3, 16, 16), torch.randn(1, 77, base.text_encoder.config.hidden_size)
    step = torch.tensor([500])
    with torch.no_grad():
        together = model(noise, step, words.repeat(3, 1, 1)).sample
        alone = base.unet(noise[:, :, 1], step, words).sample
    assert torch.allclose(together[:, :, 1], alone, atol=1e-4)


def test_the_loss_falls_while_the_base_stays() -> None:
    torch.manual_seed(0)
    base = load_base(FAMILY / "base")
    before = base.unet.conv_out.weight.clone()
    shown = [take(index) for index in range(2)]
    latents = torch.randn(2, 1, 4, 16, 16).expand(-1, FRAMES, -1, -1, -1).numpy().astype(np.float16)
    said = [list(one.captions) for one in shown]
    reel = Reel(latents, latents, np.asarray(MOTIONS[:2]), np.asarray([one.bucket for one in shown]), said)
    lesson, adapter = Animating(reel, [0, 1], base, kept(), "cpu"), new_adapter(base.unet)
    optimiser = torch.optim.AdamW(adapter.parameters(), 1e-3)
    losses = []
    for _ in range(3):
        torch.manual_seed(1)
        loss, told = lesson.loss(adapter, np.random.default_rng(1), 0.0)
        assert np.isfinite(told["loss"])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[2] < losses[1] < losses[0]
    assert torch.equal(before, base.unet.conv_out.weight)


def test_what_is_written_is_read_by_the_ordinary_loader(tmp_path: Path) -> None:
    base = load_base(FAMILY / "base")
    adapter = new_adapter(base.unet)
    with torch.no_grad():
        for module in motion_modules(adapter):
            module.proj_out.weight += 0.05 * torch.randn_like(module.proj_out.weight)
    assert sum(weight.numel() for weight in adapter.parameters()) * 2 / 1e6 < 5
    (tmp_path / "base").symlink_to(FAMILY / "base")
    adapter.half().save_pretrained(tmp_path / MODEL)
    filming = load(tmp_path)
    written = dict(adapter.float().named_parameters())
    found = {name: weight for name, weight in filming.unet.named_parameters() if "motion_modules" in name}
    assert found.keys() == written.keys()
    assert all(torch.equal(found[name], written[name]) for name in found)
    frames = filming(
        "a red circle", num_frames=3, height=128, width=128, num_inference_steps=1, guidance_scale=1.0
    ).frames[0]
    assert len(frames) == 3


def test_measuring_tells_good_clips_from_bad() -> None:
    asked = [name for name, _ in captions(7)]
    made = [clip(5, name).paint() for name in asked]
    loose = [[paint(draw(seed)) for seed in range(FRAMES)]]
    word, calm = marks(asked, made, loose)
    assert word.reached == 1
    assert word.without is not None
    assert word.without < 0.3
    assert calm.met
    wrong, wild = marks(asked, [[frames[0]] * FRAMES for frames in made], made)
    assert wrong.reached == 0
    assert wild.met
    assert not marks(asked, loose * 7, made)[1].met


def test_captions_name_the_motion_that_is_asked_for() -> None:
    for name, said in captions(14):
        assert name.split()[0][:4] in said or name in ("sunrise", "sailing", "driving")


@pytest.mark.model
def test_the_one_that_comes_along_sails_to_the_right_when_told_so() -> None:
    """By the standard classes and nothing else; beside frames that the base draws one by one."""
    prompt = "a yellow sun over a blue sea by day, a black boat, sailing to the right"
    adapter = MotionAdapter.from_pretrained(FAMILY / MODEL, dtype=torch.float32)
    filming = AnimateDiffPipeline.from_pretrained(
        FAMILY / "base", motion_adapter=adapter, dtype=torch.float32
    )
    filming.set_progress_bar_config(disable=True)
    frames = filming(
        prompt,
        num_frames=FRAMES,
        height=128,
        width=128,
        num_inference_steps=10,
        guidance_scale=GUIDANCE,
        generator=torch.Generator().manual_seed(3),
    ).frames[0]
    made = [np.asarray(frame) for frame in frames]
    apart = generate(open_base(FAMILY), [prompt] * FRAMES, steps=10, guidance=GUIDANCE, seed=0)
    assert motion(made) == "sailing"
    assert watch(made[::-1]).course == "left"
    assert flicker(made) < 0.9 * flicker(apart)


@pytest.mark.soak
def test_a_stopped_reel_goes_on_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "vae").mkdir()
    (tmp_path / "vae" / "final").symlink_to(FAMILY / "base" / "vae")
    moving.fill(tmp_path, 4)
    (tmp_path / "clips" / "done1").write_text("1")
    assert len(moving.reel(tmp_path / "clips").latents) == 3
    moving.fill(tmp_path, 4)
    whole = moving.reel(tmp_path / "clips")
    assert len(whole.latents) == len(whole.captions) == 4
    assert list(whole.motions) == list(MOTIONS[:4])
    assert whole.captions[3] == list(take(3).captions)
    assert np.asarray(whole.latents).std() > 0.3
