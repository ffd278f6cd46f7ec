"""Content credentials: what a file says, signed, about where it comes from."""

from __future__ import annotations

import time
from typing import Literal, NamedTuple

import msgspec

from engine import artifacts, credentials
from engine.digest import digest
from engine.node import node
from engine.types import Artifact, Json


class Credentials(NamedTuple):
    state: Literal["none", "invalid", "untrusted", "trusted"]
    sentence: str
    signer: str
    generated: bool
    ingredients: list[str]
    manifests: Json


def as_of() -> str:
    """Whom we trust, and the day: a certificate ends some time."""
    return f"{time.strftime('%Y-%m-%d')} {digest(credentials.here().trusted).hex()}"


@node(category="files", kind="source", fingerprint=lambda file: as_of())
def read_credentials(file: Artifact) -> Credentials:
    """Read and check the content credentials (C2PA) of a picture or clip.

    `state` is "none" for a file without any, "invalid" if the file or they were changed since, "untrusted" if
    they hold but nobody known here vouches for the signer, and "trusted" if somebody does (the setting
    `trusted_signers`). `sentence` says it in words; `generated`, whether a trained model made the file or
    something that went into it; `ingredients` are the files that went in, and `manifests` is everything.

    What is saved carries credentials where the server has a certificate, and those of uploads go along.
    """
    told = credentials.here().told(artifacts.read(file), file.mime)
    plain = msgspec.to_builtins(told.manifests)
    return Credentials(told.state, told.sentence, told.signer, told.generated, told.ingredients, plain)
