"""Alpaca brokers, what they are told, and rows as the wire writes them."""

from dataclasses import replace

from broker.alpaca.adapter import AlpacaBroker
from broker.alpaca.settings import Account
from broker.budgets import Budgets
from broker.http_calls import Timeouts
from broker.rate_limit.limiter import Rate, RateBudget
from broker.simulator.alpaca import AlpacaWire
from broker.simulator.server import SimulatorServer
from broker.simulator.service import Simulator
from broker.simulator.sessions import Credentials
from tests.contract.broker_contract import EXCHANGE, PRODUCT

NUMBER, KEY, SECRET = "PA3TEST00001", "PKTEST", "the-secret"
ACCOUNTS = {NUMBER: Credentials(access_token=f"{KEY}:{SECRET}")}
FAST = Timeouts(connect=2.0, read=2.0, send_within=2.0)
TAG = "ow3fjk2lqp7wz5xv9bnd"
ID = "61e69015-8549-4bfd-b9c3-01e75843f47d"


def make(url, clock, tmp_path, *, timeouts=FAST, rate=10_000, horizon=180.0, **account):
    """An adapter for orders and positions under the exchange and product of the contract's commands."""
    budgets = Budgets(
        *(RateBudget(tmp_path / name, clock, Rate(rate)) for name in ("orders", "reads", "quotes"))
    )
    own = Account(NUMBER, KEY, SECRET, url, url, sandbox=True, exchange=EXCHANGE, product=PRODUCT)
    return AlpacaBroker(
        replace(own, **account), clock, budgets=budgets, timeouts=timeouts, acceptance_horizon=horizon
    )


def a_server(clock, journal=None) -> SimulatorServer:
    """A simulated broker that speaks Alpaca's API, started."""
    simulator = Simulator(clock, journal=journal, accounts=ACCOUNTS, market_orders=True)
    server = SimulatorServer(simulator, route=AlpacaWire(simulator))
    server.start()
    return server


def order_row(**changes):
    row = {
        "id": ID,
        "client_order_id": TAG,
        "created_at": "2026-11-20T04:00:05.123456789Z",
        "updated_at": "2026-11-20T04:00:06.123456789Z",
        "submitted_at": "2026-11-20T04:00:05.123456789Z",
        "filled_at": None,
        "replaced_by": None,
        "asset_class": "us_equity",
        "symbol": "AAPL",
        "notional": None,
        "qty": "50",
        "filled_qty": "0",
        "filled_avg_price": None,
        "order_class": "",
        "type": "limit",
        "side": "buy",
        "time_in_force": "day",
        "limit_price": "112.5",
        "stop_price": None,
        "status": "new",
        "extended_hours": False,
        "legs": None,
    }
    return {name: value for name, value in (row | changes).items() if value is not ...}


def position_row(**changes):
    row = {
        "symbol": "AAPL",
        "exchange": "NASDAQ",
        "asset_class": "us_equity",
        "qty": "1.5",
        "avg_entry_price": "187.3",
        "side": "long",
        "unrealized_pl": "30",
        "unrealized_intraday_pl": "2.25",
        "current_price": "207.3",
    }
    return {name: value for name, value in (row | changes).items() if value is not ...}


def account_row(**changes):
    return {"account_number": NUMBER, "equity": "100000", "last_equity": "100000"} | changes
