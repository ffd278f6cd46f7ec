"""OpenAI's moderation endpoint, or one like it: what it says of a text or a picture."""

from __future__ import annotations

import base64
import time
from typing import Any

import httpx2
import msgspec
from msgspec import Struct

from engine.errors import GateClosed
from engine.pictures import picture_bytes
from engine.types import Image, Secret
from engine.vault import reveal

KEY = Secret("OPENAI_API_KEY")
MODEL = "omni-moderation-latest"
SECONDS = 20.0
PAUSES = (0.5, 2.0)
"""Seconds before each further try when it is busy."""
BUSY = (408, 429, 500, 502, 503, 504)


class Result(Struct):
    """Of one input, as the endpoint answers."""

    flagged: bool
    category_scores: dict[str, float]


class Reply(Struct):
    results: list[Result]


class Said(Struct, frozen=True):
    """What it comes to: the endpoint's own decision, the highest score, and its category."""

    flagged: bool
    score: float
    category: str


class Moderation:
    """Asks, a few times if it must. Raises GateClosed when there is no answer."""

    def __init__(self, url: str, *, offline: bool = False) -> None:
        self.url, self.offline = url, offline

    def text(self, text: str) -> Said:
        return self.ask({"type": "text", "text": text})

    def picture(self, image: Image) -> Said:
        data = base64.b64encode(picture_bytes(image, "png")).decode()
        return self.ask({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}})

    def ask(self, what: dict[str, Any]) -> Said:
        if self.offline:
            raise closed("Tessera is set to stay offline", "Switch `offline` off, or leave this checker out.")
        key = reveal(KEY)
        try:
            with httpx2.Client(timeout=SECONDS, follow_redirects=False) as client:
                answer = self.post(client, key, {"model": MODEL, "input": [what]})
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise closed(f"it does not answer ({type(error).__name__})") from None
        if answer.status_code != 200:
            raise closed(f"it answers {answer.status_code}")
        try:
            [result] = msgspec.json.decode(answer.content, type=Reply).results
            score, category = max((score, name) for name, score in result.category_scores.items())
        except (msgspec.MsgspecError, ValueError):
            raise closed("its answer cannot be read") from None
        return Said(result.flagged, score, category)

    def post(self, client: httpx2.Client, key: str, asked: dict[str, Any]) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {key}"}
        for pause in (*PAUSES, None):
            answer = client.post(self.url, json=asked, headers=headers)
            if answer.status_code not in BUSY or pause is None:
                break
            time.sleep(pause)
        return answer


def closed(why: str, remedy: str = "Try again later, or leave this checker out.") -> GateClosed:
    return GateClosed(f"The moderation endpoint cannot be asked: {why}.", remedy=remedy)
