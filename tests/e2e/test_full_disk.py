"""The disk fills up while everything runs: nothing is lost or sent twice, nothing ends, and it goes on with room."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.e2e.service import Service, alert, wait_for


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "small"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=False)


def test_a_disk_that_fills_up_ends_nothing_and_is_told(tmp_path: Path, small_disk: Path) -> None:
    with Service(tmp_path, ORDERS_DB=str(small_disk / "orders.db"), WATCHER_POLL_SECONDS="0.5") as service:
        assert service.post(alert()).status_code == 200
        ballast = small_disk / "ballast"
        with open(ballast, "wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))
        taken = []
        for number in range(120):
            name = f"R{number}"
            answer = service.post(alert(symbol=name, strategy_name=name))
            assert answer.status_code in (200, 503)
            taken += [name] if answer.status_code == 200 else []
            time.sleep(0.05)
        assert service.process is not None and service.process.poll() is None
        told = requests.get(f"{service.base}/readyz", timeout=5)
        assert told.status_code == 503 and "the disk is full" in told.json()["checks"]["database"]["sentence"]
        log = (tmp_path / "service.log").read_text()
        assert "disk is full" in log and "restore FILE" not in log
        ballast.unlink()
        wait_for(service.is_ready, 20, "the service to be ready again")
        assert service.post(alert(symbol="AFTER", strategy_name="AFTER")).status_code == 200
        found = [order["symbol"] for order in service.api("/api/orders", params={"limit": 500})["orders"]]
        assert set(taken) | {"AFTER"} <= set(found)
        assert service.stop() == 0
