"""Safety: the mode of a run, who limits it, and by which rules its pictures are checked."""

from __future__ import annotations

from contextvars import ContextVar
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from engine.config import Settings
from engine.errors import Forbidden, Invalid, Problem

SAFE, RESEARCH, NSFW = 0, 1, 2
MODES = ("Safe", "Research", "NSFW")

Flagged = Literal["block", "blur", "log"]
"""What becomes of a picture that a checker flags."""
WORDS, ONLINE = "words", "openai"
"""Checkers that are no models: a list of words, and OpenAI's moderation endpoint."""
REAL = {
    "starter-safety": ("safety-checker", "nsfw-image"),
    "starter-safety-text": ("nsfw-text",),
}
"""Checkers that only stand in for real ones, with short names of some to fetch instead."""


class Checker(Struct, frozen=True):
    """A checker by name, and the score above which it flags where that is not its own."""

    name: str
    limit: float | None = None


class Rules(Struct, frozen=True):
    """How whatever leaves is checked."""

    checkers: tuple[Checker, ...]
    flagged: Flagged
    clip_every: int
    word_list: Path | None = None
    url: str = ""
    offline: bool = False


def rules_of(settings: Settings) -> Rules:
    """The rules that this installation sets."""
    return Rules(
        tuple(map(checker_of, settings.checkers)),
        settings.flagged,
        settings.clip_every,
        settings.word_list,
        settings.moderation_url,
        settings.offline,
    )


def checker_of(entry: str) -> Checker:
    """`NAME` or `NAME:LIMIT`, as a checker is written in the configuration."""
    name, colon, limit = entry.rpartition(":")
    if not colon:
        return Checker(entry)
    try:
        return Checker(name, float(limit))
    except ValueError:
        want = "NAME or NAME:LIMIT, the limit a number"
        raise Invalid([Problem("bad_setting", input="checkers", got=entry, want=want)]) from None


current: ContextVar[Rules] = ContextVar("rules")
"""The rules of the engine that runs this node."""


def rules() -> Rules:
    """The rules that hold here; outside an engine, those of the plain settings."""
    return current.get(None) or rules_of(Settings())


# -- modes


def limit_of(settings: Settings, owner: str) -> tuple[int, str]:
    """The highest mode that an owner may ask for, and which setting says so."""
    if owner in settings.mode_limits:
        own = settings.mode_limits[owner]
        if settings.mode_limit is None or own <= settings.mode_limit:
            return own, f"the setting mode_limits for the owner {owner!r}"
    if settings.mode_limit is not None:
        return settings.mode_limit, "the setting mode_limit of this server"
    return settings.mode, "the setting mode of this server, which has no mode_limit"


def mode_for(settings: Settings, owner: str, asked: int | None) -> int:
    """The mode of a run: what is asked for, else the default. Forbidden if that is more than may be."""
    limit, who = limit_of(settings, owner)
    if asked is None:
        return min(settings.mode, limit)
    if asked <= limit:
        return asked
    text = f"Mode {asked} ({MODES[asked]}) is not allowed: at most {limit} ({MODES[limit]}), by {who}."
    remedy = "Ask for a lower mode, or let whoever runs this server raise that setting."
    raise Forbidden(text, remedy=remedy)


# -- for people


def standing_in(settings: Settings) -> list[str]:
    """The configured checkers that only stand in for real ones."""
    return [checker.name for checker in rules_of(settings).checkers if checker.name in REAL]


def warning(settings: Settings) -> str:
    """What everybody should know who relies on the checks; empty if nothing is to be said."""
    if not (found := standing_in(settings)):
        return ""
    real = list(dict.fromkeys(name for one in found for name in REAL[one]))
    return (
        f"{' and '.join(found)} only stand in for real checkers: they know one drawn warning emblem and"
        f" protect nobody. Fetch real ones (python server.py models fetch {' or '.join(real)}) and name"
        " them in the setting `checkers`."
    )


def told(settings: Settings) -> dict[str, Any]:
    """Modes, limits and checkers, as /api/info tells them."""
    return {
        "mode": settings.mode,
        "name": MODES[settings.mode],
        "limit": limit_of(settings, "")[0],
        "flagged": settings.flagged,
        "checkers": [checker.name for checker in rules_of(settings).checkers],
        "stand_ins": standing_in(settings),
        "warning": warning(settings),
    }
