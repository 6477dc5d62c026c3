"""The documentation against the program."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Any

import pytest
import typer

from .api.server import dicom_of, running_server
from .documented_commands import ROOT, blocks, pages, runnable_pages, script_of

SECONDS = 900


@pytest.fixture(scope="module")
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    assert request.config.cache is not None
    data_dir = request.config.cache.mkdir("merl-data")
    with running_server(data_dir) as (url, _):
        yield url


@pytest.fixture
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """A folder's environment in which `merl` and `python` are those of this run.

    The commands bring their settings along: a client of `merl mcp` hands it next to nothing of its
    own environment, and the index in the user's data folder is not ours to build.
    """
    assert request.config.cache is not None
    settings = {
        "PYTHONPATH": str(ROOT),
        "MERL_DATA_DIR": str(request.config.cache.mkdir("merl-data")),
    }
    exports = "".join(f"export {name}={quote(value)}\n" for name, value in settings.items())
    commands = tmp_path / "commands"
    commands.mkdir()
    for name, call in (("merl", '-c "from api.cli import main; main()"'), ("python", "")):
        script = f'#!/bin/sh\n{exports}exec {quote(sys.executable)} {call} "$@"\n'
        (commands / name).write_text(script)
        (commands / name).chmod(0o755)
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("MERL_")},
        **settings,
        "PATH": f"{commands}:/usr/local/bin:/usr/bin:/bin",
        "COLUMNS": "120",
    }


def put_examples(folder: Path) -> None:
    """Put the files into `folder` that the pages speak of, all simulated."""
    from merl_core.records import STANDARD_LEADS, Record
    from merl_core.simulate import simulate
    from merl_core.simulated_files import write_simulated

    batch = simulate([["atrial-fibrillation"]], n_records=1, fs=500, duration_s=10.0, seed=3)
    (folder / "ecg.dcm").write_bytes(dicom_of(Record(batch.signals[0], STANDARD_LEADS, 500.0)))
    write_simulated(folder / "simulated", None, n_records=3, fs=500, duration_s=10.0, seed=4)
    header = next((folder / "simulated").rglob("*.hea"))
    for part in header.parent.glob(f"{header.stem}.*"):
        content = part.read_bytes().replace(header.stem.encode(), b"record")
        (folder / f"record{part.suffix}").write_bytes(content)
    (folder / "api" / "web").mkdir(parents=True)
    shutil.copy(ROOT / "api" / "web" / "example-ecg.csv", folder / "api" / "web")


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 60)
@pytest.mark.parametrize("name", runnable_pages())
def test_every_command_of_a_page_runs(
    name: str, url: str, environment: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    put_examples(folder)
    done = subprocess.run(
        ["bash", "-c", script_of(ROOT / name, url)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"


def test_a_command_that_is_not_run_says_why() -> None:
    unsaid = [
        f"{block.page}:{block.line}"
        for page in pages()
        for block in blocks(page)
        if block.reason is not None and len(block.reason.split()) < 3
    ]
    assert unsaid == []


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
def test_make_serve_serves(environment: dict[str, str]) -> None:
    """`make serve`, as README and first page say; its installation is done by then."""
    if not (ROOT / ".venv" / "bin" / "merl").exists():
        pytest.skip("no .venv/bin/merl: the tests run from another environment")
    for name in (".service", ".dev"):
        (ROOT / ".venv" / name).touch()
    import socket
    import time

    import httpx

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**environment, "MERL_PORT": str(port)}
    process = subprocess.Popen(["make", "serve"], cwd=ROOT, env=environment, start_new_session=True)
    try:
        status = 0
        for _ in range(600):
            try:
                status = httpx.get(f"http://127.0.0.1:{port}/ready").status_code
            except httpx.TransportError:
                assert process.poll() is None
            if status == 200:
                break
            time.sleep(0.5)
        assert status == 200
        assert "Classify" in httpx.get(f"http://127.0.0.1:{port}/").text
    finally:
        os.killpg(process.pid, 15)
        process.wait(timeout=60)


def inline_commands(word: str) -> set[tuple[str, ...]]:
    found: set[tuple[str, ...]] = set()
    for page in pages():
        for text in re.findall(rf"`{word} ([^`\n]+)`", page.read_text(encoding="utf-8")):
            found.add(tuple(re.findall(r"^[a-z0-9-]+|(?<= )[a-z][a-z0-9-]*", text)))
    return found


def test_every_merl_command_that_a_page_names_exists() -> None:
    from api.cli import app

    root: Any = typer.main.get_command(app)
    unknown = []
    for words in inline_commands("merl"):
        command = root
        for word in words:
            if not getattr(command, "commands", None):
                break
            if word not in command.commands:
                unknown.append(" ".join(words))
                break
            command = command.commands[word]
    assert unknown == []


def test_no_curl_command_loses_classes_behind_a_semicolon() -> None:
    # curl's -F ends a value at `;`, and drops what follows without a word.
    cut = re.compile(r"-F\s+(['\"])(?!file)\w+=[^'\"]*;")
    assert [b.page for page in pages() for b in blocks(page) if cut.search(b.text)] == []


def test_every_make_target_that_a_page_names_exists() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert {words[0] for words in inline_commands("make") if words} <= targets


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


@pytest.mark.slow
def test_the_documentation_builds_with_every_link_right(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0, done.stderr
    outside = re.compile(r'<(?:script|link|img)[^>]+(?:src|href)="https?://(?!127\.0\.0\.1)[^"]+"')
    loaded = [
        (page.name, tag)
        for page in (tmp_path / "site").rglob("*.html")
        for tag in outside.findall(page.read_text(encoding="utf-8"))
    ]
    assert loaded == []


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


def files_named_in_the_tree() -> list[Path]:
    """Return what the README's tree names, each beneath the folder that it stands under."""
    tree = (ROOT / "README.md").read_text().split("## What is where")[1].split("```")[1]
    named: list[Path] = []
    folder = ROOT
    for line in tree.strip("\n").splitlines():
        names = re.match(r" *((?:[\w.-]+/?(?: {1,2}|$))+)", line)
        if names is None or re.match(r" {26,}", line):
            continue
        words = [word for word in names[1].split() if re.search(r"[./]|^[A-Z]\w+file$", word)]
        base = folder if line.startswith("  ") else ROOT
        named += [base / word for word in words]
        if not line.startswith("  "):
            folder = ROOT / words[0]
    return named


def test_every_file_of_the_readmes_tree_exists() -> None:
    named = files_named_in_the_tree()
    assert len(named) > 40
    assert [str(path.relative_to(ROOT)) for path in named if not path.exists()] == []


@pytest.mark.slow
@pytest.mark.timeout(SECONDS)
@pytest.mark.filterwarnings("ignore")
def test_the_tutorial_runs_from_top_to_bottom(tmp_path: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    notebook = nbformat.read(ROOT / "docs" / "tutorial.ipynb", as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(ROOT / "docs")}}
    )
    client.execute()
    shown = [
        output["data"]["text/html"]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "text/html" in output.get("data", {})
    ]
    assert any("<svg" in html and "left bundle branch block" in html for html in shown)
