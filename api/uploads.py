"""Uploaded files: read from the form, and grouped into records."""

from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final

from fastapi import UploadFile

from api.errors import RequestError

MAX_FILES: Final = 256

_COMPANIONS: Final = frozenset({".hea", ".dat", ".mat", ".xyz", ".atr", ".flac"})
"""Suffixes of WFDB parts: files that share a stem are one record if one of them is a header."""


async def read_uploads(uploads: Sequence[UploadFile]) -> dict[str, bytes]:
    """Return the content of uploaded files by base name.

    Raises:
        RequestError: Two files have one name, or there are too many.
    """
    if len(uploads) > MAX_FILES:
        msg = f"{len(uploads)} files were sent, at most {MAX_FILES} are accepted"
        raise RequestError(msg, code="invalid_request")
    files: dict[str, bytes] = {}
    for number, upload in enumerate(uploads, start=1):
        name = PurePosixPath((upload.filename or "").replace("\\", "/")).name or f"file{number}"
        if name in files:
            msg = f"files {number} and an earlier one have the same name"
            raise RequestError(msg, code="invalid_request")
        files[name] = await upload.read()
    return files


def group_records(files: Mapping[str, bytes]) -> list[dict[str, bytes]]:
    """Return the files of each record, in the order in which they came.

    Every file is a record of its own, but the parts of a WFDB record, which share a stem.
    """
    headers = {_stem(name) for name in files if name.lower().endswith(".hea")}
    groups: dict[str, dict[str, bytes]] = {}
    for name, content in files.items():
        stem = _stem(name)
        is_part = stem in headers and is_companion(name)
        groups.setdefault(f"record {stem}" if is_part else f"file {name}", {})[name] = content
    return list(groups.values())


def is_companion(name: str) -> bool:
    """Whether a file's name is that of a part of a WFDB record."""
    return PurePosixPath(name).suffix.lower() in _COMPANIONS


def _stem(name: str) -> str:
    return PurePosixPath(name).stem
