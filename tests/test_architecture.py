"""What the layout promises: light imports, shipped files, a README that tells the truth."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def imported_by(module: str) -> set[str]:
    """Top-level modules that are loaded once `module` is, in a fresh interpreter."""
    code = f"import sys, {module}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("module", ["ckepe", "ckepe.prompt_set", "knowledge_sources.concept"])
def test_prompts_and_facts_import_without_torch(module: str) -> None:
    assert "torch" not in imported_by(module)


def test_torch_is_pinned_in_both_lock_files() -> None:
    for name in ("requirements.lock", "requirements-dev.lock"):
        assert re.search(r"^torch==2\.13\.0$", (ROOT / name).read_text(), re.MULTILINE), name


def test_every_direct_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = {
        line.split("==")[0].lower().replace("_", "-")
        for line in (ROOT / "requirements.lock").read_text().splitlines()
        if "==" in line and not line.startswith((" ", "#"))
    }
    asked = {re.split(r"[\[<>=~ ]", spec)[0].lower() for spec in project["dependencies"]}
    assert asked <= locked


def test_no_tracked_text_names_a_machine_path_or_a_registry() -> None:
    listed = subprocess.run(
        ["git", "ls-files"], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout.split("\n")
    forbidden = re.compile(r"/work/(main|wt|shared|tmp)|/root/|index-url\s+\S*//|find-links\s+/")
    suffixes = {".py", ".md", ".toml", ".yaml", ".yml", ".lock", ".json", ".txt", ".js", ".html"}
    this_file = Path(__file__).relative_to(ROOT)
    offenders = [
        name
        for name in listed
        if Path(name).suffix in suffixes
        and Path(name) != this_file
        and (ROOT / name).is_file()
        and forbidden.search((ROOT / name).read_text(encoding="utf-8"))
    ]
    assert offenders == []
