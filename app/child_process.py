"""Run a function in a child process that is forked from this one, so that nothing is imported a second time.

A process that forks must keep two rules, and so the supervisor keeps them for as long as it runs:

- It has one thread. A lock that another thread holds at the fork would stay locked in the child for ever, because the
  thread that would release it does not exist there.
- It has no database and no file lock open. SQLite forbids to use a connection on both sides of a fork, and a file
  lock that two processes share is not released when the one ends that took it.

So what has to read or migrate the database before the children start is a child itself.
"""

import contextlib
import ctypes
import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

log = logging.getLogger(__name__)

_FORK = multiprocessing.get_context("fork")
_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_POLL_SECONDS = 0.01
_M_ARENA_MAX, _HEAPS = -8, 2
_PR_SET_PDEATHSIG = 1
# In /proc/self/stat, counted after the process's name: where the memory of its command line begins and ends.
_ARGUMENTS_BEGIN, _ARGUMENTS_END = 45, 46


class ChildProcess:
    """A forked process that runs a function. Its exit status is what the function returns, or that of a SystemExit.

    `title` is the command line that `ps` shows for it. On Linux it ends when this process ends, however that ends.
    """

    def __init__(self, run: Callable[[], int], title: Sequence[str]) -> None:
        # Until the child has handlers of its own, a signal would call those of this process and be lost.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            self._process = _FORK.Process(target=_run, args=(run, title, os.getpid(), mask))
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        """Its exit status; None while it runs; below zero the number of the signal that ended it."""
        return self._process.exitcode

    def wait(self, seconds: float | None = None) -> int:
        """Wait until it has ended, and return its exit status.

        Raises:
            TimeoutError: it has not ended within the seconds.
        """
        give_up = None if seconds is None else time.monotonic() + seconds
        # `join` would also wait for the child's own children, such as gunicorn's workers.
        while (status := self.returncode) is None:
            if give_up is not None and time.monotonic() > give_up:
                raise TimeoutError(f"process {self.pid} has not ended")
            time.sleep(_POLL_SECONDS)
        return status

    def terminate(self) -> None:
        """Ask it to end, unless it has ended."""
        self._process.terminate()

    def kill(self) -> None:
        """End it at once, unless it has ended."""
        self._process.kill()


def _run(run: Callable[[], int], title: Sequence[str], parent: int, mask: set[signal.Signals]) -> None:
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    _let_kernel_end_it()
    if os.getppid() != parent:  # it has ended already
        raise SystemExit(1)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    show_as(title)
    try:
        status = run()
    except Exception:  # the outermost handler of a process: the error goes to the log, in its format
        log.exception("%s ends with an error", " ".join(title))
        status = 1
    raise SystemExit(status)


def end_with_parent() -> None:
    """Ask the kernel (Linux) to end this process when its parent ends; elsewhere a killed parent leaves it running."""
    parent = os.getppid()
    _let_kernel_end_it()
    if os.getppid() != parent or parent == 1:
        log.warning("the parent has ended already")


def _let_kernel_end_it() -> None:
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def share_heaps() -> None:
    """Let the threads of this process and its children share two heaps (glibc), before any of them is started.

    By default glibc gives each thread a heap of its own, up to eight for a core. Our threads seldom allocate at the
    same time, and what one of them has freed in its heap no other one uses.
    """
    with contextlib.suppress(OSError, AttributeError):  # another C library: nothing changes
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _HEAPS)


def show_as(title: Sequence[str]) -> None:
    """Let `ps` show these words as the command line of this process (Linux), instead of those of the supervisor.

    The words replace the ones that the process was started with, in the same memory. Without enough room, or where the
    system does not tell where they are, nothing changes.
    """
    try:
        fields = Path("/proc/self/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        begin, end = int(fields[_ARGUMENTS_BEGIN]), int(fields[_ARGUMENTS_END])
    except (OSError, ValueError, IndexError):
        return
    text = b"".join(word.encode() + b"\0" for word in title)
    if begin and len(text) <= end - begin:
        ctypes.memmove(begin, text.ljust(end - begin, b"\0"), end - begin)
