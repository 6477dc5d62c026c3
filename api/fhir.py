"""A classification as FHIR R4: a bundle of one DiagnosticReport and one Observation a class.

Source: HL7 FHIR R4 (4.0.1), DiagnosticReport, Observation, Device and Bundle.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from api.schemas import ClassifyAnswer, ScoreBody

MEDIA_TYPE: Final = "application/fhir+json"

_OWN: Final = "urn:merl-ckepe:codes"
_UCUM: Final = "http://unitsofmeasure.org"
_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_URL, "urn:merl-ckepe:fhir")

_SYSTEMS: Final = {
    "SNOMED": "http://snomed.info/sct",
    "UMLS": "http://www.nlm.nih.gov/research/umls",
    "HP": "http://purl.obolibrary.org/obo/hp.owl",
    "NCIT": "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl",
    "ICD10CM": "http://hl7.org/fhir/sid/icd-10-cm",
    "MDC": "urn:iso:std:iso:11073:10101",
}
"""Prefix of a cross-reference to the system that HL7 registered for it."""


def to_bundle(answer: ClassifyAnswer, xrefs: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Return a collection bundle; the same record, model and prompts give the same one.

    A score is a similarity, so that no Observation states a finding: the class that was scored is
    a component, and the status of everything is `preliminary`.

    Args:
        answer: The classification.
        xrefs: Codes of each label's class, as `PREFIX:ID`.
    """
    seed = f"{answer.record.sha256} {answer.model.sha256} {answer.prompt_set.id}"
    device = _url(seed, "device")
    observations = [_observation(score, answer, device, xrefs) for score in answer.scores]
    urls = [_url(seed, f"observation {score.label}") for score in answer.scores]
    report = _report(answer, urls)
    resources = [report, *observations, _device(answer)]
    places = [_url(seed, "report"), *urls, device]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "identifier": {"system": _OWN, "value": places[0]},
        "entry": [
            {"fullUrl": place, "resource": resource}
            for place, resource in zip(places, resources, strict=True)
        ],
    }


def _report(answer: ClassifyAnswer, observation_urls: Sequence[str]) -> dict[str, Any]:
    notices = [answer.disclaimer, *answer.prompt_set.notices]
    notices += [f"{warning.code}: {warning.message}" for warning in answer.warnings]
    if not answer.record.quality.acceptable:
        failed = [check.message for check in answer.record.quality.checks if not check.ok]
        notices.append(f"Signal quality is not acceptable: {'; '.join(failed)}")
    return {
        "resourceType": "DiagnosticReport",
        "identifier": [
            {"system": "urn:merl-ckepe:record-sha256", "value": answer.record.sha256},
            {"system": "urn:merl-ckepe:prompt-set", "value": answer.prompt_set.id},
        ],
        "status": "preliminary",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/v2-0074",
                        "code": "EC",
                        "display": "Electrocardiac (e.g., EKG, EEC, Holter)",
                    }
                ]
            }
        ],
        "code": {
            "coding": [{"system": "http://loinc.org", "code": "11524-6", "display": "EKG study"}],
            "text": "Zero-shot classification of a 12-lead ECG",
        },
        "result": [{"reference": url} for url in observation_urls],
        "conclusion": " ".join(notices),
    }


def _observation(
    score: ScoreBody, answer: ClassifyAnswer, device: str, xrefs: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    components = [
        {
            "code": _own_code("class", "Class that was scored"),
            "valueCodeableConcept": _concept(score, xrefs.get(score.label, ())),
        },
        {"code": _own_code("rank", "Rank among the classes scored"), "valueInteger": score.rank},
    ]
    if score.percentile is not None:
        components.append(
            {
                "code": _own_code("percentile", "Percentile on the reference bank"),
                "valueQuantity": _quantity(score.percentile, "%", "%"),
            }
        )
    if score.probability is not None:
        components.append(
            {
                "code": _own_code("probability", "Calibrated probability"),
                "valueQuantity": _quantity(score.probability, "1", "1"),
            }
        )
    return {
        "resourceType": "Observation",
        "status": "preliminary",
        "category": [
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "procedure",
                        "display": "Procedure",
                    }
                ]
            }
        ],
        "code": _own_code("similarity", f"Similarity of the ECG to {score.meaning!r}"),
        "device": {"reference": device},
        "valueQuantity": _quantity(score.score, "cosine", "1"),
        "note": [
            {"text": f"Prompt: {score.prompt}"},
            *({"text": note} for note in score.notes),
            {"text": answer.disclaimer},
        ],
        "component": components,
    }


def _device(answer: ClassifyAnswer) -> dict[str, Any]:
    return {
        "resourceType": "Device",
        "identifier": [
            {"system": "urn:merl-ckepe:model-sha256", "value": answer.model.sha256},
            {"system": "urn:merl-ckepe:config-sha256", "value": answer.model.config_sha256},
        ],
        "version": [{"type": {"text": "backend"}, "value": answer.model.backend}],
        "deviceName": [{"name": f"merl-ckepe {answer.model.id}", "type": "model-name"}],
        "type": {"text": "Research software; not a medical device"},
    }


def _concept(score: ScoreBody, xrefs: Sequence[str]) -> dict[str, Any]:
    coding = [{"system": f"{_OWN}:label", "code": score.label, "display": score.meaning}]
    for xref in xrefs:
        prefix, _, code = xref.partition(":")
        if prefix in _SYSTEMS and code:
            value = f"{prefix}:{code}" if prefix == "HP" else code
            coding.append({"system": _SYSTEMS[prefix], "code": value})
    return {"coding": coding, "text": score.meaning}


def _own_code(code: str, text: str) -> dict[str, Any]:
    return {"coding": [{"system": _OWN, "code": code}], "text": text}


def _quantity(value: float, unit: str, code: str) -> dict[str, Any]:
    return {"value": value, "unit": unit, "system": _UCUM, "code": code}


def _url(seed: str, name: str) -> str:
    return f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{seed} {name}')}"
