"""The MCP server: with the SDK's own client, in this process and over stdio."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from api.service import Service
from api.settings import load_settings

from .conftest import ECG_BYTES, fake_parts
from .server import ROOT

mcp = pytest.importorskip("mcp", reason="the extra `mcp` is not installed")

EXAMPLE = ROOT / "api" / "web" / "example-ecg.csv"


def call(use: Callable[[Any], Any], root: Path | None = None) -> Any:
    """Run `use` with a client of a server in this process."""
    from api.mcp_server import create_server

    settings = load_settings()
    server = create_server(lambda: Service(fake_parts(settings, lambda doing: None)), root=root)

    async def run() -> Any:
        async with mcp.Client(server) as client:
            return await use(client)

    return anyio.run(run)


def test_three_tools_are_described_with_the_schema_of_their_answers() -> None:
    tools = call(lambda client: client.list_tools()).tools
    assert {tool.name for tool in tools} == {"classify", "generate_prompts", "search_knowledge"}
    assert all(tool.description and tool.output_schema for tool in tools)


def test_a_file_is_classified(tmp_path: Path) -> None:
    (tmp_path / "ecg.fake").write_bytes(ECG_BYTES)
    arguments = {"path": str(tmp_path / "ecg.fake"), "labels": ["normal ECG", "flutter"]}
    answer = call(lambda client: client.call_tool("classify", arguments))
    assert not answer.is_error
    assert {score["label"] for score in answer.structured_content["scores"]} == {
        "normal ECG",
        "flutter",
    }
    assert "Research use only" in answer.structured_content["disclaimer"]


def test_generated_prompts_are_used_by_their_id(tmp_path: Path) -> None:
    (tmp_path / "ecg.fake").write_bytes(ECG_BYTES)

    async def use(client: Any) -> Any:
        made = await client.call_tool("generate_prompts", {"labels": ["normal ECG"]})
        arguments = {
            "path": str(tmp_path / "ecg.fake"),
            "prompt_set": made.structured_content["id"],
        }
        return made, await client.call_tool("classify", arguments)

    made, scored = call(use)
    assert scored.structured_content["prompt_set"]["id"] == made.structured_content["id"]


def test_knowledge_is_searched() -> None:
    answer = call(lambda client: client.call_tool("search_knowledge", {"query": "afib"}))
    assert answer.structured_content["hits"][0]["canonical_name"] == "atrial fibrillation"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "/no/such/file", "labels": ["a"]}, "unreadable"),
        ({"path": "broken", "labels": ["a"]}, "broken_file"),
        ({"path": "ecg.fake", "labels": []}, "no_classes"),
        ({"path": "ecg.fake", "labels": ["a"], "label_set": "none"}, "unknown_label"),
    ],
)
def test_what_cannot_be_done_is_told_with_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("ecg.fake").write_bytes(ECG_BYTES)
    Path("broken").write_bytes(b"BROKEN")
    answer = call(lambda client: client.call_tool("classify", arguments))
    assert answer.is_error
    assert message in answer.content[0].text


def test_files_outside_of_the_root_are_refused(tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "ecg.fake").write_bytes(ECG_BYTES)
    (tmp_path / "root" / "link").symlink_to(tmp_path / "ecg.fake")
    for path in (tmp_path / "ecg.fake", tmp_path / "root" / "link"):
        arguments = {"path": str(path), "labels": ["a"]}
        answer = call(
            lambda client, a=arguments: client.call_tool("classify", a), tmp_path / "root"
        )
        assert "forbidden" in answer.content[0].text


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_command_serves_over_stdio(data_dir: Path) -> None:
    from mcp import StdioServerParameters, stdio_client

    server = StdioServerParameters(
        command=sys.executable,
        args=["-c", "from api.cli import main; main()", "mcp", "--root", str(EXAMPLE.parent)],
        cwd=ROOT,
        env={**os.environ, "MERL_DATA_DIR": str(data_dir), "PYTHONPATH": str(ROOT)},
    )

    async def run() -> tuple[Any, Any]:
        async with mcp.Client(stdio_client(server)) as client:
            labels = ["left bundle branch block", "normal ECG"]
            found = await client.call_tool("search_knowledge", {"query": "LBBB", "top_k": 1})
            scored = await client.call_tool("classify", {"path": str(EXAMPLE), "labels": labels})
            return found.structured_content, scored.structured_content

    found, scored = anyio.run(run)
    assert found["hits"][0]["canonical_name"] == "left bundle branch block"
    assert scored["scores"][0]["label"] == "left bundle branch block"
