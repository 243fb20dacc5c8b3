"""An alert's names become the broker's own before anything is registered; and no exit is ever stopped by them."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.alert import Delivery, LegRequest, ParsedAlert
from domain.alert_defaults import AlertDefaults, AlertDefaultsBook
from domain.alert_defaults import Instrument as Override
from domain.enums import ExecutionType, LegKind, OrderType, Side
from domain.errors import StoreUnavailable
from domain.instruments.instrument import Instrument, MasterFacts
from domain.order import Order
from domain.order_events import advance
from domain.ports import Transaction
from domain.ports.instruments import InstrumentStore, Master
from domain.states import Phase
from domain.times import time_text
from domain.transitions import claimed
from persistence.memory.instruments import MemoryInstruments
from tests.listed import TODAY, listed, load
from tests.support import EXIT, Desk, entry, leg
from use_cases.resolve_instruments import ClientMaster, ResolveInstruments

ZONE = ZoneInfo("Asia/Kolkata")
AT = datetime(TODAY.year, TODAY.month, TODAY.day, 5, 0, tzinfo=ZoneInfo("UTC"))
NO_RULES = AlertDefaults()
RULES = AlertDefaults(
    symbols={"OWN": Override("NIFTY08DEC26C24000", "NFO"), "FUTURE": Override("NIFTY1!", "NFO")}, roll_days=0
)


LOADED = MemoryInstruments()
load(LOADED)


class Gone(MemoryInstruments):
    """Cannot be read."""

    def current(self, broker: str) -> Master | None:
        raise StoreUnavailable("the disk is gone")


class Trader:
    """A desk whose client trades by a master."""

    def __init__(
        self, folder: Path, masters: InstrumentStore, *, is_real: bool, rules: AlertDefaults = NO_RULES
    ) -> None:
        self.desk = Desk(folder, is_real=is_real)
        self.desk.clock.at = AT
        self.resolve = ResolveInstruments(
            masters,
            {"default": ClientMaster("paper", is_real)},
            defaults=AlertDefaultsBook(rules),
            zone=ZONE,
        )
        self.desk.commands = self.desk.new_front_desk(prepare=self.resolve)
        self.desk.look()

    def post(self, *legs: LegRequest, together: bool = False, **changes: object) -> tuple[Order, ...]:
        alert = entry(*legs, **changes)
        delivery = Delivery(self.desk.clock.now(), "127.0.0.1", "{}", "native")
        if not together:
            return self.desk.commands.register(alert, delivery).legs
        [receipt] = self.desk.commands.register_together([(alert, delivery)])
        assert not isinstance(receipt, Exception)
        return receipt.legs

    def story(self) -> list[dict[str, Any]]:
        """What the newest alert tells of its instruments."""
        [[text]] = self.desk.rows("SELECT context_json FROM alerts ORDER BY rowid DESC LIMIT 1")
        return [] if text is None else json.loads(str(text)).get("instruments", [])

    def hold(self, symbol: str, exchange: str = "NFO") -> None:
        """Let the strategy hold 65 of it."""
        row = ("default", symbol, exchange, "STRADDLE", "MIS", "65", 1, time_text(self.desk.clock.now()))
        store: Any = self.desk.store
        store._commits.run(lambda c: c.execute("INSERT INTO holdings VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row))


Make = Callable[..., Trader]


@pytest.fixture
def masters() -> MemoryInstruments:
    store = MemoryInstruments()
    load(store)
    return store


@pytest.fixture
def make(tmp_path: Path, masters: MemoryInstruments) -> Make:
    def made(
        *, is_real: bool = True, store: InstrumentStore = masters, rules: AlertDefaults = NO_RULES
    ) -> Trader:
        return Trader(tmp_path, store, is_real=is_real, rules=rules)

    return made


def an_entry(symbol: str, qty: int = 65, **changes: object) -> LegRequest:
    return leg(symbol, qty, **{"exchange": "NSE"} | changes)


def an_exit(symbol: str, qty: int | None = None, **changes: object) -> LegRequest:
    return leg(
        symbol,
        qty,
        **{"exchange": "NSE", "side": None, "order_type": OrderType.MARKET, "price": None} | changes,
    )


@pytest.mark.parametrize("together", [False, True])
def test_an_entry_is_of_the_instrument_that_its_name_means_and_the_story_says_so(make, together):
    trader = make()
    [order] = trader.post(an_entry("NIFTY261208C24000"), together=together)
    assert (order.exchange, order.symbol, order.tag) == ("NFO", "NIFTY08DEC26C24000", None)
    [told] = trader.story()
    assert (told["leg"], told["asked"], told["became"]) == (
        1,
        "NSE NIFTY261208C24000",
        "NFO NIFTY08DEC26C24000",
    )
    assert told["notes"] == ["NSE NIFTY261208C24000 is NFO NIFTY08DEC26C24000, expires 2026-12-08"]
    of_order = json.loads(order.context_json or "")["instrument"]
    assert of_order == {name: value for name, value in told.items() if name != "leg"}


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize(
    ("name", "changes", "tag"),
    [
        ("NIFTY261208C24010", {}, "VALIDATION_FAILED:INSTRUMENT_UNKNOWN"),
        ("NIFTY-DEC2026-24000-CE", {}, "VALIDATION_FAILED:INSTRUMENT_AMBIGUOUS"),
        ("NIFTY1!", {}, "VALIDATION_FAILED:INSTRUMENT_AMBIGUOUS"),
        ("NIFTY26NOV24500CE", {}, "VALIDATION_FAILED:INSTRUMENT_EXPIRED"),
        ("NIFTY", {}, "VALIDATION_FAILED:INSTRUMENT_NOT_TRADABLE"),
        ("NIFTY261208C24000", {"qty": 50}, "VALIDATION_FAILED:LOT_SIZE"),
        ("NIFTY261208C24000", {"price": Decimal("100.03")}, "VALIDATION_FAILED:TICK_SIZE"),
        (
            "NIFTY261208C24000",
            {"order_type": OrderType.STOP_LIMIT, "trigger_price": Decimal("99.99")},
            "VALIDATION_FAILED:TICK_SIZE",
        ),
    ],
)  # fmt: skip
def test_an_entry_that_is_not_certain_or_off_the_grid_is_blocked_for_that_reason(
    make, together, name, changes, tag
):
    trader = make()
    [order] = trader.post(an_entry(name, **changes), together=together)
    assert (order.status, order.tag) == ("FAILED", tag)


def test_the_nearest_quantities_and_prices_are_told(make):
    trader = make()
    [one] = trader.post(an_entry("NIFTY261208C24000", 50))
    [two] = trader.post(an_entry("NIFTY261208C24000", 150, price=Decimal("100.03")))
    [three] = trader.post(an_entry("NIFTY261208C24000", 130, price=Decimal("100.03")))
    assert "the lot of NFO NIFTY08DEC26C24000 is 65: expected 65" in (one.reason_message or "")
    assert "expected 130 or 195" in (two.reason_message or "")
    assert "expected 100 or 100.05" in (three.reason_message or "")


def test_one_leg_that_does_not_fit_blocks_the_group(make):
    trader = make()
    first, second = trader.post(an_entry("NIFTY261208C24000"), an_entry("NIFTY261208C24100", 50))
    assert (first.tag, second.tag) == ("GUARD_BLOCKED:GROUP_INCOMPLETE", "VALIDATION_FAILED:LOT_SIZE")


def test_both_sides_of_one_contract_under_two_names_are_refused(make):
    trader = make(is_real=False)
    legs = trader.post(an_entry("NIFTY261208C24000"), an_entry("NIFTY26D0824000CE", side=Side.SELL))
    assert [each.tag for each in legs] == ["VALIDATION_FAILED:INSTRUMENT_AMBIGUOUS"] * 2


def test_a_simulated_market_takes_any_size_price_and_age(make):
    trader = make(is_real=False)
    [odd] = trader.post(an_entry("NIFTY261208C24000", 50, price=Decimal("100.03")))
    [old] = trader.post(an_entry("NIFTY26NOV24500CE", exchange="NFO"))
    [index] = trader.post(an_entry("NIFTY"))
    assert (odd.symbol, odd.tag) == ("NIFTY08DEC26C24000", None)
    assert (old.symbol, old.tag) == ("NIFTY26NOV24500CE", None)
    assert index.tag == "VALIDATION_FAILED:INSTRUMENT_NOT_TRADABLE"


@pytest.mark.parametrize("is_real", [False, True])
def test_of_an_exchange_that_no_list_is_of_a_simulated_market_alone_takes_names_as_they_come(make, is_real):
    trader = make(is_real=is_real)
    [order] = trader.post(an_entry("BTCUSDT", exchange="BINANCE"))
    assert (order.symbol, order.tag) == (
        "BTCUSDT",
        "VALIDATION_FAILED:INSTRUMENT_UNKNOWN" if is_real else None,
    )


@pytest.mark.parametrize("age", [0, 1, 3, 4, -1, -2])
def test_entries_wait_for_a_master_that_is_not_too_old(make, age):
    store = MemoryInstruments()
    load(store, day=TODAY - timedelta(days=age))
    trader = make(store=store)
    [order] = trader.post(an_entry("NIFTY261208C24000"))
    is_known = -1 <= age <= 3
    assert order.tag == (None if is_known else "GUARD_BLOCKED:INSTRUMENTS_STALE")
    notes = trader.story()[0].get("notes", ())
    assert any("by the master of" in note for note in notes) == (is_known and age != 0)


@pytest.mark.parametrize("store", [MemoryInstruments(), Gone()])
def test_without_a_master_entries_wait_at_a_real_broker_alone_and_exits_go(tmp_path, store):
    for is_real, tag in ((True, "GUARD_BLOCKED:INSTRUMENTS_STALE"), (False, None)):
        folder = tmp_path / str(is_real)
        folder.mkdir()
        trader = Trader(folder, store, is_real=is_real)
        trader.hold("NIFTY08DEC26C24000")
        [blocked] = trader.post(an_entry("NIFTY08DEC26C24100", exchange="NFO"))
        [going] = trader.post(an_exit("NIFTY08DEC26C24000", exchange="NFO"), **EXIT)
        assert (blocked.tag, going.tag, going.symbol) == (tag, None, "NIFTY08DEC26C24000")


def test_entries_are_taken_back_under_any_of_their_names_and_without_any_master(make, tmp_path):
    trader = make()
    [order] = trader.post(an_entry("NIFTY08DEC26C24000"))
    assert order.tag is None
    for store, name in (
        (None, "NIFTY261208C24000"),
        (MemoryInstruments(), "NIFTY08DEC26C24000"),
        (Gone(), order.symbol),
    ):
        if store is not None:
            folder = tmp_path / str(id(store))
            folder.mkdir()
            trader = Trader(folder, store, is_real=False)
            [order] = trader.post(an_entry(name, exchange=order.exchange))
            trader.resolve._clients = {"default": ClientMaster("paper", is_real=True)}
        asked = an_entry(name, qty=None, side=None, order_type=OrderType.MARKET, price=None, product="")
        asked = replace(asked, kind=LegKind.CANCEL, exchange="NSE" if store is None else order.exchange)
        receipt = trader.desk.commands.register(
            replace(entry(an_entry(name)), execution_type=ExecutionType.CANCEL, legs=(asked,)),
            trader.desk.delivery(),
        )
        assert [each.order.command_id for each in receipt.cancels or ()] == [order.command_id], name


def test_what_waited_for_a_master_may_come_again(make):
    store = MemoryInstruments()
    trader = make(store=store)
    [waits] = trader.post(an_entry("NIFTY261208C24000"))
    load(store)
    [goes] = trader.post(an_entry("NIFTY261208C24000"))
    assert (waits.tag, goes.tag) == ("GUARD_BLOCKED:INSTRUMENTS_STALE", None)


@pytest.mark.parametrize(
    "name",
    [
        "NIFTY261208C24000",
        "NIFTY26D0824000CE",
        "NIFTY08DEC2624000CE",
        "NIFTY08DEC26C24000",
        "NIFTY-DEC2026-24000-CE",
    ],
)
def test_an_exit_closes_what_is_held_under_any_of_its_names(make, name):
    trader = make()
    trader.hold("NIFTY08DEC26C24000")
    [order] = trader.post(an_exit(name), **EXIT)
    assert (order.exchange, order.symbol, order.side, order.quantity, order.tag) == (
        "NFO", "NIFTY08DEC26C24000", Side.SELL, 65, None,
    )  # fmt: skip


def test_an_exit_of_a_continuous_future_closes_the_contract_that_is_held(make):
    trader = make(rules=RULES)
    trader.hold("NIFTY25JAN27F")
    [order] = trader.post(an_exit("NIFTY1!"), **EXIT)
    assert order.symbol == "NIFTY25JAN27F"
    assert "its strategy holds NFO NIFTY25JAN27F, which the exit closes" in trader.story()[0]["notes"]


@pytest.mark.parametrize(
    ("name", "gone", "rules"),
    [
        ("NIFTY261201C24000", "NIFTY01DEC26C24000", NO_RULES),
        ("NIFTY26D0124000CE", "NIFTY01DEC26C24000", NO_RULES),
        ("INFY", "INFY-EQ", NO_RULES),
        ("NIFTY1!", "NIFTY29DEC26F", RULES),
    ],
)
def test_an_exit_closes_what_was_entered_by_its_name_though_the_lists_lack_it_now(
    make, masters, name, gone, rules
):
    trader = make(rules=rules)
    [entered] = trader.post(an_entry(name))
    assert (entered.symbol, entered.tag) == (gone, None)
    fill(trader, entered)
    lists_without(masters, gone)
    [order] = trader.post(an_exit(name), **EXIT)
    assert (order.exchange, order.symbol, order.side, order.quantity) == (
        entered.exchange,
        gone,
        Side.SELL,
        65,
    )
    note = f"its strategy holds {entered.exchange} {gone}, entered as NSE {name}, which the exit closes"
    assert note in json.loads(order.context_json or "")["instrument"]["notes"]


def test_what_another_strategy_entered_by_the_name_is_not_closed(make, masters):
    trader = make()
    [entered] = trader.post(an_entry("NIFTY261201C24000"), strategy_name="ANOTHER")
    fill(trader, entered)
    lists_without(masters, entered.symbol)
    [order] = trader.post(an_exit("NIFTY261201C24000"), **EXIT)
    assert order.symbol == "NIFTY261201C24000"


def fill(trader: Trader, order: Order) -> None:
    """Let the broker fill an entry."""

    def work(tx: Transaction) -> None:
        at = trader.desk.clock.now()
        claim = tx.apply(claimed(order, at=at, claimant="w1"))
        done = {"broker_order_id": "B1", "filled_quantity": order.quantity, "average_price": Decimal(100)}
        tx.apply(advance(claim, Phase.FILLED, at=at, actor="w1", **done))

    trader.desk.store.write(work)


def lists_without(masters: MemoryInstruments, symbol: str) -> None:
    """Load lists that lack an instrument."""
    rows = [each for each in listed() if not isinstance(each, Instrument) or each.symbol != symbol]
    masters.load(MasterFacts("paper", TODAY, AT), rows, lambda _: None)


def test_an_exit_that_may_mean_two_contracts_which_are_both_held_closes_neither(make):
    trader = make()
    trader.hold("NIFTY08DEC26C24000")
    trader.hold("NIFTY15DEC26C24000")
    [order] = trader.post(an_exit("NIFTY-DEC2026-24000-CE"), **EXIT)
    assert order.symbol == "NIFTY-DEC2026-24000-CE"
    trader.desk.settle()
    assert trader.desk.order(order.command_id).tag == "GUARD_BLOCKED:NO_POSITION"


def test_an_exit_of_what_was_entered_before_there_was_a_master_closes_that(make):
    trader = make()
    trader.hold("NIFTY261208C24000", "NSE")
    [order] = trader.post(an_exit("NIFTY261208C24000"), **EXIT)
    assert (order.exchange, order.symbol) == ("NSE", "NIFTY261208C24000")


@pytest.mark.parametrize(
    "name", ["NIFTY261208C24010", "NIFTY26NOV24500CE", "NIFTY", "NIFTY1!", "WHATEVER", "!"]
)
def test_no_name_stops_an_exit_of_what_is_held_as_it_is_called(make, name):
    trader = make()
    trader.hold(name, "NSE")
    [order] = trader.post(an_exit(name, 7), **EXIT)
    assert (order.symbol, order.quantity, order.tag) == (name, 7, None)


def test_a_symbol_of_the_strategies_file_is_the_brokers_own_and_may_be_a_rules_name(make):
    trader = make(rules=RULES)
    [own] = trader.post(an_entry("NIFTY08DEC26C24000", exchange="NFO"))
    [future] = trader.post(an_entry("NIFTY1!", exchange="NFO"))
    assert (own.symbol, future.symbol) == ("NIFTY08DEC26C24000", "NIFTY29DEC26F")


def test_the_same_alert_is_a_duplicate_after_its_contract_was_renamed(make, masters):
    trader = make()
    [first] = trader.post(an_entry("NIFTY261208C24000"), signal_id="s")
    other = [replace(each, symbol=f"{each.symbol}X") for each in _rows(masters)]
    masters.load(MasterFacts("paper", TODAY, AT), other, lambda _: None)
    [again] = trader.post(an_entry("NIFTY261208C24000"), signal_id="s")
    assert (first.tag, again.tag) == (None, "DUPLICATE_BLOCKED:SIGNAL_ALREADY_SEEN")


def _rows(masters: MemoryInstruments) -> list[Instrument]:
    master = masters.current("paper")
    assert master is not None
    return master.beginning("NIFTY", 500)


def test_contracts_expire_by_the_markets_clock(make):
    trader = make()
    late = datetime(2026, 12, 1, 18, 31, tzinfo=ZoneInfo("UTC"))  # 00:01 of the next day there
    for at, expected in ((late - timedelta(minutes=2), None), (late, "INSTRUMENT_EXPIRED")):
        [done] = trader.resolve(entry(an_entry("NIFTY01DEC26C24000", exchange="NFO")), at).legs
        assert (done.instrument and done.instrument.refusal) == expected


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.text(max_size=40) | st.from_regex(r"(NIFTY|GOLDM?|BSX|M_M)[0-9A-Z!:./ -]{0,20}", fullmatch=True),
    st.sampled_from(["NSE", "NFO", "BSE", "MCX", "X", ""]),
    st.booleans(),
)
def test_whatever_the_name_is_an_exit_gets_no_refusal_and_an_entry_is_itself_or_refused(
    name, exchange, is_exit
):
    resolve = ResolveInstruments(
        LOADED, {"default": ClientMaster("paper", True)}, defaults=AlertDefaultsBook(RULES), zone=ZONE
    )
    asked: ParsedAlert = (
        entry(an_exit(name, exchange=exchange), **EXIT)
        if is_exit
        else entry(an_entry(name, exchange=exchange))
    )
    [done] = resolve(asked, AT).legs
    choice = done.instrument
    assert choice is not None
    assert choice.asked == (exchange, name)
    if is_exit:
        assert choice.refusal is None
    else:
        assert (choice.refusal is None) == (choice.instrument is not None)
    if choice.instrument is None:
        assert (done.exchange, done.symbol) == (exchange, name)
