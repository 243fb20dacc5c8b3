"""Refuse what stands in an alert, is read by nobody, and would change its order."""

import re

from alerts.formats.keys import SIMULATED, traits_of
from alerts.formats.layout import Layout
from alerts.formats.sheet import Found, Sheet
from alerts.formats.words import CONTAINERS, NOTES, OFF, ORDER_TYPES, UNITS, Role
from alerts.reading import plain
from alerts.sanitising import shown
from domain.enums import OrderType
from domain.errors import InvalidAlert

_UNIT_SWITCH = re.compile(
    r"(qty|quantity|size|amount)(unit|mode|kind|in)|(quantity)?inlots|(is)?(percent|percentage|pct)|sizing"
)
_MONEY = re.compile(r"(order|trade|position)value")
_NOT_REAL = re.compile(r"dry|testing|virtual|validateonly|notrade|backtest(ing)?")
_OFF = frozenset(
    (
        "live",
        "islive",
        "enabled",
        "isenabled",
        "active",
        "isactive",
        "execute",
        "trading",
        "tradingenabled",
        "tradeenabled",
    )
)
_MODES = frozenset(("mode", "environment", "account", "tradingmode", "env"))
_KINDS = re.compile(r"(order|execution|exec|trade|trading|entry)?(mode|kind|style|execution|exec|variety)")
_COMMAND = (Role.SIDE, Role.SYMBOL)


def refuse_doubts(
    sheet: Sheet, layout: Layout, read: frozenset[str] = frozenset(), *, entry: bool = True
) -> None:
    """Refuse units that are switched beside a quantity, simulated alerts, and a second command in the body.

    Args:
        entry: whether it opens a position, so that the kind of its order must not be left out.
        read: plain keys of a protection that was read.

    Raises:
        InvalidAlert: code `NOT_BUILT` or `AMBIGUOUS`; the message names the field and says what to change.
    """
    for path, found in sheet:
        *holders, key = path.split(".")
        if not NOTES.isdisjoint((*holders, key)):
            continue
        if found.is_nested:
            _refuse_second_command(path, found, layout)
            continue
        if _is_simulated(key, found):
            message = f"{found.key} {shown(found.value)}: a simulated alert is not built yet"
            raise InvalidAlert(
                "NOT_BUILT", f"{message}: send test_mode in an alert of our own format", found.key
            )
        if entry and CONTAINERS.issuperset(holders):
            _refuse_kind_elsewhere(key, found, sheet, layout)
        is_unit = _UNIT_SWITCH.fullmatch(key) and found.word() not in UNITS
        if traits_of(path, found.key).protects:  # an entry's was read or refused, an exit has none
            continue
        if found.asks and path not in read and (is_unit or _MONEY.fullmatch(key)):
            message = f"a size by {found.key} {shown(found.value)} is not built yet"
            raise InvalidAlert("NOT_BUILT", f"{message}: send a number of units as quantity alone", found.key)


def _refuse_kind_elsewhere(key: str, found: Found, sheet: Sheet, layout: Layout) -> None:
    """Refuse `mode: limit`: a kind of order where none is read, unless it is named in its own place as well."""
    kind = ORDER_TYPES.get(found.word())
    if kind is None or kind is OrderType.MARKET:
        return
    roles = {role for role, _ in layout.roles.get(key, ())}
    if Role.ORDER_TYPE in roles or not (Role.SIDE_TOO in roles or _KINDS.fullmatch(key)):
        return
    if kind not in {ORDER_TYPES.get(each.word()) for each in sheet.every(Role.ORDER_TYPE)}:
        message = f"{found.key} {shown(found.value)} may be the kind of the order: send it as orderType"
        raise InvalidAlert("AMBIGUOUS", message, found.key)


def _is_simulated(key: str, found: Found) -> bool:
    if key in _OFF:
        return found.value is False or found.word() in OFF | {"0"}
    if key in _MODES:
        return bool(SIMULATED.fullmatch(found.word()) or _NOT_REAL.fullmatch(found.word()))
    return found.asks and bool(_NOT_REAL.fullmatch(key) or SIMULATED.fullmatch(key))


def _refuse_second_command(path: str, found: Found, layout: Layout) -> None:
    if isinstance(found.value, dict):
        if CONTAINERS.issuperset(path.split(".")) or any(
            each.startswith(f"{path}.") for each in layout.roles
        ):
            return
        inner = [found.value]
    else:
        inner = (
            [each for each in found.value if isinstance(each, dict)] if isinstance(found.value, list) else []
        )
    for each in inner:
        roles = {role for key in each for role, _ in layout.roles.get(plain(str(key)), ())}
        if not roles.isdisjoint(_COMMAND):
            message = f"{found.key} seems to hold another order: send each as an alert of its own"
            raise InvalidAlert("AMBIGUOUS", message, found.key)
