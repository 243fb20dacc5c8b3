"""Actors: a person, through one of the entry points, or the program.

The history stores an actor as one text. This module writes and reads that text.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class ActorKind(StrEnum):
    """The entry point through which an actor acts."""

    CLI = "cli"  # a person at a shell
    CONSOLE = "console"  # a person in the browser
    API = "api"  # a person's own program
    TELEGRAM = "telegram"  # a person in a chat, by the number of the account
    WEBHOOK = "webhook"  # an alert that came in
    WATCHER = "watcher"  # the program, following orders


_PEOPLE = frozenset({ActorKind.CLI, ActorKind.CONSOLE, ActorKind.API, ActorKind.TELEGRAM})


@dataclass(frozen=True, slots=True)
class Actor:
    """One actor. `name`: the person's name, or the watcher's."""

    kind: ActorKind
    name: str = ""

    @property
    def is_person(self) -> bool:
        """True for a person's action; everything else is the program's own."""
        return self.kind in _PEOPLE

    def __str__(self) -> str:
        """Return the text that the history stores: `cli:ann`, `webhook`, a watcher by its bare name."""
        if self.is_person:
            return f"{self.kind}:{self.name}"
        return self.name or str(self.kind)


WEBHOOK = Actor(ActorKind.WEBHOOK)


@lru_cache(maxsize=64)
def actor_of(text: str) -> Actor:
    """Parse an actor from the history. A text without an entry point is a watcher's name, which can be any text."""
    door, colon, name = text.partition(":")
    if colon and door in _PEOPLE:
        return Actor(ActorKind(door), name)
    return WEBHOOK if text == str(WEBHOOK) else Actor(ActorKind.WATCHER, text)
