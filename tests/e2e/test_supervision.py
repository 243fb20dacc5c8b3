"""What ends is started again, what is stopped is noticed, and nothing is shared or left behind."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from app.stopped_holder import is_stopped
from tests.e2e.service import Service, alert, children_of, wait_for


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    settings = {"WATCHER_STALL_SECONDS": "3", "BROKER_DEADLINE_SECONDS": "2", "WATCHER_POLL_SECONDS": "0.5"}
    with Service(tmp_path, **settings) as running:
        yield running


def executes(service: Service, symbol: str) -> bool:
    try:
        id_ = service.post(alert(symbol=symbol, strategy_name=symbol)).json()["legs"][0]["command_id"]
    except requests.ConnectionError:
        return False
    return service.settled(id_, 20)["status"] == "EXECUTED"


def test_a_watcher_that_is_killed_is_started_again_and_told_of(service: Service) -> None:
    first = service.pid_of("watch")
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: _running(service, "watch", other_than=first), 10, "a new watcher")
    assert executes(service, "AFTER")
    wait_for(lambda: _told(service, "ended unexpectedly"), 10, "the message")


def test_a_watcher_that_is_stopped_is_replaced(service: Service) -> None:
    first = service.pid_of("watch")
    os.kill(first, signal.SIGSTOP)
    id_ = service.post(alert()).json()["legs"][0]["command_id"]
    wait_for(lambda: _running(service, "watch", other_than=first), 20, "a new watcher")
    assert service.settled(id_, 20)["status"] == "EXECUTED"
    assert _told(service, "ended unexpectedly")


_STOPS_IN_A_WRITE = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=10)
connection.execute("BEGIN IMMEDIATE")
os.kill(os.getpid(), signal.SIGSTOP)
"""


@pytest.mark.parametrize("who", ["the watcher", "a process in a write"])
def test_with_the_settings_as_they_come_an_exit_waits_no_longer_than_fifteen_seconds(
    tmp_path: Path, who: str
) -> None:
    with Service(tmp_path) as service:
        entry = service.post(alert()).json()["legs"][0]["command_id"]
        assert service.settled(entry, 20)["status"] == "EXECUTED"
        if who == "the watcher":
            os.kill(service.pid_of("watch"), signal.SIGSTOP)
        else:
            stopped = subprocess.Popen(
                [sys.executable, "-c", _STOPS_IN_A_WRITE, service.settings["ORDERS_DB"]]
            )
            wait_for(lambda: is_stopped(stopped.pid), 10, "the process to be stopped")
        began = time.monotonic()
        while True:  # as a sender does whose alert could not be made durable
            answer = service.post(
                alert(execution_type="EXIT", direction="SELL", order_type="MARKET", price=None)
            )
            if answer.status_code == 200:
                break
            time.sleep(0.5)
        left = answer.json()["legs"][0]["command_id"]
        assert service.settled(left, 20)["status"] == "EXECUTED"
        assert time.monotonic() - began < 15


def test_a_web_server_that_is_killed_is_started_again(service: Service) -> None:
    first = service.pid_of("web")
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: _running(service, "web", other_than=first), 15, "a new web server")
    # Workers of the one that was killed may answer a last time, or break off: a sender would try again, as this does.
    tries = iter(range(100))
    wait_for(lambda: executes(service, f"AFTER{next(tries)}"), 20, "an order")


def test_children_end_with_a_supervisor_that_is_killed(service: Service) -> None:
    watcher, web = service.pid_of("watch"), service.pid_of("web")
    assert service.process is not None
    os.kill(service.process.pid, signal.SIGKILL)
    for pid in (watcher, web):
        wait_for(lambda pid=pid: not _alive(pid), 25, f"process {pid} to end")  # type: ignore[misc]
    service.process.wait(5)
    service.start()
    assert executes(service, "AFTER")


def test_sigterm_ends_everything_in_order(service: Service) -> None:
    watcher, web = service.pid_of("watch"), service.pid_of("web")
    assert service.stop() == 0
    assert not _alive(watcher)
    assert not _alive(web)
    assert service.rows("SELECT count(*) FROM heartbeats") == [(0,)]


def test_every_process_of_the_service_ends_with_a_supervisor_that_is_killed(service: Service) -> None:
    assert service.process is not None
    pid = service.process.pid
    wait_for(lambda: len(_descendants(pid)) == 4, 10, "watcher, web server and two of its workers")
    family = _descendants(pid)
    os.kill(pid, signal.SIGKILL)
    for child in family:
        wait_for(lambda child=child: not _alive(child), 25, f"process {child} to end")  # type: ignore[misc]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_ctrl_c_and_a_closed_terminal_end_everything(service: Service, number: int) -> None:
    """A terminal sends both to every process of its group."""
    assert service.process is not None
    family = _descendants(service.process.pid)
    os.killpg(service.process.pid, number)
    assert service.process.wait(25) == (0 if number == signal.SIGINT else -number)
    for pid in family:
        wait_for(lambda pid=pid: not _alive(pid), 25, f"process {pid} to end")  # type: ignore[misc]


def test_a_signal_during_the_start_leaves_nothing_behind(tmp_path: Path) -> None:
    for seconds in (0.05, 0.4, 0.8, 1.0, 1.2, 1.4, 1.7):
        service = Service(tmp_path)
        service.start(wait=False)
        time.sleep(seconds)
        assert service.process is not None
        family = _descendants(service.process.pid)
        service.process.terminate()
        assert service.process.wait(25) in (0, -signal.SIGTERM)
        for pid in family:
            wait_for(lambda pid=pid: not _alive(pid), 25, f"process {pid} to end")  # type: ignore[misc]
        service.log.close()


def test_nothing_that_must_not_be_shared_is_open_where_processes_are_forked(service: Service) -> None:
    """Neither a database nor a lock, and no thread; nor after a watcher and the web server were replaced."""
    assert service.process is not None
    parent = service.process.pid
    executes(service, "BEFORE")
    for replaced in ("", "watch", "web"):
        if replaced:
            first = service.pid_of(replaced)
            os.kill(first, signal.SIGKILL)
            wait_for(lambda: _running(service, replaced, other_than=first), 20, f"a new {replaced}")
        assert os.listdir(f"/proc/{parent}/task") == [str(parent)]
        # It opens -shm for a moment, twice a second, to ask the kernel who holds the write lock.
        assert _open_files(parent, service.folder) <= {"service.log", "orders.db-shm"}
    wait_for(service.is_ready, 20, "the service to be ready")
    held = _open_files(service.pid_of("watch"), service.folder)
    assert {"orders.db", "orders.db-wal", "paper.db"} <= held  # the files would be seen, were they open


def test_no_process_holds_the_files_of_another(service: Service) -> None:
    """The watcher's lock is in its own process alone, and so its end is known at once."""
    assert service.process is not None
    executes(service, "BEFORE")
    watcher = service.pid_of("watch")
    [lock] = (service.folder / "orders.db.watchers").iterdir()
    for pid in _descendants(service.process.pid):
        names = {Path(name).name for name in _links(pid)}
        assert (lock.name in names) == (pid == watcher)
    os.kill(watcher, signal.SIGKILL)
    wait_for(lambda: _told(service, f"watcher {lock.name} ended unexpectedly"), 20, "the message")


def _descendants(pid: int) -> list[int]:
    found = children_of(pid)
    for child in found:
        found += children_of(child)
    return found


def _links(pid: int) -> list[str]:
    links = []
    for handle in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            links.append(os.readlink(handle))
    return links


def _open_files(pid: int, folder: Path) -> set[str]:
    """The files below this folder that the process has open or in its memory."""
    mapped = [line.split()[-1] for line in Path(f"/proc/{pid}/maps").read_text().splitlines()]
    return {Path(name).name for name in [*_links(pid), *mapped] if name.startswith(str(folder))}


def _running(service: Service, role: str, *, other_than: int) -> bool:
    try:
        return service.pid_of(role) != other_than
    except AssertionError:
        return False


def _told(service: Service, words: str) -> bool:
    return any(words in row[0] for row in service.rows("SELECT message FROM telegram_messages"))


def _alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
