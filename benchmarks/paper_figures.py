"""The paper's tables and figures at small scale: PTB-XL's folds 1 to 8 train, fold 9 tests.

    python -m benchmarks.paper_figures --data DIR [--part checkpoints supervised scaling]

`DIR` holds `ptb-xl` and `ptb-xl-zscored`. Fold 8 chooses the probes' penalty, folds 1 to 7 train
them. The recipes of the bundled checkpoints were settled with fold 9 in view, so their own
results there are a little kind. Writes `benchmarks/results/paper_figures.json` and the figures of
`merl report` to `docs/figures`, and the tables into `docs/evaluation.md`. A part replaces its own
results and keeps those of the others.
"""

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.manifold import TSNE

from benchmarks import scaling
from benchmarks.figures_page import FIGURES, ROOT, write_page
from merl_core.calibration import fit_calibration
from merl_core.class_prompts import read_texts
from merl_core.datasets.ptbxl import PtbXl
from merl_core.engine import Engine
from merl_core.ensemble import members_of
from merl_core.evaluate import PTBXL_SETS, ptbxl_labels, summarize, untrained_checkpoint
from merl_core.linear_probe import ProbeData, probe
from merl_core.report import draw_figures
from merl_core.supervised import SignalData, SupervisedRecipe, supervised
from merl_core.training_data import VALIDATION_FOLD, load_real

RESULTS = Path(__file__).parent / "results" / "paper_figures.json"
PROMPT_SETS = ROOT / "ckepe" / "prompt_sets"
PROBE_FOLD = 8
PARTS = {
    "checkpoints": ("zero_shot", "probe", "embedding"),
    "supervised": ("supervised",),
    "scaling": ("scaling",),
}
"""What can be measured by itself, with the kinds of its results."""
Result = dict[str, Any]


def zero_shot(engine: Engine, features: np.ndarray, data: PtbXl, name: str, arm: str) -> Result:
    codes, meanings, y_true = ptbxl_labels(data, name)
    texts = meanings
    if arm == "knowledge":
        made = read_texts(PROMPT_SETS / f"{name}.json")
        texts = [made[f"{name}:{code}"] for code in codes]
    scores = features @ engine.encode_text(texts).T
    report = summarize(codes, y_true, scores, [str(p) for p in data.patient_ids])
    about = {"kind": "zero_shot", "label_set": name, "prompts": arm}
    return about | {"model": {"id": engine.model_id, "sha256": engine.sha256}} | report


def rows_of(data: PtbXl, y_true: np.ndarray) -> dict[str, np.ndarray]:
    """Return each split's records that carry a label of the set, as in the paper."""
    is_labelled = y_true.any(axis=1)
    masks = {
        "train": data.folds < PROBE_FOLD,
        "val": data.folds == PROBE_FOLD,
        "test": data.folds == VALIDATION_FOLD,
    }
    return {split: np.flatnonzero(mask & is_labelled) for split, mask in masks.items()}


def parts_of(features: np.ndarray, data: PtbXl, name: str) -> dict[str, ProbeData]:
    _, _, y_true = ptbxl_labels(data, name)
    return {
        split: ProbeData(
            features[rows], y_true[rows], tuple(str(p) for p in data.patient_ids[rows])
        )
        for split, rows in rows_of(data, y_true).items()
    }


def supervised_baseline(engine: Engine, data: PtbXl, name: str, epochs: int) -> Result:
    """Train the tower of the checkpoint's first member from random weights."""
    codes, _, y_true = ptbxl_labels(data, name)
    parts = {
        split: SignalData.of_array(
            data.signals[rows], y_true[rows], [str(p) for p in data.patient_ids[rows]]
        )
        for split, rows in rows_of(data, y_true).items()
    }
    config = members_of(engine.checkpoint.model)[0].config
    found = supervised(
        codes, config, parts["train"], parts["val"], parts["test"],
        recipe=SupervisedRecipe(n_epochs=epochs, precision="bfloat16"), seeds=(0,),
    )  # fmt: skip
    for run in found["runs"]:
        del run["classes"]
    print(name, "supervised", [round(s["macro_auroc"], 3) for s in found["shares"]], flush=True)
    return {"kind": "supervised", "label_set": name} | found


def embedding(engine: Engine, features: np.ndarray, data: PtbXl, name: str) -> Result:
    """Return t-SNE places of records that carry exactly one class of the set."""
    codes, _, y_true = ptbxl_labels(data, name)
    rows = np.flatnonzero(y_true.sum(axis=1) == 1)
    places = TSNE(2, init="pca", perplexity=30, random_state=0).fit_transform(features[rows])
    points = [
        {
            "x": round(float(x), 3),
            "y": round(float(y), 3),
            "label": codes[int(y_true[row].argmax())],
        }
        for row, (x, y) in zip(rows, places, strict=True)
    ]
    return {
        "kind": "embedding", "label_set": name, "model": {"id": engine.model_id}, "points": points
    }  # fmt: skip


def calibration(engine: Engine, features: np.ndarray, data: PtbXl, name: str) -> Result:
    """Return the calibration errors of superclasses, fitted on fold 8 by patient."""
    codes, _, y_true = ptbxl_labels(data, name)
    made = read_texts(PROMPT_SETS / f"{name}.json")
    prompts = {code: made[f"{name}:{code}"] for code in codes}
    scores = features @ engine.encode_text(list(prompts.values())).T
    patients = [str(p) for p in data.patient_ids]
    _, report = fit_calibration(codes, y_true, scores, patients, prompts, fitted_on="PTB-XL fold 8")
    return {"label_set": name, "fitted_on": "PTB-XL fold 8", "classes": report}


def probed(recipe: str, name: str, features: np.ndarray, data: PtbXl, model: str) -> Result:
    parts = parts_of(features, data, name)
    codes, _, _ = ptbxl_labels(data.select(data.folds == VALIDATION_FOLD), name)
    chosen = {} if recipe == "ours" else {"seeds": (0,)}
    found = probe(codes, parts["train"], parts["val"], parts["test"], recipe=recipe, **chosen)
    for run in found["runs"]:
        del run["classes"]
    print(model, name, recipe, [round(s["macro_auroc"], 3) for s in found["shares"]], flush=True)
    return {"kind": "probe", "label_set": name, "model": {"id": model}} | found


def run_checkpoint(name: str, data: PtbXl, is_main: bool, jobs: int) -> tuple[list[Result], Result]:
    engine = Engine(name, "cpu")
    features = engine.encode_windows(data.signals)
    print(name, "encoded", flush=True)
    test = data.folds == VALIDATION_FOLD
    results = [
        zero_shot(engine, features[test], data.select(test), label_set, arm)
        for label_set in PTBXL_SETS
        for arm in ("knowledge", "name")
    ]
    plan = [
        (recipe, label_set, features, data, engine.model_id)
        for recipe in (("ours", "paper") if is_main else ("ours",))
        for label_set in PTBXL_SETS
    ]
    with ProcessPoolExecutor(jobs, mp_context=get_context("fork")) as pool:
        results += pool.map(probed, *zip(*plan, strict=True))
    fitted = data.folds == PROBE_FOLD
    curve = calibration(engine, features[fitted], data.select(fitted), "ptbxl_super")
    if is_main:
        results.append(embedding(engine, features[test], data.select(test), "ptbxl_super"))
        blank = Engine(untrained_checkpoint(name), "cpu")
        noise = blank.encode_windows(data.signals[test])
        results += [
            zero_shot(blank, noise, data.select(test), label_set, "name")
            for label_set in PTBXL_SETS
        ]
    return results, curve


def checkpoints_part(given: argparse.Namespace, data: PtbXl) -> tuple[list[Result], Result]:
    results: list[Result] = []
    calibrations = {}
    started = time.perf_counter()
    for i, name in enumerate(given.checkpoint):
        found, calibrations[name] = run_checkpoint(name, data, i == 0, given.jobs)
        results += found
        print(name, round(time.perf_counter() - started), "s", flush=True)
    return results, calibrations


def scaling_part(given: argparse.Namespace, data: PtbXl) -> list[Result]:
    scaling.run_all(given.scaling, given.data)
    return scaling.measure_all(given.scaling, data.select(data.folds == VALIDATION_FOLD))


def write(content: Result) -> None:
    """Keep what was measured, draw it and put it into the page."""
    order = ("zero_shot", "probe", "supervised", "embedding", "scaling")
    content["results"].sort(key=lambda result: order.index(result["kind"]))
    RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    draw_figures(content["results"], FIGURES)
    write_page(content)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument(
        "--part", nargs="*", choices=PARTS, default=list(PARTS), help="none: draw what is there"
    )
    parser.add_argument("--checkpoint", nargs="+", default=["merl-base", "merl-sim"])
    parser.add_argument("--scaling", type=Path, default=Path("runs/scaling"), help="run folder")
    parser.add_argument(
        "--supervised", nargs="+", choices=PTBXL_SETS, default=list(PTBXL_SETS), help="label sets"
    )
    parser.add_argument("--epochs", type=int, default=8, help="of the supervised baseline")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="probes at once")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    content = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    data = load_real(given.data, range(1, 10))
    content |= {
        "data": f"PTB-XL excerpt: {len(data):,} records, folds 1 to 9",
        "n_records": len(data),
        "n_test": int((data.folds == VALIDATION_FOLD).sum()),
    }
    for part in given.part:
        if part == "checkpoints":
            found, content["calibration"] = checkpoints_part(given, data)
        elif part == "supervised":
            engine = Engine(given.checkpoint[0], "cpu")
            found = [
                supervised_baseline(engine, data, name, given.epochs) for name in given.supervised
            ]
        else:
            found = scaling_part(given, data)
        kept = [r for r in content.get("results", []) if r["kind"] not in PARTS[part]]
        write(content | {"results": kept + found})
        content = json.loads(RESULTS.read_text(encoding="utf-8"))
    if not given.part:
        write(content)


if __name__ == "__main__":
    main()
