"""Sums of prompts, prompts that change, and prompts that have a place: what the sampler makes of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.codecs import decode, encode
from engine.digest import digest
from engine.errors import BadInput
from engine.types import Conditioning, Latent, Mask, Stage
from nodes._lib import following
from nodes._lib.net import Net
from nodes._lib.regions import Prompted, plain
from nodes.conditioning import (
    average_prompts,
    combine_prompts,
    concatenate_prompts,
    limit_to_area,
    limit_to_mask,
    scale_prompt,
    switch_prompts,
    zero_prompt,
)
from nodes.latent import decode_latent, empty_latent
from nodes.load import Loaded, load_model
from nodes.sample import sample
from nodes.text import encode_text


def prompt(value: float, length: int = 3, pooled: float | None = None) -> Conditioning:
    kept = None if pooled is None else np.full(5, pooled, np.float32)
    return Conditioning(np.full((length, 4), value, np.float32), "sd15", kept)


def value(found: Conditioning) -> float:
    [only] = set(found.embeds.ravel().tolist())
    return float(only)


def course(found: Conditioning, steps: int = 6) -> list[float]:
    """What a prompt says at each step."""
    return [value(following.now(found, step, steps)) for step in range(steps)]


# -- arithmetic


def test_an_average_lies_between_and_ends_exactly() -> None:
    a, b = prompt(1, pooled=0), prompt(3, pooled=1)
    assert value(average_prompts(a, b, 0.25)) == 1.5
    np.testing.assert_array_equal(average_prompts(a, b, 0.25).pooled, np.full(5, 0.25))
    assert average_prompts(a, b, 0.0) is a
    assert average_prompts(a, b, 1.0) is b


@given(st.floats(0, 1), st.floats(-5, 5, width=32))
def test_an_average_of_the_same_is_the_same(amount: float, number: float) -> None:
    assert value(average_prompts(prompt(number), prompt(number), amount)) == number


def test_a_shorter_prompt_is_said_again() -> None:
    words = Conditioning(np.arange(8, dtype=np.float32).reshape(2, 4), "sd15")
    mixed = average_prompts(prompt(0, length=3), words, 0.5)
    np.testing.assert_array_equal(mixed.embeds.astype(float) * 2, words.embeds[[0, 1, 0]])


def test_words_stand_behind_each_other_and_the_whole_is_the_firsts() -> None:
    found = concatenate_prompts(prompt(1, 2, pooled=7), prompt(2, 3, pooled=8))
    assert found.embeds[:, 0].tolist() == [1, 1, 2, 2, 2]
    assert found.pooled is not None
    assert found.pooled[0] == 7


def test_words_are_scaled_and_silenced() -> None:
    assert value(scale_prompt(prompt(2), 1.5)) == 3
    assert value(zero_prompt(prompt(2))) == 0
    np.testing.assert_array_equal(zero_prompt(prompt(2, pooled=3)).pooled, np.zeros(5))


def test_one_prompt_follows_another_from_a_part_of_the_steps_on() -> None:
    assert course(switch_prompts(prompt(1), prompt(2), 0.5)) == [1, 1, 1, 2, 2, 2]
    assert course(switch_prompts(prompt(1), prompt(2), 0.0)) == [2] * 6
    assert course(switch_prompts(prompt(1), prompt(2), 1.0)) == [1] * 6
    twice = switch_prompts(switch_prompts(prompt(1), prompt(2), 0.2), prompt(3), 0.7)
    assert course(twice, 10) == [1] * 2 + [2] * 5 + [3] * 3
    early = switch_prompts(prompt(1), switch_prompts(prompt(2), prompt(3), 0.8), 0.5)
    assert course(early, 10) == [1] * 5 + [2] * 3 + [3] * 2


def test_sums_are_made_step_by_step() -> None:
    turns = following.staged([Stage(0.0, (prompt(1), prompt(2)))])
    late = switch_prompts(prompt(0), prompt(10), 0.5)
    assert course(average_prompts(turns, late, 0.5)) == [0.5, 1, 0.5, 6, 5.5, 6]
    assert course(scale_prompt(turns, 2)) == [2, 4] * 3
    assert course(zero_prompt(late)) == [0] * 6


def test_a_numbered_step_begins_where_it_says() -> None:
    found = following.staged([Stage(0.0, (prompt(1),)), Stage(4.0, (prompt(2),))])
    assert course(found) == [1, 1, 1, 1, 2, 2]
    with pytest.raises(BadInput, match="one kind of switch"):
        average_prompts(found, switch_prompts(prompt(0), prompt(1), 0.5))


# -- places


@given(st.floats(0, 0.99), st.floats(0, 0.99), st.floats(0.01, 1), st.floats(0.01, 1))
def test_an_area_covers_as_much_as_it_is_large(left: float, top: float, width: float, height: float) -> None:
    mask = limit_to_area(prompt(1), left, top, width, height).mask
    assert mask is not None
    inside = (min(1, left + width) - left) * (min(1, top + height) - top)
    assert float(mask.mean()) == pytest.approx(inside, abs=1e-4)
    assert (float(mask.min()), float(mask.max())) >= (0.0, 0.0)
    assert float(mask.max()) <= 1.0001


def test_a_soft_edge_fades_inwards_and_outwards_but_not_at_the_picture() -> None:
    mask = limit_to_area(prompt(1), 0, 0, 0.5, 1, softness=0.25).mask
    assert mask is not None
    row = mask[0]
    assert row[0] == 1
    assert row[-1] == 0
    assert abs(row[128] - 0.5) < 0.01
    assert ((row > 0) & (row < 1)).sum() == 64


def test_prompts_with_places_are_gathered_flat() -> None:
    left, right = limit_to_area(prompt(1)), limit_to_mask(prompt(2), Mask(np.ones((4, 4), np.float32)), 0.5)
    found = combine_prompts(combine_prompts(left, right), prompt(3), combine_prompts(prompt(4), prompt(5)))
    assert [value(one) for one in (found, *found.also)] == [1, 2, 3, 4, 5]
    assert [one.strength for one in (found, *found.also)] == [1, 0.5, 1, 1, 1]
    assert all(not one.also for one in found.also)


def test_a_prompt_with_place_and_time_is_kept_bit_by_bit() -> None:
    found = combine_prompts(limit_to_area(switch_prompts(prompt(1), prompt(2))), prompt(3))
    again = decode(encode(found).data, {"Conditioning": Conditioning, "Stage": Stage})
    assert digest(again) == digest(found)
    assert digest(limit_to_area(prompt(1), strength=0.5)) != digest(limit_to_area(prompt(1)))


def test_what_does_not_fit_is_refused_by_name() -> None:
    placed = limit_to_area(prompt(1))
    wide = Conditioning(np.zeros((3, 8), np.float32), "sd15")
    refused: list[tuple[str, Any]] = [
        ("a: .*part of the picture", lambda: average_prompts(placed, prompt(1))),
        ("b: .*part of the picture", lambda: concatenate_prompts(prompt(1), placed)),
        (
            "then: .*part of the picture",
            lambda: switch_prompts(prompt(1), combine_prompts(prompt(1), prompt(2))),
        ),
        ("prompt: .*part of the picture", lambda: limit_to_area(placed)),
        ("b: .*8 wide.*4 wide", lambda: average_prompts(prompt(1), wide)),
        ("c: .*8 wide.*4 wide", lambda: combine_prompts(prompt(1), prompt(2), wide)),
        ("left: .*1", lambda: limit_to_area(prompt(1), left=1.0)),
        ("mask: .*empty", lambda: limit_to_mask(prompt(1), Mask(np.zeros((0, 4), np.float32)))),
    ]
    for text, call in refused:
        with pytest.raises(BadInput, match=text):
            call()


class Echo(Net):
    """A denoiser that answers with what the prompt says, everywhere, and remembers what it heard."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[float] = []

    def forward(self, sample: Any, time: Any, encoder_hidden_states: Any, **rest: Any) -> tuple[Any]:
        assert len(sample) == len(encoder_hidden_states) == 1
        self.heard.append(float(encoder_hidden_states.mean()))
        return (torch.full_like(sample, self.heard[-1]),)


def answered(sides: list[Conditioning], step: int = 0) -> tuple[Any, list[float]]:
    """What each side's picture, 4 × 4, becomes, and which prompts were asked."""
    echo = Echo()
    batch = torch.zeros(len(sides), 1, 4, 4)
    found = Prompted(echo, sides, lambda time: step, 10)(batch, 0, encoder_hidden_states=None)[0]
    return found[:, 0].numpy(), echo.heard


def test_each_region_hears_its_own_prompt() -> None:
    both = combine_prompts(limit_to_area(prompt(1), width=0.5), limit_to_area(prompt(2), left=0.5))
    [found], _ = answered([both])
    assert found[0].tolist() == [1, 1, 2, 2]
    uneven = combine_prompts(
        limit_to_area(prompt(0), width=0.375), limit_to_area(prompt(8), left=0.375, width=1)
    )
    assert answered([uneven])[0][0][0].tolist() == [0, 4, 8, 8]


def test_where_several_apply_they_count_by_strength() -> None:
    over = combine_prompts(prompt(0), limit_to_area(prompt(4), width=0.5, strength=3))
    assert answered([over])[0][0][0].tolist() == [3, 3, 0, 0]
    assert answered([prompt(9), over])[0][1][0].tolist() == [3, 3, 0, 0]


def test_where_none_applies_the_unguided_answer_stands() -> None:
    left = limit_to_area(prompt(1), width=0.5)
    [unwanted, wanted], _ = answered([prompt(9), left])
    assert unwanted[0].tolist() == [9, 9, 9, 9]
    assert wanted[0].tolist() == [1, 1, 9, 9]
    faint = limit_to_area(prompt(1), width=0.5, strength=0.25)
    assert answered([prompt(9), faint])[0][1][0].tolist() == [7, 7, 9, 9]
    assert answered([left])[0][0][0].tolist() == [1, 1, 1, 1]


def test_a_prompt_that_applies_nowhere_is_not_asked() -> None:
    nowhere = limit_to_mask(prompt(5), Mask(np.zeros((8, 8), np.float32)))
    assert answered([prompt(9), combine_prompts(prompt(1), nowhere)])[1] == [9, 1]


def test_regions_change_with_the_steps() -> None:
    both = combine_prompts(
        limit_to_area(switch_prompts(prompt(1), prompt(2)), width=0.5), limit_to_area(prompt(3), left=0.5)
    )
    assert answered([both], step=4)[0][0][0].tolist() == [1, 1, 3, 3]
    assert answered([both], step=5)[0][0][0].tolist() == [2, 2, 3, 3]
    assert not plain(both)
    assert plain(prompt(1))


# -- with the starter model

STEPS = 6


@pytest.fixture(scope="module")
def model() -> Loaded:
    return load_model("starter")


@pytest.fixture(scope="module")
def canvas(model: Loaded) -> Latent:
    return empty_latent(model.denoiser)


def words(model: Loaded, text: str) -> Conditioning:
    return encode_text(model.text_encoder, text)


def drawn(model: Loaded, canvas: Latent, positive: Conditioning, **options: Any) -> Latent:
    options = {"steps": STEPS, "guidance": 4.0, "seed": 7, **options}
    return sample(model.denoiser, positive, canvas, **options).latent


def same(one: Latent, two: Latent, tolerance: float = 1e-3) -> None:
    assert apart(one, two) < tolerance  # batches of one and of two differ in the last bits


def apart(one: Latent, two: Latent) -> float:
    return float(np.abs(one.samples.astype(float) - two.samples.astype(float)).max())


@pytest.mark.model
@pytest.mark.parametrize("method", ["euler", "heun", "ddim", "dpm++ 2m", "plms"])
def test_a_prompt_that_never_changes_draws_what_it_always_draws(
    method: Any, model: Loaded, canvas: Latent
) -> None:
    red = words(model, "a red circle")
    steady = following.staged([Stage(0.0, (red, red))])
    same(drawn(model, canvas, steady, method=method), drawn(model, canvas, red, method=method))
    everywhere = limit_to_area(red, width=1)
    same(drawn(model, canvas, everywhere, method=method), drawn(model, canvas, red, method=method))


@pytest.mark.model
@pytest.mark.parametrize("method", ["euler", "heun", "ddim"])
def test_a_switch_draws_what_two_samplers_draw_one_after_the_other(
    method: Any, model: Loaded, canvas: Latent
) -> None:
    red, blue = words(model, "a red circle"), words(model, "a blue circle")
    whole = drawn(model, canvas, words(model, "a [red:blue:0.5] circle"), method=method)
    half = drawn(model, canvas, red, method=method, end_step=3)
    same(whole, drawn(model, half, blue, method=method, start_step=3), 5e-3)
    same(whole, drawn(model, canvas, words(model, "a [red:blue:3] circle"), method=method))


@pytest.mark.model
def test_a_negative_prompt_may_change_and_have_a_place_too(model: Loaded, canvas: Latent) -> None:
    red, blue, green = (words(model, f"a {colour} circle") for colour in ("red", "blue", "green"))
    steady = following.staged([Stage(0.0, (blue, blue))])
    same(drawn(model, canvas, red, negative=steady), drawn(model, canvas, red, negative=blue))
    placed = combine_prompts(limit_to_area(blue), limit_to_area(green, left=0.5))
    found = drawn(model, canvas, red, negative=placed)
    assert apart(found, drawn(model, canvas, red, negative=blue)) > 0.1


@pytest.mark.model
def test_the_later_a_colour_is_said_the_less_of_it_is_seen(model: Loaded, canvas: Latent) -> None:
    redder = []
    for at in (0.1, 0.95):
        text = f"[a red circle:a blue circle:{at}] on a white background"
        picture = decode_latent(model.vae, drawn(model, canvas, words(model, text), steps=12)).pixels
        red, _, blue = picture[48:80, 48:80].reshape(-1, 3).mean(0)
        redder.append(red - blue)
    assert redder[0] < -60
    assert redder[1] > redder[0] + 100


@pytest.mark.model
def test_two_halves_are_drawn_in_their_own_colours(model: Loaded) -> None:
    red, blue = (
        words(model, "a red circle on a white background"),
        words(model, "a blue square on a white background"),
    )
    both = combine_prompts(limit_to_area(red), limit_to_area(blue, left=0.5))
    canvas = empty_latent(model.denoiser, 256, 128)
    picture = decode_latent(model.vae, drawn(model, canvas, both, steps=12)).pixels.astype(int)
    left, right = picture[48:80, 48:80].reshape(-1, 3).mean(0), picture[48:80, 176:208].reshape(-1, 3).mean(0)
    assert left[0] - left[2] > 80, left
    assert right[2] - right[0] > 80, right
    plain = decode_latent(model.vae, drawn(model, canvas, red, steps=12)).pixels.astype(int)
    assert (plain[..., 2] - plain[..., 0]).max() < 100, "without regions nothing is blue"
