"""The service as its users meet it: start-up to ready, memory, and the warm answer to one record.

Run it with `python -m benchmarks.service`; it writes `benchmarks/results/service.json`.
"""

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "api" / "web" / "example-ecg.csv"
LABELS = [
    "normal ECG",
    "atrial fibrillation",
    "left bundle branch block",
    "first degree AV block",
    "left ventricular hypertrophy",
]
ENCODER_STAGE = "encode"


def start(data_dir: Path, checkpoint: str) -> tuple["subprocess.Popen[bytes]", str, float]:
    """Start the service; return its process, its URL and the seconds until it was ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "MERL_PORT": str(port),
        "MERL_DATA_DIR": str(data_dir),
        "MERL_CHECKPOINT": checkpoint,
        "MERL_LOG_LEVEL": "WARNING",
    }
    command = [sys.executable, "-c", "from api.cli import main; main()", "serve"]
    begin = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, env=environment)
    url = f"http://127.0.0.1:{port}"
    while True:
        if process.poll() is not None:
            raise SystemExit(f"the service ended with status {process.returncode}")
        try:
            if httpx.get(f"{url}/ready", timeout=5).status_code == 200:
                return process, url, time.perf_counter() - begin
        except httpx.HTTPError:
            pass
        time.sleep(0.1)


def resident_mb(pid: int) -> dict[str, float]:
    """Return the resident memory of a process and of its children, in megabytes."""
    children = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split()

    def one(number: int | str) -> float:
        text = Path(f"/proc/{number}/status").read_text()
        line = next(line for line in text.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024

    return {"service": round(one(pid)), "readers": round(sum(map(one, children)))}


def measure(url: str, n_requests: int) -> dict[str, Any]:
    """Return medians over warm requests, in milliseconds."""
    client = httpx.Client(base_url=url, timeout=300)
    made = client.post("/prompts/generate", json={"labels": LABELS}).json()
    content = EXAMPLE.read_bytes()
    walls, stages = [], []
    for number in range(n_requests + 5):
        begin = time.perf_counter()
        answer = client.post(
            "/classify",
            files={"file": ("ecg.csv", content)},
            data={"prompt_set": made["id"]},
        ).raise_for_status()
        wall = (time.perf_counter() - begin) * 1000
        if number >= 5:
            walls.append(wall)
            stages.append(answer.json()["timings_ms"])
    median = {name: statistics.median(s[name] for s in stages) for name in stages[0]}
    wall = statistics.median(walls)
    return {
        "n_requests": n_requests,
        "n_prompts": len(LABELS),
        "wall_ms": round(wall, 2),
        "stages_ms": {name: round(value, 2) for name, value in median.items()},
        "share_outside_encoder": {
            "of_the_answers_own_time": round(1 - median[ENCODER_STAGE] / median["total"], 3),
            "of_the_wall_time": round(1 - median[ENCODER_STAGE] / wall, 3),
        },
    }


def main() -> None:
    """Measure, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=ROOT / "runs" / "service-data")
    parser.add_argument("--checkpoint", default="merl-base")
    parser.add_argument("--n-requests", type=int, default=60)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks/results/service.json")
    options = parser.parse_args()
    options.data_dir.mkdir(parents=True, exist_ok=True)
    process, _, first = start(options.data_dir, options.checkpoint)
    process.terminate()
    process.wait()
    process, url, again = start(options.data_dir, options.checkpoint)
    try:
        result = {
            "command": "python -m benchmarks.service",
            "machine": f"{platform.machine()}, {os.cpu_count()} cores",
            "load_average_1min": round(os.getloadavg()[0], 1),
            "model": httpx.get(f"{url}/ready").json()["model"],
            "first_start_s": round(first, 1),
            "start_to_ready_s": round(again, 1),
            "classify": measure(url, options.n_requests),
            "resident_mb": resident_mb(process.pid),
        }
    finally:
        process.terminate()
        process.wait()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
