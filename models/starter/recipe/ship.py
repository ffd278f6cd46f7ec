"""Put finished models where the product finds them: each in its folder of the family."""

import argparse
import json
import os
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from .measure import FAMILY, MEASURES

LIMIT = 80_000_000
"""Bytes that the whole family may take."""
LENT = {"vae": "base", "text_encoder_2": "xl"}
"""Whose part a pipeline has that was written without its own."""
LENDERS = {
    **dict.fromkeys(("controlnet-canny", "controlnet-depth", "controlnet-pose"), "base"),
    "controlnet-canny-xl": "xl",
}
"""Whose denoiser's deep layers a model has, after the second part of its training."""
WEIGHTS = "diffusion_pytorch_model.safetensors"


def ship(checkpoints: Path, family: Path, names: list[str]) -> None:
    """Replace models of the family by the finished ones of a training folder, with what measures them."""
    for name in dict.fromkeys(other for one in names for other in (one, *judges(one))):
        source, target = trained(checkpoints, name), family / name
        if not source.is_dir():
            raise SystemExit(f"{name} is not finished: there is no {source}")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target)
        for path in target.rglob("*"):
            path.chmod(0o755 if path.is_dir() else 0o644)  # safetensors writes for its owner alone
        for config in target.rglob("config.json"):
            forget_origin(config)
        share(target, family)
        if name in LENDERS:
            borrow(target, family / LENDERS[name] / "unet")
    if (size := weight(family)) > LIMIT:
        raise SystemExit(f"The family takes {size:,} bytes of at most {LIMIT:,}.")


def trained(checkpoints: Path, name: str) -> Path:
    """Where the last part of a model's training leaves it."""
    return checkpoints / (f"{name}-shared" if name in LENDERS else name) / "final"


def forget_origin(config: Path) -> None:
    """Take out where the library had read a part from: a folder of the machine that trained it."""
    said = json.loads(config.read_text(encoding="utf-8"), object_hook=_without_origin)
    config.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")


def _without_origin(part: dict[str, object]) -> dict[str, object]:
    """A part of a config as it is; a backbone's stands inside the config of what it carries."""
    return {name: value for name, value in part.items() if name != "_name_or_path"}


def share(target: Path, family: Path) -> None:
    """Give a pipeline what it was written without; beside an autoencoder lie the colours of its latents."""
    index = target / "model_index.json"
    parts = json.loads(index.read_text(encoding="utf-8")) if index.exists() else {}
    for part, owner in LENT.items():
        if not (target / part).exists() and any(parts.get(part) or ()):
            lend(family / owner / part, target / part)
            if part == "vae":
                shutil.copy(family / owner / "preview.json", target)


def lend(source: Path, target: Path) -> None:
    """A part like another: its weights are a link to that one's."""
    target.mkdir()
    shutil.copy(source / "config.json", target)
    for weights in source.glob("*.safetensors"):
        (target / weights.name).symlink_to(os.path.relpath(weights, target))


def borrow(target: Path, lender: Path) -> None:
    """Leave out what a lender has alike: as the first shard stands a link to its whole file.

    Loaders read shards in the order of their names, and skip what a model does not have. So what differs
    under a name that both have stands in the second, and counts.
    """
    own, theirs = load_file(target / WEIGHTS), load_file(lender / WEIGHTS)
    first, second = (WEIGHTS.replace(".", f"-0000{place}-of-00002.") for place in (1, 2))
    places = {name: first if _alike(weight, theirs.get(name)) else second for name, weight in own.items()}
    rest = {name: weight for name, weight in own.items() if places[name] == second}
    save_file(rest, target / second, {"format": "pt"})
    (target / second).chmod(0o644)
    (target / WEIGHTS).unlink()
    (target / first).symlink_to(os.path.relpath(lender / WEIGHTS, target))
    size = sum(weight.nbytes for weight in own.values())
    index = {"metadata": {"total_size": size}, "weight_map": places}
    (target / f"{WEIGHTS}.index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def _alike(weight: Tensor, other: Tensor | None) -> bool:
    return other is not None and torch.equal(weight, other)


def judges(name: str) -> list[str]:
    """What a model is measured with that is no model of the family itself: the reader, the marker."""
    return [one for one in MEASURES[name].needs if one not in MEASURES] if name in MEASURES else []


def weight(family: Path) -> int:
    """Bytes of everything in the family but what training left."""
    files = (path for path in family.rglob("*") if path.is_file() and not path.is_symlink())
    hidden = {"checkpoints", "__pycache__"}
    return sum(path.stat().st_size for path in files if not hidden & set(path.relative_to(family).parts))


def main() -> None:
    """Copy what is named, or everything that is finished."""
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("names", nargs="*")
    ask.add_argument("--checkpoints", type=Path, default=Path("checkpoints"))
    ask.add_argument("--family", type=Path, default=FAMILY)
    given = ask.parse_args()
    done = [name for name in MEASURES if trained(given.checkpoints, name).is_dir()]
    ship(given.checkpoints, given.family, given.names or done)
    print(f"{weight(given.family) / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
