import json
import math
import threading
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from sqlalchemy.exc import OperationalError
from starlette.testclient import TestClient

from api.errors import PROBLEMS
from api.parts import Parts
from api.settings import Settings
from ckepe.errors import IndexUnavailableError
from merl_core.errors import CheckpointError
from merl_core.plot import PlotOptions, render_png, render_svg

from .conftest import ECG_BYTES, ClientFactory, FakeReaders, fake_parts, loading_thread

FILE = {"file": ("ecg.bin", ECG_BYTES)}


def post(client: TestClient, files: Any = FILE, **data: object) -> Any:
    return client.post("/classify", files=files, data=data)


def test_an_answer_has_the_documented_parts(client: TestClient) -> None:
    answer = post(client, labels="atrial fibrillation; normal ECG").json()
    assert set(answer) == {
        "record", "model", "prompt_set", "scores", "warnings", "timings_ms", "disclaimer",
    }  # fmt: skip
    assert set(answer["record"]) == {
        "format", "sha256", "fs", "duration_s", "leads", "derived_leads", "quality",
        "device_statements", "device_measurements",
    }  # fmt: skip
    assert set(answer["scores"][0]) == {
        "label", "meaning", "grounded", "score", "percentile", "percentile_interval", "probability",
        "prompt", "rank", "notes",
    }  # fmt: skip


def test_what_the_device_measured_and_printed_stands_beside_the_scores(
    client: TestClient,
) -> None:
    record = post(client, labels="normal ECG").json()["record"]
    assert record["device_measurements"] == {"heart_rate_bpm": 72.0, "pr_ms": 150.5}
    assert record["device_statements"] == ["Sinus rhythm"]


def test_scores_are_ranked_from_the_highest(client: TestClient) -> None:
    scores = post(client, labels="af; left bundle branch block").json()["scores"]
    assert [item["rank"] for item in scores] == [1, 2]
    assert scores[0]["score"] > scores[1]["score"]


def test_labels_may_repeat_or_be_separated_by_semicolons(client: TestClient) -> None:
    together = post(client, labels="a; b ;a;").json()
    apart = post(client, labels=["a", "b"]).json()
    assert [s["label"] for s in together["scores"]] == [s["label"] for s in apart["scores"]]
    assert len(together["scores"]) == 2


def test_a_label_set_names_all_its_classes(client: TestClient) -> None:
    answer = post(client, label_set="cpsc2018").json()
    assert len(answer["scores"]) == 9
    assert all(item["label"].startswith("cpsc2018:") for item in answer["scores"])


def test_a_label_that_no_source_knows_is_scored_bare_and_said_so(client: TestClient) -> None:
    answer = post(client, labels="zzz syndrome")
    assert answer.status_code == 200
    (score,) = answer.json()["scores"]
    assert (score["grounded"], score["prompt"]) == (False, "zzz syndrome")


def test_a_stored_prompt_set_is_found_by_its_id(client: TestClient) -> None:
    made = client.post("/prompts/generate", json={"labels": ["af"]}).json()
    answer = post(client, prompt_set=made["id"]).json()
    assert answer["prompt_set"]["id"] == made["id"]


def test_a_prompt_set_may_be_sent_as_json(client: TestClient) -> None:
    made = client.post("/prompts/generate", json={"labels": ["af"]}).json()
    answer = post(client, prompt_set=json.dumps(made))
    assert answer.json()["prompt_set"]["id"] == made["id"]


@pytest.mark.parametrize(
    ("files", "data", "status", "code"),
    [
        (FILE, {}, 422, "no_classes"),
        (FILE, {"labels": " ; "}, 422, "no_classes"),
        (FILE, {"labels": "x" * 301}, 422, "invalid_request"),
        (FILE, {"label_set": "nope"}, 422, "unknown_label"),
        (FILE, {"prompt_set": "0" * 64}, 422, "unknown_prompt_set"),
        (FILE, {"prompt_set": "{}"}, 422, "invalid_prompt_set"),
        (FILE, {"prompt_set": "0" * 64, "labels": "a"}, 422, "invalid_request"),
        ({"file": ("a.bin", b"what is this")}, {"labels": "a"}, 415, "unknown_format"),
        ({"file": ("a.bin", b"BROKEN")}, {"labels": "a"}, 422, "broken_file"),
        ({"file": ("a.bin", b"")}, {"labels": "a"}, 422, "invalid_request"),
        (None, {"labels": "a"}, 422, "invalid_request"),
    ],
)
def test_bad_input_gets_its_status_and_stable_code(
    client: TestClient, files: Any, data: dict[str, str], status: int, code: str
) -> None:
    answer = post(client, files, **data)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "request_id"} <= set(answer.json())


def test_a_body_that_is_no_json_is_malformed(client: TestClient) -> None:
    answer = client.post(
        "/prompts/generate", content=b"{", headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "malformed_request")


def test_a_required_language_model_that_is_absent_is_502(client: TestClient) -> None:
    answer = client.post("/prompts/generate", json={"labels": ["a"], "llm": "required"})
    assert (answer.status_code, answer.json()["code"]) == (502, "llm_unavailable")


def test_a_large_upload_is_refused_while_it_streams(make_client: ClientFactory) -> None:
    client = make_client(max_upload_mb=0.01)

    def chunks() -> Any:
        yield b"--x\r\nContent-Disposition: form-data; name=file; filename=a\r\n\r\n"
        for _ in range(64):
            yield bytes(1024)

    answer = client.post(
        "/classify", content=chunks(), headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_a_large_upload_is_refused_by_its_declared_size(make_client: ClientFactory) -> None:
    answer = post(make_client(max_upload_mb=0.01), {"file": ("a", bytes(20_000))}, labels="a")
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_an_unexpected_error_tells_the_client_nothing(client: TestClient) -> None:
    answer = post(client, labels="explode")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "DOE" not in answer.text
    assert "Traceback" not in answer.text


def test_unknown_routes_and_methods_are_problems(client: TestClient) -> None:
    assert client.get("/nowhere").json()["code"] == "not_found"
    assert client.delete("/classify").json()["code"] == "method_not_allowed"


def test_health_answers_before_the_service_is_loaded(make_client: ClientFactory) -> None:
    may_load = threading.Event()

    def slow(settings: Settings, say: Callable[[str], None]) -> Parts:
        say("counting to twenty")
        assert may_load.wait(20)
        return fake_parts(settings, say)

    client = make_client(load_parts=slow, wait=False)
    assert client.get("/health").status_code == 200
    not_yet = client.get("/ready")
    assert (not_yet.status_code, not_yet.json()["code"]) == (503, "not_ready")
    assert "counting to twenty" in not_yet.json()["detail"]
    assert "retry-after" in not_yet.headers
    assert post(client, labels="a").status_code == 503
    may_load.set()
    loading_thread(client).join(20)
    assert client.get("/ready").json()["model"] == "fake"


def test_why_the_service_could_not_start_is_still_known_once_it_has_stopped(
    make_client: ClientFactory,
) -> None:
    def fail(settings: Settings, say: Callable[[str], None]) -> Parts:
        raise CheckpointError(f"no checkpoint {settings.checkpoint!r}")

    client = make_client(load_parts=fail, checkpoint="nowhere")
    assert client.get("/ready").json()["detail"].endswith("no checkpoint 'nowhere'")
    state = client.app.state.merl
    state.stop()
    assert state.reason.endswith("no checkpoint 'nowhere'")


def test_a_batch_gives_each_record_its_result_or_its_error(client: TestClient) -> None:
    files = [
        ("file", ("one.bin", ECG_BYTES)),
        ("file", ("two.bin", b"BROKEN")),
        ("file", ("w.hea", ECG_BYTES)),
        ("file", ("w.dat", ECG_BYTES)),
    ]
    answer = client.post("/classify/batch", files=files, data={"labels": "a"}).json()
    assert answer["n_failed"] == 1
    assert [item["files"] for item in answer["results"]] == [
        ["one.bin"], ["two.bin"], ["w.hea", "w.dat"],
    ]  # fmt: skip
    assert answer["results"][1]["error"]["code"] == "broken_file"


def test_a_batch_may_be_streamed_a_line_a_record(client: TestClient) -> None:
    files = [("file", (f"{n}.bin", ECG_BYTES)) for n in range(3)]
    answer = client.post(
        "/classify/batch",
        files=files,
        data={"labels": "a"},
        headers={"accept": "application/x-ndjson"},
    )
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert [line["index"] for line in lines] == [0, 1, 2]


def test_prompt_sets_are_listed_page_by_page(client: TestClient) -> None:
    for label in "abc":
        client.post("/prompts/generate", json={"labels": [label]})
    first = client.get("/prompt-sets", params={"limit": 2}).json()
    rest = client.get("/prompt-sets", params={"limit": 2, "offset": first["next_offset"]}).json()
    assert (first["total"], len(first["items"]), len(rest["items"])) == (3, 2, 1)
    assert rest["next_offset"] is None


def test_too_much_waiting_work_is_turned_away(make_client: ClientFactory) -> None:
    client = make_client(n_workers=1, max_waiting=0)
    client.app.state.merl.classify_lane._limiter.total_tokens = 1
    service = client.app.state.merl.service
    started, may_end = threading.Event(), threading.Event()
    plain = service.parts.engine.encode

    def slow(*args: Any) -> Any:
        started.set()
        assert may_end.wait(20)
        return plain(*args)

    service.parts.engine.encode = slow
    thread = threading.Thread(target=post, args=(client,), kwargs={"labels": "a"})
    thread.start()
    assert started.wait(20)
    answer = post(client, labels="a")
    may_end.set()
    thread.join(20)
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
    assert int(answer.headers["retry-after"]) > 0


def test_every_code_of_the_table_has_one_status() -> None:
    assert {problem.status for problem in PROBLEMS.values()} >= {
        400, 401, 404, 413, 415, 422, 429, 502, 503,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("accept", "query", "media_type", "magic"),
    [
        ("*/*", {}, "image/svg+xml", b"<svg"),
        ("image/*", {}, "image/svg+xml", b"<svg"),
        ("image/png", {}, "image/png", b"\x89PNG"),
        ("image/svg+xml;q=0.5, image/png", {}, "image/png", b"\x89PNG"),
        ("image/png", {"format": "svg"}, "image/svg+xml", b"<svg"),
        ("*/*", {"format": "png"}, "image/png", b"\x89PNG"),
    ],
)
def test_a_drawing_is_svg_or_png_as_accept_or_the_format_says(
    client: TestClient, accept: str, query: dict[str, str], media_type: str, magic: bytes
) -> None:
    answer = client.post("/plot", files=FILE, params=query, headers={"accept": accept})
    assert answer.headers["content-type"].startswith(media_type)
    assert answer.content.startswith(magic)
    assert answer.headers["vary"].startswith("Accept")


def test_a_drawing_that_is_neither_is_not_on_offer(client: TestClient) -> None:
    answer = client.post("/plot", files=FILE, headers={"accept": "application/pdf"})
    assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")


@pytest.mark.parametrize("image_format", ["svg", "png"])
def test_a_drawing_has_the_layout_that_was_asked_for(client: TestClient, image_format: str) -> None:
    query = {
        "format": image_format, "layout": "6x2", "speed_mm_s": 50, "gain_mm_mv": 20,
        "theme": "dark", "start_s": 2.5,
    }  # fmt: skip
    answer = client.post("/plot", files=FILE, params=query)
    record = FakeReaders().read({"e": ECG_BYTES})
    options = PlotOptions(layout="6x2", speed_mm_s=50, gain_mm_mv=20, theme="dark", start_s=2.5)
    if image_format == "svg":
        assert answer.text == render_svg(record, **options)
    else:
        assert answer.content == render_png(record, **options)


@pytest.mark.parametrize(
    "wrong",
    [
        {"format": "gif"}, {"layout": "2x2"}, {"speed_mm_s": 30}, {"gain_mm_mv": 1},
        {"theme": "pink"}, {"start_s": -1}, {"start_s": "nan"}, {"start_s": 10},
    ],
)  # fmt: skip
def test_a_drawing_that_there_is_not_is_refused(
    client: TestClient, wrong: dict[str, object]
) -> None:
    answer = client.post("/plot", files=FILE, params=wrong)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_search_and_label_sets_answer(client: TestClient) -> None:
    assert client.get("/knowledge/search", params={"q": "af"}).json()[0]["xrefs"] == ["SCP:AFIB"]
    assert client.get("/knowledge/search", params={"q": "green tea"}).json() == []
    near = client.get("/knowledge/search", params={"q": "green tea", "nearest": True}).json()
    assert len(near) == 1
    names = {item["name"] for item in client.get("/label-sets").json()}
    assert {"csn", "cpsc2018", "ptbxl_super"} <= names
    csn = client.get("/label-sets/csn").json()
    assert csn["labels"][0]["key"].startswith("csn:")
    assert client.get("/label-sets/nope").status_code == 404
    assert client.get("/knowledge/concepts/ECG:nope").status_code == 404


OUTAGES = [
    (OperationalError("SELECT secret", {}, Exception("db.internal")), "database_unavailable"),
    (IndexUnavailableError("chroma.internal"), "index_unavailable"),
]


@pytest.mark.parametrize(("error", "code"), OUTAGES)
def test_a_server_behind_that_went_away_is_503_and_not_named(
    client: TestClient, error: Exception, code: str
) -> None:
    def fail(*args: Any, **options: Any) -> Any:
        raise error

    client.app.state.merl.service.parts.retriever.search = fail
    answer = client.get("/knowledge/search", params={"q": "af"})
    assert (answer.status_code, answer.json()["code"]) == (503, code)
    assert "internal" not in answer.text
    assert int(answer.headers["retry-after"]) > 0


@pytest.mark.parametrize(("error", "code"), OUTAGES)
def test_the_service_is_ready_only_while_database_and_index_answer(
    client: TestClient, error: Exception, code: str
) -> None:
    service = client.app.state.merl.service
    assert client.get("/ready").status_code == 200
    part = service.parts.database if code == "database_unavailable" else service.parts.retriever
    plain, part.check = part.check, Mock(side_effect=error)
    service._alive_at = -math.inf
    answer = client.get("/ready")
    assert (answer.status_code, answer.json()["code"]) == (503, code)
    assert "internal" not in answer.text
    assert client.get("/health").status_code == 200
    part.check = plain
    assert client.get("/ready").status_code == 200
