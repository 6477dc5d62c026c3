"""The pool of reader processes as the settings ask for it; loads no model."""

from api.settings import Settings
from merl_core.readers.pool import ReaderPool


def load_readers(settings: Settings, n_workers: int = 1) -> ReaderPool:
    """Return a pool whose children are not yet started."""
    return ReaderPool(
        max_bytes=settings.max_upload_bytes,
        memory_mb=settings.reader_memory_mb,
        timeout_s=settings.reader_timeout_s,
        n_workers=n_workers,
    )
