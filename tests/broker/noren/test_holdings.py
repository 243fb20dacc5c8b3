"""Shares of earlier days are in the Holdings, and no less held."""

import pytest

from domain.errors import ReadFailed
from tests.broker.noren.making import position_row
from tests.broker.noren.stub import NO_DATA, not_ok, says

INFY = ("NSE", "INFY-EQ")
FAILS = says(not_ok("Server Timeout :  "))


def row(quantity="50", *, listed=(INFY,), **more):
    names = [{"exch": exch, "tsym": tsym, "token": "1594"} for exch, tsym in listed]
    return {"stat": "Ok", "exch_tsym": names, "holdqty": quantity, **more}


def cnc(netqty, exch="NSE", tsym="INFY-EQ"):
    return position_row(exch=exch, tsym=tsym, prd="C", netqty=netqty)


def read(broker, stub, holdings, *positions, urgent=False):
    stub.tell("PositionBook", says(list(positions)) if positions else says(NO_DATA))
    stub.standing["Holdings"] = holdings if callable(holdings) else says(holdings)
    return broker.read_positions(urgent=urgent)


@pytest.mark.parametrize(
    ("today", "net", "delivered"),
    [(None, 50, 50), ("0", 50, 50), ("10", 60, 50), ("-20", 30, 30), ("-50", 0, 0), ("-70", 50, 50)],
)
def test_what_was_delivered_and_todays_trades_are_one_position(broker, stub, today, net, delivered):
    snapshot = read(broker, stub, [row()], *([cnc(today)] if today else []))
    assert len(snapshot.positions) == 1
    position = snapshot.positions[0]
    assert (position.net_quantity, position.delivered, position.product) == (net, delivered, "CNC")
    assert snapshot.net(*INFY, "CNC") == net


def test_a_sale_out_of_holdings_is_no_short(broker, stub):
    assert read(broker, stub, says(NO_DATA), cnc("-10")).net(*INFY, "CNC") == 0


def test_other_products_are_left_alone(broker, stub):
    mis = position_row(exch="NSE", tsym="INFY-EQ", netqty="-5")
    snapshot = read(broker, stub, [row()], mis)
    assert (snapshot.net(*INFY, "MIS"), snapshot.net(*INFY, "CNC")) == (-5, 50)


def test_a_share_of_two_exchanges_can_be_sold_at_either(broker, stub):
    snapshot = read(broker, stub, [row(listed=(INFY, ("BSE", "INFY")))])
    assert snapshot.net(*INFY, "CNC") == snapshot.net("BSE", "INFY", "CNC") == 50


def test_all_ways_of_keeping_a_share_count(broker, stub):
    kept = row("10", dpqty="5", npoadqty="5", btstqty="20", usedqty="7", brkcolqty="100")
    assert read(broker, stub, [kept]).net(*INFY, "CNC") == 35


def test_a_row_that_cannot_be_read_hides_its_share_and_not_the_days_loss(broker, stub):
    snapshot = read(broker, stub, [row("1,000"), row("7", listed=(("NSE", "TCS-EQ"),))])
    assert not snapshot.is_readable(*INFY) and snapshot.net("NSE", "TCS-EQ", "CNC") == 7
    assert snapshot.day_pnl == 0


def test_holdings_that_cannot_be_read_make_delivery_unknown_not_flat(broker, stub):
    nifty = position_row()
    snapshot = read(broker, stub, FAILS, cnc("10"), nifty)
    assert not snapshot.is_readable(*INFY, "CNC")  # what was delivered of it is missing
    assert not snapshot.is_readable("NSE", "TCS-EQ", "CNC") and not snapshot.is_readable("NSE", "TCS-EQ")
    assert snapshot.is_readable("NSE", "TCS-EQ", "MIS")
    assert snapshot.is_readable("NFO", "NIFTY26NOV24500CE")


def test_they_are_read_rarely_and_anew_for_an_exit(broker, stub, clock):
    for _ in range(3):
        read(broker, stub, [row()])
    assert len(stub.of("Holdings")) == 1
    assert read(broker, stub, [row("80")], urgent=True).net(*INFY, "CNC") == 80
    assert len(stub.of("Holdings")) == 2
    assert not read(broker, stub, FAILS, urgent=True).is_readable(*INFY, "CNC")
    clock.advance(minutes=6)
    assert read(broker, stub, FAILS).net(*INFY, "CNC") == 80  # young enough, and no exit is sized from it
    clock.advance(minutes=10)
    assert not read(broker, stub, FAILS).is_readable(*INFY, "CNC")


def test_an_account_without_delivery_does_not_pay_for_it_at_each_exit(broker, stub, clock):
    for _ in range(3):
        read(broker, stub, says(NO_DATA), urgent=True)
    assert len(stub.of("Holdings")) == 1
    clock.advance(days=1)
    read(broker, stub, says(NO_DATA))
    assert len(stub.of("Holdings")) == 2


# in the night ---------------------------------------------------------------------------------------------------


def test_what_was_bought_is_looked_for_in_the_holdings_as_soon_as_its_row_has_gone(broker, stub, clock):
    assert read(broker, stub, says(NO_DATA), cnc("10")).net(*INFY, "CNC") == 10
    clock.advance(hours=16)  # the next morning, 01:30
    assert read(broker, stub, says(NO_DATA), cnc("10")).net(*INFY, "CNC") == 10
    clock.advance(minutes=2)  # the Holdings were read two minutes ago
    snapshot = read(broker, stub, [row("10")])
    assert (snapshot.net(*INFY, "CNC"), snapshot.unreadable) == (10, ())


def test_shares_that_a_broker_shows_nowhere_in_the_night_are_unknown_until_it_does(broker, stub, clock):
    assert read(broker, stub, [row("5", listed=(("NSE", "TCS-EQ"),))], cnc("10")).net(*INFY, "CNC") == 10
    clock.advance(hours=9)  # 18:30
    for _ in range(20):
        snapshot = read(broker, stub, [row("5", listed=(("NSE", "TCS-EQ"),))])
        assert "10 shares were there, nothing shows" in str(snapshot.unreadable_at(*INFY, "CNC"))
        assert snapshot.net("NSE", "TCS-EQ", "CNC") == 5, "others are known"
        clock.advance(minutes=20)
    snapshot = read(broker, stub, [row("10")])
    assert (snapshot.net(*INFY, "CNC"), snapshot.unreadable_at(*INFY, "CNC")) == (10, None)


def test_shares_that_are_still_missing_when_trading_begins_are_gone(broker, stub, clock):
    read(broker, stub, says(NO_DATA), cnc("10"))
    clock.advance(hours=12)
    assert read(broker, stub, says(NO_DATA)).unreadable_at(*INFY, "CNC") is not None
    clock.advance(hours=11, minutes=45)  # 09:15
    snapshot = read(broker, stub, says(NO_DATA))
    assert (snapshot.net(*INFY, "CNC"), snapshot.unreadable_at(*INFY, "CNC")) == (0, None)


def test_one_answer_of_the_holdings_that_lacks_shares_takes_none_away(broker, stub, clock):
    assert read(broker, stub, [row("10")]).net(*INFY, "CNC") == 10
    for lacks in (says(NO_DATA), [row("4")], says(NO_DATA)):
        clock.advance(minutes=6)
        snapshot = read(broker, stub, lacks)
        assert "10 shares were there, nothing shows" in str(snapshot.unreadable_at(*INFY, "CNC"))
    clock.advance(minutes=6)
    assert read(broker, stub, [row("10")]).unreadable == ()
    clock.advance(minutes=6)
    sold = read(broker, stub, [row("10")], cnc("-4"))
    assert (sold.net(*INFY, "CNC"), sold.unreadable) == (6, ())


def test_shares_that_are_sold_in_the_night_of_a_simulated_exchange_are_gone(broker, stub, clock):
    read(broker, stub, says(NO_DATA), cnc("10"))
    clock.advance(hours=10)
    snapshot = read(broker, stub, says(NO_DATA), cnc("0"))
    assert (snapshot.net(*INFY, "CNC"), snapshot.unreadable) == (0, ())


def test_shares_that_are_sold_by_day_are_gone_at_once(broker, stub, clock):
    read(broker, stub, says(NO_DATA), cnc("10"))
    clock.advance(hours=1)
    snapshot = read(broker, stub, says(NO_DATA), cnc("0"))
    assert (snapshot.net(*INFY, "CNC"), snapshot.unreadable) == (0, ())


def test_positions_that_had_rows_today_are_not_empty_by_day_for_minutes(broker, stub, clock):
    read(broker, stub, says(NO_DATA), position_row(netqty="0"))
    clock.advance(hours=1)
    for _ in range(10):
        with pytest.raises(ReadFailed, match="had rows today"):
            read(broker, stub, says(NO_DATA))
        clock.advance(seconds=59)
    clock.advance(minutes=1)
    assert read(broker, stub, says(NO_DATA)).positions == (), "an exit must not wait all day"
    read(broker, stub, says(NO_DATA), position_row(netqty="0"))
    with pytest.raises(ReadFailed, match="had rows today"):
        read(broker, stub, says(NO_DATA))
    clock.advance(hours=8)  # 18:40
    assert read(broker, stub, says(NO_DATA)).positions == ()
    clock.advance(hours=15, minutes=30)  # 10:10 of the next day
    assert read(broker, stub, says(NO_DATA)).positions == ()


def test_shares_that_were_sold_yesterday_are_not_missed_because_the_night_still_shows_them(
    broker, stub, clock
):
    assert read(broker, stub, [row("100")], cnc("-100")).net(*INFY, "CNC") == 0
    clock.advance(hours=15)  # 00:30: the row of the sale has gone, and the Holdings are of before
    assert read(broker, stub, [row("100")]).net(*INFY, "CNC") == 100
    clock.advance(hours=6)
    assert read(broker, stub, says(NO_DATA)).unreadable == ()
    clock.advance(hours=4)
    assert read(broker, stub, says(NO_DATA)).unreadable == ()


def test_what_was_bought_today_does_not_explain_what_the_holdings_lack(broker, stub, clock):
    assert read(broker, stub, [row("100")], cnc("10")).net(*INFY, "CNC") == 110
    clock.advance(minutes=6)
    snapshot = read(broker, stub, says(NO_DATA), cnc("10"))
    assert "110 shares were there, nothing shows" in str(snapshot.unreadable_at(*INFY, "CNC"))


def test_holdings_that_fail_are_not_asked_twice_for_each_read(broker, stub, clock):
    read(broker, stub, says(NO_DATA), cnc("10"))
    before = len(stub.of("Holdings"))
    clock.advance(minutes=6)
    for _ in range(4):
        read(broker, stub, FAILS, position_row(netqty="0"))
        clock.advance(seconds=5)
    assert len(stub.of("Holdings")) - before <= 5
