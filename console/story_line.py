"""One line of an order's story, and the facts that several kinds of lines show."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple


class Kind(StrEnum):
    """What a line is about, in a trader's words."""

    ALERT = "Alert"
    READ = "Read as"
    ORDER = "Order"
    RULE = "Our rules"
    CLAIM = "Claim"
    BROKER = "Broker"
    CANCEL = "Cancel"
    PERSON = "By hand"
    GROUP = "Group of legs"
    PROTECTION = "Protection"
    MESSAGE = "Message"


class Fact(NamedTuple):
    """A figure or a name beside a sentence. `order`: the id of the order that it names, to be linked."""

    name: str
    value: str
    order: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `id`: unique on the page. `at`: ISO-8601 UTC, as stored. `text`: kept text, to be unfolded."""

    id: str
    at: str
    kind: Kind
    sentence: str
    facts: tuple[Fact, ...] = ()
    tone: str = ""  # one of `good`, `bad`, `warn`, `quiet`; empty: plain
    text: str | None = None
    text_name: str = ""


def fact(name: str, value: object) -> tuple[Fact, ...]:
    """Return a fact in a tuple; an empty one where there is no value."""
    return () if value in (None, "", [], {}) else (Fact(name, str(value)),)


def json_object(text: str | None) -> dict[str, Any]:
    """Return a stored JSON object; an empty one where none is stored, or an older program stored something else."""
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def choices(context: dict[str, Any]) -> Iterator[Fact]:
    """Yield what is kept of an order's instrument and size."""
    instrument, size = context.get("instrument"), context.get("size")
    if isinstance(instrument, dict):
        yield from fact("Asked for", instrument.get("asked"))
        yield from fact("Became", instrument.get("became"))
        for note in instrument.get("notes") or ():
            yield from fact("Because", described(note))
    if isinstance(size, dict):
        for name, value in size.items():
            yield from fact(f"Size: {name.replace('_', ' ')}", described(value))


def described(value: object) -> str:
    """A stored value as text: the parts of an object or a list one after the other."""
    if isinstance(value, dict):
        return ", ".join(
            f"{name.replace('_', ' ')} {described(each)}" for name, each in value.items() if each is not None
        )
    if isinstance(value, list | tuple):
        return ", ".join(map(described, value))
    return "" if value is None else str(value)
