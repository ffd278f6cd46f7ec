"""Tessera's engine: typed nodes, workflows, a content-addressed cache, durable jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.context import SILENT, Answer, Context, nobody
from engine.errors import BadDeclaration, BadInput, Cancelled, OutOfMemory, TesseraError
from engine.node import Upgrade, conversion, node
from engine.types import (
    Artifact,
    Conditioning,
    Denoiser,
    Image,
    Json,
    Latent,
    Lazy,
    Mask,
    Model,
    Secret,
    TextEncoder,
    Vae,
    Value,
)

if TYPE_CHECKING:
    from engine.events import Request
    from engine.service import Engine

__all__ = [
    "SILENT",
    "Answer",
    "Artifact",
    "BadDeclaration",
    "BadInput",
    "Cancelled",
    "Conditioning",
    "Context",
    "Denoiser",
    "Engine",
    "Image",
    "Json",
    "Latent",
    "Lazy",
    "Mask",
    "Model",
    "OutOfMemory",
    "Request",
    "Secret",
    "TesseraError",
    "TextEncoder",
    "Upgrade",
    "Vae",
    "Value",
    "conversion",
    "nobody",
    "node",
]


def __getattr__(name: str) -> Any:
    """The heavier names, imported when they are first used: a node needs none of them."""
    if name == "Engine":
        from engine.service import Engine

        return Engine
    if name == "Request":
        from engine.events import Request

        return Request
    raise AttributeError(f"module 'engine' has no attribute {name!r}")
