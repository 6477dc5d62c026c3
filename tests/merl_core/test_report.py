import csv
import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from merl_core.errors import MerlError
from merl_core.report import draw_figures, read_results

pytest.importorskip("matplotlib")


def zero_shot(name: str, value: float, prompts: str = "knowledge", model: str = "m") -> dict:
    return {
        "kind": "zero_shot", "label_set": name, "prompts": prompts, "model": {"id": model},
        "macro_auroc": value, "macro_auroc_ci": [value - 0.05, value + 0.05],
    }  # fmt: skip


RESULTS = [
    zero_shot("csn", 0.8),
    zero_shot("ptbxl_super", 0.9),
    zero_shot("ptbxl_super", 0.85, "name"),
    zero_shot("ptbxl_super", 0.5, model="m-untrained"),
    {
        "kind": "probe", "label_set": "ptbxl_super", "recipe": "ours", "model": {"id": "m"},
        "shares": [
            {"share": s, "macro_auroc": 0.7 + s / 10, "macro_auroc_ci": [0.6, 0.9]}
            for s in (0.01, 0.1, 1.0)
        ],
    },
    {
        "kind": "scaling", "varies": "n_train", "n_train": 100, "n_parameters": 5,
        "label_set": "ptbxl_super", "macro_auroc": 0.7, "macro_auroc_ci": [0.6, 0.8],
    },
    {
        "kind": "embedding", "label_set": "ptbxl_super", "model": {"id": "m"},
        "points": [{"x": 0.0, "y": 1.0, "label": "MI"}, {"x": 1.0, "y": 0.0, "label": "NORM"}],
    },
]  # fmt: skip


def test_every_figure_is_written_thrice_with_its_data(tmp_path: Path) -> None:
    written = draw_figures(RESULTS, tmp_path)
    names = {path.name for path in written}
    for figure in (
        "zero_shot_and_probe", "by_data_set", "prompts", "scaling", "embedding_ptbxl_super_m"
    ):  # fmt: skip
        assert {f"{figure}.svg", f"{figure}.png", f"{figure}.csv"} <= names
    assert all(path.stat().st_size > 0 for path in written)
    with (tmp_path / "zero_shot_and_probe.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["macro_auroc"] for row in rows if row["series"] == "probe m"] == [
        "0.701", "0.71", "0.7999999999999999"
    ]  # fmt: skip
    assert "PTB-XL super" in (tmp_path / "by_data_set.svg").read_text()


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        draw_figures(RESULTS, tmp_path / folder)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_a_file_that_is_no_result_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps({"hello": 1}))
    with pytest.raises(MerlError, match=r"x\.json: no result of kind"):
        read_results([file])
    with pytest.raises(MerlError, match="cannot be read"):
        read_results([tmp_path / "absent.json"])


def test_a_result_without_a_field_of_its_kind_is_named(tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps({"kind": "probe", "model": {"id": "m"}, "label_set": "csn"}))
    with pytest.raises(MerlError, match=r"x\.json: a result of kind 'probe' lacks 'recipe'"):
        read_results([file])


@pytest.mark.parametrize(
    ("number", "change", "message"),
    [
        (0, {"macro_auroc": "high"}, "macro_auroc 'high' with interval"),
        (0, {"macro_auroc_ci": None}, "with interval None, expected a number and two"),
        (0, {"model": "m"}, "model 'm', expected an object with 'id'"),
        (4, {"shares": [{"macro_auroc": 0.5}]}, "expected an object with 'share'"),
        (4, {"shares": 5}, "share None, expected"),
        (6, {"points": [{"x": 0.0}]}, "expected 'x', 'y' and 'label'"),
    ],
)
def test_a_field_that_cannot_be_drawn_is_named(
    tmp_path: Path, number: int, change: dict, message: str
) -> None:
    file = tmp_path / "x.json"
    file.write_text(json.dumps(RESULTS[number] | change))
    with pytest.raises(MerlError) as caught:
        read_results([file])
    assert str(caught.value).startswith(f"{file}: a result of kind {RESULTS[number]['kind']!r}: ")
    assert message in str(caught.value)


def test_the_legend_lies_below_the_data(tmp_path: Path) -> None:
    draw_figures(RESULTS, tmp_path)
    svg = (tmp_path / "zero_shot_and_probe.svg").read_text()
    assert svg.index("figure_1") < svg.index("axes_1") < svg.index('id="legend_1"')
    drawn = svg[svg.index('id="axes_1"') : svg.index('id="legend_1"')]
    assert "probe m" not in drawn
    assert svg.count(">probe m<") == 1


def test_results_of_many_runs_may_lie_in_one_file(tmp_path: Path) -> None:
    file = tmp_path / "all.json"
    file.write_text(json.dumps({"results": RESULTS}))
    assert len(read_results([file])) == len(RESULTS)


def starts_in_legend(svg: str) -> dict[str, float]:
    """Return where each name of a legend begins, in points from the left."""
    legend = ElementTree.fromstring(svg).find(".//*[@id='legend_1']")
    assert legend is not None
    texts = [element for element in legend.iter() if element.tag.endswith("}text")]
    return {"".join(text.itertext()): float(text.attrib["x"]) for text in texts}


def test_a_figure_of_one_data_set_is_wide_enough_for_its_legend(tmp_path: Path) -> None:
    draw_figures([*RESULTS, RESULTS[4] | {"recipe": "paper"}], tmp_path)
    svg = (tmp_path / "zero_shot_and_probe.svg").read_text()
    width = float(re.findall(r'width="([0-9.]+)pt"', svg)[0])
    starts = starts_in_legend(svg)
    assert {"probe m", "probe m (the paper's recipe)", "zero-shot m"} <= starts.keys()
    assert all(x > 0 and x + 3.6 * len(name) < width for name, x in starts.items())


def test_models_of_equally_long_names_have_colours_of_their_own(tmp_path: Path) -> None:
    models = ["merl-resnet18", "merl-resnet34", "merl-base", "own-base!"]
    draw_figures([zero_shot("csn", 0.8, model=m) for m in models], tmp_path)
    svg = (tmp_path / "by_data_set.svg").read_text().split("legend_1")[1]
    assert len(set(re.findall(r"fill: (#[0-9a-f]{6})", svg)) - {"#ffffff"}) == len(models)


def test_a_domain_transfer_has_a_panel_that_names_both_sets(tmp_path: Path) -> None:
    moved = RESULTS[4] | {"kind": "transfer", "tested_on": "csn"}
    draw_figures([*RESULTS, moved], tmp_path)
    assert ">PTB-XL super to CSN<" in (tmp_path / "zero_shot_and_probe.svg").read_text()
    with (tmp_path / "zero_shot_and_probe.csv").open() as stream:
        rows = [row for row in csv.DictReader(stream) if row["label_set"] == "PTB-XL super to CSN"]
    assert [row["x"] for row in rows] == ["0.01", "0.1", "1.0"]


def test_probes_are_drawn_without_a_zero_shot_result_too(tmp_path: Path) -> None:
    written = draw_figures([RESULTS[4]], tmp_path)
    assert [path.name for path in written] == [
        f"zero_shot_and_probe.{suffix}" for suffix in ("svg", "png", "csv")
    ]
