"""A prepared data set, read by memory map: what a training draws its batches from."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor

from merl_core.datasets.checksums import sha256_of
from merl_core.datasets.shards import MANIFEST, RECORDS, UNITS_PER_MV, read_description
from merl_core.errors import MerlError
from merl_core.model import SignalConfig

_COLUMNS: Final = ("shard", "row", "record_id", "patient_id", "split", "report")


class PreparedSet:
    """Signals and reports of a prepared folder; signals stay on disk until they are asked for.

    May be sent to other processes: the maps are opened where they are used.

    Args:
        folder: As `merl data prepare` writes it.
        signal: What the model takes in; the folder must hold just that.

    Raises:
        MerlError: The folder is absent, unfinished, damaged, or holds another rate, length,
            filter or set of leads.
    """

    def __init__(self, folder: Path, signal: SignalConfig) -> None:
        self.folder = folder
        self.signal = signal
        self.content = read_description(folder)
        self._lead_rows = _match(self.content["layout"], signal, folder)
        self._shape = (len(self.content["layout"]["leads"]), signal.sig_len)
        _check_sizes(folder, self.content, self._shape)
        self.labels: tuple[str, ...] = tuple(self.content.get("labels", ()))
        self.label_set: str = self.content.get("label_set", "")
        table = _read_records(folder / RECORDS, has_labels=bool(self.labels))
        self._shards = table["shard"].to_numpy()
        self._rows = table["row"].to_numpy()
        self.record_ids: list[str] = table["record_id"].to_pylist()
        self.patients: list[str] = table["patient_id"].to_pylist()
        self.splits: list[str] = table["split"].to_pylist()
        self.reports: list[str] = table["report"].to_pylist()
        self.y_true = np.zeros((len(self.record_ids), 0))
        """Shape (N, C); 0, 1 or NaN where unknown."""
        if self.labels:
            flat = table["y_true"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
            self.y_true = flat.reshape(len(self.record_ids), len(self.labels))
        self._maps: dict[int, NDArray[np.int16]] = {}

    def __len__(self) -> int:
        return len(self.record_ids)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_maps": {}}

    @property
    def sha256(self) -> str:
        """Of the folder's manifest, which holds the hash of every other file."""
        return hashlib.sha256((self.folder / MANIFEST).read_bytes()).hexdigest()

    def rows_of(self, split: str) -> NDArray[np.int64]:
        """Return the places of a split's recordings.

        Raises:
            MerlError: There are none.
        """
        rows = np.flatnonzero(np.array(self.splits) == split)
        if rows.size == 0:
            known = ", ".join(sorted(set(self.splits)))
            msg = f"{self.folder}: no recording in split {split!r}; there are: {known}"
            raise MerlError(msg)
        return rows

    def signals(self, rows: Sequence[int] | NDArray[Any]) -> Tensor:
        """Return model input of shape (B, L, T), float32, leads in the model's order."""
        out = np.empty((len(rows), *self._shape), dtype=np.int16)
        for place, row in enumerate(rows):
            out[place] = self._map(int(self._shards[row]))[self._rows[row]]
        x = torch.from_numpy(out[:, self._lead_rows]).float() / UNITS_PER_MV
        return minmax(x) if self.signal.normalization == "merl_minmax" else x

    def verify(self) -> None:
        """Compare every file with its hash.

        Raises:
            MerlError: One differs.
        """
        for item in (*self.content["shards"], self.content["records"]):
            if sha256_of(self.folder / item["file"]) != item["sha256"]:
                msg = f"{self.folder / item['file']}: sha256 is not the one in {MANIFEST}"
                raise MerlError(msg)

    def _map(self, shard: int) -> NDArray[np.int16]:
        if shard not in self._maps:
            item = self.content["shards"][shard]
            shape = (item["n_records"], *self._shape)
            path = self.folder / item["file"]
            self._maps[shard] = np.memmap(path, dtype="<i2", mode="r", shape=shape)
        return self._maps[shard]


def minmax(x: Tensor) -> Tensor:
    """Return signals (B, L, T) scaled to 0..1, each over all its leads; see `merl_minmax`."""
    lowest = x.amin(dim=(1, 2), keepdim=True)
    highest = x.amax(dim=(1, 2), keepdim=True)
    return (x - lowest) / (highest - lowest + 1e-8)


def _match(layout: dict[str, Any], signal: SignalConfig, folder: Path) -> list[int]:
    """Return the stored row of each lead of the model."""
    for name in ("fs", "window_s", "low_hz", "high_hz"):
        found, expected = layout[name], getattr(signal, name)
        if found != expected:
            msg = f"{folder}: prepared with {name} {found!r}, the model takes {expected!r}"
            raise MerlError(msg)
    if signal.keep_s is not None:
        msg = f"keep_s {signal.keep_s!r} is for evaluation: prepared recordings are whole"
        raise MerlError(msg)
    missing = [lead for lead in signal.leads if lead not in layout["leads"]]
    if missing:
        msg = f"{folder}: prepared without lead {missing[0]!r}"
        raise MerlError(msg)
    return [layout["leads"].index(lead) for lead in signal.leads]


def _check_sizes(folder: Path, content: dict[str, Any], shape: tuple[int, int]) -> None:
    for item in content["shards"]:
        path = folder / item["file"]
        expected = item["n_records"] * shape[0] * shape[1] * 2
        found = path.stat().st_size if path.is_file() else None
        if found != expected:
            what = "is absent" if found is None else f"has {found} bytes, expected {expected}"
            msg = f"shard {str(path)!r} {what}"
            raise MerlError(msg)


def _read_records(path: Path, *, has_labels: bool) -> pa.Table:
    try:
        return pq.read_table(path, columns=[*_COLUMNS, *(["y_true"] if has_labels else [])])
    except (OSError, pa.ArrowException) as error:
        msg = f"{path}: cannot be read ({str(error).splitlines()[0]})"
        raise MerlError(msg) from error
