"""Measure the LoRAs: styles and characters with them and without, and that prompts are still followed."""

from pathlib import Path
from typing import Any

import numpy as np

from .canvas import Picture
from .characters import CHARACTERS, character
from .draw import draw
from .figures import Figure
from .judge import nearest
from .marks import ASKED, Marker, load, read
from .measure_base import SHOWN, generate, open_base
from .scene import Kind, Scene
from .sheet import page
from .styles import STYLES
from .train_vae import tensor

WANTED, MOST, FOLLOWED = 0.9, 0.1, 0.8


def figures(family: Path, count: int = 200, device: str = "cpu") -> list[Figure]:
    """Every LoRA that is there, on held-out prompts, beside the base alone or other prompts."""
    base, marker = open_base(family, device), load(family / "marks")
    some = max(4, count // 4)
    return [
        line
        for name in _there(family)
        for line in (_style if name in STYLES else _character)(name, base, marker, family, some)
    ]


def worn(base: Any, folder: Path, prompts: list[str], file: str = "", *, steps: int = 20) -> list[Picture]:
    """Pictures of the base with a LoRA, which is taken off again."""
    base.load_lora_weights(folder, **({"weight_name": file} if file else {}))
    try:
        return generate(base, prompts, steps=steps)
    finally:
        base.unload_lora_weights()


def ordinary(count: int) -> list[Scene]:
    """Held-out scenes of every kind that the marker knows, one whose answer is known for each prompt."""
    kinds: list[Kind] = ["person", "shapes", "object"]
    found = [draw(seed, kind) for seed in range(3 * count) for kind in kinds if kind in ASKED]
    return [one for one in found if one.kind != "shapes" or one.facts["group"] == "single"][:count]


def followed(scenes: list[Scene], seen: list[dict[str, str]]) -> float:
    """The part of pictures that show the pose, shape or object that was asked for."""
    return float(
        np.mean([said[ASKED[one.kind]] == _answer(one) for one, said in zip(scenes, seen, strict=True)])
    )


def _there(family: Path) -> list[str]:
    return [name for name in (*STYLES, *CHARACTERS) if (family / f"lora-{name}").exists()]


def _style(name: str, base: Any, marker: Marker, family: Path, count: int) -> list[Figure]:
    scenes = ordinary(3 * count)
    prompts = [scene.captions[0] for scene in scenes]
    on = _read(marker, worn(base, family / f"lora-{name}", prompts))
    off = _read(marker, generate(base, prompts))
    model = f"lora-{name}"
    return [
        Figure(model, "style seen", _part(on, "style", name), WANTED, _part(off, "style", name)),
        Figure(model, "style seen without it", _part(off, "style", name), MOST, at_most=True),
        Figure(model, "prompt followed", followed(scenes, on), FOLLOWED, followed(scenes, on[3:] + on[:3])),
    ]


def _character(name: str, base: Any, marker: Marker, family: Path, count: int) -> list[Figure]:
    scenes = [character(name, seed) for seed in range(count)]
    prompts = [scene.captions[0] for scene in scenes]
    folder, others = family / f"lora-{name}", ordinary(count)
    shown = worn(base, folder, prompts)
    on, off = _read(marker, shown), _read(marker, generate(base, prompts))
    uncalled = _read(marker, worn(base, folder, [scene.captions[0] for scene in others]))
    walls = [place for place, scene in enumerate(scenes) if scene.facts["background"]]
    asked = [scenes[place].facts["background"] for place in walls]
    told = [wall(shown[place]) for place in walls]
    model = f"lora-{name}"
    lines = [
        Figure(model, "character seen", _part(on, "character", name), WANTED, _part(off, "character", name)),
        Figure(model, "seen without it", _part(off, "character", name), MOST, at_most=True),
        Figure(model, "seen without its word", _part(uncalled, "character", name), MOST, at_most=True),
        Figure(model, "background followed", _same(asked, told), FOLLOWED, _same(asked, told[1:] + told[:1])),
    ]
    if "pose" in scenes[0].facts:
        poses, seen = [scene.facts["pose"] for scene in scenes], [said["pose"] for said in on]
        lines.append(
            Figure(model, "pose followed", _same(poses, seen), FOLLOWED, _same(poses, seen[1:] + seen[:1]))
        )
    return lines


def wall(picture: Picture) -> str:
    """The colour of a picture along its upper edge and sides."""
    rim = picture[:8], picture[:64, :8], picture[:64, -8:]
    return nearest(np.median(np.concatenate([part.reshape(-1, 3) for part in rim]).astype(np.float32), 0))


def contact(family: Path, store: Path) -> None:
    """Pictures of the base, and below them the same prompts in a style, or a character that is called."""
    base = open_base(family)
    prompts = [SHOWN[place] for place in (0, 1, 4, 8, 9, 13, 18, 20)]
    rows = [generate(base, prompts)]
    for name in _there(family):
        called = [character(name, seed).captions[0] for seed in range(8)] if name in CHARACTERS else prompts
        rows.append(worn(base, family / f"lora-{name}", called))
    page(rows, store)


def _answer(scene: Scene) -> str:
    """What a picture of a scene must show."""
    if scene.kind == "shapes":
        return scene.things[0].name
    return scene.facts["pose" if scene.kind == "person" else "name"]


def _read(marker: Marker, pictures: list[Picture]) -> list[dict[str, str]]:
    return read(marker, tensor(np.stack(pictures)))


def _part(seen: list[dict[str, str]], question: str, answer: str) -> float:
    return float(np.mean([said[question] == answer for said in seen]))


def _same(asked: list[str], told: list[str]) -> float:
    return float(np.mean([one == other for one, other in zip(asked, told, strict=True)]))
