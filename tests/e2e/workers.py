"""The threads of a run, and what says that the run was none: a judge of nothing finds nothing."""

import threading
from collections.abc import Callable, Iterator, Sequence

from tests.e2e.service import wait_for


class Worker(threading.Thread):
    """A part of the run whose end is looked at: it may neither die of an exception nor go on for ever."""

    def __init__(self, name: str) -> None:
        super().__init__(name=name, daemon=True)
        self.failure: Exception | None = None

    def work(self) -> None:
        """All that it does."""
        raise NotImplementedError

    def run(self) -> None:
        try:
            self.work()
        except Exception as failure:  # noqa: BLE001 - the edge of a thread; `faults` tells of it
            self.failure = failure

    def faults(self) -> Iterator[str]:
        """What went wrong with it, once it should have ended."""
        if self.failure is not None:
            yield f"{self.name} died of {self.failure!r}"
        if self.is_alive():
            yield f"{self.name} still runs"
        if self.ident is None:
            yield f"{self.name} was never started"


def is_back(listens: Callable[[], bool], within: float) -> bool:
    """True as soon as the service takes connections; False when it did not for so many seconds."""
    try:
        wait_for(listens, within, "the service to listen")
    except AssertionError:
        return False
    return True


def run_faults(
    workers: Sequence[Worker], *, kills: int, listens: bool, struck: int | None = None
) -> list[str]:
    """Why the run proves nothing, whatever its judge finds; empty for one that did what it says.

    Args:
        kills: how often something was killed.
        listens: whether the service takes connections at the end.
        struck: how many of the broker's faults were met; None where the broker has none.
    """
    found = [fault for worker in workers for fault in worker.faults()]
    if not kills:
        found.append("nothing was killed")
    if struck == 0:
        found.append("no fault of the broker struck")
    if not listens:
        found.append("the service does not listen at the end")
    return found
