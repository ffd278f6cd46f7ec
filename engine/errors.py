"""Every error the engine raises, with its remedy and its HTTP meaning."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct


class Problem(Struct, frozen=True, omit_defaults=True):
    """One thing that is wrong with a request: where, what was found, what was wanted, what to do."""

    code: str
    step: str = ""
    input: str = ""
    got: str = ""
    want: str = ""
    remedy: str = ""

    def sentence(self) -> str:
        """The problem as one line for a person."""
        place = ".".join(part for part in (self.step, self.input) if part)
        if self.got.endswith(".") and not self.want:  # an error's whole message
            text = self.got.removesuffix(".")
        else:
            text = self.code.replace("_", " ")
            text += f", got {self.got}" if self.got else ""
            text += f", want {self.want}" if self.want else ""
        return " ".join(part for part in (f"{place}:" if place else "", f"{text}.", self.remedy) if part)


class TesseraError(Exception):
    """Something went wrong that we can explain."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "error"

    def __init__(self, message: str = "", *, remedy: str = "", problems: tuple[Problem, ...] = ()) -> None:
        super().__init__(message or type(self).__doc__ or "")
        self.remedy = remedy
        self.problems = problems or (Problem(self.code, got=message, remedy=remedy),)

    def __str__(self) -> str:
        return f"{self.args[0]} {self.remedy}".strip()


class BadDeclaration(TesseraError, TypeError):
    """A node is declared wrongly. Raised at import, never while running."""

    code = "bad_declaration"


class Invalid(TesseraError):
    """The workflow or request has problems."""

    status = 422
    code = "invalid"

    def __init__(self, problems: tuple[Problem, ...] | list[Problem]) -> None:
        super().__init__("; ".join(p.sentence() for p in problems[:5]), problems=tuple(problems))


class BadInput(TesseraError):
    """A node refuses a value it was given."""

    status = 422
    code = "bad_input"

    def __init__(self, place: str, *, got: object = "", want: str = "", remedy: str = "") -> None:
        step, _, name = place.rpartition(".")
        problem = Problem("bad_input", step=step, input=name, got=shown(got), want=want, remedy=remedy)
        super().__init__(problem.sentence(), problems=(problem,))


class NotFound(TesseraError):
    """There is no such thing here."""

    status = 404
    code = "not_found"


class Conflict(TesseraError):
    """The thing has changed, or is in a state that does not allow this."""

    status = 409
    code = "conflict"


class Stale(Conflict):
    """Somebody saved a newer version in the meantime."""

    status = 412
    code = "stale"


class TooLarge(TesseraError):
    """The upload or document is larger than the configured limit."""

    status = 413
    code = "too_large"


class Unsupported(TesseraError):
    """The content is of a type that is not accepted."""

    status = 415
    code = "unsupported_type"


class Forbidden(TesseraError):
    """This request is not allowed."""

    status = 403
    code = "forbidden"


class Unauthorised(TesseraError):
    """An access token is needed."""

    status = 401
    code = "unauthorised"


class MissingModel(TesseraError):
    """The model's weights are not on this machine."""

    status = 422
    code = "missing_model"


class SourceFailed(TesseraError):
    """Where a model comes from does not answer, or not with what it announced."""

    status = 502
    code = "source_failed"


class UnsafeModel(TesseraError):
    """The file could run code when it is loaded, so it is refused."""

    status = 422
    code = "unsafe_model"


class GateClosed(TesseraError):
    """What was made could not be checked, so it stays here."""

    status = 503
    code = "gate_closed"


class Refused(TesseraError):
    """A checker flags this prompt."""

    status = 422
    code = "prompt_refused"


class OutOfMemory(TesseraError, MemoryError):
    """There was not enough memory, even after freeing and retrying with less."""

    status = 507
    code = "out_of_memory"

    def __init__(self, message: str = "", *, needed: int = 0, free: int = 0) -> None:
        remedy = "Use a smaller size or fewer pictures at once, or close other programs."
        super().__init__(message, remedy=remedy)
        self.needed, self.free = needed, free


class DiskFull(TesseraError):
    """The disk is full; the queue is paused until there is room."""

    status = 507
    code = "disk_full"


class Damaged(TesseraError):
    """What is stored cannot be read back as it was written."""

    code = "damaged"


class WorkerDied(TesseraError):
    """The worker process ended while the job ran."""

    code = "worker_died"


class NodeFailed(TesseraError):
    """A node raised an error while it ran."""

    code = "node_failed"


class Owned(TesseraError):
    """The data folder belongs to another running server."""

    code = "owned"


class Cancelled(BaseException):
    """The run was cancelled. Not an Exception, so a node's ``except Exception`` lets it pass."""


class Parked(BaseException):
    """A person must answer first. Not an Exception, for the same reason."""


def shown(value: object, limit: int = 80) -> str:
    """A value as it may appear in an error: short, on one line."""
    text = " ".join((value if isinstance(value, str) else repr(value)).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
