"""Sized entries and leg templates, from the alert's body to the orders: by fresh prices, or refused with the reason."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from alerts.decoding import decode
from alerts.formats.registry import DIALECTS
from alerts.sharing import shared
from config.checking import Problems
from config.strategies import read_strategies
from domain.alert import Delivery
from domain.enums import Side
from domain.marks import Mark
from domain.order import Order
from domain.sizing import Equity
from domain.states import Status
from persistence.memory.instruments import MemoryInstruments
from tests.listed import TODAY, load
from tests.support import Desk
from use_cases.expand_templates import ExpandTemplates
from use_cases.prepare_alert import PrepareAlert
from use_cases.resolve_instruments import ClientMaster, ResolveInstruments
from use_cases.size_entries import SizeEntries

ZONE = ZoneInfo("Asia/Kolkata")
AT = datetime(TODAY.year, TODAY.month, TODAY.day, 5, 0, tzinfo=ZoneInfo("UTC"))
NIFTY = ("NSE", "NIFTY INDEX")

STRADDLE = """
[default]
product = "NRML"
exchange = "NSE"
strategy_name = "STRADDLE"
[strategies.STRADDLE.legs]
underlying = "NIFTY"
names = ["NIFTY1!"]
exchange = "NFO"
expiry = "current_week"
buy = [{ right = "CE", side = "SELL", strike = "ATM", lots = 2 },
       { right = "PE", side = "SELL", strike = "OTM1", lots = 1 }]
"""


def sized_by(sizing: str, more: str = "") -> str:
    return f'[default]\nproduct = "MIS"\nexchange = "NSE"\nstrategy_name = "S"\nsizing = {sizing}\n{more}'


class Trader:
    """A desk with a strategies file, a master, and what it knows of prices."""

    def __init__(self, folder: Path, file: str, *, is_real: bool = True, has_master: bool = True) -> None:
        path, problems = folder / "strategies.toml", Problems()
        path.write_text(file)
        self.book = read_strategies(path, ["default"], problems).alerts
        problems.raise_any()
        self.desk = Desk(folder, is_real=is_real)
        self.desk.clock.at = AT
        masters = MemoryInstruments()
        load(masters)
        clients = {"default": ClientMaster("paper", is_real)} if has_master else {}
        self.prepare = PrepareAlert(
            ResolveInstruments(masters, clients, defaults=self.book, zone=ZONE),
            ExpandTemplates(self.desk.store, masters, clients, zone=ZONE),
            SizeEntries(self.desk.store, self.desk.policies, equity_max_age=timedelta(seconds=300)),
        )
        self.desk.commands = self.desk.new_front_desk(prepare=self.prepare)
        self.desk.look()

    def mark(self, place: tuple[str, str], price: str, *, age: float = 1) -> None:
        at = self.desk.clock.at - timedelta(seconds=age)
        mark = Mark(*place, Decimal(price), at, "quote")
        self.desk.store.write(lambda tx: tx.keep_marks("default", [mark]))

    def worth(self, amount: str, *, age: float = 1) -> None:
        read = Equity(Decimal(amount), self.desk.clock.at - timedelta(seconds=age), "the broker")
        self.desk.store.write(lambda tx: tx.keep_equity("default", read))

    def post(self, document: Mapping[str, object], *, together: bool = False) -> tuple[Order, ...]:
        body = decode(json.dumps(document).encode())
        alert = DIALECTS.dialect_of(body).parse(body, default_client="default", defaults=self.book)
        alert = shared(alert, self.book, sender=None, named=None)
        delivery = Delivery(self.desk.clock.now(), "127.0.0.1", "{}", "usual")
        if not together:
            return self.desk.commands.register(alert, delivery).legs
        [receipt] = self.desk.commands.register_together([(alert, delivery)])
        assert not isinstance(receipt, Exception)
        return receipt.legs


Make = Callable[..., Trader]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    return lambda file, **options: Trader(tmp_path, file, **options)


def size(order: Order) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(order.context_json or "{}")["size"]
    return found


BUY = {"action": "buy", "symbol": "RELIANCE"}
RELIANCE = ("NSE", "RELIANCE-EQ")


# sizes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("together", [False, True])
def test_money_becomes_whole_units_at_the_last_price_and_every_number_is_kept(make, together):
    trader = make(sized_by('{ mode = "notional", value = 50000 }'))
    trader.mark(RELIANCE, "1450.5", age=3)
    [order] = trader.post(BUY, together=together)
    assert (order.symbol, order.quantity, order.status) == ("RELIANCE-EQ", Decimal(34), Status.CREATED)
    told = size(order)
    assert told["asked"] == "50000 worth"
    assert (told["quantity"], told["price"], told["lot"]) == ("34", "1450.5", "1")
    assert told["price_source"] == "last price of quote, 3.0 s old"
    assert told["how"] == "50000 worth ÷ 1450.5 = 34, rounded down to whole units"


@pytest.mark.parametrize(
    ("sizing", "qty"),
    [
        ('{ mode = "percent_of_equity", value = 2.5 }', 17),  # 25,000 ÷ 1,450
        ('{ mode = "lots", value = 3 }', 3),
        ('{ mode = "units", value = 7 }', 7),
    ],
)
def test_each_mode_of_a_strategy_sizes_its_entries(make, sizing, qty):
    trader = make(sized_by(sizing))
    trader.mark(RELIANCE, "1450")
    trader.worth("1000000")
    [order] = trader.post(BUY)
    assert (order.quantity, order.tag) == (Decimal(qty), None)


def test_risk_is_divided_by_the_distance_to_the_stop(make):
    trader = make(sized_by('{ mode = "risk_percent", value = 0.5 }'))
    trader.mark(RELIANCE, "1450")
    trader.worth("1000000")
    [order] = trader.post({**BUY, "stop_loss_price": 1437})  # 5,000 ÷ 13
    assert order.quantity == Decimal(384)
    assert (size(order)["stop"], size(order)["equity"]) == ("1437", "1000000")


def test_the_orders_own_limit_is_its_price_and_needs_no_last_price(make):
    trader = make(sized_by('{ mode = "notional", value = 50000 }'))
    [order] = trader.post({**BUY, "order_type": "limit", "limit_price": 1400})
    assert (order.quantity, order.price) == (Decimal(35), Decimal(1400))
    assert size(order)["price_source"] == "its limit price"


def test_a_limit_to_sell_far_below_the_market_is_sized_by_the_market(make):
    trader = make(sized_by('{ mode = "notional", value = 50000 }'))
    sell = {"action": "sell", "symbol": "RELIANCE", "order_type": "limit", "limit_price": 10}
    [blind] = trader.post(sell)
    assert blind.tag == "VALIDATION_FAILED:SIZE_PRICE_UNKNOWN"
    trader.mark(RELIANCE, "1450")
    [order] = trader.post({**sell, "limit_price": 11})
    assert (order.quantity, size(order)["price"]) == (Decimal(34), "1450")


def test_a_limit_to_sell_with_a_stop_in_percent_risks_no_more_at_the_market_than_was_asked_for(make):
    trader = make(sized_by('{ mode = "risk", value = 1000 }'))
    sell = {
        "action": "sell",
        "symbol": "RELIANCE",
        "order_type": "limit",
        "limit_price": 100,
        "stop_loss": "2%",
    }
    [blind] = trader.post(sell)
    assert blind.tag == "VALIDATION_FAILED:SIZE_PRICE_UNKNOWN"
    trader.mark(RELIANCE, "200")
    [order] = trader.post({**sell, "signal_id": "2"})
    assert (order.quantity, size(order)["price"]) == (Decimal(250), "200")  # 4 at the stop, and not 2


@pytest.mark.parametrize(
    ("side", "mode", "trigger", "stop", "price", "qty"),
    [
        ("buy", "notional", 10, None, "1450", 34),  # met at once: it fills at the market
        ("buy", "notional", 1500, None, "1500", 33),
        ("buy", "risk", 1441, 1440, "1450", 5000),
        ("sell", "risk", 1459, 1460, "1450", 5000),
        ("sell", "risk", 1400, 1460, "1400", 833),
        ("sell", "risk", 1400, "2%", "1450", 1724),
        ("sell", "risk", 1500, "2%", "1500", 1666),
    ],
)
def test_a_stop_order_is_sized_by_the_worse_of_its_trigger_and_the_market(
    make, side, mode, trigger, stop, price, qty
):
    trader = make(sized_by(f'{{ mode = "{mode}", value = 50000 }}'))
    asked = {"action": side, "symbol": "RELIANCE", "order_type": "stop", "trigger_price": trigger}
    asked |= {} if stop is None else {"stop_loss" if isinstance(stop, str) else "stop_loss_price": stop}
    [blind] = trader.post(asked)
    assert blind.tag == "VALIDATION_FAILED:SIZE_PRICE_UNKNOWN"
    trader.mark(RELIANCE, "1450")
    [order] = trader.post({**asked, "comment": "again"})
    assert (size(order)["price"], order.quantity) == (price, Decimal(qty))


@pytest.mark.parametrize(
    ("sizing", "before", "tag", "said"),
    [
        ("notional", {}, "SIZE_PRICE_UNKNOWN", "no last price is known"),
        ("notional", {"price_age": 20}, "SIZE_PRICE_UNKNOWN", "too old (1450 of quote, 20.0 s old)"),
        ("notional", {"price_age": -5}, "SIZE_PRICE_UNKNOWN", "dated in the future"),
        ("notional", {"price": "60000"}, "SIZE_ROUNDS_TO_ZERO", "50000 worth ÷ 60000: 50000 of money"),
        ("percent_of_equity", {"price": "1450"}, "SIZE_EQUITY_UNKNOWN", "was never read"),
        ("percent_of_equity", {"price": "1450", "worth_age": 301}, "SIZE_EQUITY_UNKNOWN", "older than 300 s"),
        ("risk", {"price": "1450"}, "SIZE_STOP_MISSING", "has no stop_loss"),
    ],
)
@pytest.mark.parametrize("together", [False, True])
def test_a_size_that_is_not_certain_blocks_the_entry_with_the_numbers(
    make, sizing, before, tag, said, together
):
    value = 5 if sizing == "percent_of_equity" else 50000
    trader = make(sized_by(f'{{ mode = "{sizing}", value = {value} }}'))
    if "price" in before or "price_age" in before:
        trader.mark(RELIANCE, before.get("price", "1450"), age=before.get("price_age", 1))
    if "worth_age" in before:
        trader.worth("1000000", age=before["worth_age"])
    [order] = trader.post(BUY, together=together)
    assert (order.status, order.tag) == (Status.FAILED, f"VALIDATION_FAILED:{tag}")
    assert said in (order.reason_message or "")
    assert trader.desk.broker.placed == []


def test_a_stop_on_the_wrong_side_sizes_nothing(make):
    trader = make(sized_by('{ mode = "risk", value = 5000 }'))
    trader.mark(RELIANCE, "1450")
    [order] = trader.post({**BUY, "stop_loss_price": 1450})
    assert order.tag == "VALIDATION_FAILED:STOP_WRONG_SIDE"


def test_a_quantity_that_the_alert_names_wins_over_the_strategys_sizing(make):
    trader = make(sized_by('{ mode = "notional", value = 50000 }'))
    [order] = trader.post({**BUY, "quantity": 3})
    assert (order.quantity, order.context_json and "size" in json.loads(order.context_json)) == (
        Decimal(3),
        False,
    )


def test_an_exit_needs_no_price_and_no_equity(make):
    trader = make(sized_by('{ mode = "percent_of_equity", value = 5 }'))
    trader.mark(RELIANCE, "1450")
    trader.worth("1000000")
    [entry] = trader.post(BUY)
    trader.desk.settle()
    trader.desk.clock.advance(3600)
    trader.desk.look()
    [order] = trader.post({"action": "exit", "symbol": "RELIANCE"})
    assert (order.status, order.quantity) == (Status.CREATED, entry.quantity)


def test_a_repeated_alert_is_a_duplicate_although_the_price_has_moved(make):
    trader = make(sized_by('{ mode = "notional", value = 50000 }'))
    trader.mark(RELIANCE, "1450")
    [first] = trader.post(BUY)
    trader.mark(RELIANCE, "1600", age=0)
    [second] = trader.post(BUY)
    assert first.tag is None
    assert second.tag == "DUPLICATE_BLOCKED:CONTENT_ALREADY_SEEN"


def test_each_client_is_sized_by_its_own_multiplier_and_rounded_once(make, tmp_path):
    trader = make(
        sized_by('{ mode = "notional", value = 1000 }', 'clients = [{ id = "default", multiplier = 2.9 }]')
    )
    trader.mark(RELIANCE, "1450")
    [order] = trader.post(BUY)
    assert (order.quantity, size(order)["multiplier"]) == (Decimal(2), "2.9")


@pytest.mark.parametrize(
    ("place", "tag", "quantity"),
    [
        (("MCX", "GOLDM26DECFUT"), "VALIDATION_FAILED:SIZE_PRICE_UNKNOWN", 0),  # 100 g, priced by 10 g
        (("CDS", "USDINR26DECFUT"), "VALIDATION_FAILED:SIZE_PRICE_UNKNOWN", 0),
        (("NSE_FO", "NIFTY26DECFUT"), None, 500),
        (("BSE", "SBIN"), None, 500),
        (("BINANCE", "BTCUSDT"), None, 500),
    ],
)
def test_without_a_master_a_unit_is_one_of_the_underlying_only_where_that_is_sure(make, place, tag, quantity):
    trader = make(sized_by('{ mode = "notional", value = 50000 }'), has_master=False, is_real=False)
    trader.mark(place, "100")
    [order] = trader.post({"action": "buy", "symbol": place[1], "exchange": place[0]})
    assert (order.exchange, order.tag, order.quantity) == (place[0], tag, Decimal(quantity))
    assert tag is None or "how much of the underlying" in (order.reason_message or "")


# templates -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["NIFTY", "NSE:NIFTY", "NIFTY1!"])
def test_an_underlying_becomes_the_strategys_legs_by_the_spot_and_the_story_says_each_choice(make, name):
    trader = make(STRADDLE)
    trader.mark(NIFTY, "24031", age=4)
    legs = trader.post({"action": "buy", "symbol": name, "quantity": 1})
    assert [(o.exchange, o.symbol, o.side, o.quantity, o.tag) for o in legs] == [
        ("NFO", "NIFTY01DEC26C24000", Side.SELL, Decimal(130), None),
        ("NFO", "NIFTY01DEC26P23900", Side.SELL, Decimal(65), None),
    ]
    told = json.loads(legs[1].context_json or "")
    notes = " | ".join(told["instrument"]["notes"])
    assert "current_week is 2026-12-01" in notes
    assert "nearest of" in notes and "24031, NSE NIFTY INDEX, last price of quote, 4.0 s old" in notes
    assert "OTM1 PE is 23900" in notes
    assert told["size"]["how"] == "1 lots of 65 = 65, rounded down to lots of 65"


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        (None, "no last price is known"),
        (("24031", 16), "too old"),
        (("99000", 1), "expected strikes around 99000"),
    ],
)
def test_no_leg_is_traded_where_one_cannot_be_chosen(make, mark, said):
    trader = make(STRADDLE)
    if mark is not None:
        trader.mark(NIFTY, mark[0], age=mark[1])
    [order] = trader.post({"action": "buy", "symbol": "NIFTY", "quantity": 1})
    assert (order.symbol, order.tag) == ("NIFTY", "VALIDATION_FAILED:LEGS_NOT_CHOSEN")
    assert said in (order.reason_message or "")


def test_a_side_without_legs_is_refused(make):
    trader = make(STRADDLE)
    trader.mark(NIFTY, "24031")
    [order] = trader.post({"action": "sell", "symbol": "NIFTY", "quantity": 1})
    assert order.tag == "VALIDATION_FAILED:LEGS_NOT_CHOSEN"
    assert "add `sell` to the legs" in (order.reason_message or "")


def test_an_exit_closes_what_was_entered_and_not_what_is_at_the_money_now(make):
    trader = make(STRADDLE)
    trader.mark(NIFTY, "24031")
    entered = trader.post({"action": "buy", "symbol": "NIFTY", "quantity": 1})
    trader.desk.settle()
    trader.desk.clock.advance(600)
    trader.desk.look()
    trader.mark(NIFTY, "25000")
    exits = trader.post({"action": "exit", "symbol": "NIFTY1!"})
    assert {(o.symbol, o.side, o.quantity) for o in exits} == {
        (o.symbol, Side.BUY, o.quantity) for o in entered
    }
    trader.desk.settle()
    assert all(not h.net_quantity for h in trader.desk.store.holdings("default"))


def test_an_exit_reaches_legs_that_are_still_on_their_way(make):
    trader = make(STRADDLE)
    trader.mark(NIFTY, "24031")
    entered = trader.post({"action": "buy", "symbol": "NIFTY", "quantity": 1})
    exits = trader.post({"action": "exit", "symbol": "NIFTY"})
    assert {o.symbol for o in exits} == {o.symbol for o in entered}


@pytest.mark.parametrize("is_filled", [True, False])
@pytest.mark.parametrize("together", [False, True])
def test_a_template_that_is_held_is_not_entered_again_at_other_strikes(make, is_filled, together):
    trader = make(STRADDLE)
    trader.mark(NIFTY, "24031")
    trader.post({"action": "buy", "symbol": "NIFTY", "quantity": 1}, together=together)
    if is_filled:
        trader.desk.settle()
    trader.mark(NIFTY, "24531", age=0)
    again = trader.post(
        {"action": "buy", "symbol": "NIFTY", "quantity": 2, "signal_id": "2"}, together=together
    )
    assert {o.tag for o in again} == {"DUPLICATE_BLOCKED:DUPLICATE_ENTRY_BLOCKED"}
    assert "NFO NIFTY01DEC26C24000" in (again[0].reason_message or "")


def test_after_its_exit_a_template_is_entered_again(make):
    trader = make(STRADDLE)
    trader.mark(NIFTY, "24031")
    trader.post({"action": "buy", "symbol": "NIFTY", "quantity": 1})
    trader.desk.settle()
    trader.post({"action": "exit", "symbol": "NIFTY"})
    trader.desk.settle()
    trader.mark(NIFTY, "24531", age=0)
    again = trader.post({"action": "buy", "symbol": "NIFTY", "quantity": 1, "signal_id": "2"})
    assert [o.tag for o in again] == [None, None]


def test_an_exit_of_the_other_direction_closes_nothing(make):
    trader = make(STRADDLE)
    trader.mark(NIFTY, "24031")
    trader.post({"action": "buy", "symbol": "NIFTY", "quantity": 1})
    trader.desk.settle()
    [order] = trader.post({"action": "close_short", "symbol": "NIFTY"})
    assert order.symbol == "NIFTY"  # which nobody holds


FUTURE = """
[default]
product = "NRML"
exchange = "NSE"
strategy_name = "FUTURE"
[strategies.FUTURE.legs]
underlying = "NIFTY"
exchange = "NFO"
expiry = "current_month"
buy = [{ right = "FUT", side = "BUY", lots = 1 }]
sell = [{ right = "FUT", side = "SELL", lots = 1 }]
"""


def test_an_exit_of_one_direction_leaves_what_the_other_holds_in_the_same_contract(make):
    trader = make(FUTURE)

    def net() -> list[Decimal]:
        return [h.net_quantity for h in trader.desk.store.holdings("default") if h.net_quantity]

    def act(action: str, at: str) -> Order:
        trader.desk.look()
        [order] = trader.post({"action": action, "symbol": "NIFTY", "quantity": 1, "signal_id": at})
        trader.desk.settle()
        return order

    bought = act("buy", "monday")
    assert net() == [bought.quantity]
    trader.desk.clock.advance(600)
    close_long = {"action": "close_long", "symbol": "NIFTY"}
    trader.desk.look()
    [order] = trader.post(close_long)
    trader.desk.settle()
    assert (order.symbol, order.requested_side, net()) == (bought.symbol, Side.SELL, [])
    trader.desk.clock.advance(600)
    sold = act("sell", "tuesday")
    assert net() == [-sold.quantity] and sold.symbol == bought.symbol
    trader.desk.clock.advance(600)
    trader.desk.look()
    [again] = trader.post(close_long)
    trader.desk.settle()
    assert net() == [-sold.quantity]
    trader.desk.look()
    trader.post({"action": "close_short", "symbol": "NIFTY"})
    trader.desk.settle()
    assert net() == [] and again.requested_side is Side.SELL


def test_an_exit_of_one_direction_reaches_its_sold_legs_and_those_on_their_way(make):
    trader = make(STRADDLE)
    trader.mark(NIFTY, "24031")
    entered = trader.post({"action": "buy", "symbol": "NIFTY", "quantity": 1})
    exits = trader.post({"action": "close_long", "symbol": "NIFTY"})
    assert {(o.symbol, o.requested_side) for o in exits} == {(o.symbol, Side.BUY) for o in entered}


def test_a_repeated_template_alert_is_a_duplicate_although_atm_has_moved(make):
    trader = make(STRADDLE)
    trader.mark(NIFTY, "24031")
    trader.post({"action": "buy", "symbol": "NIFTY", "quantity": 1})
    trader.mark(NIFTY, "24531", age=0)
    again = trader.post({"action": "buy", "symbol": "NIFTY", "quantity": 1})
    assert {o.tag for o in again} == {"DUPLICATE_BLOCKED:CONTENT_ALREADY_SEEN"}
