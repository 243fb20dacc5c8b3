"""What the operator's commands work on: a database that the settings point to, the services, a service that answers."""

import json
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

import cli
from app.settings import load_settings
from command_service import CommandService
from domain.limits import ClientPolicy, LimitBook
from persistence.database import open_database
from tests.cli.making import SECRET, Service
from tests.persistence.making import Maker, StepClock


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
    policies = {"default": ClientPolicy("default", LimitBook(), live_allowed=True)}
    made = SimpleNamespace(
        settings=load_settings(),
        database=open_database(maker.path),
        store=maker.store,
        clock=maker.clock,
        policies=policies,
        commands=CommandService(
            maker.store,
            policies,
            clock=maker.clock,
            ids=SimpleNamespace(alert_id=lambda at: f"exit{next(ids)}"),
            dedup_window=timedelta(seconds=60),
            alert_life=timedelta(minutes=5),
        ),
    )
    monkeypatch.setattr(cli, "_services", lambda: made)
    return made


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    """A service at the port that the settings name; it answers while the test runs."""
    state = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            database = (
                state.database
                if state.database is not None
                else open_database(os.environ["ORDERS_DB"]).identity()
            )
            self._answer(json.dumps({"status": "ok", "database": database}).encode())

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
