"""The real service at a simulated real broker: names become the broker's own, and what does not fit is not sent."""

import os
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from broker.simulator.server import SimulatorServer
from broker.simulator.service import OAUTH_BASE, Simulator
from broker.simulator.sessions import Credentials
from tests.e2e.service import Service, wait_for
from tests.instruments.writing import MONTHS, dated

HEAD = "Exchange,Token,LotSize,Symbol,TradingSymbol,Expiry,Instrument,OptionType,StrikePrice,TickSize,"


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)


def write_lists(folder: Path, expiry: date, *, lot: int = 65) -> None:
    """A list with calls of one expiry, as the broker publishes it."""
    ends = f"{expiry.day:02}-{MONTHS[expiry.month - 1]}-{expiry.year}"
    rows = [
        f"NFO,{strike},{lot},NIFTY,NIFTY{dated(expiry)}C{strike},{ends},OPTIDX,CE,{strike},0.05,"
        for strike in range(24000, 25000, 100)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "NFO_symbols.txt"
    path.write_text("\n".join([HEAD, *rows]))
    a_minute_ago = time.time() - 60
    os.utime(path, (a_minute_ago, a_minute_ago))


def an_alert(name: str, **changes: Any) -> dict[str, Any]:
    body = {"ticker": name, "action": "buy", "quantity": 65, "product": "NRML", "strategy": "S"}
    return body | {"order_type": "limit", "limit_price": 100} | changes


def refusal_of(service: Service, name: str) -> str:
    """Why an entry of 10 of it is refused now."""
    [leg] = service.post(an_alert(name, quantity=10, signal_id=f"{time.time()}")).json()["legs"]
    return str(service.order(leg["command_id"])["reason_message"])


@pytest.mark.gate
def test_a_charts_name_is_bought_sold_and_refused_by_the_brokers_list(tmp_path: Path) -> None:
    expiry = (datetime.now(UTC) + timedelta(days=20)).date()
    broker = f"NIFTY{dated(expiry)}C24500"
    chart = f"NSE:NIFTY{expiry:%y%m%d}C24500"
    write_lists(tmp_path / "lists" / "shoonya", expiry)
    simulator = Simulator(SystemClock(), accounts={"FA1": Credentials(access_token="token")})
    server = SimulatorServer(simulator)
    server.start()
    settings = {
        "BROKER": "shoonya", "LIVE_TRADING": "true", "SHOONYA_API_URL": f"{server.url}/{OAUTH_BASE}",
        "SHOONYA_USER_ID": "FA1", "SHOONYA_ACCESS_TOKEN": "token", "INSTRUMENTS_DIR": str(tmp_path / "lists"),
        "SHOONYA_CALLS_PER_MINUTE": "0",
    }  # fmt: skip
    try:
        with Service(tmp_path, **settings) as service:
            [bought] = service.post(an_alert(chart)).json()["legs"]
            assert (bought["symbol"], bought["tag"]) == (broker, None)
            assert service.settled(bought["command_id"])["status"] == "EXECUTED"
            refused = {
                "VALIDATION_FAILED:LOT_SIZE": an_alert(chart, quantity=50),
                "VALIDATION_FAILED:TICK_SIZE": an_alert(chart, limit_price=100.03),
                "VALIDATION_FAILED:INSTRUMENT_UNKNOWN": an_alert(chart.replace("24500", "24550")),
                "VALIDATION_FAILED:INSTRUMENT_NOT_TRADABLE": an_alert("NSE:NIFTY"),
                "VALIDATION_FAILED:INSTRUMENT_AMBIGUOUS": an_alert("NSE:NIFTY1!"),
            }
            for tag, body in refused.items():
                [leg] = service.post(body).json()["legs"]
                assert leg["tag"] == tag
            out = {
                "ticker": f"NIFTY{dated(expiry)}24500CE",
                "action": "close",
                "strategy": "S",
                "exchange": "NFO",
            }
            [sold] = service.post(out).json()["legs"]
            assert service.settled(sold["command_id"], 20)["filled_quantity"] == "65"
            sent = simulator.exchange.orders("FA1")
            assert [terms.tsym for terms, _ in sent] == [broker, broker]
            write_lists(tmp_path / "lists" / "shoonya", expiry, lot=75)
            wait_for(lambda: "expected 75" in refusal_of(service, chart), 20, "the new list to be loaded")
    finally:
        server.stop()
