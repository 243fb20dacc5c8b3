"""The rate limit seen from the whole engine: who is turned away goes later, once, and entries see exits that wait."""

from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest

from app.clock_steps import ClockSteps
from app.container import Services
from app.settings import load_settings
from broker.simulated_exchange.model import Mark
from broker.simulator.faults import EXPIRED, Fault, FaultKind, FaultPlan
from broker.simulator.server import SimulatorServer
from broker.simulator.service import OAUTH_BASE, Simulator
from broker.simulator.sessions import Credentials
from domain.alert import Delivery
from domain.broker_reports import OrderRef
from domain.enums import ExecutionType
from domain.errors import NotSent, ReadFailed, Refused
from domain.states import Status
from persistence.sqlite.migrations import migrate
from tests.adapters import adapter_of
from tests.contract.broker_contract import a_command
from tests.support import entry, leg

ORDERS = 23
EACH_FIFTH = tuple(
    Fault(kind=FaultKind.REFUSE, endpoint="PlaceOrder", status=429, emsg="Too Many Requests", skip=n, times=1)
    for n in range(4, 60, 5)
)


@pytest.fixture
def simulator(clock):
    return Simulator(clock, accounts={"FA1": Credentials(access_token="token")})


@pytest.fixture
def services(tmp_path, clock, simulator):
    """The services as production makes them, of an account at the simulator; waiting for a place moves the clock."""
    server = SimulatorServer(simulator)
    server.start()
    environment = {
        "ORDERS_DB": str(tmp_path / "orders.db"),
        "WEBHOOK_SECRET": "a secret for the webhook",
        "CONSOLE_TOKEN": "a token for the console",
        "BROKER": "shoonya",
        "LIVE_TRADING": "true",
        "SHOONYA_API_URL": f"{server.url}/{OAUTH_BASE}",
        "SHOONYA_USER_ID": "FA1",
        "SHOONYA_ACCESS_TOKEN": "token",
    }
    settings = load_settings(environment, dotenv_path=None)
    migrate(settings.orders_db)
    made = Services(settings, clock)
    # The kernel's count goes with the clock that this test moves: nobody sets it.
    counted = ClockSteps(clock, tmp_path / "clock.json", counted=lambda: clock.now().timestamp(), boot="one")
    vars(made)["steadiness"] = counted
    adapter_of(made)._budget._sleep = lambda seconds: clock.advance(seconds=seconds)
    yield made
    adapter_of(made).close()
    made.store.close()
    server.stop()


def post(services, *legs, **changes):
    delivery = Delivery(services.clock.now(), "127.0.0.1", "{}", "native")
    receipt = services.commands.register(entry(*legs, **changes), delivery)
    return [order.command_id for order in receipt.legs]


def settle(services, engine, ids):
    """Tick until all of them are at their end."""
    for _ in range(200):
        engine.tick()
        services.clock.advance(seconds=0.3)
        orders = [services.store.get_by_id(command_id) for command_id in ids]
        if all(order.status in (Status.EXECUTED, Status.FAILED) for order in orders):
            return orders
    raise AssertionError([order.phase for order in orders])


def test_what_a_429_turns_away_goes_later_and_once(services, simulator):
    services.store.claimants.enter("watcher")
    engine = services.engine("watcher")
    engine.tick()
    simulator.faults.put(FaultPlan(faults=EACH_FIFTH))
    symbols = [f"NIFTY{n:05d}CE" for n in range(ORDERS)]
    entries = settle(services, engine, post(services, *(leg(symbol) for symbol in symbols)))
    exits = [leg(symbol, side=None, quantity=None) for symbol in symbols]
    leaving = settle(services, engine, post(services, *exits, execution_type=ExecutionType.EXIT))

    assert {order.status for order in entries + leaving} == {Status.EXECUTED}
    taken = Counter(ticket.remarks for ticket, _ in simulator.exchange.orders(None))
    assert taken == Counter(order.client_order_id for order in entries + leaving)
    services.clock.advance(seconds=61)  # the looks for what was turned away took places of that minute
    assert not any(position.net_quantity for position in adapter_of(services).read_positions().positions)
    turned_away = sum(fault.get("struck", 0) for fault in simulator.faults.report())
    assert turned_away == (2 * ORDERS - 1) // 4  # each fifth call, and each of those was made again
    told = "SELECT count(*) FROM order_events WHERE from_phase = 'SUBMITTING' AND to_phase = 'REGISTERED'"
    assert services.store._rows(told) == [(turned_away,)]


@pytest.mark.parametrize("emsg", [EXPIRED, "Too Many Requests"])
def test_what_is_turned_away_and_taken_all_the_same_is_one_order(services, simulator, emsg):
    """The broker's word that the session had ended, or that the rate was exceeded, for an order that it then has."""
    services.store.claimants.enter("watcher")
    engine = services.engine("watcher")
    engine.tick()
    lies = Fault(kind=FaultKind.REFUSE_AFTER, endpoint="PlaceOrder", emsg=emsg, times=1)
    simulator.faults.put(FaultPlan(faults=(lies,)))
    [held] = settle(services, engine, post(services, leg("HELD")))
    simulator.faults.put(FaultPlan(faults=(lies,)))
    asked = services.clock.at
    leaving = post(services, leg("HELD", side=None, quantity=None), execution_type=ExecutionType.EXIT)
    [gone] = settle(services, engine, leaving)
    assert services.clock.at - asked < timedelta(seconds=6)
    tags = [ticket.remarks for ticket, _ in simulator.exchange.orders(None)]
    assert tags == [held.client_order_id, gone.client_order_id], "one of them was sent again"
    assert {held.status, gone.status} == {Status.EXECUTED}


def test_an_entry_takes_no_place_while_an_exit_waits_to_be_sent(services, simulator):
    broker = adapter_of(services)
    (waiting,) = post(services, leg(side=None), execution_type=ExecutionType.EXIT)
    with pytest.raises(NotSent) as error:
        broker.place(a_command())
    assert error.value.code == "RATE_LIMIT"
    assert simulator.calls()["received"] == {}

    services.store.claimants.enter("watcher")
    settle(services, services.engine("watcher"), [waiting])  # there is no position: it ends blocked
    assert broker.place(a_command()).broker_order_id


MINUTE_IS_FULL = "Invalid Input : Order Recieved 121 in a current minute exceeds Limit 120 for user"


def rounds(services, engine, simulator, holds, seconds):
    """As a watcher's threads take turns, until it holds; the longest time without a read of the book, in seconds."""
    began = last = services.clock.at
    reads, widest = simulator.calls()["processed"]["OrderBook"], 0.0
    while not holds() and services.clock.at < began + timedelta(seconds=seconds):
        engine.execute_next("default")
        engine.reconcile("default")
        engine.refresh("default")
        now = simulator.calls()["processed"]["OrderBook"]
        widest = max(widest, (services.clock.at - last).total_seconds())
        last, reads = (services.clock.at, now) if now > reads else (last, reads)
        services.clock.advance(seconds=0.1)
    return widest


def test_entries_beyond_the_minute_go_later_and_an_exit_among_them_at_once(services, simulator):
    services.store.claimants.enter("watcher")
    engine = services.engine("watcher")
    engine.tick()
    [held] = settle(services, engine, post(services, leg("HELD")))
    services.clock.advance(seconds=60)
    engine.tick()
    simulator.faults.put(FaultPlan(faults=(Fault(kind=FaultKind.MINUTE_LIMIT, per_minute=120),)))
    simulator.exchange.set_mark("NFO", "RESTING", Mark(Decimal(100)), ls=None, ti=None)
    post(services, leg("RESTING", price=Decimal(50)))  # for whose sake the book is read
    engine.execute_next("default")
    entries = post(services, *(leg(f"NIFTY{n:05d}CE") for n in range(120)))

    def all_of(*statuses):
        return all(services.store.get_by_id(command_id).status in statuses for command_id in entries)

    assert rounds(services, engine, simulator, lambda: False, 40) <= 11
    assert not all_of(Status.SENT_TO_BROKER, Status.EXECUTED), "the minute has no more for entries"
    asked = services.clock.at
    (leaving,) = post(services, leg("HELD", side=None, quantity=None), execution_type=ExecutionType.EXIT)
    rounds(services, engine, simulator, lambda: services.store.get_by_id(leaving).broker_order_id, 1)
    assert services.store.get_by_id(leaving).broker_order_id
    assert services.clock.at - asked < timedelta(seconds=1)

    rounds(services, engine, simulator, lambda: all_of(Status.EXECUTED, Status.FAILED), 200)
    assert held.status is Status.EXECUTED and all_of(Status.EXECUTED)
    assert [fault.get("struck", 0) for fault in simulator.faults.report()] == [0]


@pytest.mark.parametrize("refused", ["OrderBook", "PlaceOrder"])
def test_a_minute_that_others_have_used_up_is_left_to_exits(services, simulator, refused):
    broker = adapter_of(services)
    broker.place(a_command())
    broker.read_positions()
    words = Fault(kind=FaultKind.REFUSE, endpoint=refused, emsg=MINUTE_IS_FULL, times=1)
    simulator.faults.put(FaultPlan(faults=(words,)))
    with pytest.raises((NotSent, ReadFailed), match="exceeds Limit 120"):
        broker.read_book([]) if refused == "OrderBook" else broker.place(a_command("second"))
    before = simulator.calls()["received"]
    for call in (lambda: broker.place(a_command("second")), broker.read_positions):
        with pytest.raises((NotSent, ReadFailed), match="the broker has counted more calls"):
            call()
    assert simulator.calls()["received"] == before
    broker.read_positions(urgent=True)
    with pytest.raises(Refused, match="no live order"):  # it was looked up
        broker.cancel(OrderRef("an order without a number", None))
    assert broker.place(a_command("third", execution_type=ExecutionType.EXIT)).broker_order_id
    services.clock.advance(seconds=61)
    assert broker.place(a_command("second")).broker_order_id
