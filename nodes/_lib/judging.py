"""What checkers have in common: what they are asked, what they answer, and those that are no models."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from engine.errors import GateClosed
from engine.memory import weights
from engine.models import models
from engine.safety import ONLINE, WORDS, Checker, Rules
from engine.types import Image, SafetyModel

if TYPE_CHECKING:
    from nodes._lib.moderating import Moderation, Said
    from nodes._lib.wordlists import WordList

FAMILY = "transformers"


class Judgement(NamedTuple):
    """What one checker says of one thing."""

    checker: str
    score: float
    limit: float
    flagged: bool
    label: str = ""

    def told(self) -> dict[str, Any]:
        """As plain data."""
        found = {**self._asdict(), "score": round(self.score, 4)}
        return found if self.label else {name: found[name] for name in found if name != "label"}


def judged(checker: str, scores: Iterable[tuple[float, str]], limit: float) -> Judgement:
    """The worst of some scores, flagged above the limit. A score that is no number closes the gate."""
    found = list(scores)
    if not found or not all(isfinite(score) for score, _ in found):
        raise GateClosed(f"The checker {checker} gave no score.", remedy="See that its model is whole.")
    score, label = max(found)
    return Judgement(checker, score, limit, score > limit, label if score > limit else "")


class Judge(Protocol):
    """The one interface of checkers. Each answers with the worst that it sees; None where it cannot look."""

    def picture(self, image: Image) -> Judgement | None: ...

    def text(self, text: str) -> Judgement | None: ...


# -- who it is


def model_of(name: str) -> SafetyModel:
    """A reference to the checker of this name."""
    here = models()
    file = here.find(name, "safety")
    return SafetyModel(file.name, FAMILY, here.sha256(file), file.bytes)


@contextmanager
def judge(checker: Checker, rules: Rules) -> Iterator[Judge]:
    """A checker, for as long as it is used."""
    if checker.name == WORDS:
        if rules.word_list is None:
            raise GateClosed("The checker `words` has no list.", remedy="Set `word_list` to its file.")
        from nodes._lib.wordlists import WordList

        yield Words(WordList.read(rules.word_list))
    elif checker.name == ONLINE:
        from nodes._lib.moderating import Moderation

        yield Online(Moderation(rules.url, offline=rules.offline), checker.limit)
    else:
        with weights(model_of(checker.name)) as held:
            from nodes._lib.checking import Classifier, Concepts, is_concepts

            yield (Concepts if is_concepts(held) else Classifier)(checker.name, held, checker.limit)


# -- what is no model


class Words:
    """A list of words that a text may not have."""

    def __init__(self, words: WordList) -> None:
        self.words = words

    def picture(self, image: Image) -> None:
        return None

    def text(self, text: str) -> Judgement:
        found = self.words.found(text)
        return judged(WORDS, [(float(len(found)), ", ".join(found))], 0.0)


class Online:
    """OpenAI's moderation endpoint, for pictures and texts."""

    def __init__(self, moderation: Moderation, limit: float | None) -> None:
        self.moderation, self.limit = moderation, limit

    def picture(self, image: Image) -> Judgement:
        return self.judged(self.moderation.picture(image))

    def text(self, text: str) -> Judgement:
        return self.judged(self.moderation.text(text))

    def judged(self, said: Said) -> Judgement:
        """By the limit that was set, or as the endpoint itself decided."""
        if self.limit is not None:
            return judged(ONLINE, [(said.score, said.category)], self.limit)
        return Judgement(ONLINE, said.score, 0.0, said.flagged, said.category if said.flagged else "")
