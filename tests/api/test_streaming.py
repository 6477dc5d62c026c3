"""Long work as a stream: progress, results, problems."""

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from .conftest import ECG_BYTES

NDJSON = "application/x-ndjson"
SSE = "text/event-stream"
FILES = [("file", (f"{n}.bin", ECG_BYTES if n != 1 else b"BROKEN")) for n in range(3)]


def events(text: str) -> list[tuple[str, Any]]:
    """Return the server-sent events of a text."""
    found = []
    for block in text.strip().split("\n\n"):
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def generate(client: TestClient, accept: str, *labels: str) -> Any:
    return client.post(
        "/prompts/generate", json={"labels": list(labels)}, headers={"accept": accept}
    )


def test_generation_tells_of_its_progress_as_server_sent_events(client: TestClient) -> None:
    answer = generate(client, SSE, "a", "b")
    assert answer.headers["content-type"].startswith(SSE)
    *steps, (name, prompt_set) = events(answer.text)
    assert steps == [
        ("progress", {"done": 1, "total": 2}),
        ("progress", {"done": 2, "total": 2}),
    ]
    assert name == "result"
    assert client.get(f"/prompt-sets/{prompt_set['id']}").json() == prompt_set


def test_generation_tells_of_its_progress_line_by_line(client: TestClient) -> None:
    lines = [json.loads(line) for line in generate(client, NDJSON, "a").text.splitlines()]
    assert lines[0] == {"event": "progress", "done": 1, "total": 1}
    assert lines[1]["event"] == "result"
    assert lines[1]["prompt_set"]["prompts"][0]["label"] == "a"


def test_what_fails_before_any_progress_is_the_answers_status(client: TestClient) -> None:
    answer = client.post(
        "/prompts/generate", json={"labels": ["a"], "llm": "required"}, headers={"accept": SSE}
    )
    assert (answer.status_code, answer.json()["code"]) == (502, "llm_unavailable")


def test_what_fails_later_is_the_last_event(client: TestClient) -> None:
    answer = generate(client, SSE, "fail late", "b")
    name, problem = events(answer.text)[-1]
    assert (name, problem["code"], problem["status"]) == ("problem", "llm_unavailable", 502)
    lines = generate(client, NDJSON, "fail late", "b").text.splitlines()
    assert json.loads(lines[-1])["problem"]["code"] == "llm_unavailable"
    assert generate(client, "application/json", "fail late").status_code == 502


@pytest.mark.parametrize("accept", [NDJSON, SSE])
def test_a_batch_is_sent_record_by_record(client: TestClient, accept: str) -> None:
    answer = client.post(
        "/classify/batch", files=FILES, data={"labels": "a"}, headers={"accept": accept}
    )
    assert answer.headers["x-accel-buffering"] == "no"
    assert "content-encoding" not in answer.headers
    if accept == SSE:
        *named, last = events(answer.text)
        assert last == ("done", {"n_records": 3, "n_failed": 1})
        items = [data for _, data in named]
    else:
        items = [json.loads(line) for line in answer.text.splitlines()]
    assert [(item["index"], item["n_records"]) for item in items] == [(0, 3), (1, 3), (2, 3)]
    assert items[1]["error"]["code"] == "broken_file"


def test_a_fault_in_one_record_of_a_batch_is_its_own(client: TestClient) -> None:
    answer = client.post("/classify/batch", files=FILES, data={"labels": "explode"})
    assert answer.status_code == 200
    codes = [item["error"]["code"] for item in answer.json()["results"]]
    assert codes == ["internal_error", "broken_file", "internal_error"]
    assert "DOE" not in answer.text


def test_a_wrong_class_is_the_status_of_a_streamed_batch(client: TestClient) -> None:
    answer = client.post("/classify/batch", files=FILES, headers={"accept": NDJSON})
    assert (answer.status_code, answer.json()["code"]) == (422, "no_classes")


@pytest.mark.parametrize("path", ["/classify", "/classify/batch"])
def test_a_form_that_is_not_on_offer_is_said_so(client: TestClient, path: str) -> None:
    answer = client.post(
        path, files=FILES[:1], data={"labels": "a"}, headers={"accept": "text/html"}
    )
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
