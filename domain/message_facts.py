"""The content of a message as data. It is stored beside the text, so that no program has to parse the text."""

import json
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """One message. All texts are plain, as a reader sees them: neither marked up nor escaped.

    - `title`, `about`: the first line begins with `title | about`.
    - `what`, `traded`, `symbol`: the order's, such as `ENTRY`, `BUY 50` and the symbol; empty where it is about no
      order.
    - `mark`: distinguishes it from similar messages: the short id, or whatever else of that kind its last line shows.
    """

    title: str
    about: str
    what: str = ""
    traded: str = ""
    symbol: str = ""
    mark: str = ""
    is_about_symbol: bool = False  # the first line names the order's symbol right behind the title
    by_hand: bool = False  # the message names a person as the one who said or did it
    is_failure: bool = False  # nothing was traded, or no more will be
    in_first_line: str = (
        ""  # what the first line says of the order behind that; empty in messages of earlier versions
    )

    @property
    def headline(self) -> str:
        """What happened: the first line without the order."""
        return f"{self.title} | {self.about}"

    @property
    def first_line(self) -> str:
        """The whole first line."""
        return f"{self.headline} · {self.in_first_line}" if self.in_first_line else self.headline

    def as_json(self) -> str:
        """Return the JSON text that the outbox stores."""
        return _encode({name: getattr(self, name) for name in _FIELDS})


_FIELDS = tuple(each.name for each in fields(MessageFacts))
_encode = json.JSONEncoder(ensure_ascii=False).encode  # made once, not for each message


def message_facts(text: str | None) -> MessageFacts | None:
    """Parse the facts that the outbox stored; None where an earlier version stored only the message's text."""
    return None if text is None else MessageFacts(**json.loads(text))
