"""Repositories of the hub: what they say of themselves, and which of their files make a model."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec
from msgspec import Struct, field

from engine.errors import BadInput, NotFound, SourceFailed, TooLarge, shown
from engine.kinds import FOLDERS
from engine.remote import HUB, Remote
from engine.remote import shown as address
from engine.weights import CLASSES, ONNX, SAFE, UNSAFE, Kind, variant

REPOSITORY = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}", re.ASCII)
PLAIN = re.compile(r"[\w.,()+=&' -]+(/[\w.,()+=&' -]+)*")
"""What names of ours are made of: nothing that leads elsewhere, and nothing that some system forbids."""
LISTING = 16 * 1024**2
"""Bytes of what a repository says about itself at most."""
CONFIG = 1024**2
MOST_FILES = 2000
WORDS = (".json", ".txt")
TOKENIZERS = ("spiece.model", "tokenizer.model")
"""Word lists of SentencePiece: data, without which some text encoders cannot read."""
STANDARD = ("diffusion_pytorch_model", "model", "pytorch_model")
"""What weights are called by the libraries that load folders."""
TYPES: dict[str, Kind] = {
    **CLASSES,
    "AutoencoderKL": "vae",
    "blip": "caption",
    "clip_vision_model": "vision",
    "clipseg": "segmenter",
    "depth_anything": "depth",
    "dpt": "depth",
    "vitpose": "pose",
}
"""How a configuration calls what it is for, and the kind that is here."""


class Large(Struct):
    """How the hub describes a file of its large-file store."""

    sha256: str
    size: int


class Sibling(Struct, rename={"path": "rfilename", "blob": "blobId"}):
    """A file of a repository."""

    path: str
    size: int | None = None
    blob: str | None = None
    lfs: Large | None = None


class Repository(Struct, rename={"revision": "sha", "card": "cardData"}):
    """What the hub says about a repository."""

    revision: str
    siblings: list[Sibling]
    card: dict[str, Any] | None = None
    tags: list[str] = field(default_factory=list)
    gated: bool | str = False

    @property
    def licence(self) -> str:
        given = (self.card or {}).get("license")
        named = (self.card or {}).get("license_name")
        tags = [tag.removeprefix("license:") for tag in self.tags if tag.startswith("license:")]
        found = given if isinstance(given, str) else " and ".join(map(str, given or tags))
        return shown(f"{found} ({named})" if found == "other" and named else found)


def partition_repository(what: str) -> tuple[str, str, str]:
    """`org/name/folder/file` as repository and path."""
    owner, slash, rest = what.partition("/")
    name, more, path = rest.partition("/")
    return f"{owner}{slash}{name}", more, path


def hub_file(url: str, hub: str) -> tuple[str, str] | None:
    """Repository and path in an address of the hub, as its pages have it."""
    for home in (hub, HUB):
        if url.startswith(home + "/"):
            path = unquote(urlsplit(url).path[len(urlsplit(home).path) :]).strip("/")
            repo, _, rest = partition_repository(path)
            how, _, tail = rest.partition("/")
            if REPOSITORY.fullmatch(repo) and how in ("", "resolve", "blob", "tree"):
                return repo, tail.partition("/")[2] + ("/" if how == "tree" and "/" in tail else "")
    return None


def repository(remote: Remote, repo: str) -> Repository:
    url = f"{remote.hub}/api/models/{repo}/revision/main?blobs=true"
    try:
        found = msgspec.json.decode(remote.read(url, LISTING), type=Repository)
    except (msgspec.DecodeError, TooLarge):
        raise SourceFailed(f"{address(remote.hub)} does not describe {repo} as a hub does.") from None
    if not re.fullmatch(r"[0-9a-f]{40,64}", found.revision) or len(found.siblings) > MOST_FILES:
        raise SourceFailed(f"{address(remote.hub)} does not describe {repo} as a hub does.")
    return found


# -- which files of a folder


def folder(
    files: Mapping[str, Sibling], url: str, remote: Remote, kind: Kind | None, choice: str
) -> tuple[dict[str, Sibling], Kind | None]:
    """The files that make the model that lies at `url`; no kind if it is a single file after all."""

    def read(name: str) -> dict[str, Any]:
        try:
            return msgspec.json.decode(remote.read(url + name, CONFIG), type=dict[str, Any])
        except msgspec.DecodeError:
            raise SourceFailed(f"{address(url + name)} is broken.") from None

    if "model_index.json" in files:
        parts = [name for name, value in read("model_index.json").items() if is_part(value)]
        return pipeline(files, parts, choice), "model"
    alone = [name for name in files if "/" not in name and safe_name(name)[1].lower() in (SAFE, ONNX)]
    if "config.json" in files and (kind or len(alone) != 1 or alone[0].startswith(STANDARD)):
        about = {} if kind else read("config.json")
        kind = kind or next((TYPES[name] for name in said(about) if name in TYPES), None)
        if kind is None:
            raise BadInput(
                "kind", want=f"one of: {', '.join(FOLDERS)}", remedy="Say what it is: --kind KIND."
            )
        return {**words(files, ""), **weights(files, "", choice)}, kind
    if len(alone) != 1:
        raise NotFound(f"{address(url)} is no folder that can be loaded whole.", remedy=usable(files))
    return {alone[0]: files[alone[0]]}, None


def is_part(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and value != [None, None]


def said(about: Mapping[str, Any]) -> Iterator[str]:
    """How a configuration calls what it is for."""
    yield from (str(about[name]) for name in ("_class_name", "model_type") if name in about)


def pipeline(files: Mapping[str, Sibling], parts: Iterable[str], choice: str) -> dict[str, Sibling]:
    """Configurations, and the weights of each part; what lies beside them for other programs stays there."""
    chosen = words(files, "")
    for part in parts:
        chosen |= {**words(files, f"{part}/"), **weights(files, f"{part}/", choice)}
    return chosen


def words(files: Mapping[str, Sibling], within: str) -> dict[str, Sibling]:
    """Configurations and word lists right within a folder."""
    return {
        name: file
        for name, file in files.items()
        if is_within(name, within)
        and (name.lower().endswith(WORDS) or name.rpartition("/")[2] in TOKENIZERS)
        and not re.search(r"flax|tf_model|\.bin\.|\.onnx", name)
    }


def is_within(name: str, folder: str) -> bool:
    return name.startswith(folder) and "/" not in name[len(folder) :]


def weights(files: Mapping[str, Sibling], within: str, choice: str) -> dict[str, Sibling]:
    """The weights right within a folder, in one precision; pickles only where there is nothing better."""
    here = [name for name in files if is_within(name, within)]
    safe = [name for name in here if name.lower().endswith(SAFE)]
    standard = [name for name in safe if name[len(within) :].startswith(STANDARD)]
    pickles = [
        name for name in here if name.lower().endswith(".bin") and name[len(within) :].startswith(STANDARD)
    ]
    found = precise(standard or pickles or safe, choice)
    if any("-of-" in name and is_pickle(name) for name in found):
        raise NotFound(
            f"The weights in {within or 'the repository'} are pickles in several pieces.",
            remedy="Look for the model in safetensors.",
        )
    return {name: files[name] for name in found}


def precise(names: Collection[str], choice: str) -> list[str]:
    """Those of the precision that is wanted, else the plain ones, else of the first that there is."""
    by: dict[str, list[str]] = {}
    for name in names:
        plain = re.sub(r"\.bin$", SAFE, name)
        by.setdefault(variant(PurePosixPath(plain)), []).append(name)
    for wanted in (choice, ""):
        if wanted in by:
            return by[wanted]
    return next(iter(by.values()), [])


# -- names of files


def acceptable(path: str) -> bool:
    """Whether a file may come here by its name: data of known kinds, at a place within its model."""
    usable = safe_name(path)[1] or path.rpartition("/")[2] in TOKENIZERS
    return bool(usable) and len(path) <= 200 and stays(path)


def stays(path: str) -> bool:
    """Whether a name leads nowhere but down, on every system."""
    return bool(PLAIN.fullmatch(path)) and all(part == part.strip(" .") for part in path.split("/"))


def safe_name(path: str) -> tuple[str, str]:
    """A file's name and its ending, which is empty for what cannot be used."""
    name = path.rpartition("/")[2]
    for ending in (SAFE, ONNX, *WORDS, *UNSAFE):
        if name.lower().endswith(ending) and len(name) > len(ending):
            return name[: -len(ending)], name[-len(ending) :]
    return name, ""


def is_pickle(path: str) -> bool:
    return path.lower().endswith(UNSAFE)


def usable(files: Iterable[str]) -> str:
    weights = [name for name in files if safe_name(name)[1].lower() in (SAFE, ONNX, *UNSAFE)]
    return f"Name one of: {', '.join(weights[:12])}." if weights else "It holds no weights."
