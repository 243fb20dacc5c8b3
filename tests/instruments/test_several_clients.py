"""Names of alerts for several clients, of positions to reach and of reversals: each by its own client's master."""

from dataclasses import replace
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from domain.alert import ClientShare, ParsedAlert
from domain.alert_defaults import NO_DEFAULTS
from domain.enums import ExecutionType, LegKind, OrderType, Side
from domain.errors import InvalidAlert
from domain.ids import content_hash
from domain.reason_codes import Reason
from tests.instruments.test_flow import AT, LOADED
from tests.support import Desk, entry, leg
from use_cases.reach_target import reach
from use_cases.resolve_instruments import ClientMaster, ResolveInstruments

NOREN = "NIFTY08DEC26C24000"
RESOLVE = ResolveInstruments(
    LOADED, {"a": ClientMaster("paper", True)}, defaults=NO_DEFAULTS, zone=ZoneInfo("Asia/Kolkata")
)


def named(name: str, kind: LegKind = LegKind.ENTRY) -> ParsedAlert:
    wanted = leg(name, qty=65, kind=kind, exchange="NFO", order_type=OrderType.MARKET, price=None)
    execution = ExecutionType.ADJUST if kind is LegKind.TARGET else ExecutionType.ENTRY
    if kind is LegKind.EXIT:
        execution = ExecutionType.EXIT
    return replace(entry(), client_id="a", execution_type=execution, legs=(wanted,))


def test_each_client_s_legs_are_named_by_its_own_master():
    shares = (ClientShare("a"), ClientShare("without"))
    asked = replace(named("NIFTY261208C24000"), shares=shares)
    done = RESOLVE(asked, AT)
    assert [done.of(share).legs[0].symbol for share in done.shares] == [NOREN, "NIFTY261208C24000"]
    assert content_hash(done) == content_hash(asked)


@pytest.mark.parametrize(
    ("lots", "multiplier", "wanted"), [(1, "0.5", 1), (3, "0.5", 2), (2, "0.75", 2), (2, "1", 2)]
)
def test_a_share_of_an_exit_in_lots_is_whole_lots(lots: int, multiplier: str, wanted: int):
    exits = replace(named("NIFTY261208C24000", LegKind.EXIT).legs[0], quantity=Decimal(65 * lots))
    alert = replace(named("X"), execution_type=ExecutionType.EXIT, legs=(exits,))
    share = ClientShare("a", Decimal(multiplier))
    done = RESOLVE(replace(alert, shares=(share,)), AT)
    assert done.of(done.shares[0]).legs[0].quantity == 65 * wanted


def test_a_position_to_reach_in_an_unknown_contract_is_refused_as_an_entry_is():
    [target] = RESOLVE(named("NIFTY261208C99999", LegKind.TARGET), AT).legs
    assert target.instrument is not None
    assert target.instrument.refusal is Reason.INSTRUMENT_UNKNOWN


def test_no_position_is_reached_by_a_name_that_means_another_contract_each_month(desk: Desk):
    alert = RESOLVE(named("NIFTY1!", LegKind.TARGET), AT)
    alert = replace(alert, client_id="default")
    probe = desk.post()[0]
    with pytest.raises(InvalidAlert, match="own name"):
        desk.store.write(lambda tx: reach(tx, alert, probe, desk.policies["default"], desk.clock.now()))
    assert alert.legs[0].side is Side.BUY
