"""JSON files that users name."""

import json
from pathlib import Path
from typing import Any

from merl_core.errors import MerlError


def read_json(path: Path, what: str) -> Any:
    """Return the content of a JSON file.

    Args:
        path: The file.
        what: Its purpose, as the error names it.

    Raises:
        MerlError: It cannot be read, or is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"{what} {str(path)!r} cannot be read: {error.strerror}"
        raise MerlError(msg) from error
    except ValueError as error:
        msg = f"{what} {str(path)!r} is not JSON: {error}"
        raise MerlError(msg) from error
