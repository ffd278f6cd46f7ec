"""Who may ask: names, origins, tokens."""

from __future__ import annotations

import aiohttp
import pytest

from engine.config import Settings
from engine.errors import Forbidden
from tests.web.served import Site, serving, sum_of
from web.app import ROUTES
from web.guard import ours, refuse_unsafe_bind

TOKEN = "s3cret-tökén"


def test_another_address_needs_a_token() -> None:
    for host in ("0.0.0.0", "::", "192.168.1.5", "example.org"):
        with pytest.raises(Forbidden) as refused:
            refuse_unsafe_bind(Settings(host=host))
        assert str(refused.value).count(".\n") == 0
        refuse_unsafe_bind(Settings(host=host, token="x"))
    for host in ("127.0.0.1", "::1", "localhost", "127.0.0.9"):
        refuse_unsafe_bind(Settings(host=host))


@pytest.mark.parametrize(
    ("name", "settings", "wanted"),
    [
        ("localhost", Settings(), True),
        ("tessera.localhost", Settings(), True),
        ("127.0.0.1", Settings(), True),
        ("::1", Settings(), True),
        ("evil.example", Settings(), False),
        ("localhost.evil.example", Settings(), False),
        ("192.168.1.5", Settings(), False),
        ("0.0.0.0", Settings(), False),
        ("2130706433", Settings(), False),
        ("pictures.example", Settings(allowed_hosts=["Pictures.example"]), True),
        ("192.168.1.5", Settings(host="0.0.0.0", token="x"), True),
        ("rebound.example", Settings(host="0.0.0.0", token="x"), False),
        ("gpu.lan", Settings(host="gpu.lan", token="x"), True),
    ],
)
def test_only_our_own_names_are_answered(name: str, settings: Settings, wanted: bool) -> None:
    assert ours(name, settings) is wanted


async def test_with_a_token_every_route_and_the_websocket_need_it() -> None:
    async with serving(token=TOKEN) as site:
        for route in ROUTES:
            if route.path == "/api/session" and route.method == "POST":
                continue
            path = route.path.replace("{id}", "x").replace("{name}", "x").replace("{call:.+}", "x")
            answer = await site.ask(route.method, path)
            assert (answer.status, answer.codes) == (401, ["unauthorised"]), route
            assert "WWW-Authenticate" in answer.headers
        assert (await site.get("/no/such/route")).status == 401
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await site.session.ws_connect(site.url + "/ws")
        assert refused.value.status == 401


@pytest.mark.parametrize(
    "headers",
    [{"Authorization": f"Bearer {TOKEN}"}, {"authorization": f"bearer {TOKEN}"}, {"X-API-Key": TOKEN}],
)
async def test_the_token_opens_every_door(headers: dict[str, str]) -> None:
    async with serving(token=TOKEN) as site:
        assert (await site.get("/api/info", headers=headers)).status == 200
        async with site.session.ws_connect(site.url + "/ws", headers=headers) as socket:
            assert (await socket.receive_json())["kind"] == "hello"


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer"},
        {"X-API-Key": TOKEN[:-1]},
        {"Cookie": f"tessera_session={TOKEN}"},
        {"Cookie": "tessera_session=99999999999.00"},
        {"Cookie": "tessera_session=.."},
        {"Cookie": "tessera_session=" + "9" * 3000},
    ],
)
async def test_anything_else_opens_none(headers: dict[str, str]) -> None:
    async with serving(token=TOKEN) as site:
        assert (await site.get("/api/info", headers=headers)).status == 401


async def test_a_browser_trades_the_token_for_a_cookie_that_scripts_cannot_read() -> None:
    async with serving(token=TOKEN) as site:
        page = await site.get("/", headers={"Accept": "text/html"})
        assert (page.status, page.headers["Content-Type"]) == (401, "text/html; charset=utf-8")
        assert (await site.post("/api/session", {"token": "wrong"})).status == 401
        answer = await site.post("/api/session", {"token": TOKEN})
        assert answer.status == 204
        cookie = answer.headers["Set-Cookie"]
        assert "HttpOnly" in cookie
        assert "SameSite=Strict" in cookie
        assert TOKEN not in cookie
        value = {"Cookie": cookie.partition(";")[0]}
        async with aiohttp.ClientSession() as plain:
            async with plain.get(site.url + "/", headers=value) as home:
                assert home.status == 200
            async with plain.ws_connect(site.url + "/ws", headers=value) as socket:
                assert (await socket.receive_json())["kind"] == "hello"
        gone = await site.ask("DELETE", "/api/session", headers=value)
        assert 'tessera_session=""' in gone.headers["Set-Cookie"]


async def test_pages_of_this_server_may_ask_and_pages_of_others_may_not(site: Site) -> None:
    body = {"workflow": sum_of()}
    own = {"Origin": site.url, "Sec-Fetch-Site": "same-origin"}
    assert (await site.post("/api/runs", body, headers=own)).status == 202
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": f"http://localhost:{site.port}"},
        {"Origin": f"http://127.0.0.1:{site.port + 1}"},
        {"Origin": site.url + ".evil.example"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ):
        answer = await site.post("/api/runs", body, headers=headers)
        assert (answer.status, answer.codes) == (403, ["forbidden"]), headers
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await site.session.ws_connect(site.url + "/ws", headers=headers)
        assert refused.value.status == 403


async def test_behind_a_proxy_its_name_is_an_origin_too() -> None:
    async with serving(allowed_hosts=["pictures.example"]) as site:
        headers = {"Host": "pictures.example", "Origin": "https://pictures.example"}
        assert (await site.post("/api/runs", {"workflow": sum_of()}, headers=headers)).status == 202


async def test_what_a_plain_form_can_send_is_refused(site: Site) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = await site.post("/api/runs", b'{"workflow": "x"}', headers={"Content-Type": kind})
        assert (answer.status, answer.codes) == (415, ["unsupported_type"])
