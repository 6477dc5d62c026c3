"""12-lead ECG simulator: findings in, recordings and reports out."""

from merl_core.simulate.findings import FINDINGS, Finding, sample_findings
from merl_core.simulate.simulator import SimulatedBatch, simulate

__all__ = ["FINDINGS", "Finding", "SimulatedBatch", "sample_findings", "simulate"]
