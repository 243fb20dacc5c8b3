"""A forked child: how it ends, which signals it heeds, what `ps` shows of it, and that it never outlives its parent."""

import os
import platform
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.child_process import ChildProcess
from tests.e2e.service import ROOT, wait_for

_TITLE = ("a test", "child")


def _sleep() -> int:
    time.sleep(60)
    return 0


def _exit_with_75() -> int:
    raise SystemExit(75)


def _fail() -> int:
    raise ValueError("as it must not")


@pytest.mark.parametrize(("run", "status"), [(lambda: 0, 0), (lambda: 3, 3), (_exit_with_75, 75), (_fail, 1)])
def test_its_status_is_what_the_function_came_to(run, status):
    assert ChildProcess(run, _TITLE).wait(20) == status


@pytest.mark.parametrize(
    ("end", "status"),
    [(ChildProcess.terminate, -signal.SIGTERM), (ChildProcess.kill, -signal.SIGKILL)],
)
def test_its_status_names_the_signal_that_ended_it(end, status):
    child = ChildProcess(_sleep, _TITLE)
    assert child.returncode is None
    with pytest.raises(TimeoutError):
        child.wait(0.05)
    end(child)
    assert child.wait(20) == status == child.returncode
    end(child)  # it has ended: nothing else may get the signal


def _signalled(number: int) -> ChildProcess:
    child = ChildProcess(_sleep, _TITLE)
    os.kill(child.pid, number)
    return child


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_at_its_first_instruction_is_not_lost_in_the_handlers_of_its_parent(number):
    """The parent's handlers only note the signal, as the supervisor's do."""
    noted: list[int] = []
    children: list[ChildProcess] = []
    before = signal.signal(number, lambda *_: noted.append(number))
    try:
        children = [_signalled(number) for _ in range(20)]
        wait_for(lambda: None not in [child.returncode for child in children], 10, "all of them to end")
        assert {child.returncode for child in children} == {-number}
        assert noted == []
        os.kill(os.getpid(), number)
        assert noted == [number]
    finally:
        signal.signal(number, before)
        for child in children:
            child.kill()


def test_signals_that_the_parent_held_back_come_to_it_afterwards():
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    ChildProcess(lambda: 0, _TITLE).wait(20)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == mask


_PARENT = """
import os, sys, time
from app.child_process import ChildProcess

def sleep():
    time.sleep(60)
    return 0

child = ChildProcess(sleep, ("program.py", "watch"))
print(child.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel of other systems does not tell")
def test_it_ends_with_a_parent_that_is_killed_and_is_shown_under_its_title():
    with subprocess.Popen(
        [sys.executable, "-c", _PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        shown = Path(f"/proc/{pid}/cmdline")
        wait_for(lambda: shown.read_bytes().rstrip(b"\0") == b"program.py\0watch", 10, "the title")
        assert b"ChildProcess" in Path(f"/proc/{parent.pid}/cmdline").read_bytes()
        parent.kill()
    wait_for(lambda: not shown.exists() or not shown.read_bytes(), 10, "the child to end")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the heaps of threads are glibc's")
def test_threads_share_two_heaps(tmp_path):
    """Sixteen threads that allocate beside each other have as many heaps by default as glibc allows."""
    program = f"""
import ctypes, threading
from app.child_process import share_heaps
share_heaps()
libc, all_there = ctypes.CDLL(None), threading.Barrier(16)
def allocate():
    all_there.wait()
    libc.malloc(100)
    all_there.wait()
threads = [threading.Thread(target=allocate) for _ in range(16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(libc.fopen({str(tmp_path / "heaps")!r}.encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT, timeout=30)
    assert (tmp_path / "heaps").read_text(encoding="ascii").count("<heap nr=") <= 2
