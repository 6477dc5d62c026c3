"""Small stand-ins for model and prompts: the contract of the service is tested without weights."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from api.app import create_app
from api.database import Database
from api.parts import Parts
from api.settings import Settings, load_settings
from api.state import LoadParts
from ckepe.errors import LLMError
from ckepe.prompt_set import Generator, LabelPrompt, PromptSet
from merl_core.errors import InvalidRecordError
from merl_core.records import STANDARD_LEADS, DeviceReport, Record, RecordWarning

from .server import running_server

ECG_BYTES = b"FAKE-ECG 500 Hz"


@dataclass
class FakeReaders:
    """Knows one format: files that begin with `FAKE-ECG`."""

    names: list[str] = field(default_factory=list)
    is_closed: bool = False

    def read(self, files: Mapping[str, bytes]) -> Record:
        self.names += list(files)
        content = next(iter(files.values()))
        if content.startswith(b"BROKEN"):
            msg = "lead 'V3' ends at sample 12, expected 5000"
            raise InvalidRecordError(msg, code="broken_file")
        if not content.startswith(b"FAKE-ECG"):
            msg = "the file is of no known ECG format"
            raise InvalidRecordError(msg, code="unknown_format")
        t = np.arange(5000) / 500.0
        signal = np.tile(np.sin(2 * np.pi * 1.2 * t), (12, 1)).astype(np.float32)
        warning = RecordWarning("calibration_pulse_removed", "0.2 s at the end were removed")
        device = DeviceReport({"heart_rate_bpm": 72.0, "pr_ms": 150.5}, ("Sinus rhythm",))
        return Record(
            signal, STANDARD_LEADS, 500.0, "fake", "ab" * 32, device=device, warnings=(warning,)
        )

    def read_paths(self, paths: Sequence[Path]) -> Record:
        return self.read({path.name: path.read_bytes() for path in paths})

    def close(self) -> None:
        self.is_closed = True


class FakeEngine:
    """Scores by the length of a prompt."""

    model_id = "fake"
    sha256 = "00" * 32
    config_sha256 = "11" * 32
    n_reference = 200
    backend = "fake-float32"

    n_waiting = 0

    def prepare(self, record: Record) -> Any:
        return record.signal[None], ()

    def encode(self, windows: Any) -> Any:
        return windows.mean(axis=-1)

    def close(self) -> None:
        pass

    def score(self, features: Any, warnings: Any, prompts: Mapping[str, str]) -> Any:
        if any(text == "explode" for text in prompts.values()):
            msg = "DOE^JANE must not be seen"
            raise RuntimeError(msg)
        scores = [
            SimpleNamespace(
                label=label,
                score=len(text) / 100,
                percentile=50.0,
                percentile_interval=(43.1, 56.9),
                probability=None,
                notes=(),
            )
            for label, text in prompts.items()
        ]
        return SimpleNamespace(scores=scores, warnings=())


class FakeEngineer:
    """Grounds every label but those that hold `zzz`."""

    def engineer(
        self, labels: Sequence[str], *, label_set: str | None, llm: str, **options: Any
    ) -> PromptSet:
        if llm == "required":
            msg = "no language model is set"
            raise LLMError(msg)
        prompts = tuple(
            LabelPrompt(
                label=label,
                meaning=label,
                grounded="zzz" not in label,
                concept_ids=() if "zzz" in label else ("ECG:atrial-fibrillation",),
                text=label if "zzz" in label or label == "explode" else f"{label}, as drawn",
            )
            for label in labels
        )
        for done, prompt in enumerate(prompts, start=1):
            if options.get("on_progress") is not None:
                options["on_progress"](done, len(prompts))
            if prompt.label == "fail late":
                msg = "the language model went away"
                raise LLMError(msg)
        return PromptSet(
            label_set=label_set,
            generator=Generator(llm=None, templates={}, sources=()),
            prompts=prompts,
        )

    def verify(self, label: str, phrases: Sequence[str], label_set: str | None = None) -> list[Any]:
        return [
            SimpleNamespace(
                phrase=phrase, verdict="reject", relation="unknown", evidence=(), reason="unknown"
            )
            for phrase in phrases
        ]

    def fits(self, text: str) -> bool:
        return True


class FakeRetriever:
    """Finds one concept."""

    def check(self) -> None:
        pass

    def search(
        self,
        query: str,
        top_k: int = 10,
        label_set: str | None = None,
        *,
        nearest: bool = False,
    ) -> list[Any]:
        if query == "green tea" and not nearest:
            return []
        return [
            SimpleNamespace(
                concept_id="ECG:atrial-fibrillation",
                canonical_name="atrial fibrillation",
                source="merl",
                score=1.0,
                matched=query,
                xrefs=("SCP:AFIB",),
            )
        ]


def fake_parts(settings: Settings, say: Callable[[str], None]) -> Parts:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    knowledge: Any = SimpleNamespace(concepts={}, sources={})
    return Parts(
        engine=FakeEngine(),
        readers=FakeReaders(),
        engineer=FakeEngineer(),
        retriever=FakeRetriever(),
        knowledge=knowledge,
        database=Database(settings.sqlalchemy_url),
    )


def loading_thread(client: TestClient) -> Any:
    return client.app.state.merl._thread


ClientFactory = Callable[..., TestClient]


@pytest.fixture
def make_client(tmp_path: Path) -> Iterator[ClientFactory]:
    """Start applications with small stand-ins; settings are the keyword arguments."""
    open_clients: list[TestClient] = []

    def make(
        *,
        load_parts: LoadParts = fake_parts,
        wait: bool = True,
        **overrides: object,
    ) -> TestClient:
        settings = load_settings(**overrides)
        client = TestClient(create_app(settings, load_parts=load_parts))
        client.__enter__()
        open_clients.append(client)
        if wait:
            loading_thread(client).join(timeout=30)
        return client

    yield make
    for client in open_clients:
        client.__exit__(None, None, None)


@pytest.fixture
def client(make_client: ClientFactory) -> TestClient:
    return make_client()


@pytest.fixture(scope="session")
def data_dir(request: pytest.FixtureRequest) -> Path:
    """A folder that keeps the concept index from run to run."""
    assert request.config.cache is not None
    return request.config.cache.mkdir("merl-data")


@pytest.fixture(scope="session")
def server(data_dir: Path) -> Iterator[tuple[str, Path]]:
    """A real process with the real parts: its URL and its log."""
    checkpoint = os.environ.get("MERL_TEST_CHECKPOINT", "merl-base")
    settings = {"MERL_LOG_LEVEL": "DEBUG", "MERL_CHECKPOINT": checkpoint}
    with running_server(data_dir, **settings) as started:
        yield started
