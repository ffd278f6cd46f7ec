"""Look before something leaves: what may be shown, and which prompts may be drawn."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, NamedTuple, TypeVar

from msgspec import Meta

from engine import safety
from engine.context import SILENT, Context
from engine.errors import GateClosed, Refused, TesseraError
from engine.memory import loader
from engine.models import ModelFile, content
from engine.node import node
from engine.safety import ONLINE, WORDS, Checker
from engine.types import Image, Json, Model, Prompt, SafetyModel, T, Text, ui

if TYPE_CHECKING:
    from nodes._lib.judging import Judge, Judgement

V = TypeVar("V")
Checkers = Annotated[
    list[str],
    Meta(description="Who looks, each NAME or NAME:LIMIT; left empty, those of the server's configuration."),
]
Listed = Annotated[
    str, Meta(max_length=200_000, description="One word or phrase a line.", extra_json_schema=ui("text"))
]
NONE: tuple[str, ...] = ()
log = logging.getLogger("tessera.safety")


class Checked(NamedTuple, Generic[V]):
    out: V
    allowed: bool
    score: float
    verdict: Json


class CheckedText(NamedTuple):
    out: str
    allowed: bool
    score: float
    verdict: Json


class Searched(NamedTuple):
    allowed: bool
    found: list[str]


def who_looks(checkers: list[str], **_: object) -> str:
    """Who would look, and by which content; what is missing is for the node to say."""
    import hashlib

    rules = safety.rules()
    marks = [rules.flagged, str(rules.clip_every)]
    for one in asked(checkers):
        mark = rules.url if one.name == ONLINE else "none"
        try:
            if one.name == WORDS and rules.word_list is not None:
                mark = hashlib.sha256(rules.word_list.read_bytes()).hexdigest()
            elif one.name not in (WORDS, ONLINE):
                mark = content(one.name, "safety")
        except (TesseraError, OSError):
            pass
        marks.append(f"{one.name} {one.limit} {mark}")
    return "; ".join(marks)


def asked(checkers: list[str]) -> tuple[Checker, ...]:
    return tuple(map(safety.checker_of, checkers)) or safety.rules().checkers


@node(category="safety", version=2, kind="source", lane="gpu", fingerprint=who_looks)
def check_safety(
    value: T,
    checkers: Checkers = NONE,  # type: ignore[assignment]  # a list of its own for every call
    flagged: Annotated[
        Literal["block", "blur", "log"],
        Meta(description="What becomes of a picture that a checker flags; log lets it through."),
    ] = "block",
    clip: Annotated[
        bool, Meta(description="A list is the frames of one clip: some of them are looked at.")
    ] = False,
    ctx: Context = SILENT,
) -> Checked[T]:
    """Look at a picture before it is shown: is there anything in it that should not be?

    `out` is the picture itself, or, if a checker flags it, a grey one that says why (or a blur). It may also
    be a list of pictures, a clip, a mask or a file. `score` is the highest score of all checkers, `verdict`
    what each of them said.

    The engine puts this check before everything that leaves a run in Safe mode, whatever a workflow does; as
    a node it tells a workflow the result, so that another picture can be tried. What cannot be looked at is
    an error; with `log` it goes through, and the verdict says so.
    """
    from nodes._lib import inspecting

    seen: list[dict[str, Judgement]] = []
    trouble = ""
    try:
        seen = looked_at(value, asked(checkers), clip, ctx)
    except Exception as error:
        if flagged != "log":
            raise gate_closed(error) from error
        trouble = str(error)
    bad = [place for place, found in enumerate(seen) if any(one.flagged for one in found.values())]
    verdict = told(seen, bad, {"block": "blocked", "blur": "blurred", "log": "logged"}[flagged], trouble)
    allowed = not bad or flagged == "log"
    if allowed:
        return Checked(value, not bad and not trouble, top(seen), verdict)
    cover = inspecting.blurred if flagged == "blur" else grey(verdict)
    return Checked(covering(value, bad, clip, cover), False, top(seen), verdict)


@node(category="safety", version=2, kind="source", lane="gpu", fingerprint=who_looks)
def check_prompt(
    text: Prompt,
    checkers: Checkers = NONE,  # type: ignore[assignment]  # a list of its own for every call
    flagged: Annotated[
        Literal["block", "blur", "log"],
        Meta(description="log only tells the result; the others end the run where a checker flags it."),
    ] = "log",
    ctx: Context = SILENT,
) -> CheckedText:
    """Read a prompt before it is drawn: does it ask for anything that should not be shown?

    `allowed` and `score` tell what the checkers think of it, `verdict` what each of them said; choose another
    prompt by them. In Safe mode the engine itself refuses what they flag, but for negative prompts.
    """
    seen: list[dict[str, Judgement]] = []
    trouble = ""
    try:
        found = judgements(asked(checkers), lambda judge: judge.text(text), ctx)
        seen = [found] if found else []
    except Exception as error:
        if flagged != "log":
            raise gate_closed(error) from error
        trouble = str(error)
    bad = [place for place, found in enumerate(seen) if any(one.flagged for one in found.values())]
    verdict = told(seen, bad, "logged" if flagged == "log" else "refused", trouble)
    if bad and flagged != "log":
        raise Refused(f"The prompt was refused: {reason(verdict)}.", remedy="Ask for something else.")
    return CheckedText(text, not bad and not trouble, top(seen), verdict)


@node(category="safety", lane="cpu")
def check_words(text: Text, words: Listed, allowed: Listed = "") -> Searched:
    """Find words of a list in a text, however they are written.

    Capitals, accents, letters of other alphabets that look the same, figures for letters, letters with spaces
    or dots between them: all that makes no difference. Words are found whole, so "grass" has nothing of a
    shorter word in it; `bomb*` also finds what begins with it. What stands in `allowed`, such as "bath bomb",
    is left alone.
    """
    from nodes._lib.wordlists import WordList

    lines = [*words.splitlines(), *(f"!{line}" for line in allowed.splitlines() if line.strip())]
    found = WordList(lines).found(text)
    return Searched(not found, found)


@loader(SafetyModel, "transformers", kinds=("safety",))
def load_safety_model(file: ModelFile, ref: Model, device: str, dtype: str) -> Any:
    """A checker, with what prepares its inputs."""
    from nodes._lib import checking

    return checking.load(file, device, dtype)


# -- what the checkers say


def looked_at(
    value: object, checkers: tuple[Checker, ...], clip: bool, ctx: Context
) -> list[dict[str, Judgement]]:
    """What they say of each picture, of each clip the worst. GateClosed where nobody looked at one."""
    from nodes._lib import inspecting

    found = []
    for frames in inspecting.found(value, safety.rules().clip_every, clip=clip):
        worst: dict[str, Judgement] = {}
        for frame in frames:
            ctx.check()
            for name, said in judgements(checkers, picture_of(frame), ctx).items():
                if name not in worst or (said.flagged, said.score) > (worst[name].flagged, worst[name].score):
                    worst[name] = said
        if not worst:
            remedy = "Name one that looks at pictures in the setting `checkers`."
            raise GateClosed("No checker looked at the picture, so it stays here.", remedy=remedy)
        found.append(worst)
    return found


def picture_of(frame: Image) -> Callable[[Judge], Judgement | None]:
    return lambda judge: judge.picture(frame)


def judgements(
    checkers: tuple[Checker, ...], ask: Callable[[Judge], Judgement | None], ctx: Context
) -> dict[str, Judgement]:
    """What each checker says that has anything to say."""
    from nodes._lib import judging

    found: dict[str, Judgement] = {}
    for checker in checkers:
        ctx.check()
        with judging.judge(checker, safety.rules()) as judge:
            if (said := ask(judge)) is not None:
                found[checker.name] = said
    return found


def gate_closed(error: Exception) -> TesseraError:
    """What went wrong, as a gate that stays closed; running out of memory is for the engine to mend."""
    from engine.machine import is_out_of_memory

    if is_out_of_memory(error):
        raise error
    if isinstance(error, GateClosed):
        return error
    if isinstance(error, TesseraError):
        return GateClosed(f"It could not be checked: {error.args[0]}", remedy=error.remedy)
    log.error("A checker failed", exc_info=error)
    text = f"It could not be checked: a checker failed with {type(error).__name__}."
    return GateClosed(text, remedy="See that the models of the setting `checkers` are whole.")


def top(seen: list[dict[str, Judgement]]) -> float:
    return max((one.score for found in seen for one in found.values()), default=0.0)


def told(seen: list[dict[str, Judgement]], bad: list[int], action: str, trouble: str) -> dict[str, Any]:
    """The verdict: what was done, how many were looked at, which were flagged, each checker's worst."""
    worst: dict[str, Judgement] = {}
    for found in seen:
        for name, one in found.items():
            if name not in worst or (one.flagged, one.score) > (worst[name].flagged, worst[name].score):
                worst[name] = one
    done = action if bad else "not checked" if trouble else "passed"
    verdict: dict[str, Any] = {"action": done, "checked": len(seen)}
    verdict["judgements"] = [one.told() for one in worst.values()]
    if bad:
        verdict["flagged"] = bad
    if trouble:
        verdict["trouble"] = trouble
    return verdict


def reason(verdict: dict[str, Any]) -> str:
    """Who flags it, with scores and limits, in one line."""
    return ", ".join(
        f"{one['checker']} {one['score']:.2f} > {one['limit']:.2f}"
        + (f" ({one['label']})" if one.get("label") else "")
        for one in verdict["judgements"]
        if one["flagged"]
    )


def grey(verdict: dict[str, Any]) -> Callable[[Image], Image]:
    """Covers a picture with a grey one that says why."""
    from nodes._lib import inspecting

    lines = ["Blocked by", *(part.strip() for part in reason(verdict).split(","))]
    if any(one["checker"] in safety.REAL for one in verdict["judgements"] if one["flagged"]):
        lines.append("(a stand-in)")
    return lambda image: inspecting.placeholder(image, lines)


def covering(value: Any, bad: list[int], clip: bool, cover: Callable[[Image], Image]) -> Any:
    """The value with what was flagged covered: of a list only those items, of anything else all of it."""
    from nodes._lib import inspecting

    counted = places(value, clip)
    if counted is None:
        return inspecting.covered(value, cover)
    return [
        inspecting.covered(item, cover) if any(first <= one < last for one in bad) else item
        for item, (first, last) in zip(value, counted, strict=True)
    ]


def places(value: Any, clip: bool) -> list[tuple[int, int]] | None:
    """Which of the pictures that were looked at each item of a list has; None for what is one thing."""
    from nodes._lib import inspecting

    if not isinstance(value, list) or (clip and all(isinstance(item, Image) for item in value)):
        return None
    found: list[tuple[int, int]] = []
    for item in value:
        start = found[-1][1] if found else 0
        found.append((start, start + count(inspecting.found(item, 1))))
    return found


def count(pictures: Iterator[Any]) -> int:
    return sum(1 for _ in pictures)
