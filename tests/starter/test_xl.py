"""The SDXL twin and its refiner: they start as the base, hold their layouts, and learn."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLImg2ImgPipeline, StableDiffusionXLPipeline
from recipe import windows
from recipe.base import Base, kept
from recipe.base_refiner import Refiner
from recipe.base_xl import Twin, before_last
from recipe.canvas import paint
from recipe.draw import draw
from recipe.judge import judge
from recipe.latents import Shelf
from recipe.measure_base import generate
from recipe.measure_refiner import relayed
from recipe.measure_xl import draw_sized, enlarged, sharpness
from recipe.tokenizer import LENGTH, build
from recipe.train_refiner import Sharpening, blur
from recipe.train_refiner import pipeline as refining
from recipe.train_xl import Sizing, export, pipeline
from recipe.vae import new_vae
from recipe.windows import Windows, moved, sizes
from transformers import CLIPTokenizer

WORDS = 500
NOISY, STEP = (2, 4, 16, 16), torch.tensor([40, 700])
TIMES = torch.tensor([[128.0, 128, 0, 0, 128, 128]] * 2)


@pytest.fixture(scope="module")
def base() -> Any:
    torch.manual_seed(0)
    return Base(WORDS).eval()


@pytest.fixture(scope="module")
def tokens() -> Any:
    return _tokens(2)


def test_the_twin_starts_as_the_base(base: Any, tokens: Any) -> None:
    with torch.inference_mode():
        noisy = torch.randn(NOISY)
        before = base(noisy, STEP, tokens)
        after = Twin(base.text, base.unet).eval()(noisy, STEP, tokens, TIMES, torch.ones(2))
    assert float((after - before).norm() / before.norm()) < 0.01


def test_whole_words_are_those_of_the_base_made_loud(base: Any, tokens: Any) -> None:
    whole = Twin(base.text, base.unet).half().float().text_2
    with torch.inference_mode():
        before = base.text(tokens).last_hidden_state
        after = whole(tokens, output_hidden_states=True).hidden_states[-2] / 4
        assert torch.equal(before_last(whole, tokens)[0], after * 4)
    assert float((after - before).norm() / before.norm()) < 0.02


def test_the_twin_learns_sizes_and_leaves_its_encoders(base: Any) -> None:
    torch.manual_seed(1)
    twin = Twin(base.text, base.unet)
    before = twin.text_2.text_model.embeddings.token_embedding.weight.clone()
    told = np.asarray([[128, 128, 9, 0], [40, 40, 0, 0]] * 4, np.int16)
    lesson = Sizing(_shelf(8), Windows(_latents(8), told), kept(), "cpu")
    losses = _losses(twin, lesson, 4)
    assert losses[-1] < losses[0]
    assert torch.equal(before, twin.text_2.text_model.embeddings.token_embedding.weight)
    assert bool(twin.unet.add_embedding.linear_2.weight.any())


def test_the_refiner_learns_to_sharpen(base: Any) -> None:
    torch.manual_seed(1)
    reads = Twin(base.text, base.unet).text_2
    before = reads.text_projection.weight.clone()
    losses = _losses(Refiner(reads, base.unet), Sharpening(_shelf(8), _latents(8), kept(), "cpu"), 4)
    assert losses[-1] < losses[0]
    assert torch.equal(before, reads.text_projection.weight), "it reads as the twin does"


def test_twin_and_refiner_load_in_the_layouts_of_sdxl(base: Any, tmp_path: Path) -> None:
    vae = new_vae((8, 16, 16, 16)).eval()
    build(["a red circle on a blue background"] * 60, tmp_path / "tokenizer")
    tokenizer = CLIPTokenizer.from_pretrained(tmp_path / "tokenizer")
    torch.manual_seed(0)
    small = Base(len(tokenizer))
    whole = Twin(small.text, small.unet)
    made = pipeline(whole, vae, tokenizer)
    prompts = ["a red circle on a blue background"]
    before = generate(made, prompts, steps=2)[0]
    export(made, tmp_path / "xl")
    export(refining(Refiner(whole.text_2, small.unet), vae, tokenizer), tmp_path / "xl-refiner")
    assert not (tmp_path / "xl" / "vae").exists()
    assert _size(tmp_path / "xl") < 14e6
    assert _size(tmp_path / "xl-refiner") < 9e6
    vae = vae.float()
    twin = StableDiffusionXLPipeline.from_pretrained(tmp_path / "xl", vae=vae, dtype=torch.float32)
    refiner = StableDiffusionXLImg2ImgPipeline.from_pretrained(
        tmp_path / "xl-refiner", vae=vae, dtype=torch.float32
    )
    for drawing in (twin, refiner):
        drawing.set_progress_bar_config(disable=True)
    assert np.abs(generate(twin, prompts, steps=2)[0].astype(int) - before).max() <= 3
    assert draw_sized(twin, prompts, original_size=(40, 40))[0].shape == (128, 128, 3)
    assert relayed(twin, refiner, prompts)[0].shape == (128, 128, 3)


def test_a_window_moves_what_is_seen_and_keeps_the_frame_filled() -> None:
    scene = next(
        one
        for one in (draw(seed, "shapes") for seed in range(50))
        if one.facts["group"] == "single" and not one.facts["place"] and one.facts["size"] != "large"
    )
    before, after = judge(paint(scene)), judge(paint(moved(scene, 10, 20)))
    assert 128 * (before.shapes[0].x - after.shapes[0].x) == pytest.approx(20, abs=2)
    assert 128 * (before.shapes[0].y - after.shapes[0].y) == pytest.approx(10, abs=2)
    assert after.background == before.background
    assert moved(scene, 0, 0) is scene


def test_sizes_are_of_blurred_pictures_moved_ones_and_both() -> None:
    seen = [sizes(index) for index in range(200)]
    assert seen == [sizes(index) for index in range(200)]
    for blurred, shifted in ((True, False), (False, True), (True, True)):
        assert any((size < 128, top + left > 0) == (blurred, shifted) for size, top, left in seen)


def test_sharpness_falls_with_size_and_blur() -> None:
    renders = [paint(draw(seed)) for seed in range(12)]
    small = [enlarged(paint(draw(seed), 40)) for seed in range(12)]
    assert sharpness(small) < 0.7 * sharpness(renders)
    assert sharpness([blur(index, one) for index, one in enumerate(renders)]) < 0.9 * sharpness(renders)


def test_windows_are_encoded_once(tmp_path: Path) -> None:
    new_vae((8, 16, 16, 16)).save_pretrained(tmp_path / "vae" / "final")
    windows.encode(tmp_path, tmp_path / "xl", 6)
    found = windows.load(tmp_path / "xl")
    assert found.latents.shape == (6, 4, 16, 16)
    assert [tuple(row) for row in found.told] == [(s, s, top, left) for s, top, left in map(sizes, range(6))]
    first = (tmp_path / "xl" / "windows.npy").stat().st_mtime_ns
    windows.encode(tmp_path, tmp_path / "xl", 6)
    assert (tmp_path / "xl" / "windows.npy").stat().st_mtime_ns == first


def _losses(model: Any, lesson: Any, count: int) -> list[float]:
    """The loss of one and the same batch, before each of some updates."""
    trained = [weight for weight in model.train().parameters() if weight.requires_grad]
    optimiser, losses = torch.optim.AdamW(trained, 1e-3), []
    for _ in range(count):
        torch.manual_seed(7)
        loss, figures = lesson.loss(model, np.random.default_rng(7), 0.0)
        assert np.isfinite(figures["loss"])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return losses


def _shelf(count: int) -> Shelf:
    tokens = _tokens(count * 6).reshape(count, 6, LENGTH).numpy().astype(np.int16)
    lengths = np.full((count, 6), 10, np.int16)
    return Shelf(_latents(count), tokens, lengths, np.asarray(["shapes"] * count), WORDS)


def _latents(count: int) -> Any:
    return np.random.default_rng(count).normal(size=(count, 4, 16, 16)).astype(np.float16)


def _tokens(count: int) -> Any:
    """Rows of eight words between a start and many ends."""
    rows = torch.full((count, LENGTH), WORDS - 1)
    rows[:, 0] = WORDS - 2
    rows[:, 1:9] = torch.randint(0, WORDS - 2, (count, 8), generator=torch.Generator().manual_seed(count))
    return rows


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
