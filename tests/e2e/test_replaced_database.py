"""orders.db replaced while the service runs: nothing is acknowledged into it, everything ends and says what to do."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
import requests

from persistence.sqlite.identity import IdentityFile, witness_path
from tests.e2e.service import Service, alert, wait_for

_ROOT = Path(__file__).resolve().parents[2]


def _move(copy: Path, database: Path) -> None:
    os.replace(copy, database)


def _copy_over(copy: Path, database: Path) -> None:
    shutil.copyfile(copy, database)


def _truncate(copy: Path, database: Path) -> None:
    os.truncate(database, 5000)


def _remove(copy: Path, database: Path) -> None:
    database.unlink()


@pytest.mark.parametrize("put", [_move, _copy_over, _truncate, _remove])
def test_a_service_whose_database_is_replaced_takes_nothing_and_ends(tmp_path: Path, put) -> None:
    with Service(tmp_path, WATCHER_POLL_SECONDS="0.5") as service:
        database, copy = tmp_path / "orders.db", tmp_path / "copy.db"
        assert service.post(alert()).status_code == 200
        with closing(sqlite3.connect(database)) as one, closing(sqlite3.connect(copy)) as other:
            one.backup(other)
        with closing(sqlite3.connect(copy)) as other, other:  # as a copy of long ago
            other.execute("UPDATE database_identity SET generation = 0")
        noted = witness_path(database)
        wait_for(
            lambda: IdentityFile(database).main_generation > 0, 10, f"a checkpoint to be noted in {noted}"
        )
        put(copy, database)
        try:
            answer = service.post(alert(symbol="AFTER", strategy_name="AFTER"))
        except requests.ConnectionError:
            pass  # it has ended already
        else:
            assert answer.status_code == 503
        assert service.process is not None
        assert service.process.wait(20) == 78
        log = (tmp_path / "service.log").read_text()
        assert "restore FILE" in log
    wait_for(lambda: not service.is_listening(), 10, "the port to be free")


def test_a_port_that_is_taken_starts_nothing_and_says_so_once(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with Service(tmp_path / "one") as first:
        second = subprocess.run(
            [sys.executable, _ROOT / "trading_bot.py"],
            cwd=tmp_path / "two",
            env={"PATH": os.environ["PATH"], "PORT": str(first.port), "ORDERS_DB": "orders.db"},
            capture_output=True,
            timeout=40,
            check=False,
        )
        said = (second.stdout + second.stderr).decode()
        assert second.returncode == 69
        assert "another program listens" in said and "ready on" not in said
        assert said.count("CRITICAL") == 1 and "ERROR" not in said
        assert first.is_ready()
