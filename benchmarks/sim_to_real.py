"""Do findings learnt from simulated ECGs alone carry over to patients? AUROC of each on PTB-XL.

    python -m benchmarks.sim_to_real DATA [--checkpoint merl-sim]

`DATA` holds `ptb-xl` and `ptb-xl-zscored`; folds 1 to 9 are used, none of which the checkpoint has
seen. A finding's prompt is its name. The same findings are measured in simulated recordings of an
unused seed: what is good there and weak on patients is drawn unlike them; what is weak in both is
not learnt. Writes `benchmarks/results/sim_to_real.json` and the table in `docs/simulator.md`.
"""

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from merl_core.checkpoint import load_checkpoint
from merl_core.datasets.ptbxl import PtbXl
from merl_core.engine import Engine
from merl_core.ensemble import DualEncoder
from merl_core.evaluate import PTBXL_SETS, encode_signals, ptbxl_labels, summarize
from merl_core.metrics import auroc
from merl_core.preprocess import bandpass
from merl_core.simulate import STATEMENTS, simulate
from merl_core.targets import load_vocabulary, targets_from_findings
from merl_core.training_data import load_real

RESULTS = Path(__file__).parent / "results" / "sim_to_real.json"
PAGE = Path(__file__).parents[1] / "docs" / "simulator.md"
MIN_POSITIVES = 10
N_SIMULATED = 3000
UNUSED_SEED = 987_654_321
NEEDS_VOLTAGE = frozenset({"LVOLT", "HVOLT", "LVH", "VCLVH", "RVH", "SEHYP", "RAO/RAE", "LAO/LAE"})
"""Codes whose criteria are voltages: measured where the source has kept them."""
_TITLES = {
    "ptbxl_super": "superclasses",
    "ptbxl_sub": "subclasses",
    "ptbxl_form": "form",
    "ptbxl_rhythm": "rhythm",
}
_AXES = {
    "left-axis-deviation": ("LAD", "ALAD"),
    "right-axis-deviation": ("RAD", "ARAD"),
}
_MARKS = re.compile(r"(<!-- table: begin -->\n).*?(<!-- table: end -->)", re.DOTALL)


def findings_of(data: PtbXl) -> Iterator[tuple[str, str, NDArray[np.float64], NDArray[np.bool_]]]:
    """Yield code, local id, 0/1 labels (N,) and which recordings can tell, of each finding."""
    vocabulary = load_vocabulary()
    everywhere = np.ones(len(data), dtype=bool)
    codes, _, y_true = ptbxl_labels(data, "scp")
    for code, truth in zip(codes, y_true.T, strict=True):
        local = vocabulary.by_scp_code[code]
        yield code, local, truth, data.has_voltage if code in NEEDS_VOLTAGE else everywhere
    axes = np.array(data.axes)
    for local, names in _AXES.items():
        yield "heart_axis", local, np.isin(axes, names).astype(float), axes != ""


def measure(engine: Engine, model: DualEncoder, data: PtbXl) -> list[dict[str, Any]]:
    """Return a row for each finding with enough positives, the weakest first."""
    vocabulary = load_vocabulary()
    real = encode_signals(model, data.signals)
    batch = simulate(None, n_records=N_SIMULATED, fs=100, seed=UNUSED_SEED)
    artificial = encode_signals(model, bandpass(batch.signals, 100.0))
    shown = targets_from_findings(batch.findings, STATEMENTS, vocabulary)
    rows = []
    for code, local, truth, usable in findings_of(data):
        if truth[usable].sum() < MIN_POSITIVES:
            continue
        column = vocabulary.index[local]
        name = vocabulary.concepts[column].canonical_name
        prompt = engine.encode_text([name])[0]
        groups = [str(p) for p in data.patient_ids[usable]]
        score = (real[usable] @ prompt)[:, None].astype(np.float32)
        report = summarize([name], truth[usable, None], score, groups)["classes"][0]
        rows.append(
            {
                "code": code,
                "finding": name,
                "auroc": report["auroc"],
                "auroc_ci": report["auroc_ci"],
                "n_positive": report["n_positive"],
                "n_records": int(usable.sum()),
                "auroc_simulated": _auroc_where_known(shown[:, column], artificial @ prompt),
            }
        )
    return sorted(rows, key=lambda row: float(row["auroc"]))


def _auroc_where_known(truth: NDArray[np.float32], score: NDArray[np.float32]) -> float | None:
    known = ~np.isnan(truth)
    if not 0 < truth[known].sum() < known.sum():
        return None
    return float(auroc(truth[known, None], score[known, None])[0])


def macros(engine: Engine, model: DualEncoder, data: PtbXl) -> dict[str, Any]:
    """Return the macro AUROC, with its interval, of PTB-XL's label sets."""
    features = encode_signals(model, data.signals)
    groups = [str(patient) for patient in data.patient_ids]
    out = {}
    for name in PTBXL_SETS:
        _, meanings, y_true = ptbxl_labels(data, name)
        enough = y_true.sum(axis=0) >= MIN_POSITIVES
        texts = [m for m, keep in zip(meanings, enough, strict=True) if keep]
        scores = features @ engine.encode_text(texts).T
        report = summarize(texts, y_true[:, enough], scores, groups)
        out[name] = {k: report[k] for k in ("macro_auroc", "macro_auroc_ci", "n_classes")}
    return out


def table(result: dict[str, Any]) -> str:
    """Return the tables of the page."""
    lines = [
        f"Checkpoint `{result['model']}` on {result['n_records']} recordings of PTB-XL, folds 1 to"
        " 9, classes named in plain words.",
        "",
        "| PTB-XL label set | classes | macro AUROC | 95 % interval |",
        "|---|---|---|---|",
    ]
    for name, one in result["macros"].items():
        low, high = one["macro_auroc_ci"]
        lines.append(
            f"| {_TITLES[name]} | {one['n_classes']} | {one['macro_auroc']:.3f} | "
            f"{low:.3f} to {high:.3f} |"
        )
    lines += [
        "",
        "| finding | SCP code | positives | AUROC, patients | 95 % interval | simulated |",
        "|---|---|---|---|---|---|",
    ]
    for row in result["findings"]:
        low, high = row["auroc_ci"]
        inside = row["auroc_simulated"]
        lines.append(
            f"| {row['finding']} | {row['code']} | {row['n_positive']} | {row['auroc']:.3f} | "
            f"{low:.3f} to {high:.3f} | {'' if inside is None else f'{inside:.3f}'} |"
        )
    return "\n".join(lines) + "\n"


def page_with(text: str, result: dict[str, Any]) -> str:
    """Return the page with its tables written anew."""
    return _MARKS.sub(lambda m: m.group(1) + table(result) + m.group(2), text)


def main() -> None:
    """Measure, and write result and page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--checkpoint", default="merl-sim")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    checkpoint = load_checkpoint(arguments.checkpoint)
    engine, model = Engine(checkpoint, device="cpu"), checkpoint.model
    data = load_real(arguments.data, range(1, 10))
    result = {
        "model": engine.model_id,
        "sha256": engine.sha256,
        "n_records": len(data),
        "macros": macros(engine, model, data),
        "findings": measure(engine, model, data),
    }
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page_with(PAGE.read_text(encoding="utf-8"), result), encoding="utf-8")


if __name__ == "__main__":
    main()
