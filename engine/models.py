"""The models of this machine: found by name, known by content."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import Literal

from msgspec import Struct

from engine.config import ROOT, Settings
from engine.errors import BadInput, MissingModel, TesseraError, UnsafeModel, Unsupported
from engine.hashes import Memo
from engine.kinds import ALONE, ENDINGS, FOLDERS, NOUNS, REFUSED, STARTER, stem
from engine.known import known, offers
from engine.weights import (
    GGUF,
    KINDS,
    SAFE,
    UNSAFE,
    WHOLE,
    Kind,
    counted,
    has_weights,
    is_diffusers,
    kind_of,
    size_of,
    walk,
)

Layout = Literal["diffusers", "single_file"]


class ModelFile(Struct, frozen=True):
    """Weights on this machine: one file, or a folder in the diffusers layout."""

    name: str
    kind: Kind
    path: Path
    layout: Layout
    bytes: int
    source: str
    """Where it was found, in words without a path."""
    variant: str = ""
    """Which weights of a folder are read, in the parts that have several."""
    part_of: str = ""
    """The whole model that it lies in, for a part that can also be loaded alone."""


class Models:
    """The model folders of this machine. Models go by name, never by path."""

    def __init__(self, folders: Sequence[Path], *, memo: Path | None = None, hub: Path | None = None) -> None:
        self.folders = [folder.expanduser() for folder in folders]
        self.hub = hub if hub is not None else hub_cache()
        self._memo = Memo(memo)

    @classmethod
    def of(cls, settings: Settings) -> Models:
        """Our `models` folder and those of the configuration; hashes are remembered in the data folder."""
        folders = [ROOT / "models", settings.fetch_to, *settings.models]
        return cls(list(dict.fromkeys(folders)), memo=settings.data / "hashes.json")

    def find(self, name: str, kind: Kind = "model") -> ModelFile:
        """The model of this name. Raises BadInput, UnsafeModel, Unsupported or MissingModel."""
        check_name(name)
        if name.lower().endswith(REFUSED):
            raise refusal(name)
        wanted = stem(name, kind)
        refused = ""
        for file in self._every(kind):
            if file.name == wanted:
                if file.layout == "diffusers" and not has_weights(file.path):
                    refused = wanted
                    continue
                return file
        if (cached := self._in_hub(name, kind)) is not None:
            return cached
        if refused:
            raise unsafe(wanted)
        if other := next(self._refused(kind, wanted), None):
            raise refusal(wanted + other.suffix)
        raise self._missing(name, kind)

    def list(self, kind: Kind | None = None) -> list[ModelFile]:
        """Every model found, by kind and name; the first folder that has a name wins."""
        found: dict[tuple[Kind, str], ModelFile] = {}
        for each in KINDS if kind is None else (kind,):
            for file in self._every(each):
                if file.layout == "single_file" or has_weights(file.path):
                    found.setdefault((each, file.name), file)
            if each == "model":
                for file in self._hub_models():
                    found.setdefault((each, file.name), file)
        return sorted(found.values(), key=lambda f: (KINDS.index(f.kind), f.name.lower()))

    def locate(self, name: str, sha256: str, *kinds: Kind) -> ModelFile:
        """The file with this content: under its name, or wherever it is now. Raises MissingModel."""
        changed = False
        for kind in kinds or ("model",):
            with suppress(TesseraError):
                file = self.find(name, kind)
                changed = True
                if self.sha256(file) == sha256:
                    return file
        for kind in kinds or ("model",):
            for other in self.list(kind):
                if self.sha256(other) == sha256:
                    return other
        if changed:
            raise MissingModel(
                f"The file of model {name!r} has changed since it was chosen.", remedy="Run load_model again."
            )
        raise self._missing(name, (*kinds, "model")[0])

    def sha256(self, file: ModelFile) -> str:
        """Content hash: of the file, or over names and hashes of a folder's weights and configurations."""
        if file.layout == "single_file":
            return self._memo.sha256(file.path)
        lines = [f"{rel} {self._memo.sha256(path)}\n" for rel, path in counted(file.path)]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    def _every(self, kind: Kind) -> Iterator[ModelFile]:
        for folder in self.folders:
            yield from self._starter(folder / "starter", kind)
            for sub in FOLDERS[kind]:
                yield from self._scan(folder / sub, kind, folder.name)
        if kind == "vae":
            yield from self._parts("vae")

    def _parts(self, kind: Kind) -> Iterator[ModelFile]:
        """The parts of this kind that whole models have, as `MODEL/vae`."""
        for file in (*self._every("model"), *self._hub_models()):
            if file.layout == "diffusers" and (file.path / kind / "config.json").is_file():
                path = file.path / kind
                name, size = f"{file.name}/{kind}", size_of(path)
                yield ModelFile(name, kind, path, "diffusers", size, file.source, part_of=file.name)

    def _starter(self, folder: Path, kind: Kind) -> Iterator[ModelFile]:
        """`starter/base` is `starter`; another folder of the family is `starter-NAME`."""
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                name = "starter" if path.name == "base" else STARTER + path.name
                if kind_of(path) == kind and self._inside(path):
                    yield ModelFile(name, kind, path, "diffusers", size_of(path), "comes with Tessera")
                for file in (path / alone for alone, what in ALONE.items() if what == kind):
                    if file.is_file() and self._inside(file):
                        size = file.stat().st_size
                        yield ModelFile(name, kind, file, "single_file", size, "comes with Tessera")

    def _scan(self, top: Path, kind: Kind, source: str) -> Iterator[ModelFile]:
        for path in walk(top):
            name = path.relative_to(top).as_posix()
            if path.is_dir():
                if self._inside(path):
                    yield ModelFile(name, kind, path, "diffusers", size_of(path), f"{source}/{top.name}")
            elif path.suffix.lower() in ENDINGS.get(kind, (SAFE,)) and self._inside(path):
                size = path.stat().st_size
                yield ModelFile(stem(name, kind), kind, path, "single_file", size, f"{source}/{top.name}")

    def _inside(self, path: Path) -> bool:
        """Whether the content lies in a configured folder; a link out of all of them is not followed."""
        roots = [str(root.resolve()) + os.sep for root in (*self.folders, self.hub)]
        files = [path] if path.is_file() else [path, *(file for _, file in counted(path))]
        return all(str(file.resolve()).startswith(tuple(roots)) for file in files)

    def _in_hub(self, name: str, kind: Kind) -> ModelFile | None:
        if kind not in ("model", *WHOLE) or name.count("/") != 1:
            return None
        return next((file for file in self._hub_models(name, kind) if file.name == name), None)

    def _hub_models(self, name: str = "", kind: Kind = "model") -> Iterator[ModelFile]:
        """Snapshots in the local Hugging Face cache, read from its folders; nothing is fetched."""
        pattern = f"models--{name.replace('/', '--')}" if name else "models--*--*"
        for repo in sorted(self.hub.glob(pattern)) if self.hub.is_dir() else ():
            snapshot = latest(repo)
            if (
                snapshot is not None
                and is_diffusers(snapshot)
                and has_weights(snapshot)
                and self._inside(snapshot)
                and (kind == "model" or kind_of(snapshot) == kind)
            ):
                hub_id = repo.name.removeprefix("models--").replace("--", "/")
                yield ModelFile(hub_id, kind, snapshot, "diffusers", size_of(snapshot), "Hugging Face cache")

    def _refused(self, kind: Kind, name: str) -> Iterator[Path]:
        for folder in self.folders:
            for sub in FOLDERS[kind]:
                for ending in REFUSED:
                    if (path := folder / sub / (name + ending)).is_file():
                        yield path

    def _missing(self, name: str, kind: Kind) -> MissingModel:
        names = [file.name for file in self.list(kind)]
        near = difflib.get_close_matches(name, names, 3, 0.5) or names[:5]
        have = f" Here are: {', '.join(near)}." if near else ""
        plain = stem(name, kind)
        if (found := known(name)) is not None and found.kind == kind:
            size = f", {found.bytes / 1e9:.1f} GB" if found.bytes else ""
            terms = f", licence {found.licence}" if found.licence else ""
            where = f"huggingface.co/{found.hub}" if found.hub else found.url.removeprefix("https://")
            remedy = f"Run `python server.py models fetch {plain}`: it comes from {where}{size}{terms}.{have}"
        elif other := self._other_kind(name, kind):
            remedy = f"What has that name here is of kind {other!r}: load it as that.{have}"
        elif name.startswith(STARTER):
            remedy = f"{trained(plain, kind)}{have}"
        elif name.count("/") == 1:
            to = "" if kind == "model" else f" --kind {kind}"
            remedy = f"Run `python server.py models fetch {name}{to}` if that is a repository.{have}"
        elif kind in WHOLE:
            remedy = f"Put its whole folder into models/{FOLDERS[kind][0]}{or_fetch(kind)}.{have}"
        else:
            ending = ENDINGS.get(kind, (SAFE,))[0]
            remedy = f"Put {plain}{ending} into models/{FOLDERS[kind][0]}.{have}"
        noun = NOUNS.get(kind, kind)
        return MissingModel(f"There is no {noun} named {name!r} on this machine.", remedy=remedy)

    def _other_kind(self, name: str, kind: Kind) -> Kind | None:
        """What something of that name is, if it is nothing of this kind."""
        files = (file for other in KINDS if other != kind for file in self.list(other) if file.name == name)
        if (file := next(files, None)) is None:
            return None
        return kind_of(file.path) if file.layout == "diffusers" else file.kind


current: ContextVar[Models | None] = ContextVar("models", default=None)
"""The models of the engine that runs this node."""


def models() -> Models:
    """The models of the engine that runs here; outside one, those of the settings."""
    return current.get() or default_models()


@cache
def default_models() -> Models:
    return Models([ROOT / "models"])


met: ContextVar[dict[str, str]] = ContextVar("met")
"""Names and contents of the models that the fingerprints of a run have met; its receipt names them."""


def content(name: str, kind: Kind) -> str:
    """What the file behind a name holds, for fingerprints. The same under another name is the same."""
    here = models()
    file = here.find(name, kind)
    sha256 = here.sha256(file)
    if (noted := met.get(None)) is not None:
        noted[f"embedding:{file.name}" if kind == "embedding" else file.name] = sha256
    return sha256


def content_of(kind: Kind, input: str = "model") -> Callable[..., str]:
    """A fingerprint for nodes that load a model by name."""

    def fingerprint(**inputs: object) -> str:
        return content(str(inputs[input]), kind)

    return fingerprint


def check_name(name: str) -> None:
    """Raise BadInput unless this is a plain name, at most in sub-folders."""
    bad = (
        not name
        or len(name) > 200
        or re.search(r"[\x00-\x1f\\]|^[A-Za-z]:|^~", name)
        or any(part in ("", ".", "..") for part in name.split("/"))
    )
    if bad:
        raise BadInput(
            "model", got=name, want="a model's name, not a path", remedy="`server.py models` lists names."
        )


def or_fetch(kind: Kind) -> str:
    """What else there is of a kind, and how it comes here."""
    match offers(kind):
        case []:
            return ""
        case [name]:
            return f", or run `python server.py models fetch {name}` and choose that"
        case names:
            return f", or run `python server.py models fetch NAME` and choose that: {', '.join(names)}"


def trained(name: str, kind: Kind) -> str:
    """How a model of the starter family comes to be here, and what may take its place."""
    part = name.removeprefix(STARTER)
    target = "loras" if part.startswith("lora-") else part
    other = next((f" Or use another: `python server.py models fetch {one}`." for one in offers(kind)), "")
    return (
        "The starter family is trained, not fetched, in hours: run "
        f"`make -C models/starter {target}` and `make -C models/starter ship NAMES={part}`.{other}"
    )


def refusal(name: str) -> TesseraError:
    """Why weights with such an ending are not loaded, and what to do."""
    if name.lower().endswith(GGUF):
        remedy = f'Get it as {SAFE} or as a folder; load_model makes it small with dtype "float8".'
        return Unsupported(
            f"{name} is quantised in the manner of GGUF, which is not read here.", remedy=remedy
        )
    return unsafe(name)


def unsafe(name: str) -> UnsafeModel:
    ending = next((e for e in UNSAFE if name.lower().endswith(e)), "")
    plain = name[: len(name) - len(ending)].split("/")[-1]
    what, result = ("it", f"{plain}{SAFE}") if ending else ("its weights", "what that writes")
    return UnsafeModel(
        f"Model {name!r} is a pickle ({ending or 'not safetensors'}): loading it could run any code.",
        remedy=f"Run `python server.py models convert` on {what}, and use {result}.",
    )


def hub_cache() -> Path:
    """The local Hugging Face cache, where its own tools keep it."""
    if found := os.environ.get("HF_HUB_CACHE"):
        return Path(found).expanduser()
    home = os.environ.get("HF_HOME") or os.path.join(
        os.environ.get("XDG_CACHE_HOME", "~/.cache"), "huggingface"
    )
    return Path(home).expanduser() / "hub"


def latest(repo: Path) -> Path | None:
    """The snapshot that `main` names, or the newest."""
    try:
        named = repo / "snapshots" / (repo / "refs" / "main").read_text("ascii").strip()
        if named.parent == repo / "snapshots" and named.is_dir():
            return named
    except (OSError, UnicodeDecodeError):
        pass
    snapshots: Iterable[Path] = (repo / "snapshots").glob("*")
    return max(snapshots, key=lambda path: path.stat().st_mtime, default=None)
