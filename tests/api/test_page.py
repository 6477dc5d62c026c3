"""The page in a real browser, against the real service.

The pictures of README and documentation are taken here: `make screenshots` writes them to
docs/images, any other run only to a folder of its own.
"""

import csv
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.ecg_files import ge_muse, microvolts

from .server import ROOT

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1000), pytest.mark.filterwarnings("ignore")]

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
EXAMPLE = ROOT / "api" / "web" / "example-ecg.csv"
VIEWPORT = {"width": 1280, "height": 900}
WAIT_MS = 120_000
"""Longest wait for one thing on the page: processors may be shared with other work."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    if shutil.which(CHROMIUM) is None:
        if os.environ.get("CI"):
            pytest.fail(f"no Chromium at {CHROMIUM}: CI must run these tests")
        pytest.skip(f"no Chromium at {CHROMIUM}")
    with playwright.sync_playwright() as running:
        launched = running.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield launched
        launched.close()


@pytest.fixture
def picture(tmp_path: Path) -> Callable[[Any, str], Path]:
    """Take a picture of the page for the documentation."""
    folder = Path(os.environ.get("DOCS_IMAGES", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)

    def take(page: Any, name: str) -> Path:
        page.mouse.move(5, 5)
        page.wait_for_timeout(400)
        page.screenshot(path=folder / f"{name}.png")
        return folder / f"{name}.png"

    return take


def open_context(browser: Any, **options: Any) -> Any:
    context = browser.new_context(**{"viewport": VIEWPORT, **options})
    context.set_default_timeout(WAIT_MS)
    return context


@pytest.fixture
def page(browser: Any, server: tuple[str, Path]) -> Iterator[Any]:
    context = open_context(browser)
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
    page.locator("#scores .score").first.wait_for()
    page.locator("#ecg svg").wait_for()


def add_class(page: Any, text: str) -> None:
    page.get_by_role("combobox", name="Add a class").fill(text)
    page.keyboard.press("Enter")


def choose(page: Any, folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        if name.endswith(".txt"):
            (folder / name).write_text("no ECG")
        else:
            shutil.copy(EXAMPLE, folder / name)
    page.set_input_files("#file", [folder / name for name in names])


def generate(page: Any, labels: str) -> None:
    page.get_by_role("link", name="Prompts", exact=True).click()
    page.get_by_label("Classes, separated by ;").fill(labels)
    page.get_by_role("button", name="Generate").click()
    page.locator(".prompt-item").first.wait_for()


def open_review(page: Any, labels: str, name: str) -> None:
    generate(page, labels)
    page.get_by_text("Review and publish").click()
    page.get_by_label("Publish as").fill(name)
    page.get_by_label("Your name").fill("R. Reviewer")
    page.get_by_label("Why", exact=True).fill("Prompts of the study")
    page.get_by_role("button", name="Open review").click()
    page.locator(".decisions li").first.wait_for()
    page.get_by_label("Reason of the next decisions").fill("Agreed on by the study group")


def serious(page: Any) -> list[Any]:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    found = axe.Axe().run(page).response["violations"]
    return [
        (violation["id"], [node["html"] for node in violation["nodes"]])
        for violation in found
        if violation["impact"] in ("serious", "critical")
    ]


# --- one recording


def test_one_press_shows_drawing_ranking_and_evidence(page: Any, picture: Any) -> None:
    try_example(page)
    assert page.locator("#scores .score").count() == 5
    assert page.locator("#mode").inner_text() == "Knowledge only"
    page.locator("#scores summary").first.click()
    page.get_by_text("Prompt that was encoded").first.wait_for()
    page.get_by_text("Attributes").first.wait_for()
    assert "Research use only" in page.locator("#disclaimer").inner_text()
    page.set_viewport_size({"width": 1240, "height": 1000})
    page.evaluate("scrollTo(0, 0)")
    assert picture(page, "page").stat().st_size > 50_000


def test_a_percentile_is_shown_with_its_interval(page: Any) -> None:
    try_example(page)
    low, high = page.locator("#scores .interval").first.inner_text().split("\u2013")
    shown = float(page.locator("#scores .percentile .value").first.inner_text())
    assert float(low) <= shown <= float(high)
    assert page.locator("#scores .whisker").count() == 5


def test_a_file_is_chosen_and_a_class_added_in_words(page: Any) -> None:
    page.set_input_files("#file", EXAMPLE)
    page.locator("#scores .score").first.wait_for()
    add_class(page, "zorgle flumph")
    page.locator("#classify").click()
    page.get_by_text("not in any source").wait_for()


def test_what_the_device_measured_and_printed_is_listed(page: Any, tmp_path: Path) -> None:
    cart = tmp_path / "cart.xml"
    cart.write_bytes(ge_muse(microvolts(250, 10), 250))
    page.set_input_files("#file", cart)
    page.get_by_text("measured and printed (not used for the scores)").click()
    page.get_by_text("heart rate 75 /min, PR 150 ms").wait_for()
    page.get_by_text("Normal sinus rhythm").first.wait_for()


def test_a_file_is_dropped_anywhere_on_the_page(page: Any) -> None:
    page.evaluate(
        """async () => {
          const text = await (await fetch("/static/example-ecg.csv")).text();
          const data = new DataTransfer();
          data.items.add(new File([text], "dropped.csv"));
          document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true}));
        }"""
    )
    page.locator("#scores .score").first.wait_for()
    assert page.locator("#record-title").inner_text() == "dropped.csv"


def test_suggestions_are_taken_with_the_keyboard(page: Any) -> None:
    page.keyboard.press("/")
    page.get_by_role("combobox", name="Add a class").press_sequentially("atrial flut", delay=20)
    page.get_by_role("option", name="ECG statements").first.wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Remove atrial flutter").wait_for()


def test_a_file_that_is_no_ecg_is_explained_and_no_earlier_answer_stays(
    page: Any, tmp_path: Path
) -> None:
    try_example(page)
    choose(page, tmp_path, ("note.txt",))
    alert = page.get_by_role("alert")
    alert.get_by_text("note.txt: The file is of no known ECG format").wait_for()
    alert.get_by_text("Read are DICOM").wait_for()
    assert not page.locator("#outcome").is_visible()


def test_what_lacks_leads_is_drawn_with_what_it_lacks(page: Any, tmp_path: Path) -> None:
    rows = (line.split(",")[:7] for line in EXAMPLE.read_text().splitlines())
    (tmp_path / "limbs.csv").write_text("\n".join(",".join(row) for row in rows))
    page.set_input_files("#file", tmp_path / "limbs.csv")
    page.get_by_role("alert").get_by_text("'V1', 'V2'").wait_for()
    page.locator("#ecg svg").get_by_text("V1 not recorded").wait_for()
    assert not page.locator("#scores-card").is_visible()
    try_example(page)
    assert not page.get_by_role("alert").is_visible()


def test_layout_gain_and_speed_redraw_the_ecg(page: Any) -> None:
    try_example(page)
    for control, value, title in (
        ("#layout", "12x1", "25 mm/s, 10 mm/mV"),
        ("#gain", "20", "25 mm/s, 20 mm/mV"),
        ("#speed", "50", "50 mm/s, 20 mm/mV"),
    ):
        page.locator(control).select_option(value)
        page.locator("#ecg svg title").get_by_text(title).wait_for(state="attached")


def test_of_two_drawings_that_were_asked_for_the_later_one_stays(page: Any) -> None:
    try_example(page)
    held: list[Any] = []
    page.route("**/plot?*gain_mm_mv=20*", lambda route: held.append(route))
    page.locator("#gain").select_option("20")
    page.locator("#gain").select_option("5")
    page.locator("#ecg svg title").get_by_text("25 mm/s, 5 mm/mV").wait_for(state="attached")
    with page.expect_response("**/plot?*gain_mm_mv=20*"):
        held[0].continue_()
    page.wait_for_timeout(300)
    assert "5 mm/mV" in page.locator("#ecg svg title").text_content()


def test_zoom_widens_the_drawing(page: Any) -> None:
    try_example(page)
    before = page.locator("#ecg svg").bounding_box()["width"]
    page.get_by_role("button", name="Zoom in").click()
    assert page.locator("#ecg svg").bounding_box()["width"] > before * 1.2


def test_calipers_measure_what_is_dragged(page: Any) -> None:
    try_example(page)
    page.locator("#measure").click()
    box = page.locator("#ecg svg").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 90)
    page.mouse.up()
    mm = page.locator("#ecg svg").evaluate("svg => svg.viewBox.baseVal.width") / box["width"]
    ms, mv = page.locator("#readout").inner_text().split(", ")[:2]
    assert float(ms.removesuffix(" ms")) == pytest.approx(100 * mm / 25 * 1000, abs=10)
    assert float(mv.removesuffix(" mV")) == pytest.approx(30 * mm / 10, abs=0.05)


def test_calipers_move_and_grow_by_the_arrow_keys(page: Any) -> None:
    try_example(page)
    page.keyboard.press("c")
    assert page.locator("#readout").inner_text() == "500 ms, 1.00 mV, 120/min"
    page.keyboard.press("ArrowRight")
    assert page.locator("#readout").inner_text() == "500 ms, 1.00 mV, 120/min"
    page.keyboard.press("Shift+ArrowRight")
    assert page.locator("#readout").inner_text() == "540 ms, 1.00 mV, 111/min"
    page.keyboard.press("Shift+ArrowUp")
    assert page.locator("#readout").inner_text() == "540 ms, 1.10 mV, 111/min"


# --- wordings


def test_two_wordings_of_a_class_stand_side_by_side(page: Any, picture: Any) -> None:
    try_example(page)
    page.locator("#scores summary").first.click()
    trial = page.locator(".compare").first
    trial.get_by_label("encode exactly these words").check()
    wording = "left bundle branch block, QRS duration of 110 ms or more, wide QRS complex"
    trial.get_by_label("What if I word it so?").fill(wording)
    trial.get_by_role("button", name="Compare").click()
    page.locator(".side").nth(1).wait_for()
    assert page.locator("mark.only-second").all_inner_texts() == ["wide QRS complex"]
    assert "QS or rS complex in V1 and V2" in page.locator("mark.only-first").all_inner_texts()
    trial.scroll_into_view_if_needed()
    picture(page, "wordings")


def test_another_name_gets_a_prompt_of_its_own(page: Any) -> None:
    try_example(page)
    page.locator("#scores summary").first.click()
    trial = page.locator(".compare").first
    trial.get_by_label("What if I word it so?").fill("LBBB")
    trial.get_by_role("button", name="Compare").click()
    second = page.locator(".side").nth(1)
    second.wait_for()
    second.get_by_text("Evidence").click()
    second.get_by_text("Attributes").wait_for()


# --- several recordings


def test_several_recordings_become_a_table_that_sorts(
    page: Any, tmp_path: Path, picture: Any
) -> None:
    choose(page, tmp_path, ("ecg-10.csv", "ecg-2.csv", "note.txt"))
    page.get_by_text("3 recordings done").wait_for()
    page.locator("#batch").get_by_role("button", name="Recording").click()
    names = page.locator("#batch tbody th").all_inner_texts()
    assert names == ["ecg-2.csv", "ecg-10.csv", "note.txt"]
    page.locator("#batch").get_by_role("button", name="Recording").click()
    assert page.locator("#batch tbody th").first.inner_text() == "ecg-10.csv"
    assert page.locator("#batch th[aria-sort=descending]").inner_text().startswith("Recording")
    picture(page, "batch")
    page.get_by_role("button", name="ecg-2.csv").click()
    page.locator("#ecg svg").wait_for()


def test_the_table_is_saved_as_csv(page: Any, tmp_path: Path) -> None:
    choose(page, tmp_path, ("=formula.csv", "note.txt"))
    page.get_by_text("2 recordings done").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    with Path(download.value.path()).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert rows[0]["recording"] == "'=formula.csv"
    assert float(rows[0]["percentile_low"]) <= float(rows[0]["percentile"])
    assert "no ECG format" in rows[-1]["error"]


# --- history


def test_answers_are_kept_in_the_browser_and_opened_again(page: Any) -> None:
    try_example(page)
    page.get_by_role("link", name="History").click()
    page.get_by_role("button", name="Example ECG (simulated)", exact=True).click()
    page.reload()
    page.get_by_role("link", name="History").click()
    page.get_by_role("button", name="Example ECG (simulated)", exact=True).click()
    page.locator("#ecg svg").wait_for()
    assert page.locator("#scores .score").count() == 5
    page.locator("#scores summary").first.click()
    page.get_by_text("history keeps no recordings").wait_for()


def test_history_is_cleared_and_switched_off(page: Any) -> None:
    try_example(page)
    page.get_by_role("link", name="History").click()
    page.get_by_role("button", name="Clear all").click()
    page.get_by_text("Nothing yet").wait_for()
    page.get_by_label("keep answers").uncheck()
    page.get_by_role("link", name="Classify").click()
    page.locator("#classify").click()
    page.get_by_text("Done in").wait_for()
    page.get_by_role("link", name="History").click()
    page.get_by_text("Nothing yet").wait_for()


# --- prompts and their review


def test_prompts_are_generated_read_and_used(page: Any, picture: Any) -> None:
    generate(page, "atrial flutter; left bundle branch block; normal ECG")
    page.locator(".prompt-item summary").first.click()
    page.get_by_text("sawtooth").first.wait_for()
    picture(page, "prompts")
    page.get_by_role("button", name="Classify with it").click()
    assert page.locator("#classify").inner_text() == "Classify against 3 classes"
    try_example(page)
    assert page.locator("#scores .score").count() == 3
    page.get_by_role("button", name="Use classes in words instead").click()
    assert page.locator("#chips li").count() == 5


def test_generation_shows_its_progress_and_says_it_now_and_then(page: Any) -> None:
    page.get_by_role("link", name="Prompts", exact=True).click()
    page.locator("#generate-set").select_option("csn")
    page.evaluate(
        """() => {
          window.said = [];
          const words = document.querySelector(".generate [role=status]");
          const note = () => window.said.push([words.textContent, words.ariaLive]);
          new MutationObserver(note).observe(words, {childList: true});
        }"""
    )
    page.get_by_role("button", name="Generate").click()
    page.get_by_role("progressbar", name="Classes done").wait_for()
    page.locator(".prompt-item").nth(37).wait_for()
    said = [words for words, live in page.evaluate("said") if live == "polite" and words]
    assert said[0].startswith("Engineering")
    assert said[-1] == "38 of 38 classes done"
    assert 3 <= len(said) <= 8


def test_generation_is_stopped_by_the_keyboard(page: Any) -> None:
    page.route("**/prompts/generate", lambda route: None)  # never answered
    page.get_by_role("link", name="Prompts", exact=True).click()
    page.get_by_label("Classes, separated by ;").fill("a; b; c; d")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Stop").focus()
    page.keyboard.press("Enter")
    page.get_by_text("Stopped. Nothing was stored.").wait_for()
    assert page.get_by_role("button", name="Generate").is_enabled()
    assert not page.get_by_role("progressbar").is_visible()


def test_a_language_model_that_is_required_and_absent_is_said_so(page: Any) -> None:
    page.get_by_role("link", name="Prompts", exact=True).click()
    page.get_by_role("button", name="Generate").click()
    page.get_by_text("Name at least one class").wait_for()
    page.get_by_label("Classes, separated by ;").fill("atrial flutter")
    page.get_by_label("Proposed by").select_option("required")
    page.get_by_role("button", name="Generate").click()
    page.locator(".generate").get_by_text("none is configured").wait_for()


def test_a_review_decides_edits_and_publishes(page: Any, picture: Any) -> None:
    name = f"study-{os.getpid()}"
    open_review(page, "atrial flutter", name)
    assert page.get_by_role("button", name="Publish").is_disabled()
    first = page.locator(".decisions li").first
    first.get_by_role("button", name="Reject").click()
    first.get_by_text("rejected").wait_for()
    second = page.locator(".decisions li").nth(1)
    second.get_by_role("button", name="Edit").click()
    second.get_by_role("textbox").fill("atrial rate of 240 to 350/min")
    second.get_by_role("button", name="Save wording").click()
    second.get_by_text("edited").wait_for()
    picture(page, "review")
    page.get_by_role("button", name="Approve the").click()
    page.get_by_text("0 phrases to decide").wait_for()
    page.get_by_role("button", name="Publish").click()
    page.get_by_text(f"Published as {name}@1").wait_for()
    page.get_by_text("Audit trail").click()
    assert page.locator(".trail").last.get_by_text("R. Reviewer").count() >= 4
    page.get_by_role("link", name="All prompts").click()
    page.get_by_role("link", name=f"{name}@1").wait_for()


def test_a_phrase_that_verification_refuses_is_kept_only_on_purpose(page: Any) -> None:
    open_review(page, "atrial flutter", f"refused-{os.getpid()}")
    page.get_by_label("New phrase for atrial flutter").fill("delta wave")
    page.get_by_role("button", name="Propose").click()
    page.get_by_text("verification refuses 'delta wave'").wait_for()
    assert page.locator(".decisions li").filter(has_text="delta wave").count() == 0
    page.get_by_role("button", name="Keep it all the same").click()
    page.locator(".decisions li").filter(has_text="delta wave").wait_for()


def test_a_decision_without_a_reason_is_asked_for_one(page: Any) -> None:
    open_review(page, "atrial fibrillation", f"reason-{os.getpid()}")
    page.get_by_label("Reason of the next decisions").fill("")
    page.get_by_role("button", name="Reject").first.click()
    page.get_by_text("Give your name and a reason first").wait_for()
    assert page.locator(".decisions .rejected").count() == 0


# --- for everyone


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(
    browser: Any, server: tuple[str, Path], tmp_path: Path, picture: Any, scheme: str
) -> None:
    context = open_context(browser, color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{server[0]}/")
    found = {"start": serious(page)}
    try_example(page)
    if scheme == "dark":
        picture(page, "dark")
    page.locator("#scores summary").first.click()
    page.locator("#measure").click()
    page.get_by_role("button", name="Compare").first.click()
    page.locator(".side").nth(1).wait_for()
    found["classified"] = serious(page)
    page.locator("#help").click()
    found["help"] = serious(page)
    page.keyboard.press("Escape")
    choose(page, tmp_path, ("a.csv", "b.csv", "note.txt"))
    page.get_by_text("3 recordings done").wait_for()
    found["batch"] = serious(page)
    page.get_by_role("link", name="History").click()
    page.locator(".entry").first.wait_for()
    found["history"] = serious(page)
    page.get_by_role("link", name="Prompts", exact=True).click()
    page.get_by_text("Stored sets").wait_for()
    found["prompts"] = serious(page)
    open_review(page, "atrial flutter", f"axe-{scheme}-{os.getpid()}")
    found["review"] = serious(page)
    page.get_by_role("link", name="All prompts").click()
    page.route("**/prompts/generate", lambda route: None)
    page.get_by_label("Classes, separated by ;").fill("a; b; c; d")
    page.get_by_role("button", name="Generate").click()
    page.get_by_role("progressbar", name="Classes done").wait_for()
    found["progress"] = serious(page)
    context.close()
    assert {view: violations for view, violations in found.items() if violations} == {}


def wait_until_at_top(page: Any, selector: str) -> None:
    """Wait for the scrolling to an element; the page's policy forbids polls inside of it."""
    for _ in range(200):
        box = page.locator(selector).bounding_box()
        if box is not None and box["y"] < 40:
            return
        page.wait_for_timeout(50)
    pytest.fail(f"the page did not scroll to {selector}")


def test_a_phone_shows_every_view_without_sideways_scrolling(
    browser: Any, server: tuple[str, Path], tmp_path: Path, picture: Any
) -> None:
    context = open_context(browser, viewport={"width": 375, "height": 800})
    page = context.new_page()
    page.goto(f"{server[0]}/")
    widths = {}
    try_example(page)
    wait_until_at_top(page, "#results")
    page.locator("#scores summary").first.click()
    widths["classified"] = page.evaluate("document.documentElement.scrollWidth")
    page.locator("#record-title").scroll_into_view_if_needed()
    picture(page, "phone")
    choose(page, tmp_path, ("a.csv", "b.csv"))
    page.get_by_text("2 recordings done").wait_for()
    widths["batch"] = page.evaluate("document.documentElement.scrollWidth")
    page.get_by_role("link", name="History").click()
    page.locator(".entry").first.wait_for()
    widths["history"] = page.evaluate("document.documentElement.scrollWidth")
    open_review(page, "atrial flutter", f"phone-{os.getpid()}")
    widths["review"] = page.evaluate("document.documentElement.scrollWidth")
    context.close()
    assert max(widths.values()) <= 375, widths


def test_views_are_reached_by_keys_and_named_to_screen_readers(page: Any) -> None:
    for key, view in (("2", "Prompts"), ("3", "History"), ("1", "Classify")):
        page.keyboard.press(key)
        page.locator(".views a[aria-current=page]").get_by_text(view).wait_for()
    page.keyboard.press("?")
    page.get_by_role("dialog", name="Keyboard and reading help").wait_for()


def test_the_api_documentation_opens_without_another_server(page: Any) -> None:
    page.goto(page.url.split("#")[0] + "docs")
    page.get_by_text("/classify/batch").first.wait_for()
    page.get_by_text("Score several ECGs").wait_for()
    page.get_by_role("button", name="Switch between light and dark").click()
    assert "dark-mode" in page.locator("html").get_attribute("class")
    page.get_by_role("link", name="History").click()
    page.get_by_role("heading", name="History").wait_for()
