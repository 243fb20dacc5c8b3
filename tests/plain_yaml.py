"""Reads the YAML that the files of deploy/ are written in: maps, lists, and scalars on one line. Anything else is an
error, so that a file that this reads means the same to every reader of YAML."""

import json
import re
from typing import Any

_KEY = re.compile(r"([A-Za-z_][\w./-]*):(?: +(.*))?$")


class NotPlain(ValueError):
    """A line that is not of the kind that is written here."""


def read_yaml(text: str) -> Any:
    """The content of a file. Raises NotPlain, with the line."""
    lines = [
        (len(line) - len(line.lstrip()), line.strip())
        for line in text.splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]
    value, rest = _block(lines, 0)
    if rest:
        raise NotPlain(rest[0][1])
    return value


Lines = list[tuple[int, str]]


def _block(lines: Lines, indent: int) -> tuple[Any, Lines]:
    if lines[0][1].startswith("- "):
        return _list(lines, indent)
    found: dict[str, Any] = {}
    while lines and lines[0][0] == indent and not lines[0][1].startswith("- "):
        match = _KEY.match(lines[0][1])
        if match is None or match[1] in found:
            raise NotPlain(lines[0][1])
        lines = lines[1:]
        if match[2] is not None:
            found[match[1]] = _scalar(match[2])
        elif lines and (lines[0][0] > indent or (lines[0][0] == indent and lines[0][1].startswith("- "))):
            found[match[1]], lines = _block(lines, lines[0][0])
        else:
            found[match[1]] = None
    if lines and lines[0][0] > indent:
        raise NotPlain(lines[0][1])
    return found, lines


def _list(lines: Lines, indent: int) -> tuple[list[Any], Lines]:
    found = []
    while lines and lines[0][0] == indent and lines[0][1].startswith("- "):
        item = lines[0][1][2:].strip()
        if _KEY.match(item):  # a map that begins on the line of its dash
            value, lines = _block([(indent + 2, item), *lines[1:]], indent + 2)
            found.append(value)
        else:
            found.append(_scalar(item))
            lines = lines[1:]
    return found, lines


def _scalar(text: str) -> Any:
    if text[0] in '"[':
        return json.loads(text)  # quoted texts and lists of them
    if text[0] in "'{}&*!|>%@`#" or " #" in text or ": " in text or text.endswith(":"):
        raise NotPlain(text)
    if text in ("true", "false"):
        return text == "true"
    return int(text) if re.fullmatch(r"-?\d+", text) else text
