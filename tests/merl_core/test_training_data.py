import numpy as np

from merl_core.datasets.ptbxl import PtbXl
from merl_core.training_data import some_patients

NONE = (frozenset[str](),) * 10
DATA = PtbXl(
    signals=np.zeros((10, 12, 4), dtype=np.float32),
    ecg_ids=np.arange(10),
    patient_ids=np.array([1, 1, 1, 2, 3, 3, 4, 5, 6, 6]),
    folds=np.ones(10, dtype=np.int64),
    scp_codes=NONE,
    superclasses=NONE,
    subclasses=NONE,
    forms=NONE,
    rhythms=NONE,
    reports=("",) * 10,
    axes=("",) * 10,
    has_voltage=np.ones(10, dtype=bool),
)


def test_a_part_of_the_recordings_is_that_of_whole_patients() -> None:
    for seed in range(5):
        part = some_patients(DATA, 6, seed)
        assert 3 < len(part) <= 6
        for patient in np.unique(part.patient_ids):
            whole = np.count_nonzero(DATA.patient_ids == patient)
            assert np.count_nonzero(part.patient_ids == patient) == whole


def test_the_same_seed_draws_the_same_patients_and_a_smaller_part_lies_in_a_larger() -> None:
    small, large = some_patients(DATA, 4, 1), some_patients(DATA, 8, 1)
    np.testing.assert_array_equal(some_patients(DATA, 4, 1).ecg_ids, small.ecg_ids)
    assert set(small.ecg_ids) <= set(large.ecg_ids)
    assert len(some_patients(DATA, 100, 1)) == 10
