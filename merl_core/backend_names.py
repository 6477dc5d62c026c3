"""Names of the backends of inference, and whether one is installed; loads no torch."""

import importlib.util
from typing import Final, Literal, get_args

from merl_core.errors import MerlError

BackendName = Literal[
    "torch-float32", "torch-bfloat16", "torch-compile", "openvino-float32", "openvino-bfloat16"
]
BACKENDS: Final[tuple[BackendName, ...]] = get_args(BackendName)
DEFAULT_BACKEND: Final[BackendName] = "torch-float32"


def is_installed(name: BackendName) -> bool:
    """Whether the library of a backend is installed."""
    return not name.startswith("openvino") or importlib.util.find_spec("openvino") is not None


def require_backend(name: str) -> None:
    """Check that there is such a backend, and that its library is installed.

    Raises:
        MerlError: It is not; the message says what to install.
    """
    known = next((backend for backend in BACKENDS if backend == name), None)
    if known is None:
        msg = f"unknown backend {name!r}, expected one of {', '.join(BACKENDS)}"
        raise MerlError(msg)
    if not is_installed(known):
        msg = (
            f"backend {name!r} needs OpenVINO, which is not installed; "
            "it comes with the extra: pip install 'merl-ckepe[cpu]'"
        )
        raise MerlError(msg)
