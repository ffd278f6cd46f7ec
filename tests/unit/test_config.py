"""Settings: one file, then the environment, then what is given."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.config import PREFIX, Settings, settings
from engine.errors import Invalid
from engine.safety import Checker, rules_of


@pytest.fixture(autouse=True)
def _empty_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def write(text: str, name: str = "tessera.toml") -> Path:
    path = Path(name)
    path.write_text(text, "utf-8")
    return path


def test_without_anything_the_defaults_hold() -> None:
    assert settings() == Settings()
    assert settings().host == "127.0.0.1"


def test_the_file_beside_us_is_read() -> None:
    write('port = 9000\nmodels = ["a", "b"]\n')
    assert settings().port == 9000
    assert settings().models == [Path("a"), Path("b")]


def test_the_environment_wins_over_the_file_and_what_is_given_over_both(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write("port = 9000\nthreads = 3\njobs_at_once = 2\n")
    monkeypatch.setenv("TESSERA_PORT", "9001")
    monkeypatch.setenv("TESSERA_THREADS", "5")
    found = settings(threads=7, device=None)
    assert (found.port, found.threads, found.jobs_at_once, found.device) == (9001, 7, 2, "auto")


def test_variables_are_text_and_become_what_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESSERA_PREVIEWS", "false")
    monkeypatch.setenv("TESSERA_CANCEL_GRACE", "2.5")
    monkeypatch.setenv("TESSERA_MODELS", f"one{os.pathsep}two{os.pathsep}")
    monkeypatch.setenv("TESSERA_ALLOWED_HOSTS", "a.example,b.example")
    found = settings()
    assert (found.previews, found.cancel_grace) == (False, 2.5)
    assert found.models == [Path("one"), Path("two")]
    assert found.allowed_hosts == ["a.example", "b.example"]


def test_modes_and_checkers_are_said_in_variables_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESSERA_MODE_LIMIT", "2")
    monkeypatch.setenv("TESSERA_MODE_LIMITS", "alice=1,bob=0")
    monkeypatch.setenv("TESSERA_CHECKERS", "words,nsfw-image:0.7")
    found = settings()
    assert (found.mode, found.mode_limit, found.mode_limits) == (0, 2, {"alice": 1, "bob": 0})
    checkers = rules_of(found).checkers
    assert checkers == (Checker("words"), Checker("nsfw-image", 0.7))
    monkeypatch.setenv("TESSERA_CHECKERS", "nsfw-image:much")
    with pytest.raises(Invalid, match="nsfw-image:much"):
        rules_of(settings())


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TESSERA_PORT", "")
    assert settings().port == Settings().port


def test_a_home_folder_is_filled_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert settings(data="~/data").data == tmp_path / "data"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("prot = 1", "prot"),
        ("port = 70000", "port"),
        ("port = -1", "port"),
        ('device = "gpu"', "device"),
        ("jobs_at_once = 0", "jobs_at_once"),
        ("threads = -1", "threads"),
        ("port = ", "tessera.toml"),
    ],
)
def test_a_wrong_setting_is_named(text: str, says: str) -> None:
    write(text)
    with pytest.raises(Invalid, match=says):
        settings()


def test_a_file_that_is_named_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Invalid, match=r"other\.toml"):
        settings(Path("other.toml"))
    monkeypatch.setenv("TESSERA_CONFIG", "elsewhere.toml")
    with pytest.raises(Invalid, match=r"elsewhere\.toml"):
        settings()


def test_the_environment_may_name_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write("port = 9002", "mine.toml")
    monkeypatch.setenv("TESSERA_CONFIG", "mine.toml")
    assert settings().port == 9002
