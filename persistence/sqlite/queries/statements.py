"""Load the SQL statements that stand in files of their own, beside this module."""

from functools import cache
from pathlib import Path


@cache
def statement(name: str) -> str:
    """Return the statement of the file `<name>.sql`."""
    return _statements()[name]


@cache
def _statements() -> dict[str, str]:
    """Read all files together when the first is needed, so that no process mixes those of two versions."""
    return {file.stem: file.read_text(encoding="utf-8") for file in Path(__file__).parent.glob("*.sql")}
