"""An engine in this process, and the diary in which its nodes write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.service import Engine
from tests.engines import opened
from tests.toys import Diary, fresh


@pytest.fixture
def diary() -> Diary:
    return fresh()


@pytest.fixture
async def engine(tmp_path: Path, diary: Diary) -> AsyncIterator[Engine]:
    async with opened(tmp_path) as engine:
        yield engine
