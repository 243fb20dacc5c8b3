"""Keep a strategy from entering its template a second time: its contracts are others then, which no rule compares."""

from dataclasses import replace

from domain.alert import LegRequest, ParsedAlert
from domain.enums import LegKind
from domain.instruments.choice import InstrumentChoice
from domain.limits import ClientPolicy
from domain.ports import Transaction
from domain.reason_codes import Reason


def not_held_already(tx: Transaction, alert: ParsedAlert, policy: ClientPolicy) -> ParsedAlert:
    """Return the alert, with the entries of a template refused that its strategy holds or has on its way already.

    As many times as a strategy may enter one symbol (`max_entries`) it may enter its template.
    """
    mine = [leg for leg in alert.legs if leg.template is not None and leg.kind is LegKind.ENTRY]
    if not mine or any(leg.instrument is None or leg.instrument.refusal for leg in mine):
        return alert
    [asked] = {leg.instrument.asked_text for leg in mine if leg.instrument is not None}
    whose = alert.client_id, alert.strategy_name, asked
    places = {*tx.held_as_asked(*whose), *tx.open_as_asked(*whose)}
    most = policy.limits.for_strategy(alert.strategy_name).max_entries
    times = -(-len(places) // len(mine))
    if times < most:
        return alert
    listed = ", ".join(f"{exchange} {symbol}" for exchange, symbol in sorted(places))
    detail = f"{asked}: the strategy holds or enters {listed}, limit {most}"
    return replace(alert, legs=tuple(_refused(leg, detail) if leg in mine else leg for leg in alert.legs))


def _refused(leg: LegRequest, detail: str) -> LegRequest:
    choice = leg.instrument
    assert isinstance(choice, InstrumentChoice)
    refused = replace(choice, refusal=Reason.DUPLICATE_ENTRY_BLOCKED, detail=detail)
    return replace(leg, instrument=refused)
