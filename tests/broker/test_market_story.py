"""Market orders through the whole engine, at a broker that takes none: they trade, and their story says how."""

import json

import pytest

from app.container import Services
from app.settings import load_settings
from broker.simulated_exchange.model import Mark
from broker.simulator.faults import Fault, FaultKind, FaultPlan
from broker.simulator.server import SimulatorServer
from broker.simulator.service import OAUTH_BASE, Simulator
from broker.simulator.sessions import Credentials
from domain.alert import Delivery
from domain.enums import OrderType
from domain.money import decimal_text
from domain.stale_orders import why_still_open
from domain.states import Phase, Status
from persistence.sqlite.migrations import migrate
from tests.adapters import adapter_of
from tests.broker.noren.making import d
from tests.contract.broker_contract import EXCHANGE, SYMBOL
from tests.support import entry, leg

TELLS = "sent as a limit order at {}: the broker takes no market orders"


@pytest.fixture
def simulator(clock):
    simulator = Simulator(clock, accounts={"FA1": Credentials(access_token="token")})
    mark(simulator, "100")
    return simulator


@pytest.fixture
def services(tmp_path, clock, simulator):
    server = SimulatorServer(simulator)
    server.start()
    environment = {
        "ORDERS_DB": str(tmp_path / "orders.db"),
        "WEBHOOK_SECRET": "a-secret-of-its-own",
        "CONSOLE_TOKEN": "a token of 16 letters",
        "BROKER": "shoonya",
        "LIVE_TRADING": "true",
        "SHOONYA_API_URL": f"{server.url}/{OAUTH_BASE}",
        "SHOONYA_USER_ID": "FA1",
        "SHOONYA_ACCESS_TOKEN": "token",
        "MARKET_PROTECTION_PERCENT": "5",
    }
    settings = load_settings(environment, dotenv_path=None)
    migrate(settings.orders_db)
    made = Services(settings, clock)
    adapter_of(made)._budget._sleep = lambda seconds: clock.advance(seconds=seconds)
    made.store.claimants.enter("watcher")
    yield made
    adapter_of(made).close()
    made.store.close()
    server.stop()


@pytest.fixture
def engine(services):
    engine = services.engine("watcher")
    engine.tick()  # the positions are read before anything is sent
    return engine


def mark(simulator, price, available=None):
    simulator.exchange.set_mark(EXCHANGE, SYMBOL, Mark(d(price), available), ls=None, ti=None)


def enter(services):
    alert = entry(leg(SYMBOL, order_type=OrderType.MARKET, price=None))
    delivery = Delivery(services.clock.now(), "127.0.0.1", "{}", "native")
    return services.commands.register(alert, delivery).legs[0].command_id


def leave(services):
    return services.commands.submit_exit(
        "default", EXCHANGE, SYMBOL, "MIS", by="op", strategy_name="STRADDLE"
    ).command_id


def work(services, engine, command_id, *, until):
    for _ in range(60):
        engine.tick()
        services.clock.advance(seconds=0.5)
        order = services.store.get_by_id(command_id)
        if order.phase is until:
            return order
    raise AssertionError((order.phase, order.tag, order.reason_message))


def events(services, command_id):
    told = (
        f"SELECT to_phase, detail_json FROM order_events WHERE command_id = '{command_id}' ORDER BY event_id"
    )
    return [(phase, json.loads(detail)) for phase, detail in services.store._rows(told)]


def test_an_entry_and_the_exit_that_closes_it_trade_as_limits(services, engine, simulator):
    entered = work(services, engine, enter(services), until=Phase.FILLED)
    assert entered.reason_message == TELLS.format("105.1")  # 5 % beyond the offer of 100.05
    assert entered.order_type is OrderType.MARKET and entered.average_price == 100
    left = work(services, engine, leave(services), until=Phase.FILLED)
    assert left.reason_message == TELLS.format("94.95")
    assert not any(each.net_quantity for each in adapter_of(services).read_positions().positions)
    shown = [
        (version[-1].order.order_type, version[-1].order.price)
        for _, version in simulator.exchange.orders(None)
    ]
    assert shown == [(OrderType.LIMIT, d("105.1")), (OrderType.LIMIT, d("94.95"))]


def test_the_story_tells_it_once(services, engine):
    command_id = enter(services)
    work(services, engine, command_id, until=Phase.FILLED)
    said = [
        (phase, detail["reason_message"])
        for phase, detail in events(services, command_id)
        if "reason_message" in detail
    ]
    assert said == [("WORKING", TELLS.format("105.1"))]
    placed = [
        text
        for (text,) in services.store._rows("SELECT message FROM telegram_messages WHERE kind = 'PLACED'")
    ]
    assert len(placed) == 1 and "Order placed" in placed[0] and "limit order" not in placed[0]


def test_what_the_market_does_not_take_rests_and_says_so(services, engine, simulator):
    mark(simulator, "100", d(20))
    order = work(services, engine, enter(services), until=Phase.PARTIALLY_FILLED)
    assert order.status is Status.SENT_TO_BROKER and order.reason_message == TELLS.format("105.1")
    assert why_still_open(order) == "20 of 50 filled, the rest waits at the broker"


def test_an_order_that_rests_in_full_is_explained(services, engine, simulator, clock):
    mark(simulator, "100", d(0))
    command_id = enter(services)
    order = work(services, engine, command_id, until=Phase.WORKING)
    for _ in range(4):
        engine.tick()
        clock.advance(seconds=2)
    assert (
        services.store.get_by_id(command_id).event_hash == order.event_hash
    )  # looked at, and nothing to write
    assert why_still_open(order) == f"the broker has it and has filled nothing: {TELLS.format('105.1')}"


def test_an_exit_goes_though_every_quote_is_of_another_instrument(services, engine, simulator):
    work(services, engine, enter(services), until=Phase.FILLED)
    simulator.faults.put(FaultPlan(faults=(Fault(kind=FaultKind.ANOTHER_QUOTE, endpoint="GetQuotes"),)))
    left = work(services, engine, leave(services), until=Phase.FILLED)
    assert left.reason_message == TELLS.format(decimal_text(d("95")))  # 5 % below the last price


def test_an_entry_waits_for_a_quote_of_its_own_symbol(services, engine, simulator):
    simulator.faults.put(
        FaultPlan(faults=(Fault(kind=FaultKind.ANOTHER_QUOTE, endpoint="GetQuotes", times=4),))
    )
    command_id = enter(services)
    engine.tick()
    waiting = services.store.get_by_id(command_id)
    assert waiting.phase is Phase.REGISTERED and "another instrument's" in waiting.reason_message
    assert work(services, engine, command_id, until=Phase.FILLED).average_price == 100


def test_a_refusal_of_a_market_order_names_the_setting(services, engine):
    broker = adapter_of(services)
    broker._protection_percent = None
    order = work(services, engine, enter(services), until=Phase.REFUSED)
    assert order.tag == "BROKER_REJECTED:ALGO_CHK"
    assert "SHOONYA_MARKET_ORDERS=protected" in order.reason_message
