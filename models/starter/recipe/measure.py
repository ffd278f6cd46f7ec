"""Measure the whole family, print its table and write it into the model card."""

import argparse
import importlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import torch

from .figures import Figure

# the module that measures a model, by the folder of the model
MEASURES = {
    "base": "measure_base",
    "controlnet-canny": "measure_control",
    "controlnet-depth": "measure_control",
    "controlnet-pose": "measure_control",
    "clip": "measure_clip",
    "safety": "measure_safety",
    "safety-text": "measure_safety",
    "upscaler": "train_upscaler",
    "background": "train_background",
    "captioner": "measure_captioner",
    "depth": "train_depth",
    "pose": "train_pose",
    "inpainting": "measure_inpainting",
    "enhancer": "measure_enhancer",
    "preview": "train_preview",
    "face-restorer": "train_restorer",
    "faces": "train_faces",
    "xl": "measure_xl",
    "xl-refiner": "measure_refiner",
    "controlnet-canny-xl": "measure_control",
    "lora-pencil": "measure_lora",
    "lora-neon": "measure_lora",
    "lora-zib": "measure_lora",
    "lora-tiko": "measure_lora",
    "image-to-video": "measure_film",
    "motion": "measure_motion",
}
FAMILY = Path(__file__).parents[1]
_BEGIN, _END = "<!-- figures: written by measure.py -->", "<!-- end of figures -->"


def figures(family: Path, count: int, only: Iterable[str] = ()) -> list[Figure]:
    """The figures of every model that is there, measured on `count` samples of each sort."""
    wanted = [name for name in MEASURES if (family / name).exists() and (not only or name in only)]
    modules = dict.fromkeys(MEASURES[name] for name in wanted)
    return [line for module in modules for line in _measure(module)(family, count)]


def table(lines: Iterable[Figure]) -> str:
    """Figures as a Markdown table."""
    rows = ["| model | what | reached | without | wanted |", "|---|---|---|---|---|"]
    for line in lines:
        without = "" if line.without is None else _number(line.without, line.unit)
        wanted = ("≤ " if line.at_most else "≥ ") + _number(line.wanted, line.unit)
        reached = _number(line.reached, line.unit) + ("" if line.met else " (missed)")
        rows.append(f"| {line.model} | {line.what} | {reached} | {without} | {wanted} |")
    return "\n".join(rows)


def keep(lines: Iterable[Figure], family: Path) -> None:
    """Write figures beside the models and into the card; those of other models stay."""
    store, card = family / "figures.json", family / "README.md"
    fresh = list(lines)
    old = msgspec.json.decode(store.read_bytes(), type=list[Figure]) if store.exists() else []
    names = list(MEASURES)
    whole = [line for line in old if line.model not in {one.model for one in fresh}] + fresh
    whole.sort(key=lambda line: names.index(line.model) if line.model in names else len(names))
    store.write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n")
    text = card.read_text(encoding="utf-8")
    before, after = text[: text.index(_BEGIN)], text[text.index(_END) :]
    card.write_text(f"{before}{_BEGIN}\n\n{table(whole)}\n\n{after}", encoding="utf-8")


def main() -> None:
    """Measure, print, and with --write keep."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--family", type=Path, default=FAMILY)
    ask.add_argument("--count", type=int, default=200)
    ask.add_argument("--only", nargs="*", default=())
    ask.add_argument("--write", action="store_true", help="write the figures into the card")
    given = ask.parse_args()
    torch.set_num_threads(1)
    began = time.process_time()
    lines = figures(given.family, given.count, given.only)
    print(table(lines))
    print(f"\n{time.process_time() - began:.0f} seconds of processor time")
    if given.write:
        keep(lines, given.family)


def _measure(module: str) -> Callable[[Path, int], list[Figure]]:
    found: Callable[[Path, int], list[Figure]] = importlib.import_module(f".{module}", __package__).figures
    return found


def _number(value: float, unit: str) -> str:
    return f"{value:.1f} {unit}" if unit else f"{value:.2f}"


if __name__ == "__main__":
    main()
