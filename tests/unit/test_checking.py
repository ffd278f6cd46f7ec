"""Checkers look at all of a picture, flag what their libraries flag, and close when they cannot look."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from PIL import Image as Pillow
from recipe.canvas import paint
from recipe.draw import draw
from recipe.emblem import marked
from safetensors.torch import save_file
from transformers import (
    BertTokenizerFast,
    CLIPConfig,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    ViTConfig,
    ViTForImageClassification,
    ViTImageProcessor,
)

from engine import artifacts, memory, models, safety, vault
from engine.config import ROOT, Settings
from engine.errors import GateClosed, Refused
from engine.machine import prepare
from engine.memory import Residency
from engine.models import Models
from engine.registry import Registry
from engine.safety import Checker, rules_of
from engine.types import Image, Latent, Mask
from engine.vault import Vault
from engine.weights import kind_of
from nodes._lib import checking, inspecting, judging
from nodes.files import save_animation
from nodes.safety import check_prompt, check_safety
from tests.moderator import Moderator, moderating

STARTER = ROOT / "models" / "starter"
RED, GREY = (200, 30, 30), (90, 90, 90)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with tiny classifiers."""
    top = tmp_path_factory.mktemp("models")
    torch.manual_seed(0)
    vit(top / "safety" / "eye", {0: "normal", 1: "nsfw"})
    vit(top / "safety" / "dumb", {0: "LABEL_0", 1: "LABEL_1"})
    listener(top / "safety" / "ear", {0: "OK", 1: "H", 2: "V"})
    return top


def vit(folder: Path, labels: dict[int, str]) -> None:
    """Says the second of two labels of what is red."""
    config = ViTConfig(
        image_size=32, patch_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16, id2label=labels, label2id={label: index for index, label in labels.items()},
    )  # fmt: skip
    ViTForImageClassification(config).save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)


def listener(folder: Path, labels: dict[int, str]) -> None:
    folder.mkdir(parents=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "good", "bad"]
    (folder / "vocab.txt").write_text("\n".join(words))
    BertTokenizerFast(str(folder / "vocab.txt")).save_pretrained(folder)
    config = DistilBertConfig(
        vocab_size=len(words), dim=16, n_layers=1, n_heads=2, hidden_dim=16, max_position_embeddings=32,
        id2label=labels, label2id={label: index for index, label in labels.items()},
    )  # fmt: skip
    DistilBertForSequenceClassification(config).save_pretrained(folder)


@pytest.fixture
def here(shelf: Path) -> Iterator[Models]:
    prepare()
    found = Models([shelf, ROOT / "models"], hub=shelf / "hub")
    held = Residency(Registry.core().loaders, found, dtype="float32")
    tokens = models.current.set(found), memory.current.set(held)
    yield found
    models.current.reset(tokens[0])
    memory.current.reset(tokens[1])


def with_rules(**changes: Any) -> Any:
    return safety.current.set(msgspec.structs.replace(rules_of(Settings()), **changes))


@pytest.fixture(autouse=True)
def rules() -> Iterator[None]:
    token = with_rules()
    yield
    safety.current.reset(token)


def flat(colour: tuple[int, int, int], width: int = 64, height: int = 64) -> Image:
    return Image(np.full((height, width, 3), colour, np.uint8))


def middle(pixels: Any) -> float:
    return float(np.median(pixels))


def emblem(seed: int) -> Image:
    return Image(paint(marked(Random(seed), draw(seed))))


# -- what a checker is shown


@pytest.mark.parametrize("size", [(64, 64), (70, 60), (300, 60), (60, 300), (900, 900), (4000, 500)])
def test_every_place_of_a_picture_is_looked_at_at_a_bearable_scale(size: tuple[int, int]) -> None:
    width, height = size
    boxes = list(inspecting.boxes(width, height, 64))
    seen = np.zeros((height, width), bool)
    for left, top, right, bottom in boxes[1:] or boxes:
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        seen[round(top) : round(bottom), round(left) : round(right)] = True
    assert list(boxes[0]) == [0, 0, width, height]
    assert seen.all()
    assert len(boxes) <= 150
    part = boxes[-1]
    assert max(part[2] - part[0], part[3] - part[1]) <= max(
        inspecting.WIDE * 64, min(size) / inspecting.PARTS + 1
    )


def test_what_is_hidden_behind_transparency_is_shown_too() -> None:
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[..., :3] = RED
    pixels[:16, :, 3] = 255
    colours, white, alpha = (np.asarray(view) for view in inspecting.views(Image(pixels), 32))
    assert (colours == RED).all()
    assert (white[20:] == 255).all()
    assert (alpha[:12] == 255).all()
    assert (alpha[20:] == 0).all()


def test_of_a_clip_the_first_the_last_some_between_and_all_that_differ_are_looked_at() -> None:
    calm = [flat((10 + index // 8,) * 3) for index in range(30)]

    def places(frames: list[Image]) -> list[int]:
        return [next(i for i, f in enumerate(frames) if f is one) for one in inspecting.sampled(frames, 8)]

    assert places(calm) == [0, 8, 16, 24, 29]
    assert places([*calm[:5], flat(RED), *calm[6:]]) == [0, 5, 6, 14, 22, 29]


@pytest.mark.parametrize("format", ["gif", "webp", "mp4"])
def test_the_frames_of_a_file_that_moves_are_looked_at(format: str, tmp_path: Path) -> None:
    frames = [flat((10, 10, 10))] * 3 + [flat(RED)] + [flat((10, 10, 10))] * 8
    with artifacts.using(artifacts.Folder(tmp_path)):
        file = save_animation(frames, fps=10, format=format)  # type: ignore[arg-type]  # words of its menu
        [seen] = inspecting.found(file, 100)
        reds = [bool(one.pixels[..., 0].mean() > 150) for one in seen]
    assert reds[:3] == [False, True, False], "the first, what differs, and what differs from that"
    assert len(reds) == (4 if format == "mp4" else 3), "and the last; GIF and WebP keep equal frames as one"


# -- models


def test_the_layout_of_stable_diffusion_flags_what_its_own_library_flags(here: Models) -> None:
    pictures = [emblem(seed) for seed in range(6)] + [Image(paint(draw(seed))) for seed in range(6)]
    with memory.weights(judging.model_of("starter-safety")) as held:
        concepts = checking.Concepts("c", held, 0.0)
        ours = [concepts.picture(one).flagged for one in pictures]
        shown = [Pillow.fromarray(one.pixels) for one in pictures]
        pixels = held.senses(shown, return_tensors="pt").pixel_values
        _, theirs = held.module(clip_input=pixels, images=[np.asarray(one) for one in shown])
    assert ours == theirs
    assert sum(theirs[:6]) >= 5


def test_a_checker_under_the_names_in_which_it_was_first_published_is_the_same(
    here: Models, shelf: Path
) -> None:
    torch.manual_seed(1)
    sees = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(
        vision_config={**sees, "image_size": 32, "patch_size": 8, "projection_dim": 8},
        text_config={**sees, "vocab_size": 8, "bos_token_id": 6, "eos_token_id": 7, "pad_token_id": 0},
        projection_dim=8,
    )
    module = StableDiffusionSafetyChecker(config).eval()
    old = shelf / "safety" / "old"
    module.save_pretrained(old)
    names = {
        name: name.replace("vision_model.", "vision_model.vision_model.") for name in module.state_dict()
    }
    weights = {names[name]: value.contiguous() for name, value in module.state_dict().items()}
    weights["vision_model.vision_model.embeddings.position_ids"] = torch.arange(17)[None]
    save_file(weights, old / "model.safetensors", metadata={"format": "pt"})
    sizes = {"crop_size": 32, "size": 32, "image_mean": [0.5] * 3, "image_std": [0.5] * 3, "resample": 3}
    about = {"feature_extractor_type": "CLIPFeatureExtractor", "do_center_crop": True, "do_resize": True}
    (old / "preprocessor_config.json").write_text(json.dumps({**about, **sizes, "do_normalize": True}))
    with memory.weights(judging.model_of("old")) as held:
        for name, value in module.state_dict().items():
            assert torch.equal(held.module.state_dict()[name], value), name
        assert checking.Concepts("old", held, None).picture(flat(RED)).checker == "old"
    shutil.rmtree(old)


def test_the_stand_in_finds_its_emblem_and_little_else(here: Models) -> None:
    flagged = [not check_safety(emblem(seed)).allowed for seed in range(20, 36)]
    wrong = [not check_safety(Image(paint(draw(seed)))).allowed for seed in range(20, 36)]
    assert sum(flagged) >= 13
    assert sum(wrong) == 0


def test_an_emblem_at_the_edge_of_a_long_picture_is_found(here: Models) -> None:
    seed = next(seed for seed in range(40, 60) if not check_safety(emblem(seed)).allowed)
    wide = np.concatenate([np.full((128, 600, 3), 128, np.uint8), emblem(seed).pixels], 1)
    assert not check_safety(Image(wide)).allowed


def test_a_flagged_picture_is_replaced_by_one_that_says_why_or_by_a_blur(here: Models) -> None:
    seed = next(seed for seed in range(40, 60) if not check_safety(emblem(seed)).allowed)
    picture = emblem(seed)
    blocked, blurred, logged = (check_safety(picture, flagged=how) for how in ("block", "blur", "log"))
    for one, action in ((blocked, "blocked"), (blurred, "blurred"), (logged, "logged")):
        verdict: Any = one.verdict
        [said] = verdict["judgements"]
        assert (verdict["action"], said["checker"], said["flagged"]) == (action, "starter-safety", True)
        assert one.score > said["limit"] == 0.35
    assert blocked.out.pixels.shape == blurred.out.pixels.shape == picture.pixels.shape
    assert middle(blocked.out.pixels) == 128
    assert blocked.out.pixels.max() == 255, "words"
    rough = np.abs(np.diff(blurred.out.pixels.astype(int), axis=1)).max()
    assert rough < 30 < np.abs(np.diff(picture.pixels.astype(int), axis=1)).max()
    assert np.array_equal(logged.out.pixels, picture.pixels)


def test_of_a_list_only_the_flagged_are_replaced(here: Models) -> None:
    seed = next(seed for seed in range(40, 60) if not check_safety(emblem(seed)).allowed)
    found = check_safety([flat(GREY), emblem(seed), flat(GREY)])
    kept = [np.array_equal(found.out[i].pixels, flat(GREY).pixels) for i in (0, 2)]
    assert kept == [True, True]
    assert middle(found.out[1].pixels) == 128
    verdict: Any = found.verdict
    assert (verdict["flagged"], verdict["checked"]) == ([1], 3)
    clip = check_safety([flat(GREY), emblem(seed), flat(GREY)], clip=True)
    assert all(middle(frame.pixels) == 128 for frame in clip.out), "a clip as a whole"


def test_classifiers_add_up_what_is_not_harmless(here: Models) -> None:
    with judging.judge(Checker("eye", 0.3), safety.rules()) as eye:
        said = eye.picture(flat(RED))
        assert said is not None
        assert (said.checker, said.limit) == ("eye", 0.3)
        assert 0 < said.score < 1
        assert eye.text("bad") is None
    with judging.judge(Checker("ear"), safety.rules()) as ear:
        said = ear.text("bad good")
        assert said is not None
        with memory.weights(judging.model_of("ear")) as held:
            given = held.given(text=["bad good"])
            row = held.module(**given).logits.softmax(1)[0]
        assert said.score == pytest.approx(float(row[1] + row[2]), abs=1e-6)
        assert ear.picture(flat(RED)) is None


@pytest.mark.parametrize(
    ("checkers", "why"),
    [
        (["nothing"], "There is no safety checker named 'nothing'"),
        (["dumb"], "do not say what is harmless"),
        (["starter-safety-text"], "No checker looked at the picture"),
        (["words"], "has no list"),
    ],
)
def test_a_checker_that_cannot_look_closes_the_gate(here: Models, checkers: list[str], why: str) -> None:
    with pytest.raises(GateClosed, match=why):
        check_safety(flat(GREY), checkers)
    open_ = check_safety(flat(GREY), checkers, flagged="log")
    verdict: Any = open_.verdict
    assert (verdict["action"], open_.allowed) == ("not checked", False)
    assert why.split("'")[0] in verdict["trouble"]


def test_a_score_that_is_no_number_closes_the_gate() -> None:
    with pytest.raises(GateClosed, match="gave no score"):
        judging.judged("one", [(0.1, ""), (float("nan"), "")], 0.5)


LATENTS = [Latent(np.zeros((4, side, side), np.float32), "sd15") for side in (4, 16, 32)]


@pytest.mark.parametrize("value", [*LATENTS, [LATENTS[0]], {"a": LATENTS[1]}, b"x" * 5000])
def test_what_nobody_can_look_at_closes_the_gate(here: Models, value: Any) -> None:
    with pytest.raises(GateClosed, match="cannot be looked at"):
        check_safety(value)


def test_a_mask_is_looked_at_and_small_numbers_pass(here: Models) -> None:
    assert check_safety(Mask(np.zeros((64, 64), np.float32))).verdict["checked"] == 1  # type: ignore[index]  # JSON
    assert check_safety([1, "two", {"three": 3.0}]).verdict["checked"] == 0  # type: ignore[index]  # JSON


def test_the_starter_reads_prompts(here: Models) -> None:
    fine, asks = check_prompt("a red star on a blue background"), check_prompt("a warning sign")
    assert (fine.allowed, asks.allowed) == (True, False)
    assert fine.score < 0.1 < 0.9 < asks.score
    with pytest.raises(Refused, match="starter-safety-text"):
        check_prompt("a warning sign", flagged="block")


@pytest.mark.parametrize("place", [0.0, 0.4, 0.99, 1.0])
def test_what_a_prompt_asks_for_is_found_wherever_it_stands(here: Models, place: float) -> None:
    """A classifier reads so many words at once; those after them are read, too."""
    words = "a red star on a blue background , " * 100
    before = words[: int(len(words) * place)].rpartition(" ")[0]
    asks = check_prompt(f"{before} a warning sign {words[len(before) :]}")
    assert not asks.allowed
    assert check_prompt(words).allowed


def test_a_prompt_without_spaces_is_read_to_its_end(here: Models) -> None:
    assert not check_prompt("星" * 300 + "a warning sign").allowed
    assert check_prompt("").score == check_prompt(" ").score


def test_folders_say_that_they_check(shelf: Path) -> None:
    found = {file.name for file in Models([shelf, ROOT / "models"], hub=shelf / "hub").list("safety")}
    assert found == {"eye", "dumb", "ear", "starter-safety", "starter-safety-text"}
    assert kind_of(STARTER / "safety") == kind_of(STARTER / "safety-text") == "safety"


# -- the endpoint


@pytest.fixture
def endpoint() -> Iterator[Moderator]:
    with moderating() as moderator:
        token = vault.current.set(Vault({"OPENAI_API_KEY": "sk-0123456789"}))
        mine = with_rules(checkers=(Checker("openai"),), url=moderator.url)
        yield moderator
        safety.current.reset(mine)
        vault.current.reset(token)


def test_the_endpoint_judges_pictures_and_texts(endpoint: Moderator) -> None:
    red, grey = check_safety(flat(RED)), check_safety(flat(GREY))
    assert (red.allowed, grey.allowed) == (False, True)
    assert red.verdict["judgements"][0]["label"] == "violence"  # type: ignore[index]  # JSON
    assert (check_prompt("bad").allowed, check_prompt("good").allowed) == (False, True)
    assert set(endpoint.keys) == {"Bearer sk-0123456789"}
    assert endpoint.asked[0]["model"] == "omni-moderation-latest"
    assert check_safety(flat(GREY), ["openai:0.01"]).allowed is False, "a stricter limit"


def test_a_busy_endpoint_is_asked_again_and_one_that_fails_closes_the_gate(
    endpoint: Moderator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nodes._lib.moderating.PAUSES", (0.0, 0.0))
    endpoint.statuses = [429, 503]
    assert check_safety(flat(GREY)).allowed
    endpoint.statuses = [500, 500, 500]
    with pytest.raises(GateClosed, match="answers 500"):
        check_safety(flat(GREY))
    endpoint.statuses = [401]
    with pytest.raises(GateClosed, match="answers 401"):
        check_safety(flat(GREY))
    endpoint.body = b'{"results": []}'
    with pytest.raises(GateClosed, match="cannot be read"):
        check_safety(flat(GREY))


def test_without_a_key_offline_or_without_an_answer_the_gate_is_closed(endpoint: Moderator) -> None:
    vault.current.set(Vault({}))
    with pytest.raises(GateClosed, match="no secret OPENAI_API_KEY"):
        check_safety(flat(GREY))
    with_rules(checkers=(Checker("openai"),), url=endpoint.url, offline=True)
    with pytest.raises(GateClosed, match="offline"):
        check_safety(flat(GREY))
    vault.current.set(Vault({"OPENAI_API_KEY": "sk-0123456789"}))
    with_rules(checkers=(Checker("openai"),), url="http://127.0.0.1:9/")
    with pytest.raises(GateClosed, match="does not answer"):
        check_safety(flat(GREY))
    assert endpoint.asked == []
