"""The doctor: what it finds well, what it finds wrong, and what it says to do."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

import cli
from domain.broker_reports import PositionsSnapshot, UnreadableRow
from domain.ports import Heartbeat
from domain.position_comparison import Difference
from domain.states import Phase
from persistence.sqlite import damage
from tests.cli.making import json_of
from tests.persistence.making import Maker


def healths(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    return {finding["name"]: finding["health"] for finding in json_of(capsys)}


def test_the_doctor_finds_a_running_service_well(maker, service, capsys):
    now = datetime.now(UTC)
    maker.store.save_heartbeats([Heartbeat("w1", "place", "default", now)])
    maker.store.save_positions("default", PositionsSnapshot(now, ()), now.date(), compared_at=now)
    assert cli.main(["doctor", "--json"]) == 0
    found = healths(capsys)
    assert found.pop("messages") == "WARN"  # no Telegram
    assert set(found.values()) == {"OK"}
    assert set(found) >= {
        "python",
        "settings",
        "disk",
        "database",
        "clock",
        "watcher",
        "broker of default",
        "webhook",
    }


def test_the_doctor_calls_a_watcher_with_a_hung_loop_not_well_as_readyz_does(maker, service, capsys):
    now = datetime.now(UTC)
    hung = Heartbeat("w1", "reconcile", "default", now - timedelta(seconds=61))
    maker.store.save_heartbeats([Heartbeat("w1", "place", "default", now), hung])
    assert cli.main(["doctor", "--json"]) == 1
    [watcher] = [finding for finding in json_of(capsys) if finding["name"] == "watcher"]
    assert watcher["health"] == "FAIL" and "loop reconcile of default last beat 61 s ago" in watcher["text"]


def keep_difference(
    maker: Maker, symbol: str, held: int, at_broker: int, *, client_id: str = "default"
) -> None:
    d = Difference("NFO", symbol, "MIS", Decimal(held), Decimal(at_broker), is_external=not held)
    maker.store.write(lambda tx: tx.keep_difference(client_id, d, maker.clock.now(), maker.clock.now()))


def test_the_doctor_says_what_to_do(maker, capsys, monkeypatch):
    monkeypatch.setenv("PORT", "1")
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", "123:abc")
    monkeypatch.setenv("TELEGRAM_CHAT_ID", "1")
    old = datetime.now(UTC) - timedelta(minutes=61)
    maker.clock.at = old
    maker.order("odd", Phase.UNKNOWN)
    maker.order("late", Phase.BLOCKED)
    keep_difference(maker, "INFY", 50, 60)
    keep_difference(maker, "GOLD", 0, -5)
    maker.store.save_heartbeats([Heartbeat("w1", "place", "default", old)])
    maker.store.save_positions("default", PositionsSnapshot(old, ()), old.date(), compared_at=old)
    maker.store.save_read_error("default", old, "session expired")
    assert cli.main(["doctor"]) == 1
    shown = capsys.readouterr().out
    for line in (
        "FAIL  watcher             last beat 61 min ago",
        "FAIL  broker of default   positions read 61 min ago: session expired",
        "WARN  messages            1 messages wait, the oldest from 61 min ago",
        "WARN  orders              1 with an unknown outcome",
        "WARN  long at broker      1 for over an hour",
        "WARN  positions           default NFO GOLD MIS: none of ours, -5 at the broker; "
        "default NFO INFY MIS: 50 held, 60 at the broker; not compared for default",
        "FAIL  webhook             http://127.0.0.1:1 does not answer",
    ):
        assert line in shown
    assert shown.count("→") == 7


@pytest.mark.parametrize("read", ["never", "long ago", "failed since", "just now"])
def test_the_doctor_calls_positions_well_only_when_they_were_compared(maker, service, capsys, read):
    now = datetime.now(UTC)
    at = now - timedelta(hours=read == "long ago")
    if read != "never":
        maker.store.save_positions("default", PositionsSnapshot(at, ()), now.date(), compared_at=at)
    if read == "failed since":
        maker.store.save_read_error("default", now, "session expired")
    keep_difference(maker, "INFY", 50, 60, client_id="gone")  # a client that is configured no more
    cli.main(["doctor", "--json"])
    [found] = [each for each in json_of(capsys) if each["name"] == "positions"]
    well = ("OK", "as our strategies hold them")
    if read == "just now":
        assert (found["health"], found["text"]) == well
    else:
        since = "never yet" if read == "never" else f"since {at:%Y-%m-%d %H:%M}"
        assert found["health"] == "WARN" and f"not compared for default ({since}" in found["text"]


def test_positions_that_are_read_while_the_order_book_is_not_are_not_called_compared(maker, service, capsys):
    now = datetime.now(UTC)
    since = now - timedelta(minutes=2)
    maker.store.save_positions("default", PositionsSnapshot(now, ()), now.date(), compared_at=since)
    cli.main(["doctor", "--json"])
    [found] = [each for each in json_of(capsys) if each["name"] == "positions"]
    assert found["health"] == "WARN"
    assert f"not compared for default (since {since:%Y-%m-%d %H:%M:%S} UTC" in found["text"]


def test_the_doctor_looks_at_a_database_that_is_not_as_it_should_be(
    maker, service, capsys, monkeypatch, tmp_path
):
    maker.clock.at = datetime.now(UTC) + timedelta(days=1)
    maker.order("tomorrow", Phase.BLOCKED)
    maker.sql("DROP TRIGGER orders_kept")
    assert cli.main(["doctor", "--json"]) == 1
    found = healths(capsys)
    assert (found["database"], found["clock"]) == ("FAIL", "FAIL")
    monkeypatch.setenv("ORDERS_DB", str(tmp_path / "missing.db"))
    assert cli.main(["doctor", "--json"]) == 1
    assert healths(capsys)["database"] == "FAIL"
    assert not (tmp_path / "missing.db").exists()
    with closing(sqlite3.connect(tmp_path / "empty.db")) as connection:
        connection.execute("CREATE TABLE something (a)")
    monkeypatch.setenv("ORDERS_DB", str(tmp_path / "empty.db"))
    assert cli.main(["doctor", "--json"]) == 1
    assert healths(capsys)["database"] == "FAIL"


def test_the_doctor_reports_wrong_settings(maker, monkeypatch, capsys):
    monkeypatch.setenv("RISK_MAX_ORDERS", "1")
    assert cli.main(["doctor", "--json"]) == 1
    assert healths(capsys) == {"python": "OK", "settings": "FAIL"}


def test_the_doctor_does_not_take_another_instance_for_this_one(maker, service, capsys):
    service.database = "0123456789ab"
    cli.main(["doctor", "--json"])
    [found] = [each for each in json_of(capsys) if each["name"] == "webhook"]
    assert found["health"] == "FAIL" and "another Orderwatch answers" in found["text"]


@pytest.mark.parametrize("limited", [True, False])
def test_a_row_that_cannot_be_read_is_named_and_so_is_what_it_stops(
    maker, service, capsys, monkeypatch, limited
):
    if limited:
        monkeypatch.setenv("RISK_MAX_DAILY_LOSS", "5000")
    now = datetime.now(UTC)
    row = UnreadableRow("NSE", "U1", "MIS", None, None, "netqty: '1,0' is not a number")
    maker.store.save_positions("default", PositionsSnapshot(now, (), (row,)), now.date(), compared_at=now)
    assert cli.main(["doctor", "--json"]) == 1
    found = {finding["name"]: finding for finding in json_of(capsys)}
    broker, positions = found["broker of default"], found["positions"]
    assert broker["health"] == "FAIL" and "netqty: '1,0' is not a number" in broker["text"]
    assert "exits of NSE U1 wait and entries there are blocked" in broker["text"]
    assert ("all entries of default are blocked" in broker["text"]) is limited
    assert positions["health"] == "WARN" and "default (NSE U1: a row cannot be read)" in positions["text"]


def test_the_doctor_calls_a_full_disk_full_and_advises_no_restore(maker, service, capsys, monkeypatch):
    monkeypatch.setattr(damage, "_NO_ROOM", 1 << 62)
    assert cli.main(["doctor"]) == 1
    shown = capsys.readouterr().out
    assert "FAIL  disk                the disk is full: " in shown
    assert "no order is sent, exits included" in shown and "restore" not in shown
    assert "start the service" not in shown
