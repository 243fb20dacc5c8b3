"""What a message tells, as data: kept beside its text, so that nobody reads the text but people."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class MessageFacts:
    """One message. All texts are plain, as a reader sees them: neither marked up nor escaped.

    Its first line is `title | about`. `what`, `traded` and `symbol` are the order's, `ENTRY`, `BUY 50` and the symbol;
    empty where it is about none. `mark` tells it from the next: the short id, or what else its last line shows of that
    kind.
    """

    title: str
    about: str
    what: str = ""
    traded: str = ""
    symbol: str = ""
    mark: str = ""
    is_about_symbol: bool = False  # the first line names the order's symbol right behind the title
    by_hand: bool = False  # it says that a person said or did it
    is_failure: bool = False  # nothing was traded, or no more will be

    @property
    def headline(self) -> str:
        """The first line."""
        return f"{self.title} | {self.about}"

    def as_json(self) -> str:
        """As the outbox keeps it."""
        return json.dumps(asdict(self), ensure_ascii=False)


def message_facts(text: str | None) -> MessageFacts | None:
    """What the outbox keeps of a message; None where it was written by a version that kept the text alone."""
    return None if text is None else MessageFacts(**json.loads(text))
