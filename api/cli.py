"""The command `merl`."""

import json
import math
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from api import __version__
from api.errors import KNOWN_ERRORS, ConfigurationError, problem_of
from api.keys_cli import app as keys_app
from api.settings import load_settings
from api.uts_cli import look_up
from ckepe.cli import knowledge_app, prompts_app
from merl_core.cli import app as model_app

if TYPE_CHECKING:
    from api.schemas import ClassifyAnswer
    from api.service import Service
    from ckepe.pipeline import PromptEngineer
    from merl_core.plot import PlotOptions

app = typer.Typer(
    name="merl",
    help="Zero-shot 12-lead ECG classification with verified prompts.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)

_out = Console()
_err = Console(stderr=True)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


app.add_typer(prompts_app, name="prompts")
app.add_typer(knowledge_app, name="knowledge")
knowledge_app.command("uts")(look_up)
app.add_typer(keys_app, name="keys")
app.add_typer(model_app)


@app.callback()
def _root(
    ctx: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Zero-shot 12-lead ECG classification with verified prompts."""
    ctx.obj = _make_engineer


def _make_engineer(on_progress: Callable[[int, int], None] | None) -> "PromptEngineer":
    from api.assembly import load_engineer

    return load_engineer(load_settings(), on_progress)


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one.")] = None,
) -> None:
    """Serve the page and the API."""
    import uvicorn

    from api.app import create_app
    from api.observation import configure_logging
    from api.settings import prepare_data_dir

    settings = load_settings(host=host, port=port)
    prepare_data_dir(settings)
    configure_logging(settings.log_level)
    application = create_app(settings)
    config = uvicorn.Config(
        application,
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(settings.drain_timeout_s),
    )
    server = uvicorn.Server(config)

    def give_up() -> None:
        server.should_exit = True

    application.state.merl.on_failed = give_up
    _err.print(
        f"merl-ckepe {__version__}: http://{settings.host}:{settings.port}/ (API: /docs)",
        highlight=False,
    )
    # uvicorn drains on SIGTERM and then raises it anew: a stop that was asked for is no failure.
    signal.signal(signal.SIGTERM, lambda *_: None)
    server.run()
    state = application.state.merl
    if state.is_loading and not state.has_failed:
        os._exit(0)  # a thread inside native code would abort the usual exit
    if state.has_failed:
        _err.print(f"merl: {state.reason}", highlight=False, soft_wrap=True)
        raise typer.Exit(1)


@app.command()
def mcp(
    root: Annotated[
        Path | None,
        typer.Option(
            help="Read files in this folder only.", exists=True, file_okay=False, resolve_path=True
        ),
    ] = None,
) -> None:
    """Offer classify, generate_prompts and search_knowledge to LLM agents (MCP over stdio)."""
    try:
        from api.mcp_server import create_server
    except ImportError as error:
        if error.name is None or not error.name.startswith("mcp"):
            raise
        msg = "the MCP SDK is not installed; install it with: pip install 'merl-ckepe[mcp]'"
        raise ConfigurationError(msg) from error
    settings = load_settings()

    def load() -> "Service":
        from api.assembly import load_parts
        from api.service import Service

        return Service(load_parts(settings, lambda doing: None))

    create_server(load, root=root).run()


@app.command()
def classify(
    files: Annotated[list[Path], typer.Argument(help="ECG files; parts of WFDB are one record.")],
    labels: Annotated[str | None, typer.Option(help="Classes in words, separated by ';'.")] = None,
    label_set: Annotated[str | None, typer.Option(help="Name of a label set.")] = None,
    prompts: Annotated[Path | None, typer.Option(help="A prompt set (JSON).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a file.")] = False,
    plot: Annotated[
        Path | None,
        typer.Option(help="Write the drawn ECG here (SVG, or PNG by its name), or in this folder."),
    ] = None,
    layout: Annotated[str, typer.Option(help="Of the drawing: 3x4+1, 6x2 or 12x1.")] = "3x4+1",
    speed: Annotated[int, typer.Option(help="Of the drawing: 25 or 50 mm/s.")] = 25,
    gain: Annotated[int, typer.Option(help="Of the drawing: 5, 10 or 20 mm/mV.")] = 10,
    theme: Annotated[str, typer.Option(help="Of the drawing: light or dark.")] = "light",
    start: Annotated[float, typer.Option(help="First second drawn.", min=0)] = 0.0,
) -> None:
    """Score ECG files against classes named in words."""
    groups = _grouped(files)
    options = _plot_options(layout, speed, gain, theme, start)
    if plot is not None and not plot.is_dir() and len(groups) > 1:
        msg = f"--plot {plot} is no folder, which the drawings of {len(groups)} records need"
        raise typer.BadParameter(msg)
    unreadable = _all_unreadable(groups)
    for path, error in unreadable:
        _report_failure(path, error, as_json=as_json)
    if unreadable:
        raise typer.Exit(1)
    from api.service import Classes, split_labels

    classes = Classes(
        split_labels([labels] if labels else []),
        label_set,
        prompts.read_text(encoding="utf-8") if prompts else None,
    )
    n_failed = 0
    with _service() as service:
        service.prompts_for(classes)
        for group in groups:
            try:
                answer = service.classify(group, classes)
                if plot is not None:
                    _draw(service, group, plot, options)
            except (OSError, *KNOWN_ERRORS) as error:
                n_failed += 1
                _report_failure(group[0], error, as_json=as_json)
                continue
            if as_json:
                typer.echo(answer.model_dump_json())
            else:
                _show(group[0], answer)
    if n_failed:
        raise typer.Exit(1)


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Say what is installed and set, and try a classification."""
    from api.doctor import examine

    findings = examine(load_settings())
    if as_json:
        typer.echo(json.dumps([finding.as_dict() for finding in findings], indent=2))
    else:
        table = Table("check", "", "finding", box=None, pad_edge=False)
        for finding in findings:
            mark = "[green]ok[/]" if finding.ok else "[red]fails[/]"
            table.add_row(finding.name, mark, finding.detail)
        _out.print(table)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(1)


def _service() -> "closing[Service]":
    from api.assembly import load_parts
    from api.service import Service

    with _err.status("starting") as status:
        parts = load_parts(load_settings(), status.update)
    return closing(Service(parts))


def _plot_options(layout: str, speed: int, gain: int, theme: str, start: float) -> "PlotOptions":
    from merl_core.plot import check_options

    options = cast(
        "PlotOptions",
        {
            "layout": layout,
            "speed_mm_s": speed,
            "gain_mm_mv": gain,
            "theme": theme,
            "start_s": start,
        },
    )
    try:
        check_options(options)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return options


def _draw(service: "Service", group: list[Path], plot: Path, options: "PlotOptions") -> None:
    """Write the drawing of a record to a file, or to a folder under the record's name."""
    path = plot / f"{group[0].name}.svg" if plot.is_dir() else plot
    if path.suffix.lower() == ".png":
        path.write_bytes(service.plot_png(group, **options))
    else:
        path.write_text(service.plot(group, **options), encoding="utf-8")


def _grouped(paths: Sequence[Path]) -> list[list[Path]]:
    """Return the paths of each record: the parts of a WFDB record share folder and stem."""
    from api.uploads import is_companion

    headers = {path.with_suffix("") for path in paths if path.suffix.lower() == ".hea"}
    groups: dict[Path, list[Path]] = {}
    for path in paths:
        stem = path.with_suffix("")
        is_part = stem in headers and is_companion(path.name)
        groups.setdefault(stem if is_part else path, []).append(path)
    return list(groups.values())


def _all_unreadable(groups: Sequence[list[Path]]) -> list[tuple[Path, Exception]]:
    """Return why, if not one of the records can be read: told before a model is loaded."""
    from api.readers import load_readers

    failures: list[tuple[Path, Exception]] = []
    with load_readers(load_settings()) as readers:
        for group in groups:
            try:
                readers.read_paths(group)
            except (OSError, *KNOWN_ERRORS) as error:
                failures.append((group[0], error))
            else:
                return []
    return failures


def _report_failure(path: Path, error: Exception, *, as_json: bool) -> None:
    detail = str(error)
    if as_json:
        code = "unreadable" if isinstance(error, OSError) else problem_of(error)[0]
        typer.echo(json.dumps({"file": str(path), "error": {"code": code, "detail": detail}}))
    else:
        _err.print(f"{path}: {detail}", style="red", highlight=False, soft_wrap=True)


def _show(path: Path, answer: "ClassifyAnswer") -> None:
    record = answer.record
    mode = answer.prompt_set.llm or "knowledge only, no language model"
    _out.print(
        f"[bold]{path}[/]  {record.format}, {record.fs:g} Hz, {record.duration_s:g} s, "
        f"{len(record.leads)} leads",
        highlight=False,
    )
    _out.print(f"model {answer.model.id}; prompts {answer.prompt_set.id[:12]} ({mode})")
    table = Table("rank", "class", "score", "percentile", "prompt", box=None, pad_edge=False)
    for item in answer.scores:
        percentile = "" if item.percentile is None else f"{item.percentile:.1f}"
        label = item.label if item.grounded else f"{item.label} (known to no source)"
        table.add_row(str(item.rank), label, f"{item.score:.3f}", percentile, item.prompt)
    _out.print(table)
    measured = [f"{name} {value:g}" for name, value in record.device_measurements.items()]
    said = [*([", ".join(measured)] if measured else []), *record.device_statements]
    if said:
        text = escape("; ".join(said))
        _out.print(f"the recording device (not used for the scores): {text}", highlight=False)
    for warning in answer.warnings:
        _out.print(f"[yellow]{warning.code}[/]: {warning.message}", highlight=False)
    if not record.quality.acceptable:
        failed = [check.message for check in record.quality.checks if not check.ok]
        _out.print(f"[yellow]signal quality[/]: {'; '.join(failed)}", highlight=False)
    _out.print(f"[dim]{answer.disclaimer}[/]\n", highlight=False)


def main() -> None:
    """Run the command; errors on purpose are one line and exit status 2."""
    try:
        app()
    except KNOWN_ERRORS as error:
        _err.print(f"merl: {error}", style="red", highlight=False, soft_wrap=True)
        sys.exit(2)
