"""The gate for new bundled checkpoints."""

import pytest

from merl_core.checkpoint import bundled_names
from merl_core.engine import Engine
from merl_core.sensitivity import MOVES, measure_sensitivity
from merl_core.simulate import FINDINGS

PERICARDITIS = "ST up everywhere"
"""Its opposite, ST depression, is part of it: in aVR and V1."""
STUBBORN = {"merl-base": (6, 0.13), "merl-sim": (5, 0.04)}
"""How many signs may raise the score of what must fall, and by how much at most."""


def test_every_move_is_one_that_the_simulator_can_make() -> None:
    assert {finding for move in MOVES for finding in move.findings} <= FINDINGS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", bundled_names())
def test_scores_follow_the_signs(name: str) -> None:
    rows = measure_sensitivity(Engine(name, device="cpu"), n_records=48)
    assert [r["sign"] for r in rows if r["rises_by"] <= 0 or r["rises_auroc"] < 0.7] == []
    overtaken = {r["sign"] for r in rows if r["falls_by"] >= r["rises_by"]}
    assert overtaken <= {PERICARDITIS}
    stubborn = {r["sign"]: r["falls_by"] for r in rows if r["falls_by"] > 0}
    n_signs, by = STUBBORN[name]
    assert len(stubborn) <= n_signs, stubborn
    assert max(stubborn.values(), default=0) <= by, stubborn
