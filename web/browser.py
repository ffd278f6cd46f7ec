"""The browser app: one page for all its addresses, and the files it was built into."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from aiohttp import web

from engine.errors import NotFound
from web.route import Route

BUILT = Path(__file__).parent / "static"
PAGES = (
    *("/graph", "/graph/{name}", "/gallery", "/comparisons", "/comparisons/{id}", "/images/{id}"),
    *("/queue", "/models", "/settings"),
)
"""The addresses at which the app shows something, besides `/`. Whatever else is not known is a 404."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:;"
    " media-src 'self' blob:; connect-src 'self'; font-src 'self';"
    " base-uri 'self'; form-action 'none'; frame-ancestors 'none'"
)
FOREVER = "public, max-age=31536000, immutable"
HASHED = re.compile(r"[\w.-]+-[\w-]{8}\.(js|css|svg|png|webp|woff2)")
MISSING = "The browser app is not built."
REMEDY = "Run `make setup`; it builds the app."


async def page(request: web.Request) -> web.StreamResponse:
    """Show the app. Its files are found from wherever this page is, also behind a prefix of a proxy."""
    up = "../" * (request.path.count("/") - 1) or "./"
    text = shell().replace('<base href="/" />', f'<base href="{up}" />')
    return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": POLICY})


async def built(request: web.Request) -> web.StreamResponse:
    """Fetch a file of the app; its name changes with its content, so it may be kept for ever."""
    name = request.match_info["name"]
    path = BUILT / "assets" / name
    if not HASHED.fullmatch(name) or not path.is_file():
        raise NotFound(f"The app has no file {name}.")
    return web.FileResponse(path, headers={"Cache-Control": FOREVER})


async def icon(request: web.Request) -> web.StreamResponse:
    """Fetch the icon of the app."""
    return web.FileResponse(BUILT / "icon.svg", headers={"Cache-Control": "public, max-age=86400"})


@cache
def shell() -> str:
    """The page into which the app draws itself."""
    try:
        return (BUILT / "index.html").read_text("utf-8")
    except FileNotFoundError:
        raise NotFound(MISSING, remedy=REMEDY) from None


ROUTES = (
    Route("GET", "/", page, "pages", media="text/html", also=PAGES),
    Route("GET", "/assets/{name}", built, "pages", media="application/octet-stream"),
    Route("GET", "/icon.svg", icon, "pages", media="image/svg+xml"),
)
