"""The web application."""

import functools
import importlib.util
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.responses import FileResponse
from fastapi.staticfiles import StaticFiles
from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES, GZipMiddleware

from api import __version__, prompt_routes, record_routes, review_routes, routes
from api.access import RateLimit
from api.description import describe, operation_id
from api.head import HeadAsGet
from api.observation import Observer
from api.parts import Parts
from api.problems import add_handlers
from api.security import Guard
from api.settings import Settings
from api.state import AppState, LoadParts
from api.streaming import NDJSON

WEB: Final = Path(__file__).parent / "web"

_DESCRIPTION: Final = (
    "Zero-shot 12-lead ECG classification: name classes in words, get scores with verified prompts "
    "and the evidence behind them. Research use only; not a medical device."
)


def create_app(settings: Settings, *, load_parts: LoadParts | None = None) -> FastAPI:
    """Return the application; its service loads in the background once it is started.

    Args:
        settings: Where and how it runs.
        load_parts: Builds what the service works with; tests give small fakes.
    """
    state = AppState.create(settings, load_parts or _load_real_parts)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        state.start()
        yield
        state.stop()

    app = FastAPI(
        title="merl-ckepe",
        version=__version__,
        description=_DESCRIPTION,
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        lifespan=lifespan,
        generate_unique_id_function=operation_id,
        docs_url=None,
        redoc_url=None,
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
        form_limits={"max_part_size": 16 * 1024 * 1024, "max_files": 256, "max_fields": 1000},
    )
    app.state.merl = state
    app.openapi = functools.partial(describe, app)  # type: ignore[method-assign]
    add_handlers(app)
    for router in (
        routes.open_router,
        prompt_routes.router,
        record_routes.router,
        review_routes.router,
        routes.router,
    ):
        app.include_router(router)
    _add_pages(app)
    app.add_middleware(
        GZipMiddleware,
        minimum_size=1024,
        exclude_content_types=(*DEFAULT_EXCLUDED_CONTENT_TYPES, NDJSON),  # would hold lines back
    )
    app.add_middleware(HeadAsGet)
    app.add_middleware(
        Guard,
        keys=state.keys,
        rate_limit=RateLimit(settings.rate_limit_per_minute),
        max_bytes=settings.max_upload_bytes,
    )
    app.add_middleware(Observer, metrics=state.metrics)
    return app


def _load_real_parts(settings: Settings, say: Callable[[str], None]) -> Parts:
    from api.assembly import load_parts

    return load_parts(settings, say)


def _add_pages(app: FastAPI) -> None:
    @app.get("/", include_in_schema=False)
    async def page() -> FileResponse:
        return FileResponse(WEB / "index.html", headers={"Cache-Control": "no-cache"})

    @app.get("/docs", include_in_schema=False)
    async def docs() -> FileResponse:
        return FileResponse(WEB / "docs.html", headers={"Cache-Control": "no-cache"})

    app.mount("/static", StaticFiles(directory=WEB), name="static")
    assets = _swagger_assets()
    if assets is not None:
        app.mount("/docs/assets", StaticFiles(directory=assets), name="docs-assets")


def _swagger_assets() -> Path | None:
    """Where Swagger UI is installed, so that /docs needs no other server."""
    spec = importlib.util.find_spec("fastapi_offline")
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "static"
