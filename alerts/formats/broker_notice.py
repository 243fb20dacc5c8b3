"""Refuse what a broker sends about an order: it looks like an order, and asks for none."""

import re

from alerts.formats.layout import Layout
from alerts.formats.sheet import Found, Sheet
from alerts.formats.words import CONTAINERS, NOTES, Act, Role
from alerts.reading import plain
from domain.errors import InvalidAlert

_OF_A_BROKER = (
    "unfilledsize executedqty executedquantity cumexecqty accfillsz fillsz filledamount "
    "filledquantity filledqty filledshares filledsize unfilledquantity unfilledqty unfilledshares "
    "tradedquantity tradedqty pendingquantity pendingqty remainingquantity remainingqty cancelledquantity "
    "cancelledqty cumqty leavesqty orderstatus ordstatus ordernumstatus statusmessage ordstatusmessage "
    "exchangeorderid exchorderid exchordid exchangeorderno brokerorderid norenordno uniqueorderid executionid "
    "execid filledat fillid filledavgprice averagetradedprice avgtradedprice averagefillprice rejreason "
    "rejectreason rejectionreason omserrordescription omserrorcode"
)
_CERTAIN = frozenset(_OF_A_BROKER.split())
"""Plain keys of an order that a broker has: how much of it is filled, its state, its numbers and times."""

_LIKELY = frozenset(("averageprice", "avgprice", "fillprice", "guid"))
"""What an alert of a strategy may have as well."""

_STATES = frozenset(("status", "orderstate"))
_EVENTS = frozenset(("event", "eventtype", "type", "state", "updatetype", "messagetype"))
_STATE = re.compile(
    r"(order)?(completed?|reject(ed)?|cancel+ed|(partial(ly)?|part)?(fill|filled|traded)|traded|executed|transit|open"
    r"|pending(new)?|(trigger|cancel|modify|validation|open)pending|putorderreqreceived|expired|replaced|modified|updated?"
    r"|donefor(the)?day|accepted|(entry|exit)fill)"
)
_STATES_OF_EVENTS = re.compile(rf"(?!open$)(?!traded$)({_STATE.pattern}|trade(order)?updates?)")
_NUMBER_OF_ORDER = re.compile(r"\d{12,}|[0-9a-f]{8}(-?[0-9a-f]{4}){3}-?[0-9a-f]{12}", re.IGNORECASE)
_TO_CLOSE = re.compile(r".*(toclose|cover)")
_HINT = "a broker's notice about an order, not an alert; send the strategy's own alert"


def refuse_notice_of_a_broker(sheet: Sheet, layout: Layout) -> None:
    """Refuse a broker's notice about an order, whatever else its fields say.

    What is not certain (a `status`, an average price) passes where the alert says with its own word that it exits: no
    broker's notice has such a word, and an exit is not to be kept back.

    Raises:
        InvalidAlert: code `NOT_AN_ALERT`; the field is what only a broker's notice has.
    """
    exits: bool | None = None
    for path, found in sheet:
        *holders, key = path.split(".")
        if found.is_nested or not NOTES.isdisjoint(holders):
            continue
        is_certain = key in _CERTAIN
        if not is_certain and not (CONTAINERS.issuperset(holders) and _is_likely(key, found)):
            continue
        exits = _says_exit(sheet, layout) if exits is None else exits
        if is_certain or not exits:
            raise InvalidAlert("NOT_AN_ALERT", _HINT, found.key)


def _is_likely(key: str, found: Found) -> bool:
    if key in _LIKELY:
        return found.asks
    if key in _STATES:
        return _STATE.fullmatch(found.word()) is not None
    if key in _EVENTS:
        return _STATES_OF_EVENTS.fullmatch(found.word()) is not None
    return key == "orderid" and _NUMBER_OF_ORDER.fullmatch(str(found.value).strip()) is not None


def _says_exit(sheet: Sheet, layout: Layout) -> bool:
    for role in (Role.SIDE, Role.SIDE_TOO):
        for found in sheet.every(role):
            word = plain(found.value) if isinstance(found.value, str) else ""
            meaning = layout.all_words.get(word)
            if meaning is not None and meaning.act in (Act.CLOSE, Act.FLAT) and not _TO_CLOSE.match(word):
                return True
    return False
