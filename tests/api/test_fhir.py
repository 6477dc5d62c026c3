"""FHIR R4 against the published structure definitions, as the SMART client has them."""

from types import SimpleNamespace
from typing import Any

import pytest
from fhirclient.models.bundle import Bundle
from fhirclient.models.fhirabstractbase import FHIRValidationError
from starlette.testclient import TestClient

from .conftest import ECG_BYTES

FILE = {"file": ("ecg.bin", ECG_BYTES)}
FHIR = {"accept": "application/fhir+json"}


@pytest.fixture
def bundle(client: TestClient) -> dict[str, Any]:
    concept = SimpleNamespace(xrefs=("SNOMED:49436004", "HP:0005110", "SCP:AFIB"))
    service = client.app.state.merl.service
    service.parts.knowledge.concepts["ECG:atrial-fibrillation"] = concept
    answer = client.post(
        "/classify", files=FILE, data={"labels": "atrial fibrillation; zzz"}, headers=FHIR
    )
    assert answer.headers["content-type"].startswith("application/fhir+json")
    return answer.json()


def resources(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    found = [entry["resource"] for entry in bundle["entry"]]
    return [resource for resource in found if resource["resourceType"] == kind]


def test_the_bundle_has_the_published_structure(bundle: dict[str, Any]) -> None:
    parsed = Bundle(bundle, strict=True)
    assert parsed.as_json() == bundle


def test_the_structure_is_really_checked(bundle: dict[str, Any]) -> None:
    del resources(bundle, "Observation")[0]["status"]
    with pytest.raises(FHIRValidationError):
        Bundle(bundle, strict=True)


def test_the_report_points_at_one_observation_a_class(bundle: dict[str, Any]) -> None:
    (report,) = resources(bundle, "DiagnosticReport")
    urls = {entry["fullUrl"] for entry in bundle["entry"]}
    references = [result["reference"] for result in report["result"]]
    assert len(references) == len(resources(bundle, "Observation")) == 2
    assert set(references) <= urls
    assert "Research use only" in report["conclusion"]


def test_a_score_has_its_unit_and_is_no_finding(bundle: dict[str, Any]) -> None:
    for observation in resources(bundle, "Observation"):
        assert observation["status"] == "preliminary"
        assert observation["valueQuantity"]["code"] == "1"
        assert "similarity" in str(observation["code"])
        percentile = next(
            part["valueQuantity"] for part in observation["component"]
            if part["code"]["coding"][0]["code"] == "percentile"
        )  # fmt: skip
        assert percentile["unit"] == "%"


def test_classes_carry_the_codes_of_their_concept(bundle: dict[str, Any]) -> None:
    codes = {
        (coding["system"], coding["code"])
        for observation in resources(bundle, "Observation")
        for coding in observation["component"][0]["valueCodeableConcept"]["coding"]
    }
    assert ("http://snomed.info/sct", "49436004") in codes
    assert ("http://purl.obolibrary.org/obo/hp.owl", "HP:0005110") in codes
    assert ("urn:merl-ckepe:codes:label", "zzz") in codes


def test_the_same_question_gives_the_same_bundle(client: TestClient) -> None:
    def ask() -> Any:
        return client.post("/classify", files=FILE, data={"labels": "a"}, headers=FHIR)

    first, second = ask(), ask()
    assert first.content == second.content
    assert first.headers["etag"] == second.headers["etag"]
