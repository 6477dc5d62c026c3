import json
from pathlib import Path

import pytest

from scripts.record_results import filled, table

REPORT = {
    "macro_auroc": 0.8123,
    "macro_auroc_ci": [0.7912, 0.8345],
    "n_records": 2158,
    "classes": [{"auroc": 0.8}, {"auroc": None}],
}


def test_a_report_becomes_a_line_with_its_interval(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json.dumps(REPORT))
    made = table({"PTB-XL form": tmp_path / "report.json"}, "merl evaluate ...")
    assert "| PTB-XL form | 1 | 2,158 | 0.812 (0.791 to 0.835) |" in made
    assert "`merl evaluate ...`" in made


def test_only_what_is_between_the_markers_changes() -> None:
    readme = "a\n<!-- results -->\nold\n<!-- /results -->\nb\n"
    once = filled(readme, "new\n")
    assert once == "a\n<!-- results -->\nnew\n<!-- /results -->\nb\n"
    assert filled(once, "new\n") == once


def test_a_readme_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="no markers"):
        filled("a", "b")
