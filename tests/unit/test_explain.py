"""Which word is heeded where: families draw the same, watched or not, and words are found where they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0

from engine import artifacts, prompting
from engine.context import SILENT, Context
from engine.errors import BadInput, Unsupported
from engine.memory import weights
from engine.types import Conditioning, Image
from nodes._lib import explaining, hearing, heeding
from nodes._lib.families import FAMILIES
from nodes.explain import Explanation, explain, eyes_for
from nodes.explained import (
    Influence,
    report_explanation,
    save_explanation,
    show_guidance,
    show_words,
    word_as_mask,
)
from nodes.guidance import blur_attention, perturb_attention
from nodes.latent import decode_latent, empty_latent
from nodes.load import Loaded, load_model
from nodes.sample import drawn, sample, way_of
from nodes.schedules import write_schedule
from nodes.seeds import vary_seed
from nodes.text import encode_text
from nodes.tweaks import draw_in_windows
from nodes.without import leave_words_out
from tests import twins

pytestmark = [
    pytest.mark.usefixtures("residency"),
    pytest.mark.filterwarnings("ignore:`FluxPosEmbed`"),  # in what diffusers itself does
]

PROMPT = "a red circle on blue"
WORDS = ["a", "red", "circle", "on", "blue"]
SIDE = 64
DRAWING = [name for name, row in FAMILIES.items() if name != "sdxl-refiner" and row.heard.tokenizers]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model of each family, made when a test wants it."""
    return tmp_path_factory.mktemp("models")


def made(name: str, folder: Path) -> Loaded:
    place = folder / "diffusers" / name
    if not place.exists():
        twins.make(name).save_pretrained(place)
    return load_model(name)


def text_for(name: str) -> str:
    return json.dumps({"short_description": PROMPT}) if FAMILIES[name].structured else PROMPT


def against(model: Loaded) -> Conditioning | None:
    """What not to draw, for a model that can be told."""
    if model.denoiser.distilled:
        return None
    text = text_for(model.denoiser.family).replace("red", "green")
    return encode_text(model.text_encoder, text)


@pytest.mark.parametrize(
    "way",
    [
        {"start_step": 1},
        {"end_step": 2},
        {"noise": vary_seed(7, 8, 0.4)},
        {"schedule": write_schedule([9.0, 3.0, 1.0])},
    ],
    ids=lambda way: next(iter(way)),
)
def test_every_way_that_is_sampled_is_explained_alike(way: dict[str, Any], folder: Path) -> None:
    model = made("sd15", folder)
    start = empty_latent(model.denoiser, SIDE, SIDE)
    options: dict[str, Any] = {"steps": 3, "guidance": 4.0, "seed": 7, **way}
    told = explain(model.denoiser, model.text_encoder, PROMPT, start, **options)
    usual = sample(model.denoiser, encode_text(model.text_encoder, PROMPT), start, **options)
    np.testing.assert_array_equal(told.latent.samples, usual.latent.samples)
    assert told.seed == usual.seed


def test_a_family_that_cuts_prompts_up_out_of_sight_is_refused_by_name(folder: Path) -> None:
    model = made("krea2", folder)
    start = empty_latent(model.denoiser, SIDE, SIDE)
    with pytest.raises(Unsupported, match="how Krea 2 cuts a prompt") as caught:
        explain(model.denoiser, model.text_encoder, PROMPT, start)
    assert "leave_words_out" in str(caught.value.remedy)


@pytest.mark.parametrize("name", DRAWING)
def test_a_family_is_explained_and_draws_what_it_draws_unwatched(name: str, folder: Path) -> None:
    model, text = made(name, folder), text_for(name)
    start = empty_latent(model.denoiser, SIDE, SIDE)
    options: dict[str, Any] = {"steps": 2, "guidance": 4.0, "seed": 7, "negative": against(model)}
    told = explain(model.denoiser, model.text_encoder, text, start, **options)
    usual = sample(model.denoiser, encode_text(model.text_encoder, text), start, **options)
    np.testing.assert_array_equal(told.latent.samples, usual.latent.samples)

    explanation = told.explanation
    assert explanation.words[-5:] == WORDS
    assert explanation.maps.shape[1:] == start.samples.shape[1:]
    assert explanation.maps[-5:].min() > 0
    np.testing.assert_allclose(explanation.maps.sum(0) + explanation.rest, 1, atol=1e-5)
    assert len(explanation.guidance) == (0 if model.denoiser.distilled else 2)
    assert all(plane.mean() > 0 for plane in explanation.guidance)


class Spy(heeding.Eyes):
    """Eyes that remember what the first layer compared, and where the words were."""

    first: tuple[Any, Any, Any] | None = None

    def saw(self, name: str, call: Any, query: Any, key: Any, mask: Any, scale: Any) -> None:
        sides = len(call.view.rows) // self.cells, len(call.view.columns) // self.cells
        laid = self._laid(query.shape[-2], key.shape[-2], sides[0] * sides[1])
        if self.first is None and laid is not None:
            self.first = query[:, laid[0]].clone(), key.clone(), laid[1]
        super().saw(name, call, query, key, mask, scale)


@pytest.mark.parametrize("name", DRAWING)
def test_a_word_is_looked_for_where_the_denoiser_has_it(name: str, folder: Path) -> None:
    model, text = made(name, folder), text_for(name)
    start = empty_latent(model.denoiser, SIDE, SIDE)
    with weights(model.text_encoder) as reader:
        words = hearing.heard(reader, prompting.literal(text))
    positive, negative = encode_text(model.text_encoder, text), against(model)
    rows = [row for row in words[-1].rows if row < len(positive.embeds)]
    assert words[-1].text == "blue"
    embeds = np.array(positive.embeds, np.float32)
    embeds[rows] = -embeds[rows] + 0.5
    spies: list[Spy] = []
    for prompt in (positive, msgspec.structs.replace(positive, embeds=embeds)):
        way = way_of("euler", "model", 2, 1.0, 4.0, 7)
        assert way is not None

        def watched(wanted: Any, held: Any, prompt: Any = prompt) -> Spy:
            eyes = eyes_for(held, prompt, wanted, words, 0, 1)
            spies.append(Spy(eyes.heard, eyes.cells, eyes.wanted, eyes.words))
            return spies[-1]

        drawn(model.denoiser, [prompt], start, negative, way, (), SILENT, watched)
    (query, key, first), (other_query, other_key, _) = (spy.first for spy in spies if spy.first)
    if name != "lumina-next":  # which scales everything by the sum of what it is told
        np.testing.assert_allclose(query, other_query, atol=1e-6)  # the places of the picture
    changed = (key - other_key).abs().amax((0, 2)) > 1e-6
    where = {int(row) - first for row in torch.nonzero(changed)}
    if name in ("z-image", "lumina2"):  # words are refined together before they meet the picture
        assert set(rows) <= where
        assert min(where) >= 0
    else:
        assert where == set(rows)


# -- with what else a model does


@pytest.fixture
def small(folder: Path) -> Loaded:
    return made("sd15", folder)


def told(model: Loaded, text: str = PROMPT, **options: Any) -> Explanation:
    start = options.pop("start", None) or empty_latent(model.denoiser, SIDE, SIDE)
    given = {"steps": 2, "guidance": 4.0, "seed": 7, **options}
    return explain(model.denoiser, model.text_encoder, text, start, **given).explanation


def test_windows_blur_and_perturbation_are_watched_too_and_change_nothing_by_it(small: Loaded) -> None:
    denoiser = draw_in_windows(perturb_attention(blur_attention(small.denoiser, 1.0), 1.0), 64, 64, 32)
    start, prompt = empty_latent(denoiser, 96, 64), encode_text(small.text_encoder, PROMPT)
    found = explain(denoiser, small.text_encoder, PROMPT, start, steps=2, seed=7)
    usual = sample(denoiser, prompt, start, steps=2, seed=7)
    np.testing.assert_array_equal(found.latent.samples, usual.latent.samples)
    maps = found.explanation
    np.testing.assert_allclose(maps.maps.sum(0) + maps.rest, 1, atol=1e-5)
    assert maps.maps.shape[1:] == (8, 12)


def test_with_little_memory_the_same_is_seen(small: Loaded) -> None:
    found, usual = told(small, ctx=Context(thrift=1)), told(small)
    np.testing.assert_allclose(np.asarray(found.maps, float), np.asarray(usual.maps, float), atol=1e-4)
    assert len(found.guidance) == len(usual.guidance) == 2


def test_steps_and_layers_can_be_chosen(small: Loaded) -> None:
    whole = told(small)
    early, late = told(small, to_step=0.5), told(small, from_step=0.5)
    halves = [np.asarray(one.maps, np.float32) for one in (early, late)]
    np.testing.assert_allclose(np.mean(halves, 0), np.asarray(whole.maps, np.float32), atol=1e-6)
    assert np.abs(halves[0] - halves[1]).max() > 1e-7
    first, last = told(small, to_layer=0.1), told(small, from_layer=0.9)
    assert (first.layers, last.layers) == (whole.layers[:1], whole.layers[-1:])
    wrongs: list[dict[str, Any]] = [{"from_step": 0.5, "to_step": 0.5}, {"from_layer": 1.0}]
    for wrong in wrongs:
        with pytest.raises(BadInput, match="more than from_"):
            told(small, **wrong)


def test_only_a_prompt_that_stays_the_same_is_explained(small: Loaded) -> None:
    with pytest.raises(BadInput, match="stays the same"):
        told(small, "a [red:blue:0.5] circle")
    with pytest.raises(BadInput, match="at least one word"):
        told(small, " , . ")
    with pytest.raises(BadInput, match="enough for one step"):
        told(small, strength=0.0)


def test_a_model_whose_attention_cannot_be_seen_says_so(small: Loaded) -> None:
    with weights(small.denoiser) as held:
        held.module.set_attn_processor(AttnProcessor())
        try:
            with pytest.raises(Unsupported, match="is not available for Stable"):
                told(small)
        finally:
            held.module.set_attn_processor(AttnProcessor2_0())


# -- which rows are which words


def rows_of(reader: Any, text: str) -> dict[str, tuple[int, ...]]:
    return {word.text: word.rows for word in hearing.heard(reader, prompting.stages(text)[0].turns[0])}


def test_tokens_of_one_word_are_one_word_and_marks_are_none(small: Loaded) -> None:
    with weights(small.text_encoder) as reader:
        plain = rows_of(reader, "a marvellous circle, on blue!")
        assert list(plain) == ["a", "marvellous", "circle", "on", "blue"]
        assert len(plain["marvellous"]) > 1
        flat = [row for rows in plain.values() for row in rows]
        assert flat == sorted(flat)
        assert flat[0] == 1
        assert flat != list(range(1, len(flat) + 1)), "the comma has a row that is no word's"
        tokens = reader.tokens(prompting.literal("a marvellous circle, on blue!"))[0]
        assert "".join(reader.word(tokens[row - 1]) for row in plain["marvellous"]) == "marvellous"
        assert list(rows_of(reader, "a (marvellous:1.3) ((circle)), on blue!")) == list(plain)


def test_words_of_a_second_part_are_found_in_its_rows(small: Loaded) -> None:
    with weights(small.text_encoder) as reader:
        assert rows_of(reader, "one BREAK two")["two"][0] == 78
        long = "circle " * 100
        found = hearing.heard(reader, prompting.literal(long))
        assert len(found) == 100
        assert max(row for word in found for row in word.rows) > 78
    words = told(small, "one BREAK two").maps
    assert words.min() > 0


def test_a_pipeline_that_reads_by_itself_is_listened_to(folder: Path) -> None:
    """Tiny tokenizers know letters, and put some other words around the prompt or fill up before it."""
    expected: dict[str, dict[str, tuple[int, ...]]] = {
        "flux": {"red": (2, 3, 4)},
        "cogview4": {"blue": tuple(range(27, 31))},  # 20 letters and an end, filled up in front to 32
        "hunyuan-dit": {"red": (2, 3, 4, 79, 80, 81)},
    }
    for name, words in expected.items():
        with weights(made(name, folder).text_encoder) as reader:
            found = rows_of(reader, PROMPT)
            assert {word: found[word] for word in words} == words, name
    with weights(made("sd3", folder).text_encoder) as reader:
        found = rows_of(reader, PROMPT)
        assert found["red"][-3:] == (79, 80, 81)
        assert found["red"][0] < 77


def test_a_word_can_be_left_out(small: Loaded) -> None:
    with weights(small.text_encoder) as reader:
        parts = prompting.stages("a (red:1.3) circle on a blue sky")[0].turns[0]
        assert hearing.words_of(reader, parts) == ["a", "red", "circle", "on", "a", "blue", "sky"]
        left = [
            " ".join("".join(piece.text for piece in hearing.without(reader, parts, number)[0]).split())
            for number in (0, 1, 4)
        ]
    assert left == ["red circle on a blue sky", "a circle on a blue sky", "a red circle on blue sky"]


# -- what is made of it


def by_hand() -> Explanation:
    """Two words that share their left half, and of which one alone has the upper right quarter."""
    maps = np.full((2, 4, 4), 0.1, np.float32)
    maps[:, :, :2] = 0.4
    maps[0, :2, 2:] = 0.5
    rest = 1 - maps.sum(0)
    guidance = np.stack([np.eye(4, dtype=np.float32), np.zeros((4, 4), np.float32)])
    return Explanation("red circle", ["red", "circle"], maps, rest, guidance, ["middle"], 8, {"seed": "7"})


GREY = Image(np.full((32, 32, 3), 128, np.uint8))


def test_contrast_takes_away_what_all_words_share() -> None:
    maps = by_hand().maps
    bare, contrast = explaining.heat(maps, False), explaining.heat(maps, True)
    np.testing.assert_allclose([plane.sum() for plane in (*bare, *contrast)], 1, rtol=1e-5)
    assert contrast[0, :2, 2:].sum() == pytest.approx(1)
    assert contrast[1, :2, 2:].sum() == 0 < bare[1, :2, 2:].sum()
    one = explaining.heat(maps[:1], True)
    np.testing.assert_array_equal(one, bare[:1])  # a single word shares nothing


def test_a_score_is_a_words_part_of_what_words_were_heeded() -> None:
    parts = explaining.scores(by_hand().maps)
    assert sum(parts) == pytest.approx(1)
    assert parts == pytest.approx([5.6 / 9.6, 4 / 9.6])


def test_a_word_becomes_a_mask_of_where_it_was_heeded() -> None:
    mask = word_as_mask(by_hand(), "RED").pixels
    assert mask.shape == (32, 32)
    assert mask.max() == 1
    assert mask[:12, 20:].min() > 0.5
    assert mask[22:].max() < 0.01
    with pytest.raises(BadInput, match="red, circle"):
        word_as_mask(by_hand(), "green")


def test_a_sheet_has_the_picture_and_every_word(small: Loaded) -> None:
    sheet = show_words(by_hand(), GREY, side=64, columns=2)
    three = show_words(by_hand(), GREY, side=64, columns=4)
    assert sheet.pixels.shape[1] < three.pixels.shape[1]
    assert sheet.pixels.shape[0] > three.pixels.shape[0]
    np.testing.assert_array_equal(three.pixels[14:78, 14:78], 128)
    one = show_words(by_hand(), GREY, words="circle", side=64)
    assert one.pixels.shape[1] < three.pixels.shape[1]


def test_of_a_long_prompt_a_sheet_has_the_words_that_were_heeded_most(small: Loaded) -> None:
    words = [f"w{number}" for number in range(600)]
    maps = np.full((600, 4, 4), 0.001, np.float32)
    maps[100:140] = 0.01
    rest = 1 - maps.sum(0)
    long = msgspec.structs.replace(by_hand(), words=words, maps=maps, rest=rest)
    sheet = show_words(long, GREY, side=64, columns=6)
    most = show_words(long, GREY, words=", ".join(words[100:140]), side=64, columns=6)
    np.testing.assert_array_equal(sheet.pixels, most.pixels)


def test_guidance_is_shown_for_each_step() -> None:
    shown = show_guidance(by_hand(), GREY)
    assert shown.lengths == [0.25, 0.0]
    assert shown.steps[0].pixels[1, 1].sum() > shown.steps[0].pixels[1, 30].sum()
    assert shown.steps[1].pixels.max() < 8
    bare = msgspec.structs.replace(by_hand(), guidance=np.zeros((0, 4, 4), np.float32))
    with pytest.raises(BadInput, match="guidance above 1"):
        show_guidance(bare, GREY)


def test_a_report_names_the_picture_and_the_heat_of_every_word() -> None:
    picture = artifacts.keep(b"\x89PNG\r\n\x1a\n", mime="image/png")
    reported = report_explanation(by_hand(), GREY, Influence(["red"], [12.5]))
    saved = save_explanation(*reported, picture)
    said = json.loads(artifacts.read(saved.report))
    assert (saved.report.mime, said["tessera"], said["picture"]) == (
        "application/json",
        "explanation",
        picture.sha256,
    )
    assert [word["word"] for word in said["words"]] == ["red", "circle"]
    assert [word["heatmap"] for word in said["words"]] == [heat.sha256 for heat in saved.heatmaps]
    assert said["overlay"] == saved.overlay.sha256
    assert said["left_out"] == [{"word": "red", "difference": 12.5}]
    assert said["guidance"] == [0.25, 0.0]
    assert all((heat.width, heat.height) == (32, 32) for heat in saved.heatmaps)
    with pytest.raises(BadInput, match="one for each of 2 words"):
        save_explanation(reported.report, reported.sheet, reported.heatmaps[:1])
    with pytest.raises(BadInput, match="report_explanation"):
        save_explanation({"words": []}, reported.sheet, [])


# -- leaving out


def test_leaving_a_word_out_draws_what_the_shorter_prompt_draws(small: Loaded) -> None:
    start = empty_latent(small.denoiser, SIDE, SIDE)
    options: dict[str, Any] = {"steps": 2, "guidance": 4.0, "seed": 7, "method": "euler ancestral"}
    model = small.denoiser, small.text_encoder, small.vae
    fractions: list[float] = []
    told = Context(progress=fractions.append)
    batched = leave_words_out(*model, "red circle", start, at_once=2, ctx=told, **options)
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    single = leave_words_out(*model, "red circle", start, at_once=1, **options)
    assert batched.influence.words == single.influence.words == ["red", "circle"]
    assert batched.influence.differences == pytest.approx(single.influence.differences, abs=0.1)
    for text, image in zip(("red circle", "circle", "red"), (single.image, *single.images), strict=True):
        latent = sample(small.denoiser, encode_text(small.text_encoder, text), start, **options).latent
        np.testing.assert_array_equal(decode_latent(small.vae, latent).pixels, image.pixels)
    far = np.abs(batched.image.pixels.astype(int) - single.image.pixels.astype(int))
    assert far.max() <= 1, "of one batch or one by one, the noise is the same"
    assert [caption.split(":")[0] for caption in single.captions] == ["no red", "no circle"]


def test_a_family_with_prompts_of_one_length_is_drawn_in_batches(folder: Path) -> None:
    for name in ("sdxl", "pixart-sigma", "sd3"):
        model = made(name, folder)
        start = empty_latent(model.denoiser, SIDE, SIDE)
        options: dict[str, Any] = {"steps": 2, "guidance": 4.0, "seed": 7, "words": "red"}
        parts = model.denoiser, model.text_encoder, model.vae
        both = [leave_words_out(*parts, "red circle", start, at_once=size, **options) for size in (1, 2)]
        far = np.abs(both[0].images[0].pixels.astype(int) - both[1].images[0].pixels.astype(int))
        assert far.max() <= 1, name
