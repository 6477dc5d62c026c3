"""A stop that was asked for: requests under way are answered, and the process ends well."""

import json
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest

from .server import ROOT, server_process, wait_until_ready

pytestmark = pytest.mark.timeout(1000)
EXAMPLE = ROOT / "api" / "web" / "example-ecg.csv"


@pytest.mark.slow
def test_what_is_under_way_is_answered_after_sigterm(data_dir: Path) -> None:
    content = EXAMPLE.read_bytes()
    files = [("file", (f"{n}.csv", content)) for n in range(24)]
    lines: list[dict[str, object]] = []
    has_begun = threading.Event()

    def ask(url: str) -> None:
        with httpx.stream(
            "POST",
            f"{url}/classify/batch",
            files=files,
            data={"labels": "normal ECG"},
            headers={"accept": "application/x-ndjson"},
            timeout=300,
        ) as answer:
            for line in answer.iter_lines():
                lines.append(json.loads(line))
                has_begun.set()

    settings = {"MERL_CHECKPOINT": "merl-sim", "MERL_DRAIN_TIMEOUT_S": "300"}
    with server_process(data_dir, **settings) as (process, url, log):
        wait_until_ready(url, process, log)
        thread = threading.Thread(target=ask, args=(url,))
        thread.start()
        assert has_begun.wait(120)
        process.send_signal(signal.SIGTERM)
        thread.join(300)
        assert process.wait(timeout=120) == 0
    assert [line["index"] for line in lines] == list(range(24))
    assert all(line["error"] is None for line in lines)
    assert "Traceback" not in log.read_text()


@pytest.mark.slow
def test_a_stop_while_the_service_loads_is_no_failure(tmp_path: Path) -> None:
    with server_process(tmp_path, MERL_CHECKPOINT="merl-sim") as (process, _, log):
        end = time.monotonic() + 300
        while "opening the concept index" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < end, log.read_text()
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=120) == 0, log.read_text()
    assert '"ready"' not in log.read_text()
    assert "Traceback" not in log.read_text()
