"""Servers that tests ask."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.web.served import Site, serving


@pytest_asyncio.fixture
async def site() -> AsyncIterator[Site]:
    async with serving() as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[Site]:
    """One server for a whole module, for tests that leave nothing behind."""
    async with serving(upload_limit=1_000_000, document_limit=300_000) as found:
        yield found
