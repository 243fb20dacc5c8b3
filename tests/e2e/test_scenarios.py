"""The four scenarios that every user meets first, each with its Telegram text and its events, on the real service."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.e2e.service import Service, alert, wait_for
from tests.notifications.fake_telegram import FakeTelegram

CHAT = "4242"


@pytest.fixture
def telegram() -> Iterator[FakeTelegram]:
    with FakeTelegram(token="e2e-token") as fake:
        yield fake


@pytest.fixture
def service(tmp_path: Path, telegram: FakeTelegram) -> Iterator[Service]:
    settings = {
        "TELEGRAM_BOT_TOKEN": telegram.token,
        "TELEGRAM_CHAT_ID": CHAT,
        "TELEGRAM_API_URL": telegram.url,
        "RISK_MAX_DAILY_LOSS": "500",
        "POSITIONS_REFRESH_SECONDS": "0.2",
    }
    with Service(tmp_path, **settings) as running:
        yield running


def told(telegram: FakeTelegram, words: str) -> str:
    """The first message that holds these words, once it is there."""
    wait_for(lambda: any(words in text for text in telegram.texts(CHAT)), 15, f"a message with {words!r}")
    return next(text for text in telegram.texts(CHAT) if words in text)


def path_of(service: Service, command_id: str) -> list[str]:
    rows = service.rows(
        "SELECT to_phase FROM order_events WHERE command_id = ? ORDER BY event_id", command_id
    )
    return [row[0] for row in rows]


def test_the_four_scenarios(service: Service, telegram: FakeTelegram) -> None:
    # An alert is executed within a second.
    answer = service.post(alert())
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "accepted"
    (leg,) = answer.json()["legs"]
    order = service.settled(leg["command_id"], seconds=1)
    assert (order["status"], order["filled_quantity"], order["average_price"]) == ("EXECUTED", "50", "112.5")
    assert path_of(service, leg["command_id"]) == ["REGISTERED", "SUBMITTING", "WORKING", "FILLED"]
    assert order["broker_order_id"] in told(telegram, "✅ Order placed")
    assert "50 @ 112.5" in told(telegram, "✨ Order filled")

    # A second entry on the open position is a duplicate.
    answer = service.post(alert(price=113.0)).json()
    assert (answer["status"], answer["legs"][0]["tag"]) == (
        "blocked",
        "DUPLICATE_BLOCKED:DUPLICATE_ENTRY_BLOCKED",
    )
    assert path_of(service, answer["legs"][0]["command_id"]) == ["REGISTERED", "BLOCKED"]
    assert "NIFTY26NOV24500CE" in told(telegram, "DUPLICATE_ENTRY_BLOCKED")

    # The broker refuses.
    answer = service.post(alert(symbol="REJECTME")).json()
    order = service.settled(answer["legs"][0]["command_id"])
    assert order["status"] == "FAILED"
    assert order["tag"] == "BROKER_REJECTED:PAPER_REJECT"
    assert path_of(service, order["command_id"]) == ["REGISTERED", "SUBMITTING", "REFUSED"]
    assert "ORDER FAILED" in told(telegram, "⚠️ Broker rejected")

    # The day's loss reaches its limit: entries stop, the exit goes through, and entries stay stopped.
    service.mark("NIFTY26NOV24500CE", 100.0)
    lowest = "SELECT lowest_pnl FROM accounts"
    wait_for(lambda: service.rows(lowest) == [("-625",)], 15, "two reads to show the loss")
    answer = service.post(alert(symbol="BANKNIFTY26NOVFUT")).json()
    assert answer["legs"][0]["tag"] == "RISK_BLOCKED:DAILY_LOSS_HIT"
    assert "❌" in told(telegram, "DAILY_LOSS_HIT")
    answer = service.post(
        {
            "execution_type": "EXIT",
            "strategy_name": "STRADDLE",
            "exchange": "NFO",
            "legs": [{"tradingsymbol": "NIFTY26NOV24500CE"}],
        }
    ).json()
    order = service.settled(answer["legs"][0]["command_id"])
    assert (order["status"], order["side"], order["quantity"]) == ("EXECUTED", "SELL", "50")

    # Diagnostics find nothing missing, and the page shows it all.
    report = service.api("/api/diagnostics/recent-signals")
    assert report["pass"], report
    assert service.api("/api/orders")["counts"] == {
        "CREATED": 0,
        "SENT_TO_BROKER": 0,
        "EXECUTED": 2,
        "FAILED": 3,
    }
    page = requests.get(f"{service.base}/", headers={"Authorization": "Bearer e2e-console-token"}, timeout=5)
    assert "NIFTY26NOV24500CE" in page.text
    assert service.stop() == 0


def test_an_exit_that_follows_its_entry_at_once(service: Service) -> None:
    """Alert platforms deliver a close and an open of one bar within a third of a second."""
    entry = service.post(alert(strategy_name="QUICK")).json()["legs"][0]["command_id"]
    exit_ = service.post(
        {
            "execution_type": "EXIT",
            "strategy_name": "QUICK",
            "exchange": "NFO",
            "legs": [{"tradingsymbol": "NIFTY26NOV24500CE", "qty": 50}],
        }
    ).json()["legs"][0]["command_id"]
    assert service.settled(entry)["status"] == "EXECUTED"
    assert service.settled(exit_)["status"] == "EXECUTED"
    assert service.broker_rows("SELECT net_quantity FROM positions") == [("0",)]


def test_telegram_down_delays_no_order_and_loses_no_message(service: Service, telegram: FakeTelegram) -> None:
    telegram.hang(times=None)
    ids = [service.post(alert(symbol=f"SYM{n}")).json()["legs"][0]["command_id"] for n in range(20)]
    for command_id in ids:
        assert service.settled(command_id, seconds=2)["status"] == "EXECUTED"
    telegram.recover()
    pending = "SELECT count(*) FROM telegram_messages WHERE status <> 'SENT'"
    wait_for(lambda: service.rows(pending) == [(0,)], 40, "every message to be delivered")
    delivered = "\n".join(telegram.texts(CHAT))
    for command_id in ids:
        assert command_id[-10:] in delivered
