"""A running Orderwatch: real processes on loopback, in a folder of their own, that can be killed and started again."""

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[2]
SECRET = "e2e-webhook-secret"
TOKEN = "e2e-console-token"


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


class Service:
    """`python trading_bot.py` with the paper broker, and what its databases hold."""

    root = ROOT  # of the program; may be another copy of it

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.base = f"http://127.0.0.1:{self.port}"
        self.settings = {
            "PORT": str(self.port),
            "ORDERS_DB": str(folder / "orders.db"),
            "WEBHOOK_SECRET": SECRET,
            "CONSOLE_TOKEN": TOKEN,
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self.log = (folder / "service.log").open("ab")

    def start(self, *, wait: bool = True) -> None:
        """Start everything in a process group of its own; returns when it is ready."""
        self.process = self.run("trading_bot.py")
        if wait:
            self.wait_until_ready()

    def run(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        """Start one of the project's programs with this service's settings, in a process group of its own."""
        inherited = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "TMPDIR")}
        return subprocess.Popen(
            [sys.executable, str(self.root / program), *arguments],
            cwd=self.folder,
            env={**inherited, **self.settings},
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )

    def wait_until_ready(self, seconds: float = 20) -> None:
        wait_for(self.is_ready, seconds, "the service to be ready")

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.base}/readyz", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    def is_listening(self) -> bool:
        """True when somebody takes connections, whether or not all is well."""
        with socket.socket() as s:
            s.settimeout(1)
            return s.connect_ex(("127.0.0.1", self.port)) == 0

    def pid_of(self, role: str) -> int:
        """The process of that role (`watch`, `web`) among the supervisor's children.

        Raises:
            AssertionError: there is none now.
        """
        assert self.process is not None, "the service does not run"
        for child in children_of(self.process.pid):
            with contextlib.suppress(OSError):
                if role in Path(f"/proc/{child}/cmdline").read_bytes().decode().split("\0"):
                    return child
        raise AssertionError(f"no {role} among the children")

    def kill(self) -> None:
        """SIGKILL to every process of the service at once, as a power cut would."""
        if self.process is not None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
            self.process = None

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        assert self.process is not None
        self.process.terminate()
        try:
            return self.process.wait(30)
        finally:
            self.kill_rest()

    def kill_rest(self) -> None:
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
            self.process = None

    def __enter__(self) -> "Service":
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill_rest()
        self.log.close()

    # talking to it ------------------------------------------------------------------------------------------

    def post(
        self, body: Mapping[str, Any], *, http: Any = requests, secret: str = SECRET, timeout: float = 10
    ) -> requests.Response:
        """Post an alert with the secret in its body; `http` may be a session that keeps its connection."""
        answer: requests.Response = http.post(
            f"{self.base}/webhook", data=json.dumps({"secret_key": secret, **body}), timeout=timeout
        )
        return answer

    def wish(self, what: str, **fields: Any) -> Any:
        """POST an operator's wish (`halt`, `resume`, …) with the console token."""
        response = requests.post(
            f"{self.base}/api/{what}", json=fields, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10
        )
        response.raise_for_status()
        return response.json()

    def api(self, path: str, **options: Any) -> Any:
        """GET an API page with the console token."""
        response = requests.get(
            f"{self.base}{path}", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10, **options
        )
        response.raise_for_status()
        return response.json()

    def mark(self, symbol: str, price: float) -> None:
        """Set the paper market's last price."""
        self.wish("marks", exchange="NFO", symbol=symbol, price=str(price))

    # what it left on disk -----------------------------------------------------------------------------------

    def rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        return _rows(self.folder / "orders.db", sql, *parameters)

    def broker_rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        return _rows(self.folder / "paper.db", sql, *parameters)

    def order(self, command_id: str) -> dict[str, Any]:
        connection = sqlite3.connect(self.folder / "orders.db", timeout=10)
        connection.row_factory = sqlite3.Row
        try:
            row = connection.execute("SELECT * FROM orders WHERE command_id = ?", (command_id,)).fetchone()
            return dict(row)
        finally:
            connection.close()

    def settled(self, command_id: str, seconds: float = 10) -> dict[str, Any]:
        """The order once it is EXECUTED or FAILED."""
        wait_for(
            lambda: self.order(command_id)["status"] in ("EXECUTED", "FAILED"),
            seconds,
            f"{command_id} to end",
        )
        return self.order(command_id)

    def all_settled(self, seconds: float = 60) -> None:
        """Wait until no order is open."""
        wait_for(
            lambda: (
                self.rows("SELECT count(*) FROM orders WHERE status IN ('CREATED', 'SENT_TO_BROKER')")
                == [(0,)]
            ),
            seconds,
            "every order to end",
        )


def children_of(pid: int) -> list[int]:
    """The processes that it started and that still are."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _rows(path: Path, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    connection = sqlite3.connect(path, timeout=10)
    try:
        return connection.execute(sql, parameters).fetchall()
    finally:
        connection.close()


def wait_for(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll until it holds; a bounded wait that says what it waited for."""
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            raise AssertionError(f"waited {seconds} s for {what}")
        time.sleep(0.02)


def alert(symbol: str = "NIFTY26NOV24500CE", **changes: Any) -> dict[str, Any]:
    """A native alert of one leg; keys of the leg and of the alert may be changed alike."""
    leg = {
        "tradingsymbol": symbol,
        "direction": "BUY",
        "qty": 50,
        "product_type": "MIS",
        "order_type": "LIMIT",
        "price": 112.5,
    }
    top = {"execution_type": "ENTRY", "strategy_name": "STRADDLE", "exchange": "NFO"}
    for name, value in changes.items():
        (leg if name in leg or name == "trigger_price" else top)[name] = value
    return {**top, "legs": [leg]}
