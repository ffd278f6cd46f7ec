"""Picture files of every format: as fine as they can be, named as asked, and silent where they should be."""

from __future__ import annotations

import io
import json
import re
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as pil
from PIL import ImageCms

from engine import artifacts
from engine.codecs import picture, picture_bytes, sniff
from engine.errors import BadInput
from engine.media import dimensions
from engine.pictures import Depth, PictureFormat, small
from engine.types import Artifact, Image
from nodes._lib.naming import LONGEST, filled
from nodes.files import LABEL, load_image, read_metadata, save_animation, save_image
from tests.pictured import MOVING, STILL, few, moving, noise, photo

RUN = {
    "metadata": "full",
    "title": "Cats",
    "inputs": {"prompt": "ein Café, smiling", "seed": 7, "strength": 0.5, "picture": {"artifact": "x"}},
    "workflow": '{"tessera": 1, "note": "' + "n" * 500 + '"}',
}
RECEIPT = '{"form":1,"models":{"lynx":"0123"}}'
OTHERS = rb"tifffile|Pillow|OpenCV|Lavf|Lavc|x264|Exif|tEXt|iTXt|eXIf|XMP|Creat|mdta"
"""What libraries write of themselves, and the names of places for words."""
AMOUNTS: list[Any] = ["none", "label", "params", "full"]


@pytest.fixture(autouse=True)
def store(tmp_path: Path) -> Iterator[Path]:
    with artifacts.using(artifacts.Folder(tmp_path / "store"), tmp_path / "output"):
        yield tmp_path / "output"


@pytest.fixture
def run() -> Iterator[None]:
    token, other = artifacts.origin.set(RUN), artifacts.voucher.set(lambda: RECEIPT)
    yield
    artifacts.origin.reset(token)
    artifacts.voucher.reset(other)


def fine(channels: int = 3, levels: int = 65535) -> Image:
    """A float picture in steps of 16 bits."""
    values = np.random.default_rng(1).integers(0, levels + 1, (8, 12, channels))
    return Image(values.astype(np.float32) / np.float32(levels))


def kept(data: bytes) -> Artifact:
    return artifacts.keep(data)


def written(file: pil.Image, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    file.save(out, format, **options)
    return out.getvalue()


# -- formats


@pytest.mark.parametrize("format", STILL)
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_format_keeps_size_type_and_what_it_can_of_the_picture(format: Any, channels: int) -> None:
    whole = photo()
    pixels = np.concatenate([whole.pixels, whole.pixels[..., :1]], 2)[..., :channels]
    saved = save_image(Image(pixels), format=format)
    assert (saved.mime, saved.width, saved.height) == (f"image/{format}", 64, 48)
    assert sniff(artifacts.read(saved)) == saved.mime
    found = load_image(saved).image.pixels
    if format in ("png", "tiff"):
        np.testing.assert_array_equal(found, pixels)
    elif channels != 4 or format != "jpeg":
        assert np.abs(found[..., :channels].astype(int) - pixels).mean() < 3
    assert found.shape[2] == 4 if channels == 4 and format != "jpeg" else found.shape[2] in (1, 3)


@pytest.mark.parametrize(("format", "depth"), [("png", "16 bit"), ("tiff", "16 bit"), ("tiff", "float")])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_fine_pictures_stay_fine_to_the_bit(format: Any, depth: Any, channels: int) -> None:
    whole = fine(channels, 65535 if depth == "16 bit" else 2**24 - 1)
    saved = save_image(whole, format=format, depth=depth)
    assert (saved.width, saved.height) == (12, 8)
    np.testing.assert_array_equal(load_image(saved).image.pixels, whole.pixels)
    coarse = load_image(save_image(whole, format=format)).image.pixels
    assert coarse.dtype == np.uint8


@pytest.mark.parametrize("format", ["png", "tiff"])
def test_eight_bits_in_a_finer_file_are_the_same_colours(format: Any) -> None:
    whole = noise()
    found = load_image(save_image(whole, format=format, depth="16 bit")).image.pixels
    np.testing.assert_array_equal(np.rint(found * 255), whole.pixels)


@pytest.mark.parametrize(
    ("format", "depth"), [("jpeg", "16 bit"), ("webp", "16 bit"), ("avif", "float"), ("png", "float")]
)
def test_a_format_that_is_not_so_fine_says_so(format: Any, depth: Any) -> None:
    with pytest.raises(BadInput, match=f"depth.*bits for {format}"):
        save_image(fine(), format=format, depth=depth)


def test_webp_can_lose_nothing_not_even_colours_under_clear_pixels() -> None:
    whole = noise(channels=4)
    found = load_image(save_image(whole, format="webp", lossless=True)).image.pixels
    np.testing.assert_array_equal(found, whole.pixels)
    with pytest.raises(BadInput, match="lossless"):
        save_image(whole, format="jpeg", lossless=True)


@pytest.mark.parametrize("format", ["jpeg", "avif"])
def test_finer_colour_is_a_larger_and_better_file(format: Any) -> None:
    whole = noise(64, 64)
    full, half = (save_image(whole, format=format, subsampling=s) for s in ("4:4:4", "4:2:0"))
    errors = [np.abs(load_image(s).image.pixels.astype(int) - whole.pixels).mean() for s in (full, half)]
    assert full.bytes > half.bytes
    assert errors[0] < errors[1] / 2


@pytest.mark.parametrize("format", ["jpeg", "webp", "avif"])
def test_lower_quality_is_smaller(format: Any) -> None:
    good, bad = (save_image(noise(100, 100), format=format, quality=q) for q in (95, 20))
    assert bad.bytes < good.bytes / 2


def test_a_deep_file_has_a_small_picture_too() -> None:
    kinds: list[tuple[PictureFormat, Depth]] = [("tiff", 32), ("tiff", 16), ("png", 16)]
    for format, depth in kinds:
        data = picture_bytes(fine(), format, depth=depth)
        assert dimensions(small(data, 6)) == (6, 4)


def test_a_file_that_claims_too_many_pixels_is_refused_before_they_are_read() -> None:
    tiff = bytearray(picture_bytes(fine(), "tiff", depth=32))
    for tag in (256, 257):  # width and height
        at = tiff.index(struct.pack("<H", tag), 8)
        tiff[at : at + 12] = struct.pack("<HHII", tag, 4, 1, 2_000_000)
    png = bytearray(picture_bytes(fine(), "png", depth=16))
    png[16:24] = struct.pack(">II", 50_000, 50_000)
    png[29:33] = struct.pack(">I", zlib.crc32(png[12:29]))
    webp = bytearray(artifacts.read(save_animation(moving(2), format="webp")))
    webp[24:30] = struct.pack("<I", 4_999_999)[:3] + struct.pack("<I", 23)[:3]  # would take minutes
    for data in (tiff, png, webp):
        with pytest.raises(BadInput, match="megapixels, and 500,000 pixels a side"):
            picture(bytes(data))


@pytest.mark.parametrize("format", ["tiff", "png"])
def test_a_deep_file_cut_short_is_bad_input(format: Any) -> None:
    data = picture_bytes(Image(np.random.default_rng(0).random((60, 60, 3), np.float32)), format, depth=16)
    with pytest.raises(BadInput):
        picture(data[: len(data) // 3] if format == "tiff" else data[:40])


# -- how pictures are seen


def upright_and_turned(format: str, deep: bool = False) -> tuple[Any, bytes]:
    """Left red, right blue; stored so that it is upright only with its Exif orientation 6."""
    shown = np.zeros((8, 16, 3), np.uint8)
    shown[:, :8, 0] = shown[:, 8:, 2] = 255
    stored = np.ascontiguousarray(np.rot90(shown))  # orientation 6: turn it clockwise to see it
    exif = pil.Exif()
    exif[0x0112] = 6
    if deep:
        data = cv2.imencode(".png", stored[..., ::-1].astype(np.uint16) * 257)[1].tobytes()
        body = b"eXIf" + exif.tobytes().removeprefix(b"Exif\0\0")
        chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        return shown, data[:33] + chunk + data[33:]
    options: dict[str, Any] = {"quality": 100} if format != "png" else {}
    return shown, written(pil.fromarray(stored), format, exif=exif, **options)


@pytest.mark.parametrize("format", ["jpeg", "png", "webp", "avif", "tiff", "deep"])
def test_a_turned_photograph_is_opened_upright(format: str) -> None:
    shown, data = upright_and_turned("png" if format == "deep" else format, format == "deep")
    found = picture(data).pixels
    found = np.rint(found * 255) if found.dtype == np.float32 else found
    assert found.shape == shown.shape
    assert np.abs(found.astype(int) - shown).mean() < 12


P3 = np.array(
    [[0.4865709, 0.2656677, 0.1982173], [0.2289746, 0.6917385, 0.0792869], [0.0, 0.0451134, 1.0439444]]
)
ADOBE = np.array(
    [[0.5767309, 0.185554, 0.1881852], [0.2973769, 0.6273491, 0.0752741], [0.0270343, 0.0706872, 0.9911085]]
)
SRGB = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
)
TO_D50 = np.array(
    [
        [1.0478112, 0.0228866, -0.050127],
        [0.0295424, 0.9904844, -0.0170491],
        [-0.0092345, 0.0150436, 0.7521316],
    ]
)


def profile(matrix: Any) -> bytes:
    """An sRGB profile with the primaries of another space, and so another name."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for tag, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), (TO_D50 @ matrix).T, strict=True):
        entry = data.index(tag, 128)
        (at,) = struct.unpack_from(">I", data, entry + 4)
        struct.pack_into(">3i", data, at + 8, *(round(value * 65536) for value in column))
    for name in ("sRGB".encode("utf-16-be"), b"sRGB"):
        while (at := bytes(data).find(name, 128)) >= 0:
            data[at : at + len(name)] = name.replace(b"s", b"w").replace(b"R", b"G")
    return bytes(data)


def seen(matrix: Any, colour: tuple[int, int, int]) -> Any:
    """The sRGB values of a colour in another space with sRGB's tone curve."""
    value = np.array(colour) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    found = np.clip(np.linalg.inv(SRGB) @ matrix @ linear, 0, 1)
    return np.where(found <= 0.0031308, found * 12.92, 1.055 * found ** (1 / 2.4) - 0.055) * 255


@pytest.mark.parametrize("space", [P3, ADOBE], ids=["p3", "adobe"])
@pytest.mark.parametrize("colour", [(200, 100, 50), (30, 120, 90), (128, 128, 128), (0, 255, 0)])
@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "avif", "tiff"])
def test_a_wide_gamut_picture_is_opened_in_the_right_colours(space: Any, colour: Any, format: str) -> None:
    options: dict[str, Any] = {} if format in ("png", "tiff") else {"quality": 100}
    if format in ("jpeg", "avif"):
        options["subsampling"] = "4:4:4"
    data = written(pil.new("RGB", (16, 16), colour), format, icc_profile=profile(space), **options)
    found = picture(data).pixels[8, 8].astype(int)
    np.testing.assert_allclose(found, seen(space, colour), atol=3)


def test_a_palette_and_a_clear_picture_go_through_their_profile_too() -> None:
    wanted = seen(P3, (200, 100, 50))
    flat = pil.new("RGB", (4, 4), (200, 100, 50)).quantize(4)
    found = picture(written(flat, "png", icc_profile=profile(P3))).pixels
    np.testing.assert_allclose(found[0, 0].astype(int), wanted, atol=3)
    clear = pil.new("RGBA", (4, 4), (200, 100, 50, 77))
    found = picture(written(clear, "png", icc_profile=profile(P3))).pixels
    np.testing.assert_allclose(found[0, 0].astype(int), [*wanted, 77], atol=3)


def test_a_deep_picture_goes_through_its_profile_in_8_bit_steps() -> None:
    pixels = np.full((4, 4, 3), (50, 100, 200), np.uint16) * 257
    data = cv2.imencode(".png", pixels)[1].tobytes()
    body = b"iCCP" + b"p3\0\0" + zlib.compress(profile(P3))
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    found = picture(data[:33] + chunk + data[33:]).pixels
    assert found.dtype == np.uint8
    np.testing.assert_allclose(found[0, 0].astype(int), seen(P3, (200, 100, 50)), atol=3)


# -- names


def test_a_name_tells_of_its_picture(run: None, store: Path) -> None:
    saved = save_image(noise(), "{prompt}-{seed} {width}x{height} {title}")
    assert saved.name == "ein Café, smiling-7 12x8 Cats_00001.png"
    assert (store / saved.name).is_file()
    assert save_image(noise(), "{strength}").name == "0.5_00001.png"
    today = time.strftime("%Y-%m-%d")
    assert re.fullmatch(rf"{today}_0000\d\.png", save_image(noise(), "{date}").name)


def test_the_number_stands_where_the_counter_is(run: None, store: Path) -> None:
    names = [save_image(noise(seed=i), "{counter}-cat").name for i in range(3)]
    assert names == ["00001-cat.png", "00002-cat.png", "00003-cat.png"]
    assert save_image(noise(), "{counter}-dog").name == "00001-dog.png"
    assert save_image(noise(), "cat").name == "cat_00001.png"
    with pytest.raises(BadInput, match="once"):
        save_image(noise(), "{counter}{counter}")


def test_a_killed_call_finds_its_file_wherever_the_number_stands(store: Path) -> None:
    token = artifacts.effect.set("job|save|0")
    try:
        first, again = (save_image(noise(), "a {counter} b").name for _ in range(2))
    finally:
        artifacts.effect.reset(token)
    assert first == again == "a 00001 b.png"


def test_an_unknown_name_is_refused_with_those_there_are(run: None) -> None:
    with pytest.raises(BadInput, match=r"name: .*\{promt\}.*\{prompt\}, \{seed\}.*\{counter\}"):
        save_image(noise(), "{promt}")
    with pytest.raises(BadInput, match=r"\{picture\}"):
        save_image(noise(), "{picture}")


@few
@given(st.text(st.characters(codec=None), max_size=300), st.integers(), st.floats())
def test_no_value_makes_a_name_dangerous(text: str, number: int, other: float) -> None:
    found = filled("{text}.{number}{other}", {"text": text, "number": number, "other": other})
    assert not set(found) & set('/\\:*?"<>|{}\0\n')
    assert len(found) <= 3 * LONGEST + 1
    assert filled("{text}", {"text": "../../{counter}"}) == "_.._counter_"


def test_a_long_prompt_is_cut_after_a_word() -> None:
    found = filled("{prompt}", {"prompt": "a very long prompt about many things " * 9})
    assert 40 < len(found) <= LONGEST
    assert found.split()[-1] in ("a", "very", "long", "prompt", "about", "many", "things")


# -- what files say


@pytest.mark.parametrize("format", [*STILL, *(f"moving {name}" for name in MOVING), "deep png", "deep tiff"])
def test_the_policy_is_kept_to_the_byte_in_every_format(format: str, run: None) -> None:
    """What is read back, and that nothing is there that should not be."""
    for amount in AMOUNTS:
        data = artifacts.read(save_as(format, amount))
        found = read_metadata(kept(data))
        assert found.texts.keys() == {  # type: ignore[attr-defined]
            "none": set(), "label": {"Software"}, "params": {"Software", "parameters"},
            "full": {"Software", "parameters", "workflow", "receipt"},
        }[amount]  # fmt: skip
        if amount != "none":
            assert found.software == LABEL
        if amount in ("params", "full"):
            assert found.prompt == "ein Café, smiling"
            assert found.settings == RUN["inputs"]
        assert found.workflow == (RUN["workflow"] if amount == "full" else "")
        assert found.camera == {}
        everything = data + b"".join(inflated(data))
        for word, allowed in ((b"Tessera", amount != "none"), (b"smiling", amount in ("params", "full")),
                              (b"tessera", amount == "full"), (b"nnnnnnnn", amount == "full"),
                              (b"lynx", amount == "full")):  # fmt: skip
            assert allowed == (word in everything), (format, amount, word)
        if amount == "none":
            assert not re.search(OTHERS, everything)


@pytest.mark.parametrize("length", [70_000, 300_000])
def test_a_jpeg_holds_a_workflow_of_any_length(length: int) -> None:
    told = {"Software": LABEL, "workflow": "é" + "w" * length, "receipt": "r" * 40_000, "parameters": "{}"}
    data = picture_bytes(photo(), "jpeg", metadata=told)
    assert read_metadata(kept(data)).texts == told
    np.testing.assert_array_equal(picture(data).pixels, picture(picture_bytes(photo(), "jpeg")).pixels)
    assert dimensions(data) == (photo().width, photo().height)


def save_as(format: str, amount: Any) -> Artifact:
    if format.startswith("moving"):
        name: Any = format.removeprefix("moving ")
        return save_animation([photo(), Image(photo().pixels[::-1])], metadata=amount, format=name)
    kind: Any = format.removeprefix("deep ")
    return save_image(photo(), format=kind, metadata=amount, depth="16 bit" if "deep" in format else "8 bit")


def inflated(data: bytes) -> Iterator[bytes]:
    """Whatever in a file is packed with zlib."""
    for found in re.finditer(rb"\x78[\x01\x5e\x9c\xda]", data):
        try:
            yield zlib.decompressobj().decompress(data[found.start() :], 100_000)
        except zlib.error:
            continue


PARAMETERS = """a cat on a mat, (masterpiece:1.2)
second line
Negative prompt: ugly, blurry
Steps: 20, Sampler: DPM++ 2M, CFG scale: 7.5, Seed: 42, Size: 512x768, Hashes: "a: 1, b: 2", Version: v1.9"""


@pytest.mark.parametrize("how", ["png", "jpeg", "webp"])
def test_parameters_of_other_programs_are_understood(how: str) -> None:
    file = pil.new("RGB", (8, 8))
    if how == "png":
        from PIL.PngImagePlugin import PngInfo

        info = PngInfo()
        info.add_text("parameters", PARAMETERS)
        data = written(file, "png", pnginfo=info)
    else:
        exif = pil.Exif()
        exif.get_ifd(0x8769)[0x9286] = b"UNICODE\0" + PARAMETERS.encode("utf-16-be")
        data = written(file, how, exif=exif)
    found = read_metadata(kept(data))
    assert found.prompt == "a cat on a mat, (masterpiece:1.2)\nsecond line"
    assert found.negative == "ugly, blurry"
    settings: Any = found.settings
    assert {key: settings[key] for key in ("Steps", "Sampler", "CFG scale", "Seed", "Size", "Hashes")} == {
        "Steps": 20, "Sampler": "DPM++ 2M", "CFG scale": 7.5, "Seed": 42, "Size": "512x768",
        "Hashes": "a: 1, b: 2",
    }  # fmt: skip
    assert settings["prompt"] == found.prompt


def test_what_a_camera_wrote_is_told() -> None:
    exif = pil.Exif()
    exif[0x010F], exif[0x0110], exif[0x0112] = "Maker", "Model 1", 6
    exif.get_ifd(0x8769).update({0x829A: (1, 250), 0x8827: 400, 0x927C: b"\0\1binary"})
    exif.get_ifd(0x8825)[1] = "N"
    found: Any = read_metadata(kept(written(pil.new("RGB", (8, 8)), "jpeg", exif=exif))).camera
    assert (found["Make"], found["Model"], found["Orientation"], found["ISOSpeedRatings"]) == (
        "Maker",
        "Model 1",
        6,
        400,
    )
    assert found["GPSInfo"] == {"GPSLatitudeRef": "N"}
    assert "MakerNote" not in found
    json.dumps(found, allow_nan=False)


def test_a_picture_that_says_nothing_is_told_as_nothing() -> None:
    for format in STILL:
        found = read_metadata(save_image(noise(), format=format, metadata="none"))
        assert (found.prompt, found.negative, found.workflow, found.software) == ("", "", "", "")
        assert found.settings == found.camera == found.texts == {}
    for data in (
        b"no picture",
        b"",
        artifacts.read(save_image(noise(60, 60)))[:500],
        b"II*\0" + b"\xff" * 40,
    ):
        with pytest.raises(BadInput, match="picture"):
            read_metadata(kept(data))
