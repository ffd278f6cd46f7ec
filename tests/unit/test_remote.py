"""Who is asked for models, and who is never told the token."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from engine.errors import Forbidden, NotFound, SourceFailed
from engine.remote import Remote
from engine.sources import Asked, offer
from tests.hub import Hub, asked, bring, hub, safetensors, took

LORA = safetensors("lora_unet_down.lora_up.weight")


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Hub]:
    async with hub() as found:
        yield found


async def test_the_token_goes_to_the_hub_and_nowhere_else(site: Hub, tmp_path: Path) -> None:
    async with hub() as other:
        other.files["one.safetensors"] = LORA
        site.put("org/one", **{"one.safetensors": LORA})
        site.token = "hf_secret"
        with pytest.raises(Forbidden, match="HF_TOKEN"):
            await asyncio.to_thread(offer, Asked("org/one"), Remote(site.url))
        await bring(site, tmp_path, "org/one")
        assert {seen.authorization for seen in site.seen[1:]} == {"Bearer hf_secret"}
        offered = await asked(site, "org/one", name="two")
        site.away[offered.pieces[0].url.removeprefix(site.url)] = f"{other.url}/files/one.safetensors"
        with pytest.raises(Forbidden) as caught:
            await took(site, tmp_path, offered)
        assert "hf_secret" not in str(caught.value)
        assert other.seen == []


async def test_a_refusal_says_whether_there_is_a_licence_to_accept(site: Hub) -> None:
    site.put("org/one", **{"one.safetensors": LORA})
    site.token = "hf_secret"
    wanted = {"GatedRepo": (Forbidden, "licence"), "RepoNotFound": (NotFound, "or it is private")}
    for site.code, (kind, words) in wanted.items():
        with pytest.raises(kind, match=words) as caught:
            await asyncio.to_thread(offer, Asked("org/one"), Remote(site.url))
        assert "HF_TOKEN" in caught.value.problems[0].remedy


async def test_a_hub_out_of_reach_is_named_with_what_to_look_at() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and nobody listens
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(SourceFailed, match="does not answer: ConnectError") as caught:
            await asyncio.to_thread(offer, Asked("org/one"), Remote(url))
    assert "HTTPS_PROXY" in caught.value.problems[0].remedy


async def test_a_proxy_that_cannot_be_used_is_a_setting_to_mend(
    site: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "carrier-pigeon://roof:1")
    with pytest.raises(SourceFailed, match="network settings") as caught:
        await asked(site, "org/one")
    assert "HTTPS_PROXY" in caught.value.problems[0].remedy


@pytest.mark.parametrize(
    "url",
    ["http://example.com/x.safetensors", "https://127.0.0.1:1/x.safetensors", "https://10.0.0.1/x.pth",
     "https://[::1]/x.pth", "https://[::ffff:10.0.0.1]/x.pth", "https://localhost/x.pth", "https://intranet/x",
     "https://169.254.169.254/latest", "ftp://example.com/x", "https://me:secret@example.com/x.pth",
     "file:///etc/passwd", "https://x.internal/x.pth", "https://100.64.0.1/x.pth", "https://[64:ff9b::a00:1]/x",
     "https:///x.pth", "https://[/x.pth"],
)  # fmt: skip
async def test_only_public_addresses_over_https_are_asked(site: Hub, url: str) -> None:
    with pytest.raises(Forbidden) as caught:
        await asked(site, url)
    assert "secret" not in str(caught.value)


async def test_redirects_obey_the_same_rules(site: Hub, tmp_path: Path) -> None:
    site.put("org/one", **{"one.safetensors": LORA})
    offered = await asked(site, "org/one")
    path = offered.pieces[0].url.removeprefix(site.url)
    for bad in (
        "http://10.0.0.1/x",
        "https://192.168.0.1/x",
        "file:///etc/passwd",
        "http://example.com",
    ):
        site.away = {path: bad}
        with pytest.raises(Forbidden):
            await took(site, tmp_path, offered)
    site.away = {path: path}
    with pytest.raises(SourceFailed, match="without end"):
        await took(site, tmp_path, offered)


async def test_a_name_that_leads_to_a_private_address_is_refused_before_anything_is_sent(
    site: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = int(site.url.rpartition(":")[2])
    real = socket.getaddrinfo

    def resolve(host: Any, *rest: Any, **more: Any) -> Any:
        return real("127.0.0.1" if host == "models.example.com" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises(Forbidden, match="private network"):
        await asked(site, f"https://models.example.com:{port}/x.safetensors")
    assert site.seen == []


async def test_offline_asks_nobody(site: Hub) -> None:
    with pytest.raises(Forbidden, match="`offline`"):
        await asyncio.to_thread(offer, Asked("org/vae"), Remote(site.url, offline=True))
    assert site.seen == []
