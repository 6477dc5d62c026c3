"""Errors of merl_core.

MerlError
├── InvalidRecordError (also ValueError)   an ECG cannot be used; `code` says in which way
└── CheckpointError                        a checkpoint is absent, incomplete or of another kind
"""


class MerlError(Exception):
    """The model, a data set or a run cannot be used as asked."""


class InvalidRecordError(MerlError, ValueError):
    """An ECG cannot be used.

    Args:
        message: Names the file, lead, tag or line, and what was expected.
        code: Stable name of the kind: `unknown_format`, `broken_file`, `too_large`, `missing_lead`,
            `too_short`, `not_finite`, `unusable_signal`, ...
    """

    def __init__(self, message: str, *, code: str = "broken_file") -> None:
        super().__init__(message)
        self.code = code


class CheckpointError(MerlError):
    """A checkpoint is absent, incomplete or of another kind than expected."""
