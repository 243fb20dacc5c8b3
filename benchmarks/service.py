"""Set-up of the service for the benchmarks: its settings, its processes, and its services in this process."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from app.arguments import SUPERVISED  # ends with its parent, even with one that is killed
from app.settings import load_settings
from benchmarks.workspace import ROOT, Started, Workspace, answers, wait_until
from trading_bot import Services, build_services

SECRET = "benchmark-secret"
CLIENT = "default"


def environment(folder: Path, **settings: object) -> dict[str, str]:
    """Return the settings of a service whose database is in this folder."""
    base = {
        "ORDERS_DB": folder / "orders.db",
        "WEBHOOK_SECRET": SECRET,
        "CONSOLE_TOKEN": SECRET,
        "LOG_LEVEL": "WARNING",
        "WEBHOOK_RATE_PER_SECOND": 0,
        "MAX_ALERT_AGE_SECONDS": 3600,
        "POSITIONS_MAX_AGE_SECONDS": 3600,
    }
    return {name: str(value) for name, value in {**base, **settings}.items()}


def services_for(env: Mapping[str, str]) -> Services:
    """Build the services for these settings in this process. This creates the database."""
    return build_services(load_settings(env, dotenv_path=None))


def read_positions(env: Mapping[str, str]) -> None:
    """Read the positions, as a watcher would: without a position read every entry is blocked."""
    services = services_for(env)
    services.engine("benchmark").refresh(CLIENT, force=True)
    services.store.close()


def start_web(workspace: Workspace, env: Mapping[str, str]) -> Started:
    """Start the webhook and the console alone, as gunicorn serves them. Return once they answer."""
    started = workspace.start("web", [str(ROOT / "trading_bot.py"), "web", SUPERVISED], env)
    wait_until(lambda: answers(int(env["PORT"])), 30, started)
    return started


def start_watcher(workspace: Workspace, env: Mapping[str, str]) -> Started:
    """Start a watcher alone. It has not begun to work yet when this returns."""
    return workspace.start("watcher", [str(ROOT / "trading_bot.py"), "watch", SUPERVISED], env)


def start_all(workspace: Workspace, env: Mapping[str, str]) -> Started:
    """Start the whole service with its one command. Return once it answers."""
    started = workspace.start("service", [str(ROOT / "trading_bot.py"), SUPERVISED], env)
    wait_until(lambda: answers(int(env["PORT"])), 30, started)
    return started


@contextmanager
def looking(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a read-only connection, and close it at the end."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=5)
    try:
        yield connection
    finally:
        connection.close()


def one_in(path: Path, query: str, *values: object) -> int:
    """The single number that a query of this database returns now."""
    with looking(path) as connection:
        return one(connection, query, *values)


def has_beaten(path: Path) -> bool:
    """True once a watcher has written a heartbeat, which means that it has reconciled everything once."""
    return one_in(path, "SELECT count(*) FROM heartbeats") > 0


def one(connection: sqlite3.Connection, query: str, *values: object) -> int:
    """The single number that a query returns; 0 for NULL."""
    return int(connection.execute(query, values).fetchone()[0] or 0)
