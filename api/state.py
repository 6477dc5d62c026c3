"""What one running application holds: its service once loaded, its lanes, its metrics."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from api.access import KeyRing
from api.errors import KNOWN_ERRORS
from api.keys import KeyStore
from api.lanes import Lane
from api.metrics import Metrics
from api.parts import Parts
from api.service import Service
from api.settings import Settings

LoadParts = Callable[[Settings, Callable[[str], None]], Parts]
"""Builds what the service works with, and says what it is doing."""

_GATHERING: Final = 4
"""Classifications under way for each reading process: so many may gather before the encoder."""

_log = logging.getLogger("merl.api")


@dataclass(slots=True)
class AppState:
    """State of one application; the service is loaded in a thread, so that /health answers."""

    settings: Settings
    load_parts: LoadParts
    metrics: Metrics
    keys: KeyRing
    classify_lane: Lane
    prompt_lane: Lane
    lookup_lane: Lane
    service: Service | None = None
    reason: str = "the service is starting"
    """Why there is no service."""
    has_failed: bool = False
    on_failed: Callable[[], None] | None = None
    _thread: threading.Thread | None = field(default=None, repr=False)

    @classmethod
    def create(cls, settings: Settings, load_parts: LoadParts) -> "AppState":
        """Return a state whose service is not loaded yet."""
        n, waiting = settings.n_workers, settings.max_waiting
        state = cls(
            settings=settings,
            load_parts=load_parts,
            metrics=Metrics(),
            keys=KeyRing(settings.api_keys),
            classify_lane=Lane("classify", n_workers=_GATHERING * n, max_waiting=waiting),
            prompt_lane=Lane("prompts", n_workers=2, max_waiting=waiting),
            lookup_lane=Lane("lookup", n_workers=4, max_waiting=4 * waiting),
        )
        for lane in (state.classify_lane, state.prompt_lane, state.lookup_lane):
            state.metrics.watch(lane)
        return state

    @property
    def is_loading(self) -> bool:
        """Whether the service is still being loaded."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin to load the service."""
        self._thread = threading.Thread(target=self._load, name="merl-load", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Let go of the service."""
        service, self.service = self.service, None
        if not self.has_failed:
            self.reason = "the service is shutting down"
        self.metrics.ready.set(0)
        if service is not None:
            service.close()

    def _say(self, text: str) -> None:
        self.reason = f"the service is starting: {text}"
        _log.info(text)

    def _load(self) -> None:
        try:
            parts = self.load_parts(self.settings, self._say)
        except KNOWN_ERRORS as error:
            self._fail(str(error))
            _log.error("cannot start: %s", error)
        except BaseException as error:
            self._fail(f"an unexpected {type(error).__name__}; the log has it")
            raise
        else:
            self.keys.attach(KeyStore(parts.database))
            self.metrics.listen(parts.watch)
            self.metrics.encoder_waiting.set_function(lambda: parts.engine.n_waiting)
            self.service = Service(parts, on_stage=self.metrics.observe_stage)
            self.metrics.ready.set(1)
            _log.info("ready")

    def _fail(self, reason: str) -> None:
        self.reason = f"the service cannot start: {reason}"
        self.has_failed = True
        if self.on_failed is not None:
            self.on_failed()
