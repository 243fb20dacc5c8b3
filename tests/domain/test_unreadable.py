"""What a row that cannot be read stands in the way of."""

from decimal import Decimal

import pytest

from domain.broker_reports import UnreadableRow
from domain.limits import LimitBook, Limits
from domain.unreadable_rows import stops_all_entries, what_they_stop

INFY = UnreadableRow("NSE", "INFY", "MIS", None, None, "netqty")
NAMELESS = UnreadableRow(None, None, None, None, None, "tsym is missing")
HOLDINGS = UnreadableRow(None, None, "CNC", None, None, "the Holdings", has_pnl=False)
LIMITED = Limits(max_daily_loss=Decimal(1))


@pytest.mark.parametrize(
    ("rows", "places"),
    [
        ((INFY, INFY), "exits of NSE INFY wait"),
        ((NAMELESS,), "exits of every symbol that no other row tells of wait"),
        ((HOLDINGS,), "exits of every symbol of CNC that no other row tells of wait"),
    ],
)
def test_each_place_is_named_once(rows, places):
    assert what_they_stop(rows, "bob", loss_is_limited=False).startswith(places)


def test_only_what_hides_a_limited_loss_stops_all_entries():
    assert stops_all_entries((INFY,), loss_is_limited=True)
    assert not stops_all_entries((INFY,), loss_is_limited=False)
    assert not stops_all_entries((HOLDINGS,), loss_is_limited=True)
    assert "all entries of bob" in what_they_stop((INFY,), "bob", loss_is_limited=True)


def test_a_loss_is_always_limited_only_where_every_strategys_is():
    assert LimitBook(LIMITED, {"S1": LIMITED}).always_limits_loss
    assert not LimitBook(Limits(), {"S1": LIMITED}).always_limits_loss
    assert not LimitBook(LIMITED, {"S1": Limits()}).always_limits_loss
