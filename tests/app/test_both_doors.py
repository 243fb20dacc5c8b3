"""An alert that the event loop receives is answered, and kept, as one that Flask receives: byte for byte."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import re
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import trading_bot
from app.alert_door import ALERTS
from app.wsgi_handoff import Answer, WholeRequests, call_wsgi
from benchmarks.service import environment, services_for
from tests.e2e.service import free_port, wait_for
from trading_bot import make_app

SECRET = "benchmark-secret"
ROOT = Path(__file__).resolve().parents[2]
HOST = (b"host", b"x")
Asked = tuple[bytes, str, list[tuple[bytes, bytes]], bytes]
"""A request's path, method, headers and body."""


def alert(**changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = {
        "secret_key": SECRET,
        "execution_type": "ENTRY",
        "strategy_name": "S",
        "exchange": "NFO",
        "legs": [{"tradingsymbol": "A", "direction": "BUY", "qty": 50, "order_type": "LIMIT", "price": 1.5}],
    }
    return {key: value for key, value in (document | changes).items() if value is not ...}


def scope_of(path: bytes, method: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path.decode("latin-1").partition("?")[0],
        "raw_path": path,
        "query_string": path.partition(b"?")[2],
        "headers": headers,
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 5000),
    }


class BothDoors:
    """The same application twice, each on a database of its own: one behind the event loop, one called as WSGI."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.apps = []
        for name in ("loop", "flask"):
            place = folder / name
            place.mkdir()
            self.apps.append(make_app(services_for(environment(place, PORT=1, **settings))))
        self.at_the_loop = 0

    async def ask(self, requests: list[Asked]) -> None:
        """Send each request to both, and compare the answers."""
        offered = self.apps[0].extensions[ALERTS]
        front = WholeRequests(self.apps[0], threads=1, max_bytes=262_144, alerts=offered)
        for path, method, headers, body in requests:
            length = [(b"content-length", b"%d" % len(body))] if body else []
            scope = scope_of(path, method, [HOST, *headers, *length])
            assert front._door is not None
            seen = front._door.request_of(method, path.partition(b"?")[0], scope["headers"], "127.0.0.1")
            self.at_the_loop += seen is not None
            first = await front._answer(scope, body)
            second = call_wsgi(self.apps[1], scope, body)
            assert normal(first) == normal(second), (path, method, headers, body[:200])


def normal(answer: Answer) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Without what differs between any two deliveries: their ids."""
    return answer.status, answer.headers, re.sub(rb"[0-9a-hjkmnp-tv-z]{26}", b"#", answer.body)


def raw(document: object) -> bytes:
    return json.dumps(document).encode()


def signed(body: bytes, secret: str = SECRET) -> tuple[bytes, bytes]:
    return b"x-signature", b"sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest().encode()


def leg(**changes: Any) -> list[dict[str, Any]]:
    return [alert()["legs"][0] | changes]


FOREIGN = {
    "secret": SECRET, "ticker": "NSE:INFY", "action": "buy", "quantity": 3, "product": "MIS", "strategy": "F",
}  # fmt: skip
BODIES = [
    raw(alert()),
    raw(alert()),  # once more
    raw(alert(signal_id="s-1", strategy_name="T")),
    raw(alert(signal_id="s-1", strategy_name="T")),
    raw(alert(signal_id="s-1", strategy_name="U")),  # the signal is used
    raw(alert(execution_type="EXIT", legs=[{"tradingsymbol": "A"}])),
    raw(alert(legs=leg() + leg(tradingsymbol="B"))),
    raw(alert(legs=leg(qty=0))),
    raw(alert(legs=leg(qty="0.5", tradingsymbol="C"))),
    raw(alert(legs=leg(quantity=5))),
    raw(alert(legs=leg(stop_loss=5))),
    raw(alert(legs=[])),
    raw(alert(strategy_name=SECRET, oops=SECRET)),
    raw(alert(execution_type="ADJUST")),
    raw(alert(client_id="other")),
    raw(alert(client_id="default", strategy_name="V")),
    raw(alert(secret_key="wrong")),
    raw(alert(secret_key=...)),
    raw(alert(secret_key=5)),
    raw(alert(comment="x" * 20_000, strategy_name="W")),
    raw(alert(comment="ünïcødé", strategy_name="\u20b9")),
    raw(alert(comment="ünïcødé \ud83d\ude80", strategy_name="ünï")),
    b"\xef\xbb\xbf" + raw(alert(strategy_name="X")),
    b"",
    b"[]",
    b"null",
    b"{",
    b'{"secret_key": "' + SECRET.encode() + b'", }',
    b'{"secret_key": "wrong", }',
    b'{"a": 1, "A": 2}',
    b'{"a": NaN}',
    b"\xff\xfe",
    b"{" * 50,
    raw(alert(strategy_name="deep", comment={"a": [[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]})),
    b"secret_key=" + SECRET.encode() + b"&a=b",
    raw([alert()]),
    raw(json.dumps(alert())),
    # of other platforms
    raw(FOREIGN),
    raw(FOREIGN).replace(b"}", b",}"),
    raw(FOREIGN | {"action": "hold"}),
    raw(FOREIGN | {"secret": "wrong"}),
    raw(FOREIGN | {"mood": SECRET}),
    raw({"secret": SECRET, "msg": "INFY is high"}),
    raw({"secret": "wrong", "msg": "INFY is high"}),
    b"secret=" + SECRET.encode() + b"&ticker=NSE:TCS&action=buy&quantity=2&product=MIS&strategy=F",
    b"secret: " + SECRET.encode() + b"\nticker: NSE:ITC\naction: buy\nquantity: 2\nproduct: MIS\nstrategy: F",
    b"INFY buy 3",
]  # fmt: skip
HEADERS: list[list[tuple[bytes, bytes]]] = [
    [],
    [(b"content-type", b"application/x-www-form-urlencoded")],
    [(b"content-type", b"multipart/form-data; boundary=x"), (b"cookie", b"a=b")],
    [(b"x-signature", b"sha256=00")],
    [(b"x_signature", b"sha256=00")],
    [(b"x-forwarded-for", b"9.9.9.9, 8.8.8.8"), (b"x-forwarded-host", b"elsewhere")],
    [(b"x-forwarded-for", b"1.1.1.1"), (b"x-forwarded-for", b"\xff, ")],
    [(b"host", b"\xff bad host:99999")],
    [(b"x-http-method-override", b"DELETE"), (b"content-encoding", b"gzip"), (b"range", b"bytes=0-1")],
]
PATHS = [
    b"/webhook/usual-fields", b"/webhook/3commas/" + SECRET.encode(),
    b"/webhook", b"/webhook/", b"/webhook/native", b"/webhook/native/", b"/webhook/native/" + SECRET.encode(),
    b"/webhook/native/wrong", b"/webhook/native/" + SECRET.encode() + b"/", b"/webhook/native/a/b", b"/webhook/other",
    b"/webhook/other/" + SECRET.encode(), b"/webhook?a=b", b"/webhook/?", b"//webhook", b"/webhook//native",
    b"/web%68ook", b"/webhook/native/%62enchmark-secret", b"/webhook/NATIVE", b"/Webhook", b"/webhook/native/..",
    b"/webhook/native/;x", b"/webhook/\xff", b"/nothing", b"/webhooks",
]  # fmt: skip


def test_every_body_is_answered_alike(tmp_path: Path) -> None:
    doors = BothDoors(tmp_path)
    asyncio.run(doors.ask([(b"/webhook", "POST", [], body) for body in BODIES]))
    assert doors.at_the_loop == len(BODIES)
    assert kept(tmp_path / "loop") == kept(tmp_path / "flask")


def test_every_path_and_header_is_answered_alike(tmp_path: Path) -> None:
    doors = BothDoors(tmp_path)
    requests: list[Asked] = []
    for number, path in enumerate(PATHS):
        body = raw(alert(secret_key=... if number % 2 else SECRET, strategy_name=f"P{number}"))
        requests += [(path, method, [], body) for method in ("POST", "GET", "HEAD", "PUT", "OPTIONS")]
        requests.append((path, "POST", [], raw(alert(strategy_name=f"Q{number}"))))
    for number, headers in enumerate(HEADERS):
        for secret in (..., SECRET):
            requests.append(
                (b"/webhook", "POST", headers, raw(alert(secret_key=secret, strategy_name=f"H{number}")))
            )
    body = raw(alert(secret_key=..., strategy_name="signed"))
    for signature in (signed(body), signed(body, "wrong"), (b"x-signature", b""), (b"x-signature", b"\xff")):
        requests.append((b"/webhook", "POST", [signature], body))
        requests.append((b"/webhook", "POST", [signature, signature], body))
    asyncio.run(doors.ask(requests))
    assert 20 < doors.at_the_loop < len(requests)
    assert kept(tmp_path / "loop") == kept(tmp_path / "flask")


@pytest.mark.parametrize("hops", [0, 1, 2])
def test_the_limits_of_a_sender_count_alike(
    tmp_path: Path, hops: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("delivery_limiter", "guess_limiter"):  # on a clock that stands still
        make = getattr(trading_bot, name)
        monkeypatch.setattr(trading_bot, name, lambda rate, _, make=make: make(rate, lambda: 1000.0))
    settings = {
        "WEBHOOK_RATE_PER_SECOND": 1,
        "TRUSTED_PROXIES": hops,
        "WEBHOOK_AUTH_FAILURES_PER_MINUTE": 2,
    }
    doors = BothDoors(tmp_path, **settings)
    requests: list[Asked] = []
    for number in range(8):
        for forwarded in (b"1.1.1.1, 2.2.2.2", b"3.3.3.3", b"1.1.1.1, 2.2.2.2, 4.4.4.4", b"", b'"5, 5", 6'):
            body = raw(alert(strategy_name=f"S{number}", secret_key="wrong" if number % 2 else SECRET))
            requests.append((b"/webhook", "POST", [(b"x-forwarded-for", forwarded)], body))
    asyncio.run(doors.ask(requests))
    assert doors.at_the_loop == len(requests)
    assert kept(tmp_path / "loop") == kept(tmp_path / "flask")


def kept(folder: Path) -> list[tuple[object, ...]]:
    with contextlib.closing(sqlite3.connect(folder / "orders.db")) as connection:
        return connection.execute(
            "SELECT format, strategy_name, remote_addr, raw_body, outcome, reason_code, substr(reason_message, 1, 20) "
            "FROM alerts ORDER BY rowid"
        ).fetchall()


# over a socket: whole at once, which is answered without a task, and in pieces ---------------------------------


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("doors")
    listens = free_port()
    settings = environment(folder, PORT=listens, WEB_WORKERS=1)
    services_for(settings).store.close()
    with (folder / "log").open("wb") as log:
        command = [sys.executable, str(ROOT / "trading_bot.py"), "web", "--supervised"]
        process = subprocess.Popen(command, cwd=folder, env=settings, stdout=log, stderr=log)
    try:
        wait_for(lambda: answer_to(listens, [b"GET /healthz HTTP/1.0\r\n\r\n"]) != b"", 20, "the web server")
        yield listens
    finally:
        process.kill()
        process.wait(10)


def answer_to(port: int, pieces: list[bytes]) -> bytes:
    """What comes back for these pieces, sent one after the other, until the server closes."""
    parts = []
    with (
        contextlib.suppress(OSError),
        socket.create_connection(("127.0.0.1", port), timeout=10) as connection,
    ):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            connection.sendall(piece)
            time.sleep(0.03 if len(pieces) > 1 else 0)
        while part := connection.recv(65536):
            parts.append(part)
    found = re.sub(rb"[0-9a-hjkmnp-tv-z]{26}", b"#", b"".join(parts))
    return re.sub(rb"Date: [^\r]*", b"Date", found)


def request(body: bytes, *more: bytes, version: bytes = b"1.1", path: bytes = b"/webhook") -> bytes:
    lines = [b"POST %s HTTP/%s" % (path, version), b"Host: x", *more, b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


CLOSE = b"Connection: close"


@pytest.mark.parametrize("name", ["plain", "refused", "rejected", "old", "pair"])
def test_an_alert_in_one_piece_is_answered_as_one_in_pieces(port: int, name: str) -> None:
    answers = []
    for way in ("one", "two", "chunked", "flask"):
        body = raw(alert(strategy_name=f"{name}-{way}"))
        if name == "refused":
            body = raw(alert(secret_key="wrong"))
        elif name == "rejected":
            body = raw(alert(oops=1))
        version = b"1.0" if name == "old" else b"1.1"
        whole = request(body, CLOSE, version=version)
        if name == "pair":  # two on one connection, the second right behind the first
            whole = request(body) + whole
        if way == "two":
            cut = whole.index(b"\r\n\r\n") + 9
            pieces = [whole[:cut], whole[cut:]]
        elif way == "chunked" and name not in ("old", "pair"):
            head = b"POST /webhook HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
            pieces = [head, b"%x\r\n" % len(body) + body + b"\r\n0\r\n\r\n"]
        elif way == "flask":  # a format's name in the path that only Flask reads
            pieces = [whole.replace(b"/webhook HTTP", b"/%77ebhook HTTP")]
        else:
            pieces = [whole]
        answers.append(answer_to(port, pieces))
    assert answers[0].startswith(b"HTTP/1.") and answers[0].count(b"content-length: ") == (
        2 if name == "pair" else 1
    )
    assert set(answers) == {answers[0]}
