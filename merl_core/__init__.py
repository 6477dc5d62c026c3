"""MERL: ECG records and prompts in, zero-shot scores out.

>>> from merl_core import pipeline
>>> classify = pipeline("merl-base")
>>> classify("ecg.dcm", candidate_labels=["atrial fibrillation", "normal ECG"])  # doctest: +SKIP
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from merl_core.pipelines import ZeroShotPipeline, ZeroShotResult, pipeline

__all__ = ["ZeroShotPipeline", "ZeroShotResult", "pipeline"]


def __getattr__(name: str) -> Any:
    """Load torch only once something of it is asked for."""
    if name in __all__:
        from merl_core import pipelines

        return getattr(pipelines, name)
    msg = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(msg)
