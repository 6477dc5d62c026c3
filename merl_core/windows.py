"""Windows of a recording that is longer than the model's: where they lie, and what is cut."""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from merl_core.records import RecordWarning

MAX_WINDOWS: Final = 60
"""Bounds the work for a recording of any length: five minutes overlapping, ten side by side."""
OVERLAP: Final = 0.5
"""Share of a window that the next one shows again, so that no event lies across an edge of all."""
SLACK: Final = 1.05
"""Up to this many windows' length a recording counts as one window, cut from its middle."""


def is_longer(sig_len: int, length: float) -> bool:
    """Return True for a recording that is classified in several windows."""
    return sig_len > SLACK * length


def place_windows(
    sig_len: int, fs: float, window_s: float
) -> tuple[NDArray[np.intp], list[RecordWarning]]:
    """Return the first samples of windows that cover a recording from its beginning to its end.

    Each overlaps the next by half or more. Where that would be more than `MAX_WINDOWS`, as many
    are spread evenly: up to ten minutes they still cover everything, beyond that a sample of it.

    Args:
        sig_len: Samples of the recording, more than a window's.
        fs: Its samples per second.
        window_s: Length of a window in seconds.

    Returns:
        Shape (W,), rising; and the warnings that say so.
    """
    length = round(window_s * fs)
    wanted = math.ceil((sig_len - length) / ((1 - OVERLAP) * length)) + 1
    n_windows = min(wanted, MAX_WINDOWS)
    starts = np.linspace(0, sig_len - length, n_windows).round().astype(np.intp)
    message = (
        f"{sig_len / fs:.1f} s classified in {n_windows} windows of {window_s:g} s: an event by "
        "its best window, anything else by the mean of all"
    )
    warnings = [RecordWarning("windowed", message)]
    if n_windows * length < sig_len:
        message = (
            f"{n_windows} windows, evenly spaced, show {n_windows * window_s:g} of the "
            f"{sig_len / fs:.0f} s; what lies between them is not classified"
        )
        warnings.append(RecordWarning("windows_sampled", message))
    return starts, warnings


def cut_chunks(
    signal: NDArray[np.float32], starts: NDArray[np.intp], length: int, margin: int
) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Return windows with what surrounds them, for filters to settle in.

    Args:
        signal: Shape (L, T), longer than a window.
        starts: First samples of the windows.
        length: Samples of a window.
        margin: Samples wanted on either side; at the recording's ends one side gets them all.

    Returns:
        Chunks of shape (W, L, C), and where in its chunk each window begins.
    """
    sig_len = signal.shape[1]
    size = min(sig_len, length + 2 * margin)
    begins = np.clip(starts - margin, 0, sig_len - size)
    return np.stack([signal[:, b : b + size] for b in begins]), starts - begins
