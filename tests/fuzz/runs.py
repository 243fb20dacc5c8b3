"""Run bodies by their numbers, so that each can be made again from the seed and its number alone."""

import json
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from domain.alert_defaults import AlertDefaultsBook
from tests.fuzz import grammar, opinion, relations
from tests.fuzz.corpora import Base, bases
from tests.fuzz.path import BOOKS, FULL, NAMES, Outcome, read, stranger
from tests.fuzz.spoiling import Json, damaged, dumped, encoded, noise, spoiled

_NAMED = 10
"""One body of so many is read as one of a dialect that its path names."""
LONGEST_SECONDS = 0.050
"""Of processor time, for one body."""


class Find(NamedTuple):
    """A body of which something is wrong; `python -m tests.fuzz --seed S --only NUMBER` makes it again."""

    seed: int
    number: int
    why: str
    raw: bytes
    what: str

    def __str__(self) -> str:
        return f"{self.why}: {self.what}\n  seed {self.seed}, number {self.number}: {self.raw!r}"


@dataclass
class Tally:
    """What was run, and what was found."""

    bodies: int = 0
    traded: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    finds: list[Find] = field(default_factory=list)
    slowest: float = 0.0

    def add(self, other: "Tally") -> None:
        """Count what another process has run."""
        self.bodies += other.bodies
        self.traded += other.traded
        self.counts += other.counts
        self.finds += other.finds
        self.slowest = max(self.slowest, other.slowest)


Report = Callable[[str, str, bytes], None]


class Runner:
    """Runs bodies and keeps the tally.

    Args:
        doors: takes one body in so many through whole doors as well; they return what is wrong.
    """

    def __init__(
        self, seed: int, doors: Sequence[tuple[int, Callable[[bytes, Outcome, bool], str]]] = ()
    ) -> None:
        self.seed, self.tally = seed, Tally()
        self._doors = doors
        self._number = self._knocks = 0

    def run(self, numbers: Sequence[int]) -> Tally:
        """Run the trials of these numbers; each reads one body, or several that have to do with each other."""
        for number in numbers:
            self._number = number
            self._trial(Random(f"{self.seed}:{number}"))
        return self.tally

    def _trial(self, chance: Random) -> None:
        kind, book = chance.random(), chance.choice(BOOKS)
        if kind < 0.25:
            self._grammar(chance, book)
        elif kind < 0.30:
            raw = noise(chance, [each.text.encode() for each in bases()[:200]])
            self._body(raw, book, "noise")
        else:
            self._corpus(chance.choice(bases()), chance, book)

    # kinds of trials ----------------------------------------------------------------------------------------

    def _grammar(self, chance: Random, book: AlertDefaultsBook) -> None:
        order = grammar.meant(chance)
        outcome = self._body(order.raw, book, f"grammar {order.way}")
        if outcome is not None:
            self._note("grammar", grammar.complaint(order, outcome.legs), order.raw)
            self.tally.counts[
                "meant and traded" if outcome.trades else "meant and refused"
            ] += not order.poison
            if order.way in ("_flat", "_nested"):
                self._related(order.raw, outcome, chance, book)

    def _corpus(self, base: Base, chance: Random, book: AlertDefaultsBook) -> None:
        how = chance.random()
        document: Json = base.document
        if document is not None and how < 0.65:
            document = spoiled(document, chance) if how > 0.1 else document
            raw = dumped(document).encode("utf-8", "replace")
            outcome = self._body(raw, book, "document")
            if outcome is not None:
                self._related(raw, outcome, chance, book)
            return
        text = base.text
        if document is not None and chance.random() < 0.5:
            text = dumped(spoiled(document, chance))
        raw = encoded(damaged(text, chance) if chance.random() < 0.9 else text, chance)
        outcome = self._body(raw, book, "text")
        if outcome is not None and outcome.dialect != "native" and raw.isascii():
            self._compare(relations.of_text(raw.decode(), outcome, chance), outcome, book, "of_text")

    def _related(self, raw: bytes, outcome: Outcome, chance: Random, book: AlertDefaultsBook) -> None:
        """Relations of a document: several where it trades, one where it does not."""
        try:
            document: Json = json.loads(raw)
        except ValueError:
            return
        if not isinstance(document, dict) or not document:
            return
        chosen = chance.sample(range(len(relations.ALL)), 4) if outcome.trades else [
            chance.randrange(len(relations.INERT))
        ]  # fmt: skip
        for index in chosen:
            relation = relations.ALL[index]
            other = relation(document, outcome, chance)
            if other is not None:
                self._compare(other, outcome, book, relation.__name__)

    # one body ------------------------------------------------------------------------------------------------

    def _compare(self, other: relations.Other, outcome: Outcome, book: AlertDefaultsBook, name: str) -> None:
        became = self._body(other.raw, book, f"relation {name}")
        if became is None:
            return
        why = other.rule(outcome, became)
        if why and other.without is not None:
            left_out = self._body(other.without, book, f"relation {name}, left out")
            is_other = left_out is not None and left_out.dialect == became.dialect
            why = why if left_out is not None and is_other and left_out.orders != became.orders else ""
        self._note(name, why, other.raw)

    def _body(self, raw: bytes, book: AlertDefaultsBook, kind: str) -> Outcome | None:
        """Read a body and look at what it became; None where reading it failed."""
        outcome = self._read(raw, book, kind)
        if outcome is None:
            return None
        if self.tally.bodies % _NAMED == 0:  # as one of another dialect, which its path names
            self._read(raw, book, "named", NAMES[self.tally.bodies // _NAMED % len(NAMES)])
        self._knocks += book is FULL  # the doors have the strategy that names all
        for every, door in self._doors:
            if book is FULL and self._knocks % every == 0:
                self.tally.counts[f"door {door.__name__}"] += 1
                self._note("door", door(raw, outcome, self._knocks % (2 * every) == 0), raw)
        return outcome

    def _read(
        self, raw: bytes, book: AlertDefaultsBook, kind: str, name: str | None = None
    ) -> Outcome | None:
        tally = self.tally
        tally.bodies += 1
        tally.counts[kind] += 1
        try:
            outcome = read(raw, book, name)
            if outcome.seconds > LONGEST_SECONDS:  # once more: what else the machine does may fall on it
                outcome = min((read(raw, book, name) for _ in range(3)), key=lambda each: each.seconds)
        except Exception:  # noqa: BLE001 - whatever it is, it is a find
            self._note("crash", traceback.format_exc(limit=-3), raw)
            return None
        tally.traded += outcome.trades
        tally.slowest = max(tally.slowest, outcome.seconds)
        if outcome.seconds > LONGEST_SECONDS:
            self._note("slow", f"{1000 * outcome.seconds:.0f} ms", raw)
        if outcome.trades:
            for why in opinion.complaints(opinion.view(raw), outcome.legs, book.default):
                self._note("opinion", f"{outcome.dialect}: {why}", raw)
        elif not (outcome.code and outcome.message and outcome.field):
            self._note("refusal", "it names no reason or no field", raw)
        return outcome

    def _note(self, why: str, what: str, raw: bytes) -> None:
        if what:
            self.tally.finds.append(Find(self.seed, self._number, why, raw, what))


# as large as they may be -------------------------------------------------------------------------------------

_LARGE = 262_144


def large_bodies(seed: int, count: int) -> Iterator[Find]:
    """Bodies of pieces again and again: twice the size costs a stranger twice the time at most, and that is little."""
    for number in range(count):
        chance = Random(f"large:{seed}:{number}")
        start, piece, end = (_piece(chance) for _ in range(3))
        piece = piece or b"a"

        def of(size: int, start: bytes = start, piece: bytes = piece, end: bytes = end) -> bytes:
            return start + piece * ((size - len(start) - len(end)) // len(piece)) + end

        for size in (40_960, _LARGE):
            why = _too_slow(of(size // 2), of(size))
            if why:
                yield Find(
                    seed, number, "large", start + piece * 3 + end, f"{why}: {start!r} {piece!r} {end!r}"
                )


def _piece(chance: Random) -> bytes:
    text = chance.choice(bases()).text
    at = chance.randrange(len(text))
    found = text[at : at + chance.choice((1, 2, 5, 9, 30))].encode()
    return found + chance.choice((b"", b"", b",", b'"', b"\n", b"{", b"[", b" ", b"=", b":"))


def _too_slow(half: bytes, whole: bytes) -> str:
    for attempt in range(3):
        times = [min(stranger(raw) for _ in range(1 + attempt)) for raw in (half, whole)]
        if times[1] < 0.004 or (times[1] < LONGEST_SECONDS and times[1] / times[0] <= 2.7):
            return ""
    return f"{1000 * times[1]:.1f} ms for {len(whole)} bytes, {1000 * times[0]:.1f} ms for half as many"
