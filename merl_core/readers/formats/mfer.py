"""MFER (ISO/TS 11073-92001): tag, length, value; Nihon Kohden and others in Japan."""

from pathlib import Path

from ecgdatakit.parsing.parsers.mfer import MFERParser

from merl_core.readers.assembly import Findings
from merl_core.readers.ecgdatakit_adapter import parse, to_record
from merl_core.readers.registry import Format
from merl_core.readers.upload import Part
from merl_core.records import Record


def _recognises(part: Part) -> bool:
    return bool(MFERParser.can_parse(Path(part.name), part.head))


def _read(part: Part) -> Record:
    findings = Findings()
    return to_record(parse(MFERParser, part.content, findings, ".mwf"), "mfer", findings)


FORMATS = (Format("mfer", "MFER", _recognises, _read, order=40),)
