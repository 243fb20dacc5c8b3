"""Who acts: a person by one of the doors, or the program. The history keeps it as one text, made and read here."""

from dataclasses import dataclass
from enum import StrEnum


class ActorKind(StrEnum):
    """Through what somebody acts."""

    CLI = "cli"  # a person at a shell
    CONSOLE = "console"  # a person in the browser
    API = "api"  # a person's own program
    WEBHOOK = "webhook"  # an alert that came in
    WATCHER = "watcher"  # the program, following orders


_PEOPLE = frozenset({ActorKind.CLI, ActorKind.CONSOLE, ActorKind.API})


@dataclass(frozen=True, slots=True)
class Actor:
    """Who it is: a person's name, or a watcher's own."""

    kind: ActorKind
    name: str = ""

    @property
    def is_person(self) -> bool:
        """True where a person's hand did it; all else is the program's own doing."""
        return self.kind in _PEOPLE

    def __str__(self) -> str:
        """As the history has it: `cli:ann`, `webhook`, a watcher by its bare name."""
        if self.is_person:
            return f"{self.kind}:{self.name}"
        return self.name or str(self.kind)


WEBHOOK = Actor(ActorKind.WEBHOOK)


def actor_of(text: str) -> Actor:
    """The actor that the history tells of. What names no door is a watcher's name, for those are its own to choose."""
    door, colon, name = text.partition(":")
    if colon and door in _PEOPLE:
        return Actor(ActorKind(door), name)
    return WEBHOOK if text == str(WEBHOOK) else Actor(ActorKind.WATCHER, text)
