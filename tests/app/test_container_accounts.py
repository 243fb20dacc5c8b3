"""One orders.db, started with the paper broker and then with a real one, and the other way round."""

import sqlite3
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from app.container import Services
from app.settings import load_settings
from broker.simulated_exchange.model import Mark
from broker.simulator.server import SimulatorServer
from broker.simulator.service import OAUTH_BASE, Simulator
from broker.simulator.sessions import Credentials
from console.health import HealthExpectations, loop_checks
from domain.account import BrokerAccount
from domain.alert import Delivery
from domain.first_reads import in_words
from domain.ports import WAITING, Heartbeat
from domain.states import Phase
from engine.account_binding import rebind
from persistence.sqlite.migrations import migrate
from tests.adapters import adapter_of
from tests.app.two_accounts import CLIENTS, environ_of
from tests.contract.broker_contract import EXCHANGE, SYMBOL, ContractClock, a_command
from tests.support import EXIT, MARKET_EXIT, entry, leg

PAPER, REAL = BrokerAccount("paper", "default"), BrokerAccount("shoonya", "FA1")


@pytest.fixture
def clock() -> ContractClock:
    return ContractClock()


@pytest.fixture
def simulator(clock: ContractClock) -> Simulator:
    return Simulator(clock, accounts={"FA1": Credentials(access_token="token")})


@pytest.fixture
def at(tmp_path, clock, simulator):
    """The services of one file at the broker that is named."""
    server = SimulatorServer(simulator)
    server.start()
    environment = {
        "ORDERS_DB": str(tmp_path / "orders.db"),
        "WEBHOOK_SECRET": "a secret for the webhook",
        "CONSOLE_TOKEN": "a token for the console",
        "LIVE_TRADING": "true",
        "SHOONYA_API_URL": f"{server.url}/{OAUTH_BASE}",
        "SHOONYA_USER_ID": "FA1",
        "SHOONYA_ACCESS_TOKEN": "token",
    }

    @contextmanager
    def open_(broker):
        settings = load_settings(environment | {"BROKER": broker}, dotenv_path=None)
        migrate(settings.orders_db)
        made = Services(settings, clock)
        if broker == "shoonya":
            adapter_of(made)._budget._sleep = lambda seconds: clock.advance(seconds=seconds)
        made.store.claimants.enter("watcher")
        yield made
        made.store.claimants.leave("watcher")
        if broker == "shoonya":
            adapter_of(made).close()
        made.store.close()

    yield open_
    server.stop()


def post(services: Services, *legs, **changes):
    delivery = Delivery(services.clock.now(), "127.0.0.1", "{}", "native")
    return services.commands.register(entry(*legs, **changes), delivery).legs[0].command_id


def watch(services, rounds=12):
    engine = services.engine("watcher")
    for _ in range(rounds):
        engine.tick()
        services.clock.advance(seconds=3)
    return engine


def order_of(services: Services, command_id: str):
    order = services.store.get_by_id(command_id)
    assert order is not None
    return order


def orders_at(simulator: Simulator) -> int:
    return len(simulator.exchange.orders(None))


def messages(services: Services) -> list[str]:
    query = "SELECT message FROM telegram_messages WHERE kind = 'SYSTEM' ORDER BY id"
    with closing(sqlite3.connect(services.settings.orders_db)) as connection:
        return [text for (text,) in connection.execute(query)]


def test_what_was_tried_on_paper_never_sells_what_was_bought_by_hand_at_the_real_broker(at, simulator):
    with at("paper") as services:
        watch(services)
        post(services, leg(SYMBOL))
        adapter_of(services).set_mark(EXCHANGE, "NIFTY26NOV24600CE", leg().price)
        resting = post(services, leg("NIFTY26NOV24600CE", price=leg().price / 2), strategy_name="OTHER")
        watch(services)
        held = services.store.holdings("default")
        assert len(held) == 1 and order_of(services, resting).phase is Phase.WORKING
    with at("shoonya") as services:
        simulator.exchange.set_mark(EXCHANGE, SYMBOL, Mark(leg().price), ls=None, ti=None)
        adapter_of(services).place(a_command("by hand"))
        before = orders_at(simulator)
        exit_ = post(services, MARKET_EXIT, **EXIT)
        engine = watch(services)
        assert orders_at(simulator) == before
        assert order_of(services, exit_).phase is Phase.REGISTERED
        assert order_of(services, resting).phase is Phase.WORKING
        assert services.store.holdings("default") == held
        assert str(PAPER) in engine.waits_for("default") and str(REAL) in engine.waits_for("default")
        assert len([text for text in messages(services) if "cli.py rebind default" in text]) == 1
    with at("paper") as services:
        watch(services)
        assert order_of(services, exit_).phase is Phase.FILLED
        assert services.store.holdings("default") == []
        assert [text for text in messages(services) if "served again" in text]


def test_a_real_accounts_rows_outlive_a_start_with_the_paper_broker(at, simulator):
    with at("shoonya") as services:
        simulator.exchange.set_mark(EXCHANGE, SYMBOL, Mark(leg().price), ls=None, ti=None)
        watch(services)
        post(services, leg(SYMBOL))
        watch(services)
        held, saved = services.store.holdings("default"), services.store.saved_positions("default")
        assert len(held) == 1
    with at("paper") as services:
        watch(services)
        assert services.store.holdings("default") == held
        assert services.store.saved_positions("default") == saved
        assert services.store.account("default") == REAL


def test_after_rebinding_the_real_account_is_traded_at(at, simulator):
    with at("paper") as services:
        watch(services)
        post(services, leg(SYMBOL))
        watch(services)
    with at("shoonya") as services:
        simulator.exchange.set_mark(EXCHANGE, SYMBOL, Mark(leg().price), ls=None, ti=None)
        engine = watch(services)
        rebind(services.store, "default", services.settings.default_client.broker_account, by="cli:ann")
        services.clock.advance(minutes=2)
        engine.tick()
        bought = post(services, leg(SYMBOL))
        for _ in range(12):
            engine.tick()
            services.clock.advance(seconds=3)
        assert order_of(services, bought).phase is Phase.FILLED
        assert orders_at(simulator) == 1


def test_it_is_not_ready_and_a_stranger_is_not_told_whose_account_it_is(at):
    with at("paper") as services:
        watch(services)
    with at("shoonya") as services:
        missing, now = watch(services).missing("default"), services.clock.now()
        heartbeats = [Heartbeat("watcher", "reconcile", "default", now, WAITING, in_words(missing), missing)]
        services.store.save_heartbeats(heartbeats)
        expected = HealthExpectations(("default",), 60, 3600)
        found = loop_checks(services.views.heartbeats(), services.views.accounts(), {}, expected, now)
    check = found["broker:default"]
    assert not check.ok
    assert check.sentence.startswith("the rows of default in this orders.db are those of default at paper")
    assert check.public == "default is not served: its rows are those of another account"


def test_each_adapter_says_whose_it_is_as_the_settings_do(tmp_path, clock, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("clients.toml").write_text(
        f'{CLIENTS}\n[clients.carol]\nbroker = "paper"\nwebhook_secret = "three"\n'
    )
    services = Services(load_settings(environ_of(tmp_path)), clock)
    migrate(services.settings.orders_db)
    said = {id_: (b.port.traits.name, b.port.traits.account) for id_, b in services.brokers.items()}
    assert said == {"alice": ("shoonya", "FA1"), "bob": ("shoonya", "FA2"), "carol": ("paper", "carol")}
    configured = {c.client_id: c.broker_account for c in services.settings.clients}
    assert {id_: BrokerAccount(*pair) for id_, pair in said.items()} == configured
