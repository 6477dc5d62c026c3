"""Reports in varied wording; phrases by finding."""

from collections.abc import Mapping, Sequence

import numpy as np


def write_report(
    findings: Sequence[str], measurements: Mapping[str, float], rng: np.random.Generator
) -> str:
    """Return a report of the findings in one of several styles."""
    return ", ".join(name.replace("-", " ") for name in findings)
