"""Values go to bytes and come back bit-equal, whatever they are and whoever changed the bytes."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from contextlib import suppress
from typing import Any, Literal

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as pil
from PIL import ImageCms

from engine import types
from engine.codecs import decode, dimensions, encode, freeze, picture, picture_bytes, sniff
from engine.digest import digest
from engine.errors import BadInput, Damaged, NotFound
from engine.types import Artifact, Image, Latent, Model, Value
from tests.unit.test_digest import arrays, plain


class Nest(Value, frozen=True, eq=False):
    """A value of values, as a pack might declare one."""

    items: list[Any]
    pair: tuple[Any, ...] = ()
    more: Any = msgspec.UNSET


CLASSES: dict[str, type[Value]] = {
    name: cls for name, cls in vars(types).items() if isinstance(cls, type) and issubclass(cls, Value)
} | {"Nest": Nest}


def back(value: Any) -> Any:
    return decode(encode(value).data, CLASSES)


def assert_same(a: Any, b: Any) -> None:
    """Equal to the bit, with the same types all the way down."""
    assert type(a) is type(b)
    if isinstance(a, float):
        assert struct.pack("<d", a) == struct.pack("<d", b)
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, np.ndarray):
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
        assert not b.flags.writeable
    elif isinstance(a, Value):
        for name in a.__struct_fields__:
            assert_same(getattr(a, name), getattr(b, name))
    else:
        assert a == b


values = st.one_of(
    plain, arrays, st.builds(Nest, st.lists(plain | arrays, max_size=3), st.tuples(plain, arrays))
)


@given(values)
def test_what_comes_back_is_what_was_encoded(value: Any) -> None:
    found = back(value)
    assert_same(value, found)
    assert digest(value) == digest(found)


@pytest.mark.parametrize(
    "value",
    [
        struct.unpack("<d", bytes.fromhex("010000000000f47f"))[0],
        [2**63, 2**64, -(2**63) - 1, 10**5000, True, 1, 1.0, "1", None],
        {"\ud800": {"\udfff": "\ud83d"}, "": []},
        Model("m", "sd15", "00", loras=(("a", "11", 0.5), ("b", "22", 1.0))),
        Nest([Nest([], (np.arange(3), ())), Image(np.ones((1, 1, 3), np.float32))], more=msgspec.UNSET),
        [np.arange(n, dtype=np.uint8) for n in range(40)],
        Latent(np.zeros((4, 0, 3), np.float32), "sd15"),
    ],
    ids=["nan payload", "numbers", "odd text", "tuples", "nested", "many arrays", "empty array"],
)
def test_the_hard_ones_come_back_too(value: Any) -> None:
    assert_same(value, back(value))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_an_8_bit_picture_is_kept_as_a_png_that_anybody_can_open(channels: int) -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    encoded = encode(Image(pixels))
    assert (encoded.ending, encoded.mime) == (".png", "image/png")
    assert pil.open(io.BytesIO(encoded.data)).size == (7, 5)
    assert_same(Image(pixels), decode(encoded.data, {}))


@pytest.mark.parametrize(
    "pixels",
    [np.ones((2, 3, 3), np.float32), np.zeros((0, 3, 3), np.uint8), np.zeros((2, 3, 2), np.uint8)],
    ids=["float", "empty", "two channels"],
)
def test_a_picture_that_a_png_cannot_hold_comes_back_as_well(pixels: Any) -> None:
    assert encode(Image(pixels)).ending == ".tessera"
    assert_same(Image(pixels), back(Image(pixels)))


@pytest.mark.parametrize(
    "value",
    [{1}, object(), 1j, {1: 2}, np.array([object()]), np.ma.masked_array([1], [True]), lambda: 0, ValueError],
)
def test_anything_else_is_refused_with_a_remedy(value: Any) -> None:
    with pytest.raises(TypeError, match="has no encoding"):
        encode([value])


def test_a_class_that_the_caller_does_not_name_is_never_built() -> None:
    data = encode(Artifact("ab", "image/png", 1)).data
    with pytest.raises(NotFound, match="Artifact"):
        decode(data, {})


SAMPLE = encode([1, "a", (2.5,), {"k": np.arange(8, dtype=np.float32)}, Model("m", "f", "00")]).data


@given(st.integers(0, len(SAMPLE) - 1), st.integers(1, 255))
@settings(max_examples=300)
def test_a_changed_byte_gives_a_value_or_a_clear_error(at: int, change: int) -> None:
    data = bytearray(SAMPLE)
    data[at] ^= change
    with suppress(Damaged, NotFound):
        decode(bytes(data), CLASSES)


@given(st.binary(max_size=80) | st.integers(0, len(SAMPLE) - 1).map(lambda n: SAMPLE[:n]))
def test_bytes_that_are_no_whole_value_are_damaged(data: bytes) -> None:
    with pytest.raises(Damaged):
        decode(data, CLASSES)


def test_nothing_in_the_bytes_is_imported_or_run() -> None:
    data = encode(Nest([1])).data.replace(b"Nest", b"exit")
    with pytest.raises(NotFound, match="exit"):
        decode(data, CLASSES)


# -- freeze


def test_freezing_makes_arrays_read_only_without_copying_those_that_own_their_memory() -> None:
    array = np.zeros((4, 4, 3), np.uint8)
    image = Image(array)
    assert freeze(image) is image
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


def test_freezing_copies_a_view_that_somebody_could_write_to() -> None:
    owner = np.zeros((4, 3), np.float32)
    hidden = owner[:2]
    hidden.flags.writeable = False
    frozen = freeze({"a": [owner[1:], hidden], "b": 1})
    owner[:] = 7
    assert all((array == 0).all() and not array.flags.writeable for array in frozen["a"])


def test_freezing_leaves_what_is_frozen_already_where_it_is() -> None:
    array = freeze(np.arange(12))
    view, decoded = array[2:].reshape(5, 2), back(np.arange(3))
    assert freeze(view) is view
    assert freeze(decoded) is decoded
    values: Any = [1, "a", (view,), {"k": decoded}, Nest([decoded])]
    assert freeze(values) is values


# -- picture files


@pytest.mark.parametrize("format", ["png", "jpeg", "webp", "avif", "tiff"])
def test_a_picture_goes_to_a_file_and_comes_back(format: Any) -> None:
    ramp = np.linspace(0, 1, 64, dtype=np.float32)
    image = Image(np.stack([np.tile(ramp, (48, 1))] * 3, axis=2))
    data = picture_bytes(image, format, quality=95)
    assert sniff(data) == f"image/{format}"
    assert dimensions(data) == (64, 48)
    expected = np.rint(image.pixels * 255)
    most = 0 if format in ("png", "tiff") else 6
    assert np.abs(picture(data).pixels.astype(int) - expected).max() <= most


def test_metadata_is_readable_in_every_format_and_leaves_out_what_does_not_fit() -> None:
    image = Image(np.zeros((8, 8, 3), np.uint8))
    told = {"prompt": "ein Kreis ☃", "workflow": "x" * 80_000}
    assert (
        pil.open(io.BytesIO(picture_bytes(image, "png", metadata=told))).info["workflow"] == told["workflow"]
    )
    formats: list[Literal["jpeg", "webp", "avif", "tiff"]] = ["jpeg", "webp", "avif", "tiff"]
    for format in formats:
        found = pil.open(io.BytesIO(picture_bytes(image, format, metadata=told))).getexif()
        fits = {"prompt": "ein Kreis ☃"} if format == "jpeg" else told
        assert msgspec.json.decode(found[0x010E]) == fits


def test_saving_twice_gives_the_same_bytes() -> None:
    image = Image(np.full((8, 8, 3), 9, np.uint8))
    assert picture_bytes(image, metadata={"a": "b"}) == picture_bytes(image, metadata={"a": "b"})


def test_jpeg_lays_a_transparent_picture_on_white() -> None:
    clear = Image(np.zeros((16, 16, 4), np.uint8))
    assert (picture(picture_bytes(clear, "jpeg")).pixels == 255).all()
    assert (picture(picture_bytes(clear, "webp", quality=100)).pixels[..., 3] == 0).all()


def test_a_size_that_a_format_cannot_hold_is_refused() -> None:
    with pytest.raises(BadInput, match="20000 × 1"):
        picture_bytes(Image(np.zeros((1, 20_000, 3), np.uint8)), "webp")


def saved(file: pil.Image, format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    file.save(out, format, **options)
    return out.getvalue()


def test_a_turned_photograph_is_set_upright_and_its_size_said_as_shown() -> None:
    exif = pil.Exif()
    exif[0x0112] = 6
    data = saved(pil.new("RGB", (40, 20)), "jpeg", exif=exif)
    assert picture(data).pixels.shape == (40, 20, 3)
    assert dimensions(data) == (20, 40)


def test_a_colour_profile_is_brought_to_srgb() -> None:
    # a profile whose red and blue are exchanged shows at once whether it was used
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = profile.index(b"rXYZ"), profile.index(b"bXYZ")
    profile[red : red + 4], profile[blue : blue + 4] = b"bXYZ", b"rXYZ"
    name = bytes(profile).find("sRGB".encode("utf-16-be"))
    while name >= 0:
        profile[name : name + 8] = "test".encode("utf-16-be")
        name = bytes(profile).find("sRGB".encode("utf-16-be"))
    data = saved(pil.new("RGB", (2, 2), (255, 0, 0)), "png", icc_profile=bytes(profile))
    red_now, _, blue_now = picture(data).pixels[0, 0]
    assert blue_now > 240 > 20 > red_now


MODES = {
    "1": (np.uint8, 1), "L": (np.uint8, 1), "LA": (np.uint8, 4), "P": (np.uint8, 3), "RGB": (np.uint8, 3),
    "RGBA": (np.uint8, 4), "CMYK": (np.uint8, 3), "I;16": (np.float32, 1), "F": (np.float32, 1),
}  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_every_kind_of_pixel_is_read(mode: str) -> None:
    data = saved(pil.new(mode, (3, 2)), "tiff" if mode in ("CMYK", "F") else "png")
    pixels = picture(data).pixels
    dtype, channels = MODES[mode]
    assert pixels.dtype == dtype
    assert pixels.shape == (2, 3, channels)


def test_sixteen_bits_stay_finer_than_eight() -> None:
    levels = np.array([[0, 1, 32768, 65535]], np.uint16)
    assert np.allclose(
        picture(saved(pil.fromarray(levels), "png")).pixels[0, :, 0], levels / 65535, atol=1e-7
    )


def test_a_palette_with_a_clear_colour_keeps_its_alpha() -> None:
    data = saved(pil.new("P", (2, 2)), "gif", transparency=0)
    assert picture(data).pixels.shape == (2, 2, 4)


def bomb() -> bytes:
    """A PNG of 20,000 × 20,000 pixels by its header."""
    data = bytearray(saved(pil.new("L", (1, 1)), "png"))
    data[16:24] = struct.pack(">II", 20_000, 20_000)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "a picture"),
        (b"no picture", "a picture"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 40, "a picture"),
        (saved(pil.effect_noise((64, 64), 50), "png")[:-900], "whole picture"),
        (bomb(), "megapixels"),
    ],
    ids=["empty", "text", "empty header", "cut short", "bomb"],
)
def test_a_broken_or_hostile_file_is_bad_input(data: bytes, complaint: str) -> None:
    with pytest.raises(BadInput, match=complaint):
        picture(data)


# -- what a file is


def safetensors() -> bytes:
    header = b'{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'
    return struct.pack("<Q", len(header)) + header + bytes(4)


KINDS = {
    "image/png": saved(pil.new("RGB", (3, 2)), "png"),
    "image/jpeg": saved(pil.new("RGB", (3, 2)), "jpeg"),
    "image/webp": saved(pil.new("RGB", (3, 2)), "webp"),
    "image/gif": saved(pil.new("L", (3, 2)), "gif"),
    "image/bmp": saved(pil.new("RGB", (3, 2)), "bmp"),
    "image/tiff": saved(pil.new("RGB", (3, 2)), "tiff"),
    "image/avif": saved(pil.new("RGB", (3, 2)), "avif"),
    "video/mp4": b"\0\0\0\x20ftypisom" + bytes(20),
    "video/quicktime": b"\0\0\0\x14ftypqt  " + bytes(20),
    "audio/mp4": b"\0\0\0\x14ftypM4A " + bytes(20),
    "video/webm": b"\x1aE\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82\x84webm" + bytes(9),
    "audio/wav": b"RIFF\x24\0\0\0WAVEfmt " + bytes(20),
    "audio/mpeg": b"\xff\xfb\x90\x64" + bytes(40),
    "audio/ogg": b"OggS" + bytes(24),
    "audio/flac": b"fLaC" + bytes(24),
    "application/json": b' {"tessera": 1}\n',
    "application/x-safetensors": safetensors(),
    "text/plain": "Größe ☃\n".encode(),
    "application/octet-stream": b"\x80\x04\x95\x00pickle",
}


@pytest.mark.parametrize("mime", KINDS)
def test_a_file_is_typed_by_its_content(mime: str) -> None:
    assert sniff(KINDS[mime]) == mime


@pytest.mark.parametrize(
    "data",
    [
        b"<!doctype html><script>alert(1)</script>",
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"{not json",
        b"12",
    ],
)
def test_pages_and_drawings_are_plain_text(data: bytes) -> None:
    assert sniff(data) == "text/plain"


@pytest.mark.parametrize(
    "data", [b"", b"PK\x03\x04", b"\x7fELF\x02", b"\xff\xfe<\0h\0", b"\0\0\0\x18ftypheic" + bytes(9), b"BM\0"]
)
def test_what_is_on_no_list_is_unknown(data: bytes) -> None:
    assert sniff(data) == "application/octet-stream"


@pytest.mark.parametrize("mime", [m for m in KINDS if m.startswith("image/")])
def test_the_size_of_a_picture_is_read_from_its_header(mime: str) -> None:
    assert dimensions(KINDS[mime]) == (3, 2)


@pytest.mark.parametrize(
    "options", [{"lossless": True}, {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"}], ids=str
)
def test_every_flavour_of_webp_tells_its_size(options: dict[str, Any]) -> None:
    assert dimensions(saved(pil.new("RGBA", (300, 2)), "webp", **options)) == (300, 2)


@given(st.sampled_from(sorted(KINDS)), st.integers(0, 60), st.binary(max_size=30))
def test_sniffing_and_measuring_never_fail(mime: str, at: int, junk: bytes) -> None:
    for data in (KINDS[mime][:at], KINDS[mime][:at] + junk, junk):
        assert isinstance(sniff(data), str)
        width, height = dimensions(data)
        assert width >= 0 <= height


def test_the_server_can_ask_without_loading_pillow_or_numpy() -> None:
    code = (
        "import sys, engine.codecs as c; c.sniff(b'x'); print({'numpy', 'PIL', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
