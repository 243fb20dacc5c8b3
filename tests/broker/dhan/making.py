"""Dhan brokers, the list of instruments that they have, and rows as the wire writes them."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from broker.budgets import Budgets
from broker.dhan.adapter import DhanBroker
from broker.dhan.settings import Account
from broker.http_calls import Timeouts
from broker.known_order_numbers import ZONE
from broker.rate_limit.limiter import Rate, RateBudget
from broker.simulator.dhan import DhanWire
from broker.simulator.server import SimulatorServer
from broker.simulator.service import Simulator
from broker.simulator.sessions import Credentials
from domain.instruments.instrument import Instrument, Kind, MasterFacts
from domain.times import trading_day
from persistence.memory.instruments import MemoryMaster
from tests.contract.broker_contract import SYMBOL

CLIENT, TOKEN = "1100000001", "eyJ.token"
ACCOUNTS = {CLIENT: Credentials(access_token=TOKEN)}
FAST = Timeouts(connect=2.0, read=2.0, send_within=2.0)
TAG = "ow3fjk2lqp7wz5xv9bnd"
LOT, TICK = Decimal(1), Decimal("0.05")


def an_option(symbol: str, token: str, expiry: date) -> Instrument:
    return Instrument("NFO", symbol, token, Kind.CALL, "NIFTY", expiry, Decimal(24500), LOT, TICK)


CE = an_option(SYMBOL, "1001", date(2026, 11, 24))
FIRST_WEEK = an_option("NIFTY-24NOV2026-24500-CE", "41001", date(2026, 11, 24))
LATER_WEEK = an_option("NIFTY-01DEC2026-24500-CE", "41002", date(2026, 12, 1))
SHARE = Instrument("NSE", "SBIN", "3045", Kind.EQUITY, "SBIN", lot=LOT, tick=TICK, series="EQ")
LISTED = (CE, FIRST_WEEK, LATER_WEEK, SHARE)


def master_of(clock, rows=LISTED, *, days_old: int = 0):
    """Returns what returns a list of these rows, which is of today or so many days old."""

    def master():
        today = date.fromordinal(trading_day(clock.now(), ZONE).toordinal() - days_old)
        return None if rows is None else MemoryMaster(MasterFacts("dhan", today, clock.now()), rows)

    return master


def make(
    url,
    clock,
    tmp_path,
    *,
    master=None,
    timeouts=FAST,
    protection=Decimal(3),
    rate=10_000,
    horizon=180.0,
    has_prices=False,
    **account,
):
    budgets = Budgets(
        *(RateBudget(tmp_path / name, clock, Rate(rate)) for name in ("orders", "reads", "quotes"))
    )
    return DhanBroker(
        replace(Account(CLIENT, TOKEN, url), **account),
        clock,
        master or master_of(clock),
        budgets=budgets,
        timeouts=timeouts,
        protection_percent=protection,
        acceptance_horizon=horizon,
        has_prices=has_prices,
    )


def a_server(clock, journal=None) -> SimulatorServer:
    """A simulated broker that speaks DhanHQ and knows the list's ids, started."""
    simulator = Simulator(clock, journal=journal, accounts=ACCOUNTS)
    symbols = {(each.exchange, each.token): each.symbol for each in LISTED}
    server = SimulatorServer(simulator, route=DhanWire(simulator, lambda *place: symbols.get(place)))
    server.start()
    for each in LISTED:
        simulator.exchange.know(each.exchange, each.symbol, each.token)
    return server


def order_row(**changes):
    row = {
        "dhanClientId": CLIENT,
        "orderId": "112111182045",
        "correlationId": TAG,
        "orderStatus": "PENDING",
        "transactionType": "BUY",
        "exchangeSegment": "NSE_FNO",
        "productType": "INTRADAY",
        "orderType": "LIMIT",
        "tradingSymbol": "NIFTY-Nov2026-24500-CE",
        "drvExpiryDate": "2026-11-24",
        "securityId": FIRST_WEEK.token,
        "quantity": 50,
        "price": 112.5,
        "triggerPrice": 0.0,
        "createTime": "2026-11-20 09:31:05",
        "updateTime": "2026-11-20 09:31:05",
        "exchangeTime": "0001-01-01 00:00:00",
        "omsErrorDescription": "CONFIRMED",
        "remainingQuantity": 50,
        "averageTradedPrice": 0.0,
        "filledQty": 0,
    }
    return {name: value for name, value in (row | changes).items() if value is not ...}


def position_row(**changes):
    row = {
        "dhanClientId": CLIENT,
        "tradingSymbol": "NIFTY-Nov2026-24500-CE",
        "drvExpiryDate": "2026-11-24",
        "securityId": FIRST_WEEK.token,
        "positionType": "SHORT",
        "exchangeSegment": "NSE_FNO",
        "productType": "INTRADAY",
        "costPrice": 112.5,
        "netQty": -50,
        "realizedProfit": 10.0,
        "unrealizedProfit": 276.25,
    }
    return {name: value for name, value in (row | changes).items() if value is not ...}
