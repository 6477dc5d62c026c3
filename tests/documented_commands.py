"""The commands of README and documentation, as the fenced blocks that hold them.

A block of `sh` or `python` is run, unless the line before it says `<!-- not run: why -->`. Blocks
of a page run in order, in one shell and one folder, beside a running service.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
_BLOCK: Final = re.compile(
    r"(?:<!-- not run: (?P<reason>[^\n]+?) -->\n+)?"
    r"^(?P<indent> *)```(?P<language>sh|bash|console|python|shell)\n(?P<text>.*?)^ *```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block."""

    page: str
    line: int
    language: str
    text: str
    reason: str | None
    """Why it is not run."""


def pages() -> list[Path]:
    """Return README and every page of the documentation."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """Return the blocks of a page in their order."""
    content = page.read_text(encoding="utf-8")
    return [
        Block(
            page=str(page.relative_to(ROOT)),
            line=content.count("\n", 0, found.start("text")),
            language=found["language"],
            text=re.sub(rf"^{found['indent']}", "", found["text"], flags=re.MULTILINE),
            reason=found["reason"],
        )
        for found in _BLOCK.finditer(content)
    ]


def script_of(page: Path, url: str) -> str:
    """Return one shell script of the page's blocks, the service's address put in."""
    parts = ["set -euo pipefail"]
    for block in blocks(page):
        if block.reason is not None:
            continue
        parts.append(f"echo '--- {block.page}:{block.line}' >&2")
        text = block.text.replace("http://127.0.0.1:8000", url)
        text = text.replace("127.0.0.1:8000", url.removeprefix("http://"))
        if block.language == "python":
            text = f"python - <<'END_OF_BLOCK'\n{text}END_OF_BLOCK\n"
        parts.append(text.replace(".venv/bin/merl", "merl"))
    return "\n".join(parts)


def runnable_pages() -> list[str]:
    """Return the pages that hold something to run."""
    return [
        str(page.relative_to(ROOT))
        for page in pages()
        if any(block.reason is None for block in blocks(page))
    ]
