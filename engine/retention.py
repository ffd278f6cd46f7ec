"""What is older than the settings keep goes, and the bytes that nobody has any more."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable

from engine.artifacts import Folder
from engine.assets import Assets
from engine.audit import Audit
from engine.config import Settings
from engine.errors import TesseraError
from engine.gallery import Gallery
from engine.jobs import Jobs

log = logging.getLogger("tessera")

HOUR = 3600.0
DAY = 24 * HOUR


class Retention:
    """Keeps one data folder to what its settings say."""

    def __init__(
        self,
        config: Settings,
        jobs: Jobs,
        assets: Assets,
        audit: Audit,
        gallery: Gallery,
        store: Folder,
        forget: Callable[[str], None],
    ) -> None:
        self.settings = config
        self.jobs = jobs
        self.assets = assets
        self.audit = audit
        self.gallery = gallery
        self.store = store
        self.forget = forget
        """Makes the worker forget what it computed from a file, by its SHA-256."""

    async def hourly(self) -> None:
        """Once an hour remove what is older than the settings keep."""
        while True:
            try:
                if self.settings.keep_days:
                    await self.expire(time.time() - self.settings.keep_days * DAY)
                if self.settings.trash_days:
                    await self.empty(time.time() - self.settings.trash_days * DAY)
                if self.settings.audit_days:
                    await self.audit.seal(time.time() - self.settings.audit_days * DAY)
                await asyncio.to_thread(self.store.sweep)
            except (TesseraError, OSError) as error:  # a full disk, say: there will be another hour
                log.warning("Tidying up stopped half-way: %s", error)
            await asyncio.sleep(HOUR)

    async def expire(self, before: float) -> None:
        """Delete finished jobs that ended before this time, and outputs that nobody else has, nor starred."""
        while await self.jobs.expire(before):
            pass
        spare = await self.jobs.needed() | await self.gallery.starred()
        await self.drop(await self.assets.expire(before, spare=spare))

    async def empty(self, before: float, owner: str | None = None) -> int:
        """Delete what was thrown away before this time, unless a run still needs it; how many that were."""
        spare, gone = await self.jobs.needed(), 0
        for id, sha256 in await self.gallery.thrown(before, owner):
            if sha256 not in spare:
                await self.drop([await self.assets.delete(id, owner)])
                gone += 1
        return gone

    async def drop(self, gone: Iterable[tuple[str, bool]]) -> None:
        """Let go of the bytes of those files, by SHA-256, that were the last of their content."""
        for sha256, last in gone:
            if last:
                await asyncio.to_thread(self.store.delete, sha256)
                self.forget(sha256)
