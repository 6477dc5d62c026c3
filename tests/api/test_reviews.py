"""The review workflow over HTTP: decisions, audit trail, published versions."""

import threading
from typing import Any

import pytest
from starlette.testclient import TestClient

from ..prompt_sets import one_class_set, phrase
from .conftest import ECG_BYTES, ClientFactory

LABEL = "atrial fibrillation"
FILE = {"file": ("ecg.bin", ECG_BYTES)}
WHO = {"reviewer": "R. Reviewer", "reason": "as agreed"}
BASE = one_class_set(LABEL, phrase("absent P waves"), phrase("irregular RR intervals"))


@pytest.fixture
def review(client: TestClient) -> dict[str, Any]:
    client.app.state.merl.service.store.add(BASE)
    asked = {"name": "af-study", "prompt_set_id": BASE.id, **WHO}
    answer = client.post("/reviews", json=asked)
    assert answer.status_code == 201, answer.text
    return answer.json()


def decide(client: TestClient, review: dict[str, Any], *decisions: dict[str, Any]) -> Any:
    body = {"decisions": [{"label": LABEL, **decision} for decision in decisions], **WHO}
    return client.post(f"/reviews/{review['id']}/decisions", json=body)


def approve_all(client: TestClient, review: dict[str, Any]) -> None:
    pending = [item["phrase"] for item in review["phrases"] if item["status"] == "pending"]
    answer = decide(client, review, *({"action": "approve", "phrase": text} for text in pending))
    assert answer.json()["n_pending"] == 0


def publish(client: TestClient, review: dict[str, Any]) -> Any:
    return client.post(f"/reviews/{review['id']}/publish", json=WHO)


def test_a_review_shows_every_phrase_with_its_evidence(review: dict[str, Any]) -> None:
    assert review["n_pending"] == 2
    assert {item["status"] for item in review["phrases"]} == {"pending"}
    assert all(item["evidence"] for item in review["phrases"])


def test_a_set_published_unchanged_keeps_its_id(client: TestClient, review: dict[str, Any]) -> None:
    approve_all(client, review)
    published = publish(client, review)
    assert published.status_code == 201
    assert published.json()["reference"] == "af-study@1"
    assert published.json()["prompt_set_id"] == BASE.id


def test_a_rejected_phrase_leaves_the_prompt_and_is_listed_as_refused(
    client: TestClient, review: dict[str, Any]
) -> None:
    decide(client, review, {"action": "reject", "phrase": "absent P waves"})
    decide(client, review, {"action": "approve", "phrase": "irregular RR intervals"})
    new_id = publish(client, review).json()["prompt_set_id"]
    (prompt,) = client.get(f"/prompt-sets/{new_id}").json()["prompts"]
    assert prompt["text"] == f"{LABEL}, irregular RR intervals"
    assert prompt["rejected"][0]["reason"] == "R. Reviewer: as agreed"
    changes = client.get(f"/prompt-sets/{BASE.id}/diff", params={"to": new_id}).json()["changes"]
    assert [(change["kind"], change["what"]) for change in changes] == [
        ("removed", "absent P waves")
    ]


def test_an_edited_phrase_is_verified_and_refused_unless_overridden(
    client: TestClient, review: dict[str, Any]
) -> None:
    edit = {"action": "edit", "phrase": "absent P waves", "text": "no  P waves"}
    refused = decide(client, review, edit)
    assert (refused.status_code, refused.json()["code"]) == (422, "phrase_refused")
    draft = decide(client, review, {**edit, "override": True}).json()
    assert draft["prompts"][LABEL] == f"{LABEL}, no P waves, irregular RR intervals"
    edited = next(item for item in draft["phrases"] if item["status"] == "edited")
    assert (edited["wording"], edited["proposed_by"]) == ("no P waves", "reviewer:R. Reviewer")
    approved = decide(client, review, {"action": "approve", "phrase": "irregular RR intervals"})
    assert approved.json()["n_pending"] == 0
    new_id = publish(client, review).json()["prompt_set_id"]
    (prompt,) = client.get(f"/prompt-sets/{new_id}").json()["prompts"]
    assert "against verification (unknown)" in prompt["notes"][-1]


def test_a_proposed_phrase_waits_for_a_decision(client: TestClient, review: dict[str, Any]) -> None:
    proposed = decide(
        client, review, {"action": "propose", "phrase": "fibrillatory waves", "override": True}
    ).json()
    assert proposed["n_pending"] == 3
    blocked = publish(client, review)
    assert (blocked.status_code, blocked.json()["code"]) == (409, "review_incomplete")
    unsure = decide(client, review, {"action": "approve", "phrase": "fibrillatory waves"})
    assert unsure.json()["code"] == "phrase_refused"  # the stand-in knows no phrase at all


def test_decisions_are_taken_together_or_not_at_all(
    client: TestClient, review: dict[str, Any]
) -> None:
    answer = decide(
        client,
        review,
        {"action": "approve", "phrase": "absent P waves"},
        {"action": "approve", "phrase": "no such phrase"},
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_decision")
    assert client.get(f"/reviews/{review['id']}").json()["n_pending"] == 2


def test_the_audit_trail_says_who_did_what_and_why(
    make_client: ClientFactory,
) -> None:
    client = make_client()
    client.app.state.merl.service.store.add(BASE)
    asked = {"name": "af-study", "prompt_set_id": BASE.id, **WHO}
    review = client.post("/reviews", json=asked).json()
    approve_all(client, review)
    publish(client, review)
    trail = client.get(f"/reviews/{review['id']}/events", params={"limit": 3}).json()
    assert [event["action"] for event in trail["items"]] == ["open", "approve", "approve"]
    assert trail["next_offset"] == 3
    assert all(event["reviewer"] == "R. Reviewer" for event in trail["items"])
    assert all(event["at"].endswith(("Z", "+00:00")) for event in trail["items"])


def test_a_published_review_is_closed_and_the_next_one_is_version_two(
    client: TestClient, review: dict[str, Any]
) -> None:
    approve_all(client, review)
    publish(client, review)
    late = decide(client, review, {"action": "reject", "phrase": "absent P waves"})
    assert (late.status_code, late.json()["code"]) == (409, "review_closed")
    asked = {"name": "af-study", "prompt_set_id": BASE.id, **WHO}
    again = client.post("/reviews", json=asked).json()
    approve_all(client, again)
    assert publish(client, again).json()["version"] == 2
    versions = client.get("/publications", params={"name": "af-study"}).json()["items"]
    assert [item["reference"] for item in versions] == ["af-study@2", "af-study@1"]


def test_classify_can_demand_a_published_set(client: TestClient, review: dict[str, Any]) -> None:
    def classify(**data: str) -> Any:
        return client.post("/classify", files=FILE, data={"published": "true", **data})

    for data in ({"prompt_set": BASE.id}, {"labels": LABEL}):
        answer = classify(**data)
        assert (answer.status_code, answer.json()["code"]) == (422, "not_published")
    approve_all(client, review)
    publish(client, review)
    for reference in (BASE.id, "af-study", "af-study@1"):
        answer = classify(prompt_set=reference)
        assert answer.status_code == 200, answer.text
        assert answer.json()["prompt_set"]["published_as"] == "af-study@1"
    missing = classify(prompt_set="af-study@2")
    assert missing.json()["code"] == "unknown_prompt_set"


def test_reviewers_at_the_same_time_lose_no_decision(
    client: TestClient, review: dict[str, Any]
) -> None:
    texts = ["absent P waves", "irregular RR intervals"] * 4
    statuses = []

    def one(text: str) -> None:
        statuses.append(decide(client, review, {"action": "approve", "phrase": text}).status_code)

    threads = [threading.Thread(target=one, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    trail = client.get(f"/reviews/{review['id']}/events").json()
    assert trail["total"] == 1 + statuses.count(200)
    assert set(statuses) <= {200, 409}
    assert [event["number"] for event in trail["items"]] == list(range(1, trail["total"] + 1))
