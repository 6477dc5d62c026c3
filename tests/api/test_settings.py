import importlib.util
import re
from pathlib import Path

import pytest

from api.errors import ConfigurationError
from api.settings import Settings, load_settings, prepare_data_dir

ROOT = Path(__file__).parents[2]


def test_every_setting_is_in_the_example_file_with_its_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("MERL_DATA_DIR")
    text = (ROOT / ".env.example").read_text()
    shown = dict(re.findall(r"^MERL_(\w+)=(.*)$", text, re.MULTILINE))
    assert {name.lower() for name in shown} == set(Settings.model_fields)
    defaults = load_settings()
    for name, value in shown.items():
        monkeypatch.setenv(f"MERL_{name}", value)
    assert load_settings() == defaults


def test_a_backend_that_is_not_installed_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("MERL_BACKEND", "openvino-float32")
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert "MERL_BACKEND" in str(caught.value)
    assert "pip install 'merl-ckepe[cpu]'" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MERL_PORT", "eighty", "MERL_PORT"),
        ("MERL_DEVICE", "tpu", "MERL_DEVICE"),
        ("MERL_LLM_BASE_URL", "localhost:8080", "MERL_LLM_BASE_URL"),
        ("MERL_API_KEYS", "sha256:zz", "MERL_API_KEYS"),
        ("MERL_MAX_UPLOAD_MB", "0", "MERL_MAX_UPLOAD_MB"),
        ("MERL_BACKEND", "abacus", "MERL_BACKEND is not valid: Input should be 'torch-float32'"),
    ],
)
def test_a_wrong_setting_is_named_in_one_line(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as caught:
        load_settings()
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_keys_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MERL_API_KEYS", "secret-one, secret-two")
    settings = load_settings()
    assert len(settings.api_keys) == 2
    assert "secret-one" not in repr(settings)


def test_an_empty_setting_is_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MERL_UMLS_DIR", "")
    assert load_settings().umls_dir is None


def test_the_command_line_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MERL_PORT", "9000")
    assert load_settings(port=9001, host=None).port == 9001


def test_a_data_folder_that_cannot_be_written_is_a_wrong_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="MERL_DATA_DIR"):
        prepare_data_dir(load_settings(data_dir=tmp_path / "file" / "below"))
