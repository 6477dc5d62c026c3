"""Where ischemia, injury and infarction show: one pattern over the leads for each territory."""

import numpy as np

from merl_core.simulate.leads import Floats

#                     I     II    V1    V2    V3    V4    V5    V6
_TABLE: dict[str, tuple[float, ...]] = {
    "septal":        (0.00, -0.05, 0.90, 1.00, 0.35, 0.00, 0.00, 0.00),
    "anteroseptal":  (0.05, -0.10, 0.65, 1.00, 1.00, 0.55, 0.10, 0.00),
    "anterior":      (0.12, -0.05, 0.35, 0.85, 1.00, 0.85, 0.35, 0.10),
    "anterolateral": (0.50, 0.00, -0.05, 0.30, 0.75, 1.00, 1.00, 0.75),
    "extensive":     (0.55, 0.05, 0.60, 1.00, 1.10, 1.00, 0.90, 0.70),
    "lateral":       (0.60, 0.10, -0.15, -0.20, 0.00, 0.35, 0.85, 1.00),
    "high_lateral":  (0.70, -0.20, -0.05, 0.15, 0.00, 0.00, 0.20, 0.30),
    "inferior":      (-0.30, 0.75, -0.10, -0.25, -0.20, -0.10, 0.00, 0.10),
    "inferolateral": (-0.05, 0.80, -0.15, -0.30, -0.15, 0.15, 0.70, 0.95),
    "posterior":     (0.00, 0.05, -0.60, -1.00, -0.85, -0.30, 0.05, 0.20),
    "inferoposterior": (-0.25, 0.75, -0.50, -0.90, -0.70, -0.30, 0.00, 0.20),
    "inferoposterolateral": (0.00, 0.80, -0.50, -0.90, -0.65, -0.10, 0.55, 0.90),
    "right_ventricular": (-0.50, 0.60, 1.00, 0.40, 0.05, 0.00, 0.00, 0.00),
    "far_anterolateral": (0.70, 0.20, -0.20, -0.10, 0.30, 0.70, 1.00, 0.95),
    "nonspecific":   (0.60, 0.50, -0.35, -0.30, 0.00, 0.45, 1.00, 0.95),
    "diffuse":       (0.45, 0.65, -0.20, 0.35, 0.60, 0.80, 0.80, 0.70),
}  # fmt: skip

TERRITORIES: dict[str, Floats] = {k: np.array(v, dtype=np.float32) for k, v in _TABLE.items()}
"""ST elevation in I, II, V1 to V6, relative; negative where the change is reciprocal.

Source: Thygesen et al., Fourth universal definition of myocardial infarction (2018), tables of
leads by territory; Wagner et al., AHA/ACCF/HRS recommendations part VI (2009).
"""
