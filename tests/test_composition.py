"""What the composition root wires for operators: the console's wishes, and what the watcher tells by itself."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from app.container import Services, build_services
from app.settings import load_settings
from app.starting import EXIT_UNAVAILABLE, prepared
from app.supervisor import EXIT_REPLACED
from domain.broker_reports import PositionsSnapshot, UnreadableRow
from domain.errors import StoreFull, StoreUnavailable
from domain.states import Phase, Status
from tests.persistence.making import Maker, StepClock
from trading_bot import _tell_of_the_dead, make_app, make_watcher

TOKEN = "a-long-console-token"
BEARER = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def maker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Maker:
    """A database in which everything happened two hours ago."""
    monkeypatch.chdir(tmp_path)
    return Maker(tmp_path / "orders.db", StepClock(datetime.now(UTC) - timedelta(hours=2)))


@pytest.fixture
def services(maker: Maker) -> Services:
    environ = {"ORDERS_DB": str(maker.path), "WEBHOOK_SECRET": "w" * 20, "CONSOLE_TOKEN": TOKEN}
    return build_services(load_settings(environ, dotenv_path=None))


def test_an_order_is_resolved_through_the_whole_application(maker: Maker, services: Services):
    order = maker.order("odd", Phase.UNKNOWN)
    client = make_app(services).test_client()
    body = {"outcome": "absent", "reason": "not in the terminal", "by": "ann"}
    path = f"/api/orders/{order.command_id}/resolve"
    assert client.post(path, json=body | {"reason": ""}, headers=BEARER).status_code == 400
    assert client.post(path, json=body, headers=BEARER).status_code == 200
    after = maker.store.get_by_id(order.command_id)
    assert after is not None and (after.status, after.reason_message) == (
        Status.FAILED,
        "not in the terminal",
    )


def test_the_watcher_asks_about_orders_long_at_the_broker_on_its_schedule(maker: Maker, services: Services):
    order = maker.order("resting", Phase.WORKING)
    watcher = make_watcher(services, "w1", None)
    jobs = {job.id: job for job in watcher._scheduler.get_jobs()}
    for _ in range(2):
        jobs["frozen_orders"].func()
    told = maker.rows("SELECT command_id FROM telegram_messages WHERE kind = 'FROZEN'")
    assert told == [(order.command_id,)]


def test_a_watchers_end_is_told_though_the_one_that_tells_of_it_fails_first(
    maker: Maker, services: Services, monkeypatch: pytest.MonkeyPatch
):
    claimants = services.store.claimants
    (maker.path.parent / "orders.db.watchers").mkdir()
    (maker.path.parent / "orders.db.watchers" / "w0").touch()  # whose process holds no lock any more

    def fail(work: object) -> None:
        raise StoreUnavailable("disk full")

    def tell(name: str) -> None:
        with claimants.ended() as ended:
            _tell_of_the_dead(services, name, ended)

    with monkeypatch.context() as patch:
        patch.setattr(services.store, "write", fail)
        with pytest.raises(StoreUnavailable):
            tell("w1")
    assert maker.rows("SELECT 1 FROM telegram_messages") == []
    tell("w2")
    tell("w3")
    told = maker.rows("SELECT message FROM telegram_messages WHERE kind = 'SYSTEM'")
    assert len(told) == 1 and "watcher w0 ended unexpectedly; w2 goes on" in str(told[0])


@pytest.mark.parametrize(
    "error", [StoreFull("orders.db: the disk is full"), OSError(28, "No space left on device")]
)
def test_a_start_without_room_ends_with_what_a_supervisor_tries_again(
    services: Services, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
):
    def full(path: Path) -> None:
        raise error

    monkeypatch.setattr("persistence.sqlite.sqlite_database.check_identity", full)
    with pytest.raises(SystemExit) as ended:
        prepared(services.settings, supervised=True)
    assert ended.value.code == EXIT_UNAVAILABLE != EXIT_REPLACED
    assert "cannot start now" in capsys.readouterr().err


def test_the_metrics_count_the_rows_that_cannot_be_read_of_each_client(maker: Maker, services: Services):
    now = datetime.now(UTC)
    row = UnreadableRow("NSE", "U1", "MIS", None, None, "netqty: '1,0' is not a number")
    maker.store.save_positions("default", PositionsSnapshot(now, (), (row,)), now.date())
    maker.store.save_positions("bob", PositionsSnapshot(now, ()), now.date())
    page = make_app(services).test_client().get("/metrics", headers=BEARER).text
    assert 'orderwatch_positions_unreadable{of="default"} 1.0' in page
    assert 'orderwatch_positions_unreadable{of="bob"} 0.0' in page


def parsed(answer: TestResponse) -> Any:
    return answer.json


def test_a_preview_touches_nothing(maker: Maker, services: Services):
    client = make_app(services).test_client()
    before = (maker.path.read_bytes(), sorted(maker.path.parent.iterdir()))
    body = {"ticker": "NSE:INFY", "action": "buy", "strategy": "S", "quantity": 3, "product": "MIS"}
    for path in ("/api/preview", "/api/preview?format=auto", "/api/preview?format=usual-fields"):
        assert client.post(path, json=body).status_code == 401
        told = client.post(path, json=body, headers=BEARER)
        assert (told.status_code, parsed(told)["outcome"]) == (200, "orders")
        assert parsed(told)["legs"][0]["quantity"] == 3
    for raw in (b"", b"{", b"\xff", b"buy"):
        answer = client.post("/api/preview", data=raw, headers=BEARER)
        assert (answer.status_code, parsed(answer)["outcome"]) == (200, "rejected")
    assert (maker.path.read_bytes(), sorted(maker.path.parent.iterdir())) == before


def test_an_alert_that_asks_for_nothing_is_kept_and_nobody_is_told(maker: Maker, services: Services):
    body = {"secret": "w" * 20, "msg": "BTCUSDT is at 67432.5"}
    answer = make_app(services).test_client().post("/webhook", json=body)
    assert (answer.status_code, parsed(answer)["status"]) == (200, "info")
    rows = maker.rows("SELECT alert_id, outcome, decision_type, format, raw_body FROM alerts")
    assert rows == [
        (
            parsed(answer)["alert_id"],
            "info",
            "SKIPPED",
            "info-only",
            '{"msg": "BTCUSDT is at 67432.5", "secret": "***"}',
        )
    ]
    assert maker.rows("SELECT * FROM telegram_messages") == []


def test_what_was_repaired_and_not_read_is_kept_with_the_alert(maker: Maker, services: Services):
    secret = "w" * 20
    raw = json.dumps(
        {
            "secret": secret,
            "ticker": "NSE:INFY",
            "action": "buy",
            "strategy": "S",
            "quantity": 3,
            "product": "MIS",
            "mood": "good",
            secret: 1,
        }
    ).replace("}", ",}")
    answer = make_app(services).test_client().post("/webhook", data=raw)
    assert answer.status_code == 200
    [(context, kept)] = maker.rows("SELECT context_json, raw_body FROM alerts")
    told = json.loads(context)
    assert (told["unread"], len(told["repairs"])) == (["mood", "***"], 1)
    assert secret not in context + kept
