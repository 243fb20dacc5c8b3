"""Liveness and readiness."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from domain.broker_reports import UnreadableRow
from domain.first_reads import Missing, Part, in_words
from domain.ports import WAITING, Heartbeat
from domain.times import time_text
from persistence.sqlite import damage
from tests.console.seeding import BEARER, House


def ready(house: House) -> tuple[int, dict]:
    answer = house.anonymous().get("/readyz")
    return answer.status_code, answer.get_json()["checks"]


@pytest.fixture
def healthy(house: House) -> House:
    house.beat()
    house.read_positions()
    return house


def test_the_process_is_alive_whatever_else_is_not(tmp_path: Path):
    answer = House(tmp_path).anonymous().get("/healthz")
    assert answer.status_code == 200 and answer.json == {"status": "ok", "instance": "", "database": ""}


def test_all_is_well(healthy: House):
    status, checks = ready(healthy)
    assert status == 200
    assert set(checks) == {"database", "watcher", "broker:default"}
    assert all(check["ok"] and check["sentence"] for check in checks.values())
    assert healthy.anonymous().get("/readyz").get_json()["ready"] is True


def test_nothing_has_started(house: House):
    status, checks = ready(house)
    assert status == 503
    assert not checks["watcher"]["ok"] and not checks["broker:default"]["ok"]
    assert checks["database"]["ok"]


def test_the_beats_are_too_old(healthy: House):
    healthy.clock.advance(11)
    status, checks = ready(healthy)
    assert status == 503 and "last beat 11 s ago" in checks["watcher"]["sentence"]


def test_one_loop_stands_still(healthy: House):
    healthy.store.save_heartbeats(
        [Heartbeat("watcher-1", "execute", "default", healthy.clock.now(), "STALLED", "in place")]
    )
    status, checks = ready(healthy)
    assert status == 503
    assert checks["watcher"]["sentence"] == "loop execute of default is STALLED"


WORDS = "login failed: user FA12345 is blocked; call 1800"


OTHER_ACCOUNT = f"the rows of default are those of FA12345 at noren: {WORDS}"


@pytest.mark.parametrize(
    ("missing", "public"),
    [
        ({Part.BOOK: WORDS}, "order book"),
        ({Part.POSITIONS: WORDS}, "positions"),
        ({Part.BOOK: "not read yet", Part.POSITIONS: WORDS}, "order book, positions"),
        # The broker's words look like ours: they name no part.
        ({Part.POSITIONS: f"{WORDS}; order book: down"}, "positions"),
        ({Part.POSITIONS: f"account: {WORDS}"}, "positions"),
    ],
)
def test_a_stranger_is_told_what_is_missing_but_not_in_the_brokers_words(
    healthy: House, missing: Missing, public: str
):
    beat = Heartbeat(
        "watcher-1", "reconcile", "default", healthy.clock.now(), WAITING, in_words(missing), missing
    )
    healthy.store.save_heartbeats([beat])
    told_apart(healthy, "broker:default", f"entries of default wait for the first look: {public}")


def test_a_stranger_is_told_that_a_loop_stalls_but_not_why(healthy: House):
    healthy.store.save_heartbeats(
        [Heartbeat("watcher-1", "reconcile", "default", healthy.clock.now(), "STALLED", WORDS)]
    )
    told_apart(healthy, "watcher", "loop reconcile of default is STALLED")


def test_a_stranger_is_not_told_whose_the_rows_of_a_client_are_that_is_not_served(healthy: House):
    missing = {Part.ACCOUNT: OTHER_ACCOUNT}
    beat = Heartbeat(
        "watcher-1", "reconcile", "default", healthy.clock.now(), WAITING, in_words(missing), missing
    )
    healthy.store.save_heartbeats([beat])
    told_apart(
        healthy,
        "broker:default",
        "default is not served: its rows are those of another account",
        OTHER_ACCOUNT,
    )


def test_a_loop_of_an_earlier_version_waits_in_words_alone(healthy):
    healthy.store._commits.run(
        lambda connection: connection.execute(
            "INSERT OR REPLACE INTO heartbeats (watcher_id, loop, client_id, beat_at, state, detail) "
            "VALUES ('watcher-1', 'reconcile', 'default', ?, 'WAITING', ?)",
            (time_text(healthy.clock.now()), f"order book: {WORDS}"),
        )
    )
    told_apart(healthy, "broker:default", "entries of default wait for the first look")


def told_apart(house: House, check: str, public: str, sentence: str = WORDS) -> None:
    """A stranger reads what is public, and who has logged in the whole."""
    status, checks = ready(house)
    assert (status, checks[check]) == (503, {"ok": False, "sentence": public})
    assert "FA12345" not in house.anonymous().get("/readyz").text
    assert sentence in house.get("/api/health").json["checks"][check]["sentence"]
    assert WORDS in house.get("/health").text


def test_a_watcher_that_ended_long_ago_does_not_matter(healthy: House):
    healthy.beat("watcher-0", "STALLED", healthy.clock.now() - timedelta(days=1))
    assert ready(healthy)[0] == 200


def test_the_newest_of_several_sick_watchers_is_told_of(house: House):
    house.beat("watcher-0", "STALLED", house.clock.now() - timedelta(days=1))
    house.store.save_heartbeats([Heartbeat("watcher-9", "wake", "", house.clock.now(), "STALLED")])
    assert ready(house)[1]["watcher"]["sentence"] == "loop wake is STALLED"


def test_the_positions_are_too_old(healthy: House):
    healthy.clock.advance(61)
    healthy.beat()
    status, checks = ready(healthy)
    assert status == 503 and checks["watcher"]["ok"] and not checks["broker:default"]["ok"]


def test_a_broker_that_cannot_be_read_is_not_ready_as_soon_as_it_is_told(healthy: House):
    healthy.clock.advance(14)
    healthy.beat()
    healthy.store.save_read_error("default", healthy.clock.now(), WORDS)
    assert ready(healthy)[0] == 200, "one failed read is a lag"
    healthy.clock.advance(1)
    status, checks = ready(healthy)
    said = "positions cannot be read since 15 s: exits wait"
    assert (status, checks["broker:default"]) == (503, {"ok": False, "sentence": said})
    assert healthy.get("/api/health").json["checks"]["broker:default"]["sentence"] == f"{said}: {WORDS}"
    healthy.read_positions()
    assert ready(healthy)[0] == 200


def test_old_positions_whose_last_read_did_not_fail_are_judged_by_their_age_alone(healthy: House):
    healthy.clock.advance(59)
    healthy.beat()
    assert ready(healthy)[0] == 200


def test_the_database_does_not_answer(healthy: House):
    with closing(sqlite3.connect(healthy.path)) as connection:
        connection.execute("ALTER TABLE orders RENAME TO gone")
    status, checks = ready(healthy)
    assert status == 503 and checks["database"] == {"ok": False, "sentence": "does not answer"}


def test_rows_of_a_client_that_is_not_configured_are_a_reason_for_not_ready(healthy):
    assert healthy.app.test_client().get("/readyz").status_code == 200
    healthy.store._commits.run(
        lambda c: c.execute(
            "INSERT INTO holdings VALUES ('gone', 'INFY', 'NSE', 'S1', 'MIS', '50', 1, '2026-11-21T00:00:00.000000Z')"
        )
    )
    answer = healthy.app.test_client().get("/readyz")
    assert answer.status_code == 503
    said = answer.get_json()["checks"]["clients"]
    assert said == {"ok": False, "sentence": "a client that is not configured has rows open"}
    page = healthy.app.test_client().get("/", headers=BEARER).get_data(as_text=True)
    assert "not configured: gone" in page


BAD = UnreadableRow("NSE", "INFY", "MIS", None, None, 'netqty: \'1,0\' is not a number: {"netqty": "1,0"}')
HOLDINGS = UnreadableRow(
    None, None, "CNC", None, None, "the Holdings could not be read: HTTP 502", has_pnl=False
)
NO_ENTRY = "no entry of default can pass"


@pytest.mark.parametrize(
    ("rows", "limited", "is_ready"),
    [
        ((BAD,), False, True),
        ((BAD,), True, False),
        ((HOLDINGS,), True, True),
        ((HOLDINGS, BAD), True, False),
    ],
)
def test_a_row_that_cannot_be_read_is_told_and_ready_is_only_where_entries_can_pass(
    healthy: House, rows: tuple[UnreadableRow, ...], limited: bool, is_ready: bool
):
    healthy.loss_limited += ["default"] if limited else []
    healthy.read_positions("default", *rows)
    status, checks = ready(healthy)
    assert (status, checks["broker:default"]["ok"]) == (200 if is_ready else 503, is_ready)
    said = checks["broker:default"]["sentence"]
    assert "cannot be read" in said and (NO_ENTRY in said) is not is_ready
    assert not any(word in said for word in ("INFY", "netqty", "HTTP 502"))  # strangers read it
    own = healthy.get("/api/health").json
    told = own["checks"]["broker:default"]["sentence"]
    assert own["ready"] is is_ready and rows[0].text in told
    assert ("all entries of default are blocked" in told) is not is_ready
    assert ("exits of NSE INFY wait" in told) is (rows == (BAD,))
    page = healthy.get("/health").text
    assert "default not compared: a row cannot be read of" in page
    assert '<li class="good"><b>positions</b>' not in page
    healthy.read_positions()
    assert ready(healthy)[0] == 200 and "cannot be read" not in healthy.get("/health").text


def test_a_full_disk_is_a_reason_for_not_ready_until_there_is_room(
    healthy: House, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patched:
        patched.setattr(damage, "_NO_ROOM", 1 << 62)
        status, checks = ready(healthy)
        assert status == 503 and checks["database"]["sentence"].startswith(
            "the disk is full: no alert is taken"
        )
        assert str(healthy.path.parent) not in checks["database"]["sentence"]
        assert f"KiB free in {healthy.path.parent}" in healthy.get("/health").text
    assert ready(healthy)[0] == 200
