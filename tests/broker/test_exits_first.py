"""The rate limit seen from the whole engine: who is turned away goes later, once, and entries see exits that wait."""

from collections import Counter

import pytest

from broker.simulator.faults import Fault, Kind, Plan
from broker.simulator.server import SimulatorServer
from broker.simulator.service import OAUTH_BASE, Simulator
from broker.simulator.sessions import Credentials
from config.settings import load_settings
from domain.alert import Delivery, ExecutionType
from domain.errors import NotSent
from domain.states import Status
from persistence.migrations import migrate
from services import Services
from tests.contract.broker_contract import a_command
from tests.support import entry, leg

ORDERS = 23
EACH_FIFTH = tuple(
    Fault(kind=Kind.REFUSE, endpoint="PlaceOrder", status=429, emsg="Too Many Requests", skip=n, times=1)
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
        "WEBHOOK_SECRET": "secret",
        "CONSOLE_TOKEN": "token",
        "BROKER": "shoonya",
        "LIVE_TRADING": "true",
        "SHOONYA_API_URL": f"{server.url}/{OAUTH_BASE}",
        "SHOONYA_USER_ID": "FA1",
        "SHOONYA_ACCESS_TOKEN": "token",
    }
    settings = load_settings(environment, dotenv_path=None)
    migrate(settings.orders_db)
    made = Services(settings, clock)
    made.brokers["default"]._budget._sleep = lambda seconds: clock.advance(seconds=seconds)
    yield made
    made.brokers["default"].close()
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
    simulator.faults.put(Plan(faults=EACH_FIFTH))
    symbols = [f"NIFTY{n:05d}CE" for n in range(ORDERS)]
    entries = settle(services, engine, post(services, *(leg(symbol) for symbol in symbols)))
    exits = [leg(symbol, side=None, quantity=None) for symbol in symbols]
    leaving = settle(services, engine, post(services, *exits, execution_type=ExecutionType.EXIT))

    assert {order.status for order in entries + leaving} == {Status.EXECUTED}
    taken = Counter(ticket.remarks for ticket, _ in simulator.exchange.orders(None))
    assert taken == Counter(order.client_order_id for order in entries + leaving)
    assert not any(
        position.net_quantity for position in services.brokers["default"].read_positions().positions
    )
    turned_away = sum(fault.get("struck", 0) for fault in simulator.faults.report())
    assert turned_away == (2 * ORDERS - 1) // 4  # each fifth call, and each of those was made again
    told = "SELECT count(*) FROM order_events WHERE from_phase = 'SUBMITTING' AND to_phase = 'REGISTERED'"
    assert services.store._rows(told) == [(turned_away,)]


def test_an_entry_takes_no_place_while_an_exit_waits_to_be_sent(services, simulator):
    broker = services.brokers["default"]
    (waiting,) = post(services, leg(side=None), execution_type=ExecutionType.EXIT)
    with pytest.raises(NotSent) as error:
        broker.place(a_command())
    assert error.value.code == "RATE_LIMIT"
    assert simulator.calls()["received"] == {}

    services.store.claimants.enter("watcher")
    settle(services, services.engine("watcher"), [waiting])  # there is no position: it ends blocked
    assert broker.place(a_command()).broker_order_id
