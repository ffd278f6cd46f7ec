"""Models come from elsewhere whole, checked and in their place, or not at all."""

from __future__ import annotations

import asyncio
import io
import json
import pickle
from collections.abc import AsyncIterator
from pathlib import Path
from threading import Event as Signal
from typing import Any

import pytest
import pytest_asyncio
import torch
from safetensors.torch import load_file

from engine import fetch as fetching
from engine.errors import BadInput, Conflict, DiskFull, NotFound, SourceFailed, TesseraError, UnsafeModel
from engine.fetch import Job, Stopped, writing
from engine.kinds import FOLDERS
from engine.known import KNOWN, known
from engine.models import Models
from engine.remote import Remote
from engine.weights import KINDS
from tests.hub import Hub, asked, bring, hub, safetensors, sha256, took

LORA = safetensors("lora_unet_down.lora_up.weight")
VAE = {
    "config.json": b'{"_class_name": "AutoencoderKL"}',
    "diffusion_pytorch_model.safetensors": safetensors("decoder.conv_in.weight"),
    "diffusion_pytorch_model.bin": b"a pickle",
    "sdxl_vae.safetensors": safetensors("other"),
    "README.md": b"words",
}
PIPELINE = {
    "model_index.json": b'{"_class_name": "P", "unet": ["diffusers", "U"], "vae": ["diffusers", "V"],'
    b' "image_encoder": [null, null]}',
    "unet/config.json": b"{}",
    "unet/diffusion_pytorch_model.safetensors": safetensors("a"),
    "unet/diffusion_pytorch_model.fp16.safetensors": safetensors("b"),
    "unet/openvino_model.xml": b"<xml/>",
    "vae/config.json": b"{}",
    "vae/diffusion_pytorch_model.fp16.safetensors": safetensors("c"),
    "vae_decoder/model.onnx": b"onnx",
    "image_encoder/model.safetensors": safetensors("d"),
    "whole.safetensors": safetensors("model.diffusion_model.x"),
}


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Hub]:
    async with hub() as found:
        yield found


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return tmp_path / "models"


class Heard:
    """What was told about progress."""

    def __init__(self) -> None:
        self.done: list[int] = []

    def __call__(self, done: int, total: int) -> None:
        self.done.append(done)


def here(top: Path) -> list[str]:
    return sorted(path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file())


async def test_an_offer_says_what_would_come_and_nothing_comes(site: Hub, top: Path) -> None:
    site.put("org/vae", **VAE)
    offered = await asked(site, "org/vae")
    assert (offered.kind, offered.name, offered.place) == ("vae", "org/vae", "vae/org/vae")
    assert (offered.licence, offered.source) == ("mit", f"{site.url}/org/vae")
    weights = VAE["diffusion_pytorch_model.safetensors"]
    assert offered.bytes == len(VAE["config.json"]) + len(weights)
    assert not top.exists()


async def test_a_folder_comes_whole_and_is_found_by_its_id(site: Hub, top: Path) -> None:
    site.put("org/vae", **VAE)
    assert await bring(site, top, "org/vae") == "vae/org/vae"
    assert here(top) == [
        "vae/org/vae.source.json",
        "vae/org/vae/config.json",
        "vae/org/vae/diffusion_pytorch_model.safetensors",
    ]
    found = Models([top], hub=top / "hub").find("org/vae", "vae")
    assert found.layout == "diffusers"
    record = json.loads((top / "vae/org/vae.source.json").read_text())
    assert (record["source"], record["licence"]) == (f"{site.url}/org/vae", "mit")
    weights = VAE["diffusion_pytorch_model.safetensors"]
    assert record["files"]["diffusion_pytorch_model.safetensors"]["check"] == f"sha256:{sha256(weights)}"


async def test_of_a_pipeline_only_its_parts_come_in_one_precision(site: Hub, top: Path) -> None:
    site.put("org/pipe", **PIPELINE)
    assert {piece.path for piece in (await asked(site, "org/pipe")).pieces} == {
        "model_index.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/config.json",
        "vae/diffusion_pytorch_model.fp16.safetensors",
    }
    small = await asked(site, "org/pipe", variant="fp16")
    assert "unet/diffusion_pytorch_model.fp16.safetensors" in {piece.path for piece in small.pieces}
    assert await took(site, top, small) == "diffusers/org/pipe"
    assert Models([top], hub=top / "hub").find("org/pipe").kind == "model"


async def test_one_file_of_a_repository_is_known_by_its_tensors(site: Hub, top: Path) -> None:
    one, two, three = "style/ink.safetensors", "b.safetensors", "c.safetensors"
    site.put("org/many", **{one: LORA, two: safetensors("x"), three: LORA})
    assert await bring(site, top, "org/many/style/ink.safetensors") == "loras/ink.safetensors"
    page = f"{site.url}/org/many/blob/main/style/ink.safetensors"
    assert (await asked(site, page, name="pen/ink")).place == "loras/pen/ink.safetensors"
    with pytest.raises(NotFound, match=f"Name one of: {one}, {two}, {three}"):
        await asked(site, "org/many")
    with pytest.raises(NotFound, match="no file"):
        await asked(site, "org/many/d.safetensors")
    with pytest.raises(BadInput, match="--kind"):
        await asked(site, "org/many/b.safetensors")
    assert (await asked(site, "org/many/b.safetensors", kind="upscale")).kind == "upscale"


@pytest.mark.parametrize(
    ("tensor", "kind"),
    [
        ("model.diffusion_model.input_blocks.0.0.weight", "model"),
        ("control_model.input_hint_block.0.weight", "controlnet"),
        ("lora_te_text_model_encoder_layers_0.lora_down.weight", "lora"),
        ("unet.down.0.processor.to_q_lora.down.weight", "lora"),
        ("first_stage_model.decoder.conv_in.weight", "vae"),
        ("emb_params", "embedding"),
        ("clip_g", "embedding"),
        ("ip_adapter.1.to_k_ip.weight", "ip_adapter"),
        ("conv_first.weight", "upscale"),
        ("stylegan_decoder.style_conv1.modulated_conv.weight", "face"),
    ],
)
async def test_what_a_file_is_stands_in_its_header(site: Hub, tensor: str, kind: str) -> None:
    site.put("org/one", **{"one.safetensors": safetensors(tensor, size=400_000)})
    assert (await asked(site, "org/one")).kind == kind


async def test_what_broke_off_goes_on_where_it_was(site: Hub, top: Path) -> None:
    data = safetensors("lora_up", size=3_000_000)
    site.put("org/one", **{"one.safetensors": data})
    offered = await asked(site, "org/one")
    site.breaks, site.seen = 2, []
    await took(site, top, offered)
    assert (top / "loras/one.safetensors").read_bytes() == data
    starts = [int(seen.range[6:-1]) for seen in site.seen if seen.path.startswith("/cdn/") and seen.range]
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1]


async def test_the_next_try_goes_on_where_the_last_one_gave_up(site: Hub, top: Path) -> None:
    data = safetensors("lora_up", size=500_000)
    site.put("org/one", **{"one.safetensors": data})
    offered = await asked(site, "org/one")
    site.slow, stop = True, Signal()
    first = asyncio.create_task(took(site, top, offered, stop))
    while not any(path.endswith(".part") and (top / path).stat().st_size for path in here(top)):
        await asyncio.sleep(0.01)
    with pytest.raises(Conflict, match="being fetched already"):
        await took(site, top, offered)
    stop.set()
    site.slow = False
    await site.drop()
    with pytest.raises(Stopped):
        await first
    site.seen = []
    await took(site, top, offered)
    assert (top / "loras/one.safetensors").read_bytes() == data
    assert any(seen.range for seen in site.seen)


async def test_a_server_without_ranges_sends_it_all_again(site: Hub, top: Path) -> None:
    data = safetensors("lora_up", size=500_000)
    site.put("org/one", **{"one.safetensors": data})
    offered = await asked(site, "org/one")
    site.ranges, site.breaks = False, 1
    await took(site, top, offered)
    assert (top / "loras/one.safetensors").read_bytes() == data


async def test_a_source_that_keeps_breaking_off_is_given_up(site: Hub, top: Path) -> None:
    site.put("org/one", **{"one.safetensors": LORA})
    offered = await asked(site, "org/one")
    site.breaks, site.ranges = 1000, False
    with pytest.raises(SourceFailed, match=r"does not answer|too early"):
        await took(site, top, offered)
    assert not [path for path in here(top) if path.endswith(".safetensors")]


async def test_other_bytes_than_announced_are_refused_and_forgotten(site: Hub, top: Path) -> None:
    site.put("org/one", **{"one.safetensors": LORA})
    offered = await asked(site, "org/one")
    site.served = lambda data: data[:-1] + b"!"
    with pytest.raises(SourceFailed, match="checksum"):
        await took(site, top, offered)
    assert here(top) == []


async def test_what_was_there_of_another_version_is_begun_anew(site: Hub, top: Path) -> None:
    site.put("org/one", **{"one.safetensors": LORA})
    offered = await asked(site, "org/one")
    site.served, site.breaks, site.ranges = lambda data: b"x" * len(data), 1000, False
    with pytest.raises(SourceFailed):
        await took(site, top, offered)
    site.served, site.breaks, site.ranges = lambda data: data, 0, True
    await took(site, top, offered)
    assert (top / "loras/one.safetensors").read_bytes() == LORA


@pytest.mark.parametrize("more", [1, 5_000_000])
async def test_more_than_announced_is_not_taken(site: Hub, top: Path, more: int) -> None:
    site.put("org/one", **{"one.safetensors": LORA})
    offered = await asked(site, "org/one")
    site.served = lambda data: data + b"\0" * more
    with pytest.raises(SourceFailed, match=f"{len(LORA):,} were announced"):
        await took(site, top, offered)
    assert sum((top / path).stat().st_size for path in here(top)) <= len(LORA)


async def test_small_files_are_checked_as_git_names_them(site: Hub, top: Path) -> None:
    site.put("org/vae", **VAE)
    offered = await asked(site, "org/vae")
    site.served = lambda data: data.replace(b"AutoencoderKL", b"AutoencoderXX")
    with pytest.raises(SourceFailed, match=r"config\.json is not what its source announced"):
        await took(site, top, offered)


@pytest.mark.parametrize(
    "name",
    ["../evil.safetensors", "/etc/x.json", "a/../../b.json", "a\\b.json", "C:x.json", ".hidden.json",
     "a/ /b.json", "con\x00.json", "run.py", "x.safetensors.exe", "a//b.json"],
)  # fmt: skip
async def test_a_file_name_never_leads_elsewhere(site: Hub, top: Path, name: str) -> None:
    site.put("org/vae", **{**VAE, name: b"{}"})
    await bring(site, top, "org/vae")
    assert len(here(top)) == 3
    assert {path.name for path in top.parent.iterdir()} == {"models"}


@pytest.mark.parametrize("name", ["../x", "/x", "a/../x", ".x", "x.", "a\\b", "x\n", "n" * 130])
async def test_a_name_of_ours_stays_in_the_folder(site: Hub, name: str) -> None:
    site.put("org/one", **{"one.safetensors": LORA})
    with pytest.raises(BadInput, match="name"):
        await asked(site, "org/one", name=name)


@pytest.mark.parametrize(
    "listing",
    [{"sha": "../../x"}, {"siblings": 3}, {"siblings": [{}]}, {"siblings": [{"rfilename": "a.json"}] * 3000}],
)
async def test_a_hub_that_describes_nothing_is_refused(site: Hub, listing: dict[str, Any]) -> None:
    site.put("org/vae", **VAE)
    site.about = listing
    with pytest.raises(SourceFailed, match="does not describe org/vae"):
        await asked(site, "org/vae")


async def test_a_size_that_is_a_lie_fills_no_disk(site: Hub, top: Path) -> None:
    site.put("org/one", **{"one.safetensors": LORA})
    site.listed = lambda sibling: sibling["lfs"].update(size=10**15)
    with pytest.raises(DiskFull, match=r"needs 1000000\.\d\d GB"):
        await bring(site, top, "org/one")
    site.listed = lambda sibling: sibling["lfs"].update(size=-1)
    with pytest.raises(SourceFailed, match="how large"):
        await asked(site, "org/one")


async def test_an_address_gives_one_file(site: Hub, top: Path) -> None:
    site.files |= {
        "a b.safetensors": LORA,
        "page": b"<html>",
        "net.onnx": b"onnx",
        "bad.safetensors": b"x" * 99,
    }
    assert (
        await bring(site, top, f"{site.url}/files/at/a%20b.safetensors?key=secret") == "loras/a b.safetensors"
    )
    record = (top / "loras/a b.source.json").read_text()
    assert "secret" not in record
    assert (await asked(site, f"{site.url}/files/at/net.onnx")).place == "background/net.onnx"
    with pytest.raises(BadInput, match="not of a page"):
        await asked(site, f"{site.url}/files/at/page")
    with pytest.raises(SourceFailed, match="no safetensors"):
        await asked(site, f"{site.url}/files/at/bad.safetensors")


async def test_a_checksum_can_be_given(site: Hub, top: Path) -> None:
    site.files["one.safetensors"] = LORA
    url = f"{site.url}/files/at/one.safetensors"
    with pytest.raises(SourceFailed, match="checksum"):
        await bring(site, top, url, sha256="0" * 64)
    assert await bring(site, top, url, sha256=sha256(LORA).upper()) == "loras/one.safetensors"
    with pytest.raises(BadInput, match="64 hexadecimal"):
        await asked(site, url, sha256="123")


async def test_a_file_that_lies_about_being_safetensors_is_not_put_in_place(site: Hub, top: Path) -> None:
    site.put("org/one", **{"one.safetensors": b"\x80\x04pickle"})
    with pytest.raises(UnsafeModel, match="not a safetensors file"):
        await bring(site, top, "org/one", kind="lora")
    assert not (top / "loras").exists() or not list((top / "loras").iterdir())


async def test_pickles_are_converted_before_they_are_put_in_place(site: Hub, top: Path) -> None:
    buffer, weight = io.BytesIO(), torch.randn(3, 3)
    torch.save({"params_ema": {"conv_first.weight": weight}}, buffer)
    site.files["net.pth"] = buffer.getvalue()
    url = f"{site.url}/files/at/net.pth"
    with pytest.raises(BadInput, match="--kind"):
        await asked(site, url)
    assert await bring(site, top, url, kind="upscale") == "upscale/net.safetensors"
    assert here(top) == ["upscale/net.safetensors", "upscale/net.source.json"]
    assert torch.equal(load_file(top / "upscale/net.safetensors")["conv_first.weight"], weight)
    assert Models([top], hub=top / "hub").find("net", "upscale").layout == "single_file"


async def test_a_pickle_that_is_more_than_tensors_is_not_put_in_place(site: Hub, top: Path) -> None:
    site.files["bad.pth"] = pickle.dumps(print)
    with pytest.raises(UnsafeModel, match="could run code"):
        await bring(site, top, f"{site.url}/files/at/bad.pth", kind="upscale")
    assert not [path for path in here(top) if path.startswith("upscale")]


async def test_what_is_here_already_is_not_overwritten(site: Hub, top: Path) -> None:
    site.put("org/one", **{"one.safetensors": LORA})
    await bring(site, top, "org/one")
    with pytest.raises(Conflict, match="already"):
        await bring(site, top, "org/one")
    assert await bring(site, top, "org/one", name="two") == "loras/two.safetensors"


async def test_a_models_folder_that_refuses_is_named_with_the_setting(site: Hub, top: Path) -> None:
    site.put("org/one", **{"one.safetensors": LORA})
    offered = await asked(site, "org/one")
    site.slow = True
    stop = Signal()
    first = asyncio.create_task(took(site, top, offered, stop))
    while not (parts := list(top.rglob("*.part"))):
        await asyncio.sleep(0.01)
    stop.set()
    await site.drop()
    with pytest.raises(Stopped):
        await first
    parts[0].unlink()
    parts[0].mkdir()  # nothing can be written under that name
    with pytest.raises(TesseraError, match="models folder cannot be written to") as caught:
        await took(site, top, offered)
    assert "fetch_to" in caught.value.problems[0].remedy


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device here that is always full")
def test_a_disk_that_fills_up_says_that_what_came_is_kept() -> None:
    full = Path("/dev/full")
    with pytest.raises(DiskFull, match="what came is kept") as caught, writing():
        full.write_bytes(b"x")
    assert "fetch_to" in caught.value.problems[0].remedy


async def test_progress_ends_at_the_whole(site: Hub, top: Path) -> None:
    site.put("org/vae", **VAE)
    offered, heard = await asked(site, "org/vae"), Heard()
    job = Job(offered, top, Remote(site.url), heard, Signal())
    await asyncio.to_thread(fetching.fetch, job)
    assert heard.done == sorted(heard.done)
    assert heard.done[-1] == offered.bytes


async def test_a_short_name_is_found_under_that_name(site: Hub, top: Path) -> None:
    short = KNOWN["controlnet-canny"]
    config = b'{"_class_name": "ControlNetModel"}'
    site.put(short.hub, **{"config.json": config, "diffusion_pytorch_model.safetensors": safetensors("x")})
    site.about = {"cardData": {"license": "openrail"}}
    offered = await asked(site, "controlnet-canny")
    assert offered.licence == "openrail"
    await took(site, top, offered)
    assert Models([top], hub=top / "hub").find("controlnet-canny", "controlnet").bytes == offered.bytes
    with pytest.raises(BadInput, match=r"Did you mean controlnet-canny"):
        await asked(site, "controlnet-cany")


def test_every_short_name_can_be_fetched() -> None:
    for name, short in KNOWN.items():
        assert bool(short.hub) != bool(short.url), name
        assert short.kind in FOLDERS
        assert known(name + ".safetensors") is short
        assert short.url == "" or short.url.startswith("https://")
        assert bool(short.licence) or short.hub, name
    assert set(KINDS) == set(FOLDERS)
