"""The operator's commands: what they print, what they change, and that an error is one line and exit code 2."""

import hashlib
import hmac
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

import cli
from command_service import CommandService
from config.settings import load_settings
from domain.alert import Alert, Delivery, ExecutionType, Outcome, Side
from domain.limits import ClientPolicy, LimitBook
from domain.ports import Beat
from domain.position_check import Difference
from domain.reports import Position, PositionsSnapshot
from domain.states import Phase, Status
from persistence.archive import archive_beside
from tests.persistence.making import Maker, StepClock

SECRET = "webhook-secret-of-the-tests-0123456789"


@pytest.fixture
def maker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Maker:
    """A database that the settings point to, and a clock that is near the present."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORDERS_DB", str(tmp_path / "orders.db"))
    monkeypatch.setenv("WEBHOOK_SECRET", SECRET)
    return Maker(tmp_path / "orders.db", StepClock(datetime.now(UTC) - timedelta(seconds=5)))


@pytest.fixture
def services(maker: Maker, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What the composition root would build, without a web server."""
    ids = iter(range(1, 1000))
    made = SimpleNamespace(
        settings=load_settings(),
        store=maker.store,
        commands=CommandService(
            maker.store,
            {"default": ClientPolicy("default", LimitBook(), live_allowed=True)},
            clock=maker.clock,
            ids=SimpleNamespace(alert_id=lambda at: f"exit{next(ids)}"),
            dedup_window=timedelta(seconds=60),
            alert_life=timedelta(minutes=5),
        ),
    )
    monkeypatch.setattr(cli, "_services", lambda: made)
    return made


@dataclass
class Service:
    """Stands for the running service: keeps what was posted, answers as told."""

    url: str = ""
    status: int = 200
    posts: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    state = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(b"ok")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.posts.append((self.path, dict(self.headers), body))
            self._answer(b'{"status": "accepted"}')

        def _answer(self, body: bytes) -> None:
            self.send_response(state.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("PORT", str(server.server_port))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()


def json_of(capsys: pytest.CaptureFixture[str]):
    return json.loads(capsys.readouterr().out)


# looking ----------------------------------------------------------------------------------------------------


def test_orders_are_listed_aligned_and_newest_first(maker, capsys):
    maker.order("first", Phase.FILLED)
    maker.order("second", Phase.BLOCKED)
    assert cli.main(["orders"]) == 0
    heading, newest, oldest = capsys.readouterr().out.splitlines()
    assert newest.endswith("second-1")
    assert oldest.endswith("first-1")
    assert heading.index("status") == newest.index("FAILED") == oldest.index("EXECUTED")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], {"filled-1", "working-1"}),
        (["--status", "executed"], {"filled-1"}),
        (["--symbol", "NIFTY26NOV24500CE"], {"filled-1", "working-1"}),
        (["--symbol", "other"], set()),
        (["--strategy", "STRADDLE", "--client", "default"], {"filled-1", "working-1"}),
        (["--client", "other"], set()),
        (["--limit", "1"], {"working-1"}),
    ],
)
def test_orders_can_be_chosen(maker, capsys, options, expected):
    maker.order("filled", Phase.FILLED)
    maker.order("working", Phase.WORKING)
    assert cli.main(["orders", "--json", *options]) == 0
    assert {row["command_id"] for row in json_of(capsys)} == expected


def test_orders_long_at_the_broker_are_listed_oldest_first_with_why(maker, capsys):
    present = maker.clock.at
    for age, name, phase in (
        (timedelta(minutes=61), "resting", Phase.WORKING),
        (timedelta(hours=30), "odd", Phase.UNKNOWN),
        (timedelta(hours=2), "done", Phase.FILLED),
        (timedelta(minutes=59), "young", Phase.WORKING),
    ):
        maker.clock.at = present - age
        maker.order(name, phase)
    assert cli.main(["orders", "--frozen"]) == 0
    means, heading, oldest, newer = capsys.readouterr().out.splitlines()
    assert "look whether it should still be there" in means
    assert oldest.endswith("odd-1") and "30h00m" in oldest and "its outcome is unknown" in oldest
    assert newer.endswith("resting-1") and "a LIMIT order may rest" in newer
    assert heading.index("phase") == oldest.index("UNKNOWN") == newer.index("WORKING")
    assert cli.main(["orders", "--frozen", "--json", "--limit", "1", "--client", "default"]) == 0
    [row] = json_of(capsys)
    assert (row["command_id"], row["age"], row["attempts"]) == ("odd-1", "30h00m", 0)
    assert cli.main(["orders", "--frozen", "--symbol", "OTHER"]) == 0
    assert capsys.readouterr().out == "no orders\n"


def test_an_order_is_shown_by_the_end_of_its_id_with_its_story(maker, capsys):
    maker.order("01KAALERT", Phase.FILLED)
    assert cli.main(["show", "ALERT-1"]) == 0
    shown = capsys.readouterr().out
    for word in ("01KAALERT-1", "EXECUTED", "REGISTERED", "SUBMITTING", "FILLED", "PLACED"):
        assert word in shown
    assert cli.main(["show", "01KAALERT-1", "--json"]) == 0
    assert set(json_of(capsys)) == {"order", "events", "messages"}


@pytest.mark.parametrize(
    ("text", "says"), [("-1", "fits several"), ("nothing", "no order"), ("", "no order")]
)
def test_an_id_that_is_not_unique_is_refused(maker, capsys, text, says):
    maker.order("one", Phase.FILLED)
    maker.order("two", Phase.FILLED)
    assert cli.main(["show", text]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert error.count("\n") == 1


def test_an_archived_order_is_still_shown(maker, capsys):
    maker.order("old", Phase.FILLED)
    maker.sent_all()
    maker.clock.at += timedelta(days=40)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cli, "datetime", SimpleNamespace(now=lambda zone: maker.clock.at))
        assert cli.main(["archive", "--days", "30"]) == 0
    assert "moved 1 orders" in capsys.readouterr().out
    assert archive_beside(maker.path).exists()
    assert maker.store.get_by_id("old-1") is None
    assert cli.main(["show", "old-1"]) == 0


# alerts -----------------------------------------------------------------------------------------------------


def test_an_alert_is_posted_as_it_stands_and_signed(maker, service, tmp_path, capsys):
    body = b'{"legs": [] }\n'
    (tmp_path / "alert.json").write_bytes(body)
    assert cli.main(["alert", "alert.json"]) == 0
    [(path, headers, sent)] = service.posts
    assert (path, sent) == ("/webhook", body)
    assert headers["X-Signature"] == f"sha256={hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}"
    assert capsys.readouterr().out == '200 {"status": "accepted"}\n'


def test_an_alert_that_is_not_accepted_ends_with_1(maker, service, tmp_path):
    (tmp_path / "alert.json").write_bytes(b"{}")
    service.status = 400
    assert cli.main(["alert", "alert.json", "--format", "native", "--url", service.url]) == 1
    assert service.posts[0][0] == "/webhook/native"


def test_a_service_that_is_not_there_is_one_clear_line(maker, tmp_path, capsys, monkeypatch):
    (tmp_path / "alert.json").write_bytes(b"{}")
    monkeypatch.setenv("PORT", "1")
    assert cli.main(["alert", "alert.json"]) == 2
    assert capsys.readouterr().err.startswith("orderwatch: ")


def test_a_file_that_is_not_there_is_one_clear_line(maker, capsys):
    assert cli.main(["alert", "missing.json"]) == 2
    assert "missing.json" in capsys.readouterr().err


@pytest.mark.parametrize(("signal_id", "says"), [("s1", "is used up"), (None, "within 60 s")])
def test_a_kept_alert_is_posted_again_and_told_of_duplicates(maker, service, capsys, signal_id, says):
    delivery = Delivery(maker.clock.now(), "127.0.0.1", '{"a": 1}', "native")
    kept = Alert("kept", "default", delivery, Outcome.ACCEPTED, "key", signal_id=signal_id)
    maker.store.write(lambda tx: tx.add_alert(kept))
    assert cli.main(["replay", "kept"]) == 0
    assert [(path, body) for path, _, body in service.posts] == [("/webhook/native", b'{"a": 1}')]
    assert says in capsys.readouterr().err
    assert cli.main(["replay", "unknown"]) == 2


# operators' wishes ------------------------------------------------------------------------------------------


def test_halt_and_resume(maker, services, capsys):
    assert cli.main(["halt", "--reason", "news"]) == 0
    assert cli.main(["halt", "--strategy", "STRADDLE", "--client", "default", "--reason", "odd"]) == 0
    halts = maker.rows("SELECT client_id, strategy_name, halted_by, reason FROM halts ORDER BY 2")
    assert [(c, s, by.partition(":")[0], why) for c, s, by, why in halts] == [
        ("default", "", "cli", "news"),
        ("default", "STRADDLE", "cli", "odd"),
    ]
    assert cli.main(["resume"]) == 0
    assert cli.main(["resume"]) == 0
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "resumed: default (all strategies)",
        "was not halted: default (all strategies)",
    ]
    assert len(maker.rows("SELECT 1 FROM halts")) == 1


def test_a_client_that_is_not_there_is_refused(services, capsys):
    assert cli.main(["halt", "--client", "nobody", "--reason", "x"]) == 2
    assert "no client 'nobody'; there is default" in capsys.readouterr().err


def test_an_unknown_order_is_resolved_as_executed(maker, services):
    maker.order("odd", Phase.UNKNOWN)
    found = ["--executed", "B7", "--filled", "50", "--price", "112.4", "--reason", "seen in the terminal"]
    assert cli.main(["resolve", "odd-1", *found]) == 0
    order = maker.store.get_by_id("odd-1")
    assert order is not None
    assert (order.status, order.broker_order_id, order.filled_quantity, order.reason_message) == (
        Status.EXECUTED,
        "B7",
        Decimal(50),
        "seen in the terminal",
    )


def test_an_unknown_order_is_followed_under_the_number_that_was_found(maker, services):
    maker.order("odd", Phase.UNKNOWN)
    assert cli.main(["resolve", "odd-1", "--found", "B7"]) == 0
    order = maker.store.get_by_id("odd-1")
    assert order is not None
    assert (order.phase, order.broker_order_id) == (Phase.UNKNOWN, None)
    assert order.context_json == '{"followed": "B7"}'


def test_an_unknown_order_is_resolved_as_failed(maker, services):
    maker.order("odd", Phase.UNKNOWN)
    assert cli.main(["resolve", "odd-1", "--failed", "not in the book"]) == 0
    order = maker.store.get_by_id("odd-1")
    assert order is not None
    assert order.status is Status.FAILED


@pytest.mark.parametrize(
    "options",
    [
        ["--executed", "B7"],
        ["--executed", "B7", "--filled", "49"],
        ["--executed", "", "--filled", "50"],
        ["--executed", "B7", "--filled", "50", "--price", "-1"],
        ["--failed", " "],
        ["--failed", "x", "--filled", "20"],
        ["--failed", "x", "--price", "112.4"],
        ["--failed", "x", "--reason", "y"],
        ["--executed", "B7", "--filled", "50", "--price", "many"],
        ["--failed", "x", "--executed", "B7"],
        ["--found", ""],
        ["--found", "B7", "--filled", "50"],
        ["--found", "B7", "--executed", "B7"],
        [],
    ],
)
def test_a_resolution_that_is_not_whole_is_refused(maker, services, options):
    maker.order("odd", Phase.UNKNOWN)
    try:
        code: object = cli.main(["resolve", "odd-1", *options])
    except SystemExit as end:  # argparse's own way
        code = end.code
    assert code == 2
    order = maker.store.get_by_id("odd-1")
    assert order is not None
    assert order.phase is Phase.UNKNOWN


def test_who_says_failed_and_a_fill_is_told_what_to_say(maker, services, capsys):
    maker.order("odd", Phase.UNKNOWN)
    assert cli.main(["resolve", "odd-1", "--failed", "x", "--filled", "20"]) == 2
    assert "a partly filled order is followed: --found" in capsys.readouterr().err


def test_an_order_that_is_not_unknown_cannot_be_resolved(maker, services, capsys):
    maker.order("fine", Phase.WORKING)
    assert cli.main(["resolve", "fine-1", "--failed", "x"]) == 2
    assert "only an UNKNOWN order" in capsys.readouterr().err


def hold(maker: Maker, *, net: int) -> None:
    """An order of STRADDLE is filled with 50; the broker shows so many, and a position that is flat."""
    maker.order("held", Phase.FILLED)
    positions = (
        Position("NFO", "NIFTY26NOV24500CE", "MIS", Decimal(net)),
        Position("NFO", "FLAT", "MIS", Decimal(0)),
    )
    maker.store.save_positions("default", PositionsSnapshot(maker.clock.now(), positions), date(2026, 11, 21))


@pytest.mark.parametrize(("net", "strategies"), [(50, ["STRADDLE"]), (75, ["OPERATOR", "STRADDLE"])])
def test_flatten_asks_for_an_exit_of_each_holder(maker, services, net, strategies):
    hold(maker, net=net)
    assert cli.main(["flatten", "--yes"]) == 0
    exits = maker.store.claimable("default", maker.clock.now(), limit=10, exits_only=True)
    assert sorted(o.strategy_name for o in exits) == strategies
    assert {(o.execution_type, o.symbol, o.requested_quantity) for o in exits} == {
        (ExecutionType.EXIT, "NIFTY26NOV24500CE", None)
    }
    assert Side.SELL in {o.side for o in exits}


@pytest.mark.parametrize(("answer", "sent"), [("y", 1), ("", 0), ("no", 0)])
def test_flatten_asks_first(maker, services, monkeypatch, answer, sent):
    hold(maker, net=50)
    monkeypatch.setattr("builtins.input", lambda question: answer)
    assert cli.main(["flatten"]) == 1 - sent
    assert len(maker.store.claimable("default", maker.clock.now(), limit=10, exits_only=True)) == sent


def test_flatten_sends_nothing_when_nobody_can_answer(maker, services, monkeypatch):
    def closed(question: str) -> str:
        raise EOFError

    hold(maker, net=50)
    monkeypatch.setattr("builtins.input", closed)
    assert cli.main(["flatten"]) == 1
    assert not maker.store.claimable("default", maker.clock.now(), limit=10, exits_only=True)


def test_flatten_of_nothing(maker, services, capsys):
    hold(maker, net=0)
    assert cli.main(["flatten", "--yes"]) == 0
    assert cli.main(["flatten", "--yes", "--symbol", "OTHER"]) == 0
    assert capsys.readouterr().out == "no open position\n" * 2


def test_positions_never_read_are_not_taken_for_none(services, capsys):
    assert cli.main(["flatten", "--yes"]) == 2
    assert "never read" in capsys.readouterr().err


# care -------------------------------------------------------------------------------------------------------


def test_verify_says_what_is_wrong_and_ends_with_1(maker, capsys):
    maker.order("one", Phase.FILLED)
    assert cli.main(["verify"]) == 0
    assert "result   right" in capsys.readouterr().out
    maker.sql("DROP TRIGGER orders_kept", "DELETE FROM orders")
    assert cli.main(["verify"]) == 1
    assert "WRONG    one-1: has 3 events and no row in orders" in capsys.readouterr().out
    assert cli.main(["verify", "--json"]) == 1
    assert json_of(capsys)["problem_count"] == 2


def test_verify_without_a_database_is_an_error_and_makes_none(maker, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("ORDERS_DB", str(tmp_path / "other.db"))
    assert cli.main(["verify"]) == 2
    assert "unable to open database file" in capsys.readouterr().err
    assert not (tmp_path / "other.db").exists()


def test_archiving_is_off_unless_days_are_said(maker, capsys):
    assert cli.main(["archive"]) == 2
    assert "ARCHIVE_AFTER_DAYS" in capsys.readouterr().err


def test_migrate_makes_the_database(maker, monkeypatch, tmp_path):
    monkeypatch.setenv("ORDERS_DB", str(tmp_path / "new" / "orders.db"))
    assert cli.main(["migrate"]) == 0
    assert cli.main(["orders"]) == 0


def test_a_newer_database_is_one_clear_line(maker, capsys):
    maker.sql(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('orderwatch', 'of_tomorrow', '')"
    )
    assert cli.main(["migrate"]) == 2
    assert "newer Orderwatch" in capsys.readouterr().err


def test_wrong_settings_are_clear_lines_and_exit_code_2(maker, monkeypatch, capsys):
    monkeypatch.setenv("PORT", "eighty")
    assert cli.main(["orders"]) == 2
    assert "PORT" in capsys.readouterr().err


def healths(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    return {finding["name"]: finding["health"] for finding in json_of(capsys)}


def test_the_doctor_finds_a_running_service_well(maker, service, capsys):
    now = datetime.now(UTC)
    maker.store.save_beats([Beat("w1", "place", "default", now)])
    maker.store.save_positions("default", PositionsSnapshot(now, ()), now.date())
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
    maker.store.save_beats([Beat("w1", "place", "default", old)])
    maker.store.save_positions("default", PositionsSnapshot(old, ()), old.date())
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
        maker.store.save_positions("default", PositionsSnapshot(at, ()), now.date())
    if read == "failed since":
        maker.store.save_read_error("default", now, "session expired")
    keep_difference(maker, "INFY", 50, 60, client_id="gone")  # a client that is configured no more
    cli.main(["doctor", "--json"])
    [found] = [each for each in json_of(capsys) if each["name"] == "positions"]
    well = ("OK", "as our strategies hold them")
    assert (found["health"], found["text"]) == (
        well if read == "just now" else ("WARN", "not compared for default")
    )


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
