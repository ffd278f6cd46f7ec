"""Model files: find, verify, describe."""

from __future__ import annotations

import difflib
import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from contextvars import ContextVar
from functools import cache
from pathlib import Path, PurePath
from typing import Literal, NamedTuple, get_args

import msgspec
from msgspec import Struct

from engine.config import ROOT, Settings
from engine.errors import BadInput, MissingModel, TesseraError, UnsafeModel
from engine.known import known, offers

Kind = Literal[
    "model", "denoiser", "lora", "controlnet", "vae", "upscale", "face", "detector", "background",
    "segmenter", "embedding", "ip_adapter", "vision", "preview", "depth", "pose", "caption", "safety",
    "finder", "clip", "language",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)
Layout = Literal["diffusers", "single_file"]

FOLDERS: dict[Kind, tuple[str, ...]] = {
    "model": ("checkpoints", "diffusers", "Stable-diffusion"),
    "denoiser": ("denoisers", "diffusion_models", "unet"),
    "lora": ("loras", "Lora"),
    "controlnet": ("controlnet", "ControlNet"),
    "vae": ("vae", "VAE"),
    "upscale": ("upscale", "upscale_models", "ESRGAN", "RealESRGAN"),
    "face": ("faces", "facerestore_models", "GFPGAN"),
    "detector": ("detectors", "facedetection"),
    "background": ("background", "rembg", "BiRefNet"),
    "segmenter": ("segmenters", "clipseg"),
    "embedding": ("embeddings",),
    "ip_adapter": ("ip_adapters", "ipadapter"),
    "vision": ("vision", "clip_vision"),
    "preview": ("previews", "vae_approx"),
    "depth": ("depth",),
    "pose": ("pose",),
    "caption": ("captions",),
    "finder": ("finders",),
    "clip": ("clip",),
    "language": ("language",),
    "safety": ("safety",),
}
"""Where each kind lies in a models folder: ours first, then as ComfyUI and Automatic1111 call it."""

SAFE = ".safetensors"
ONNX = ".onnx"
ENDINGS: dict[Kind, tuple[str, ...]] = {"detector": (ONNX, SAFE), "background": (ONNX,)}
"""Of the single files of a kind; safetensors where nothing is said."""
ALONE: dict[str, Kind] = {
    "upscaler.safetensors": "upscale",
    "face-restorer.safetensors": "face",
    "face-finder.onnx": "detector",
    "background.onnx": "background",
}
"""Files of the starter family that are a whole model."""
UNSAFE = (".ckpt", ".pt", ".pth", ".bin", ".pkl")
COUNTED = (SAFE, ".json", ".txt")
"""Files of a diffusers folder that make its content; pictures and readmes do not."""
HEADER_LIMIT = 100 * 1024**2
DEPTH = 4
"""Levels of sub-folders that are searched."""


WHOLE: tuple[Kind, ...] = ("depth", "pose", "finder", "segmenter", "caption", "clip", "language")
"""Kinds whose models are whole folders, as transformers saves them."""
ARCHITECTURES: tuple[tuple[str, Kind], ...] = (
    ("ForDepthEstimation$", "depth"),
    ("ForPoseEstimation$", "pose"),
    ("ForObjectDetection$", "finder"),
    ("For(Semantic|Universal|Instance|Image)?Segmentation$|^Sam\\w*Model$", "segmenter"),
    ("^(CLIP|Siglip\\d*)Model$", "clip"),
    ("^VisionEncoderDecoderModel$|^Blip\\w*ForConditionalGeneration$|^GitForCausalLM$", "caption"),
    ("LMHeadModel$|ForCausalLM$", "language"),
)
"""What the architecture that a transformers folder names is for; the first that fits counts."""
CLASSES: dict[str, Kind] = {"ControlNetModel": "controlnet", "AutoencoderTiny": "preview"}
"""What a diffusers folder of this class is for."""
SEES = "ForConditionalGeneration"
"""Ends the names of models that go on with a text: with a picture too, if they have a part for it."""


class ModelFile(Struct, frozen=True):
    """Weights on this machine: one file, or a folder in the diffusers layout."""

    name: str
    kind: Kind
    path: Path
    layout: Layout
    bytes: int
    source: str
    """Where it was found, in words without a path."""


class Tensor(Struct, frozen=True):
    """One entry of a safetensors header."""

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


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
        """The model of this name. Raises BadInput, UnsafeModel or MissingModel."""
        check_name(name)
        if name.lower().endswith(UNSAFE):
            raise unsafe(name)
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
        if pickle := next(self._pickles(kind, wanted), None):
            raise unsafe(wanted + pickle.suffix)
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
                yield ModelFile(f"{file.name}/{kind}", kind, path, "diffusers", size_of(path), file.source)

    def _starter(self, folder: Path, kind: Kind) -> Iterator[ModelFile]:
        """`starter/base` is `starter`; another folder of the family is `starter-NAME`."""
        if folder.is_dir():
            for path in sorted(folder.iterdir()):
                name = "starter" if path.name == "base" else f"starter-{path.name}"
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

    def _pickles(self, kind: Kind, name: str) -> Iterator[Path]:
        for folder in self.folders:
            for sub in FOLDERS[kind]:
                for ending in UNSAFE:
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
        elif name.count("/") == 1:
            to = "" if kind == "model" else f" --kind {kind}"
            remedy = f"Run `python server.py models fetch {name}{to}` if that is a repository.{have}"
        elif kind in WHOLE:
            offered = next((f" or run `python server.py models fetch {n}`" for n in offers(kind)), "")
            remedy = f"Put its whole folder into models/{FOLDERS[kind][0]}{offered}.{have}"
        else:
            ending = ENDINGS.get(kind, (SAFE,))[0]
            remedy = f"Put {plain}{ending} into models/{FOLDERS[kind][0]}.{have}"
        return MissingModel(f"There is no {kind} named {name!r} on this machine.", remedy=remedy)


class Remembered(NamedTuple):
    """What a file was like when its hash was taken."""

    bytes: int
    changed: int
    """Nanoseconds since 1970."""
    inode: int
    """Another file put in its place has another, whatever its time says."""
    sha256: str


class Memo:
    """File hashes, remembered by place, size, time of change and inode, so that big files are read once."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._lock = threading.Lock()
        self._known: dict[str, Remembered] | None = None

    def sha256(self, path: Path) -> str:
        stat = path.stat()
        now = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
        place = str(path.resolve())
        with self._lock:
            then = self._read().get(place)
        if then is not None and then[:3] == now:
            return then.sha256
        with path.open("rb") as stream:
            found = hashlib.file_digest(stream, "sha256").hexdigest()
        with self._lock:
            self._read()[place] = Remembered(*now, found)
            self._write()
        return found

    def _read(self) -> dict[str, Remembered]:
        if self._known is None:
            try:
                self._known = msgspec.json.decode(
                    self._file.read_bytes() if self._file else b"{}", type=dict[str, Remembered]
                )
            except (OSError, msgspec.DecodeError):  # a lost memo costs a second reading, nothing else
                self._known = {}
        return self._known

    def _write(self) -> None:
        if self._file is None:
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            draft = self._file.with_suffix(f".{os.getpid()}.tmp")
            draft.write_bytes(msgspec.json.encode(self._known))
            draft.replace(self._file)
        except OSError:  # a full or read-only disk: the hash is still right
            return


current: ContextVar[Models | None] = ContextVar("models", default=None)
"""The models of the engine that runs this node."""


def models() -> Models:
    """The models of the engine that runs here; outside one, those of the settings."""
    return current.get() or default_models()


@cache
def default_models() -> Models:
    return Models([ROOT / "models"])


def content_of(kind: Kind, input: str = "model") -> Callable[..., str]:
    """A fingerprint for nodes: what the file behind a name holds. The same under another name is the same."""

    def content(**inputs: object) -> str:
        here = models()
        return here.sha256(here.find(str(inputs[input]), kind))

    return content


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


def stem(name: str, kind: Kind) -> str:
    """The name without the ending of a file."""
    found = next((e for e in ENDINGS.get(kind, (SAFE,)) if name.lower().endswith(e)), "")
    return name[: len(name) - len(found)]


def unsafe(name: str) -> UnsafeModel:
    ending = next((e for e in UNSAFE if name.lower().endswith(e)), "")
    plain = name[: len(name) - len(ending)].split("/")[-1]
    what, result = ("it", f"{plain}{SAFE}") if ending else ("its weights", "what that writes")
    return UnsafeModel(
        f"Model {name!r} is a pickle ({ending or 'not safetensors'}): loading it could run any code.",
        remedy=f"Run `python server.py models convert` on {what}, and use {result}.",
    )


def header(path: Path) -> dict[str, Tensor]:
    """Names, types and shapes of the tensors in a safetensors file; its weights are not read."""
    with path.open("rb") as stream:
        start = stream.read(8)
        size = int.from_bytes(start, "little")
        try:
            if size > min(HEADER_LIMIT, path.stat().st_size - 8):
                raise ValueError("no header")
            return header_in(start + stream.read(size))
        except ValueError:
            text = f"{path.name} is not a safetensors file."
            raise UnsafeModel(text, remedy="Get the file again.") from None


def header_in(start: bytes) -> dict[str, Tensor]:
    """The same from how a file begins. Raises ValueError if that is no header."""
    size = int.from_bytes(start[:8], "little")
    if len(start) < 8 + size or not size:
        raise ValueError("no header")
    found = msgspec.json.decode(start[8 : 8 + size], type=dict[str, msgspec.Raw])
    found.pop("__metadata__", None)
    return {name: msgspec.json.decode(entry, type=Tensor) for name, entry in found.items()}


def weights_of(folder: Path) -> list[Path]:
    """The safetensors files of one part of a model, without a second precision of the same weights."""
    files = sorted(folder.glob(f"*{SAFE}"))
    plain = [file for file in files if not variant(file)]
    return plain or files


def variant(file: PurePath) -> str:
    """`fp16` of `model.fp16.safetensors` and `model.fp16-00001-of-00002.safetensors`."""
    found = re.search(r"\.(fp16|bf16|non_ema|fp16-\d+-of-\d+)\.safetensors$", file.name)
    return found.group(1).split("-")[0] if found else ""


def counted(folder: Path) -> list[tuple[str, Path]]:
    """The files that make a folder's content, by relative name."""
    files = [path for path in folder.rglob("*") if path.suffix.lower() in COUNTED and path.is_file()]
    return sorted((path.relative_to(folder).as_posix(), path) for path in files)


def size_of(folder: Path) -> int:
    return sum(path.stat().st_size for _, path in counted(folder))


def is_diffusers(path: Path) -> bool:
    return any((path / name).is_file() for name in ("model_index.json", "config.json", "unet/config.json"))


class About(Struct, rename={"class_name": "_class_name"}):
    """What the `config.json` of a folder says it holds."""

    class_name: str = ""
    architectures: list[str] | None = None
    vision_config: dict[str, msgspec.Raw] | None = None


def kind_of(folder: Path) -> Kind | None:
    """What a folder of diffusers or transformers holds, by its own account."""
    if (folder / "model_index.json").is_file():
        return "model"
    if (folder / "unet" / "config.json").is_file():
        return "denoiser"
    if (folder / "pytorch_lora_weights.safetensors").is_file():
        return "lora"
    try:
        about = msgspec.json.decode((folder / "config.json").read_bytes(), type=About)
    except (OSError, msgspec.MsgspecError):
        return None
    if (kind := CLASSES.get(about.class_name)) is not None:
        return kind
    name = (about.architectures or [""])[0]
    if name.endswith(SEES) and about.vision_config is not None:
        return "caption"
    return next((kind for pattern, kind in ARCHITECTURES if re.search(pattern, name)), None)


def has_weights(folder: Path) -> bool:
    return any(path.suffix.lower() == SAFE for _, path in counted(folder))


def walk(top: Path, depth: int = DEPTH) -> Iterator[Path]:
    """Files and diffusers folders below, in order of name; what is hidden is left out."""
    if not top.is_dir() or depth < 0:
        return
    for path in sorted(top.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_file() or is_diffusers(path):
            yield path
        elif path.is_dir():
            yield from walk(path, depth - 1)


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
