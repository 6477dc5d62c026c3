"""What HTTP itself promises: compression, tags for what never changes, methods, media types."""

import gzip
import json

import pytest
from starlette.testclient import TestClient

from .conftest import ECG_BYTES

FILE = {"file": ("ecg.bin", ECG_BYTES)}
FORM = {"labels": "atrial fibrillation"}


@pytest.fixture
def stored(client: TestClient) -> str:
    """Return the id of a stored prompt set whose JSON is long enough to be compressed."""
    labels = [f"finding {n}" for n in range(12)]
    return str(client.post("/prompts/generate", json={"labels": labels}).json()["id"])


def raw(client: TestClient, path: str, encoding: str) -> tuple[str | None, str, bytes]:
    """Return `Content-Encoding`, `Vary` and the body as sent."""
    with client.stream("GET", path, headers={"accept-encoding": encoding}) as answer:
        body = b"".join(answer.iter_raw())
    return answer.headers.get("content-encoding"), answer.headers.get("vary", ""), body


# --- compression


@pytest.mark.parametrize("path", ["/openapi.json", "/static/app.js", "/"])
def test_answers_are_compressed_for_clients_that_accept_it(client: TestClient, path: str) -> None:
    plain_encoding, _, plain = raw(client, path, "identity")
    encoding, vary, body = raw(client, path, "gzip")
    assert (plain_encoding, encoding) == (None, "gzip")
    assert "Accept-Encoding" in vary
    assert len(body) < len(plain)
    assert gzip.decompress(body) == plain


def test_a_stored_set_is_the_same_compressed_or_not(client: TestClient, stored: str) -> None:
    encoding, _, body = raw(client, f"/prompt-sets/{stored}", "gzip")
    assert encoding == "gzip"
    assert json.loads(gzip.decompress(body))["id"] == stored


def test_short_answers_and_other_encodings_are_sent_as_they_are(client: TestClient) -> None:
    assert raw(client, "/health", "gzip")[0] is None
    assert raw(client, "/openapi.json", "br")[0] is None


# --- what never changes is sent once


def test_a_stored_set_is_not_sent_to_a_client_that_has_it(client: TestClient, stored: str) -> None:
    first = client.get(f"/prompt-sets/{stored}")
    tag = first.headers["etag"]
    assert tag == f'"{stored}"'
    assert "immutable" in first.headers["cache-control"]
    again = client.get(f"/prompt-sets/{stored}", headers={"if-none-match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ('W/"{id}"', 304),
        ('"another", "{id}"', 304),
        ("*", 304),
        ('"another"', 200),
        ('"{id}0"', 200),
        ("{id}", 200),
    ],
)
def test_if_none_match_is_read_as_http_has_it(
    client: TestClient, stored: str, asked: str, status: int
) -> None:
    headers = {"if-none-match": asked.replace("{id}", stored)}
    assert client.get(f"/prompt-sets/{stored}", headers=headers).status_code == status


def test_a_set_that_is_not_there_is_404_whatever_the_client_has(client: TestClient) -> None:
    answer = client.get(f"/prompt-sets/{'0' * 64}", headers={"if-none-match": "*"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_the_pages_files_are_not_sent_anew_while_they_are_the_same(client: TestClient) -> None:
    tag = client.get("/static/app.js").headers["etag"]
    again = client.get("/static/app.js", headers={"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")


# --- idempotent by content


def test_the_same_question_gives_the_same_set_and_the_same_tag(client: TestClient) -> None:
    answers = [client.post("/classify", files=FILE, data=FORM) for _ in range(2)]
    bodies = [answer.json() for answer in answers]
    for body in bodies:
        del body["timings_ms"]
    assert bodies[0] == bodies[1]
    assert answers[0].headers["etag"] == answers[1].headers["etag"]
    asked = {"labels": ["a", "b"]}
    ids = [client.post("/prompts/generate", json=asked).json()["id"] for _ in range(2)]
    assert ids[0] == ids[1]
    assert client.get("/prompt-sets").json()["total"] == 2


def test_another_question_gives_another_tag(client: TestClient) -> None:
    tags = {
        client.post("/classify", files=FILE, data=data, headers=headers).headers["etag"]
        for data in (FORM, {"labels": "something else"})
        for headers in ({}, {"accept": "application/fhir+json"})
    }
    assert len(tags) == 4


# --- methods and media types


def test_a_wrong_method_names_those_that_there_are(client: TestClient) -> None:
    answer = client.get("/classify")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert answer.headers["content-type"] == "application/problem+json"
    assert client.delete("/prompt-sets").json()["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/", "/health", "/prompt-sets"])
def test_head_answers_what_get_does_without_a_body(client: TestClient, path: str) -> None:
    answer = client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")


def test_answers_that_depend_on_accept_say_so(client: TestClient) -> None:
    assert "Accept" in client.post("/classify", files=FILE, data=FORM).headers["vary"]


def test_other_origins_are_given_no_access(client: TestClient) -> None:
    headers = {"origin": "https://elsewhere.example", "access-control-request-method": "POST"}
    answer = client.options("/classify", headers=headers)
    assert not [name for name in answer.headers if name.startswith("access-control-")]


# --- what is asked for is what is done


def test_a_query_parameter_that_would_be_without_effect_is_refused(client: TestClient) -> None:
    answer = client.post("/plot?speed=50", files=FILE)
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid_request"
    assert "'speed'" in answer.json()["detail"]
    assert "speed_mm_s" in answer.json()["detail"]


def test_a_route_without_query_parameters_says_so(client: TestClient, stored: str) -> None:
    for path in (f"/prompt-sets/{stored}?verbose=1", "/label-sets?x"):
        answer = client.get(path)
        assert answer.status_code == 422
        assert "there are none" in answer.json()["detail"]
    assert client.head("/label-sets?x=1").status_code == 422
