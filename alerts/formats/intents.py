"""Find what a command asks for, from its words and from the positions before and after it. Doubt is refused."""

import re
from decimal import Decimal
from typing import NamedTuple

from alerts.formats.exits import leads_away, may_exit, names_leg_of_exit
from alerts.formats.keys import describes, traits_of
from alerts.formats.layout import Layout
from alerts.formats.sheet import Found, Sheet, is_number, number_at
from alerts.formats.words import (
    CONTAINERS,
    FIELDS,
    NOTES,
    OFF,
    ORDER_TYPES,
    POSITIONS,
    Act,
    Meaning,
    Role,
)
from alerts.reading import plain
from alerts.sanitising import shown
from domain.enums import Side
from domain.errors import InvalidAlert

_EXPECTED = "expected buy, sell, long, short, close_long, close_short, exit or flat"
_REVERSALS = frozenset(("reverse", "overflow"))
_NAMES_OF_ORDERS = frozenset((
    "id", "orderid", "comment", "ordercomment", "orderalertmessage", "signalname", "ordername", "entryname", "tag",
    "reason", "status",
))  # fmt: skip
_LONGEST_NOTE = 2_000
_CLOSES = re.compile(
    r"\s*(close (entry|position)\b|(exit|close)[ _-]?(long|short)\b|(long|short)[ _-]?(exit|close|tp|sl)\b"
    r"|(tp|sl|[ls]x|stop ?loss|take[ _-]?profit)\s?\d?\s*$|((trade|position)[ _-]?)?(closed|exited)\s*$)",
    re.IGNORECASE,
)
_HIT = re.compile(
    r"\b(stop[ -]?loss|sl|take[ -]?profit|tp ?\d?|target ?\d?|(trailing[ -]?)?stop)( \w{1,4})?"
    r" (hit|reached|triggered)\b",
    re.IGNORECASE,
)
_OPENS = frozenset(("entry", "isentry", "opening", "isopening", "open", "isopen", "opens"))
_DAY = frozenset(("day", "dayorder", "dy"))
_TRUE = frozenset(("true", "1", "yes", "y", "on"))
_READ_SWITCHES = frozenset(("closeposition", "closeall", "exitposition", "reduceonly", "reduce"))
_PREVIOUS = frozenset(key for role in (Role.PREVIOUS, Role.POSITION) for key in FIELDS[role])
_SAY_WHAT_TO_DO = frozenset((Role.SIDE, Role.SIDE_TOO, Role.POSITION, Role.PREVIOUS))


class Intent(NamedTuple):
    """What a command asks for: ENTRY, CLOSE, FLAT, REVERSE or TARGET.

    - `side`: of its order, or of the position to reach; None: the position decides.
    - `size`: of the position after a reversal, or of the one to reach.
    - `order_side`: of the order that is to lead to the one to reach, where the alert names it.
    """

    act: Act
    side: Side | None
    size: Decimal | None = None
    order_side: Side | None = None


def not_built(what: str, hint: str, field: str | None) -> InvalidAlert:
    """The error of an alert that asks for something that cannot be done yet."""
    return InvalidAlert("NOT_BUILT", f"{what} is not built yet: {hint}", field)


def intent_of(sheet: Sheet, layout: Layout, default_side: Side | None, quantity: Decimal | None) -> Intent:
    """What the command asks for.

    Args:
        default_side: the strategy's, used where the dialect never names one.
        quantity: of the order, where it is named in units.

    Raises:
        InvalidAlert: it is not known, contradicts itself, or is not built.
    """
    said = _said(sheet, layout, default_side)
    _refuse_act(said, sheet)
    if said.act is Act.ENTRY:
        _refuse_hidden_exit(sheet, layout, said)
    is_all = _is_set(sheet, "closeposition", "closeall", "exitposition")
    if quantity and (said.act is Act.FLAT or (is_all and not layout.all_with_quantity)):
        message = f"expected either a part or all to be closed, got all and a quantity of {quantity}"
        raise InvalidAlert("AMBIGUOUS", f"{message}: leave one out", "quantity")
    if is_all:
        return Intent(Act.FLAT, said.side)
    position, previous = _position(sheet, Role.POSITION), _position(sheet, Role.PREVIOUS)
    after, before = _signed(sheet, Role.POSITION_SIZE, position), _signed(sheet, Role.PREVIOUS_SIZE, previous)
    position = _sign(after) if position is None and after is not None else position
    previous = _sign(before) if previous is None and before is not None else previous
    if layout.targets and after is not None and after:
        return _target(after, said, sheet, layout)
    is_nought = quantity is not None and not quantity
    if said.act is Act.CLOSE and (position == 0 or (is_nought and position is None)):
        return Intent(Act.FLAT, said.side)
    if said.act is not Act.ENTRY or said.side is None:
        if position is not None and position != 0 and said.side is None:
            raise InvalidAlert(
                "CONTRADICTION",
                "got an exit, and a position after it: send close_long or close_short without it",
                "market_position",
            )
        return said
    if previous is None and after is not None and quantity and not layout.targets:
        previous = _sign(after - (quantity if said.side is Side.BUY else -quantity))
    reduce_only = _is_set(sheet, "reduceonly", "reduce")
    if position is None and previous is None and not reduce_only:
        _refuse_named_exit(sheet)
    found = _by_positions(said, position, previous, reduce_only=reduce_only)
    if found.act is not Act.REVERSE:
        return found
    return found._replace(size=_turned(after, before, quantity))


def _target(size: Decimal, said: Intent, sheet: Sheet, layout: Layout) -> Intent:
    """The position to reach. Its sign is its size's, or that of a word for a position (`short`), which needs none.

    Raises:
        InvalidAlert: the two contradict each other, or the alert asks for an exit, which must not open anything.
    """
    if said.act is not Act.ENTRY or _is_set(sheet, "reduceonly", "reduce"):
        raise InvalidAlert(
            "CONTRADICTION", f"got an exit, and a position of {size} to reach", "position_size"
        )
    words = [layout.all_words.get(each.word()) for each in sheet.every(Role.SIDE)]
    sides = {each.side for each in words if each is not None and each.of_position}
    side = next(iter(sides), None) or (Side.BUY if size > 0 else Side.SELL)
    if len(sides) > 1 or (size < 0 and side is Side.BUY):
        raise InvalidAlert(
            "CONTRADICTION", f"expected the size of that position, got {size}", "position_size"
        )
    return Intent(Act.TARGET, side, abs(size), None if sides else said.side)


def _turned(after: Decimal | None, before: Decimal | None, quantity: Decimal | None) -> Decimal:
    """The size of the position after a reversal, whose one order is the old and the new position together.

    All three are needed: without the others a quantity may be the sender's own, whatever the chart holds.

    Raises:
        InvalidAlert: one of them is not named, or they do not add up.
    """
    if after is None or before is None or quantity is None:
        hint = "add its quantity and both sizes, {{strategy.market_position_size}} and its prev_ twin"
        message = f"a reversal's order is the old and the new position together: {hint}"
        raise InvalidAlert("MISSING", message, "market_position_size")
    if quantity != abs(after) + abs(before):
        expected = f"a reversal of {abs(before)} and {abs(after)} together"
        raise InvalidAlert("CONTRADICTION", f"expected {expected}, got {quantity}", "quantity")
    return abs(after)


def _by_positions(said: Intent, position: int | None, previous: int | None, *, reduce_only: bool) -> Intent:
    """Tell an entry from an exit, for an order to buy or to sell."""
    order = 1 if said.side is Side.BUY else -1
    if position is None and previous is None:
        return Intent(Act.CLOSE, said.side) if reduce_only else said
    if position is None:
        if previous == -order:
            raise InvalidAlert(
                "AMBIGUOUS",
                f"a {said.side} against the previous position is an exit or a reversal: "
                "add the position after it, {{strategy.market_position}}",
                "market_position",
            )
        if reduce_only:
            message = (
                "got an order that only reduces, and nothing before it that it could: leave one of them out"
            )
            raise InvalidAlert("CONTRADICTION", message, "prev_market_position")
        return said
    if position == 0:
        if previous in (0, order):
            raise InvalidAlert(
                "CONTRADICTION", f"no {said.side} leads from this position to none", "market_position"
            )
        return Intent(Act.FLAT, said.side)
    if previous is not None and previous == -position:
        if position != order:
            raise InvalidAlert("CONTRADICTION", f"no {said.side} leads to this position", "market_position")
        if reduce_only:
            raise InvalidAlert(
                "CONTRADICTION", "got an order that only reduces, and a reversal", "market_position"
            )
        return Intent(Act.REVERSE, said.side)
    if position == order:
        if reduce_only:
            raise InvalidAlert(
                "CONTRADICTION",
                "got an order that only reduces, and the position it opens: leave one of them out",
                "market_position",
            )
        return said
    if previous == 0:
        raise InvalidAlert(
            "CONTRADICTION", f"no {said.side} leads from none to this position", "market_position"
        )
    return Intent(Act.CLOSE, said.side)


# words -------------------------------------------------------------------------------------------------------


def _said(sheet: Sheet, layout: Layout, default_side: Side | None) -> Intent:
    words = layout.all_words
    doubts: list[Found] = []
    meanings: list[tuple[Found, Meaning]] = []
    for each in sheet.every(Role.SIDE):
        if each.is_empty:
            continue
        meaning = words.get(each.word()) if isinstance(each.value, str) else None
        if meaning is None:
            raise InvalidAlert("INVALID", f"{_EXPECTED}, got {shown(each.value)}", each.key)
        meanings.append((each, meaning))
    for each in sheet.every(Role.SIDE_TOO):
        meaning = words.get(each.word()) if isinstance(each.value, str) else None
        if meaning is not None:
            meanings.append((each, meaning))
        elif isinstance(each.value, str) and plain(each.value) in words:  # `cancel?`
            raise InvalidAlert("INVALID", f"{_EXPECTED}, got {shown(each.value)}", each.key)
        elif isinstance(each.value, str) and names_leg_of_exit(each) and not _is_order_type(each):
            doubts.append(each)
        elif isinstance(each.value, str) and may_exit(each) and not _is_order_type(each):
            raise _seems_an_exit(each)
        else:
            sheet.leave(each)
    for each in sheet.every(Role.POSITION):
        if each.word() in ("close", "exit"):
            meanings.append((each, Meaning(Act.CLOSE)))
    if not meanings and layout.side_by_strategy:
        if default_side is None:
            message = (
                "expected the side of this strategy's orders, as `side` in config/strategies.toml, got none"
            )
            raise InvalidAlert("MISSING", message, "side")
        if doubts:
            raise _seems_an_exit(doubts[0])
        return Intent(Act.ENTRY, default_side)
    if not meanings:
        unknown = next((each for each in sheet.every(Role.SIDE_TOO) if isinstance(each.value, str)), None)
        got = "nothing" if unknown is None else shown(unknown.value)
        raise InvalidAlert("MISSING", f"{_EXPECTED}, got {got}", unknown.key if unknown else "action")
    said = _together(meanings)
    if doubts and said.act not in (Act.CLOSE, Act.FLAT):  # beside an exit it says which one that is
        raise _seems_an_exit(doubts[0])
    return said


def _is_order_type(found: Found) -> bool:
    return plain(found.key).rpartition(".")[2] in ("type", "tradetype") and found.word() in ORDER_TYPES


def _seems_an_exit(found: Found) -> InvalidAlert:
    message = f"{shown(found.value)} beside an entry may ask for an exit: send close_long or close_short as the action"
    return InvalidAlert("AMBIGUOUS", f"{message}, or leave it out", found.key)


def _refuse_named_exit(sheet: Sheet) -> None:
    """Refuse an order of which only its name or a note says that it closes: `Close entry(s) order Long`, `SL hit`.

    Raises:
        InvalidAlert: code `AMBIGUOUS`.
    """
    for path, found in sheet:
        key = path.rpartition(".")[2]
        if not isinstance(found.value, str):
            continue
        if (key in _NAMES_OF_ORDERS and _CLOSES.match(found.value)) or (
            key in NOTES and len(found.value) <= _LONGEST_NOTE and _HIT.search(found.value)
        ):
            raise _seems_an_exit(found)


def _refuse_hidden_exit(sheet: Sheet, layout: Layout, said: Intent) -> None:
    """Refuse an entry beside which something that nobody reads asks for an exit.

    Raises:
        InvalidAlert: code `AMBIGUOUS`.
    """
    for path, found in sheet:
        *holders, key = path.split(".")
        is_beside = CONTAINERS.issuperset(holders)
        if found.is_nested or not NOTES.isdisjoint(path.split(".")):
            continue
        if key in _OPENS and (found.value is False or found.word() in OFF | {"0"}):
            raise _seems_an_exit(found)
        if is_beside and key not in layout.roles and leads_away(key, found, said.side):
            raise _seems_an_exit(found)
        traits = traits_of(path, found.key)
        if not found.asks or traits.protects or (key in _READ_SWITCHES and is_beside):
            continue
        role_of_words = {role for role, _ in layout.roles.get(path, ())} & _SAY_WHAT_TO_DO
        if isinstance(found.value, str) and not role_of_words:
            meaning = layout.all_words.get(found.word())
            if (
                meaning is not None
                and meaning.act in (Act.CLOSE, Act.FLAT)
                and not (is_beside and key in _PREVIOUS)
                and not describes(found, traits)
            ):
                raise _seems_an_exit(found)
        if traits.exits and path not in layout.roles:
            raise _seems_an_exit(found)
        if traits.closes and (found.value is True or not re.search(r"\d", str(found.value))):
            raise _seems_an_exit(found)


def _together(meanings: list[tuple[Found, Meaning]]) -> Intent:
    """What several words say together."""
    acts = {meaning.act for _, meaning in meanings}
    for act in (Act.REVERSE, Act.ADD, Act.FLAT, Act.CLOSE):
        if act in acts:
            return Intent(act, _side_of_exit(meanings) if act in (Act.FLAT, Act.CLOSE) else None)
    side = _one_side(meanings)
    if side is None:
        raise InvalidAlert("MISSING", f"{_EXPECTED}, got none of them", meanings[0][0].key)
    return Intent(Act.ENTRY, side)


def _one_side(meanings: list[tuple[Found, Meaning]]) -> Side | None:
    sided = [(found, meaning.side) for found, meaning in meanings if meaning.side is not None]
    for found, side in sided[1:]:
        if side is not sided[0][1]:
            raise InvalidAlert("CONTRADICTION", f"expected one side, got {shown(found.value)} too", found.key)
    return sided[0][1] if sided else None


def _side_of_exit(meanings: list[tuple[Found, Meaning]]) -> Side | None:
    """The side of an exit's order: words for a position name what is closed, which takes an order of the other side."""
    sides = set()
    for found, meaning in meanings:
        if meaning.side is None:
            continue
        if meaning.act is not Act.ENTRY:
            sides.add(meaning.side)
        elif meaning.of_position:
            sides.add(meaning.side.opposite)
        else:
            message = f"{shown(found.value)} beside an exit may be the order's side or the position's"
            raise InvalidAlert("AMBIGUOUS", f"{message}: send close_long or close_short alone", found.key)
    if len(sides) > 1:
        raise InvalidAlert("CONTRADICTION", "expected one position to close, got both", meanings[0][0].key)
    return next(iter(sides), None)


def _refuse_act(said: Intent, sheet: Sheet) -> None:
    """Refuse what is not built: reversing, and adding to whatever is held."""
    mode = sheet.at("mode")
    if said.act is Act.REVERSE or _is_set(sheet, "reverse") or (mode and mode.word() in _REVERSALS):
        raise not_built("REVERSE", "send an exit and an entry as two alerts", "reverse")
    if said.act is Act.ADD:
        raise not_built("ADD", "send buy or sell", "action")


def _is_set(sheet: Sheet, *keys: str) -> bool:
    """Whether a switch is on. Raises InvalidAlert where it cannot be told."""
    found = sheet.at(*keys)
    if found is None or not found.asks:
        return False
    if found.value is True or found.word() in _TRUE:
        return True
    raise InvalidAlert("INVALID", f"expected true or false, got {shown(found.value)}", found.key)


# positions ---------------------------------------------------------------------------------------------------


def is_change_of_position(size: Found, sheet: Sheet) -> bool:
    """Whether a size is what leads from the position before to the one after, so that it counts what they count.

    Both positions have to be named with their sizes: TradingView's size of a position has no sign.

    Raises:
        InvalidAlert: a position, or a size, is none.
    """
    position, previous = _position(sheet, Role.POSITION), _position(sheet, Role.PREVIOUS)
    if position is None or previous is None:
        return False
    after, before = _signed(sheet, Role.POSITION_SIZE, position), _signed(sheet, Role.PREVIOUS_SIZE, previous)
    if after is None or before is None or not is_number(size):
        return False
    return after != before and number_at(size) == abs(after - before)


def _position(sheet: Sheet, role: Role) -> int | None:
    """1, -1 or 0; None where no position is named. Several fields may name it, and an empty one hides no other.

    Raises:
        InvalidAlert: one is no position, or two are different ones.
    """
    named = [(found, sign) for found in sheet.every(role) if (sign := _held(found)) is not None]
    for found, sign in named[1:]:
        if sign != named[0][1]:
            message = f"expected one value, got {shown(named[0][0].value)} here and {shown(found.value)} as {found.key}"
            raise InvalidAlert("AMBIGUOUS", f"{message}: leave one out", named[0][0].key)
    return named[0][1] if named else None


def _held(found: Found) -> int | None:
    word = found.word().lower()
    if word in ("open", "close", "entry", "exit", ""):  # of what is asked for, not of what is held
        return None
    if found.value is None or word not in POSITIONS:
        try:
            return _sign(number_at(found))
        except InvalidAlert:
            message = f"expected long, short or flat, got {shown(found.value)}"
            raise InvalidAlert("INVALID", message, found.key) from None
    return POSITIONS[word]


def _signed(sheet: Sheet, role: Role, position: int | None) -> Decimal | None:
    """A position's size with its sign; None where no size is named, or no sign can be told."""
    found = next(iter(sheet.given(role)), None)
    if found is None:
        return None
    size = number_at(found)
    if position is None:
        return size
    if (size < 0 and position > 0) or (size and not position):
        raise InvalidAlert("CONTRADICTION", f"expected the size of that position, got {size}", found.key)
    return abs(size) * position


def _sign(size: Decimal) -> int:
    return (size > 0) - (size < 0)


# what is not built -------------------------------------------------------------------------------------------

_OPEN_ENDED = {
    "delay": "send the alert when the order is due",
    "delayseconds": "send the alert when the order is due",
    "extendedhours": "leave it out",
    "limitoffsetbps": "send a limit price",
    "multiplier": "send the quantity itself",
    "lotsize": "send the quantity itself",
    "disclosedquantity": "leave it out",
    "splitsize": "leave it out",
    "iceberg": "leave it out",
    "oco": "send the orders as alerts of their own",
    "when": "send the alert when the order is due",
    "conditional": "send the alert when the order is due",
    "amo": "send it while the market is open",
    "aftermarketorder": "send it while the market is open",
}


def refuse_not_built(
    sheet: Sheet, layout: Layout, *, entry: bool, read: frozenset[str] = frozenset()
) -> None:
    """Refuse a command that asks for something that the program cannot do yet, instead of leaving that out.

    Args:
        entry: whether it opens a position, so that what protects one must not be left out.
        read: plain keys of a protection that was read.

    Raises:
        InvalidAlert: code `NOT_BUILT`; the message names the field and says what to change.
    """
    for path, found in sheet:
        traits = traits_of(path, found.key)
        protects = entry and traits.protects and not _is_read(path, found, read)
        if protects and isinstance(found.value, str) and found.word() in ("nan", "null"):
            message = f"expected a number, got {shown(found.value)}: a plot had no value"
            raise InvalidAlert("INVALID", message, found.key)
        if not (bool(found.value) and traits.protects if found.is_nested else found.asks):
            continue
        if found.word() in layout.refused.get(path, ()):
            raise not_built(f"{found.key} {shown(found.value)}", "trade the symbol itself", found.key)
        if protects:
            raise not_built(
                "protection in this form", "leave it out, or send the entry in our own format", found.key
            )
        if traits.names_option:
            hint = "name the contract's own symbol instead of its strike, expiry or type"
            raise not_built("finding a contract by its terms", hint, found.key)
        if traits.simulates:
            hint = "send test_mode in an alert of our own format"
            raise not_built("a simulated alert", hint, found.key)
        if path in _OPEN_ENDED:
            raise not_built(found.key, _OPEN_ENDED[path], found.key)
        if path in ("timeinforce", "tif", "validity", "duration") and found.word() not in _DAY:
            raise not_built(f"time in force {shown(found.value)}", "leave it out, or send DAY", found.key)


def _is_read(path: str, found: Found, read: frozenset[str]) -> bool:
    """Whether a field was read, or is an object of which one was: what else stands in it is looked at by itself."""
    if path in read or (found.is_nested and any(key.startswith(f"{path}.") for key in read)):
        return True
    inner = [Found(found.key, each) for each in found.value.values()] if isinstance(found.value, dict) else []
    return bool(inner) and not any(each.asks for each in inner)
