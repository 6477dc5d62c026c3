"""What parts report, as metrics."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.metrics import Metrics
from api.watch import Watch, WatchedCache, WatchedLLM
from ckepe.errors import LLMError
from ckepe.llm import Completion, ScriptedLLM

from .conftest import ECG_BYTES


def test_calls_of_a_language_model_are_counted_by_outcome() -> None:
    metrics, watch = Metrics(), Watch()
    metrics.listen(watch)
    script = ["{}", Completion("{", is_complete=False), LLMError("gone")]
    llm = WatchedLLM(ScriptedLLM(script), watch)
    for _ in range(2):
        llm.complete([], {})
    with pytest.raises(LLMError):
        llm.complete([], {})
    text = metrics.render().decode()
    for outcome in ("ok", "cut", "error"):
        assert f'merl_llm_calls_total{{outcome="{outcome}"}} 1.0' in text
    assert "merl_llm_seconds_count 3.0" in text


def test_cached_answers_are_counted(tmp_path: Path) -> None:
    metrics, watch = Metrics(), Watch()
    metrics.listen(watch)
    assert WatchedCache(tmp_path, watch).get("absent") is None
    text = metrics.render().decode()
    assert 'merl_cache_lookups_total{cache="llm_answers",result="miss"} 1.0' in text


def test_a_classification_is_counted_stage_by_stage(client: TestClient) -> None:
    for _ in range(2):
        client.post("/classify", files={"file": ("a", ECG_BYTES)}, data={"labels": "a"})
    text = client.get("/metrics").text
    for stage in ("read", "quality", "prepare", "encode", "score"):
        assert f'merl_stage_seconds_count{{stage="{stage}"}} 2.0' in text
    assert 'merl_cache_lookups_total{cache="prompt_sets",result="hit"} 1.0' in text
    assert "merl_encoder_waiting 0.0" in text
    assert 'merl_queue_waiting{lane="classify"} 0.0' in text
