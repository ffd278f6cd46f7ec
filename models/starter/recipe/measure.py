"""Measure the whole family, print its table and write it into the model card."""

import argparse
import importlib
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import torch
from msgspec import Struct

from .figures import Figure


class Measured(Struct, frozen=True):
    """How a model of the family is measured."""

    module: str
    needs: tuple[str, ...] = ()  # what must lie beside it, and beside the base
    seen: bool = True  # whether there is something to look at


_CONTROL, _LORA = Measured("measure_control"), Measured("measure_lora", ("marks",))
MEASURES = {
    "base": Measured("measure_base", ("reader",)),
    "controlnet-canny": _CONTROL,
    "controlnet-depth": Measured("measure_control", ("depth",)),
    "controlnet-pose": Measured("measure_control", ("pose",)),
    "clip": Measured("measure_clip"),
    "safety": Measured("measure_safety"),
    "safety-text": Measured("measure_safety", seen=False),
    "upscaler": Measured("train_upscaler"),
    "background": Measured("train_background"),
    "captioner": Measured("measure_captioner"),
    "depth": Measured("train_depth"),
    "pose": Measured("train_pose"),
    "inpainting": Measured("measure_inpainting"),
    "enhancer": Measured("measure_enhancer", ("captioner",)),
    "preview": Measured("train_preview"),
    "face-restorer": Measured("train_restorer"),
    "faces": Measured("train_faces"),
    "xl": Measured("measure_xl", ("reader",)),
    "xl-refiner": Measured("measure_refiner", ("xl",)),
    "controlnet-canny-xl": Measured("measure_control", ("xl",)),
    "lora-pencil": _LORA,
    "lora-neon": _LORA,
    "lora-zib": _LORA,
    "lora-tiko": _LORA,
    "image-to-video": Measured("measure_film"),
    "motion": Measured("measure_motion"),
}
FAMILY = Path(__file__).parents[1]
SHEETS = "sheets"  # the folder of the family with a contact sheet of each model
_BEGIN, _END = "<!-- figures: written by measure.py -->", "<!-- end of figures -->"


def there(family: Path) -> list[str]:
    """The models that are finished."""
    return [name for name in MEASURES if (family / name).is_dir()]


def figures(name: str, family: Path, count: int) -> list[Figure]:
    """The figures of a model, measured on `count` samples of each sort."""
    with alone(name, family) as few:
        found: list[Figure] = _module(name).figures(few, count)
        return found


def contact(name: str, family: Path) -> None:
    """Write the contact sheet of a model, if there is something to look at."""
    if MEASURES[name].seen:
        with alone(name, family) as few:
            _module(name).contact(few, family / SHEETS / f"{name}.jpg")


@contextmanager
def alone(name: str, family: Path) -> Iterator[Path]:
    """A family of one model, the base, and what else its measuring needs."""
    with TemporaryDirectory() as folder:
        for one in dict.fromkeys(("base", name, *MEASURES[name].needs)):
            if (family / one).is_dir():
                (Path(folder) / one).symlink_to((family / one).resolve())
        yield Path(folder)


def table(lines: Iterable[Figure]) -> str:
    """Figures as a Markdown table."""
    rows = ["| model | what | reached | without | wanted |", "|---|---|---|---|---|"]
    for line in lines:
        without = "" if line.without is None else _number(line.without, line.unit)
        wanted = ("≤ " if line.at_most else "≥ ") + _number(line.wanted, line.unit)
        reached = _number(line.reached, line.unit) + ("" if line.met else " (missed)")
        rows.append(f"| {line.model} | {line.what} | {reached} | {without} | {wanted} |")
    return "\n".join(rows)


def known(family: Path) -> list[Figure]:
    """The figures that were written last."""
    store = family / "figures.json"
    return msgspec.json.decode(store.read_bytes(), type=list[Figure]) if store.exists() else []


def keep(lines: Iterable[Figure], family: Path) -> None:
    """Write figures beside the models and into the card; those of other models stay."""
    fresh, card, names = list(lines), family / "README.md", list(MEASURES)
    whole = [line for line in known(family) if line.model not in {one.model for one in fresh}] + fresh
    whole.sort(key=lambda line: names.index(line.model) if line.model in names else len(names))
    store = family / "figures.json"
    store.write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=1) + b"\n")
    text = card.read_text(encoding="utf-8")
    before, after = text[: text.index(_BEGIN)], text[text.index(_END) :]
    told = "\n\n".join([table(whole), *sheets(family)])
    card.write_text(f"{before}{_BEGIN}\n\n{told}\n\n{after}", encoding="utf-8")


def sheets(family: Path) -> Iterator[str]:
    """For the card: every model's contact sheet under what it shows."""
    for name in MEASURES:
        if (family / SHEETS / f"{name}.jpg").exists():
            about = (_module(name).contact.__doc__ or "").partition("\n")[0]
            yield f"**{name}**: {about[0].lower()}{about[1:]}\n\n![{name}]({SHEETS}/{name}.jpg)"


def main() -> None:
    """Measure, print, and with --write keep."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("--family", type=Path, default=FAMILY)
    ask.add_argument("--count", type=int, default=200)
    ask.add_argument("--only", nargs="*", default=())
    ask.add_argument("--write", action="store_true", help="write figures and contact sheets into the card")
    given = ask.parse_args()
    torch.set_num_threads(1)
    began = time.process_time()
    names = [name for name in there(given.family) if not given.only or name in given.only]
    lines = [line for name in names for line in figures(name, given.family, given.count)]
    print(table(lines))
    print(f"\n{time.process_time() - began:.0f} seconds of processor time")
    if given.write:
        for name in names:
            contact(name, given.family)
        keep(lines, given.family)


def _module(name: str) -> Any:
    return importlib.import_module(f".{MEASURES[name].module}", __package__)


def _number(value: float, unit: str) -> str:
    return f"{value:.1f} {unit}" if unit else f"{value:.2f}"


if __name__ == "__main__":
    main()
