"""A dialect as data: what marks its bodies, what it calls the fields of an order, and which words it uses."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

from alerts.formats.guards import Guard
from alerts.formats.words import FIELDS, NEVER_LEFT_OUT, WORDS, Meaning, Role
from alerts.reading import Fields, Reading
from domain.sizing import SizeMode


class SizeUnit(NamedTuple):
    """What a size counts. `currency`: of money; None: that of the instrument's own prices."""

    mode: SizeMode
    currency: str | None = None


class Commands(NamedTuple):
    """The commands in one body, and the fields that all of them share."""

    commands: Sequence[Fields]
    shared: Fields = MappingProxyType({})


Split = Callable[[Reading], Commands | None]
"""Finds the commands in a body; None where the body is not of the dialect. Raises InvalidAlert. Bounded in time."""


_ALSO_SYMBOLS = NEVER_LEFT_OUT | {Role.SYMBOL}
"""An instrument is named once. Where a platform names it in an object, what is called `ticker` is the chart's."""
_BEHIND = 100
"""More than there are keys of one role."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Layout:
    """All that is special about a dialect; whatever is not said is as usual (`alerts/formats/words.py`).

    - `needs`: plain keys that all of its bodies have; `marks`: plain keys of which they have at least one.
    - `values`: plain keys, and the plain words of which one stands there.
    - `secret`: the keys of the secret, the first that is there counts.
    - `secret_first`: the secret is the first word of the text.
    - `fields`: a role's own keys instead of the usual ones. What says the kind of an order, its price or the position
      (`NEVER_LEFT_OUT`) counts under a usual name too, behind them, so that the two may contradict each other; so does
      the symbol.
    - `words`: words of its own beside the usual ones.
    - `legs`: keys of a list of legs; a body without one is a single command.
    - `refused`: plain keys, and words there that ask for what is not built.
    - `split`: finds the commands in text, or where they stand otherwise than in one object with `legs` or without.
    - `size_is_units`: a size without a unit is a number of units.
    - `sizes`: plain keys of sizes, and what a number there counts by what stands behind it (`%`; empty: nothing), where
      the platform's documents say so.
    - `size_units`: words for the unit of a size beside those that mean units, where its documents say what they mean.
    - `price_is_limit`: a price is a limit also where the alert names no order type.
    - `side_by_strategy`: it has no side; the strategy says which.
    - `targets`: a position's size that is named is the position to reach, whatever it was before.
    - `guards`: plain keys of what protects an entry, where its unit and meaning are certain.
    - `guards_where`: a plain key, and the words there with which those hold.
    - `cancel_side`: plain keys of the side of the orders that a cancel takes back.
    - `all_with_quantity`: its switch that closes all stands beside a quantity, which then means nothing.
    - `asks_nothing`: its alerts are notices for people.
    """

    name: str
    needs: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    values: Mapping[str, frozenset[str]] = field(default_factory=dict)
    secret: tuple[str, ...] = ()
    secret_first: bool = False
    fields: Mapping[Role, tuple[str, ...]] = field(default_factory=dict)
    words: Mapping[str, Meaning] = field(default_factory=dict)
    legs: tuple[str, ...] = ()
    refused: Mapping[str, frozenset[str]] = field(default_factory=dict)
    split: Split | None = None
    size_is_units: bool = False
    sizes: Mapping[str, Mapping[str, SizeUnit]] = field(default_factory=dict)
    size_units: Mapping[str, SizeUnit] = field(default_factory=dict)
    price_is_limit: bool = False
    side_by_strategy: bool = False
    targets: bool = False
    guards: Mapping[str, Guard] = field(default_factory=dict)
    guards_where: Mapping[str, frozenset[str]] = field(default_factory=dict)
    cancel_side: tuple[str, ...] = ()
    all_with_quantity: bool = False
    asks_nothing: bool = False

    @cached_property
    def roles(self) -> Mapping[str, tuple[tuple[Role, int], ...]]:
        """Each key with the roles that it has, and its place among the keys of that role."""
        found: dict[str, tuple[tuple[Role, int], ...]] = {}
        for role, keys in {**FIELDS, **self.fields}.items():
            for place, key in enumerate(keys):
                found[key] = (*found.get(key, ()), (role, place))
        own = {key for keys in self.fields.values() for key in keys}
        kept = (
            NEVER_LEFT_OUT if any("." in key for key in self.fields.get(Role.SYMBOL, ())) else _ALSO_SYMBOLS
        )
        for role in self.fields.keys() & kept:  # a platform's own names take no usual one away
            for place, key in enumerate(FIELDS[role]):
                if key not in own:
                    found[key] = (*found.get(key, ()), (role, _BEHIND + place))
        for place, key in enumerate(FIELDS[Role.SIDE]):  # a side under a usual name says something too
            found.setdefault(key, ((Role.SIDE_TOO, _BEHIND + place),))
        return found

    @cached_property
    def all_words(self) -> Mapping[str, Meaning]:
        """Every word, and what it means."""
        return {**WORDS, **self.words}
