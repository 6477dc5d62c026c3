"""`merl doctor`: what is installed and set, and whether a classification works."""

import platform
import time
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import httpx
import numpy as np

from api.errors import KNOWN_ERRORS
from api.keys import KeyStore
from api.parts import Parts
from api.service import Stopwatch, score_record
from api.settings import Settings, prepare_data_dir
from merl_core.records import STANDARD_LEADS, Record

_PACKAGES: Final = ("torch", "chromadb", "fastapi", "langchain-openai", "pydicom", "wfdb")
_LABELS: Final = ("normal ECG", "atrial fibrillation")


@dataclass(frozen=True, slots=True)
class Finding:
    """Result of one check."""

    name: str
    ok: bool
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """Return the finding as plain data."""
        return asdict(self)


def examine(settings: Settings) -> list[Finding]:
    """Return what was found; a check that fails does not stop the others."""
    findings = [_python(), _packages(), _data_dir(settings), _device(settings), _llm(settings)]
    start = time.perf_counter()
    try:
        parts = _load(settings)
    except KNOWN_ERRORS as error:
        return [*findings, Finding("model and index", ok=False, detail=str(error))]
    seconds = time.perf_counter() - start
    try:
        findings.append(_model(parts, seconds))
        findings.append(_sources(parts))
        findings.append(_database(parts, settings))
        findings.append(_self_test(parts))
    finally:
        parts.engine.close()
        parts.readers.close()
        parts.database.close()
    return findings


def _load(settings: Settings) -> Parts:
    from api.assembly import load_parts

    return load_parts(settings, lambda text: None)


def _python() -> Finding:
    return Finding("python", ok=True, detail=f"{platform.python_version()}, {platform.platform()}")


def _packages() -> Finding:
    found, missing = [], []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    detail = ", ".join(found) + (f"; missing: {', '.join(missing)}" if missing else "")
    return Finding("packages", ok=not missing, detail=detail)


def _data_dir(settings: Settings) -> Finding:
    try:
        prepare_data_dir(settings)
    except KNOWN_ERRORS as error:
        return Finding("data folder", ok=False, detail=str(error))
    return Finding("data folder", ok=True, detail=str(settings.data_dir))


def _device(settings: Settings) -> Finding:
    import torch

    has_cuda = torch.cuda.is_available()
    name = torch.cuda.get_device_name() if has_cuda else f"CPU, {torch.get_num_threads()} threads"
    ok = has_cuda or settings.device != "cuda"
    return Finding("device", ok=ok, detail=f"MERL_DEVICE is {settings.device!r}; found {name}")


def _llm(settings: Settings) -> Finding:
    if not settings.has_llm:
        return Finding("language model", ok=True, detail="none set: knowledge-only mode")
    key = settings.llm_api_key.get_secret_value()
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    url = f"{settings.llm_base_url}/models"
    try:
        status = httpx.get(url, headers=headers, timeout=5.0).status_code
    except httpx.HTTPError as error:
        return Finding("language model", ok=False, detail=f"{url}: {type(error).__name__}")
    return Finding("language model", ok=status == 200, detail=f"{url} answers {status}")


def _model(parts: Parts, seconds: float) -> Finding:
    engine = parts.engine
    detail = (
        f"{engine.model_id} ({engine.sha256[:12]}) on {engine.backend}, "
        f"{engine.n_reference} reference recordings, loaded in {seconds:.1f} s"
    )
    return Finding("model and index", ok=True, detail=detail)


def _sources(parts: Parts) -> Finding:
    names = ", ".join(f"{s.name} {s.version}" for s in parts.knowledge.sources.values())
    detail = f"{len(parts.knowledge.concepts)} concepts from {names}"
    return Finding("knowledge", ok=True, detail=detail)


def _database(parts: Parts, settings: Settings) -> Finding:
    n_valid = sum(key.is_valid for key in KeyStore(parts.database).all())
    n_keys = n_valid + len(settings.api_keys)
    is_open = not n_keys and settings.host not in ("127.0.0.1", "::1", "localhost")
    keys = f"{n_keys} valid API keys" if n_keys else "no API key: every request is answered"
    where = f"; MERL_HOST is {settings.host!r}, so others reach it" if is_open else ""
    detail = f"{parts.database.description}; {keys}{where}"
    return Finding("database and keys", ok=not is_open, detail=detail)


def _self_test(parts: Parts) -> Finding:
    record = Record(signal=_made_up_signal(), leads=STANDARD_LEADS, fs=500.0)
    start = time.perf_counter()
    try:
        prompts = parts.engineer.engineer(_LABELS, label_set=None, llm="off")
        scores = score_record(parts.engine, record, prompts.texts, Stopwatch()).scores
    except KNOWN_ERRORS as error:
        return Finding("self-test", ok=False, detail=str(error))
    ms = (time.perf_counter() - start) * 1000
    detail = ", ".join(f"{item.label} {item.score:.3f}" for item in scores)
    return Finding("self-test", ok=True, detail=f"{detail} in {ms:.0f} ms")


def _made_up_signal() -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """Return ten seconds of a crude heart beat, shape (12, 5000), millivolts."""
    t = np.arange(5000) / 500.0
    beat = np.exp(-(((t % 0.8) - 0.4) ** 2) / (2 * 0.012**2))
    gains = np.array([0.6, 1.0, 0.4, -0.8, 0.1, 0.7, -0.5, 0.2, 0.6, 1.1, 1.0, 0.8])
    noise = np.random.default_rng(0).normal(0, 0.01, (12, t.size))
    return (gains[:, None] * beat + noise).astype(np.float32)
