"""Record the README's run of the main job, and its picture, from a running program.

`python scripts/record_readme.py ecg.dcm` starts the service, classifies the file, writes command
and answer between the README's markers, and photographs the page into docs/images/page.png.
"""

import argparse
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import sync_playwright

from benchmarks.service import start

ROOT = Path(__file__).parents[1]
LABELS = "atrial fibrillation; left bundle branch block; normal ECG"
NOT_RUN = (
    "<!-- not run: the file is not shipped; tests/api/test_main_job.py does this with another -->\n"
)
MARKERS = re.compile(r"(<!-- recorded:main-job -->\n).*?(<!-- /recorded -->)", re.DOTALL)


def recorded(url: str, path: Path) -> str:
    """Return command and shortened answer as Markdown."""
    answer: dict[str, Any] = httpx.post(
        f"{url}/classify",
        files={"file": (path.name, path.read_bytes())},
        data={"labels": LABELS},
        timeout=300,
    ).json()
    answer["record"]["quality"]["checks"] = ["..."]
    answer["record"]["leads"] = ["I", "II", "..."]
    for score in answer["scores"]:
        score["prompt"] = score["prompt"][:58] + "..."
        score["score"] = round(score["score"], 3)
    answer["timings_ms"] = {"total": answer["timings_ms"]["total"]}
    for name in ("sha256", "config_sha256"):
        answer["model"][name] = answer["model"][name][:8] + "..."
    answer["prompt_set"]["id"] = answer["prompt_set"]["id"][:8] + "..."
    answer["record"]["sha256"] = answer["record"]["sha256"][:8] + "..."
    answer["disclaimer"] = answer["disclaimer"][:18] + "..."
    command = f"curl -F file=@{path.name} -F 'labels={LABELS}' 127.0.0.1:8000/classify"
    body = ",\n ".join(f'"{key}": {json.dumps(value)}' for key, value in answer.items())
    return f"{NOT_RUN}```sh\n{command}\n```\n\n```json\n{{{body}}}\n```\n"


def photograph(url: str, target: Path, chromium: str) -> None:
    """Save the page after the example, with the first class open."""
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1240, "height": 1000})
        page.goto(f"{url}/")
        page.get_by_role("button", name="Try an example ECG").click()
        page.locator("#scores .score").first.wait_for(timeout=120_000)
        page.locator("#ecg svg").wait_for(timeout=120_000)
        page.locator("#scores summary").first.click()
        page.mouse.move(5, 5)
        page.wait_for_timeout(400)
        page.screenshot(path=target)
        browser.close()


def main() -> None:
    """Start the service, record, and stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--checkpoint", default="merl-base")
    parser.add_argument(
        "--data-dir", type=Path, default=Path(tempfile.gettempdir()) / "merl-record"
    )
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    options.data_dir.mkdir(parents=True, exist_ok=True)
    process, url, _ = start(options.data_dir, options.checkpoint)
    try:
        readme = ROOT / "README.md"
        text = recorded(url, options.file)
        readme.write_text(
            MARKERS.sub(lambda m: m[1] + text + m[2], readme.read_text(encoding="utf-8")),
            encoding="utf-8",
        )
        photograph(url, ROOT / "docs" / "images" / "page.png", options.chromium)
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
