"""Reading from other machines: over https, from public addresses, and never more than was announced."""

from __future__ import annotations

import ipaddress
import os
import re
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urljoin, urlsplit, urlunsplit

from engine.errors import Forbidden, NotFound, SourceFailed, TesseraError, TooLarge

if TYPE_CHECKING:  # it takes a third of a second to import, and most servers never fetch
    import httpx2

HUB = "https://huggingface.co"
HOPS = 8
"""Redirects that are followed."""
SILENCE = 15.0
"""Seconds that a server may say nothing."""
CONNECTING = 10.0
MOVED = (301, 302, 303, 307, 308)
UNREACHED = "Look whether this machine reaches it (a proxy goes into HTTPS_PROXY), or try again later."
TOTAL = re.compile(r"bytes (\d+)-\d+/(\d+)")


class Origin(NamedTuple):
    """Who answers at an address."""

    scheme: str
    host: str
    port: int


class Answer(NamedTuple):
    """What a server began to send."""

    start: int
    """The first byte of the file that is sent; 0 also where the server sends all of it unasked."""
    total: int | None
    """Bytes of the whole file, if the server says."""
    headers: Mapping[str, str]
    chunks: Iterator[bytes]


class Remote:
    """Other machines, of which the hub may be anywhere and all others must be public.

    The hub is the one of Hugging Face, or its mirror that HF_ENDPOINT names. The token goes to it alone.
    """

    def __init__(self, hub: str = HUB, token: str = "", *, offline: bool = False) -> None:
        self.hub = hub.rstrip("/")
        self._home = origin(self.hub)
        self._token = token
        self._offline = offline

    @classmethod
    def of_environment(cls, *, offline: bool = False) -> Remote:
        """The hub and the token that the tools of Hugging Face would use here."""
        return cls(os.environ.get("HF_ENDPOINT") or HUB, token_here(), offline=offline)

    def read(self, url: str, limit: int) -> bytes:
        """A small file, whole. Raises TooLarge past the limit."""
        with self.open(url) as answer:
            found = bytearray()
            for chunk in answer.chunks:
                found += chunk
                if len(found) > limit:
                    raise TooLarge(f"{shown(url)} sends more than {limit:,} bytes.")
            return bytes(found)

    @contextmanager
    def open(self, url: str, start: int = 0, length: int = 0, if_range: str = "") -> Iterator[Answer]:
        """Ask for a file from `start` on, or for `length` bytes of it, wherever redirects lead."""
        if self._offline:
            remedy = "Switch the setting `offline` off, or bring the file here in another way."
            raise Forbidden(f"Tessera is set to stay offline, so {shown(url)} is not asked.", remedy=remedy)
        import httpx2

        times = httpx2.Timeout(SILENCE, connect=CONNECTING)
        headers = {"Accept-Encoding": "identity", "User-Agent": "tessera"}
        if start or length:
            headers["Range"] = f"bytes={start}-{start + length - 1 if length else ''}"
        if start and if_range:
            headers["If-Range"] = if_range
        with ExitStack() as stack:
            try:
                client = stack.enter_context(httpx2.Client(timeout=times, follow_redirects=False))
            except (ValueError, ImportError, OSError) as error:  # of HTTPS_PROXY, or SSL_CERT_FILE
                text = f"The network settings of this machine cannot be used: {first_line(error)}"
                remedy = "Set HTTPS_PROXY, ALL_PROXY and SSL_CERT_FILE right, or take them away."
                raise SourceFailed(text, remedy=remedy) from None
            try:
                yield answered(url, self._follow(client, stack, url, headers), start)
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                text = f"{shown(url)} does not answer: {type(error).__name__}."
                raise Broken(text, remedy=UNREACHED) from None

    def _follow(
        self, client: httpx2.Client, stack: ExitStack, url: str, headers: Mapping[str, str]
    ) -> httpx2.Response:
        for _ in range(HOPS):
            asked = client.build_request("GET", url, headers={**headers, **self._secret(url)})
            asked.extensions["trace"] = self._watch(url)
            response = client.send(asked, stream=True)
            if response.status_code not in MOVED:
                stack.callback(response.close)
                return response
            response.close()
            with suppress(ValueError):
                url = urljoin(url, response.headers.get("Location", ""))
        raise SourceFailed(f"{shown(url)} redirects without end.")

    def _secret(self, url: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token and self._at_home(url) else {}

    def _at_home(self, url: str) -> bool:
        return origin(url) == self._home

    def _watch(self, url: str) -> Any:
        """What is called while a connection is made: nothing is sent to an address that is not public."""
        if self._at_home(url):
            return lambda name, info: None
        where = origin(url)
        if where.scheme != "https":
            raise Forbidden(f"{shown(url)} is not https.", remedy="Use an https address.")
        if not public_name(where.host):
            raise private(url)
        proxied = behind_proxy(where)

        def look(name: str, info: Mapping[str, Any]) -> None:
            if name.endswith("connect_tcp.complete") and not proxied:
                stream = info["return_value"]
                if not public(str(stream.get_extra_info("server_addr")[0])):
                    stream.close()
                    raise private(url)

        return look


class Broken(SourceFailed):
    """The connection to the source broke; what came is kept."""


def answered(url: str, response: httpx2.Response, start: int) -> Answer:
    """The response, if it is a file."""
    status, headers = response.status_code, response.headers
    if status in (401, 403):
        raise kept_back(url, status, headers.get("X-Error-Code", ""))
    if status in (404, 410):
        raise NotFound(f"There is no {shown(url)}.", remedy="Look for its name on the site.")
    if status in (408, 429) or status >= 500:
        raise Broken(f"{shown(url)} answers {status}.", remedy="Try again later.")
    if status not in (200, 206) or headers.get("Content-Encoding", "identity") != "identity":
        raise SourceFailed(f"{shown(url)} answers {status}, which is no file.")
    length = headers.get("Content-Length", "")
    first, total = 0, int(length) if length.isascii() and length.isdigit() else None
    if status == 206:
        found = TOTAL.fullmatch(headers.get("Content-Range", ""))
        if found is None or int(found[1]) != start:
            raise SourceFailed(f"{shown(url)} sends other bytes than it was asked for.")
        first, total = start, int(found[2])
    return Answer(first, total, headers, response.iter_raw())


def kept_back(url: str, status: int, code: str) -> TesseraError:
    """A refusal: the hub says by its code whether a licence waits, or whether there is nothing to see."""
    if code == "RepoNotFound":
        text = f"There is no {shown(url)}, or it is private."
        return NotFound(text, remedy="Look for its name on the site; for a private one set HF_TOKEN.")
    remedy = "Accept the model's licence on its page, and set HF_TOKEN to an access token of your account."
    return Forbidden(f"{shown(url)} gives this only to those who may have it ({status}).", remedy=remedy)


def first_line(error: Exception) -> str:
    said = (str(error).splitlines() or [""])[0].rstrip(".")
    return f"{said or type(error).__name__}."


def origin(url: str) -> Origin:
    """Who answers there. Raises Forbidden for what is no web address, or carries a password."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme.lower(), (parts.hostname or "").lower().rstrip("."), parts.port
        secret = "@" in parts.netloc
    except ValueError:
        scheme, host, port, secret = "", "", None, False
    if scheme not in ("http", "https") or not host or secret:
        raise Forbidden("This is no https address.", remedy="Write it like https://host/file.safetensors.")
    return Origin(scheme, host, port or (443 if scheme == "https" else 80))


def shown(url: str) -> str:
    """An address as it may be told: without what comes after `?`, which can hold a secret."""
    try:
        parts = urlsplit(url)
        netloc = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "the address"
    return urlunsplit((parts.scheme, netloc, parts.path, "", ""))[:300]


def public_name(host: str) -> bool:
    """Whether a name may stand in an address: a number must be public, a name is judged when it is called."""
    try:
        return public_address(ipaddress.ip_address(host))
    except ValueError:
        return "." in host and not host.endswith((".localhost", ".local", ".internal"))


def public(address: str) -> bool:
    return public_address(ipaddress.ip_address(address.partition("%")[0]))


def public_address(found: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Whether it is on the open internet, also where one address is wrapped into another."""
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1]
        if found in NAT64:
            inner = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
        if inner is not None:
            return public_address(inner)
    return found.is_global and not found.is_multicast


NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def behind_proxy(where: Origin) -> bool:
    """Whether this machine's own settings send such requests through a proxy, which then is who we see."""
    proxies = urllib.request.getproxies()
    return bool(proxies.get(where.scheme) or proxies.get("all")) and not urllib.request.proxy_bypass(
        where.host
    )


def private(url: str) -> TesseraError:
    remedy = "Only public addresses are asked, and the hub that HF_ENDPOINT names."
    return Forbidden(f"{origin(url).host} is an address of a private network.", remedy=remedy)


def token_here() -> str:
    """The access token of Hugging Face: HF_TOKEN, or what `hf auth login` wrote down."""
    if given := os.environ.get("HF_TOKEN", "").strip():
        return given
    home = os.environ.get("HF_HOME") or os.path.join(
        os.environ.get("XDG_CACHE_HOME", "~/.cache"), "huggingface"
    )
    try:
        return (Path(home).expanduser() / "token").read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
