"""Read the user's own dialects: one TOML file each. What their keys mean is checked where dialects are made."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.checking import Problems, read_toml

_SUFFIX = ".toml"


@dataclass(frozen=True, slots=True)
class FormatFile:
    """One file: its path, the dialect's name (the file's), and what stands in it."""

    path: Path
    name: str
    table: Mapping[str, Any]


def read_formats(folder: Path | None, problems: Problems) -> tuple[FormatFile, ...]:
    """Read the files of the folder, in the order of their names; without one there are none.

    What is in the folder and would have no effect is recorded as an error, and examples are left alone.
    """
    if folder is None:
        return ()
    if not folder.is_dir():
        problems.add("FORMATS_DIR", f"got {str(folder)!r}, expected the path of a folder that exists")
        return ()
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name.endswith(".example.toml"):
            continue
        if path.suffix != _SUFFIX:
            problems.add(str(path), f"expected a file that ends with {_SUFFIX}")
            continue
        found.append(FormatFile(path, path.stem, read_toml(path, problems)))
    return tuple(found)
