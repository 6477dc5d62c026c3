"""`make bench` runs what it names."""

import importlib.util
import json
from pathlib import Path

import pytest

from benchmarks import __main__ as bench


def test_every_benchmark_is_a_module_or_a_command_of_merl() -> None:
    for arguments in bench.BENCHMARKS.values():
        if arguments[0] == "-m":
            assert importlib.util.find_spec(arguments[1]) is not None
        else:
            assert arguments[2] == "bench"


def test_every_benchmark_has_results_in_the_repository() -> None:
    for name in bench.BENCHMARKS:
        assert json.loads((bench.RESULTS / f"{name}.json").read_text(encoding="utf-8"))


def test_an_unknown_benchmark_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        bench.main(["speed"])
    assert caught.value.code == 2
    assert "no benchmark is called 'speed'" in capsys.readouterr().err


def test_what_a_benchmark_prints_is_kept_unless_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "RESULTS", tmp_path)
    monkeypatch.setattr(
        bench,
        "BENCHMARKS",
        {
            "inference": ("-c", "print('{}')"),
            "training_speed": ("-c", "print(1); raise SystemExit(3)"),
        },
    )
    assert bench.main([]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["inference.json"]
    assert bench.main(["inference"]) == 0
