"""The command `merl simulate`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from merl_core.console import reported
from merl_core.errors import MerlError

app = typer.Typer()


class ReportStyle(StrEnum):
    """How reports are worded."""

    PLAIN = "plain"
    CART = "cart"
    CLINICIAN = "clinician"
    GERMAN = "german"


@app.command()
def simulate(
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Folder for WFDB records.")
    ] = None,
    n_records: Annotated[
        int, typer.Option("-n", min=1, max=100_000, help="Number of records.")
    ] = 10,
    finding: Annotated[
        list[str] | None,
        typer.Option(
            help="Local concept id that every record shows; repeat it. Drawn if none is given."
        ),
    ] = None,
    fs: Annotated[int, typer.Option(min=50, max=1000, help="Samples per second.")] = 500,
    duration_s: Annotated[
        float, typer.Option(min=3.0, max=60.0, help="Length of a record in seconds.")
    ] = 10.0,
    noise: Annotated[
        float, typer.Option(min=0.0, max=5.0, help="0 for none, 1 for what a clinic records.")
    ] = 1.0,
    report_style: Annotated[
        ReportStyle | None, typer.Option(help="Wording of the reports; mixed if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same files.")] = 0,
    show_findings: Annotated[
        bool, typer.Option("--list", help="List the findings and write nothing.")
    ] = False,
) -> None:
    """Write artificial 12-lead ECGs (WFDB) and a manifest of what they show."""
    with reported():
        from merl_core.simulated_files import describe_findings, write_simulated

        if show_findings:
            typer.echo("\n".join(f"{name}\t{words}" for name, words in describe_findings()))
            return
        if output is None:
            msg = "name the folder for the records with -o, or list the findings with --list"
            raise MerlError(msg)
        findings = [tuple(finding)] * n_records if finding else None
        manifest = write_simulated(
            output,
            findings,
            n_records=n_records,
            fs=fs,
            duration_s=duration_s,
            seed=seed,
            noise_level=noise,
            report_style=report_style,
        )
    typer.echo(str(manifest))
