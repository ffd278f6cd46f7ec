"""A data folder has one owner, for as long as that owner lives."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from engine.config import ROOT
from engine.errors import Owned
from engine.owner import LOCK, NOTE, Owner, Ownership, owner_of

HOLDER = """
import sys, time
from pathlib import Path
from engine.owner import Owner, Ownership
held = Ownership(Path(sys.argv[1]))
held.tell(Owner(4242, "http://127.0.0.1:1", "secret"))
print("held", flush=True)
time.sleep(60)
"""


def test_the_first_to_come_owns_the_folder(tmp_path: Path) -> None:
    held = Ownership(tmp_path / "new" / "data")
    assert owner_of(tmp_path / "new" / "data") == Owner(os.getpid())
    held.release()
    assert owner_of(tmp_path / "new" / "data") is None


def test_a_folder_that_nobody_owns_has_no_owner(tmp_path: Path) -> None:
    assert owner_of(tmp_path) is None
    assert owner_of(tmp_path / "nowhere") is None
    assert list(tmp_path.iterdir()) == []


def test_the_second_to_come_is_told_who_was_first_and_what_to_do(tmp_path: Path) -> None:
    held = Ownership(tmp_path / "data")
    held.tell(Owner(77, "http://127.0.0.1:8188"))
    with pytest.raises(Owned, match=r"data.*process 77 at http://127.0.0.1:8188") as caught:
        Ownership(tmp_path / "data")
    assert "--data" in caught.value.remedy
    assert str(tmp_path) not in str(caught.value)
    held.release()
    Ownership(tmp_path / "data").release()


def test_the_note_is_for_this_user_only(tmp_path: Path) -> None:
    held = Ownership(tmp_path)
    held.tell(Owner(1, "http://127.0.0.1:1", "secret"))
    assert stat.S_IMODE((tmp_path / NOTE).stat().st_mode) == 0o600
    assert [path.name for path in sorted(tmp_path.iterdir())] == [NOTE, LOCK]
    held.release()
    assert not (tmp_path / NOTE).exists()


def test_a_note_that_cannot_be_read_is_no_obstacle(tmp_path: Path) -> None:
    held = Ownership(tmp_path)
    (tmp_path / NOTE).write_text("{")
    with pytest.raises(Owned, match="another process"):
        Ownership(tmp_path)
    assert owner_of(tmp_path) is None
    held.release()


def test_a_killed_owner_leaves_the_folder_free(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert owner_of(tmp_path) == Owner(4242, "http://127.0.0.1:1", "secret")
        process.send_signal(signal.SIGKILL)
    assert owner_of(tmp_path) is None
    held = Ownership(tmp_path)
    assert owner_of(tmp_path) == Owner(os.getpid())
    held.release()
