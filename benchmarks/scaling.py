"""Training runs that differ in the number of recordings or in the width of the encoder alone.

Small statement trainings on real recordings (folds 1 to 8 of the PTB-XL excerpt), all of as many
updates, on the recipe of the bundled checkpoints. Each is tested zero-shot on fold 9 with class
names as prompts. `benchmarks.paper_figures --scaling RUNS` runs and draws them.
"""

from pathlib import Path
from typing import Any

from merl_core.checkpoint import load_checkpoint
from merl_core.corpus import Corpus, load_corpus
from merl_core.datasets.ptbxl import PtbXl
from merl_core.ensemble import members_of
from merl_core.evaluate import PTBXL_SETS, encode_names, encode_signals, ptbxl_labels, summarize
from merl_core.model import EcgConfig, ModelConfig, TextConfig
from merl_core.train import train
from merl_core.train_config import TrainConfig
from merl_core.training.run_folder import RUN, RunFolder

Result = dict[str, Any]
N_RECORDS = (280, 880, None)
"""Real recordings, of whole patients; None for all of the folds."""
WIDTHS = ((4, 6, 12, 24), (16, 24, 48, 96), (32, 48, 96, 192))
_USUAL = WIDTHS[1]


def recipes() -> dict[str, TrainConfig]:
    """Return the recipes by name; the run with all recordings and the usual width is in both."""
    plan = {f"records-{n or 'all'}": (n, _USUAL) for n in N_RECORDS}
    plan |= {f"width-{widths[-1]}": (None, widths) for widths in WIDTHS if widths != _USUAL}
    return {
        name: TrainConfig(
            name=name,
            model=ModelConfig(
                ecg=EcgConfig(
                    widths=widths, depths=(1, 1, 1, 1), kernel_size=5, stem_kernel_size=11,
                    dropout=0.2,
                ),
                text=TextConfig(hidden=512, dropout=0.1, standardized=True),
            ),
            n_simulated=0, n_real=n_records, batch_size=64, n_steps=120, warmup_steps=12,
            learning_rate=0.003, ema_decay=0.99, text_noise=0.2, concept_weight=1.0,
            precision="bfloat16", validate_every=120, save_every=40, bank_size=300,
        )
        for name, (n_records, widths) in plan.items()
    }  # fmt: skip


def run_all(folder: Path, data: Path) -> None:
    """Train every recipe that has no finished run in the folder."""
    corpora: dict[int | None, Corpus] = {}
    for name, recipe in recipes().items():
        if not (folder / name / name / "config.json").is_file():
            if recipe.n_real not in corpora:
                corpora = {recipe.n_real: load_corpus(recipe, data, folder / "cache")}
            run = RunFolder(folder / name, resume=(folder / name / RUN).is_file())
            train(recipe, corpora[recipe.n_real], run)
            print(name, "trained", flush=True)


def measure_all(folder: Path, test: PtbXl) -> list[Result]:
    """Return the zero-shot results of every run, by label set."""
    patients = [str(p) for p in test.patient_ids]
    found: list[Result] = []
    for name in recipes():
        checkpoint = load_checkpoint(folder / name / name)
        tower = members_of(checkpoint.model)[0]
        features = encode_signals(checkpoint.model, test.signals)
        about = {
            "kind": "scaling",
            "n_train": checkpoint.config.training["n_real"],
            "n_parameters": sum(p.numel() for p in tower.ecg_parameters()),
            "model": {"id": name},
        }
        for label_set in PTBXL_SETS:
            codes, meanings, y_true = ptbxl_labels(test, label_set)
            scores = features @ encode_names(checkpoint.model, meanings).T
            report = summarize(codes, y_true, scores, patients)
            del report["classes"]
            for varies, is_one in (
                ("n_train", name.startswith("records")),
                ("n_parameters", name.startswith("width") or name == "records-all"),
            ):
                if is_one:
                    found.append(about | {"varies": varies, "label_set": label_set} | report)
    return found
