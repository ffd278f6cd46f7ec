"""The explanation of a picture is found from the picture."""

from __future__ import annotations

import json
from typing import Any

from tests.web.served import Site, png


async def kept(site: Site, data: bytes) -> dict[str, Any]:
    found: dict[str, Any] = (await site.post("/api/artifacts", data)).json
    return found


def report(picture: dict[str, Any], heat: dict[str, Any]) -> bytes:
    return json.dumps(
        {
            "tessera": "explanation", "version": 1, "picture": picture["sha256"], "text": "a circle",
            "words": [{"word": "circle", "score": 0.75, "heatmap": heat["sha256"]}], "rest": 0.5,
            "overlay": heat["sha256"], "guidance": [1.5], "layers": ["middle"], "made": {"seed": "7"},
        }
    ).encode()  # fmt: skip


async def test_an_explanation_is_found_from_its_picture_with_addresses_of_its_files(site: Site) -> None:
    picture, other, heat = [await kept(site, png(side, 8)) for side in (8, 9, 10)]
    await kept(site, b'{"some": "other JSON"}')
    said = await kept(site, report(picture, heat))
    found = (await site.get(f"{picture['url']}/explanation")).json
    assert found["picture"] == picture["id"]
    assert found["report"]["url"] == said["url"]
    [word] = found["words"]
    assert (word["word"], word["score"], word["heatmap"]["url"]) == ("circle", 0.75, heat["url"])
    assert (found["overlay"]["id"], found["guidance"], found["left_out"]) == (heat["id"], [1.5], [])
    assert found["verdicts"] == []
    for url in (f"{other['url']}/explanation", "/api/artifacts/nothing/explanation"):
        assert (await site.get(url)).status == 404


async def test_a_report_whose_files_are_gone_or_which_is_none_is_not_found(site: Site) -> None:
    picture, heat = await kept(site, png(8, 8)), await kept(site, png(9, 9))
    await kept(site, report(picture, heat))
    await site.ask("DELETE", heat["url"])
    assert (await site.get(f"{picture['url']}/explanation")).status == 404
    strange = await kept(site, png(7, 7))
    await kept(site, json.dumps({"tessera": "explanation", "picture": strange["sha256"]}).encode())
    assert (await site.get(f"{strange['url']}/explanation")).status == 404
