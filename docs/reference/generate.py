"""Write the reference pages from the code: `python docs/reference/generate.py [--check]`."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from api.app import create_app
from api.cli import app as cli
from api.errors import PROBLEMS
from api.settings import Settings

HERE = Path(__file__).parent
NOTE = "<!-- Written by docs/reference/generate.py; do not edit. -->\n\n"


def cli_page() -> str:
    """Return the command line's help as Markdown."""
    root = typer.main.get_command(cli)
    return NOTE + "# Command line\n\n" + "\n".join(_commands(root, "merl"))


def _commands(command: Any, path: str) -> Iterator[str]:
    yield f"{'#' * min(4, path.count(' ') + 2)} `{path}`\n"
    yield f"{(command.help or '').strip()}\n"
    rows = [_option(item) for item in command.params if item.name != "help"]
    if rows:
        yield "| option | what |\n|---|---|\n" + "\n".join(rows) + "\n"
    for name in sorted(getattr(command, "commands", {})):
        yield from _commands(command.commands[name], f"{path} {name}")


def _option(item: Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*item.opts, *item.secondary_opts))
    name = names if item.param_type_name == "option" else f"`{str(item.name).upper()}`"
    return f"| {name} | {(getattr(item, 'help', None) or '').replace('|', chr(92) + '|')} |"


def api_page() -> str:
    """Return routes and error codes as Markdown."""
    openapi = create_app(Settings(_env_file=None)).openapi()  # type: ignore[call-arg]
    lines = [NOTE + "# HTTP API\n", "The running service describes itself at `/docs`.\n"]
    lines.append("| route | what | scope | statuses |\n|---|---|---|---|")
    for path, methods in openapi["paths"].items():
        for method, operation in methods.items():
            statuses = ", ".join(sorted(operation["responses"]))
            scope = operation.get("x-scope", "")
            lines.append(
                f"| `{method.upper()} {path}` | {operation['summary']} | {scope} | {statuses} |"
            )
    lines.append("\n## Errors\n\nEvery error is `application/problem+json` with a stable `code`.\n")
    lines.append("| code | status | title |\n|---|---|---|")
    lines += [f"| `{code}` | {p.status} | {p.title} |" for code, p in PROBLEMS.items()]
    return "\n".join(lines) + "\n"


def model_card_page() -> str:
    """Return the cards of the bundled checkpoints."""
    root = HERE.parents[1]
    names = sorted(path.name for path in (root / "merl_core" / "checkpoints").iterdir())
    cards = (root / "benchmarks" / "cards" / f"{name}.md" for name in names)
    texts = [
        f"## {card.stem}\n\n{card.read_text(encoding='utf-8').strip()}\n"
        for card in cards
        if card.is_file()
    ]
    intro = (
        "The checkpoints that come with the package. `merl checkpoint show NAME` prints config, "
        "hashes and training data of one; `MERL_CHECKPOINT` chooses it.\n"
    )
    return "\n".join([f"{NOTE}# Model card\n", intro, *texts])


def settings_page() -> str:
    """Return the commented example of all settings."""
    example = (HERE.parents[1] / ".env.example").read_text(encoding="utf-8")
    intro = "From the environment, or from a file `.env` in the working directory.\n\n"
    return f"{NOTE}# Settings\n\n{intro}```sh\n{example}```\n"


def main() -> None:
    """Write the pages; with `--check`, say which are out of date and fail."""
    stale = []
    pages = {
        "cli.md": cli_page(),
        "api.md": api_page(),
        "settings.md": settings_page(),
        "../model-card.md": model_card_page(),
    }
    for name, text in pages.items():
        page = HERE / name
        if "--check" in sys.argv:
            if not page.is_file() or page.read_text(encoding="utf-8") != text:
                stale.append(name)
        else:
            page.write_text(text, encoding="utf-8")
    if stale:
        raise SystemExit(f"out of date: {', '.join(stale)}; run docs/reference/generate.py")


if __name__ == "__main__":
    main()
