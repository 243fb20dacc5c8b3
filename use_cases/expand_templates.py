"""Turn an alert on an underlying into the legs of its strategy's template, chosen by a fresh price and the master.

Either all legs are chosen, or none is traded: the alert becomes one leg that is blocked, with the reason. An exit is
not chosen at all: where it is registered it becomes exits of what the strategy entered by that name.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from domain.alert import LegRequest
from domain.enums import LegKind
from domain.errors import StoreUnavailable
from domain.instruments.choice import InstrumentChoice
from domain.instruments.instrument import is_stale
from domain.instruments.leg_choice import NotChosen, Reference, choose, reference_of
from domain.leg_templates import LegRule, LegTemplate
from domain.marks import Mark
from domain.money import ZERO
from domain.ports.instruments import InstrumentStore, Master
from domain.ports.sizing import SizingReads
from domain.reason_codes import Reason
from domain.sizing import SizeAsk, SizeMode
from use_cases.resolve_instruments import ClientMaster
from use_cases.size_entries import fresh_price, known_marks

log = logging.getLogger(__name__)

_EQUITIES_CLOSED = time(15, 40)  # from then on a contract that expires today is over
_LATE = frozenset(("MCX", "NCO"))  # exchanges that trade into the night


class ExpandTemplates:
    """Expands the entries of templates.

    Args:
        masters: None: no client has one.
        clients: those that have a master.
        zone: the market's time zone, by which contracts expire.
    """

    def __init__(
        self,
        reads: SizingReads,
        masters: InstrumentStore | None,
        clients: Mapping[str, ClientMaster],
        *,
        zone: ZoneInfo,
    ) -> None:
        self._reads = reads
        self._masters = masters
        self._clients = clients
        self._zone = zone

    def __call__(self, legs: Sequence[LegRequest], client_id: str, at: datetime) -> tuple[LegRequest, ...]:
        """Return the legs of one client, those of a template in place of its underlying."""
        done: list[LegRequest] = []
        entries = sum(leg.template is not None and leg.kind is LegKind.ENTRY for leg in legs)
        for leg in legs:
            if leg.template is None or leg.kind is not LegKind.ENTRY:
                done.append(leg)
            elif entries > 1:
                done.append(_refused(leg, f"expected one entry of {leg.symbol} in an alert, got {entries}"))
            else:
                done += self._expanded(leg, leg.template, client_id, at)
        return tuple(done)

    def _expanded(
        self, leg: LegRequest, template: LegTemplate, client_id: str, at: datetime
    ) -> list[LegRequest]:
        try:
            return self._chosen(leg, template, client_id, at)
        except NotChosen as error:
            return [_refused(leg, f"{template.underlying}: {error}")]
        except StoreUnavailable as error:
            log.error("the legs of %s cannot be chosen: %s", template.underlying, error)
            return [_refused(leg, f"{template.underlying}: what chooses them cannot be read: {error}")]

    def _chosen(
        self, leg: LegRequest, template: LegTemplate, client_id: str, at: datetime
    ) -> list[LegRequest]:
        assert leg.side is not None
        rules = template.legs(leg.side)
        name = leg.side.lower()
        if not rules:
            raise NotChosen(f"a {leg.side} has no legs: add `{name}` to the legs of its strategy")
        client, master, today = self._master(client_id, template, at)
        reference = self._reference(template, rules, client_id, master, today, at)
        chosen = [choose(rule, template, master, today, reference) for rule in rules]
        asked = template.asked(leg.side)
        if len({each.instrument.address for each in chosen}) != len(chosen):
            listed = ", ".join(str(each.instrument) for each in chosen)
            raise NotChosen(f"two of its legs are one contract: {listed}")
        return [
            replace(
                leg,
                exchange=each.instrument.exchange,
                symbol=each.instrument.symbol,
                side=rule.side,
                size=SizeAsk(SizeMode.LOTS, rule.lots),
                quantity=None,
                reference_price=None,
                instrument=InstrumentChoice(
                    asked,
                    each.instrument,
                    notes=_notes(template, name, number, each.notes),
                    is_checked=client.is_real,
                ),
            )
            for number, (rule, each) in enumerate(zip(rules, chosen, strict=True), 1)
        ]

    def _master(
        self, client_id: str, template: LegTemplate, at: datetime
    ) -> tuple[ClientMaster, Master, date]:
        client = self._clients.get(client_id)
        master = None if client is None or self._masters is None else self._masters.current(client.broker)
        if client is None or master is None:
            raise NotChosen(f"client {client_id} has no master of instruments: set INSTRUMENTS_DIR")
        local = at.astimezone(self._zone)
        if client.is_real and is_stale(master.facts.day, local.date()):
            raise NotChosen(f"the last master is of {master.facts.day}")
        is_over = local.time() >= _EQUITIES_CLOSED and template.exchange not in _LATE
        return client, master, local.date() + timedelta(days=is_over)

    def _reference(
        self,
        template: LegTemplate,
        rules: Sequence[LegRule],
        client_id: str,
        master: Master,
        today: date,
        at: datetime,
    ) -> Reference | None:
        if all(rule.strike is None for rule in rules):
            return None
        exchange, symbol = reference_of(template, master, today)
        marks: list[Mark] = known_marks(self._reads, client_id)
        found = fresh_price(marks, exchange, symbol, at)
        if isinstance(found, str):
            raise NotChosen(found)
        return Reference(found.value, f"{exchange} {symbol}, {found.source}")


def _notes(template: LegTemplate, side: str, number: int, notes: tuple[str, ...]) -> tuple[str, ...]:
    of = (
        f"leg {number} of `{side}` in the legs of {template.underlying}; the alert's own quantity is not used"
    )
    return (of, *notes)


def _refused(leg: LegRequest, detail: str) -> LegRequest:
    """The alert's own leg, which is blocked."""
    choice = InstrumentChoice((leg.exchange, leg.symbol), refusal=Reason.LEGS_NOT_CHOSEN, detail=detail)
    return replace(leg, instrument=choice, quantity=ZERO, size=SizeAsk(SizeMode.LOTS, Decimal(1)), sized=None)
