"""Errors of ckepe.

CkepeError
├── LLMError                the language model is unreachable, or its answers cannot be used
├── IndexUnavailableError   the concept index does not answer
└── UngroundedError         a label that must be grounded is not known to any source
"""


class CkepeError(Exception):
    """A prompt cannot be engineered, read or verified."""


class LLMError(CkepeError):
    """The language model is unreachable, too slow, or gave no usable answer."""


class IndexUnavailableError(CkepeError):
    """The concept index does not answer: its server went away, or its files cannot be read."""


class UngroundedError(CkepeError):
    """A label that must be grounded is not known to any source."""
