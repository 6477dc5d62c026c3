"""Commands of `merl data`: read, check, fetch and prepare data sets."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from merl_core.console import Root, progress, reported, say, say_columns, write_json

if TYPE_CHECKING:
    from merl_core.datasets.manifest import Manifest

app = typer.Typer(no_args_is_help=True, help="Fetch, check and prepare data sets.")

Name = Annotated[
    str,
    typer.Argument(
        help="mimic-iv-ecg, ptbxl_super, ptbxl_sub, ptbxl_form, ptbxl_rhythm, cpsc2018, csn, or "
        "manifest for a CSV of your own."
    ),
]
Folder = Annotated[Path, typer.Argument(help="The data set as published; for manifest the CSV.")]
Splits = Annotated[Path | None, typer.Option(help="Folder of the paper's split files.")]
Split = Annotated[str | None, typer.Option(help="train, val or test; all if not given.")]
Labels = Annotated[str, typer.Option(help="Of csn: exact, or merl as in the paper's files.")]
Rate = Annotated[int, typer.Option(help="Recordings of PTB-XL: 100 or 500 Hz.")]


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="mimic-iv-ecg, ptb-xl, cpsc2018 or csn.")],
    to: Annotated[Path, typer.Option("--to", help="Folder for the copy.")],
    include: Annotated[
        list[str] | None, typer.Option(help="Pattern of paths, such as `*.csv`; repeat it.")
    ] = None,
    connections: Annotated[int, typer.Option(min=1, max=64, help="Files at a time.")] = 8,
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="Of a mirror of PhysioNet's files.")
    ] = None,
) -> None:
    """Download a data set from PhysioNet; every file is verified, and a broken run goes on."""
    with reported():
        from dataclasses import asdict

        from merl_core.datasets.catalog import find_publication
        from merl_core.datasets.fetching import BASE_URL
        from merl_core.datasets.fetching import fetch as fetch_files

        publication = find_publication(name)
        say(f"{publication.title}; {publication.licence}; doi:{publication.doi}")
        with progress("files") as advance:
            done = fetch_files(
                publication,
                to,
                base_url=base_url or BASE_URL,
                include=include or (),
                n_connections=connections,
                on_progress=advance,
            )
    write_json({"folder": str(to), **asdict(done)}, None)


@app.command()
def manifest(
    name: Name,
    folder: Folder,
    output: Annotated[Path, typer.Option("-o", "--output", help="CSV to write.")],
    splits: Splits = None,
    split: Split = None,
    labels: Labels = "exact",
    fs: Rate = 500,
) -> None:
    """Write a data set's recordings, labels, reports and split as one CSV."""
    with reported():
        from merl_core.datasets.manifest import write_manifest

        found = _load(name, folder, splits, split, labels, fs)
        write_manifest(found, output)
    typer.echo(str(output))


@app.command()
def check(
    name: Name,
    folder: Folder,
    sample: Annotated[int, typer.Option(min=1, help="Signals to read.")] = 200,
    every: Annotated[bool, typer.Option("--all", help="Read every signal.")] = False,
    checksums: Annotated[
        bool, typer.Option("--checksums", help="Compare every file with SHA256SUMS.txt.")
    ] = False,
    root: Annotated[Path | None, typer.Option(help="Where a manifest's paths start.")] = None,
    fs: Rate = 500,
) -> None:
    """Report what a copy holds and what is wrong with it (JSON); status 1 if anything is."""
    with reported():
        from merl_core.datasets.checking import check_checksums, check_records

        found = _load(name, folder, None, None, "exact", fs)
        base = root or (folder.parent if name == "manifest" else folder)
        with progress("signals") as advance:
            report = check_records(
                found, base, sample=None if every else sample, on_progress=advance
            )
        if checksums:
            with progress("files") as advance:
                report |= check_checksums(base, report["problems"], advance)
    write_json({"name": name, **report}, None)
    for problem in report["problems"]:
        say(problem)
    if report["problems"]:
        raise typer.Exit(1)


@app.command()
def prepare(
    manifest_path: Annotated[
        Path, typer.Argument(metavar="MANIFEST", help="CSV as `merl data manifest` writes it.")
    ],
    config: Annotated[
        Path, typer.Option(help="Recipe (YAML) of the training; it says what signals look like.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the shards.")],
    root: Root = Path(),
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 2,
    shard_size: Annotated[int, typer.Option(min=1, help="Recordings of a shard.")] = 1024,
    resample: Annotated[
        bool, typer.Option("--resample", help="Resample recordings at another rate.")
    ] = False,
    label_set_name: Annotated[
        str | None, typer.Option("--label-set", help="Column heads are codes of this set.")
    ] = None,
) -> None:
    """Write recordings as int16 shards for training; an interrupted run goes on."""
    with reported():
        from merl_core.datasets.manifest import as_codes, read_manifest
        from merl_core.datasets.shards import Layout, write_shards
        from merl_core.training.config import load_recipe

        signal = load_recipe(config).model.signal
        table = read_manifest(manifest_path)
        say_columns(table, label_set_name)
        if label_set_name is not None:
            table = as_codes(table, label_set_name)
        layout = Layout(
            signal.leads, signal.fs, signal.window_s, signal.low_hz, signal.high_hz, resample
        )
        with progress("recordings") as advance:
            written = write_shards(
                table,
                root,
                output,
                layout,
                shard_size=shard_size,
                n_workers=workers,
                on_progress=advance,
            )
    write_json({key: value for key, value in written.items() if key != "shards"}, None)
    for item in written["failed"]:
        say(f"{item['path']}: {item['reason']}")


@app.command()
def verify(
    folder: Annotated[Path, typer.Argument(help="As `merl data prepare` writes it.")],
) -> None:
    """Compare every file of a prepared folder with its sha256."""
    with reported():
        from merl_core.datasets.prepared import PreparedSet
        from merl_core.datasets.shards import read_layout
        from merl_core.model import SignalConfig

        layout = read_layout(folder)
        signal = SignalConfig(
            leads=layout.leads,
            fs=layout.fs,
            window_s=layout.window_s,
            low_hz=layout.low_hz,
            high_hz=layout.high_hz,
        )
        prepared = PreparedSet(folder, signal)
        prepared.verify()
    write_json({"folder": str(folder), "n_records": len(prepared), "sha256": prepared.sha256}, None)


def _load(
    name: str, folder: Path, splits: Path | None, split: str | None, labels: str, fs: int
) -> "Manifest":
    from merl_core.datasets.catalog import load_dataset
    from merl_core.errors import MerlError

    if labels not in ("exact", "merl"):
        msg = f"labels {labels!r}, expected exact or merl"
        raise MerlError(msg)
    if fs not in (100, 500):
        msg = f"PTB-XL is published at 100 and 500 Hz, not at {fs}"
        raise MerlError(msg)
    found = load_dataset(
        name,
        folder,
        splits_folder=splits,
        split=split,
        labels="merl" if labels == "merl" else "exact",
        fs=100 if fs == 100 else 500,
    )
    for notice in found.notices:
        say(notice)
    return found
