"""Record: leads by name, and what is refused at its door."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from merl_core.errors import InvalidRecordError
from merl_core.records import STANDARD_LEADS, Record, canonical_lead, select_leads


def make_record(leads: tuple[str, ...] = STANDARD_LEADS, sig_len: int = 10) -> Record:
    """A record whose every sample is the lead's place in the standard order."""
    place = {lead.lower(): i for i, lead in enumerate(STANDARD_LEADS)}
    rows = [np.full(sig_len, place.get(lead.lower(), -1), np.float32) for lead in leads]
    return Record(np.stack(rows), leads, fs=500.0)


@given(st.permutations(STANDARD_LEADS))
def test_leads_are_found_by_name_not_position(leads: list[str]) -> None:
    chosen = select_leads(make_record(tuple(leads)), STANDARD_LEADS)
    assert chosen[:, 0].tolist() == list(range(12))


def test_leads_are_found_whatever_their_case() -> None:
    shouted = make_record(tuple(lead.upper() for lead in STANDARD_LEADS))
    assert select_leads(shouted, ("aVF", "I"))[:, 0].tolist() == [5, 0]


def test_a_missing_lead_is_named() -> None:
    with pytest.raises(InvalidRecordError, match="'V6' missing") as caught:
        select_leads(make_record(STANDARD_LEADS[:-1]), STANDARD_LEADS)
    assert caught.value.code == "missing_lead"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("AVR", "aVR"),
        ("lead ii", "II"),
        ("Lead II", "II"),
        ("MDC_ECG_LEAD_V1", "V1"),
        ("ECG aVF", "aVF"),
        (" v6 ", "V6"),
        ("vx", "vx"),
        ("ECG lead aVL", "aVL"),
        ("EKG II lead tracing", "II"),
        ("MDC_ECG_ELEC_POTL_AVF", "aVF"),
        ("V1-REF", "V1"),
        ("I (Einthoven)", "I"),
        ("a VR", "aVR"),
        ("V-2", "V2"),
        ("\u2162", "III"),
        ("-aVR", "-aVR"),
        ("-V1", "-V1"),
        ("I-II", "I-II"),
        ("ECG", "ECG"),
        ("V7", "V7"),
    ],
)
def test_a_lead_name_is_brought_to_its_standard_spelling(name: str, expected: str) -> None:
    assert canonical_lead(name) == expected


def test_a_lead_named_twice_is_refused() -> None:
    with pytest.raises(InvalidRecordError, match="'I' is named twice"):
        Record(np.zeros((2, 5), np.float32), ("I", "I"), fs=500.0)


@pytest.mark.parametrize("fs", [0.0, -1.0, float("nan"), float("inf")])
def test_an_impossible_rate_is_refused(fs: float) -> None:
    with pytest.raises(InvalidRecordError, match="sampling rate"):
        Record(np.zeros((1, 5), np.float32), ("I",), fs=fs)


@pytest.mark.parametrize("shape", [(12,), (11, 5), (5, 12), (12, 5, 1)])
def test_a_signal_that_does_not_fit_its_leads_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidRecordError, match="does not hold the 12 leads"):
        Record(np.zeros(shape, np.float32), STANDARD_LEADS, fs=500.0)


def test_an_empty_recording_is_refused() -> None:
    with pytest.raises(InvalidRecordError, match="no samples"):
        make_record(sig_len=0)


def test_duration_is_samples_over_rate() -> None:
    assert make_record(sig_len=5000).duration_s == 10.0
