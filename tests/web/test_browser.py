"""The files of the browser app as they are served, and as they travel in a wheel."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from engine.config import ROOT
from tests.web.served import Site
from web.browser import BUILT, PAGES

PACKAGED = ("engine", "nodes", "web", "server.py", "pyproject.toml", "README.md", "LICENSE")


def asset(ending: str) -> str:
    return next(path.name for path in sorted((BUILT / "assets").iterdir()) if path.name.endswith(ending))


@pytest.mark.parametrize("path", ["/", *PAGES])
async def test_every_page_of_the_app_is_the_app(site: Site, path: str) -> None:
    page = await site.get(path.replace("{name}", "text_to_image").replace("{id}", "abc"))
    assert page.status == 200
    assert b'<div id="app">' in page.body
    assert page.headers["Server"] == "Tessera"
    assert page.headers["Cache-Control"] == "no-store"


async def test_its_base_is_as_far_up_as_the_page_is_deep(site: Site) -> None:
    """So that its files are found behind any prefix that a proxy puts before the address."""
    bases = {"/": b"./", "/queue": b"./", "/graph/a": b"../"}
    for path, base in bases.items():
        assert b'<base href="' + base + b'" />' in (await site.get(path)).body


async def test_its_files_are_kept_for_ever_and_sent_compressed(site: Site) -> None:
    script = await site.get("/assets/" + asset(".js"), headers={"Accept-Encoding": "gzip"})
    assert script.status == 200
    assert script.headers["Content-Encoding"] == "gzip"
    assert script.headers["Cache-Control"].endswith("immutable")
    assert script.headers["Server"] == "Tessera"
    assert asset(".js.br")


@pytest.mark.parametrize(
    "name", ["nothing-12345678.js", "..%2F..%2Fapp.py", "%2e%2e/index.html", "index.html", ".made-of"]
)
async def test_nothing_else_is_a_file_of_the_app(site: Site, name: str) -> None:
    assert (await site.get("/assets/" + name)).status == 404


async def test_what_is_no_page_is_not_there(site: Site) -> None:
    for path in ("/nowhere", "/graph/a/b", "/admin.php", "/static/index.html"):
        assert (await site.get(path)).status == 404


def test_a_wheel_brings_the_built_app(tmp_path: Path) -> None:
    for name in PACKAGED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(
                source, tmp_path / name, ignore=shutil.ignore_patterns("node_modules", "__pycache__")
            )
        else:
            shutil.copy(source, tmp_path)
    build = "import sys; from setuptools.build_meta import build_wheel; print(build_wheel(sys.argv[1]))"
    command = [sys.executable, "-c", build, str(tmp_path / "wheel")]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    [wheel] = (tmp_path / "wheel").glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
    assert {"web/static/index.html", "web/static/assets/" + asset(".js.br"), "web/html/login.html"} <= names
    assert not [name for name in names if "editor" in name]
