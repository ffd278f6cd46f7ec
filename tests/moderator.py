"""A moderation endpoint on this machine, which really answers, slowly or wrongly when told to."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
from PIL import Image


class Moderator:
    """Flags texts with the word "bad" in them, and pictures that are mostly red."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.statuses: list[int] = []
        """What it answers instead, for so many requests."""
        self.body: bytes | None = None
        self.slow: threading.Event | None = None
        """It answers once this is set."""
        self.began = threading.Event()

    def answer(self, asked: dict[str, Any]) -> bytes:
        [one] = asked["input"]
        bad = "bad" in one["text"] if one["type"] == "text" else is_red(one["image_url"]["url"])
        scores = {"violence": 0.9 if bad else 0.02, "sexual": 0.01}
        result = {"flagged": bad, "categories": {}, "category_scores": scores}
        return json.dumps({"id": "1", "model": asked["model"], "results": [result]}).encode()


def is_red(url: str) -> bool:
    data = base64.b64decode(url.removeprefix("data:image/png;base64,"))
    red, green, blue = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).reshape(-1, 3).mean(0)
    return bool(red > 2 * max(green, blue))


@contextmanager
def moderating() -> Iterator[Moderator]:
    """The endpoint, while it is needed."""
    moderator = Moderator()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            moderator.asked.append(asked)
            moderator.keys.append(self.headers["Authorization"])
            moderator.began.set()
            if moderator.slow is not None:
                moderator.slow.wait(30)
            status = moderator.statuses.pop(0) if moderator.statuses else 200
            data = moderator.answer(asked) if moderator.body is None else moderator.body
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)
            except OSError:
                return  # whoever asked is gone

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        moderator.url = f"http://127.0.0.1:{server.server_port}/v1/moderations"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield moderator
        finally:
            server.shutdown()
