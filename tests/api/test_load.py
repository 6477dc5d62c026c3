"""Many callers at once, and a real process: an answer, or a refusal that says when to return."""

from pathlib import Path

import pytest

from benchmarks.service_load import measure


@pytest.mark.slow
@pytest.mark.timeout(1000)
def test_callers_beyond_capacity_are_answered_alike_or_told_when_to_come_back(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MERL_MAX_WAITING", "12")
    result = measure(data_dir, "merl-sim", n_callers=60, n_rounds=2)
    by_status = {int(status): n for status, n in result["load"]["by_status"].items()}
    assert set(by_status) == {200, 429}
    assert sum(by_status.values()) == 120
    assert by_status[200] >= 2 * 12
    assert result["load"]["refused_with_retry_after"] == by_status[429]
    assert result["load"]["largest_score_difference_to_lone"] <= 2e-6
    assert result["resident_mb"]["peak"] < 1.5 * result["resident_mb"]["before"]
    stopped = {int(status): n for status, n in result["sigterm"]["by_status"].items()}
    assert result["sigterm"]["exit_status"] == 0
    assert stopped[200] >= 8
    assert set(stopped) <= {0, 200, 429}
