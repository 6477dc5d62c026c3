"""The measured part of docs/evaluation.md, from the results of `benchmarks.paper_figures`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FIGURES = ROOT / "docs" / "figures"
PAGE = ROOT / "docs" / "evaluation.md"
MARK = "<!-- measured: written by benchmarks.paper_figures -->"
TITLES = {
    "zero_shot_and_probe": "Zero-shot against probes by share of labels",
    "by_data_set": "Zero-shot by data set, with random weights for comparison",
    "prompts": "Zero-shot by prompt",
    "scaling": "Zero-shot by training records and by encoder size",
    "embedding_ptbxl_super_merl-base": "t-SNE of features, records of one superclass",
}
Result = dict[str, Any]


def write_page(content: Result) -> None:
    """Replace what stands behind the mark."""
    results = content["results"]
    parts = [
        f"Tested on the {content['n_test']} records of fold 9.",
        _zero_shot([r for r in results if r["kind"] == "zero_shot"]),
        _probes([r for r in results if r["kind"] in ("probe", "supervised")]),
        *_scaling([r for r in results if r["kind"] == "scaling"]),
        "Calibration (Platt) on fold 8; the errors are those of five folds by patient:",
        _calibration(content["calibration"]),
    ]
    for name, title in TITLES.items():
        if (FIGURES / f"{name}.svg").is_file():
            parts.append(f"![{title}](figures/{name}.svg)\n*{title} ([data](figures/{name}.csv)).*")
    before = PAGE.read_text(encoding="utf-8").partition(MARK)[0]
    PAGE.write_text(before + "\n\n".join([MARK, *parts]) + "\n", encoding="utf-8")


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _with_interval(result: Result) -> str:
    low, high = result["macro_auroc_ci"]
    return f"{result['macro_auroc']:.3f} ({low:.3f} to {high:.3f})"


def _zero_shot(results: Sequence[Result]) -> str:
    heads = ["label set", "model", "prompts", "macro AUROC (95 %)", "macro AUPRC", "classes"]
    rows = [
        [
            r["label_set"], r["model"]["id"], r["prompts"], _with_interval(r),
            f"{r['macro_auprc']:.3f}", str(r["n_classes"]),
        ]
        for r in results
    ]  # fmt: skip
    return _table(heads, rows)


def _probes(results: Sequence[Result]) -> str:
    rows = []
    for r in results:
        what = "supervised from scratch"
        if r["kind"] == "probe":
            note = "" if r["recipe"] == "ours" else ", the paper's recipe (best test epoch)"
            what = f"probe of {r['model']['id']}{note}"
        rows.append([r["label_set"], what, *map(_with_interval, r["shares"])])
    return _table(["label set", "trained on labels", "1 %", "10 %", "100 %"], rows)


def _scaling(results: Sequence[Result]) -> list[str]:
    """Return what the runs are and their table; nothing where there are none."""
    if not results:
        return []
    by_run: dict[tuple[int, int], dict[str, Result]] = {}
    for r in results:
        by_run.setdefault((r["n_train"], r["n_parameters"]), {})[r["label_set"]] = r
    sets = list(dict.fromkeys(r["label_set"] for r in results))
    rows = [
        [f"{n_train:,}", f"{n_parameters:,}", *(_with_interval(found[name]) for name in sets)]
        for (n_train, n_parameters), found in sorted(by_run.items())
    ]
    about = (
        "Zero-shot by number of training records and size of the encoder: one short training each, "
        "of equally many updates on real recordings alone (`benchmarks/scaling.py`), class names "
        "as prompts:"
    )
    return [about, _table(["records", "parameters of the ECG encoder", *sets], rows)]


def _calibration(found: dict[str, Result]) -> str:
    names = ("ece", "brier", "brier_of_prevalence")
    rows = [
        [model, c["label"], *(f"{c[name]:.3f}" for name in names), str(c["n_positive"])]
        for model, report in found.items()
        for c in report["classes"]
        if c["calibrated"]
    ]
    heads = ["model", "class", "expected calibration error", "Brier", "Brier of the prevalence"]
    return _table([*heads, "positives"], rows)
