"""What a source offers: files, sizes, sums and licence, before a model is fetched."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable
from urllib.parse import quote, unquote, urlsplit

import msgspec
from msgspec import Struct

from engine.errors import BadInput, NotFound, SourceFailed, shown
from engine.hub import (
    REPOSITORY,
    Sibling,
    acceptable,
    folder,
    hub_file,
    is_pickle,
    partition_repository,
    repository,
    safe_name,
    stays,
    usable,
)
from engine.kinds import ENDINGS, FOLDERS
from engine.known import ALSO, KNOWN, Known, known
from engine.models import Layout
from engine.remote import Remote
from engine.remote import shown as address
from engine.weights import HEADER_LIMIT, ONNX, SAFE, UNSAFE, Kind, header_in


class Asked(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A model that somebody wants here."""

    what: str
    """A short name, a repository of the hub, a file in one, or an https address."""
    kind: Kind | None = None
    """What it is, where it does not say so itself."""
    name: str = ""
    """How it is to be called here; its own name if left out."""
    sha256: str = ""
    """What the content of a single file must be."""
    variant: str = ""
    """Another precision of the same weights, such as `fp16`."""


class Piece(Struct, frozen=True):
    """One file of a model, as its source announces it."""

    path: str
    """Its place within the model."""
    url: str
    bytes: int
    check: str = ""
    """How its content is known: sha256:…, git:… or md5:…; empty if the source does not say."""
    etag: str = ""


class Offer(Struct, frozen=True):
    """A model that can be fetched."""

    name: str
    kind: Kind
    layout: Layout
    source: str
    revision: str
    licence: str
    pieces: tuple[Piece, ...]
    gated: bool = False
    """Given only to those who accepted its licence with an account."""

    @property
    def bytes(self) -> int:
        return sum(piece.bytes for piece in self.pieces)

    @property
    def place(self) -> str:
        """Where in a models folder it will lie."""
        if self.layout == "diffusers":
            return f"{'diffusers' if self.kind == 'model' else FOLDERS[self.kind][0]}/{self.name}"
        return f"{FOLDERS[self.kind][0]}/{self.name}{safe_name(self.pieces[0].path)[1]}"

    @property
    def pickled(self) -> bool:
        """Whether some of it is converted after it came."""
        return any(is_pickle(piece.path) for piece in self.pieces)


def offer(asked: Asked, remote: Remote) -> Offer:
    """Ask the source. Raises BadInput for what is no model's name, and whatever the source answers."""
    what = asked.what.strip()
    if asked.sha256 and not re.fullmatch(r"[0-9a-fA-F]{64}", asked.sha256):
        raise BadInput("sha256", got=asked.sha256, want="64 hexadecimal digits")
    if "://" in what:
        in_hub = hub_file(what, remote.hub)
        return of_hub(asked, remote, *in_hub) if in_hub else of_address(asked, remote, what)
    if (found := known(what)) is not None:
        return of_known(asked, remote, found)
    repo, _, path = partition_repository(what)
    if not REPOSITORY.fullmatch(repo) or ".." in repo:
        raise unknown(what)
    return of_hub(asked, remote, repo, path)


def unknown(what: str) -> BadInput:
    near = difflib.get_close_matches(what, [*KNOWN, *ALSO], 3, 0.5)
    return BadInput(
        "what",
        got=what,
        want="a short name, a repository such as org/name, or an https address",
        remedy=f"Did you mean {', '.join(near)}?" if near else f"Short names: {', '.join(KNOWN)}.",
    )


def of_known(asked: Asked, remote: Remote, found: Known) -> Offer:
    """One of the short names: it will be found here under the name by which it was asked for."""
    name = asked.name or asked.what.strip().removesuffix(SAFE)
    asked = msgspec.structs.replace(asked, name=name, kind=asked.kind or found.kind)
    if found.hub:
        offered = of_hub(asked, remote, found.hub, found.file)
    else:
        offered = of_address(asked, remote, found.url, found.check)
    return msgspec.structs.replace(offered, licence=offered.licence or found.licence)


# -- the hub


def of_hub(asked: Asked, remote: Remote, repo: str, path: str = "") -> Offer:
    """A repository, a folder of it, or one file."""
    about = repository(remote, repo)
    files = {file.path: file for file in about.siblings if acceptable(file.path)}
    if path and path in files:
        chosen = {path.rpartition("/")[2]: files[path]}
    elif path and not path.endswith("/"):
        raise NotFound(f"{repo} has no file {shown(path)} that can be used.", remedy=usable(files))
    else:
        inside = {name[len(path) :]: file for name, file in files.items() if name.startswith(path)}
        chosen, folder_kind = folder(
            inside,
            f"{remote.hub}/{repo}/resolve/{about.revision}/{quote(path)}",
            remote,
            asked.kind,
            asked.variant,
        )
        if folder_kind is not None:
            pieces = tuple(piece_of(remote, repo, about.revision, *item) for item in chosen.items())
            return checked(
                Offer(
                    asked.name or repo + (f"/{path.strip('/')}" if path else ""),
                    asked.kind or folder_kind,
                    "diffusers",
                    f"{remote.hub}/{repo}",
                    about.revision,
                    about.licence,
                    pieces,
                    bool(about.gated),
                ),
                asked,
            )
    [(name, file)] = chosen.items()
    piece = piece_of(remote, repo, about.revision, name, file)
    stem, ending = safe_name(name)
    return checked(
        Offer(
            asked.name or stem,
            asked.kind or kind_there(remote, piece.url, ending),
            "single_file",
            f"{remote.hub}/{repo}/{file.path}",
            about.revision,
            about.licence,
            (piece,),
            bool(about.gated),
        ),
        asked,
    )


def piece_of(remote: Remote, repo: str, revision: str, name: str, file: Sibling) -> Piece:
    size = file.lfs.size if file.lfs else file.size
    if size is None or size < 0:
        raise SourceFailed(f"{address(remote.hub)} does not say how large {file.path} is.")
    check = f"sha256:{file.lfs.sha256}" if file.lfs else f"git:{file.blob}" if file.blob else ""
    return Piece(name, f"{remote.hub}/{repo}/resolve/{revision}/{quote(file.path)}", size, check)


# -- any address


def of_address(asked: Asked, remote: Remote, url: str, check: str = "") -> Offer:
    """One file at an https address."""
    with remote.open(url) as answer:
        name = unquote(urlsplit(url).path).rpartition("/")[2]
        if not safe_name(name)[1]:
            name = attached(answer.headers.get("Content-Disposition", ""))
        size, etag = answer.total, answer.headers.get("ETag", "")
    stem, ending = safe_name(name)
    if ending.lower() not in (SAFE, ONNX, *UNSAFE):
        raise BadInput(
            "what", got=address(url), want="the address of a .safetensors, .onnx or .pth file",
            remedy="Use the address of the file itself, not of a page about it.",
        )  # fmt: skip
    if size is None:
        raise SourceFailed(f"{address(url)} does not say how large the file is.")
    if asked.sha256:
        check = f"sha256:{asked.sha256.lower()}"
    kind = asked.kind or kind_there(remote, url, ending)
    piece = Piece(name, url, size, check, etag)
    return checked(
        Offer(asked.name or stem, kind, "single_file", address(url), "", "", (piece,)),
        asked,
    )


def attached(disposition: str) -> str:
    """The file name that a server proposes."""
    found = re.search(r'filename="?([^";]+)"?', disposition)
    return found[1].replace("\\", "/").rpartition("/")[2] if found else ""


def kind_there(remote: Remote, url: str, ending: str) -> Kind:
    """What a file is by the names of its tensors, which stand at its beginning."""
    names: Collection[str] = ()
    if ending.lower() == SAFE:
        with remote.open(url) as answer:
            try:
                names = header_names(answer.chunks)
            except ValueError:
                raise SourceFailed(f"{address(url)} is no safetensors file.") from None
    found: Kind | None = "background" if ending.lower() == ONNX else kind_of_tensors(names)
    if found is None:
        raise BadInput("kind", want=f"one of: {', '.join(FOLDERS)}", remedy="Say what it is: --kind KIND.")
    return found


def header_names(chunks: Iterable[bytes]) -> Collection[str]:
    data = bytearray()
    for chunk in chunks:
        data += chunk
        size = int.from_bytes(data[:8], "little")
        if len(data) >= 8 and (len(data) >= 8 + size or size > HEADER_LIMIT):
            break
    return header_in(bytes(data))


SIGNS: tuple[tuple[str, Kind], ...] = (
    (r"lora_(up|down|[AB])\b|[._]lora[._]", "lora"),
    (r"^(control_model\.|input_hint_block\.|controlnet_cond_embedding\.)", "controlnet"),
    (r"^(model\.diffusion_model\.|cond_stage_model\.|conditioner\.)", "model"),
    (r"^(first_stage_model\.)?decoder\.conv_in\.", "vae"),
    (r"^(emb_params|clip_[lg]|string_to_param.*|<[^>]+>)$", "embedding"),
    (r"^(image_proj|ip_adapter)\.", "ip_adapter"),
    (r"^(conv_first|body\.0)\.", "upscale"),
    (r"^(stylegan_decoder|toRGB)\.", "face"),
    (r"^lin\d\.model\.1\.", "lpips"),
)
"""Tensors by which a file is known, the more telling first."""


def kind_of_tensors(names: Collection[str]) -> Kind | None:
    return next((kind for sign, kind in SIGNS if any(re.search(sign, name) for name in names)), None)


# -- what is wrong with it


def checked(offered: Offer, asked: Asked) -> Offer:
    """The offer, if it can become a model of that name and kind here."""
    if len(offered.name) > 120 or not stays(offered.name):
        raise BadInput(
            "name", got=offered.name, want="letters, digits, spaces and . _ -", remedy="Name it: --name NAME."
        )
    if not any(safe_name(piece.path)[1].lower() in (SAFE, ONNX, *UNSAFE) for piece in offered.pieces):
        raise NotFound(f"{offered.source} has no weights that can be used.")
    if offered.layout == "single_file":
        ending = safe_name(offered.pieces[0].path)[1].lower()
        wanted = ENDINGS.get(offered.kind, (SAFE,))
        if ending not in wanted and not (is_pickle(ending) and SAFE in wanted):
            raise BadInput(
                "kind", got=f"{offered.kind} for a {ending} file", want=f"a kind that is a {ending} file"
            )
        if asked.sha256:
            [piece] = offered.pieces
            piece = msgspec.structs.replace(piece, check=f"sha256:{asked.sha256.lower()}")
            return msgspec.structs.replace(offered, pieces=(piece,))
    elif asked.sha256:
        raise BadInput("sha256", got="a folder", want="a single file", remedy="Leave it out.")
    return offered
