"""The command `merl simulate`."""

from pathlib import Path
from typing import Annotated

import typer

from merl_core.console import reported

app = typer.Typer()


@app.command()
def simulate(
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for WFDB records.")],
    n_records: Annotated[int, typer.Option("-n", min=1, max=100_000)] = 10,
    finding: Annotated[
        list[str] | None, typer.Option(help="Local concept id; repeat it. Drawn if none is given.")
    ] = None,
    fs: Annotated[int, typer.Option(min=50, max=1000, help="Samples per second.")] = 500,
    duration_s: Annotated[float, typer.Option(min=3.0, max=60.0)] = 10.0,
    seed: int = 0,
) -> None:
    """Write artificial 12-lead ECGs (WFDB) and a manifest of what they show."""
    with reported():
        from merl_core.simulated_files import write_simulated

        findings = [tuple(finding)] * n_records if finding else None
        manifest = write_simulated(
            output, findings, n_records=n_records, fs=fs, duration_s=duration_s, seed=seed
        )
    typer.echo(str(manifest))
