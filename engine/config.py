"""Settings from the environment and one file."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct, field

from engine.errors import Invalid, Problem

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "TESSERA_"

Metadata = Literal["none", "label", "params", "full"]


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """How this Tessera runs. Each field is a key of `tessera.toml` and, in capitals behind TESSERA_, a variable."""

    data: Path = Path("data")
    """Folder of the database, the cache, artifacts and output files."""
    host: str = "127.0.0.1"
    """Address the server listens on; anything but loopback needs a token."""
    port: int = 8188
    token: str = ""
    """Access token; when set, every request needs it."""
    allowed_hosts: list[str] = field(default_factory=list)
    """Further Host names the server answers to, behind a proxy."""
    models: list[Path] = field(default_factory=list)
    """Further model folders, also of ComfyUI or Automatic1111."""
    packs: Path = ROOT / "custom_nodes"
    """Folder of custom node packs."""
    device: Literal["auto", "cpu", "cuda", "mps", "xpu"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    threads: int = 0
    """Threads that torch uses; 0 means one per core, at most 8."""
    memory_limit: int = 0
    """Bytes of weights kept in memory at most; 0 means half of the memory."""
    cache_limit: int = 20 * 1024**3
    """Bytes of cached results kept on disk at most."""
    cache_memory: int = 512 * 1024**2
    """Bytes of cached results kept in memory at most."""
    upload_limit: int = 256 * 1024**2
    """Largest upload, in bytes."""
    document_limit: int = 16 * 1024**2
    """Largest workflow document, in bytes."""
    jobs_at_once: int = 4
    """Jobs that one worker runs side by side; the lanes decide which step goes first."""
    cancel_grace: float = 5.0
    """Seconds a node has to stop when cancelled; then its worker process is ended."""
    keep_days: float = 0.0
    """Days that outputs and finished jobs are kept; 0 keeps them for ever."""
    disk_reserve: int = 256 * 1024**2
    """Free bytes below which the queue pauses."""
    metadata: Metadata = "params"
    """What saved pictures say about how they were made."""
    previews: bool = True
    """Send pictures of the work in progress."""


def settings(file: Path | None = None, **overrides: Any) -> Settings:
    """Settings from `tessera.toml` (or `file`), then TESSERA_ variables, then what is given here."""
    given: dict[str, Any] = {}
    path = file or Path(os.environ.get(PREFIX + "CONFIG", "tessera.toml"))
    if path.is_file():
        given |= read_file(path)
    elif file is not None:
        raise Invalid([Problem("no_file", input="config", got=path.name, remedy="Name an existing file.")])
    for name in Settings.__struct_fields__:
        if (raw := os.environ.get(PREFIX + name.upper())) is not None:
            given[name] = parse(raw, name)
    given |= {name: value for name, value in overrides.items() if value is not None}
    try:
        return msgspec.convert(given, Settings, strict=False, dec_hook=path_hook)
    except msgspec.ValidationError as error:
        remedy = "See docs/configuration.md for every setting."
        raise Invalid([Problem("bad_setting", got=str(error), remedy=remedy)]) from None


def read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid([Problem("bad_setting", input=path.name, got=str(error), remedy="Write valid TOML.")]) from None


def parse(raw: str, name: str) -> Any:
    """A variable's text; lists are separated like PATH."""
    if name in ("models", "allowed_hosts"):
        return [part for part in raw.split(os.pathsep if name == "models" else ",") if part]
    return raw


def path_hook(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, (str, Path)):
        return Path(value).expanduser()
    raise NotImplementedError(kind)  # msgspec's word for "not mine"
