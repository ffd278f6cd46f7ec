"""Values ↔ bytes, a closed list: nothing that is read back can run code, and it comes back bit-equal."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from msgspec import UNSET
from msgspec.msgpack import Ext

from engine.annotations import type_name
from engine.digest import is_array, is_plain
from engine.errors import Damaged, NotFound
from engine.media import dimensions, sniff
from engine.pictures import PNG, is_8_bit, picture, picture_bytes, png, png_pixels
from engine.types import Image, Value

__all__ = ["Encoded", "decode", "dimensions", "encode", "freeze", "picture", "picture_bytes", "sniff"]

MAGIC = b"\x93TESSERA"
ALIGN = 16
"""Arrays start at multiples of this, so that they can be used where they lie."""
BIG, TUPLE, ARRAY, VALUE, NOTHING, ODD_TEXT, ODD_DICT = range(1, 8)
"""What msgpack has no word for travels as an extension with one of these codes."""

_head = struct.Struct("<8sQ")
_pack = msgspec.msgpack.Encoder().encode
_ATOMS = frozenset((type(None), bool, float, bytes))


class Encoded(NamedTuple):
    """A value as bytes, with the ending and the media type of a file that holds them."""

    data: bytes
    ending: str = ".tessera"
    mime: str = "application/x-tessera"


def encode(value: Any) -> Encoded:
    """The bytes of plain data, arrays and Values, nested as they like. Anything else is a TypeError."""
    if type(value) is Image and is_8_bit(value):
        return Encoded(png(value, compression=1), ".png", "image/png")
    if type(value) in _ATOMS:
        tree = _pack(value)
        return Encoded(_head.pack(MAGIC, len(tree)) + tree)
    writer = Writer()
    tree = _pack(writer.tree(value))
    head = _head.pack(MAGIC, len(tree)) + tree
    if not writer.sections:
        return Encoded(head)
    return Encoded(b"".join([head, padding(len(head)), *writer.sections]))


def decode(data: bytes, classes: Mapping[str, type[Value]]) -> Any:
    """The value that was encoded; arrays are read-only and lie inside `data`.

    `classes` are the Values that may be built, by their port type's name: NotFound for any other, and Damaged
    for bytes that `encode` did not write.
    """
    try:
        if data.startswith(PNG):
            return Image(png_pixels(data))
        magic, size = _head.unpack_from(data)
        end = _head.size + size
        if magic != MAGIC or end > len(data):
            raise ValueError("no header")
        return Reader(data, end, classes).read(memoryview(data)[_head.size : end])
    except (Damaged, NotFound):
        raise
    except Exception as error:  # hostile bytes may fail in any way; each means the same
        raise Damaged(f"The bytes are no encoded value ({error}).") from None


def freeze(value: Any) -> Any:
    """The same value with every array read-only, copied only where somebody else could still write to it."""
    kind = type(value)
    if kind is float or kind is str or kind is int or kind in _ATOMS:
        return value
    if is_array(value):
        return frozen_array(value)
    if kind is list or kind is tuple:
        items = [freeze(item) for item in value]
        return value if all(new is old for new, old in zip(items, value, strict=True)) else kind(items)
    if kind is dict:
        fields = {key: freeze(item) for key, item in value.items()}
        return value if all(fields[key] is item for key, item in value.items()) else fields
    if isinstance(value, Value):
        given = ((name, getattr(value, name)) for name in value.__struct_fields__)
        changed = {name: new for name, old in given if (new := freeze(old)) is not old}
        return msgspec.structs.replace(value, **changed) if changed else value
    return value


def frozen_array(array: Any) -> Any:
    owner = array
    while is_array(owner) and not owner.flags.writeable and owner.base is not None:
        owner = owner.base
    if isinstance(owner, bytes):
        return array
    if is_array(owner) and owner.base is None and (owner is array or not owner.flags.writeable):
        array.flags.writeable = False
        return array
    copy = array.copy()
    copy.flags.writeable = False
    return copy


class Writer:
    """Turns a value into msgpack's words, and lays its arrays out behind them."""

    def __init__(self) -> None:
        self.sections: list[Any] = []
        self.size = 0

    def tree(self, value: Any) -> Any:
        kind = type(value)
        if kind in _ATOMS:
            return value
        if kind is str:
            return value if is_unicode(value) else Ext(ODD_TEXT, value.encode("utf-8", "surrogatepass"))
        if kind is int:
            return value if -(2**63) <= value < 2**64 else Ext(BIG, signed(value))
        if kind is list:
            return [self.tree(item) for item in value]
        if kind is dict:
            return self.dictionary(value)
        if kind is tuple:
            return Ext(TUPLE, _pack([self.tree(item) for item in value]))
        if is_array(value):
            return Ext(ARRAY, _pack(self.array(value)))
        if isinstance(value, Value):
            fields = {name: self.tree(getattr(value, name)) for name in value.__struct_fields__}
            return Ext(VALUE, _pack((type_name(kind), fields)))
        if value is UNSET:
            return Ext(NOTHING, b"")
        raise TypeError(f"a {kind.__name__} has no encoding; return plain data, arrays or a Value")

    def dictionary(self, value: dict[Any, Any]) -> Any:
        if not all(type(key) is str for key in value):
            raise TypeError("a dictionary with keys that are no text has no encoding; use text as keys")
        if all(map(is_unicode, value)):
            return {key: self.tree(item) for key, item in value.items()}
        return Ext(ODD_DICT, _pack([(self.tree(key), self.tree(item)) for key, item in value.items()]))

    def array(self, array: Any) -> tuple[str, tuple[int, ...], int]:
        """Item type, shape, and where it lies behind the tree."""
        import numpy as np

        if not is_plain(array):
            kind = f"{type(array).__name__} of {array.dtype}"
            raise TypeError(f"a {kind} has no encoding; return a plain array of numbers or text")
        data = np.ascontiguousarray(array)
        offset = self.size
        if data.nbytes:
            self.sections += [data.reshape(-1).view(np.uint8).data, padding(data.nbytes)]
            self.size += data.nbytes + -data.nbytes % ALIGN
        return data.dtype.str, array.shape, offset


class Reader:
    """One pass over a tree, with the arrays behind it."""

    def __init__(self, data: bytes, end: int, classes: Mapping[str, type[Value]]) -> None:
        self.data, self.classes = data, classes
        self.start = end + -end % ALIGN
        self.read = msgspec.msgpack.Decoder(ext_hook=self.extension).decode

    def extension(self, code: int, data: memoryview) -> Any:
        if code == ARRAY:
            return self.array(*self.read(data))
        if code == VALUE:
            return self.value(*self.read(data))
        if code == TUPLE:
            return tuple(self.read(data))
        if code == BIG:
            return int.from_bytes(data, "little", signed=True)
        if code == ODD_TEXT:
            return str(data, "utf-8", "surrogatepass")
        if code == ODD_DICT:
            return dict(self.read(data))
        if code == NOTHING:
            return UNSET
        raise Damaged(f"The bytes hold an unknown kind of value ({code}).")

    def array(self, dtype: str, shape: list[int], offset: int) -> Any:
        import numpy as np

        kind = np.dtype(dtype)
        count = math.prod(shape)
        if kind.hasobject or offset < 0 or any(n < 0 for n in shape):
            raise Damaged("The bytes hold an array that cannot be.")
        if count * kind.itemsize == 0:
            empty = np.empty(shape, kind)
            empty.flags.writeable = False
            return empty
        return np.frombuffer(self.data, kind, count, self.start + offset).reshape(shape)

    def value(self, name: str, fields: dict[str, Any]) -> Value:
        cls = self.classes.get(name)
        if cls is None:
            remedy = "Install the pack that declares it, or run the step again."
            raise NotFound(f"The stored value is a {name}, a class that no node here knows.", remedy=remedy)
        return cls(**fields)


def padding(size: int) -> bytes:
    return b"\0" * (-size % ALIGN)


def signed(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)


def is_unicode(text: str) -> bool:
    """Whether UTF-8 can say it: JSON may hold halves of surrogate pairs."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False
