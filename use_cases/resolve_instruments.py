"""Resolve the names of an alert's legs to instruments of its client's broker, before the alert is registered."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from domain.alert import LegRequest, ParsedAlert
from domain.alert_defaults import AlertDefaults, AlertDefaultsBook
from domain.enums import ExecutionType, LegKind, Side
from domain.errors import StoreUnavailable
from domain.instruments.choice import InstrumentChoice
from domain.instruments.instrument import is_stale
from domain.instruments.resolution import Resolution, resolve
from domain.instruments.venues import may_be_at
from domain.money import ZERO
from domain.ports import Transaction
from domain.ports.instruments import InstrumentStore, Master
from domain.reason_codes import Reason

log = logging.getLogger(__name__)

Place = tuple[str, str]
"""Exchange and symbol."""


@dataclass(frozen=True, slots=True)
class ClientMaster:
    """Whose master a client's names are resolved by; `is_real`: orders cost money, so that its rules bind entries."""

    broker: str
    is_real: bool


class ResolveInstruments:
    """Resolves the legs of alerts.

    Args:
        clients: those that have a master. The symbols of any other client are traded as they come.
        defaults: what the strategies file says of names.
        zone: the market's time zone, by which contracts expire.
    """

    def __init__(
        self,
        store: InstrumentStore,
        clients: Mapping[str, ClientMaster],
        *,
        defaults: AlertDefaultsBook,
        zone: ZoneInfo,
    ) -> None:
        self._store = store
        self._clients = clients
        self._defaults = defaults
        self._zone = zone

    def __call__(self, alert: ParsedAlert, at: datetime) -> ParsedAlert:
        """Return the alert with the instruments of its legs, as they are known at that time.

        A leg whose name is not certain keeps it: an entry is blocked for the reason that stands with it, and an exit
        goes on, because it closes only what its strategy holds.
        """
        if alert.shares:  # each client's broker has a master of its own
            alone = (replace(alert, client_id=share.client_id, shares=()) for share in alert.shares)
            legs_of = [self(each, at).legs for each in alone]
            shares = (share._replace(legs=legs) for share, legs in zip(alert.shares, legs_of, strict=True))
            return replace(alert, legs=legs_of[0], shares=tuple(shares))
        client = self._clients.get(alert.client_id)
        if client is None:
            return alert
        today = at.astimezone(self._zone).date()
        defaults = self._defaults.for_strategy(alert.strategy_name)
        try:
            master = self._store.current(client.broker)
            legs = [self._leg(leg, client, master, today, defaults) for leg in alert.legs]
        except StoreUnavailable as error:
            log.error("the instruments of %s cannot be read: %s", client.broker, error)
            legs = [_unknown(leg, client, f"they cannot be read: {error}") for leg in alert.legs]
        return replace(alert, legs=tuple(_one_side(legs)))

    def _leg(
        self,
        leg: LegRequest,
        client: ClientMaster,
        master: Master | None,
        today: date,
        defaults: AlertDefaults,
    ) -> LegRequest:
        if leg.template is not None and leg.instrument is not None:  # chosen by its strategy's template
            return leg
        if leg.kind is LegKind.CANCEL and not leg.symbol:  # in all symbols
            return leg
        if master is None:
            return _unknown(leg, client, "none was loaded yet")
        is_entry = _is_bound(leg)
        day = master.facts.day
        if is_entry and client.is_real and is_stale(day, today):
            return _unknown(leg, client, f"the last master is of {day}")
        found = resolve(
            leg.symbol,
            leg.exchange,
            master,
            today,
            roll_days=defaults.roll_days,
            is_exact=_is_override(leg.symbol, defaults),
        )
        notes = list(found.notes)
        if day != today:
            notes.append(f"by the master of {day}")
        refusal, detail = found.reason, found.detail
        if refusal is Reason.INSTRUMENT_EXPIRED and not client.is_real:
            notes.append(f"{detail}: a simulated market trades it all the same")
            refusal, detail = None, ""
        elif refusal is Reason.INSTRUMENT_UNKNOWN and not client.is_real and not _covers(master, leg):
            notes.append(f"the lists have nothing of {leg.exchange}: a simulated market trades it as it came")
            refusal, detail = None, ""
        elif refusal is not None and not is_entry:
            notes.append(f"{refusal.sentence}: {detail}")
        choice = InstrumentChoice(
            (leg.exchange, leg.symbol),
            found.found,
            refusal if is_entry else None,
            detail if is_entry else "",
            _alternatives(leg, found) if not is_entry else (),
            tuple(notes),
            is_checked=client.is_real,
        )
        if found.found is None:
            return replace(leg, instrument=choice)
        return replace(leg, exchange=found.found.exchange, symbol=found.found.symbol, instrument=choice)


def _one_side(legs: Sequence[LegRequest]) -> list[LegRequest]:
    """The legs, with entries refused that ask for both sides of one instrument under two names."""
    sides: dict[Place, set[Side | None]] = {}
    for leg in legs:
        sides.setdefault((leg.exchange, leg.symbol), set()).add(leg.side)
    return [
        _contradicting(leg) if len(sides[leg.exchange, leg.symbol]) > 1 and leg.kind is LegKind.ENTRY else leg
        for leg in legs
    ]


def _contradicting(leg: LegRequest) -> LegRequest:
    if leg.instrument is None or leg.instrument.refusal is not None:
        return leg
    detail = f"several legs name {leg.exchange} {leg.symbol}, with both sides"
    return replace(
        leg, instrument=replace(leg.instrument, refusal=Reason.INSTRUMENT_AMBIGUOUS, detail=detail)
    )


def _is_bound(leg: LegRequest) -> bool:
    """True for a leg that may open something: an exit, and what takes entries back, is never stopped by a list."""
    return leg.kind not in (LegKind.EXIT, LegKind.FLAT, LegKind.CANCEL)


def _is_override(symbol: str, defaults: AlertDefaults) -> bool:
    """True for a symbol that the strategies file wrote: it is the broker's own, unless it is a rule's name."""
    return not symbol.endswith("!") and any(symbol == own.symbol for own in defaults.symbols.values())


def _covers(master: Master, leg: LegRequest) -> bool:
    """True where the master has rows of the exchange that the leg names."""
    return any(may_be_at(leg.exchange, exchange) for exchange in master.facts.counts)


def _unknown(leg: LegRequest, client: ClientMaster, detail: str) -> LegRequest:
    """A leg while there is no master to resolve it by."""
    is_blocked = client.is_real and _is_bound(leg)
    choice = InstrumentChoice(
        (leg.exchange, leg.symbol),
        refusal=Reason.INSTRUMENTS_STALE if is_blocked else None,
        detail=detail,
        notes=(f"no master: {detail}",),
    )
    return replace(leg, instrument=choice)


def _alternatives(leg: LegRequest, found: Resolution) -> tuple[Place, ...]:
    """What else an exit may have to close: its name as it came, and all that the name may mean."""
    places = [(leg.exchange, leg.symbol), *(each.address for each in found.candidates)]
    return tuple(dict.fromkeys(places))


def at_what_is_held(tx: Transaction, alert: ParsedAlert) -> ParsedAlert:
    """Return the alert with its exits at what its strategy holds, where their names may mean several instruments.

    `NIFTY1!` today may be another contract than the one that was entered, and the exit closes that one. So does an exit
    whose name means something else or nothing since the lists have changed: it closes what was entered by that name.
    """
    legs = tuple(
        each
        for leg in alert.legs
        for each in (_at_held(tx, alert, leg) if leg.kind.execution_type is ExecutionType.EXIT else (leg,))
    )
    return alert if legs == alert.legs else replace(alert, legs=legs)


def _at_held(tx: Transaction, alert: ParsedAlert, leg: LegRequest) -> Sequence[LegRequest]:
    """The exit where it closes something: for a template, one exit of each contract that was entered by its name."""
    if leg.template is None:
        return (_held(tx, alert, leg),)
    asked = (leg.exchange, leg.symbol) if leg.instrument is None else leg.instrument.asked
    brought: dict[Place, set[Side]] = {}
    for direction in Side if leg.side is None else (leg.side.opposite,):  # of the alert that entered
        mine = alert.client_id, alert.strategy_name, " ".join(leg.template.asked(direction))
        for side in Side:
            # One under way may still bring units.
            for place in (*tx.held_as_asked(*mine, side), *tx.open_as_asked(*mine, side)):
                brought.setdefault(place, set()).add(side)
    # What was sold is bought back first: no leg is left without the one that covers it.
    held = sorted(brought, key=lambda place: (_net(tx, alert, place) > 0, place))
    found = [
        replace(
            leg,
            exchange=exchange,
            symbol=symbol,
            instrument=InstrumentChoice(
                asked, notes=(f"its strategy holds {exchange} {symbol}, entered as {' '.join(asked)}",)
            ),
            side=None if leg.side is None else _closing(tx, alert, place, brought[place]),
            template=None,
        )
        for place in held
        for exchange, symbol in (place,)
    ]
    return found or (leg,)


def _closing(tx: Transaction, alert: ParsedAlert, place: Place, brought: set[Side]) -> Side:
    """The side that closes what the entries brought: what the other direction holds there is then refused to it."""
    if len(brought) == 1:
        [side] = brought
        return side.opposite
    # They brought both sides, so that what is held may be theirs.
    return Side.SELL if _net(tx, alert, place) > 0 else Side.BUY


def _held(tx: Transaction, alert: ParsedAlert, leg: LegRequest) -> LegRequest:
    choice = leg.instrument
    if choice is None or _holds(tx, alert, (leg.exchange, leg.symbol)):
        return leg
    held = [place for place in choice.alternatives if _holds(tx, alert, place)]
    why = "which the exit closes"
    if not held:
        asked = choice.asked_text
        places = tx.held_as_asked(alert.client_id, alert.strategy_name, asked)
        held = [place for place in places if _holds(tx, alert, place)]
        why = f"entered as {asked}, which the exit closes"
    if len(held) != 1:
        return leg
    [(exchange, symbol)] = held
    note = f"its strategy holds {exchange} {symbol}, {why}"
    kept = replace(choice, notes=(*choice.notes, note))
    return replace(leg, exchange=exchange, symbol=symbol, instrument=kept)


def _holds(tx: Transaction, alert: ParsedAlert, place: Place) -> bool:
    return _net(tx, alert, place) != 0


def _net(tx: Transaction, alert: ParsedAlert, place: Place) -> Decimal:
    held = tx.holding(alert.client_id, alert.strategy_name, *place)
    return sum((each.net_quantity for each in held), ZERO)
