"""Shared fixtures: where development data is, and walls around every test."""

import os
import socket
from pathlib import Path

import pytest

# Before any test imports torch: no model hub, no telemetry, no thread storm on small machines.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("ANONYMIZED_TELEMETRY", "False")

SHARED = Path(os.environ.get("MERL_SHARED", Path(__file__).parents[2] / "shared"))
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


@pytest.fixture(scope="session")
def shared() -> Path:
    """The development material; tests that need it are skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(f"development material not found at {SHARED}")
    return SHARED


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the developer's own settings, or writes into the user's data folder."""
    for name in list(os.environ):
        if name.startswith("MERL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MERL_DATA_DIR", str(tmp_path / "merl-data"))


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that reaches beyond this machine fails."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = address[0] if isinstance(address, tuple) else address
            if host not in LOOPBACK:
                pytest.fail(f"a test tried to connect to {host!r}")
        connect(self, address)  # type: ignore[arg-type]

    monkeypatch.setattr(socket.socket, "connect", guarded)
