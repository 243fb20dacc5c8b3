"""HEARTBEAT_URL: asked while every loop is healthy, silent as soon as one is not, and nothing waits for it."""

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.container import Services, build_services
from app.outside_monitor import TOLD_AFTER, OutsideMonitor
from app.settings import load_settings
from config.settings import SettingsError
from domain.broker_reports import PositionsSnapshot
from domain.ports import Heartbeat
from notifications.heartbeat import HeartbeatPing, PingFailed
from tests.e2e.service import Service, alert, wait_for
from tests.listener import Heard, listening
from tests.persistence.making import Maker, StepClock
from trading_bot import make_app


@pytest.fixture
def heard() -> Iterator[Heard]:
    with listening() as found:
        yield found


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heard: Heard) -> Services:
    monkeypatch.chdir(tmp_path)
    environ = {"WEBHOOK_SECRET": "w" * 20, "CONSOLE_TOKEN": "c" * 20, "HEARTBEAT_URL": heard.url}
    return build_services(
        load_settings(environ | {"ORDERS_DB": str(tmp_path / "orders.db")}, dotenv_path=None)
    )


def beat(services: Services, state: str = "OK", age: float = 0.0) -> None:
    """Every loop of a watcher, and a broker that was read: what /readyz wants to see."""
    at = datetime.now(UTC) - timedelta(seconds=age)
    loops = [("scheduler", ""), ("wake", ""), ("work", "default"), ("reconcile", "default")]
    services.store.save_heartbeats([Heartbeat("w1", loop, client, at, state) for loop, client in loops])
    now = datetime.now(UTC)
    services.store.save_positions("default", PositionsSnapshot(now, ()), now.date())


def is_ready(services: Services) -> bool:
    return make_app(services).test_client().get("/readyz").status_code == 200


def step(services: Services) -> OutsideMonitor:
    monitor = services.outside_monitor()
    assert monitor is not None
    monitor.step()
    return monitor


def test_it_is_asked_while_the_service_is_ready_and_not_once_a_loop_hangs(services: Services, heard: Heard):
    beat(services)
    assert is_ready(services)
    step(services)
    assert heard.paths == ["/ping/a-secret-id"]
    for state, age in (("STALLED", 0.0), ("OK", 60.0)):
        beat(services, state, age)
        assert not is_ready(services)
        assert step(services).sent == 0
    assert len(heard.paths) == 1
    beat(services)
    step(services)
    assert len(heard.paths) == 2


def test_it_is_not_asked_while_the_broker_cannot_be_read_or_the_web_server_is_gone(
    services: Services, heard: Heard
):
    beat(services)
    monitor = services.outside_monitor(lambda: False)
    assert monitor is not None
    monitor.step()
    services.store.write(lambda tx: None)
    now = datetime.now(UTC)
    services.store.save_positions("default", PositionsSnapshot(now - timedelta(hours=1), ()), now.date())
    assert not is_ready(services)
    step(services)
    assert heard.paths == []


def test_a_minute_lies_between_two_requests_and_seconds_until_a_sick_service_is_looked_at_again(
    services: Services,
):
    monitor = services.outside_monitor()
    assert monitor is not None
    assert monitor.step() == 5.0
    beat(services)
    assert monitor.step() == 60.0


def test_failures_are_counted_and_told_once_across_restarts_and_their_end_as_well(
    tmp_path: Path, services: Services, heard: Heard
):
    maker = Maker(tmp_path / "orders.db", StepClock(datetime.now(UTC)))
    beat(services)
    heard.answer = 500
    for _ in range(2):  # two processes, one after the other
        monitor = services.outside_monitor()
        assert monitor is not None
        for _ in range(TOLD_AFTER + 2):
            monitor.step()
        assert (monitor.sent, monitor.failed) == (0, TOLD_AFTER + 2)
    told = maker.rows("SELECT message FROM telegram_messages WHERE kind = 'SYSTEM'")
    assert len(told) == 1
    assert (
        "HEARTBEAT_URL" in told[0][0]
        and "answered 500" in told[0][0]
        and "Orders are not affected" in told[0][0]
    )
    assert "a-secret-id" not in told[0][0]
    heard.answer = 200
    for _ in range(2):
        step(services)
    told = maker.rows("SELECT message FROM telegram_messages WHERE kind = 'SYSTEM'")
    assert len(told) == 2 and "reached again" in told[1][0]


def test_one_failure_alone_is_not_told(tmp_path: Path, services: Services, heard: Heard):
    beat(services)
    heard.answer = 404
    step(services)
    assert Maker(tmp_path / "orders.db", StepClock()).rows("SELECT 1 FROM telegram_messages") == []


@pytest.mark.parametrize("answer", [301, 404, 500])
def test_an_answer_other_than_2xx_is_a_failure_whose_words_hold_no_address(heard: Heard, answer: int):
    heard.answer = answer
    with pytest.raises(PingFailed, match=str(answer)) as failed:
        HeartbeatPing(heard.url).send()
    assert "a-secret-id" not in str(failed.value)


def test_a_monitor_that_hangs_is_given_up_after_the_timeout(heard: Heard):
    heard.answer = None
    began = time.monotonic()
    with pytest.raises(PingFailed, match="no answer in time"):
        HeartbeatPing(heard.url, timeouts=(0.2, 0.2)).send()
    assert time.monotonic() - began < 5


def test_a_monitor_that_hangs_holds_up_neither_the_start_nor_the_end():
    hangs, asked = threading.Event(), threading.Event()

    def send() -> None:
        asked.set()
        hangs.wait(60)

    monitor = OutsideMonitor(lambda: "", send, tell=lambda _: None, tell_better=lambda _: None)
    began = time.monotonic()
    monitor.start()
    assert asked.wait(10)
    monitor.stop()
    assert time.monotonic() - began < 10
    hangs.set()


def test_a_defect_in_the_judgement_does_not_end_the_heartbeats():
    looks: list[int] = []
    sent = threading.Event()

    def trouble() -> str:
        looks.append(1)
        if len(looks) == 1:
            raise ValueError("a defect")
        return ""

    monitor = OutsideMonitor(trouble, sent.set, tell=lambda _: None, tell_better=lambda _: None, every=0.01)
    monitor.start()
    assert sent.wait(10)
    monitor.stop()


@pytest.mark.parametrize(
    "url", ["http://hc-ping.com/x", "ftp://127.0.0.1/x", "hc-ping.com/x", "https://", "https://a b"]
)
def test_an_address_that_others_could_read_is_refused_and_the_setting_named(url: str):
    with pytest.raises(SettingsError, match=r"HEARTBEAT_URL.*a URL with https://"):
        load_settings({"HEARTBEAT_URL": url}, dotenv_path=None, keep_secrets=False)


@pytest.mark.parametrize(
    "url",
    ["https://hc-ping.com/x", "http://127.0.0.1:3001/api/push/x", "http://localhost/x", "http://[::1]:1/x"],
)
def test_https_and_this_machine_are_taken(url: str):
    settings = load_settings({"HEARTBEAT_URL": url}, dotenv_path=None, keep_secrets=False)
    assert settings.heartbeat_url is not None
    assert settings.heartbeat_url.get_secret_value() == url
    assert url not in repr(settings)


def test_with_a_monitor_that_hangs_a_real_service_sends_an_order_as_ever(tmp_path: Path, heard: Heard):
    heard.answer = None
    with Service(tmp_path, HEARTBEAT_URL=heard.url) as service:
        wait_for(lambda: bool(heard.paths), 30, "the first heartbeat")
        began = time.monotonic()
        id_ = service.post(alert()).json()["legs"][0]["command_id"]
        assert service.settled(id_, 20)["status"] == "EXECUTED"
        assert time.monotonic() - began < 10
        assert service.is_ready()
        assert service.stop() == 0
