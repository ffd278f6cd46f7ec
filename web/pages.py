"""The pages beside the app: how to call the server, and where to log in."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from html import escape
from pathlib import Path

from aiohttp import web

from engine import safety
from web.route import Route, engine

NOTICE = "<!-- notice -->"
HTML = Path(__file__).parent / "html"
POLICY = (
    "default-src 'none'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)


async def docs(request: web.Request) -> web.StreamResponse:
    """Show every operation, and let one try it."""
    return page("docs", notice=safety.warning(engine(request).settings))


def login_page() -> web.Response:
    """Ask a person for the access token."""
    return page("login", status=401)


def page(name: str, status: int = 200, notice: str = "") -> web.Response:
    """A page, with what everybody should know on it."""
    text, policy = source(name)
    text = text.replace(NOTICE, f'<p role="note">{escape(notice)}</p>' if notice else "")
    return web.Response(
        status=status, text=text, content_type="text/html", headers={"Content-Security-Policy": policy}
    )


@cache
def source(name: str) -> tuple[str, str]:
    """A page, and the policy under which nothing but its own script and style runs."""
    text = (HTML / f"{name}.html").read_text("utf-8")
    return text, f"{POLICY}; script-src {hashes(text, 'script')}; style-src {hashes(text, 'style')}"


def hashes(text: str, tag: str) -> str:
    """What stands in the page's own elements of that name, as the policy wants it: by hash."""
    parts = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
    digests = (base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in parts)
    return " ".join(f"'sha256-{digest}'" for digest in digests) or "'none'"


ROUTES = (Route("GET", "/docs", docs, "pages", media="text/html"),)
