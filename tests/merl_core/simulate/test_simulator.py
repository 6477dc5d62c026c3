"""The simulator as a whole: determinism, shapes, the leads' laws."""

import numpy as np

from merl_core.simulate import simulate


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, second = (simulate(None, n_records=20, seed=3) for _ in range(2))
    assert first.signals.tobytes() == second.signals.tobytes()
    assert first.findings == second.findings
    assert first.reports == second.reports


def test_einthovens_law_holds_with_noise() -> None:
    signals = simulate(None, n_records=40, seed=1).signals
    assert signals.shape == (40, 12, 1000)
    np.testing.assert_allclose(signals[:, 0] + signals[:, 2], signals[:, 1], atol=1e-5)
    np.testing.assert_allclose(signals[:, 3] + signals[:, 4] + signals[:, 5], 0, atol=1e-5)
