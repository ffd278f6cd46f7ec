"""Upscaling does what RealESRGANer does, in bounded memory, for every kind of picture."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from spandrel.architectures.Compact import Compact
from spandrel.architectures.DnCNN import DnCNN
from spandrel.architectures.ESRGAN import ESRGAN
from spandrel.architectures.SwinIR import SwinIR

from engine import models
from engine.context import Context
from engine.errors import BadInput, Cancelled, UnsafeModel, Unsupported
from engine.memory import weights
from engine.types import Image, Upscaler
from nodes.upscale import load_upscaler, upscale
from tests.elders import elder, pickled
from tests.pictured import KINDS, noise, plain

pytestmark = pytest.mark.usefixtures("residency")

Pixels = np.ndarray[Any, np.dtype[Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with small networks of several kinds."""
    top = tmp_path_factory.mktemp("models") / "upscale"
    top.mkdir()
    torch.manual_seed(0)
    put(ESRGAN(num_filters=8, num_blocks=1, scale=4), top / "four.safetensors")
    put(ESRGAN(num_filters=8, num_blocks=1, scale=2), top / "two.safetensors")
    put(Compact(num_feat=8, num_conv=2, upscale=4), top / "compact.safetensors")
    put(DnCNN(in_nc=3, out_nc=3, nc=8, nb=8, act_mode="R"), top / "clean.safetensors")
    put(DnCNN(in_nc=1, out_nc=1, nc=8, nb=8, act_mode="R"), top / "grey.safetensors")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it was written for an older torch
        swin = SwinIR(
            img_size=16, embed_dim=12, depths=[2], num_heads=[2], window_size=8, upscale=2,
            upsampler="pixelshuffledirect",
        )  # fmt: skip
    put(swin, top / "swin.safetensors")
    save_file({"toRGB.0.weight": torch.zeros(1), "stylegan_decoder.style_mlp.1.weight": torch.zeros(1)},
              top / "face.safetensors")  # fmt: skip
    save_file({"lora_up.weight": torch.zeros(1)}, top / "other.safetensors")
    pickled(Compact(num_feat=8, num_conv=1, upscale=2), top / "published.pth")
    return top.parent


def put(net: Any, file: Path) -> None:
    """Weights that carry the picture through, so that what comes out can be looked at."""
    save_file({name: weight.contiguous() for name, weight in net.state_dict().items()}, file)


def rrdb(blocks: int, features: int = 64) -> Any:
    return elder("basicsr.archs.rrdbnet_arch").RRDBNet(3, 3, scale=4, num_feat=features, num_block=blocks)


def lively(net: Any) -> Any:
    """Random weights whose picture is neither black nor white."""
    with torch.no_grad():
        net.conv_last.weight.mul_(8)
        net.conv_last.bias.fill_(0.5)
    return net


@pytest.mark.parametrize("size", [(40, 28), (70, 100)])
def test_the_pixels_are_those_of_realesrganer(folder: Path, tmp_path: Path, size: tuple[int, int]) -> None:
    torch.manual_seed(1)
    net = lively(rrdb(2, 16))
    put(net, folder / "upscale" / "published-names.safetensors")
    engineer = elder("realesrgan").RealESRGANer
    theirs = engineer(4, str(pickled(net, tmp_path / "x4.pth")), model=rrdb(2, 16), pre_pad=0, device="cpu")
    picture = noise(*size, seed=3)
    wanted, _ = theirs.enhance(picture.pixels[..., ::-1])
    found = upscale(load_upscaler("published-names"), picture)
    assert wanted.std() > 5
    np.testing.assert_array_equal(found.pixels, wanted[..., ::-1])
    tiled = upscale(load_upscaler("published-names"), picture, tile=64)
    assert away(tiled.pixels, wanted[..., ::-1]) <= 1


def test_the_published_realesrgan_x4plus_has_the_names_that_are_loaded(folder: Path) -> None:
    published = rrdb(23)
    state = published.state_dict()
    assert len(state) == 702
    assert {"conv_first.weight", "body.22.rdb3.conv5.bias", "conv_up2.weight", "conv_last.bias"} <= set(state)
    put(published, folder / "upscale" / "RealESRGAN_x4plus.safetensors")
    found = load_upscaler("RealESRGAN_x4plus")
    assert (found.architecture, found.bytes > 60_000_000) == ("ESRGAN", True)
    with weights(found) as net:
        assert net.scale == 4
        assert sum(w.numel() for w in net.model.parameters()) == sum(w.numel() for w in state.values())
        small = torch.rand(1, 3, 8, 8)
        with torch.inference_mode():
            assert torch.equal(net(small), published(small).clamp(0, 1))


@pytest.mark.parametrize("name", ["four", "compact"])
@pytest.mark.parametrize("thrift", [0, 1])
def test_tiles_leave_no_seams(name: str, thrift: int) -> None:
    net, picture = load_upscaler(name), noise(230, 150, seed=4)
    whole = upscale(net, picture, tile=4096)
    assert whole.pixels.std() > 1
    tiled = upscale(net, picture, tile=128, ctx=Context(thrift=thrift))
    assert away(whole.pixels, tiled.pixels) <= 1


def test_a_network_that_looks_at_everything_is_shown_everything_while_memory_lasts() -> None:
    swin = load_upscaler("swin")
    assert seen(swin, 150, 90, tile=64, thrift=0) == [(90, 150)]
    assert seen(swin, 150, 90, tile=64, thrift=1) == [(64, 64)] * 8


@pytest.mark.parametrize(("channels", "dtype"), KINDS)
@pytest.mark.parametrize("name", ["two", "grey"])
def test_a_picture_keeps_its_channels_and_number_format(name: str, channels: int, dtype: Any) -> None:
    found = upscale(load_upscaler(name), noise(20, 12, channels, dtype))
    factor = 2 if name == "two" else 1
    assert found.pixels.shape == (12 * factor, 20 * factor, channels)
    assert found.pixels.dtype == dtype
    assert 0 <= found.pixels.min() <= found.pixels.max() <= (255 if dtype == np.uint8 else 1)


def test_an_opaque_picture_is_enlarged_as_one_without_alpha() -> None:
    net, picture = load_upscaler("two"), noise(20, 12)
    opaque = Image(np.concatenate([picture.pixels, np.full((12, 20, 1), 255, np.uint8)], 2))
    found = upscale(net, opaque).pixels
    np.testing.assert_array_equal(found[..., :3], upscale(net, picture).pixels)
    assert (found[..., 3] == 255).all()


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({}, (80, 48)),
        ({"factor": 2.0}, (40, 24)),
        ({"factor": 1.0}, (20, 12)),
        ({"factor": 0.5}, (10, 6)),
        ({"factor": 7.5}, (150, 90)),
        ({"longer_side": 33}, (33, 20)),
        ({"longer_side": 400}, (400, 240)),
    ],
)
def test_the_size_is_what_was_asked_for(options: dict[str, Any], size: tuple[int, int]) -> None:
    found = upscale(load_upscaler("four"), noise(20, 12), **options)
    assert (found.width, found.height) == size


def test_a_network_that_cleans_runs_once_at_any_size() -> None:
    picture = noise(20, 12)
    assert upscale(load_upscaler("clean"), picture).pixels.shape == (12, 20, 3)
    assert upscale(load_upscaler("clean"), picture, factor=3).pixels.shape == (36, 60, 3)


def test_less_memory_means_smaller_tiles() -> None:
    sizes = [seen(load_upscaler("four"), 300, 40, tile=128, thrift=thrift) for thrift in range(3)]
    assert [set(found) for found in sizes] == [{(40, 128)}, {(40, 64)}, {(40, 64)}]
    assert [len(found) for found in sizes] == [3, 9, 9]


def seen(upscaler: Upscaler, width: int, height: int, tile: int, thrift: int) -> list[tuple[int, ...]]:
    """The sizes of what the network was shown."""
    found: list[tuple[int, ...]] = []
    with weights(upscaler) as net:
        hook = net.model.register_forward_hook(lambda _, given, __: found.append(tuple(given[0].shape[2:])))
        upscale(upscaler, noise(width, height), tile=tile, ctx=Context(thrift=thrift))
        hook.remove()
    return found


def test_progress_rises_and_a_cancel_stops_between_tiles() -> None:
    said: list[float] = []
    upscale(load_upscaler("four"), noise(200, 60), tile=64, ctx=Context(progress=said.append))
    assert said == sorted(said)
    assert len(said) > 4
    with pytest.raises(Cancelled):
        upscale(load_upscaler("four"), noise(), ctx=Context(cancelled=lambda: True))


def test_what_is_no_upscaler_is_refused_with_a_remedy() -> None:
    with pytest.raises(UnsafeModel, match=r"models convert.*use published\.safetensors"):
        load_upscaler("published")
    with pytest.raises(Unsupported, match=r"no known layout.*lora_up"):
        load_upscaler("other")
    with pytest.raises(Unsupported, match="load_face_restorer"):
        load_upscaler("face")


def test_sizes_that_cannot_be_are_refused() -> None:
    net = load_upscaler("four")
    with pytest.raises(BadInput, match="longer_side"):
        upscale(net, noise(), factor=2, longer_side=100)
    with pytest.raises(BadInput, match="factor"):
        upscale(net, plain((9,), 8000, 2000), factor=16)


def test_half_precision_is_taken_only_by_networks_that_can() -> None:
    from nodes._lib import networks

    net = networks.load(models.models().find("swin", "upscale"), "cpu", "bfloat16")
    assert net.dtype == torch.bfloat16
    net.supports_half = False
    assert [networks.possible(net, kind) for kind in ("float16", "bfloat16", "float32")] == [
        "float32",
        "bfloat16",
        "float32",
    ]


def away(a: Pixels, b: Pixels) -> int:
    return int(np.abs(a.astype(int) - b.astype(int)).max())


def test_a_reference_says_what_it_is() -> None:
    found = load_upscaler("compact")
    assert isinstance(found, Upscaler)
    assert (found.name, found.family, found.architecture) == ("compact", "spandrel", "Compact")
