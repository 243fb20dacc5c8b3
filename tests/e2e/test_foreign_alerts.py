"""Alerts of other platforms on the real service: protected, turned, led to a target, and traded for several clients."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.e2e.service import SECRET, TOKEN, Service, wait_for

STRATEGIES = """
[default]
exchange = "NSE"
product = "MIS"
strategy_name = "Chart"

[strategies.Shared]
clients = ["default", { id = "bob", multiplier = 2 }]
"""
BOB = "the secret of bob, long enough"
CLIENTS = f"""
[clients.default]
broker = "paper"
webhook_secret = "{SECRET}"

[clients.bob]
broker = "paper"
webhook_secret = "{BOB}"

[clients.eve]
broker = "paper"
webhook_secret = "the secret of eve, long enough"
"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder: Path = tmp_path_factory.mktemp("foreign")
    files = {"strategies": STRATEGIES, "clients": CLIENTS}
    settings = {f"{name.upper()}_FILE": str(folder / f"{name}.toml") for name in files}
    for name, text in files.items():
        (folder / f"{name}.toml").write_text(text)
        (folder / f"{name}.toml").chmod(0o600)
    with Service(folder, POSITIONS_REFRESH_SECONDS="0.2", **settings) as running:
        yield running


def post(service: Service, secret: str = SECRET, **fields: Any) -> Any:
    answer = requests.post(f"{service.base}/webhook", json={"secret": secret, **fields}, timeout=10)
    return answer.json()


def done(service: Service, answer: Any) -> list[tuple[str, str, str, str]]:
    """The legs of an answer when they have ended."""
    assert answer.get("status") == "accepted", answer
    ended = [service.settled(str(leg["command_id"])) for leg in answer["legs"]]
    return [(o["execution_type"], o["side"], o["filled_quantity"], o["status"]) for o in ended]


def test_a_reversal_leads_from_one_side_to_the_other(service: Service) -> None:
    first = post(
        service, ticker="TURN", action="buy", contracts=5, market_position="long", market_position_size=5
    )
    assert done(service, first) == [("ENTRY", "BUY", "5", "EXECUTED")]
    turned = post(
        service, ticker="TURN", action="sell", contracts=8, market_position="short", market_position_size=3,
        prev_market_position="long", prev_market_position_size=5,
    )  # fmt: skip
    assert done(service, turned) == [("EXIT", "SELL", "5", "EXECUTED"), ("ENTRY", "SELL", "3", "EXECUTED")]
    assert held(service, "TURN") == "-3"


def test_a_target_is_reached_from_what_is_held(service: Service) -> None:
    smart = {"symbol": "AIM", "exchange": "NSE", "product": "MIS", "pricetype": "MARKET"}

    def aim(action: str, size: int) -> Any:
        answer = requests.post(
            f"{service.base}/webhook",
            json={"apikey": SECRET, "action": action, "position_size": size, **smart},
            timeout=10,
        )
        return answer.json()

    wait_for(lambda: service.rows("SELECT count(*) FROM accounts") != [(0,)], 5, "the positions to be read")
    assert done(service, aim("buy", 10)) == [("ENTRY", "BUY", "10", "EXECUTED")]
    assert done(service, aim("sell", 4)) == [("EXIT", "SELL", "6", "EXECUTED")]
    assert aim("sell", 4)["status"] == "info"
    assert done(service, aim("sell", -2))[1] == ("ENTRY", "SELL", "2", "EXECUTED")
    assert held(service, "AIM") == "-2"


def test_a_stop_of_another_platform_is_watched(service: Service) -> None:
    answer = post(service, ticker="GUARD", action="buy", quantity=1, stopLoss={"type": "stop", "percent": 5})
    assert done(service, answer) == [("ENTRY", "BUY", "1", "EXECUTED")]
    [found] = [each for each in service.api("/api/protections")["protections"] if each["symbol"] == "GUARD"]
    assert found["stop_loss"] == "5%"


def test_an_alert_takes_back_the_entry_that_rests_and_a_repeat_finds_nothing(service: Service) -> None:
    service.wish("marks", client_id="default", exchange="NSE", symbol="REST", price="100")
    entered = post(service, ticker="REST", action="buy", quantity=2, orderType="limit", limitPrice=90)
    id_ = str(entered["legs"][0]["command_id"])
    wait_for(lambda: service.order(id_)["phase"] == "WORKING", 10, "the entry to rest")
    cancel = {"ticker": "REST", "action": "cancel"}
    told = requests.post(
        f"{service.base}/api/preview", json=cancel, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10
    ).json()
    assert [(leg["kind"], leg["symbol"]) for leg in told["legs"]] == [("CANCEL", "REST")]
    assert [(each["command_id"], each["why_not"]) for each in told["cancels"]] == [(id_, None)]
    assert service.order(id_)["cancel_requested_at"] is None
    answer = post(service, **cancel)
    assert (answer["status"], answer["legs"]) == ("accepted", [])
    assert [(each["command_id"], each["result"]) for each in answer["cancels"]] == [(id_, "asked")]
    ended = service.settled(id_)
    assert (ended["status"], ended["tag"], ended["filled_quantity"]) == ("FAILED", "BROKER_CANCELLED", "0")
    again = post(service, **cancel)
    assert (again["status"], again["cancels"]) == ("accepted", [])
    assert "nothing to cancel" in again["message"]


def test_each_client_of_a_strategy_trades_its_alert_and_nobody_else_does(service: Service) -> None:
    body = {"ticker": "SHARED", "action": "buy", "quantity": 3, "strategy": "Shared"}
    answer = post(service, BOB, **body)
    assert [leg["client_id"] for leg in answer["legs"]] == ["default", "bob"]
    assert done(service, answer) == [("ENTRY", "BUY", "3", "EXECUTED"), ("ENTRY", "BUY", "6", "EXECUTED")]
    assert service.rows("SELECT client_id FROM alerts WHERE alert_id = ?", answer["alert_id"]) == [
        ("default",)
    ]
    refused = post(service, "the secret of eve, long enough", **body)
    assert refused["error"]["code"] == "NOT_ITS_CLIENT"
    assert post(service, SECRET, **body)["status"] == "duplicate"


def held(service: Service, symbol: str) -> str:
    [(net,)] = service.broker_rows("SELECT net_quantity FROM positions WHERE symbol = ?", symbol)
    return str(net)
