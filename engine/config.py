"""Settings from the environment and one file."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, field

from engine.errors import Invalid, Problem

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "TESSERA_"

Metadata = Literal["none", "label", "params", "full"]
Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0)]
Mode = Annotated[int, Meta(ge=0, le=2)]


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """How this Tessera runs. Each is a key of `tessera.toml` and, in capitals behind TESSERA_, a variable."""

    data: Path = Path("data")
    """Folder of the database, the cache, artifacts and output files."""
    host: str = "127.0.0.1"
    """Address the server listens on; anything but loopback needs a token."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 8188
    """Port the server listens on; 0 takes a free one."""
    token: str = ""
    """Access token; when set, every request needs it."""
    allowed_hosts: list[str] = field(default_factory=list)
    """Further Host names the server answers to, behind a proxy."""
    models: list[Path] = field(default_factory=list)
    """Further model folders, also of ComfyUI or Automatic1111."""
    fetch_to: Path = ROOT / "models"
    """Model folder that fetched models are put into; it is searched like the others."""
    offline: bool = False
    """Never ask another machine for anything: models are not fetched."""
    secrets: Path | None = None
    """A file with NAME=value in every line, or a folder with a file for each name: secrets for nodes."""
    certificate: Path | None = None
    """PEM file of the certificate, its own first, that saved files are signed with; none: not signed."""
    certificate_key: Path | None = None
    """PEM file of its key, without a passphrase."""
    trusted_signers: Path | None = None
    """PEM file of the certificates whose signatures on others' files are trusted."""
    packs: Path = ROOT / "custom_nodes"
    """Folder of custom node packs."""
    device: Literal["auto", "cpu", "cuda", "mps", "xpu"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    cpu_fallback: bool = True
    """Run a step on the CPU when it does not fit on the GPU even with the least memory."""
    threads: Count = 0
    """Threads that torch uses; 0 means one per core but one, at most 8."""
    memory_limit: Count = 0
    """Bytes of weights kept in memory at most; 0: half of the machine's memory, on a GPU 85 % of its own."""
    cache_limit: Count = 20 * 1024**3
    """Bytes of cached results kept on disk at most."""
    cache_memory: Count = 512 * 1024**2
    """Bytes of cached results kept in memory at most."""
    upload_limit: Count = 256 * 1024**2
    """Largest upload, in bytes."""
    document_limit: Count = 16 * 1024**2
    """Largest workflow document, in bytes."""
    step_limit: Annotated[int, Meta(ge=1, le=50_000)] = 50_000
    """Steps that a workflow may have, with every group laid out."""
    call_limit: Annotated[int, Meta(ge=1)] = 1_000_000
    """Calls that a run may make, all turns of its loops together."""
    time_limit: Seconds = 0.0
    """Seconds that a run may take; 0 sets no limit."""
    warm: bool = True
    """Let the server's worker import torch before the first run asks for it."""
    jobs_at_once: Annotated[int, Meta(ge=1)] = 4
    """Jobs that one worker runs side by side; the lanes decide which step goes first."""
    cancel_grace: Seconds = 5.0
    """Seconds a node has to stop when cancelled; then its worker process is ended."""
    keep_days: Annotated[float, Meta(ge=0)] = 0.0
    """Days that outputs and finished jobs are kept; 0 keeps them for ever."""
    trash_days: Annotated[float, Meta(ge=0)] = 30.0
    """Days that pictures stay in the trash before they are deleted; 0 keeps them until it is emptied."""
    audit_days: Annotated[float, Meta(ge=0)] = 0.0
    """Days that the log keeps its lines; older ones are sealed away. 0 keeps them for ever."""
    disk_reserve: Count = 256 * 1024**2
    """Free bytes below which the queue pauses."""
    metadata: Metadata = "params"
    """What saved pictures say about how they were made."""
    previews: bool = True
    """Send pictures of the work in progress."""
    mode: Mode = 0
    """How runs are checked that do not say: 0 Safe, 1 Research, 2 NSFW."""
    mode_limit: Mode | None = None
    """The highest mode that anybody may ask for; left out, it is `mode`."""
    mode_limits: dict[str, Mode] = field(default_factory=dict)
    """The highest mode by owner, where that is not the server's."""
    checkers: list[str] = field(default_factory=lambda: ["starter-safety:0.35", "starter-safety-text:0.9"])
    """Who checks pictures and prompts, each NAME or NAME:LIMIT: models, `words`, `openai`."""
    flagged: Literal["block", "blur"] = "block"
    """What takes the place of a flagged picture in Safe mode."""
    clip_every: Annotated[int, Meta(ge=1)] = 8
    """Of a clip every so-manieth frame is checked, beside those that look different."""
    word_list: Path | None = None
    """File of words that prompts may not have, for the checker `words`."""
    moderation_url: str = "https://api.openai.com/v1/moderations"
    """Where the checker `openai` asks, with the secret OPENAI_API_KEY."""


def settings(file: Path | None = None, **overrides: Any) -> Settings:
    """Settings from `tessera.toml` (or `file`), then TESSERA_ variables, then what is given here."""
    named = file or os.environ.get(PREFIX + "CONFIG")
    path = Path(named or "tessera.toml")
    if named and not path.is_file():
        raise Invalid([Problem("no_file", input="config", got=path.name, remedy="Name an existing file.")])
    given = read_file(path) if path.is_file() else {}
    for name in Settings.__struct_fields__:
        if raw := os.environ.get(PREFIX + name.upper()):  # empty is how an .env file says nothing
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
        problem = Problem("bad_setting", input=path.name, got=str(error), remedy="Write valid TOML.")
        raise Invalid([problem]) from None


def parse(raw: str, name: str) -> Any:
    """A variable's text; lists are separated like PATH."""
    if name == "mode_limits":
        return dict(part.partition("=")[::2] for part in raw.split(",") if part)
    if name in ("models", "allowed_hosts", "checkers"):
        return [part for part in raw.split(os.pathsep if name == "models" else ",") if part]
    return raw


def path_hook(kind: type, value: object) -> object:
    if kind is Path and isinstance(value, (str, Path)):
        return Path(value).expanduser()
    raise NotImplementedError(kind)  # msgspec's word for "not mine"
