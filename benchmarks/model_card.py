"""Write a checkpoint's model card: `python -m benchmarks.model_card FOLDER --data DIR`.

Measures the checkpoint on fold 9 of PTB-XL, which no training sees, and in the simulator.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from merl_core.checkpoint import CARD, Checkpoint, load_checkpoint
from merl_core.engine import Engine
from merl_core.ensemble import DualEncoder, build_model
from merl_core.evaluate import MIN_POSITIVES, PTBXL_SETS, encode_signals, ptbxl_labels, summarize
from merl_core.model import count_parameters
from merl_core.sensitivity import measure_sensitivity
from merl_core.training_data import load_real

TITLES = {
    "ptbxl_super": "superclasses",
    "ptbxl_sub": "subclasses",
    "ptbxl_form": "form statements",
    "ptbxl_rhythm": "rhythm statements",
    "scp": "single SCP codes",
}


def measure(engine: Engine, model: DualEncoder, data: Any) -> dict[str, Any]:
    """Return a report for each label set, class names as prompts, 5 positives or more a class."""
    features = encode_signals(model, data.signals)
    groups = [str(patient) for patient in data.patient_ids]
    reports = {}
    for name in (*PTBXL_SETS, "scp"):
        codes, meanings, y_true = ptbxl_labels(data, name)
        enough = y_true.sum(axis=0) >= MIN_POSITIVES
        labels = [f"{c}: {m}" for c, m, keep in zip(codes, meanings, enough, strict=True) if keep]
        texts = [m for m, keep in zip(meanings, enough, strict=True) if keep]
        scores = features @ engine.encode_text(texts).T
        reports[name] = summarize(labels, y_true[:, enough], scores, groups)
    return reports


def macro_rows(reports: dict[str, Any], untrained: dict[str, Any]) -> list[str]:
    """Return the table of macro AUROCs."""
    rows = [
        "| PTB-XL fold 9 | classes | macro AUROC | 95 % interval | untrained |",
        "|---|---|---|---|---|",
    ]
    for name, report in reports.items():
        low, high = report["macro_auroc_ci"]
        rows.append(
            f"| {TITLES[name]} | {report['n_classes']} | {report['macro_auroc']:.3f} | "
            f"{low:.3f} to {high:.3f} | {untrained[name]['macro_auroc']:.3f} |"
        )
    return rows


def class_rows(reports: dict[str, Any]) -> list[str]:
    """Return the per-class table."""
    rows = ["| class | positives | AUROC | 95 % interval | AUPRC |", "|---|---|---|---|---|"]
    for name in PTBXL_SETS:
        for c in reports[name]["classes"]:
            low, high = c["auroc_ci"]
            rows.append(
                f"| {TITLES[name]}: {c['label']} | {c['n_positive']} | {c['auroc']:.3f} | "
                f"{low:.3f} to {high:.3f} | {c['auprc']:.3f} |"
            )
    return rows


def sensitivity_rows(rows: list[dict[str, Any]]) -> list[str]:
    """Return the table of what follows a moved sign."""
    out = ["| moved sign | must rise | by | AUROC | must fall | by |", "|---|---|---|---|---|---|"]
    out += [
        f"| {r['sign']} | {r['rises']} | {r['rises_by']:+.3f} | {r['rises_auroc']:.2f} | "
        f"{r['falls']} | {r['falls_by']:+.3f} |"
        for r in rows
    ]
    return out


def card(checkpoint: Checkpoint, intro: str, data_folder: Path) -> str:
    """Return the model card."""
    engine = Engine(checkpoint, device="cpu")
    data = load_real(data_folder, [9])
    reports = measure(engine, checkpoint.model, data)
    torch.manual_seed(0)
    blank = build_model(checkpoint.config.model).eval()
    blank_checkpoint = Checkpoint(
        checkpoint.path, checkpoint.config, blank, checkpoint.reference_bank, "", ""
    )
    untrained = measure(Engine(blank_checkpoint, device="cpu"), blank, data)
    training = checkpoint.config.training
    loaded = load_checkpoint(checkpoint.path)
    size = sum(p.stat().st_size for p in checkpoint.path.glob("*.safetensors")) / 1e6
    facts = [
        f"- {count_parameters(loaded.model.requires_grad_(True)):,} parameters, {size:.1f} MB; "
        f"12 leads at {checkpoint.config.model.signal.fs:.0f} Hz, 10 s, millivolts, 0.5 to 40 Hz",
        f"- weights sha256 `{checkpoint.sha256}`",
        f"- trained on {training.get('n_real', 0)} real and {training.get('n_simulated', 0)} "
        f"simulated recordings, {training['recipe']['n_steps']} steps of "
        f"{training['recipe']['batch_size']} for each of {checkpoint.config.model.n_members} "
        f"members, {training['result']['seconds'] / 60:.0f} minutes in all on one shared CPU "
        f"core, seeds from {training['recipe']['seed']} on{_simulated_alone(training['recipe'])}",
    ]
    moved = measure_sensitivity(engine)
    parts = [
        f"# {checkpoint.config.name}\n\n{intro.strip()}\n",
        "## Facts\n\n" + "\n".join(facts) + "\n",
        "## Results\n\nZero-shot, class names as prompts, classes with five positives or more; "
        f"{len(data)} recordings of fold 9, which trained nothing and chose no step; the recipe "
        "was settled with it in view. Intervals: "
        "1,000 bootstraps over patients. `untrained`: the same network with random weights.\n\n"
        + "\n".join(macro_rows(reports, untrained))
        + "\n\n"
        + "\n".join(class_rows(reports))
        + "\n",
        "## What scores follow\n\nOne sign is moved in the simulator, 64 recordings against 64 "
        "normal ones; AUROC says how often the moved one scores higher for the class in question."
        "\n\n" + "\n".join(sensitivity_rows(moved)) + "\n",
    ]
    return "\n".join(parts)


def _simulated_alone(recipe: dict[str, Any]) -> str:
    n_members = recipe.get("n_simulated_members", 0)
    return f"; members that saw simulated recordings alone: {n_members}" if n_members else ""


def main() -> None:
    """Write the card beside the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--intro", type=Path, help="Markdown that opens the card.")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    checkpoint = load_checkpoint(arguments.folder)
    intro_path = arguments.intro or Path(__file__).parent / "cards" / f"{checkpoint.config.name}.md"
    text = card(checkpoint, intro_path.read_text(encoding="utf-8"), arguments.data)
    (arguments.folder / CARD).write_text(text, encoding="utf-8")
    print(json.dumps({"written": str(arguments.folder / CARD)}))


if __name__ == "__main__":
    main()
