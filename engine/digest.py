"""Content digests and call keys. Two equal digests mean two interchangeable values."""

from __future__ import annotations

import hashlib
import struct
import sys
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET

from engine.types import Value

SIZE = 16
_blake = hashlib.blake2b
_pack_float = struct.Struct("<d").pack


def hashed(data: bytes) -> bytes:
    """The hash under every digest and key: BLAKE2b, 16 bytes."""
    return _blake(data, digest_size=SIZE).digest()


def digest(value: Any) -> bytes:
    """Digest of a value by a tagged canonical encoding: 1, 1.0, "1", True, None, [1] and [[1]] all differ."""
    kind = type(value)
    if kind is float:
        return _blake(b"f" + _pack_float(value), digest_size=SIZE).digest()
    if kind is int:
        return _blake(b"i%x" % value, digest_size=SIZE).digest()
    if kind is str:
        return _blake(b"s" + value.encode("utf-8", "surrogatepass"), digest_size=SIZE).digest()
    if value is None:
        return NONE
    if kind is bool:
        return TRUE if value else FALSE
    if kind is list or kind is tuple:
        return digest_of_list([digest(item) for item in value])
    if kind is dict:
        return digest_of_dict(value)
    if kind is bytes:
        return _blake(b"b" + value, digest_size=SIZE).digest()
    if isinstance(value, Value):
        return digest_of_value(value)
    if is_array(value):
        return digest_of_array(value)
    if value is UNSET:
        return UNSET_DIGEST
    raise TypeError(f"a {kind.__name__} has no digest; return plain data, arrays or a Value")


def digest_of_list(items: list[bytes]) -> bytes:
    """Digest of a list, from the digests of its items, so that a mapped list needs no second pass."""
    return _blake(b"l" + b"".join(items), digest_size=SIZE).digest()


def digest_of_dict(value: dict[str, Any]) -> bytes:
    pairs = sorted((digest(key), digest(item)) for key, item in value.items())
    return _blake(b"o" + b"".join(k + v for k, v in pairs), digest_size=SIZE).digest()


def digest_of_value(value: Value) -> bytes:
    """By class and by the fields that make its content, in order."""
    fields = [digest(getattr(value, name)) for name in value.__struct_fields__ if name not in value.labels]
    kind = digest_of_class(type(value).__module__, type(value).__qualname__)
    return _blake(b"v" + kind + b"".join(fields), digest_size=SIZE).digest()


@lru_cache(maxsize=1024)
def digest_of_class(module: str, name: str) -> bytes:
    return digest(f"{module}.{name}")


def is_array(value: Any) -> bool:
    """Whether this is a numpy array; one cannot exist before numpy was imported."""
    ndarray = getattr(sys.modules.get("numpy"), "ndarray", None)  # none yet while a thread imports it
    return ndarray is not None and isinstance(value, ndarray)


def is_plain(array: Any) -> bool:
    """Whether item type, shape and items say all: no objects, no masks, no records, no padded long floats."""
    items = array.dtype
    known = items.kind in "biufcSUmM" and items.char not in "gG"
    return known and type(array).__name__ in ("ndarray", "memmap")


def digest_of_array(array: Any) -> bytes:
    """By item type, shape and items in C order; the byte order makes no difference."""
    import numpy as np

    if not is_plain(array):
        kind = f"{type(array).__name__} of {array.dtype}"
        raise TypeError(f"a {kind} has no digest; return a plain array of numbers or text")
    data = np.ascontiguousarray(array)
    if data.dtype.str[0] == ">":
        data = data.astype(data.dtype.newbyteorder("<"))
    hasher = _blake(f"a{data.dtype.str}{tuple(array.shape)}:".encode(), digest_size=SIZE)
    if data.nbytes:
        hasher.update(data.reshape(-1).view(np.uint8).data)
    return hasher.digest()


NONE = hashed(b"n")
TRUE = hashed(b"t")
FALSE = hashed(b"F")
UNSET_DIGEST = hashed(b"u")


def key_prefix(node: str, version: int, names: tuple[str, ...], epoch: str) -> bytes:
    """The part of a call's key that does not depend on its inputs' values."""
    return hashed(msgspec.msgpack.encode([node, version, names, epoch]))


def call_key(prefix: bytes, inputs: list[bytes]) -> bytes:
    """Key of a call: the same node, version and surroundings, on inputs of the same content.

    `inputs` are digests in the order of the names in the prefix.
    """
    return _blake(prefix + b"".join(inputs), digest_size=SIZE).digest()
