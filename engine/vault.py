"""Secrets by name: a value goes to the node that was given the name, and comes back out nowhere."""

from __future__ import annotations

import base64
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO
from urllib.parse import quote

from msgspec.structs import replace

from engine.config import PREFIX, Settings, settings
from engine.errors import BadInput, Invalid, NodeFailed, Problem
from engine.ports import SECRET_NAME
from engine.types import Secret

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer

VARIABLE = PREFIX + "SECRET_"
"""What a variable of the environment that holds a secret begins with, before the secret's name."""
KNOWN = ("OPENAI_API_KEY",)
"""Variables that hold a secret under the name that everybody uses."""
OWN = PREFIX + "TOKEN"
SHORTEST = 8
"""Characters: what is shorter cannot be told from ordinary text, and so not be kept out of it."""
LARGEST = 64 * 1024


class Vault:
    """The secrets of one installation."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = dict(values)
        self._forms = {form: name for name, value in values.items() for form in forms(value)}
        longest_first = sorted(self._forms, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    @classmethod
    def of(cls, config: Settings) -> Vault:
        """What the environment and the configured file or folder hold; Invalid if that cannot be used."""
        found = {} if config.secrets is None else in_file(config.secrets)
        for name, value in os.environ.items():
            if name.startswith(VARIABLE) and value:
                found[name.removeprefix(VARIABLE)] = value
            elif (
                name in KNOWN and len(value) >= SHORTEST
            ):  # others use these names too, for stand-ins as well
                found[name] = value
        if problems := [wrong for name in sorted(found) if (wrong := unfit(name, found[name]))]:
            raise Invalid(problems)
        return cls(found)

    def names(self) -> list[str]:
        """What there is, without the values."""
        return sorted(self._values)

    def value(self, name: str) -> str:
        """What a node may know; BadInput if there is no secret of this name."""
        if name not in self._values:
            known = ", ".join(self.names()) or "none"
            remedy = f"Set {VARIABLE}{name} where Tessera is started, or put it into the file of secrets."
            raise BadInput("key", got=f"no secret {name}", want=f"one of those set: {known}", remedy=remedy)
        return self._values[name]

    def scrub(self, text: str) -> str:
        """The text with the name in the place of every value, also as a URL, JSON or base64 has it."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: f"[secret {self._forms[match[0]]}]", text)

    def clean(self, problem: Problem) -> Problem:
        """A problem that tells no value."""
        if self._pattern is None:
            return problem
        told = {name: getattr(problem, name) for name in problem.__struct_fields__}
        changed = {name: new for name, old in told.items() if (new := self.scrub(old)) != old}
        return replace(problem, **changed) if changed else problem

    def found_in(self, data: bytes) -> str:
        """The name of a secret whose value is in these bytes, or nothing."""
        return next((name for form, name in self._forms.items() if form.encode() in data), "")

    def refuse(self, data: bytes, who: str) -> None:
        """Raise NodeFailed if somebody would let a value out with these bytes."""
        if name := self.found_in(data):
            remedy = "This is an error in the node; tell its author."
            raise NodeFailed(f"{who} would give out the secret {name}, so it was stopped.", remedy=remedy)

    def refuse_request(self, data: bytes) -> None:
        """Raise Invalid if somebody wrote the value where its name belongs."""
        if name := self.found_in(data):
            want = f"its name, {name}, at an input of type Secret"
            remedy = "Take it out: what is sent is kept. If others have seen it, change it."
            raise Invalid([Problem("holds_a_secret", got="the value of a secret", want=want, remedy=remedy)])


EMPTY = Vault({})
current: ContextVar[Vault | None] = ContextVar("vault", default=None)


revealed: ContextVar[set[str] | None] = ContextVar("revealed", default=None)
"""The names of the secrets that the call around us was told."""


def reveal(secret: Secret) -> str:
    """The value behind the name: for a header of a request, never for a result, a message or a file."""
    if (told := revealed.get()) is not None:
        told.add(secret.name)
    return here().value(secret.name)


def here() -> Vault:
    """The secrets of the run around us; outside an engine those of the environment."""
    return current.get() or Vault.of(settings())


def forms(value: str) -> list[str]:
    """How a value may stand in a text."""
    quoted = [json.dumps(value), json.dumps(value, ensure_ascii=False), repr(value)]
    whole = base64.b64encode(value.encode()).decode()
    return [value, *{quote(value, safe=""), whole, *(form[1:-1] for form in quoted)} - {value}]


def in_file(path: Path) -> dict[str, str]:
    """`NAME=value` in every line of a file, or a folder that has a file for each name."""
    try:
        if path.is_dir():
            files = [file for file in path.iterdir() if SECRET_NAME.fullmatch(file.name) and file.is_file()]
            return {file.name: text_of(file).strip() for file in files}
        lines = [line.strip() for line in text_of(path).splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        remedy = "Name a file with NAME=value in every line, or a folder with a file for each name."
        raise Invalid(
            [Problem("bad_setting", input="secrets", got=f"{path.name}: {why}", remedy=remedy)]
        ) from None
    pairs = [line.partition("=") for line in lines if line and not line.startswith("#")]
    return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}


def text_of(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(LARGEST).decode("utf-8")


def unfit(name: str, value: str) -> Problem | None:
    """Why this cannot be a secret, if it cannot. Its value is in no error."""
    if not SECRET_NAME.fullmatch(name):
        got, want = "a name of other characters", "capitals, digits and _, at most 64, from a capital on"
        return Problem("bad_setting", input="secrets", got=got, want=want)
    if len(value) < SHORTEST:
        want = f"at least {SHORTEST} characters"
        return Problem("bad_setting", input=name, got=f"a secret of {len(value)}", want=want)
    return None


# -- what a process does, so that nothing around it knows


def harmless() -> dict[str, str]:
    """The environment without secrets, for a process that needs none."""
    return {name: value for name, value in os.environ.items() if not confidential(name)}


def leave_environment() -> None:
    """Take the secrets out of the environment, where every node and every program it starts may look."""
    for name in [name for name in os.environ if confidential(name)]:
        del os.environ[name]


def confidential(name: str) -> bool:
    return name.startswith(VARIABLE) or name in KNOWN or name == OWN


def leave_no_core() -> None:
    """When this process crashes, its memory goes into no file."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


@contextmanager
def veiled(vault: Vault) -> Iterator[None]:
    """Within this, what is printed and logged has names in the place of values."""
    before = sys.stdout, sys.stderr
    if vault.names():
        sys.stdout, sys.stderr = (Veil(stream, vault.scrub) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class Veil(io.TextIOBase):
    """A stream that scrubs what is written to it."""

    def __init__(self, under: TextIO, scrub: Callable[[str], str]) -> None:
        self._under = under
        self._scrub = scrub

    def write(self, text: str) -> int:
        self._under.write(self._scrub(text))
        return len(text)

    def flush(self) -> None:
        self._under.flush()

    def fileno(self) -> int:
        return self._under.fileno()

    def isatty(self) -> bool:
        return self._under.isatty()

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a property there too, which the stubs do not say
        return self._under.encoding

    @property
    def buffer(self) -> io.RawIOBase:
        """The bytes beneath, scrubbed too; not buffered, which might part a value."""
        return VeiledBytes(self._under.buffer, self._scrub)


class VeiledBytes(io.RawIOBase):
    """The same for bytes."""

    def __init__(self, under: BinaryIO, scrub: Callable[[str], str]) -> None:
        self._under = under
        self._scrub = scrub

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        whole = bytes(data)
        said = self._scrub(whole.decode("utf-8", "surrogateescape"))
        self._under.write(said.encode("utf-8", "surrogateescape"))
        self._under.flush()
        return len(whole)
