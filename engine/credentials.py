"""Content credentials (C2PA): saved files say, signed, that they were generated, and from which files."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Literal, NamedTuple

from msgspec import Struct, field

from engine import artifacts
from engine.certificates import Certificate, certificate, pem_of, unfit
from engine.config import Settings
from engine.errors import Damaged, NotFound, TesseraError
from engine.types import Artifact

AGENT = {"name": "Tessera", "version": "0.1.0"}
SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/"
DRAWN = "trainedAlgorithmicMedia"
"""Drawn by a trained model; the words are IPTC's."""
DRAWN_FROM = "compositeWithTrainedAlgorithmicMedia"
"""Drawn by a trained model, with pictures that were given to it."""
PAINTED = "algorithmicMedia"
"""Made by an algorithm that nobody trained."""
MOST_INGREDIENTS = 32
OFFLINE: dict[str, Any] = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
    "builder": {"thumbnail": {"enabled": False}},  # a small copy of what went in is nobody's business
}
SIGNED = frozenset(
    (
        "image/png",
        "image/jpeg",
        "image/webp",
        "image/avif",
        "image/tiff",
        "image/gif",
        "video/mp4",
        "video/quicktime",
    )
)
"""Types of files that can hold credentials, of those that nodes save."""
DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c4944415478da63606060000000040001c8eaebf90000000049454e44ae426082"
)
"""The smallest picture."""
UNTRUSTED = "signingCredential.untrusted"
State = Literal["none", "invalid", "untrusted", "trusted"]


class Unsigned(TesseraError):
    """The file could not be signed."""

    code = "cannot_sign"


class Source(NamedTuple):
    """A file that went into another."""

    data: bytes
    mime: str
    name: str


class Origin(Struct, frozen=True):
    """How a file came to be, as far as its credentials say it."""

    drawn: bool
    """By a trained model."""
    sources: tuple[Source, ...] = ()


class Told(Struct, omit_defaults=True):
    """What the credentials of a file say, and whether they hold."""

    state: State
    sentence: str
    signer: str = ""
    made_with: str = ""
    generated: bool = False
    """By a trained model, wholly or in part, or made from something that was."""
    ingredients: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """The codes of what does not hold, as the standard has them."""
    manifests: dict[str, Any] = field(default_factory=dict)
    """Everything, as the library reads it."""


class Credentials:
    """The certificate of this installation, and the signers it trusts."""

    def __init__(self, own: Certificate | None = None, trusted: str = "") -> None:
        self.own = own
        self.trusted = trusted

    @classmethod
    def of(cls, config: Settings) -> Credentials:
        """As configured; Invalid, in one sentence, if a certificate is unreadable or not fit for it."""
        return cls(certificate(config), trusted_in(config))

    def signed(self, data: bytes, mime: str, title: str, origin: Origin) -> bytes:
        """The file with credentials; as it is if no certificate is configured, or its type holds none."""
        if self.own is None or mime not in SIGNED:
            return data
        import c2pa

        own, out = self.own, io.BytesIO()
        sources = [source for source in origin.sources if source.mime in SIGNED][:MOST_INGREDIENTS]
        info = c2pa.C2paSignerInfo(own.algorithm.encode(), own.chain, own.key, None)
        try:
            with (
                c2pa.Context(c2pa.Settings.from_dict(OFFLINE)) as context,
                c2pa.Builder(manifest(title, origin.drawn, sources), context) as builder,
                c2pa.Signer.from_info(info) as signer,
            ):
                for number, source in enumerate(sources):
                    told = ingredient(number, source.name, origin.drawn)
                    builder.add_ingredient(told, source.mime, io.BytesIO(source.data))
                builder.sign(signer, mime, io.BytesIO(data), out)
        except c2pa.C2paError as error:
            raise Unsigned(f"The file could not be signed: {error}.", remedy="See docs/trust.md.") from None
        return out.getvalue()

    def prove(self) -> None:
        """Sign something and read it, or raise Invalid: whatever is wrong with a certificate shows here."""
        if self.own is None:
            return
        try:
            signed = self.signed(DOT, "image/png", "dot", Origin(drawn=False))
        except Unsigned as error:
            raise unfit("certificate", str(error), "one that may sign content credentials") from None
        if faults := self.told(signed, "image/png").faults:
            raise unfit("certificate", ", ".join(faults), "one that may sign content credentials")

    def told(self, data: bytes, mime: str) -> Told:
        """What the credentials of a file say, checked by the library's own reader; nothing is fetched."""
        import c2pa

        trust = {"trust": {"trust_anchors": self.trusted}} if self.trusted else {}
        nothing = Told("none", "The file has no content credentials.")
        try:
            with c2pa.Context(c2pa.Settings.from_dict(OFFLINE | trust)) as context:
                reader = c2pa.Reader.try_create(mime, io.BytesIO(data), context=context)
                if reader is None:
                    return nothing
                with reader:
                    found: dict[str, Any] = json.loads(reader.json())
        except c2pa.C2paError.NotSupported:
            return nothing
        except c2pa.C2paError as error:
            return Told("invalid", f"The content credentials cannot be read: {error}.", faults=["unreadable"])
        return read(found)


current: ContextVar[Credentials | None] = ContextVar("credentials", default=None)


def here() -> Credentials:
    """Those of the run around us; outside an engine none."""
    return current.get() or Credentials()


def sign(data: bytes, mime: str, title: str) -> bytes:
    """A file that a node is about to keep, signed with how it came to be, if a certificate is configured."""
    if here().own is None:
        return data
    return here().signed(data, mime, title, origin_of(json.loads(artifacts.voucher.get()() or "{}")))


def origin_of(receipt: dict[str, Any]) -> Origin:
    """How a file comes to be, from its receipt."""
    found: list[Source] = []
    for parent in receipt.get("parents", []):
        with suppress(NotFound, Damaged):  # deleted since
            data = artifacts.read(Artifact(parent["sha256"], parent["mime"], 0))
            found.append(Source(data, parent["mime"], parent.get("name", "")))
    return Origin(bool(receipt.get("sampling")), tuple(found))


# -- what a manifest says


def manifest(title: str, drawn: bool, sources: Sequence[Source]) -> dict[str, Any]:
    return {
        "claim_generator_info": [AGENT],
        "title": title,
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions(drawn, len(sources))}}],
    }


def actions(drawn: bool, sources: int) -> list[dict[str, Any]]:
    """What was done, in the words of the standard."""
    names = [label(number) for number in range(sources)]
    if drawn or not names:
        kind = (DRAWN_FROM if names else DRAWN) if drawn else PAINTED
        created = {"action": "c2pa.created", "digitalSourceType": SOURCE + kind, "softwareAgent": AGENT}
        return [created | ({"parameters": {"ingredientIds": names}} if names else {})]
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": names[:1]}}
    placed = [{"action": "c2pa.placed", "parameters": {"ingredientIds": [name]}} for name in names[1:]]
    return [opened, *placed, {"action": "c2pa.edited", "softwareAgent": AGENT}]


def ingredient(number: int, name: str, drawn: bool) -> dict[str, str]:
    """A file that went in: as what a model was shown, what was worked on, or what was added."""
    part = "inputTo" if drawn else "componentOf" if number else "parentOf"
    return {"title": name or f"file {number + 1}", "relationship": part, "label": label(number)}


def label(number: int) -> str:
    return f"source_{number + 1}"


# -- what is read


def read(found: dict[str, Any]) -> Told:
    """The library's report, in short and as a sentence."""
    active = found["manifests"][found["active_manifest"]]
    results = found.get("validation_results", {}).get("activeManifest", {})
    faults = [fault["code"] for fault in results.get("failure", []) if fault["code"] != UNTRUSTED]
    known = any(one["code"] == "signingCredential.trusted" for one in results.get("success", []))
    state: State = "invalid" if faults else "trusted" if known else "untrusted"
    signature = active.get("signature_info", {})
    agents = [
        info.get("name", "") + (f" {v}" if (v := info.get("version")) else "") for info in agents_of(active)
    ]
    generated = any(
        DRAWN.lower() in kind.lower() for one in found["manifests"].values() for kind in kinds(one)
    )
    told = Told(
        state,
        "",
        signer=signature.get("common_name") or signature.get("issuer") or "nobody named",
        made_with=", ".join(filter(None, agents)),
        generated=generated,
        ingredients=[str(one.get("title", "")) for one in active.get("ingredients", [])],
        faults=faults,
        manifests=found,
    )
    told.sentence = sentence(told)
    return told


def agents_of(one: dict[str, Any]) -> list[dict[str, str]]:
    return [info for info in one.get("claim_generator_info", []) if isinstance(info, dict)]


def kinds(one: dict[str, Any]) -> list[str]:
    """The kinds of source that a manifest's actions name."""
    data = [a["data"] for a in one.get("assertions", []) if a.get("label", "").startswith("c2pa.actions")]
    done = [action for part in data for action in part.get("actions", [])]
    return [str(action["digitalSourceType"]) for action in done if "digitalSourceType" in action]


def sentence(told: Told) -> str:
    if told.state == "invalid":
        said = f"Not to be believed: the file or its credentials were changed ({', '.join(told.faults)})."
    elif told.state == "untrusted":
        said = (
            f"Signed by {told.signer}, an untrusted signer: nobody that is known here vouches for the name."
        )
    else:
        said = f"Signed by {told.signer}, a trusted signer."
    if told.state != "invalid":
        said += " Unchanged since."
    said += f" Made with {told.made_with}." if told.made_with else ""
    said += " Generated by AI." if told.generated else ""
    return said + (f" Made from {', '.join(told.ingredients)}." if told.ingredients else "")


def trusted_in(config: Settings) -> str:
    return (
        "" if config.trusted_signers is None else pem_of(config.trusted_signers, "trusted_signers").decode()
    )
