import hashlib
import json
import logging

import pytest
from starlette.testclient import TestClient

from .conftest import ECG_BYTES, ClientFactory

NAME = "DOE^JANE^PLANTED"


def test_no_key_is_asked_where_none_is_set(client: TestClient) -> None:
    assert client.get("/label-sets").status_code == 200


@pytest.mark.parametrize("as_digest", [False, True])
def test_a_known_key_opens_and_others_do_not(make_client: ClientFactory, as_digest: bool) -> None:
    key = "a-long-secret"
    stored = f"sha256:{hashlib.sha256(key.encode()).hexdigest()}" if as_digest else key
    client = make_client(api_keys=f"other,{stored}")
    assert client.get("/label-sets", headers={"x-api-key": key}).status_code == 200
    bearer = {"authorization": f"Bearer {key}"}
    assert client.get("/label-sets", headers=bearer).status_code == 200
    refused = client.get("/label-sets", headers={"x-api-key": "wrong"})
    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    assert refused.headers["www-authenticate"] == "Bearer"
    assert client.get("/label-sets").status_code == 401


def test_page_and_health_stay_open_with_keys_set(make_client: ClientFactory) -> None:
    client = make_client(api_keys="k")
    for path in ("/", "/health", "/ready", "/docs", "/openapi.json"):
        assert client.get(path).status_code == 200, path


def test_browsers_are_told_what_they_may_do(client: TestClient) -> None:
    headers = client.get("/").headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert "access-control-allow-origin" not in headers


def test_pages_of_other_sites_may_not_post(client: TestClient) -> None:
    answer = client.post(
        "/prompts/generate", json={"labels": ["a"]}, headers={"sec-fetch-site": "cross-site"}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "cross_site")


def test_a_patient_name_reaches_no_log_no_error_and_no_metric(
    client: TestClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("merl").propagate = True
    said = []
    for content in (ECG_BYTES, b"BROKEN " + NAME.encode(), b"??? " + NAME.encode()):
        for labels in ("af", "explode"):
            files = {"file": (f"{NAME}.dcm", content)}
            said.append(client.post("/classify", files=files, data={"labels": labels}).text)
    said.append(client.get("/metrics").text)
    log = "\n".join(json.dumps(record.__dict__, default=str) for record in caplog.records)
    assert NAME not in "\n".join(said)
    assert NAME not in log
    assert "request" in log


def test_metrics_count_requests_stages_and_problems(client: TestClient) -> None:
    client.post("/classify", files={"file": ("a", ECG_BYTES)}, data={"labels": "a"})
    client.post("/classify", files={"file": ("a", ECG_BYTES)})
    text = client.get("/metrics").text
    assert 'merl_http_requests_total{method="POST",route="/classify",status="200"} 1.0' in text
    assert 'merl_problems_total{code="no_classes"} 1.0' in text
    assert 'merl_stage_seconds_count{stage="score"} 1.0' in text


def test_a_request_id_is_kept_or_given(client: TestClient) -> None:
    kept = client.get("/health", headers={"x-request-id": "abcdef-123456"})
    assert kept.headers["x-request-id"] == "abcdef-123456"
    given = client.get("/health", headers={"x-request-id": "not ok!"})
    assert len(given.headers["x-request-id"]) == 32
