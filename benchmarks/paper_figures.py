"""The paper's tables and figures at small scale: PTB-XL's folds 1 to 8 train, fold 9 tests.

    python -m benchmarks.paper_figures --data DIR [--checkpoint merl-base ...] [--no-training]

`DIR` holds `ptb-xl` and `ptb-xl-zscored`. Fold 8 chooses the probes' penalty, folds 1 to 7 train
them. The recipes of the bundled checkpoints were settled with fold 9 in view, so their own
results there are a little kind. Writes `benchmarks/results/paper_figures.json` and the figures of
`merl report` to `docs/figures`, and the tables into `docs/evaluation.md`.
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
from torch import nn
from torch.nn import functional as F

from benchmarks.figures_page import FIGURES, ROOT, write_page
from merl_core.calibration import fit_calibration
from merl_core.class_prompts import read_texts
from merl_core.datasets.ptbxl import PtbXl
from merl_core.engine import Engine
from merl_core.ensemble import members_of
from merl_core.evaluate import PTBXL_SETS, ptbxl_labels, summarize, untrained_checkpoint
from merl_core.linear_probe import ProbeData, probe
from merl_core.metrics import auroc, bootstrap, macro_interval
from merl_core.model import MerlModel, count_parameters
from merl_core.report import draw_figures
from merl_core.training_data import VALIDATION_FOLD, load_real

RESULTS = Path(__file__).parent / "results" / "paper_figures.json"
PROMPT_SETS = ROOT / "ckepe" / "prompt_sets"
PROBE_FOLD = 8
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


def parts_of(features: np.ndarray, data: PtbXl, name: str) -> dict[str, ProbeData]:
    """Return the probe's splits; only records that carry a label of the set, as in the paper."""
    _, _, y_true = ptbxl_labels(data, name)
    is_labelled = y_true.any(axis=1)
    masks = {
        "train": data.folds < PROBE_FOLD,
        "val": data.folds == PROBE_FOLD,
        "test": data.folds == VALIDATION_FOLD,
    }
    return {
        split: ProbeData(
            features[mask & is_labelled],
            y_true[mask & is_labelled],
            tuple(str(p) for p in data.patient_ids[mask & is_labelled]),
        )
        for split, mask in masks.items()
    }


def supervised(engine: Engine, data: PtbXl, name: str, epochs: int, seed: int = 0) -> Result:
    """Train the checkpoint's own ECG tower from random weights, once for each share of labels."""
    from merl_core.linear_probe import SHARES, stratified_share

    codes, _, y_true = ptbxl_labels(data, name)
    train = np.flatnonzero((data.folds < PROBE_FOLD) & y_true.any(axis=1))
    val, test = (np.flatnonzero(data.folds == fold) for fold in (PROBE_FOLD, VALIDATION_FOLD))
    patients = [str(p) for p in data.patient_ids[test]]
    shares = []
    for share in SHARES:
        rows = train[stratified_share(y_true[train], share, seed)]
        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        tower = MerlModel(members_of(engine.checkpoint.model)[0].config)
        head = nn.Linear(tower.config.embed_dim, len(codes))
        parameters = [*tower.parameters(), *head.parameters()]
        optimizer = torch.optim.AdamW(parameters, lr=1e-3, weight_decay=0.05)
        n_steps = max(40, epochs * len(rows) // 32)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=n_steps)
        best, scores = -1.0, np.zeros((len(test), len(codes)))
        for step in range(n_steps):
            tower.train()
            batch = rng.choice(rows, min(32, len(rows)), replace=False)
            logits = head(tower.project_ecg(torch.from_numpy(data.signals[batch]))[1])
            loss = F.binary_cross_entropy_with_logits(
                logits, torch.from_numpy(y_true[batch]).float()
            )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            if step % max(1, n_steps // 5) == 0 or step == n_steps - 1:
                tower.eval()
                with torch.inference_mode():
                    at = [
                        torch.cat([
                            head(tower.project_ecg(torch.from_numpy(data.signals[chunk]))[1])
                            for chunk in np.array_split(part, max(1, len(part) // 64))
                        ]).double().numpy()
                        for part in (val, test)
                    ]  # fmt: skip
                found = float(np.nanmean(auroc(y_true[val], at[0])))
                if found > best:
                    best, scores = found, at[1]
        values = auroc(y_true[test], scores)
        defined = ~np.isnan(values)
        sample = bootstrap(y_true[test], scores, groups=patients).auroc[:, defined]
        shares.append({
            "share": share, "n_train": len(rows), "n_steps": n_steps,
            "macro_auroc": float(values[defined].mean()),
            "macro_auroc_ci": list(macro_interval(sample)),
        })  # fmt: skip
        print(name, "supervised", share, round(shares[-1]["macro_auroc"], 3), flush=True)
    return {"kind": "supervised", "label_set": name, "seed": seed, "shares": shares}


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


def scaling(runs: Path) -> list[Result]:
    """Return what the checkpoints of a folder of training runs reached, by size of data and tower.

    Run folders are named `records-N` and `widths-N`, as docs/evaluation.md says.
    """
    found: list[Result] = []
    for config in sorted(runs.glob("*/*/config.json")):
        content = json.loads(config.read_text(encoding="utf-8"))
        engine = Engine(config.parent, "cpu")
        engine.checkpoint.model.requires_grad_(True)
        varies = "n_train" if content["name"].startswith("records") else "n_parameters"
        training = content["training"]
        about = {
            "kind": "scaling",
            "varies": varies,
            "n_train": training["n_real"] + training["n_simulated"],
            "n_parameters": count_parameters(engine.checkpoint.model),
            "model": {"id": engine.model_id},
        }
        result = training["result"]
        found += [about | {"label_set": name, "macro_auroc": result[name]} for name in PTBXL_SETS]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--checkpoint", nargs="+", default=["merl-base", "merl-sim"])
    parser.add_argument("--runs", type=Path, help="folder of training runs for the scaling figure")
    parser.add_argument("--epochs", type=int, default=12, help="of the supervised baseline")
    parser.add_argument("--no-training", action="store_true", help="keep the supervised results")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="probes at once")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    started = time.perf_counter()
    before = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {}
    data = load_real(given.data, range(1, 10))
    results: list[Result] = []
    calibrations = {}
    for i, name in enumerate(given.checkpoint):
        found, calibrations[name] = run_checkpoint(name, data, i == 0, given.jobs)
        results += found
        print(name, round(time.perf_counter() - started), "s", flush=True)
    old = before.get("results", [])
    if given.no_training:
        results += [r for r in old if r["kind"] == "supervised"]
    else:
        engine = Engine(given.checkpoint[0], "cpu")
        results.append(supervised(engine, data, "ptbxl_super", given.epochs))
    if given.runs is not None:
        results += scaling(given.runs)
    else:
        results += [r for r in old if r["kind"] == "scaling"]
    content = {
        "data": "PTB-XL excerpt: 3,213 records, folds 1 to 9",
        "n_records": len(data),
        "n_test": int((data.folds == VALIDATION_FOLD).sum()),
        "calibration": calibrations,
        "results": results,
    }
    RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    draw_figures(results, FIGURES)
    write_page(content)
    for r in results:
        if r["kind"] == "zero_shot":
            low, high = r["macro_auroc_ci"]
            row = f"{r['label_set']:13} {r['model']['id']:20} {r['prompts']:10}"
            print(
                f"{row} {r['macro_auroc']:.3f} ({low:.3f} to {high:.3f}), {r['n_classes']} classes"
            )
        if r["kind"] in ("probe", "supervised"):
            line = ", ".join(f"{s['share']:.0%} {s['macro_auroc']:.3f}" for s in r["shares"])
            print(f"{r['label_set']:13} {r['kind']} {r.get('recipe', '')}: {line}")


if __name__ == "__main__":
    main()
