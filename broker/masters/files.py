"""Read a published list, whichever broker's it is: the format is recognised by the columns, never by a guess."""

import csv
import gzip
import io
import zipfile
from collections.abc import Iterable, Iterator
from typing import IO, BinaryIO, TextIO, cast

from broker.masters import dhan, noren, upstox, zerodha
from broker.masters.cells import ReadRow, Row, column, listings
from domain.instruments.instrument import Instrument, UnreadableListing

SUFFIXES = (".zip", ".csv", ".txt", ".gz", ".json")
"""Of files that may be lists."""

_FORMATS: tuple[tuple[set[str], ReadRow], ...] = (
    (zerodha.COLUMNS, zerodha.read),
    (dhan.COMPACT, dhan.read_compact),
    (dhan.DETAILED, dhan.read_detailed),
    (noren.COLUMNS, noren.read),
)


class UnknownList(ValueError):
    """A file is no list of instruments that is known, or is damaged; says what was expected."""


def read_list(name: str, stream: BinaryIO) -> Iterator[Instrument | UnreadableListing]:
    """Read the rows of a file, which may be packed; rows that cannot be read are told and stop no other.

    Raises:
        UnknownList: its columns are of no known format, or it cannot be unpacked.
    """
    try:
        yield from _unpacked(name, stream)
    except (zipfile.BadZipFile, OSError, EOFError, csv.Error, UnicodeDecodeError) as error:
        raise UnknownList(f"{name}: cannot be read: {error}") from error


def _unpacked(name: str, stream: BinaryIO) -> Iterator[Instrument | UnreadableListing]:
    if name.lower().endswith(".zip"):
        with zipfile.ZipFile(stream) as packed:
            for each in packed.namelist():
                with packed.open(each) as inner:
                    yield from _read(each, _text(inner))
    elif name.lower().endswith(".gz"):
        with gzip.open(stream) as inner:
            yield from _read(name[:-3], _text(cast("IO[bytes]", inner)))
    else:
        yield from _read(name, _text(stream))


def _text(stream: IO[bytes]) -> TextIO:
    return io.TextIOWrapper(stream, encoding="utf-8-sig", newline="")


def _read(name: str, stream: TextIO) -> Iterator[Instrument | UnreadableListing]:
    if name.lower().endswith(".json"):
        try:
            yield from listings(upstox.objects(stream), upstox.read, name)
        except ValueError as error:
            raise UnknownList(f"{name}: {error}") from error
        return
    rows = csv.reader(stream)
    head = [column(each) for each in next(rows, [])]
    for columns, read in _FORMATS:
        if columns <= set(head):
            yield from listings(_named(rows, head), read, name)
            return
    shown = ",".join(head)[:120]
    raise UnknownList(
        f"{name}: expected the columns of a list of instruments in the first line, got {shown!r}"
    )


def _named(rows: Iterable[list[str]], head: list[str]) -> Iterator[tuple[int, Row]]:
    """The rows by their columns; a comma at the end of each makes a last one without a name."""
    for line, cells in enumerate(rows, 2):
        if any(cells):
            yield line, {name: cell.strip() for name, cell in zip(head, cells, strict=False) if name}
