"""Train a ControlNet: pictures that keep to a hint of edges, depth or limbs.

First all of it, then for a while what shall stay its own: its deep layers, most of it, become its base's
again. It hardly misses them, and the family has them once.
"""

import functools
from pathlib import Path
from random import Random
from typing import Any

import msgspec
import numpy as np
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from . import pictures
from .attention import plain
from .base import kept
from .captions import rows
from .control import KINDS, WIDTHS, Kind, hint, new_control, tensor
from .denoise import mean, noised, some_steps
from .draw import draw
from .hogwild import Plan
from .latents import Shelf, shelf
from .pictures import FIRST_SEED
from .schooling import School, learn, options
from .swaps import reshaped

BATCH = 16
LIES = 0.3  # of the captions: of other forms than the hint, so that it holds against the words
EMPTY = 0.5  # of the others, as in its paper: the hint alone must do
BLANK = 0.05  # of the hints, so that an empty one leaves the base free
PEOPLE = 0.9  # of the pictures for poses; the others have nobody, and so an empty hint
BEND = 0.6  # many noisy steps: there only the hint can say where things are
TWIN = "canny-xl"
SHARED = "-shared"  # ends the names of the second part of a training
DEEP = ("down_blocks.1.", "down_blocks.2.", "mid_block.")
"""What a ControlNet has from its base in the end; that of edges only the last, and learns no more: else
words weaken its hold."""
PLANS: dict[str, Plan] = {
    "canny": Plan("controlnet-canny", 9_000, 1e-3, warm=40, hold=0.5),
    "depth": Plan("controlnet-depth", 3_000, 8e-4, warm=40, hold=0.4),
    "pose": Plan("controlnet-pose", 3_000, 8e-4, warm=40, hold=0.4),
    TWIN: Plan("controlnet-canny-xl", 1_400, 6e-4, warm=40, hold=0.3),
}
PLANS |= {
    f"{name}{SHARED}": Plan(f"{plan.name}{SHARED}", 500, 4e-4, warm=20, hold=0.2)
    for name, plan in PLANS.items()
} | {f"canny{SHARED}": Plan(f"controlnet-canny{SHARED}", 0, 0.0)}


class Frozen(msgspec.Struct):
    """A finished base that no longer learns: its denoiser, and how it reads words."""

    unet: Any
    encoders: list[Any]  # one, or the two of the SDXL twin

    def read(self, tokens: Tensor, size: int) -> dict[str, Any]:
        """What denoiser and ControlNet are told of the words, for pictures `size` wide."""
        if len(self.encoders) == 1:
            return {"encoder_hidden_states": self.encoders[0](tokens).last_hidden_state}
        told = [encoder(tokens, output_hidden_states=True) for encoder in self.encoders]
        times = torch.tensor([[size, size, 0, 0, size, size]] * len(tokens), device=tokens.device)
        return {
            "encoder_hidden_states": torch.cat([one.hidden_states[-2] for one in told], -1),
            "added_cond_kwargs": {"text_embeds": told[1].text_embeds, "time_ids": times},
        }


class Steering(msgspec.Struct):
    """The lesson of a ControlNet: the velocity that a frozen base finds with its help."""

    kind: Kind
    shelf: Shelf
    pictures: NDArray[np.uint8]
    base: Frozen
    kept: Tensor
    people: NDArray[np.int64]
    tokenizer: Any
    device: str

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """The error of one batch; where noise is high, the hint has most to say."""
        index = self._choose(rng)
        clean = torch.from_numpy(np.asarray(self.shelf.latents[index], np.float32)).to(self.device)
        tokens = torch.from_numpy(self._told(rng, index, short=part < 0.5)).to(self.device)
        step = some_steps(rng, len(index), BEND).to(self.device)
        noisy, velocity = noised(clean, self.kept[step])
        shown = tensor(self._hints(rng, index)).to(self.device)
        with torch.autocast(self.device, torch.bfloat16):
            with torch.no_grad():
                words = self.base.read(tokens, self.pictures.shape[1])
            steer, middle = model(noisy, step, controlnet_cond=shown, return_dict=False, **words)
            added = {"down_block_additional_residuals": steer, "mid_block_additional_residual": middle}
            guess = self.base.unet(noisy, step, **words, **added).sample
        error = (guess.float() - velocity).square().mean((1, 2, 3))
        high = error[step > 666]
        return error.mean(), {
            "loss": float(error.detach().mean()),
            "high": mean(high.detach()),
        }

    def _choose(self, rng: np.random.Generator) -> NDArray[np.int64]:
        index = rng.integers(0, len(self.shelf.latents), BATCH)
        if self.kind == "pose":
            some = rng.random(BATCH) < PEOPLE
            index[some] = rng.choice(self.people, int(some.sum()))
        return np.sort(index)

    def _told(self, rng: np.random.Generator, index: NDArray[np.int64], *, short: bool) -> NDArray[np.int64]:
        tokens = rows(self.shelf, rng, index, empty=EMPTY, short=short)
        wrong = np.flatnonzero(rng.random(len(index)) < LIES)
        luck = Random(int(rng.integers(1 << 62)))
        scenes = [draw(FIRST_SEED + int(one)) for one in index[wrong]]
        lies = [reshaped(luck, luck.choice(scene.captions), scene.kind) for scene in scenes]
        for place, lie in zip(wrong, lies, strict=True):
            said = self.tokenizer(lie, padding="max_length", truncation=True, max_length=tokens.shape[1])
            tokens[place] = said.input_ids
        return tokens

    def _hints(self, rng: np.random.Generator, index: NDArray[np.int64]) -> NDArray[np.uint8]:
        shown = np.stack(
            [hint(self.kind, rng, np.asarray(self.pictures[one]), FIRST_SEED + int(one)) for one in index]
        )
        shown[rng.random(len(index)) < BLANK] = 0
        return shown


def steering(name: str, checkpoints: Path, device: str) -> Steering:
    """The lesson, from a finished base and the pictures that it learnt from."""
    found = shelf(checkpoints / "latents")
    return Steering(
        _kind(name),
        found,
        pictures.load(checkpoints / "pictures"),
        frozen(checkpoints, twin=name.startswith(TWIN), device=device),
        kept().to(device),
        found.of_kind("person"),
        CLIPTokenizer.from_pretrained(checkpoints / "base" / "final" / "tokenizer"),
        device,
    )


def frozen(checkpoints: Path, *, twin: bool = False, device: str = "cpu") -> Frozen:
    """The finished base, or its SDXL twin."""
    folder = checkpoints / ("xl" if twin else "base") / "final"

    def part(layout: Any, name: str) -> Any:
        found = layout.from_pretrained(folder, subfolder=name, dtype=torch.float32)
        return plain(found).to(device).requires_grad_(False).eval()

    encoders = [part(CLIPTextModel, "text_encoder")]
    if twin:
        encoders.append(part(CLIPTextModelWithProjection, "text_encoder_2"))
    return Frozen(part(UNet2DConditionModel, "unet"), encoders)


def start(name: str, checkpoints: Path) -> Any:
    """A ControlNet before its training: for edges from the base, for all others from that of edges."""
    if name.endswith(SHARED):
        return _quick(_sharing(name.removesuffix(SHARED), checkpoints))
    if name == "canny":
        shown = pictures.load(checkpoints / "pictures")[:64]
        rng = np.random.default_rng(0)
        sample = [hint("canny", rng, np.asarray(one), FIRST_SEED + place) for place, one in enumerate(shown)]
        return _quick(new_control(frozen(checkpoints).unet, tensor(np.stack(sample))))
    edges = _finished("canny", checkpoints)
    return _quick(retold(edges, frozen(checkpoints, twin=True).unet) if name == TWIN else edges)


def share(control: Any, unet: Any, layers: tuple[str, ...]) -> Any:
    """A ControlNet of which some layers are its base's, and stay so."""
    theirs = unet.state_dict()
    deep = {name: theirs[name] for name in control.state_dict() if name.startswith(layers)}
    control.load_state_dict(deep, strict=False)
    for name, weight in control.named_parameters():
        weight.requires_grad_(name not in deep)
    return control


def retold(control: Any, unet: Any) -> Any:
    """A ControlNet for a twin of its base: what reads words is the twin's, all else stays."""
    twin = ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=WIDTHS)
    fresh = twin.state_dict()
    for name, weight in control.state_dict().items():
        if fresh[name].shape == weight.shape:
            fresh[name].copy_(weight)
    return twin


def export(control: Any, folder: Path) -> None:
    """Write a ControlNet in half precision."""
    control.to("cpu", torch.float16, memory_format=torch.contiguous_format).save_pretrained(folder)


def school(name: str) -> School:
    """How a ControlNet is trained."""
    return School(
        plan=PLANS[name],
        build=functools.partial(start, name),
        lesson=functools.partial(steering, name),
        write=lambda _, control, folder: export(control, folder),
        memory=torch.preserve_format,
    )


def main() -> None:
    """Train the ControlNet of one kind of hint."""
    ask = options(__doc__)
    ask.add_argument("--kind", choices=KINDS, default="canny")
    ask.add_argument("--twin", action="store_true", help="for the SDXL twin (edges only)")
    given = ask.parse_args()
    name = TWIN if given.twin else given.kind
    for part in (name, f"{name}{SHARED}"):
        if not learn(school(part), given.checkpoints, given.updates, given.device):
            return


def _finished(name: str, checkpoints: Path) -> Any:
    return ControlNetModel.from_pretrained(checkpoints / PLANS[name].name / "final", dtype=torch.float32)


def _sharing(name: str, checkpoints: Path) -> Any:
    base = frozen(checkpoints, twin=name == TWIN)
    return share(_finished(name, checkpoints), base.unet, DEEP[-1:] if name == "canny" else DEEP)


def _quick(control: Any) -> Any:
    """The same ControlNet; reading hints takes a seventh of the time in this order."""
    control.controlnet_cond_embedding.to(memory_format=torch.channels_last)
    return control


def _kind(name: str) -> Kind:
    return next(kind for kind in KINDS if name.startswith(kind))


if __name__ == "__main__":
    main()
