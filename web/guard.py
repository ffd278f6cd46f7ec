"""Who may ask: Host and Origin are checked on every request, and the access token where one is set."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import time

from aiohttp import web
from msgspec import Struct

from engine.config import Settings
from engine.errors import Forbidden, Unauthorised, Unsupported, shown
from web import browser
from web.pages import login_page
from web.problems import Handler
from web.route import SEND_JSON, Route, body, engine

COOKIE = "tessera_session"
COOKIE_LIFE = 30 * 24 * 3600
SAFE = ("GET", "HEAD", "OPTIONS")
FORMS = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
"""What a page of another site can send without asking the browser first."""
UPLOAD = "/api/artifacts"
SESSION = "/api/session"
COME_FROM_HERE = "Send it from a page of this server."
LOGGED_IN = ("/", "/docs", *browser.PAGES)
"""Pages that ask a person for the token where a program is only refused."""
HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?")
ORIGIN = re.compile(r"https?://([A-Za-z0-9.:\[\]_-]+)")


def refuse_unsafe_bind(settings: Settings) -> None:
    """Refuse to be reachable from other machines without an access token."""
    if not loopback(settings.host) and not settings.token:
        raise Forbidden(
            f"Listening on {settings.host} lets every machine that reaches this one use it, so it needs"
            " an access token: set TESSERA_TOKEN, or keep to 127.0.0.1."
        )


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let through what comes from here, from our own pages, and with the token."""
    settings = engine(request).settings
    check_host(request, settings)
    if request.method not in SAFE or place(request) == "/ws":
        check_origin(request, settings)
        check_form(request)
    if settings.token and not admitted(request, settings.token):
        if place(request) in LOGGED_IN and "text/html" in request.headers.get("Accept", ""):
            return login_page()
        raise Unauthorised(remedy="Send it as Authorization: Bearer, or as X-API-Key.")
    refuse_secrets(request)
    return await handler(request)


async def log_in(request: web.Request) -> web.StreamResponse:
    """Trade the access token for a cookie, because websockets and pictures cannot send headers."""
    given = await body(request, Session)
    token = engine(request).settings.token
    if token and not equal(given.token, token):
        raise Unauthorised("That is not the access token.")
    response = web.Response(status=204)
    if token:
        expires = str(int(time.time()) + COOKIE_LIFE)
        response.set_cookie(
            COOKIE,
            f"{expires}.{signature(token, expires)}",
            max_age=COOKIE_LIFE,
            httponly=True,
            samesite="Strict",
            secure=request.secure,
        )
    return response


async def log_out(request: web.Request) -> web.StreamResponse:
    """Forget the cookie."""
    response = web.Response(status=204)
    response.del_cookie(COOKIE, httponly=True, samesite="Strict")
    return response


class Session(Struct, forbid_unknown_fields=True):
    """What it takes to log in."""

    token: str


def place(request: web.Request) -> str:
    """The route that answers, however its address was written; empty if there is none."""
    resource = request.match_info.route.resource
    return resource.canonical if resource else ""


def check_host(request: web.Request, settings: Settings) -> None:
    """Answer only to names that are ours, or a page of another name could rebind itself to this address."""
    given = request.headers.getall("Host", [])
    match = HOST.fullmatch(given[0]) if len(given) == 1 else None
    if match is None or not ours(match[1].strip("[]").lower().rstrip("."), settings):
        got = shown(given[0]) if given else "none"
        raise Forbidden(f"This server does not answer to the Host {got}.", remedy="Add it to allowed_hosts.")


def ours(name: str, settings: Settings) -> bool:
    if loopback(name) or name == settings.host.lower() or name in lowered(settings.allowed_hosts):
        return True
    return not loopback(settings.host) and address(name) is not None  # a number cannot be rebound


def check_origin(request: web.Request, settings: Settings) -> None:
    """Refuse what a page of another site sends in a user's name."""
    if request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin"):
        raise Forbidden("The request comes from another site.", remedy=COME_FROM_HERE)
    for origin in request.headers.getall("Origin", []):
        match = ORIGIN.fullmatch(origin)
        if match is None or not (
            bare(match[1]) == bare(request.headers["Host"])
            or name_of(match[1]) in lowered(settings.allowed_hosts)
        ):
            raise Forbidden(f"The request comes from another site, {shown(origin)}.", remedy=COME_FROM_HERE)


def refuse_secrets(request: web.Request) -> None:
    """Refuse an address with the value of a secret in it, which answers and logs would repeat."""
    vault = engine(request).vault
    if vault.names():
        key = request.headers.get("Idempotency-Key", "")
        said = [request.path_qs, request.path, key, *request.query, *request.query.values()]
        vault.refuse_request("\n".join(said).encode("utf-8", "surrogatepass"))


def check_form(request: web.Request) -> None:
    """Refuse what a plain HTML form can send, except the upload of a file."""
    if request.content_type in FORMS and place(request) != UPLOAD:
        raise Unsupported(f"Forms are not accepted: {request.content_type}.", remedy=SEND_JSON)


def admitted(request: web.Request, token: str) -> bool:
    """Whether the request carries the token or a cookie made from it."""
    if place(request) == SESSION and request.method == "POST":
        return True
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and equal(given.strip(), token):
        return True
    if equal(request.headers.get("X-API-Key", ""), token):
        return True
    expires, _, signed = request.cookies.get(COOKIE, "").partition(".")
    if not (expires.isascii() and expires.isdigit() and len(expires) <= 12):
        return False
    return equal(signed, signature(token, expires)) and int(expires) > time.time()


def signature(token: str, expires: str) -> str:
    return hmac.new(token.encode(), f"tessera session {expires}".encode(), hashlib.sha256).hexdigest()


def equal(given: str, wanted: str) -> bool:
    """In a time that does not tell how much of it is right."""
    return hmac.compare_digest(given.encode(errors="surrogatepass"), wanted.encode(errors="surrogatepass"))


def loopback(name: str) -> bool:
    found = address(name)
    return found.is_loopback if found else name.lower() == "localhost" or name.lower().endswith(".localhost")


def address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return None


def bare(netloc: str) -> str:
    """Host and port, without the port that goes without saying."""
    return re.sub(r":(80|443)$", "", netloc.lower())


def name_of(netloc: str) -> str:
    match = HOST.fullmatch(netloc)
    return match[1].strip("[]").lower() if match else ""


def lowered(names: list[str]) -> list[str]:
    return [name.lower() for name in names]


ROUTES = (
    Route("POST", SESSION, log_in, "session", body=Session, status=204, media=""),
    Route("DELETE", SESSION, log_out, "session", status=204, media=""),
)
