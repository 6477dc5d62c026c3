"""The client against the application: requests go through the real routes."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from starlette.testclient import TestClient

from api.client import Client, ServiceError
from api.schemas import BatchItem

from .conftest import ECG_BYTES, ClientFactory

ECG = ("ecg.fake", ECG_BYTES)
Connect = Callable[..., Client]


class ThroughApplication(httpx.BaseTransport):
    """Hands requests to an application in this process."""

    def __init__(self, application: TestClient) -> None:
        self.application = application

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = self.application.request(
            request.method,
            str(request.url),
            content=request.read(),
            headers=dict(request.headers.items()),
        )
        headers = [(k, v) for k, v in answer.headers.items() if k.lower() != "content-encoding"]
        return httpx.Response(answer.status_code, headers=headers, content=answer.content)


@pytest.fixture
def connect(make_client: ClientFactory) -> Iterator[Connect]:
    opened: list[Client] = []

    def open_client(api_key: str | None = None, **settings: object) -> Client:
        transport = ThroughApplication(make_client(**settings))
        client = Client("http://testserver", api_key=api_key, transport=transport, n_retries=0)
        opened.append(client)
        return client

    yield open_client
    for client in opened:
        client.close()


def answering(*responses: httpx.Response) -> tuple[httpx.MockTransport, list[httpx.Request]]:
    asked: list[httpx.Request] = []
    left = list(responses)

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return left.pop(0)

    return httpx.MockTransport(handle), asked


def test_a_record_is_classified_into_typed_scores(connect: Connect) -> None:
    answer = connect().classify(ECG, ["atrial fibrillation", "normal ECG"])
    assert answer.record.fs == 500
    assert {score.label for score in answer.scores} == {"atrial fibrillation", "normal ECG"}
    assert answer.scores[0].percentile_interval == (43.1, 56.9)


def test_a_path_is_sent_as_its_content(connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "ecg.fake").write_bytes(ECG_BYTES)
    assert connect().classify(tmp_path / "ecg.fake", label_set="cpsc2018").scores


def test_a_notebook_shows_the_drawing_that_was_asked_for(connect: Connect) -> None:
    html = connect().classify(ECG, ["normal ECG"], plot=True)._repr_html_()
    assert "<svg" in html
    assert "normal ECG" in html
    assert "Research use only" in html


def test_a_drawing_comes_as_svg_and_as_png(connect: Connect) -> None:
    client = connect()
    assert 'width="520mm"' in client.plot(ECG, layout="12x1", speed_mm_s=50)
    assert client.plot_png(ECG, gain_mm_mv=5).startswith(b"\x89PNG")


def test_a_batch_yields_results_and_errors(connect: Connect) -> None:
    files = [("a.fake", ECG_BYTES), ("b.fake", b"BROKEN")]
    items: list[BatchItem] = list(connect().classify_batch(files, ["normal ECG"]))
    assert items[0].result is not None
    assert items[1].error is not None
    assert items[1].error.code == "broken_file"


def test_prompts_are_generated_listed_and_used_by_their_id(connect: Connect) -> None:
    client = connect()
    made = client.generate_prompts(["atrial fibrillation"])
    assert made.id in {item.id for item in client.prompt_sets()}
    assert client.prompt_set(made.id) == made
    by_id = client.classify(ECG, prompt_set=made.id)
    by_content = client.classify(ECG, prompt_set=made)
    assert by_id.prompt_set.id == by_content.prompt_set.id == made.id


def test_phrases_are_verified(connect: Connect) -> None:
    (verdict,) = connect().verify("left bundle branch block", ["delta wave"])
    assert verdict.verdict == "reject"


def test_knowledge_label_sets_and_models_are_typed(connect: Connect) -> None:
    client = connect()
    assert client.search("afib", top_k=1)[0].canonical_name == "atrial fibrillation"
    assert "cpsc2018" in {item.name for item in client.label_sets()}
    assert len(client.label_set("cpsc2018").labels) == 9
    assert client.models()[0].id == "fake"
    assert client.wait_until_ready().model == "fake"


@pytest.mark.parametrize(
    ("content", "labels", "code", "status"),
    [
        (b"what is this", ["a"], "unknown_format", 415),
        (b"BROKEN", ["a"], "broken_file", 422),
        (ECG_BYTES, [], "no_classes", 422),
    ],
)
def test_a_problem_is_raised_with_its_stable_code(
    connect: Connect, content: bytes, labels: list[str], code: str, status: int
) -> None:
    with pytest.raises(ServiceError) as raised:
        connect().classify(("x", content), labels)
    assert (raised.value.code, raised.value.status) == (code, status)
    assert raised.value.problem.request_id


def test_a_key_is_sent_and_a_missing_one_is_said(connect: Connect) -> None:
    with pytest.raises(ServiceError) as raised:
        connect(api_keys="secret-key-of-this-test").label_sets()
    assert raised.value.code == "unauthorized"
    assert connect("secret-key-of-this-test", api_keys="secret-key-of-this-test").label_sets()


def test_a_busy_service_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    monkeypatch.setattr("time.sleep", waits.append)
    busy = httpx.Response(429, headers={"Retry-After": "2"}, text="busy")
    transport, asked = answering(busy, httpx.Response(200, json=[]))
    with Client(transport=transport) as client:
        assert client.label_sets() == []
    assert (len(asked), waits) == (2, [2.0])


def test_an_answer_that_is_no_problem_document_is_named() -> None:
    transport, _ = answering(httpx.Response(404, text="<html>another server</html>"))
    with Client(transport=transport) as client, pytest.raises(ServiceError) as raised:
        client.label_sets()
    assert (raised.value.code, raised.value.status) == ("unexpected_answer", 404)


def test_a_service_that_is_not_there_is_unreachable() -> None:
    with Client("http://127.0.0.1:9", timeout_s=2) as client, pytest.raises(ServiceError) as raised:
        client.health()
    assert raised.value.code == "unreachable"


def test_a_single_text_for_labels_is_refused(connect: Connect) -> None:
    with pytest.raises(TypeError, match="expected a list"):
        connect().classify(ECG, "normal ECG")


def test_a_reviewed_set_is_published_and_demanded(connect: Connect) -> None:
    client = connect()
    signed = {"reviewer": "R. Reviewer", "reason": "agreed"}
    made = client.generate_prompts(["atrial fibrillation"])
    review = client.open_review("af-study", made.id, **signed)
    proposed = client.decide(
        review.id,
        [
            {
                "action": "propose",
                "label": "atrial fibrillation",
                "phrase": "no P waves",
                "override": True,
            }
        ],
        **signed,
    )
    assert client.review(review.id).n_pending == proposed.n_pending == 1
    decision = {"action": "reject", "label": "atrial fibrillation", "phrase": "no P waves"}
    assert client.decide(review.id, [decision], **signed).n_pending == 0
    published = client.publish(review.id, **signed)
    assert published.reference == "af-study@1"
    assert [item.reference for item in client.publications("af-study")] == ["af-study@1"]
    answer = client.classify(ECG, prompt_set="af-study@1")
    assert answer.prompt_set.published_as == "af-study@1"
