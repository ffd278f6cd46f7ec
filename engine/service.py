"""Engine: submit, watch, cancel, describe. All that the web, the command line and the tests use."""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from engine import assets as assets_of
from engine import jobs as jobs_of
from engine import library as library_of
from engine import packs
from engine.artifacts import Folder
from engine.assets import Assets
from engine.config import ROOT, Settings, settings
from engine.db import Database
from engine.digest import digest
from engine.dispatch import Dispatch
from engine.errors import Conflict, Invalid, NotFound, Problem, TesseraError
from engine.events import FINAL, Event, Job, JobState, Preview, Request
from engine.jobs import Jobs
from engine.library import Library
from engine.node import NodeSpec
from engine.owner import Owner, Ownership
from engine.planner import Planner
from engine.registry import Registry, palette
from engine.requests import Prepared, prepare
from engine.runner import Assignment, Outcome
from engine.types import Artifact
from engine.uploads import Uploads
from engine.verify import Verdict, compare
from engine.workers import Child, Here
from engine.workflow import parse, read

log = logging.getLogger("tessera")

MIGRATIONS = (*jobs_of.MIGRATIONS, *library_of.MIGRATIONS, *assets_of.MIGRATIONS)
Listener = Callable[[Event | Preview], None]
PATIENCE = 3600.0
"""Seconds that `wait` waits when it is not told."""
HOUR = 3600.0


class Failed(TesseraError):
    """The run failed."""

    code = "failed"
