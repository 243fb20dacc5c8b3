"""Measure what the whole service uses while it is idle, after it has worked."""

import time
from collections.abc import Iterator

from benchmarks.load import Spec
from benchmarks.measures import Measure, absolute
from benchmarks.service import SECRET, environment, start_all
from benchmarks.usage import cpu_seconds, memory, tree_of
from benchmarks.webhook import load
from benchmarks.workspace import Workspace, free_port

_ALERTS_PER_SECOND = 50.0
_SETTLE_SECONDS = 5.0


def run(workspace: Workspace, *, quick: bool) -> Iterator[Measure]:
    """Serve some alerts, let the service settle, then measure it."""
    seconds = 5.0 if quick else 20.0
    folder = workspace.new_folder("idle")
    env = environment(folder, PORT=free_port())
    service = start_all(workspace, env)
    load(workspace, Spec(int(env["PORT"]), 4.0, 0, SECRET, rate=_ALERTS_PER_SECOND))
    time.sleep(_SETTLE_SECONDS)
    before, began = cpu_seconds(service.pid), time.monotonic()
    time.sleep(seconds)
    share = 100 * (cpu_seconds(service.pid) - before) / (time.monotonic() - began)
    pss, rss = memory(service.pid)
    processes = len(tree_of(service.pid))
    service.stop()
    yield absolute(
        "idle CPU", share, "%", at_most=2, note=f"of one core, {processes} processes, {seconds:g} s"
    )
    yield absolute(
        "memory (PSS)", pss, "MB", at_most=120,
        note=f"of {processes} processes after 200 alerts; pages they share count once",
    )  # fmt: skip
    yield absolute("memory (RSS)", rss, "MB", note="pages the processes share count once for each of them")
