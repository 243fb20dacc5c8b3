"""The service's own watcher, which also records in which order its threads pick orders to claim and send.

`python -m benchmarks.picked_watcher FILE`, settings from the environment.
"""

import os
import sys
from typing import Any

import trading_bot
from app.child_process import end_with_parent
from engine.submitter import Submitter


class _Picked(set[str]):
    """The orders that threads handle. An id is added under the lock under which the next order is chosen."""

    def add(self, id_: str) -> None:
        os.write(_notes, f"{id_}\n".encode())
        super().add(id_)


class _NotingSubmitter(Submitter):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._picked = _Picked()


def main() -> int:
    """Watch until a signal ends it."""
    end_with_parent()
    return trading_bot.watch()


if __name__ == "__main__":
    _notes = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    setattr(sys.modules["engine.order_watcher"], "Submitter", _NotingSubmitter)  # noqa: B010
    raise SystemExit(main())
