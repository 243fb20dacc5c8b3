"""The real service: an entry in percent of the equity; a spread from one alert, and the exit of what it entered."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.service import SECRET, TOKEN, Service, wait_for
from tests.e2e.test_instruments import write_lists

STRATEGIES = """
[default]
exchange = "NSE"
product = "NRML"

[strategies.Worth]
exchange = "BSE"
sizing = { mode = "percent_of_equity", value = 5 }
prices_of = ["BSE:SBIN"]

[strategies.Straddle.legs]
underlying = "NIFTY"
exchange = "NFO"
expiry = "current_week"
reference = { exchange = "NSE", symbol = "NIFTY 50" }
buy = [{ right = "CE", side = "SELL", strike = "ATM", lots = 1 },
       { right = "CE", side = "BUY", strike = "OTM2", lots = 1 }]
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("sizing")
    write_lists(folder / "lists", (datetime.now(UTC) + timedelta(days=20)).date())
    (folder / "strategies.toml").write_text(STRATEGIES)
    settings = {"STRATEGIES_FILE": str(folder / "strategies.toml"), "INSTRUMENTS_DIR": str(folder / "lists")}
    with Service(folder, POSITIONS_REFRESH_SECONDS="0.2", PAPER_EQUITY="200000", **settings) as running:
        yield running


def post(service: Service, **fields: Any) -> Any:
    return requests.post(f"{service.base}/webhook", json={"secret": SECRET, **fields}, timeout=10).json()


def preview(service: Service, **fields: Any) -> Any:
    head = {"Authorization": f"Bearer {TOKEN}"}
    return requests.post(f"{service.base}/api/preview", json=fields, headers=head, timeout=10).json()


def mark(service: Service, exchange: str, symbol: str, price: float) -> None:
    head = {"Authorization": f"Bearer {TOKEN}"}
    body = {"exchange": exchange, "symbol": symbol, "price": price}
    assert requests.post(f"{service.base}/api/marks", json=body, headers=head, timeout=10).ok


def story(service: Service, leg: Any) -> Any:
    return service.api(f"/api/orders/{leg['command_id']}")


@pytest.mark.gate
def test_five_percent_of_the_equity_become_units_and_the_story_tells_every_number(service: Service) -> None:
    mark(service, "BSE", "SBIN", 812.5)
    buy = {"strategy": "Worth", "ticker": "SBIN", "action": "buy"}
    wait_for(lambda: preview(service, **buy)["legs"][0]["quantity"] == 12, 10, "the equity to be read")
    shown = preview(service, **buy)["legs"][0]["sizing"]
    assert shown["how"] == "5% of 200000 ÷ 812.5 = 12, rounded down to whole units"
    [leg] = post(service, **buy)["legs"]
    assert (leg["quantity"], leg["tag"]) == (12, None)
    done = service.settled(leg["command_id"])
    assert (done["status"], done["filled_quantity"], done["average_price"]) == ("EXECUTED", "12", "812.5")
    told = str(story(service, leg))
    assert "5% of 200000 ÷ 812.5" in told and "the simulated account" in told


@pytest.mark.gate
def test_one_alert_becomes_a_spread_and_its_exit_closes_it_after_the_market_moved(service: Service) -> None:
    buy = {"strategy": "Straddle", "ticker": "NIFTY", "action": "buy", "quantity": 1}
    [refused] = preview(service, **buy)["blocked"]
    assert refused["tag"] == "VALIDATION_FAILED:LEGS_NOT_CHOSEN"
    mark(service, "NSE", "NIFTY 50", 24149.9)
    shown = [leg["instrument"]["strike"] for leg in preview(service, **buy)["legs"]]
    legs = post(service, **buy)["legs"]
    assert [(leg["symbol"][-6:], leg["side"], leg["quantity"]) for leg in legs] == [
        ("C24100", "SELL", 65), ("C24300", "BUY", 65),
    ]  # fmt: skip
    assert shown == [24100, 24300]
    assert {service.settled(leg["command_id"])["status"] for leg in legs} == {"EXECUTED"}
    mark(service, "NSE", "NIFTY 50", 24700)
    out = post(service, strategy="Straddle", ticker="NIFTY", action="exit")["legs"]
    assert {leg["symbol"] for leg in out} == {leg["symbol"] for leg in legs}
    assert {service.settled(leg["command_id"], 20)["status"] for leg in out} == {"EXECUTED"}
    rows = service.broker_rows("SELECT symbol, net_quantity FROM positions WHERE symbol LIKE 'NIFTY%'")
    assert {net for _, net in rows} <= {"0"}
