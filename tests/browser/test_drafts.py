"""What somebody changed is never lost: drafts, versions, two windows, a server that was away."""

from __future__ import annotations

import json
import re
import socket
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.serving import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")


def put(site: Server, name: str, title: str) -> None:
    steps = {"add": {"node": "add", "version": 1, "values": {"a": 1, "b": 2}}}
    body = {"tessera": 1, "title": title, "steps": steps, "outputs": {"sum": "add.out"}}
    save(site, name, body)


def save(site: Server, name: str, body: dict[str, object]) -> None:
    assert site.ask("PUT", f"/api/workflows/{name}", json.dumps(body, indent=2).encode() + b"\n").status < 300


def document(site: Server, name: str) -> str:
    return site.ask("GET", f"/api/workflows/{name}").data.decode()


async def test_what_was_not_saved_comes_back_and_the_file_stays(page: Page, site: Server) -> None:
    put(site, "drafted", "As saved")
    await page.goto("/graph/drafted")
    title = page.get_by_role("textbox", name="Title")
    await expect(title).to_have_value("As saved")
    await title.fill("Changed and not saved")
    tab = page.get_by_role("tab", name="Changed and not saved, not saved")
    await expect(tab).to_be_visible()
    async with page.expect_response(lambda answer: "/api/drafts/t" in answer.url, timeout=2000):
        pass
    await page.reload()
    await expect(title).to_have_value("Changed and not saved")
    await title.fill("Changed just before the page was left")
    await page.reload()
    await expect(title).to_have_value("Changed just before the page was left")
    await title.fill("Changed and not saved")
    await expect(tab).to_be_visible()
    assert '"As saved"' in document(site, "drafted")
    await page.keyboard.press("Control+s")
    await expect(page.get_by_role("tab", name="Changed and not saved", exact=True)).to_be_visible()
    assert '"Changed and not saved"' in document(site, "drafted")


async def test_a_window_that_is_gone_leaves_its_changes_to_the_next(
    page: Page, chromium: Browser, site: Server
) -> None:
    put(site, "left_behind", "As saved")
    lost = await chromium.new_page(base_url=site.url)
    await lost.goto("/graph/left_behind")
    await expect(lost.get_by_role("textbox", name="Title")).to_have_value("As saved")
    async with lost.expect_response(lambda answer: "/api/drafts/t" in answer.url):
        await lost.get_by_role("textbox", name="Title").fill("Made in a window that crashed")
    await lost.close()
    await page.goto("/graph/left_behind")
    title = page.get_by_role("textbox", name="Title")
    await expect(title).to_have_value("As saved")
    await page.get_by_role("button", name="Bring them back").click()
    await expect(title).to_have_value("Made in a window that crashed")


async def test_versions_are_compared_in_words_and_restored(page: Page, site: Server) -> None:
    for version in ("First", "Second", "Third"):
        put(site, "versioned", version)
    await page.goto("/graph/versioned")
    await page.get_by_role("tab", name="Versions").click()
    await page.get_by_role("button", name="Version 1").click()
    lines = page.get_by_role("list", name="What is different since")
    await expect(lines).to_contain_text("The title is now “Third”, it was “First”.")
    await page.get_by_label("Compared with").select_option("version 2")
    await expect(lines).to_contain_text("The title is now “Second”, it was “First”.")
    await page.get_by_role("button", name="Restore").click()
    title = page.get_by_role("textbox", name="Title")
    await expect(title).to_have_value("First")
    await page.get_by_role("button", name="Undo").click()
    await expect(title).to_have_value("Third")


@pytest.mark.expects("412")
async def test_two_windows_never_overwrite_each_other_unseen(
    page: Page, chromium: Browser, site: Server
) -> None:
    put(site, "shared", "As saved")
    other = await chromium.new_page(base_url=site.url)
    for window in (page, other):
        await window.goto("/graph/shared")
        await expect(window.get_by_role("textbox", name="Title")).to_have_value("As saved")
    await page.get_by_role("textbox", name="Title").fill("Mine")
    await other.get_by_role("textbox", name="Title").fill("Theirs")
    await other.get_by_role("button", name="Save", exact=True).click()
    await expect(other.get_by_role("button", name="Saved")).to_be_visible()
    await page.get_by_role("button", name="Save", exact=True).click()
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_role("list", name="What they changed")).to_contain_text("now “Theirs”")
    await expect(dialog.get_by_role("list", name="What you changed")).to_contain_text("now “Mine”")
    await dialog.get_by_role("button", name="Keep mine as a copy").click()
    await expect(page).to_have_url(f"{site.url}/graph/shared_copy")
    assert '"Theirs"' in document(site, "shared")
    assert '"Mine"' in document(site, "shared_copy")
    await other.close()


async def test_workflows_are_tabs_that_are_named_renamed_and_deleted(page: Page, site: Server) -> None:
    put(site, "to_rename", "One of mine")
    await page.goto("/graph/to_rename")
    await expect(page.get_by_role("textbox", name="Title")).to_have_value("One of mine")
    await page.get_by_role("button", name="New workflow").click()
    await expect(page).to_have_url(f"{site.url}/graph")
    await page.get_by_role("textbox", name="Title").fill("A new one")
    await page.keyboard.press("Control+s")
    await page.get_by_role("dialog").get_by_role("button", name="Save").click()
    await expect(page).to_have_url(f"{site.url}/graph/a_new_one")
    await page.get_by_role("tab", name="One of mine").click()
    await expect(page).to_have_url(f"{site.url}/graph/to_rename")
    await page.get_by_role("tab", name="Workflows").click()
    await page.get_by_role("button", name="Rename to_rename").click()
    await page.get_by_role("textbox", name="Name", exact=True).fill("renamed")
    await page.get_by_role("dialog").get_by_role("button", name="Rename").click()
    await expect(page).to_have_url(f"{site.url}/graph/renamed")
    await page.get_by_role("button", name="Delete a_new_one").click()
    await expect(page.get_by_text("a_new_one is deleted.")).to_be_visible()
    await page.get_by_role("button", name="Take it back").click()
    await expect(page.get_by_role("button", name="Delete a_new_one")).to_be_visible()


async def test_a_workflow_goes_to_others_as_a_link_and_as_a_file(
    page: Page, chromium: Browser, site: Server, tmp_path: Path
) -> None:
    put(site, "to_share", "For others")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await page.goto("/graph/to_share")
    title = page.get_by_role("textbox", name="Title")
    await expect(title).to_have_value("For others")
    await page.get_by_role("tab", name="Workflows").click()
    await page.get_by_role("button", name="Link").click()
    await expect(page.get_by_text("The link is copied.")).to_be_visible()
    link = await page.evaluate("navigator.clipboard.readText()")
    assert link == f"{site.url}/graph/to_share"
    await title.fill("For others, not saved")
    async with page.expect_download() as coming:
        await page.get_by_role("button", name="File").click()
    file = tmp_path / (await coming.value).suggested_filename
    await (await coming.value).save_as(file)
    assert file.name == "to_share.json"
    other = await chromium.new_page(base_url=site.url)
    other.on("filechooser", lambda _: None)  # so that choosers are held back before the first one opens
    await other.goto(link)
    await expect(other.get_by_role("textbox", name="Title")).to_have_value("For others")
    await expect(other.get_by_role("region", name="Workflow").get_by_role("article")).to_be_visible()
    async with other.expect_file_chooser() as asked:
        await other.keyboard.press("Control+o")
    await (await asked.value).set_files(file)
    await expect(other.get_by_role("textbox", name="Title")).to_have_value("For others, not saved")
    await expect(other.get_by_role("tab", name="For others, not saved, not saved")).to_be_visible()
    await other.close()


async def test_the_seed_steps_on_and_a_change_runs_by_itself(page: Page, site: Server) -> None:
    steps = {"roll": {"node": "random_number", "version": 1, "values": {"seed": 7}}}
    body = {"tessera": 1, "title": "Dice", "steps": steps, "outputs": {"number": "roll.out"}}
    save(site, "dice", body)
    await page.goto("/graph/dice")
    seed = page.get_by_role("region", name="Workflow").get_by_label("Seed", exact=True)
    await expect(seed).to_have_value("7")
    await page.get_by_label("Ways to run").click()
    await page.get_by_role("radio", name="One more").check()
    await page.get_by_role("button", name="Run", exact=True).click()
    await expect(seed).to_have_value("8")
    await page.get_by_label("Ways to run").click()
    await page.get_by_role("checkbox", name="Run by itself").check()
    await seed.fill("40")
    await expect(seed).to_have_value("41")


@pytest.mark.expects("WebSocket", "ERR_CONNECTION_REFUSED")
async def test_a_restart_of_the_server_is_waited_for(chromium: Browser, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port = str(found.getsockname()[1])
    with Server(tmp_path / "data", "--port", port, mode="0") as server:
        window = await chromium.new_page(base_url=server.url)
        await window.goto("/graph")
        title = window.get_by_role("textbox", name="Title")
        await expect(title).to_have_value("Untitled")
        server.stop()
        away = window.get_by_text("The server does not answer.")
        await expect(away).to_be_visible()
        await title.fill("Made while it was away")
        async with window.expect_response(lambda answer: "/api/drafts/t" in answer.url):
            server.start()
        await expect(window.get_by_text("The server is back.")).to_be_visible(timeout=20_000)
        await expect(away).to_be_hidden()
        await window.reload()
        await expect(title).to_have_value("Made while it was away")
        await window.close()


@pytest.mark.expects("404")
async def test_where_no_workflow_is_nothing_of_another_is_shown(page: Page, site: Server) -> None:
    put(site, "to_leave", "Left alone")
    await page.goto("/graph/to_leave")
    middle = page.get_by_role("region", name="Workflow")
    await expect(middle.get_by_role("article", name="Add")).to_be_visible()
    await page.evaluate("history.pushState(null, '', '/graph/no_such')")
    await expect(middle.get_by_role("alert")).to_contain_text("no_such")
    await expect(page.get_by_label("Title", exact=True)).to_have_count(0)
    await expect(page.get_by_role("button", name="Run", exact=True)).to_have_count(0)
    await middle.get_by_text("New workflow").click()
    await expect(page.get_by_text("Double-click to add the first node.")).to_be_visible()
    await page.get_by_role("tab", name="Left alone").click()
    await expect(middle.get_by_role("article", name="Add")).to_be_visible()
    await expect(page).to_have_url(re.compile("/graph/to_leave$"))
