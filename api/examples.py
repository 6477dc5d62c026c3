"""Examples of the OpenAPI description; tests hold each against its schema."""

from typing import Any, Final

from merl_core.notebook import DISCLAIMER

_RECORD: Final[dict[str, Any]] = {
    "format": "dicom",
    "sha256": "7f" * 32,
    "fs": 500.0,
    "duration_s": 10.0,
    "leads": ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"],
    "derived_leads": [],
    "quality": {
        "acceptable": True,
        "checks": [
            {
                "name": "flat_share",
                "ok": True,
                "value": 0.0,
                "limit": 0.5,
                "leads": [],
                "message": "share of time without any beat 0.00",
            }
        ],
    },
    "device_statements": ["Sinus rhythm", "Left bundle branch block"],
    "device_measurements": {"heart_rate_bpm": 71.0, "pr_ms": 168.0, "qrs_ms": 148.0},
}

CLASSIFICATION: Final[dict[str, Any]] = {
    "record": _RECORD,
    "model": {
        "id": "merl-base",
        "sha256": "e0" * 32,
        "config_sha256": "1c" * 32,
        "n_reference": 1500,
        "backend": "torch-float32",
    },
    "prompt_set": {
        "id": "a7" * 32,
        "llm": None,
        "notices": ["prompts from knowledge alone: the language model was not asked"],
        "published_as": None,
    },
    "scores": [
        {
            "label": "left bundle branch block",
            "meaning": "left bundle branch block",
            "grounded": True,
            "score": 0.524,
            "percentile": 98.2,
            "percentile_interval": [97.39, 98.76],
            "probability": None,
            "prompt": "left bundle branch block, absent septal q waves in I, V5 and V6",
            "rank": 1,
            "notes": [],
        }
    ],
    "warnings": [{"code": "calibration_pulse_removed", "message": "0.2 s at the end were removed"}],
    "timings_ms": {"prompts": 0.1, "read": 9.8, "encode": 41.2, "total": 58.4},
    "disclaimer": DISCLAIMER,
}
"""Answer of `POST /classify`."""

BATCH: Final[dict[str, Any]] = {
    "results": [
        {
            "index": 0,
            "n_records": 2,
            "files": ["ecg.dcm"],
            "result": CLASSIFICATION,
            "error": None,
        },
        {
            "index": 1,
            "n_records": 2,
            "files": ["note.txt"],
            "result": None,
            "error": {
                "type": "urn:merl-ckepe:problem:unknown_format",
                "title": "The file is of no known ECG format",
                "status": 415,
                "detail": "the content of 'upload.txt' is no ECG format known here",
                "code": "unknown_format",
                "request_id": "0f6f9ad1c2b84f6b",
            },
        },
    ],
    "n_failed": 1,
    "disclaimer": DISCLAIMER,
}
"""Answer of `POST /classify/batch`."""

VERDICTS: Final[dict[str, Any]] = {
    "label": "left bundle branch block",
    "verdicts": [
        {
            "phrase": "delta wave",
            "verdict": "reject",
            "relation": "other-condition",
            "evidence": [],
            "reason": "it is a criterion of ventricular pre-excitation",
        }
    ],
}
"""Answer of `POST /prompts/verify`."""

HIT: Final[dict[str, Any]] = {
    "concept_id": "ECG:left-bundle-branch-block",
    "canonical_name": "left bundle branch block",
    "source": "merl",
    "score": 1.0,
    "matched": "LBBB",
    "xrefs": ["SNOMED:164909002", "UMLS:C0023211", "HP:0011713"],
}
"""One answer of `GET /knowledge/search`."""
