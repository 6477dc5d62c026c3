"""12-lead ECG simulator: findings in, recordings and reports out."""

from merl_core.simulate.draws import sample_findings
from merl_core.simulate.findings import FINDINGS, Finding
from merl_core.simulate.simulator import SimulatedBatch, simulate
from merl_core.simulate.statements import STATEMENTS

__all__ = [
    "FINDINGS",
    "STATEMENTS",
    "Finding",
    "SimulatedBatch",
    "sample_findings",
    "simulate",
]
