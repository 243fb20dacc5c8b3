"""The service's own watcher, which also records when the call of each order begins.

It records the time just after the call took its place in the rate budget.

`python -m benchmarks.noted_watcher FILE`, settings from the environment.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping

import trading_bot
from app.child_process import end_with_parent
from broker.noren.wire import HttpReply, Wire


class _NotingWire(Wire):
    def order(
        self, endpoint: str, fields: Mapping[str, str], key: str | None, in_time: Callable[[], bool]
    ) -> HttpReply:
        os.write(_notes, json.dumps([time.time(), endpoint, fields.get("remarks", "")]).encode() + b"\n")
        return super().order(endpoint, fields, key, in_time)


def main() -> int:
    """Watch until a signal ends it."""
    end_with_parent()
    return trading_bot.watch()


if __name__ == "__main__":
    _notes = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    setattr(sys.modules["broker.noren.adapter"], "Wire", _NotingWire)  # noqa: B010
    raise SystemExit(main())
