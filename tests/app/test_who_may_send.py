"""Who may send alerts, over HTTP through both doors: the event loop and WSGI answer and keep the same."""

import asyncio
import contextlib
import json
import logging
import re
import sqlite3
import time
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

import trading_bot
from alerts.receiver import Received, Request
from app.alert_door import ALERTS
from app.settings import load_settings
from app.starting import replayer_of
from app.wsgi_handoff import Answer, WholeRequests, call_wsgi
from domain.alert import ParsedAlert
from domain.credentials import alert_signature, timed_signature
from trading_bot import Services, build_services, make_app

SECRET = "the secret of the client"
ALPHA, BETA, FAN = "alpha-secret-0123456789", "beta_secret-0123456789ab", "fan's secret, 100 % of it"
PROXY, TRADINGVIEW = "10.0.0.1", "52.89.214.238"
STRATEGIES = f"""
[default]
exchange = "NSE"
product = "MIS"
[strategies.Alpha]
secret = "{ALPHA}"
quantity = 3
[strategies.Beta]
secret = {{ env = "STRATEGY_SECRET_BETA" }}
quantity = 5
senders = ["tradingview", "2001:db8::/32", "CN=TradingView Webhooks"]
[strategies.Fan]
secret = "{FAN}"
quantity = 7
clients = ["other", "default"]
"""
CLIENTS = f"""
[clients.default]
webhook_secret = "{SECRET}"
[clients.other]
webhook_secret = "the other client's one"
"""
ORDER = {"ticker": "INFY", "action": "buy"}


BASE = {
    "WEBHOOK_SECRET": SECRET,
    "CONSOLE_TOKEN": SECRET,
    "WEBHOOK_RATE_PER_SECOND": 0,
    "STRATEGY_SECRET_BETA": BETA,
    "TRUSTED_PROXIES": 1,
    "TRUSTED_PROXY_ADDRESSES": PROXY,
    "WEBHOOK_CERTIFICATE_HEADER": "X-Client-Subject",
}


def raw(document: object) -> bytes:
    return json.dumps(document).encode()


def normal(answer: Answer) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Without what differs between any two deliveries: their ids, and how long their signatures are made."""
    found = re.sub(rb"[0-9a-hjkmnp-tv-z]{26}| of [0-9]+ s ", b"#", answer.body)
    headers = [each for each in answer.headers if each[0] != b"content-length"]
    return answer.status, headers, found


class Doors:
    """One application behind the event loop, and the same on another database called as WSGI."""

    def __init__(self, folder: Path, **settings: object) -> None:
        (folder / "strategies.toml").write_text(STRATEGIES)
        (folder / "clients.toml").write_text(CLIENTS)
        self.folder = folder
        self.services: list[Services] = []
        self.apps: list[Flask] = []
        files = {"STRATEGIES_FILE": folder / "strategies.toml", "CLIENTS_FILE": folder / "clients.toml"}
        for name in ("loop", "flask"):
            place = folder / name
            place.mkdir()
            env = {**BASE, "ORDERS_DB": place / "orders.db", **files, **settings}
            texts = {key: str(value) for key, value in env.items()}
            self.services.append(build_services(load_settings(texts, dotenv_path=None)))
            self.apps.append(make_app(self.services[-1]))
        self.front = WholeRequests(
            self.apps[0], threads=1, max_bytes=262_144, alerts=self.apps[0].extensions[ALERTS]
        )

    def ask(
        self, body: bytes, path: str = "/webhook", peer: str = "127.0.0.1", more: str = "", **headers: str
    ) -> tuple[int, Any]:
        """What both doors answer; a header's name has _ for -. `more`: one more line of headers as it stands."""
        named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        if more:
            name, _, value = more.partition(": ")
            named.append((name.encode(), value.encode()))
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(b"host", b"x"), *named, (b"content-length", b"%d" % len(body))],
            "server": ("127.0.0.1", 80),
            "client": (peer, 5000),
        }
        first = asyncio.run(self.front._answer(scope, body))
        second = call_wsgi(self.apps[1], scope, body)
        assert normal(first) == normal(second), (path, headers, body)
        return first.status, json.loads(first.body)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What both databases hold alike."""
        found = []
        for name in ("loop", "flask"):
            with contextlib.closing(sqlite3.connect(self.folder / name / "orders.db")) as connection:
                found.append(connection.execute(query).fetchall())
        assert found[0] == found[1]
        return found[0]

    def last(self) -> tuple[Any, ...]:
        """The strategy, the client, the outcome and the code of the last alert that was kept."""
        query = (
            "SELECT strategy_name, client_id, outcome, reason_code FROM alerts ORDER BY rowid DESC LIMIT 1"
        )
        return self.rows(query)[0]

    def dump(self) -> str:
        texts: list[str] = []
        for name in ("loop", "flask"):
            with contextlib.closing(sqlite3.connect(self.folder / name / "orders.db")) as connection:
                texts += connection.iterdump()
        return "\n".join(texts)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Doors:
    return Doors(tmp_path_factory.mktemp("senders"), DEDUP_WINDOW_SECONDS=0)


def native(**changes: Any) -> dict[str, Any]:
    leg = {
        "tradingsymbol": "INFY",
        "direction": "BUY",
        "qty": 1,
        "product_type": "MIS",
        "order_type": "MARKET",
    }
    document = {"execution_type": "ENTRY", "strategy_name": "X", "exchange": "NSE", "legs": [leg]} | changes
    return {key: value for key, value in document.items() if value is not ...}


# whose it is -------------------------------------------------------------------------------------------------


def test_the_strategy_is_the_one_whose_secret_came(doors: Doors) -> None:
    assert doors.ask(raw(ORDER | {"secret": ALPHA}))[0] == 200
    assert doors.last()[0] == "Alpha"
    status, answer = doors.ask(raw(ORDER), f"/webhook/usual-fields/{ALPHA}")
    assert (status, answer["legs"][0]["quantity"]) == (200, 3)
    assert doors.ask(raw(ORDER), f"/webhook/usual-fields/{ALPHA}%20")[0] == 401
    assert doors.ask(raw(native(secret_key=ALPHA, strategy_name=...)))[0] == 200
    assert doors.last()[:2] == ("Alpha", "default")


def test_its_secret_wins_over_the_name_in_the_alert_and_the_story_says_so(doors: Doors) -> None:
    for body in (
        native(secret_key=ALPHA, strategy_name="Beta"),
        ORDER | {"secret": ALPHA, "strategy": "Beta"},
    ):
        status, answer = doors.ask(raw(body))
        assert status == 200
        assert doors.last()[0] == "Alpha"
        [(story,)] = doors.rows("SELECT context_json FROM alerts ORDER BY rowid DESC LIMIT 1")
        assert json.loads(story)["repairs"] == [
            "its secret is that of the strategy 'Alpha', so it is that strategy's: it names 'Beta'"
        ]
    assert answer["legs"][0]["quantity"] == 3  # what it leaves out is Alpha's too


def test_a_clients_secret_opens_every_strategy_without_a_list_of_senders(doors: Doors) -> None:
    assert doors.ask(raw(ORDER | {"secret": SECRET, "strategy": "Alpha"}))[0] == 200
    assert doors.last()[0] == "Alpha"


def test_a_strategys_clients_trade_it_and_no_other_may_be_named(doors: Doors) -> None:
    status, answer = doors.ask(raw(ORDER | {"secret": FAN}))
    assert (status, [leg["client_id"] for leg in answer["legs"]]) == (200, ["other", "default"])
    assert doors.last()[:2] == ("Fan", "other")
    status, answer = doors.ask(raw(native(secret_key=FAN, client_id="default")))
    assert (status, [leg["client_id"] for leg in answer["legs"]]) == (200, ["default"])
    assert doors.ask(raw(native(secret_key=ALPHA, client_id="other")))[0] == 401
    assert doors.ask(raw(native(secret_key=ALPHA, client_id="nobody")))[0] == 401


def test_two_strategies_secrets_are_nobodys(doors: Doors) -> None:
    assert doors.ask(raw(native(secret_key=ALPHA)), f"/webhook/native/{BETA}")[0] == 401
    assert doors.ask(raw(native(secret_key=ALPHA)), f"/webhook/native/{SECRET}")[0] == 200  # its client's
    assert doors.last()[0] == "Alpha"


def test_a_strategys_preview_is_what_its_delivery_does(doors: Doors) -> None:
    headers = {"Authorization": f"Bearer {SECRET}"}
    for app in doors.apps:
        answer = app.test_client().post("/api/preview", data=raw(ORDER | {"secret": ALPHA}), headers=headers)
        told = json.loads(answer.data)
        assert (told["outcome"], told["strategy_name"]) == ("orders", "Alpha")
        assert told["legs"][0]["quantity"] == 3


def test_a_kept_alert_is_replayed_as_its_strategys(doors: Doors) -> None:
    doors.ask(raw(ORDER | {"secret": BETA, "strategy": "Alpha", "n": "to be replayed"}), peer="203.0.113.7")
    assert doors.last() == ("Beta", "default", "rejected", "SENDER_NOT_ALLOWED")
    services = doors.services[0]
    with contextlib.closing(sqlite3.connect(doors.folder / "loop" / "orders.db")) as connection:
        [alert_id] = connection.execute("SELECT alert_id FROM alerts ORDER BY rowid DESC LIMIT 1").fetchone()
    alert, _, _ = replayer_of(services)._read(alert_id, "ann")
    assert (alert.strategy_name, alert.legs[0].quantity) == ("Beta", 5)


# from where --------------------------------------------------------------------------------------------------

BELIEVED = {"peer": PROXY, "x_client_subject": "CN=TradingView Webhooks,O=TradingView\\, Inc."}
FROM = {
    "tradingview": ({"peer": PROXY, "x_forwarded_for": TRADINGVIEW}, True),
    "what it wrote before is not believed": ({"peer": PROXY, "x_forwarded_for": f"{TRADINGVIEW}, 9.9.9.9"}, False),
    "the last address counts": ({"peer": PROXY, "x_forwarded_for": f"9.9.9.9, {TRADINGVIEW}"}, True),
    "no proxy's address": ({"peer": "10.0.0.2", "x_forwarded_for": TRADINGVIEW}, False),
    "straight": ({"peer": TRADINGVIEW}, True),
    "the proxy itself": ({"peer": PROXY}, False),
    "IPv6": ({"peer": PROXY, "x_forwarded_for": "2001:db8::7"}, True),
    "IPv6 with a port": ({"peer": PROXY, "x_forwarded_for": "[2001:db8::7]:4711"}, True),
    "another IPv6": ({"peer": PROXY, "x_forwarded_for": "2001:db9::7"}, False),
    "an IPv4 in IPv6": ({"peer": f"::ffff:{TRADINGVIEW}"}, True),
    "a port": ({"peer": PROXY, "x_forwarded_for": f"{TRADINGVIEW}:443"}, True),
    "no address": ({"peer": PROXY, "x_forwarded_for": "tradingview"}, False),
    "a long one": ({"peer": PROXY, "x_forwarded_for": "1" * 3000}, False),
    "a certificate": (BELIEVED | {"x_forwarded_for": "9.9.9.9"}, True),
    "a certificate at no proxy": (BELIEVED | {"peer": "10.0.0.2", "x_forwarded_for": "9.9.9.9"}, False),
    "a certificate past the proxies": (dict(BELIEVED), False),
    "a certificate over one more hop": (BELIEVED | {"x_forwarded_for": "9.9.9.9, 8.8.8.8"}, False),
    "another name": ({"peer": PROXY, "x_forwarded_for": "9.9.9.9", "x_client_subject": "CN=evil"}, False),
    "a name inside another": (
        {"peer": PROXY, "x_forwarded_for": "9.9.9.9", "x_client_subject": "O=x\\,CN=TradingView Webhooks,CN=evil"},
        False,
    ),
    "two headers": (
        BELIEVED | {"x_forwarded_for": "9.9.9.9", "more": "x-client-subject: CN=evil"}, False
    ),
    "an underscore": (
        {"peer": PROXY, "x_forwarded_for": "9.9.9.9", "more": "x_client_subject: CN=TradingView Webhooks"}, False
    ),
    "an address with underscores": (
        {"peer": PROXY, "x_forwarded_for": "9.9.9.9", "more": f"x_forwarded_for: {TRADINGVIEW}"}, False
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FROM)
def test_a_strategys_alerts_come_from_its_senders_alone(doors: Doors, name: str) -> None:
    headers, is_let_in = FROM[name]
    for secret in (BETA, SECRET):  # a client's secret does not go round the list
        body = raw(ORDER | {"secret": secret, "strategy": "Beta", "action": "sell", "comment": name})
        status, answer = doors.ask(body, **headers)
        assert (status, doors.last()[0]) == (200 if is_let_in else 403, "Beta")
        if not is_let_in:
            assert (answer["error"]["code"], answer["error"]["field"]) == ("SENDER_NOT_ALLOWED", "senders")
            assert doors.last()[2:] == ("rejected", "SENDER_NOT_ALLOWED")  # kept, and told


def test_an_operators_test_alert_needs_no_sender(doors: Doors) -> None:
    receiver = doors.apps[1].extensions[ALERTS].receiver
    body = raw(native(strategy_name="Beta", test_mode="SUCCESS", secret_key=SECRET))
    found = receiver.receive(Request("console", is_own=True), body)
    assert isinstance(found, Received) and isinstance(found.content, ParsedAlert)


def test_a_list_for_all_strategies_and_one_strategys_own(tmp_path: Path) -> None:
    doors = Doors(tmp_path, WEBHOOK_SENDERS="203.0.113.0/24")
    right = raw(ORDER | {"secret": ALPHA})
    assert doors.ask(right, peer="203.0.113.7")[0] == 200
    assert doors.ask(right, peer="203.0.114.7")[0] == 403
    assert doors.ask(raw(ORDER | {"secret": "wrong"}), peer="203.0.114.7")[0] == 401
    beta = raw(ORDER | {"secret": BETA})
    assert doors.ask(beta, peer="203.0.113.7")[0] == 403  # its own list stands in place of that for all
    assert doors.ask(beta, peer=TRADINGVIEW)[0] == 200


# how often ---------------------------------------------------------------------------------------------------


def test_what_strangers_send_from_the_platforms_address_stops_no_right_alert(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("delivery_limiter", "guess_limiter"):  # on a clock that stands still
        make = getattr(trading_bot, name)
        monkeypatch.setattr(trading_bot, name, lambda rate, _, make=make: make(rate, lambda: 1000.0))
    doors = Doors(tmp_path, WEBHOOK_RATE_PER_SECOND=1, WEBHOOK_AUTH_FAILURES_PER_MINUTE=2)
    wrong = raw(ORDER | {"secret": "a guess of somebody"})
    answers = [doors.ask(wrong, peer=TRADINGVIEW)[0] for _ in range(30)]
    assert answers == [401] * 2 + [429] * 28
    right = [doors.ask(raw(ORDER | {"secret": BETA, "n": n}), peer=TRADINGVIEW)[0] for n in range(8)]
    assert right == [200] * 5 + [429] * 3  # its own limit
    assert doors.ask(wrong, peer=TRADINGVIEW)[0] == 429


# signatures --------------------------------------------------------------------------------------------------


def stamped(body: bytes, seconds: float, secret: str = SECRET) -> str:
    return alert_signature(secret.encode(), body, at=int(time.time() + seconds))


def test_a_signature_covers_its_time(doors: Doors) -> None:
    body = raw(native(strategy_name="signed"))
    assert doors.ask(body, x_signature=stamped(body, -20))[0] == 200
    assert doors.ask(body, x_signature=stamped(body, +5))[0] == 200
    for seconds in (-60, -4000, +60):
        status, answer = doors.ask(body, x_signature=stamped(body, seconds))
        assert (status, answer["error"]["code"], answer["error"]["field"]) == (
            401,
            "SIGNATURE_LATE",
            "X-Signature",
        )
        assert "WEBHOOK_REPLAY_SECONDS" in answer["error"]["message"]
        assert doors.last()[2:] == ("rejected", "SIGNATURE_LATE")
    fresh, old = stamped(body, 0), stamped(body, -60)
    for forged in (
        fresh.partition(",")[0] + "," + old.partition(",")[2],
        old.partition(",")[2],
        "t=,sha256=00",
    ):
        assert doors.ask(body, x_signature=forged)[0] == 401
        assert doors.last()[3] == "SIGNATURE_LATE"  # that of before: nothing of a forgery is kept
    assert doors.ask(body, x_signature=alert_signature(SECRET.encode(), body))[0] == 200  # as ever


def test_a_strategys_signature_names_it(doors: Doors) -> None:
    body = raw(ORDER)
    mac = timed_signature(FAN.encode(), None, body)
    assert doors.ask(body, x_signature=f"strategy=Fan,sha256={mac}")[0] == 200
    assert doors.last()[0] == "Fan"
    for wrong in (f"sha256={mac}", f"strategy=Alpha,sha256={mac}", f"strategy=None,sha256={mac}"):
        assert doors.ask(body, x_signature=wrong)[0] == 401
    at = int(time.time())
    mac = timed_signature(FAN.encode(), str(at), body)
    assert doors.ask(body, x_signature=f"t={at},strategy=%46an,sha256={mac}")[0] == 200


def test_a_time_can_be_demanded_and_a_repeat_within_the_window_is_a_duplicate(tmp_path: Path) -> None:
    doors = Doors(tmp_path, WEBHOOK_SIGNATURE_NEEDS_TIME="true")
    body = raw(native(strategy_name="signed"))
    status, answer = doors.ask(body, x_signature=alert_signature(SECRET.encode(), body))
    assert (status, answer["error"]["code"]) == (401, "SIGNATURE_LATE")
    assert "WEBHOOK_SIGNATURE_NEEDS_TIME" in answer["error"]["message"]
    for services in doors.services:
        services.engine("reader").refresh(
            "default", force=True
        )  # without a read of positions entries are blocked
    signature = stamped(body, 0)
    first, again = (doors.ask(body, x_signature=signature) for _ in range(2))
    assert (first[0], again[0], again[1]["status"]) == (200, 200, "duplicate")
    assert doors.ask(raw(native(secret_key=ALPHA)))[0] == 200  # it has no signature


# what is kept ------------------------------------------------------------------------------------------------


def test_no_strategys_secret_is_kept_logged_or_answered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    doors = Doors(tmp_path)
    escaped = "".join(f"\\u{ord(char):04x}" for char in ALPHA)
    bodies = [
        raw(native(secret_key=ALPHA, strategy_name=BETA)),
        raw(ORDER | {"secret": ALPHA, "comment": f"x{BETA}y", "strategy": FAN, BETA: FAN}),
        raw(native(secret_key=BETA, oops=ALPHA)),
        raw(native(secret_key=SECRET, comment="?")).replace(b"?", escaped.encode()),
        raw(native(secret_key="wrong", comment=ALPHA)),
        json.dumps(ORDER | {"secret": FAN, "note": ALPHA}).encode("utf-16"),
        f'{{"secret": "{ALPHA}", oops {BETA}'.encode(),
    ]  # fmt: skip
    with caplog.at_level(logging.DEBUG):
        told = [json.dumps(doors.ask(body, peer="203.0.113.7")[1]) for body in bodies]
        told.append(json.dumps(doors.ask(raw(ORDER), f"/webhook/{ALPHA}/{BETA}")[1]))
    everything = doors.dump() + "".join(told) + caplog.text
    for secret in (ALPHA, BETA, FAN, escaped):
        assert secret not in everything
        assert json.dumps(secret)[1:-1] not in everything
    assert doors.rows("SELECT count(*) >= 5 FROM alerts") == [(1,)]
