"""Load the SQL statements that stand in files of their own, beside this module."""

from functools import cache
from importlib import resources


@cache
def statement(name: str) -> str:
    """Return the statement of the file `<name>.sql`. It is read once for each process."""
    return resources.files(__package__).joinpath(f"{name}.sql").read_text(encoding="utf-8")
