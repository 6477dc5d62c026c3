"""Run folder: what was run, what it measured, and the state that it can go on from."""

import json
import os
import pickle
import platform
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import torch

from merl_core.errors import MerlError
from merl_core.json_file import read_json

RUN: Final = "run.json"
METRICS: Final = "metrics.jsonl"
STATE: Final = "state.pt"
_UNREADABLE: Final = (
    OSError, RuntimeError, EOFError, ValueError, LookupError, pickle.UnpicklingError
)  # fmt: skip


class RunFolder:
    """The folder of one run.

    Args:
        path: Made if absent.
        resume: Whether a run that is there goes on; None where another process has asked.

    Raises:
        MerlError: A run is there and `resume` is False, or is True and there is none.
    """

    def __init__(self, path: Path, *, resume: bool | None = False) -> None:
        self.path = path
        holds_run = (path / RUN).is_file()
        if holds_run and resume is False:
            msg = f"{path} holds a run: resume it, or name another folder"
            raise MerlError(msg)
        if resume and not holds_run:
            msg = f"{path}: no run to resume ({RUN} is absent)"
            raise MerlError(msg)

    def begin(self, content: dict[str, Any]) -> None:
        """Write what is run: config, data hashes, commit and versions.

        Raises:
            MerlError: A run that goes on was begun with another config or other data, or its file
                is damaged.
        """
        path = self.path / RUN
        content = json.loads(json.dumps(content))
        if path.is_file():
            before = read_json(path, "run")
            for key, value in content.items():
                if not isinstance(before, dict) or before.get(key) != value:
                    msg = f"{path}: the run was begun with another {key}; it cannot go on with this"
                    raise MerlError(msg)
            return
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / METRICS).unlink(missing_ok=True)
        whole = content | {"environment": _environment()}
        _write_durably(path, json.dumps(whole, indent=2).encode())

    def log(self, row: dict[str, Any]) -> None:
        """Add a row of metrics."""
        with (self.path / METRICS).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(row) + "\n")

    def save_state(self, state: dict[str, Any]) -> None:
        """Write the state in one piece: after a crash the last one is there, whole."""
        part = self.path / f"{STATE}.part"
        with part.open("wb") as stream:
            torch.save(state, stream)
            stream.flush()
            os.fsync(stream.fileno())
        part.replace(self.path / STATE)

    def load_state(self, device: torch.device) -> dict[str, Any] | None:
        """Return the last state, and forget metrics logged after it; None if there is none.

        Raises:
            MerlError: The file is damaged.
        """
        path = self.path / STATE
        if not path.is_file():
            return None
        try:
            state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
        except _UNREADABLE as error:
            msg = f"{path}: the state cannot be read, it is damaged or no state"
            raise MerlError(msg) from error
        return state

    @contextmanager
    def taking_up_state(self) -> Iterator[None]:
        """Turn what does not fit this training in its state into an error that names the file.

        Raises:
            MerlError: The state is another training's.
        """
        try:
            yield
        except (LookupError, TypeError, ValueError, RuntimeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            msg = f"{self.path / STATE}: not the state of this training ({reason})"
            raise MerlError(msg) from error

    def drop_metrics_after(self, step: int) -> None:
        """Forget rows of steps that are trained again."""
        path = self.path / METRICS
        if path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            whole = [line for line in lines if line.endswith("\n")]
            kept = [line for line in whole if json.loads(line)["step"] <= step]
            _write_durably(path, "".join(kept).encode())

    def metrics(self) -> list[dict[str, Any]]:
        """Return all rows."""
        text = (self.path / METRICS).read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]


def _environment() -> dict[str, Any]:
    return {
        "commit": _commit(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "n_threads": torch.get_num_threads(),
    }


def _commit() -> str | None:
    """Return the commit of this source tree, with a plus sign if it has changes."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)  # noqa: S603
        changes = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True)  # noqa: S603
    except OSError:
        return None
    if head.returncode:
        return None
    return head.stdout.strip() + ("+" if changes.stdout.strip() else "")


def _write_durably(path: Path, content: bytes) -> None:
    part = path.with_suffix(".part")
    with part.open("wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    part.replace(path)
