"""Weights that take turns on the device: the same numbers, and nothing of one device meets another."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.hooks.group_offloading import ModuleGroup
from safetensors.torch import save_file
from torch._subclasses.fake_tensor import FakeTensorMode, unset_fake_temporarily

from engine.memory import Residency, current, weights
from engine.registry import Registry
from nodes._lib import doubles, turns
from nodes._lib.families import FAMILIES
from nodes._lib.speaking import Speaker
from nodes.latent import decode_latent, empty_latent
from nodes.load import load_model, use_lora
from nodes.sample import sample
from nodes.text import encode_text
from nodes.tweaks import free_u
from tests import pipelines, tiny, twins


@contextmanager
def waiting(residency: Residency) -> Iterator[Residency]:
    """A residency whose weights take turns on the CPU, where they are anyway."""
    found = Residency(Registry.core().loaders, residency.models, device="cpu", dtype="float32", turns=True)
    before = current.set(found)
    yield found
    current.reset(before)


def drawn(tweaked: bool = False, lora: str = "") -> Any:
    model = load_model("tiny")
    denoiser, reader = model.denoiser, model.text_encoder
    if lora:
        denoiser, reader = use_lora(denoiser, reader, lora)
    if tweaked:
        denoiser = free_u(denoiser)
    positive = encode_text(reader, "a red circle")
    found = sample(denoiser, positive, empty_latent(denoiser, 64, 64), steps=2, seed=3)
    return decode_latent(model.vae, found.latent).pixels


@pytest.fixture(scope="module")
def folder(folder: Path) -> Path:
    """With a LoRA for attention in the denoiser and the text encoder."""
    pipeline = pipelines.quiet("StableDiffusionPipeline", folder / "diffusers" / "tiny")
    layers = {"unet": ["to_q", "to_v"], "text_encoder": ["q_proj"]}
    (folder / "loras").mkdir()
    save_file(pipelines.changes(pipeline, 1, **layers), folder / "loras" / "style.safetensors")
    return folder


@pytest.mark.filterwarnings("ignore:Already found a")  # in what diffusers itself does
@pytest.mark.parametrize("how", [{"tweaked": True}, {"lora": "style"}], ids=["free_u", "lora"])
def test_a_picture_drawn_in_turns_is_the_same(residency: Residency, how: dict[str, Any]) -> None:
    wanted = drawn(**how)
    with waiting(residency) as held:
        found, later = drawn(**how), drawn()
        with weights(load_model("tiny").denoiser) as denoising:
            assert turns.in_turns(denoising.module)
        assert held.loads == 3
    np.testing.assert_array_equal(found, wanted)
    np.testing.assert_array_equal(later, drawn())


def test_what_hangs_in_the_layers_goes_and_comes_back() -> None:
    module = tiny.unet()
    plain = {name: layer.forward for name, layer in module.named_modules()}
    turns.take_turns(module, "cpu")
    assert turns.in_turns(module)
    with turns.at_rest(module):
        assert not turns.in_turns(module)
        assert {name: layer.forward for name, layer in module.named_modules()} == plain
    assert turns.in_turns(module)
    with turns.at_rest(whole := tiny.unet()):
        pass
    assert not turns.in_turns(whole)


# -- a device that is not here


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[Moves]:
    """Tensors without numbers, on a device that is only their word: torch still refuses to mix devices."""
    moves = Moves()
    monkeypatch.setattr(ModuleGroup, "onload_", lambda group: moves.there(group))
    monkeypatch.setattr(ModuleGroup, "offload_", lambda group: moves.back(group))
    with FakeTensorMode():
        yield moves


class Moves:
    """Counts what is there at once, in numbers."""

    def __init__(self) -> None:
        self.here = self.most = 0

    def there(self, group: Any) -> None:
        self.here += self.move(group, group.onload_device)
        self.most = max(self.most, self.here)

    def back(self, group: Any) -> None:
        self.here -= self.move(group, group.offload_device)

    def move(self, group: Any, device: torch.device) -> int:
        """Only the word is changed: tensors without numbers cannot be swapped as others are."""
        every = [*group.parameters, *group.buffers]
        for module in group.modules:
            every += [*module.parameters(), *module.buffers()]
        moved = [tensor for tensor in every if tensor.device != device]
        for tensor in moved:
            tensor.fake_device = device
        return sum(tensor.numel() for tensor in moved)


GPU = torch.device("cuda:0")
READ = ("sd3", "lumina2", "hunyuan-dit", "fibo")
"""All kinds of text encoders; other families need numbers to read, of which none are here."""


@pytest.mark.parametrize("name", READ)
def test_nothing_of_one_device_meets_another_where_a_prompt_is_read(elsewhere: Moves, name: str) -> None:
    with unset_fake_temporarily():
        pipeline = twins.TWINS[name]()
    readers = [part for n, part in pipeline.components.items() if n.startswith("text_encoder")]
    readers = [numberless(part) for part in readers if isinstance(part, torch.nn.Module)]
    for reader in readers:
        turns.take_turns(reader, GPU)
        assert turns.device_of(reader) == GPU
    row = FAMILIES[name]
    with torch.no_grad():
        for call in row.spoken:
            said = Speaker(tuple(readers), pipeline, row)._said(call, "a red circle")
            assert {value.device for value in said.values() if torch.is_tensor(value)} == {GPU}
    assert elsewhere.here == 0
    assert elsewhere.most < sum(weight.numel() for reader in readers for weight in reader.parameters()) / 2


def numberless(module: Any) -> Any:
    """Its weights, with their numbers forgotten."""
    for layer in module.modules():
        for kept in (layer._parameters, layer._buffers):
            for name, value in kept.items():
                if value is not None:
                    empty = torch.empty(value.shape, dtype=value.dtype)
                    kept[name] = torch.nn.Parameter(empty) if kept is layer._parameters else empty
    return module.eval()


def test_a_double_takes_turns_by_itself(elsewhere: Moves) -> None:
    module = tiny.unet()
    turns.take_turns(module, GPU)
    found = doubles.double(module)
    assert found.conv_in.weight is module.conv_in.weight
    module.conv_in.forward = None  # is not what the double calls
    sample = torch.zeros(1, 4, 8, 8, device=GPU)
    words = torch.zeros(1, 77, found.config.cross_attention_dim, device=GPU)
    assert found(sample, torch.tensor(3, device=GPU), words)[0].device == GPU
    assert elsewhere.here == 0
