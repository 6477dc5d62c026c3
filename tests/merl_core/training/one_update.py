"""Makes one update of a tiny model, as one of several processes; run by a test.

Arguments: prepared folder, result file, and the recipe as JSON. `RANK`, `WORLD_SIZE`,
`MASTER_ADDR` and `MASTER_PORT` come from the environment.
"""

import os
import sys
from pathlib import Path

import torch

from merl_core.datasets.prepared import PreparedSet
from merl_core.training.config import PairConfig
from merl_core.training.distributed import Group
from merl_core.training.launch import process_group
from merl_core.training.loop import PairTraining
from merl_core.training.pairs import load_reports
from merl_core.training.run_folder import RunFolder


def main() -> None:
    folder, result, recipe = sys.argv[1:]
    torch.set_num_threads(1)
    config = PairConfig.model_validate_json(recipe)
    with process_group(os.environ, "cpu") as (group, _):
        update(config, Path(folder), Path(result), group)
    left = [thread.read_text().strip() for thread in Path("/proc/self/task").glob("*/comm")]
    assert "pt_gloo_runloop" not in left, "the group's threads outlive it"


def update(config: PairConfig, folder: Path, result: Path, group: Group) -> None:
    data = PreparedSet(folder, config.model.signal)
    reports = load_reports(config, data, folder / "vectors")
    run = RunFolder(result.parent / "run", resume=None)
    training = PairTraining(config, data, reports, run, group=group)
    training.batches.set_epoch(0)
    training.model.train()
    losses = {}
    for signals, rows in training.loader:
        losses = training.update(signals, rows)
        if training.step == 1:
            gradients = {n: p.grad.clone() for n, p in training.model.named_parameters()
                         if p.grad is not None}  # fmt: skip
            first = {name: torch.tensor(group.mean(value)) for name, value in losses.items()}
        if training.step == 3:
            break
    if group.is_first:
        state = training.model.state_dict()
        torch.save({"losses": first, "gradients": gradients, "state": state}, result)


if __name__ == "__main__":
    main()
