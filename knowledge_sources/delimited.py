"""Tables that users own: SCP-ECG statements (CSV), CDISC ECG terminology (TSV)."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from knowledge_sources.concept import Alias, AliasKind, Concept, Source, Terminology
from knowledge_sources.errors import SourceFormatError

_FINDING_LISTS: Final = frozenset({"ECG Result", "Holter ECG Results"})


def load_scp_ecg(path: Path) -> Terminology:
    """Return the statements of a user's SCP-ECG list.

    Args:
        path: CSV with a header line and the columns `code`, `text` and `category`.

    Raises:
        SourceFormatError: A column is missing, a field is empty, or a code is given twice.
    """
    concepts: dict[str, Concept] = {}
    for line, row in _rows(path, ",", ("code", "text", "category")):
        for column in ("code", "text"):
            if not row[column].strip():
                raise SourceFormatError(path, "is empty", line=line, column=column)
        key = f"SCP:{row['code'].strip()}"
        if key in concepts:
            raise SourceFormatError(path, f"{key!r} is given twice", line=line, column="code")
        concepts[key] = Concept(
            concept_id=key,
            canonical_name=row["text"].strip(),
            source="scp_ecg",
            definition=None,
            aliases=(Alias(row["code"].strip(), AliasKind.ACRONYM),),
            notes=(f"SCP-ECG category: {row['category'].strip()}",) if row["category"] else (),
        )
    source = Source("scp_ecg", "SCP-ECG statements", path.stem, "the user's own copy of EN 1064")
    return Terminology(source, tuple(concepts.values()))


def load_cdisc(path: Path) -> Terminology:
    """Return the ECG findings of a CDISC SDTM terminology file.

    Args:
        path: TSV with the columns `codelist_name`, `row_kind`, `nci_code`, `submission_value`,
            `nci_preferred_term`, `synonyms` and `definition`.

    Raises:
        SourceFormatError: A column is missing, or a field is empty.
    """
    columns = (
        "codelist_name", "row_kind", "nci_code", "submission_value", "nci_preferred_term",
        "synonyms", "definition",
    )  # fmt: skip
    concepts: dict[str, Concept] = {}
    for line, row in _rows(path, "\t", columns):
        if row["row_kind"] != "term" or row["codelist_name"] not in _FINDING_LISTS:
            continue
        for column in ("nci_code", "submission_value"):
            if not row[column].strip():
                raise SourceFormatError(path, "is empty", line=line, column=column)
        key = f"NCIT:{row['nci_code'].strip()}"
        name = row["submission_value"].strip()
        others = [row["nci_preferred_term"], *row["synonyms"].split(";")]
        concepts[key] = Concept(
            concept_id=key,
            canonical_name=name.lower() if name.isupper() else name,
            source="cdisc",
            definition=row["definition"].removesuffix(" (NCI)").strip() or None,
            aliases=tuple(Alias(o.strip()) for o in others if o.strip()),
        )
    source = Source(
        key="cdisc",
        name="CDISC SDTM ECG terminology",
        version=path.stem,
        licence="free with attribution",
        citation="CDISC Controlled Terminology, maintained and distributed by NCI EVS",
    )
    return Terminology(source, tuple(concepts.values()))


def _rows(
    path: Path, delimiter: str, columns: Sequence[str]
) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            if delimiter == "\t":
                reader = csv.DictReader(file, delimiter=delimiter, quoting=csv.QUOTE_NONE)
            else:
                reader = csv.DictReader(file, delimiter=delimiter)
            missing = [c for c in columns if c not in (reader.fieldnames or ())]
            if missing:
                found = ", ".join(reader.fieldnames or ("nothing",))
                message = f"there is no such column; the file has {found}"
                raise SourceFormatError(path, message, line=1, column=missing[0])
            for row in reader:
                if None in row or any(value is None for value in row.values()):
                    message = f"expected {len(reader.fieldnames or ())} fields"
                    raise SourceFormatError(path, message, line=reader.line_num)
                yield reader.line_num, row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SourceFormatError(path, f"cannot be read: {error}") from error
