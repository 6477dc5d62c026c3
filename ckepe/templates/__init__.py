"""Prompt texts for language models, one file each."""

import hashlib
from functools import cache
from pathlib import Path
from string import Template
from typing import Final

from ckepe.errors import CkepeError

_FOLDER: Final = Path(__file__).parent


@cache
def load_template(name: str) -> Template:
    """Return a template by its name."""
    return Template((_FOLDER / f"{name}.txt").read_text(encoding="utf-8"))


def fill(name: str, **values: str | int) -> str:
    """Return a template with its variables filled in.

    Raises:
        CkepeError: A variable is missing, or one too many is given.
    """
    template = load_template(name)
    expected = set(template.get_identifiers())
    if expected != set(values):
        wrong = ", ".join(sorted(expected ^ set(values)))
        msg = f"template {name!r} and the values given differ in: {wrong}"
        raise CkepeError(msg)
    return template.substitute(values)


def template_hashes() -> dict[str, str]:
    """Return the sha256 of every template, by name."""
    return {
        path.stem: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(_FOLDER.glob("*.txt"))
    }
