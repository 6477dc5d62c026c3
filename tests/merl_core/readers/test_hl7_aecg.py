"""HL7 aECG: the fullest series, its sets joined, rates as they are, leads by any code."""

import numpy as np
import pytest

from benchmarks.ecg_files import LEADS, hl7_aecg, microvolts
from merl_core.readers import read_files
from merl_core.records import Record, select_leads

UV = microvolts(250, 10)
DOCUMENT = hl7_aecg(UV, 250).decode()


def between(begin: str, end: str) -> str:
    return DOCUMENT[DOCUMENT.index(begin) : DOCUMENT.index(end) + len(end)]


SERIES = between("<component><series>", "</series></component>")
SEQUENCES = between("<component><sequence>", "</sequence></component></sequenceSet>")
TIME, *PARTS = [f"<component>{part}" for part in SEQUENCES.split("<component>")[1:]]
PARTS[-1] = PARTS[-1].removesuffix("</sequenceSet>")


def read(document: str) -> Record:
    return read_files({"a.xml": document.encode()})


def sets(*groups: list[str], head: str = "20240102030405") -> str:
    """Return the document with its leads in several sets, the last of which begins at `head`."""
    times = [TIME] * (len(groups) - 1) + [TIME.replace("20240102030405", head)]
    joined = "".join(
        f"<component><sequenceSet>{time}{''.join(group)}</sequenceSet></component>"
        for time, group in zip(times, groups, strict=True)
    )
    whole = between("<component><sequenceSet>", "</sequenceSet></component>")
    return DOCUMENT.replace(whole, joined)


def test_leads_in_several_sets_are_joined() -> None:
    record = read(sets(PARTS[:3], PARTS[3:6], PARTS[6:9], PARTS[9:]))
    assert np.allclose(select_leads(record, LEADS), UV / 1000, atol=1e-6)


def test_a_set_that_begins_later_leaves_the_rest_open() -> None:
    record = read(sets(PARTS[:6], PARTS[6:], head="20240102030415"))
    assert record.duration_s == 20
    assert np.isnan(record.signal[0, 2500:]).all()
    assert np.isnan(record.signal[6, :2500]).all()
    assert np.allclose(record.signal[6, 2500:], UV[6] / 1000)


def test_of_several_series_the_fullest_is_read_with_a_warning() -> None:
    short = hl7_aecg(UV[:, :500], 250).decode()
    short = short[short.index("<component><series>") : short.index("</AnnotatedECG>")]
    record = read(DOCUMENT.replace(SERIES, short + SERIES))
    assert record.sig_len == 2500
    assert [warning.code for warning in record.warnings] == ["several_series"]


@pytest.mark.parametrize("code", ["MDC_ECG_ELEC_POTL_{}", "MINDRAY_ECG_LEAD_{}", "{}"])
def test_leads_are_known_by_other_codes(code: str) -> None:
    document = DOCUMENT
    for lead in LEADS:
        document = document.replace(f'"MDC_ECG_LEAD_{lead}"', f'"{code.format(lead.upper())}"')
    assert read(document).leads == LEADS


@pytest.mark.parametrize(
    ("increment", "fs"), [("0.0039", 256), ("0.004", 250), ("0.0041", 1 / 0.0041)]
)
def test_the_rate_is_as_the_increment_says(increment: str, fs: float) -> None:
    record = read(DOCUMENT.replace('increment value="0.004"', f'increment value="{increment}"'))
    assert record.fs == pytest.approx(fs)
