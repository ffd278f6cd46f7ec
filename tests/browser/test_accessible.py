"""Pages can be read, reached and used by everybody: in both themes, at 390 px and at 400 % zoom."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.async_api import Page, ViewportSize, expect

from engine.config import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="session")
AXE = ROOT / "web" / "editor" / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]
READ = ("/", "/gallery", "/queue", "/models", "/settings")
PAGES = (*READ, "/graph/text_to_image")
THEMES = ("dark", "light")
PHONE = ViewportSize(width=390, height=844)
ZOOMED = ViewportSize(width=340, height=205)
"""What is left of 1360x820 at 400 %."""


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("path", READ)
async def test_a_page_breaks_no_rule_of_wcag(page: Page, path: str, theme: str) -> None:
    await opened(page, path, theme)
    assert await broken(page) == []


@pytest.mark.parametrize("theme", THEMES)
async def test_the_graph_breaks_no_rule_of_wcag(page: Page, theme: str) -> None:
    """At full size: from afar cards are as small as one likes, and Outline has the same controls."""
    await opened(page, "/graph/text_to_image", theme)
    await page.get_by_role("article", name="Sample").locator("header").click()
    await page.keyboard.press(".")
    for panel in ("Nodes", "Workflows", "Outline"):
        await page.get_by_role("tab", name=panel).click()
        await expect(page.get_by_role("tabpanel", name=panel)).to_contain_text(re.compile(r"\w"))
        assert await broken(page) == []
    await page.keyboard.press("Shift+F10")
    await expect(page.get_by_role("menu")).to_be_visible()
    assert await broken(page) == []


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_fits_on_a_phone_without_scrolling_sideways(page: Page, path: str) -> None:
    await fits(page, path, PHONE)


@pytest.mark.parametrize("path", PAGES)
async def test_a_page_is_usable_at_four_hundred_percent(page: Page, path: str) -> None:
    await fits(page, path, ZOOMED)


async def fits(page: Page, path: str, size: ViewportSize) -> None:
    await page.set_viewport_size(size)
    await opened(page, path, "dark")
    assert await page.evaluate("document.documentElement.scrollWidth") <= size["width"]
    assert await cut_off(page) == []


async def opened(page: Page, path: str, theme: str) -> None:
    """The page once it has drawn itself, in a theme."""
    kept = f'{{"version":1,"theme":"{theme}"}}'
    await page.add_init_script(f"localStorage.setItem('tessera.settings', '{kept}')")
    await page.goto(path)
    await expect(page.get_by_role("main")).to_be_visible()
    await expect(page.get_by_role("heading", level=1)).to_be_attached()
    await expect(page.locator("html")).to_have_attribute("data-theme", re.compile(theme))
    await page.wait_for_load_state("networkidle")


async def broken(page: Page) -> list[str]:
    """What axe has to say against the page: a rule and where, each once."""
    await page.evaluate(AXE.read_text("utf-8"))
    found: dict[str, Any] = await page.evaluate(
        "rules => axe.run(document, {runOnly: {type: 'tag', values: rules}})", RULES
    )
    return [
        f"{rule['id']}: {node['target']} {node['html'][:160]} {node['failureSummary'][:300]}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


async def cut_off(page: Page) -> list[str]:
    """The buttons, links and fields of the bar and the page that lie beyond the right edge, out of reach."""
    found: list[str] = await page.evaluate(
        """() => [...document.querySelectorAll('header, main, header *, main *')].filter((one) => {
          const { left, right, width } = one.getBoundingClientRect()
          if (!one.matches('a, button, input, select, textarea, summary') || width < 2) return false
          if (!one.checkVisibility({visibilityProperty: true})) return false
          for (let up = one.parentElement; up; up = up.parentElement)
            if (/auto|scroll/.test(getComputedStyle(up).overflowX) && up.scrollWidth > up.clientWidth)
              return false
          return !one.closest('.react-flow') && (right > innerWidth + 1 || left < -1)
        }).map((one) => one.outerHTML.slice(0, 160))"""
    )
    return found
