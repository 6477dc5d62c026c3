"""Record the README's run of the main job from a running program.

`python -m scripts.record_readme` starts the service, classifies the example ECG, and writes command
and answer between the README's markers. The pictures are taken by `make screenshots`.
"""

import argparse
import json
import re
import tempfile
from pathlib import Path
from typing import Any

import httpx

from benchmarks.service import start

ROOT = Path(__file__).parents[1]
LABELS = "atrial fibrillation; left bundle branch block; normal ECG"
EXAMPLE = Path("api/web/example-ecg.csv")
MARKERS = re.compile(r"(<!-- recorded:main-job -->\n).*?(<!-- /recorded -->)", re.DOTALL)


def recorded(url: str, path: Path) -> str:
    """Return command and shortened answer as Markdown."""
    answer: dict[str, Any] = httpx.post(
        f"{url}/classify",
        files={"file": (path.name, (ROOT / path).read_bytes())},
        data={"labels": LABELS},
        timeout=300,
    ).json()
    answer["record"]["quality"]["checks"] = ["..."]
    answer["record"]["leads"] = ["I", "II", "..."]
    for score in answer["scores"]:
        score["prompt"] = score["prompt"][:58] + "..."
        score["score"] = round(score["score"], 3)
    answer["timings_ms"] = {"total": answer["timings_ms"]["total"]}
    for name in ("sha256", "config_sha256"):
        answer["model"][name] = answer["model"][name][:8] + "..."
    answer["prompt_set"]["id"] = answer["prompt_set"]["id"][:8] + "..."
    answer["record"]["sha256"] = answer["record"]["sha256"][:8] + "..."
    answer["disclaimer"] = answer["disclaimer"][:18] + "..."
    command = f"curl -F file=@{path} --form-string 'labels={LABELS}' 127.0.0.1:8000/classify"
    body = ",\n ".join(f'"{key}": {json.dumps(value)}' for key, value in answer.items())
    return f"```sh\n{command}\n```\n\n```json\n{{{body}}}\n```\n"


def main() -> None:
    """Start the service, record, and stop it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, nargs="?", default=EXAMPLE)
    parser.add_argument("--checkpoint", default="merl-base")
    parser.add_argument(
        "--data-dir", type=Path, default=Path(tempfile.gettempdir()) / "merl-record"
    )
    options = parser.parse_args()
    options.data_dir.mkdir(parents=True, exist_ok=True)
    process, url, _ = start(options.data_dir, options.checkpoint)
    try:
        readme = ROOT / "README.md"
        text = recorded(url, options.file)
        readme.write_text(
            MARKERS.sub(lambda m: m[1] + text + m[2], readme.read_text(encoding="utf-8")),
            encoding="utf-8",
        )
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
