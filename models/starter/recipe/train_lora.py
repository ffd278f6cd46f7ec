"""Train LoRAs on the base: two styles that need no word, and two characters that come when called."""

import functools
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from diffusers.utils import convert_state_dict_to_kohya
from numpy.typing import NDArray
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTextModel, CLIPTokenizer

from . import pictures
from .base import kept
from .canvas import Picture, paint
from .characters import CHARACTERS, character
from .denoise import noised, some_steps
from .draw import CAPTIONS
from .hogwild import Plan
from .latents import Shelf, fill_latents, shelf
from .pictures import FIRST_SEED
from .schooling import School, learn, options
from .styles import STYLES
from .tokenizer import LENGTH

PLAN = Plan("lora", 1_200, 4e-3, warm=30, hold=0.5, ema=0.99, weight_decay=0)
LONGER = {"pencil": 2_000}  # updates: a little colour stays for long
NAMES = (*STYLES, *CHARACTERS)
ALSO_KOHYA = "zib"
COUNT = 1_600  # pictures each is learnt from
BATCH = 16
EMPTY = 0.1
ORDINARY = 0.4  # of the pictures a character is learnt with: without its word nothing may change
RANK = 4
_LAYERS = r".*\.(to_q|to_k|to_v|to_out\.0|ff\.net\.0\.proj|ff\.net\.2|proj_in|proj_out|conv1|conv2)"


class Habit(msgspec.Struct):
    """The lesson of a LoRA: the velocity at a random step, of its own pictures among ordinary ones."""

    shelf: Shelf
    latents: NDArray[np.float16]  # (n, 4, 16, 16)
    tokens: NDArray[np.int16]  # (n, captions, 77)
    ordinary: float
    text: Any
    kept: Tensor
    device: str

    def loss(
        self, model: nn.Module, rng: np.random.Generator, part: float
    ) -> tuple[Tensor, dict[str, float]]:
        """The error of one batch; ordinary pictures are also told apart."""
        plain = rng.random(BATCH) < self.ordinary
        index = rng.integers(0, np.where(plain, len(self.shelf.latents), len(self.latents)))
        pairs = list(zip(index, plain, strict=True))
        rows = [(self.shelf.latents if other else self.latents)[i] for i, other in pairs]
        clean = torch.from_numpy(np.stack(rows).astype(np.float32)).to(self.device)
        words = self._words(rng, pairs)
        step = some_steps(rng, BATCH).to(self.device)
        noisy, velocity = noised(clean, self.kept[step])
        with torch.autocast(self.device, torch.bfloat16):
            guess = model(noisy, step, words).sample
        error = (guess.float() - velocity).square().mean((1, 2, 3))
        seen, apart = error.detach(), torch.from_numpy(plain).to(self.device)
        ordinary = float(seen[apart].mean()) if plain.any() else float("nan")
        return error.mean(), {"loss": float(seen.mean()), "ordinary": ordinary}

    def _words(self, rng: np.random.Generator, pairs: list[tuple[int, bool]]) -> Tensor:
        """What the encoder makes of one caption of each picture: (n, tokens, width)."""
        which = rng.integers(0, CAPTIONS, len(pairs))
        chosen = zip(pairs, which, strict=True)
        rows = np.stack([(self.shelf.tokens if other else self.tokens)[i, w] for (i, other), w in chosen])
        rows = rows.astype(np.int64)
        rows[rng.random(len(rows)) < EMPTY] = self.shelf.empty
        ends = (rows == self.shelf.vocabulary - 1).argmax(1)
        short = LENGTH if rng.random() < 0.3 else max(24, int(ends.max()) + int(rng.integers(1, 8)))
        with torch.no_grad(), torch.autocast(self.device, torch.bfloat16):
            told: Tensor = self.text(torch.from_numpy(rows[:, :short]).to(self.device)).last_hidden_state
        return told


def habit(name: str, checkpoints: Path, device: str) -> Habit:
    """The lesson of a LoRA, from a folder in which it was prepared."""
    folder = checkpoints / f"lora-{name}"
    text = CLIPTextModel.from_pretrained(checkpoints / "base" / "final" / "text_encoder")
    return Habit(
        shelf(checkpoints / "latents"),
        np.load(folder / "latents.npy", mmap_mode="r"),
        np.load(folder / "tokens.npy"),
        0 if name in STYLES else ORDINARY,
        text.float().eval().to(device),
        kept().to(device),
        device,
    )


def prepare(name: str, checkpoints: Path, count: int = COUNT) -> None:
    """Draw and encode what a LoRA is learnt from, going on where an earlier run stopped."""
    folder = checkpoints / f"lora-{name}"
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "tokens.npy").exists():
        np.save(folder / "tokens.npy", _tokens(name, checkpoints, count))

    def shown(which: range) -> NDArray[np.uint8]:
        return np.stack(_shown(name, checkpoints, which))

    fill_latents(folder / "latents.npy", folder / "encoded", count, checkpoints / "vae", shown)


def new_lora(checkpoints: Path) -> Any:
    """The base's denoiser, frozen, with small layers beside its own."""
    unet = UNet2DConditionModel.from_pretrained(checkpoints / "base" / "final" / "unet").float()
    unet.requires_grad_(False)
    unet.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, init_lora_weights=True, target_modules=_LAYERS))
    return unet


def export(unet: Any, folder: Path, kohya: str = "") -> None:
    """Write a LoRA in half precision as diffusers has it and, with a name, also as kohya's scripts do."""
    small = {name: weight.half().contiguous() for name, weight in get_peft_model_state_dict(unet).items()}
    StableDiffusionPipeline.save_lora_weights(folder, unet_lora_layers=small)
    if kohya:
        other = convert_state_dict_to_kohya({f"unet.{name}": weight for name, weight in small.items()})
        save_file(other, folder / f"{kohya}.kohya.safetensors")


def school(name: str) -> School:
    """How one LoRA is trained."""
    kohya = name if name == ALSO_KOHYA else ""
    return School(
        plan=msgspec.structs.replace(PLAN, name=f"lora-{name}", updates=LONGER.get(name, PLAN.updates)),
        prepare=lambda checkpoints: prepare(
            name, checkpoints, min(COUNT, len(shelf(checkpoints / "latents").latents))
        ),
        build=new_lora,
        lesson=functools.partial(habit, name),
        write=lambda _, unet, folder: export(unet, folder, kohya),
        memory=torch.preserve_format,
    )


def main() -> None:
    """Train the named LoRAs, one after another."""
    ask = options(__doc__)
    ask.add_argument("names", nargs="*", default=NAMES, metavar="NAME", help=", ".join(NAMES))
    given = ask.parse_args()
    for name in given.names:
        learn(school(name), given.checkpoints, given.updates, given.device)


def _shown(name: str, checkpoints: Path, which: range) -> list[Picture]:
    if name in STYLES:
        drawn = pictures.load(checkpoints / "pictures")
        return [STYLES[name](np.asarray(drawn[index])) for index in which]
    return [paint(character(name, FIRST_SEED + index)) for index in which]


def _tokens(name: str, checkpoints: Path, count: int) -> NDArray[np.int16]:
    """The captions of each picture as numbers: (n, captions, 77)."""
    if name in STYLES:
        return np.asarray(shelf(checkpoints / "latents").tokens[:count])
    said = [caption for index in range(count) for caption in character(name, FIRST_SEED + index).captions]
    tokenizer = CLIPTokenizer.from_pretrained(checkpoints / "base" / "final" / "tokenizer")
    coded = tokenizer(said, padding="max_length", max_length=LENGTH, truncation=True)
    return np.asarray(coded.input_ids, np.int16).reshape(count, CAPTIONS, LENGTH)


if __name__ == "__main__":
    main()
