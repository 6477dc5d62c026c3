"""The table of formats: every module of `merl_core.readers.formats` adds its own rows."""

import functools
import importlib
import pkgutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import merl_core.readers.formats as formats_package
from merl_core.readers.upload import Part
from merl_core.records import Record


@dataclass(frozen=True, slots=True)
class Format:
    """One file format: how it is recognised, and how it is read."""

    name: str
    """Goes into `Record.format`."""
    title: str
    """As people call it."""
    recognises: Callable[[Part], bool]
    """True if the content is of this format; looks at no more than it needs."""
    read: Callable[[Part], Record]
    order: int = 50
    """Formats with a magic number first; looser ones, which would take others' files, later."""


@functools.cache
def formats() -> tuple[Format, ...]:
    """Return every format, in the order in which they are tried."""
    found: list[Format] = []
    with warnings.catch_warnings():
        # wfdb 4.3 uses what pandas 3.1 deprecates, at import.
        warnings.simplefilter("ignore", DeprecationWarning)
        for info in pkgutil.iter_modules(formats_package.__path__):
            module = importlib.import_module(f"{formats_package.__name__}.{info.name}")
            found.extend(module.FORMATS)
    return tuple(sorted(found, key=lambda item: (item.order, item.name)))
