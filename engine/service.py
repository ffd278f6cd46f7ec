"""Engine: submit, watch, cancel, describe. All that the web, the command line and the tests use."""

from __future__ import annotations

import asyncio
import contextlib
import platform
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
from msgspec.structs import replace

from engine import assets as assets_of
from engine import drafts as drafts_of
from engine import evaluate, packs, safety
from engine import evaluations as evaluations_of
from engine import jobs as jobs_of
from engine import library as library_of
from engine import papers as papers_of
from engine import sweeps as sweeps_of
from engine.artifacts import Folder
from engine.assets import Assets
from engine.audit import Audit
from engine.config import ROOT, Settings, settings
from engine.credentials import Credentials
from engine.db import Database
from engine.digest import digest
from engine.dispatch import Dispatch, free_bytes
from engine.drafts import Drafts
from engine.errors import Conflict, Invalid, NotFound, Problem, TooLarge, Unsupported
from engine.evaluate import Evaluate
from engine.evaluations import Evaluations
from engine.events import FINAL, Event, Job, JobState, Preview, Request
from engine.fetches import Fetches
from engine.gallery import Gallery
from engine.jobs import Jobs
from engine.library import Library
from engine.media import dimensions, sniff
from engine.models import ModelFile, Models
from engine.node import NodeSpec
from engine.owner import Owner, Ownership
from engine.papers import Papers
from engine.planner import Planner, signature
from engine.proofs import Proofs, RunFailed
from engine.registry import Registry, palette
from engine.requests import Desk
from engine.retention import Retention
from engine.sweeps import Sweeps
from engine.thumbnails import Thumbnails
from engine.types import Artifact
from engine.vault import Vault
from engine.verify import Verdict
from engine.workers import Child, Here, Host
from engine.workflow import parse, shape

MIGRATIONS = (
    *jobs_of.MIGRATIONS,
    *library_of.MIGRATIONS,
    *drafts_of.MIGRATIONS,
    *assets_of.MIGRATIONS,
    *evaluations_of.MIGRATIONS,
    *papers_of.MIGRATIONS,
    *sweeps_of.MIGRATIONS,
)
VERSION = "0.1.0"
Listener = Callable[[Event | Preview], None]
FILES = ("secrets", "certificate", "certificate_key", "trusted_signers")
"""Settings that may name a file."""


class Engine:
    """One data folder, its queue and its worker."""

    def __init__(self, config: Settings, registry: Registry, db: Database) -> None:
        self.settings = config
        self._core = registry
        self.registry = registry
        self.planner = Planner(registry)
        self.jobs_store = Jobs(db)
        self.assets = Assets(db)
        self.evaluations = Evaluations(db, self.assets)
        self.audit = Audit(db)
        self.gallery = Gallery(db)
        self.vault = Vault.of(config)
        self.credentials = Credentials.of(config)
        self.library = Library(db, ROOT / "workflows", self._check_form)
        self.drafts = Drafts(db)
        self.store = Folder(config.data / "artifacts")
        self.thumbnails = Thumbnails(self.store)
        self.desk = Desk(self.planner, self.library, self.assets, config)
        self.sweeps = Sweeps(db, self.desk, self.jobs_store)
        papers = Papers(db)
        self.dispatch = Dispatch(
            config, self.jobs_store, self.assets, self.evaluations, papers, self._publish
        )
        self.proofs = Proofs(
            self.desk, self.jobs_store, self.assets, papers, self.evaluations, self.dispatch, self.store
        )
        self.retention = Retention(
            config,
            self.jobs_store,
            self.assets,
            self.audit,
            self.gallery,
            self.store,
            lambda sha256: self.dispatch.host.forget(sha256),
        )
        self.fetches = Fetches(config, self.jobs_store.emit, self._publish)
        self.ownership: Ownership | None = None
        self._db = db
        self._listeners: list[Listener] = []
        self._waiters: dict[str, list[asyncio.Future[None]]] = {}
        self._chores: list[asyncio.Task[None]] = []

    # -- opening

    @classmethod
    @asynccontextmanager
    async def local(
        cls, data: Path | None = None, *, registry: Registry | None = None, **changes: Any
    ) -> AsyncIterator[Engine]:
        """An engine whose worker runs in this process: for tests, the command line and notebooks.

        Without a data folder it gets a temporary one, removed at the end. `changes` are settings.
        """
        with contextlib.ExitStack() as stack:
            folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tessera-")))
            config = settings(**{**changes, "data": folder})
            async with cls._opened(config, registry or Registry.core()) as engine:
                await engine.dispatch.open(Here(engine.settings, engine._core, engine.dispatch))
                yield engine

    @classmethod
    @asynccontextmanager
    async def open(cls, config: Settings) -> AsyncIterator[Engine]:
        """An engine with a child worker process: what the server uses."""
        async with cls._opened(config, Registry.core()) as engine:
            await engine.dispatch.open(Child(engine.settings, engine.dispatch))
            yield engine

    @classmethod
    @asynccontextmanager
    async def _opened(cls, config: Settings, registry: Registry) -> AsyncIterator[Engine]:
        folders = [folder.absolute() for folder in config.models]  # a worker has another working folder
        named = {name: getattr(config, name) for name in FILES}
        config = replace(config, **{name: path.absolute() for name, path in named.items() if path})
        config = replace(
            config,
            data=config.data.absolute(),
            packs=config.packs.absolute(),
            fetch_to=config.fetch_to.absolute(),
            models=folders,
            word_list=config.word_list and config.word_list.absolute(),
        )
        safety.rules_of(config)  # says what is wrong with them before anything is opened
        ownership = Ownership(config.data)
        try:
            db = await Database.open(config.data / "tessera.db", MIGRATIONS)
            engine = cls(config, registry, db)
            engine.ownership = ownership
            try:
                await engine._start()
                yield engine
            finally:
                await engine._stop()
        finally:
            ownership.release()

    async def _start(self) -> None:
        await asyncio.to_thread(self.credentials.prove)
        await self.jobs_store.open()
        await self.assets.open()
        await self.jobs_store.void_leases()
        self.jobs_store.listen(self._hear)
        known = packs.Packs(self.settings.packs, self.settings.data / "packs.bin")
        await self._describe_packs(known)
        self._chores = [
            asyncio.create_task(self._watch_packs(known)),
            asyncio.create_task(self.retention.hourly()),
        ]

    async def _stop(self) -> None:
        for chore in self._chores:
            chore.cancel()
        await asyncio.gather(*self._chores, return_exceptions=True)
        await self.fetches.close()
        await self.thumbnails.close()
        if hasattr(self.dispatch, "host"):
            await self.dispatch.close()
        await self._db.close()

    def listens_at(self, url: str) -> None:
        """Let the command line find this server by its data folder."""
        if self.ownership is not None:
            import os

            self.ownership.tell(Owner(os.getpid(), url, self.settings.token))

    async def drain(self, seconds: float) -> None:
        """Start nothing more, and let what runs come to its end for at most so long."""
        await self.dispatch.drain(seconds)

    # -- running

    async def submit(self, request: Request, *, owner: str = "local", key: str = "") -> list[Job]:
        """Check and queue a request.

        `key` is an idempotency key: the same key with the same request gives the same jobs again, with
        another request Conflict. Raises Invalid with every problem.
        """
        if self.vault.names():
            self.vault.refuse_request(msgspec.json.encode(request))
        fingerprint = digest(msgspec.to_builtins(request)).hex() if key else ""
        jobs = await self.desk.jobs(request, owner)
        return await self.jobs_store.add(jobs, key, fingerprint)

    async def run(
        self,
        workflow: str | dict[str, Any],
        *,
        owner: str = "local",
        targets: list[str] | None = None,
        mode: int | None = None,
        **inputs: Any,
    ) -> dict[str, Any]:
        """Submit, wait, and return the named outputs; pictures and files come as artifacts.

        Raises Invalid, or RunFailed with what went wrong.
        """
        [job] = await self.submit(Request(workflow, inputs, targets, mode=mode), owner=owner)
        job = await self.wait(job.id)
        if job.state == "done":
            return {name: inward(value) for name, value in job.outputs.items()}
        problem = job.problem or Problem(job.state)
        raise RunFailed(problem.sentence(), problems=(problem,))

    async def check(
        self,
        workflow: str | dict[str, Any] | bytes,
        inputs: Mapping[str, Any] | None = None,
        targets: list[str] | None = None,
        owner: str = "local",
    ) -> tuple[list[Problem], list[Problem]]:
        """Every problem and every warning of a workflow, without running anything."""
        return await self.desk.check(workflow, inputs, targets, owner)

    async def evaluate(self, asked: Evaluate, *, owner: str = "local", key: str = "") -> Job:
        """Queue a run that scores pictures; its outputs have a list of scores for each metric."""
        document, _ = await self.library.get(evaluate.WORKFLOW, owner, 0)
        [job] = await self.submit(evaluate.request(asked, document), owner=owner, key=key)
        return job

    async def job(self, id: str, *, owner: str | None = "local") -> Job:
        """A job as it stands, or NotFound."""
        return self._with_live(await self.jobs_store.get(id, owner))

    async def jobs(
        self, *, owner: str | None = "local", state: JobState | None = None, before: str = "", limit: int = 50
    ) -> list[Job]:
        """Newest first; without their documents."""
        found = await self.jobs_store.list(owner, state, before, limit)
        return [self._with_live(job) for job in found]

    async def wait(self, id: str, seconds: float | None = None, *, owner: str | None = None) -> Job:
        """The job once it is over or waits for a person, or as it is after so many seconds."""
        until = None if seconds is None else asyncio.get_running_loop().time() + seconds
        while True:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.setdefault(id, []).append(waiter)
            try:
                job = await self.job(id, owner=owner)
                if job.state in FINAL or job.state == "waiting":
                    return job
                left = None if until is None else until - asyncio.get_running_loop().time()
                if left is not None and left <= 0:
                    return job
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(waiter, left)
            finally:
                waiters = self._waiters.get(id, [])
                if waiter in waiters:
                    waiters.remove(waiter)
                if not waiters:
                    self._waiters.pop(id, None)

    async def cancel(self, id: str, *, owner: str | None = "local") -> Job:
        """Stop a job, wherever it is; what its steps had done by then stays known."""
        live = self.dispatch.live.get(id)
        job = await self.jobs_store.cancel(id, owner=owner, steps=dict(live.steps) if live else None)
        self.dispatch.cancel(id)
        return job

    async def retry(self, id: str, *, owner: str | None = "local") -> Job:
        """Queue a failed or cancelled job again."""
        return await self.jobs_store.retry(id, owner=owner)

    async def hold(self, id: str, *, owner: str | None = "local") -> Job:
        """Keep a queued job from running."""
        return await self.jobs_store.hold(id, owner=owner)

    async def release(self, id: str, *, owner: str | None = "local") -> Job:
        """Let a held job run."""
        return await self.jobs_store.release(id, owner=owner)

    async def move(
        self,
        id: str,
        *,
        priority: int | None = None,
        before: str | None = None,
        after: str | None = None,
        owner: str | None = "local",
    ) -> Job:
        """Change a queued job's priority, or put it before or after another."""
        return await self.jobs_store.move(id, priority=priority, before=before, after=after, owner=owner)

    async def answer(self, id: str, call: str, choice: str, *, owner: str | None = "local") -> Job:
        """Answer what a waiting job asks."""
        return await self.jobs_store.answer(id, call, choice, owner=owner)

    async def verify(self, id: str, *, owner: str | None = "local") -> Verdict:
        """Make a finished run or a file again without the cache, and compare."""
        return await self.proofs.verify(id, owner)

    # -- watching

    async def events(
        self, after: int = 0, *, owner: str | None = None, job: str = "", limit: int = 1000
    ) -> list[Event]:
        """Stored events after a sequence number."""
        return await self.jobs_store.events(after, owner=owner, job=job, limit=limit)

    def subscribe(self, listener: Listener) -> None:
        """Call this on the loop with every event and preview from now on; it must not block."""
        self._listeners.append(listener)

    def unsubscribe(self, listener: Listener) -> None:
        if listener in self._listeners:
            self._listeners.remove(listener)

    def previews(self, owner: str) -> list[Preview]:
        """The newest preview of each of this owner's jobs that run now."""
        running = self.dispatch.live.values()
        return [live.preview for live in running if live.preview is not None and live.owner == owner]

    @property
    def last_seq(self) -> int:
        """Sequence number of the newest stored event."""
        return self.jobs_store.last_seq

    def _publish(self, event: Event | Preview) -> None:
        for listener in list(self._listeners):
            listener(event)

    def _hear(self, event: Event) -> None:
        self._publish(event)
        if event.kind in ("job.created", "job.state", "job.moved", "answer"):
            self.dispatch.wake()
            for waiter in self._waiters.get(event.job, ()):
                if not waiter.done():
                    waiter.set_result(None)

    def _with_live(self, job: Job) -> Job:
        live = self.dispatch.live.get(job.id)
        if live is None or job.state != "running":
            return job
        return replace(job, progress=live.progress, steps={**job.steps, **live.steps})

    # -- describing

    def palette(self) -> dict[str, Any]:
        """Every node, and the packs that failed to load with the reason."""
        return palette(self.registry)

    def node(self, id: str) -> NodeSpec:
        """One node, or NotFound with the nearest names."""
        entry = self.registry.get(id)
        if entry is None:
            near = self.registry.nearest(id)
            raise NotFound(
                f"There is no node {id!r}.", remedy=f"Did you mean {' or '.join(near)}?" if near else ""
            )
        return entry.spec

    async def models(self) -> list[ModelFile]:
        """Every model on this machine."""
        return await asyncio.to_thread(Models.of(self.settings).list)

    async def info(self) -> dict[str, Any]:
        """Versions, worker, queue, disk."""
        return {
            "name": "Tessera",
            "version": VERSION,
            "python": platform.python_version(),
            "libraries": libraries(),
            "device": self.settings.device,
            "worker": self.dispatch.host.status(),
            "queue": {"paused": self.dispatch.paused, **await self.jobs_store.counts()},
            "data": {"free_bytes": free_bytes(self.settings.data)},
            "nodes": len(self.registry.nodes),
            "packs_failed": len(self.registry.failed),
            "secrets": self.vault.names(),
            "signs_as": self.credentials.own.subject if self.credentials.own else None,
            "last_seq": self.last_seq,
            "safety": safety.told(self.settings),
        }

    async def app_schema(self, name: str, owner: str = "local") -> dict[str, Any]:
        """A saved workflow's named inputs as JSON schemas, and what it gives."""
        document, _ = await self.library.get(name, owner)
        raw, _ = await self.desk.document(document, owner)
        return signature(shape(raw), self.planner)

    # -- artifacts

    async def add_artifact(self, data: bytes, *, name: str = "", owner: str = "local") -> str:
        """Keep an upload, typed by its content and never as a page that a browser would run; its id.

        Raises TooLarge, Unsupported, or Invalid if the value of a secret is in it.
        """
        if len(data) > self.settings.upload_limit:
            limit = self.settings.upload_limit
            raise TooLarge(
                f"The file has {len(data):,} bytes; {limit:,} are allowed.", remedy="Send a smaller file."
            )
        mime = sniff(data)
        if not data:
            raise Unsupported("The file is empty.", remedy="Send a file with content.")
        for sent in (data, name.encode("utf-8", "replace")):
            await asyncio.to_thread(self.vault.refuse_request, sent)
        sha256 = await asyncio.to_thread(self.store.put, data)
        artifact = Artifact(sha256, mime, len(data), name[:200], *dimensions(data))
        return await self.assets.add(artifact, owner, "input")

    async def artifact(self, id: str, *, owner: str | None = "local") -> Artifact:
        """What an artifact is, or NotFound."""
        return await self.assets.get(id, owner)

    async def artifact_path(
        self, id: str, *, size: int = 0, owner: str | None = "local"
    ) -> tuple[Path, Artifact]:
        """The artifact's file, or that of its thumbnail with at most `size` pixels a side."""
        artifact = await self.assets.get(id, owner)
        if size:
            return await self.thumbnails.path(artifact.sha256, size), artifact
        path = self.store.path(artifact.sha256)
        if not path.is_file():
            raise NotFound("The content of this artifact is gone.", remedy="Run what made it again.")
        return path, artifact

    async def delete_artifact(self, id: str, *, owner: str | None = "local") -> None:
        """Forget an artifact; the last owner's takes the bytes and every cached result of them along."""
        artifact = await self.assets.get(id, owner)
        if artifact.sha256 in await self.jobs_store.needed():
            raise Conflict("A run that is not over needs this artifact.", remedy="Wait for it, or cancel it.")
        await self.retention.drop([await self.assets.delete(id, owner)])

    def artifact_id(self, artifact: Artifact, owner: str) -> str:
        """The id under which this owner has an artifact."""
        return self.assets.id_of(owner, artifact.sha256)

    def _check_form(self, document: bytes) -> None:
        """A document may be saved when its form is right; what it names need not be there yet."""
        self.vault.refuse_request(document)
        parse(document)

    # -- packs

    async def _describe_packs(self, known: packs.Packs) -> None:
        self.registry = self._core.with_packs(await known.described())
        self.planner = self.desk.planner = Planner(self.registry)

    async def _watch_packs(self, known: packs.Packs) -> None:
        """A saved node file gives the new node on the next run."""
        if not self.settings.packs.is_dir():
            return

        async def changed(names: set[str]) -> None:
            await self._describe_packs(known)
            failed = [msgspec.to_builtins(f) for f in self.registry.failed if f.pack in names]
            await self.jobs_store.emit(Event("packs", data={"changed": sorted(names), "failed": failed}))

        await packs.watch(self.settings.packs, changed)


@cache
def libraries() -> dict[str, str]:
    """Versions of what results and answers depend on most."""
    return {name: version(name) for name in ("torch", "diffusers", "transformers", "aiohttp", "msgspec")}


def inward(value: Any) -> Any:
    """An output as a caller in Python gets it: artifacts as Artifact."""
    if isinstance(value, list):
        return [inward(item) for item in value]
    if isinstance(value, dict) and value.keys() == {"artifact"}:
        return msgspec.convert(value["artifact"], Artifact)
    return value


__all__ = ["Engine", "Host", "Invalid", "RunFailed"]
