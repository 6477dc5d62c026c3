"""The audit of what is installed."""

import runpy
from pathlib import Path
from typing import Any

import pytest

AUDIT: dict[str, Any] = runpy.run_path(str(Path(__file__).parents[1] / "scripts" / "audit.py"))


@pytest.mark.parametrize(
    ("licence", "forbidden"),
    [
        ("MIT", False),
        ("GNU General Public License v3 (GPLv3)", True),
        ("AGPL-3.0-only", True),
        ("GPL-2.0-only OR MIT", False),
        ("GNU Lesser General Public License v3 (LGPLv3)", False),
    ],
)
def test_copyleft_that_reaches_our_code_is_refused(licence: str, forbidden: bool) -> None:
    assert AUDIT["is_forbidden"](licence) is forbidden


def test_every_line_of_the_lock_files_is_pinned() -> None:
    for lock in AUDIT["LOCKS"]:
        assert len(AUDIT["pins"](lock)) > 50


def test_a_line_that_pins_nothing_ends_the_audit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "loose.lock").write_text("numpy>=2\n")
    monkeypatch.setitem(AUDIT["pins"].__globals__, "ROOT", tmp_path)
    with pytest.raises(SystemExit, match=r"loose\.lock:1"):
        AUDIT["pins"]("loose.lock")
