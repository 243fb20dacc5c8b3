"""Zerodha brokers, what they are told, and answers as the wire writes them."""

from dataclasses import replace
from decimal import Decimal

from broker.budgets import Budgets
from broker.http_calls import Timeouts
from broker.rate_limit.limiter import Rate, RateBudget
from broker.simulator.kite import KiteWire
from broker.simulator.server import SimulatorServer
from broker.simulator.service import Simulator
from broker.simulator.sessions import Credentials
from broker.zerodha.adapter import ZerodhaBroker
from broker.zerodha.settings import Account

USER, KEY, SECRET, TOKEN = "AB1234", "key", "secret", "token"
ACCOUNT = Account(USER, KEY, TOKEN)
ACCOUNTS = {USER: Credentials(oauth_client_id=KEY, api_secret=SECRET, access_token=TOKEN)}
FAST = Timeouts(connect=1.0, read=0.4, send_within=2.0)
TAG = "ow3fjk2lqp7wz5xv9bnd"


def make(
    url, clock, tmp_path, *, timeouts=FAST, protection=Decimal(3), rate=10_000, horizon=180.0, **account
):
    budgets = Budgets(
        *(RateBudget(tmp_path / name, clock, Rate(rate)) for name in ("orders", "reads", "quotes"))
    )
    return ZerodhaBroker(
        replace(ACCOUNT, api_url=url, **account),
        clock,
        budgets=budgets,
        timeouts=timeouts,
        protection_percent=protection,
        acceptance_horizon=horizon,
    )


def a_server(clock, journal=None, **options) -> SimulatorServer:
    """A simulated broker that speaks Kite Connect, started."""
    simulator = Simulator(clock, journal=journal, accounts=ACCOUNTS)
    server = SimulatorServer(simulator, route=KiteWire(simulator, **options))
    server.start()
    return server


def order_row(**changes):
    row = {
        "placed_by": USER,
        "order_id": "261120000000001",
        "status": "OPEN",
        "status_message": None,
        "order_timestamp": "2026-11-20 09:31:05",
        "exchange": "NFO",
        "tradingsymbol": "NIFTY26NOV24500CE",
        "order_type": "LIMIT",
        "transaction_type": "BUY",
        "product": "MIS",
        "quantity": 50,
        "price": 112.5,
        "average_price": 0,
        "filled_quantity": 0,
        "tag": TAG,
    }
    return {name: value for name, value in (row | changes).items() if value is not ...}


def position_row(**changes):
    row = {
        "exchange": "NFO",
        "tradingsymbol": "NIFTY26NOV24500CE",
        "product": "MIS",
        "quantity": -50,
        "average_price": 112.5,
        "last_price": 110,
        "pnl": 801,
        "m2m": 276.25,
        "realised": 0,
        "unrealised": 801,
    }
    return {name: value for name, value in (row | changes).items() if value is not ...}
