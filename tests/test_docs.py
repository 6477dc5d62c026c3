"""The documentation against the program."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_reference_pages_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, "docs/reference/generate.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": "/tmp"},
    )
    assert done.returncode == 0, done.stderr


def test_every_page_is_in_the_navigation_and_every_entry_exists() -> None:
    named = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text()))
    there = {str(path.relative_to(ROOT / "docs")) for path in (ROOT / "docs").rglob("*.md")}
    assert named == there


def test_every_local_link_of_the_readme_exists() -> None:
    text = (ROOT / "README.md").read_text()
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", text)
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_simulators_page_shows_the_results_of_its_benchmark() -> None:
    result = json.loads((ROOT / "benchmarks" / "results" / "sim_to_real.json").read_text())
    page = (ROOT / "docs" / "simulator.md").read_text()
    for row in result["findings"]:
        assert (
            f"| {row['finding']} | {row['code']} | {row['n_positive']} | {row['auroc']:.3f} |"
            in page
        )
    assert f"`{result['model']}`" in page
