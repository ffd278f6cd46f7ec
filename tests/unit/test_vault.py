"""Secrets by name: where they come from, and how a text is kept free of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config import settings
from engine.errors import BadDeclaration, BadInput, Invalid, NodeFailed, Problem
from engine.node import declared, node
from engine.types import A, Lazy, Secret
from engine.vault import Vault, harmless, reveal


def test_values_come_from_the_environment_and_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "secrets.env"
    file.write_text("# ours\nONE=first-value\nTWO='second value'\n\n", "utf-8")
    monkeypatch.setenv("TESSERA_SECRET_TWO", "from-the-environment")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    found = Vault.of(settings(secrets=file))
    assert found.names() == ["ONE", "OPENAI_API_KEY", "TWO"]
    assert (found.value("ONE"), found.value("TWO")) == ("first-value", "from-the-environment")
    assert not {"TESSERA_SECRET_TWO", "OPENAI_API_KEY"} & harmless().keys()
    assert reveal(Secret("TWO")) == "from-the-environment"
    monkeypatch.setenv("OPENAI_API_KEY", "dummy")
    assert Vault.of(settings()).names() == ["TWO"]


def test_a_folder_has_a_file_for_each_name(tmp_path: Path) -> None:
    (tmp_path / "MINE").write_text("of the folder\n", "utf-8")
    (tmp_path / "..data").mkdir()
    assert Vault.of(settings(secrets=tmp_path)).value("MINE") == "of the folder"


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("SHORT=abc", "SHORT: bad setting, got a secret of 3"),
        ("lower=12345678", "capitals"),
        (None, "No such file"),
    ],
)
def test_what_cannot_be_a_secret_says_why_and_tells_nothing(
    tmp_path: Path, text: str | None, match: str
) -> None:
    file = tmp_path / "s"
    if text is not None:
        file.write_text(text, "utf-8")
    with pytest.raises(Invalid, match=match) as error:
        Vault.of(settings(secrets=file))
    assert "12345678" not in str(error.value)


def test_a_text_is_scrubbed_in_every_form() -> None:
    vault = Vault({"KEY": 'a "key"/é+1', "LONGER": 'a "key"/é+1 and more'})
    for form in ('a "key"/é+1', "a%20%22key%22%2F%C3%A9%2B1", r"a \"key\"/é+1", "YSAia2V5Ii/DqSsx"):
        assert vault.scrub(f"<{form}>") == "<[secret KEY]>"
    assert vault.scrub('a "key"/é+1 and more') == "[secret LONGER]"
    assert vault.clean(Problem("x", got='a "key"/é+1')) == Problem("x", got="[secret KEY]")
    with pytest.raises(NodeFailed, match="would give out the secret KEY"):
        vault.refuse('… a "key"/é+1'.encode(), "it")


def test_without_the_secret_the_remedy_is_said() -> None:
    with pytest.raises(BadInput, match="TESSERA_SECRET_KEY"):
        Vault({"OTHER": "12345678"}).value("KEY")


def test_an_input_may_name_its_secret_and_a_steering_node_takes_none() -> None:
    @node(category="test")
    def calls(key: Secret = Secret("OPENAI_API_KEY"), other: Secret | None = None) -> str:
        """Call a service."""
        return key.name

    [first, second] = declared(calls).spec.inputs
    assert (first.default, second.default) == ("OPENAI_API_KEY", None)
    with pytest.raises(BadDeclaration, match="steers the graph and takes a secret"):

        @node(category="test")
        async def steers(key: Secret, then: Lazy[A], given: A) -> A:
            """Wait."""
            return await then()
