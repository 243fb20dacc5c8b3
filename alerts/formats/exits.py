"""Tell from a word beside an entry that an exit may be meant: a leg of one, or a position after it that is none."""

import re

from alerts.formats.keys import may_be_an_exit
from alerts.formats.sheet import Found, is_number, number_at
from alerts.formats.words import POSITIONS
from domain.enums import Side

_LEGS_OF_EXITS = re.compile(
    r"(final)?(takeprofits?|takeprofitlong|takeprofitshort|profittarget|profit|tp|target|stoploss|sl|stop|stopped(out)?"
    r"|trail(ing)?(stop|stoploss)?|[ls]x|x[ls]|breakeven)(hit|reached|triggered|filled)?"
)
"""Words that name an exit of all by what leads to it."""
_NUMBERED_EXITS = re.compile(
    r"([ls]x|x[ls]|takeprofit|profit|tp|target)\d+.*|(take|book)\w*profits?.*|trim\w*|scaleout\w*"
)
_POSITIONS_AFTER = re.compile(
    r"(target|net|new|final|resulting|after)?pos(ition)?(size|qty|quantity|after)?|(target|net)(size|qty|quantity)"
)
_EFFECTS = re.compile(r"(position|order|trade)?(effect|openclose|intent|intention|purpose|offset(flag)?)")
_CLOSING = re.compile(r"clos|exit|reduc|unwind|squareoff")


def names_leg_of_exit(found: Found) -> bool:
    """Whether a word names an exit of all by what leads to it: `take_profit`, `SL hit`, `LX`."""
    return _LEGS_OF_EXITS.fullmatch(found.word()) is not None


def may_exit(found: Found) -> bool:
    """Whether a word that is not known may be of an exit, of a part as well."""
    return may_be_an_exit(str(found.value)) or _NUMBERED_EXITS.fullmatch(found.word()) is not None


def leads_away(key: str, found: Found, side: Side | None) -> bool:
    """Whether a position after the order, or what the order does to one, says that it does not open in its side."""
    if _EFFECTS.fullmatch(key):
        return isinstance(found.value, str) and _CLOSING.search(found.word()) is not None
    if (
        not _POSITIONS_AFTER.fullmatch(key)
        or found.value is None
        or found.word() in ("", "na", "nan", "null")
    ):
        return False
    size = number_at(found) if is_number(found) else POSITIONS.get(found.word(), 0)
    return size == 0 or side is None or (size > 0) is not (side is Side.BUY)
