"""The page in a real browser, against the real service."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .server import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1000), pytest.mark.filterwarnings("ignore")]

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
EXAMPLE = ROOT / "api" / "web" / "example-ecg.csv"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    if shutil.which(CHROMIUM) is None:
        pytest.skip(f"no Chromium at {CHROMIUM}")
    with playwright.sync_playwright() as running:
        launched = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Any, server: tuple[str, Path]) -> Iterator[Any]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on(
        "request",
        lambda request: (
            faults.append(request.url)
            if not request.url.startswith((server[0], "blob:", "data:"))
            else None
        ),
    )
    opened.goto(f"{server[0]}/")
    yield opened
    context.close()
    assert faults == []


def try_example(page: Any) -> None:
    page.get_by_role("button", name="Try an example ECG").click()
    page.locator("#scores .score").first.wait_for(timeout=60_000)
    page.locator("#ecg svg").wait_for(timeout=60_000)


def add_class(page: Any, text: str) -> None:
    page.get_by_role("combobox", name="Add a class").fill(text)
    page.keyboard.press("Enter")


def test_one_press_shows_drawing_ranking_and_evidence(page: Any) -> None:
    try_example(page)
    assert page.locator("#scores .score").count() == 5
    assert page.locator("#mode").inner_text() == "Knowledge-only mode"
    page.locator("#scores summary").first.click()
    assert page.get_by_text("Prompt that was encoded").first.is_visible()
    assert page.get_by_text("Attributes").first.is_visible()
    assert "Research use only" in page.locator("#disclaimer").inner_text()


def test_a_file_is_chosen_and_a_class_added_in_words(page: Any) -> None:
    page.set_input_files("#file", EXAMPLE)
    page.locator("#scores .score").first.wait_for(timeout=60_000)
    add_class(page, "zorgle flumph")
    page.locator("#classify").click()
    page.get_by_text("not in any source").wait_for(timeout=60_000)


def test_suggestions_are_taken_with_the_keyboard(page: Any) -> None:
    page.get_by_role("combobox", name="Add a class").press_sequentially("atrial flut", delay=20)
    page.get_by_role("option", name="atrial flutter").first.wait_for(timeout=30_000)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.get_by_role("button", name="Remove atrial flutter").is_visible()


def test_a_file_that_is_no_ecg_is_explained(page: Any, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("no ECG")
    page.set_input_files("#file", tmp_path / "note.txt")
    page.get_by_role("alert").get_by_text("no known ECG format").first.wait_for(timeout=60_000)


def test_several_files_become_a_table(page: Any, tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        shutil.copy(EXAMPLE, tmp_path / name)
    (tmp_path / "c.txt").write_text("no ECG")
    page.set_input_files("#file", [tmp_path / n for n in ("a.csv", "b.csv", "c.txt")])
    page.get_by_text("3 recordings done").wait_for(timeout=60_000)
    assert page.locator("#batch tbody tr").count() == 3
    page.get_by_role("button", name="a.csv").click()
    page.locator("#ecg svg").wait_for(timeout=60_000)


def test_calipers_measure(page: Any) -> None:
    try_example(page)
    page.locator("#measure").click()
    box = page.locator("#ecg svg").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 90)
    page.mouse.up()
    assert " ms, " in page.locator(".caliper text").text_content()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Any, server: tuple[str, Path], scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{server[0]}/")
    try_example(page)
    page.locator("#scores summary").first.click()
    found = axe.Axe().run(page).response["violations"]
    serious = [
        (v["id"], [node["html"] for node in v["nodes"]])
        for v in found
        if v["impact"] in ("serious", "critical")
    ]
    context.close()
    assert serious == []


def test_a_phone_shows_the_page_without_sideways_scrolling(
    browser: Any, server: tuple[str, Path]
) -> None:
    context = browser.new_context(viewport={"width": 375, "height": 800})
    page = context.new_page()
    page.goto(f"{server[0]}/")
    try_example(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    context.close()


def test_the_api_documentation_opens_without_another_server(page: Any) -> None:
    page.goto(page.url + "docs")
    page.get_by_text("/classify/batch").first.wait_for(timeout=60_000)
