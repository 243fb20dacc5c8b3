"""Run benchmarks: `python -m benchmarks [--only NAME ...] [--quick]`."""

import argparse
import importlib
import os
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType

from benchmarks.measures import BASELINE_FILE, Measure, machine_facts, save, table
from benchmarks.workspace import Failed, Workspace

NAMES = (
    "webhook", "latency", "drain", "budget", "isolation", "slow_senders", "history", "starting", "restart", "idle",
    "stops", "book",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the chosen benchmarks. A full run without failures is saved in `benchmarks/baseline.json`."""
    parser = argparse.ArgumentParser(prog="benchmarks", description="Measure the service on this machine.")
    parser.add_argument("--only", action="append", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--quick", action="store_true", help="less of everything: to see that it runs")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, _end)
    began = time.monotonic()
    names = tuple(options.only or NAMES)
    with Workspace() as workspace:
        os.chdir(workspace.folder)  # a folder without a settings file
        facts = machine_facts(workspace.folder)
        measures, failed = _run(workspace, names, quick=options.quick)
    print(f"\n{', '.join(f'{name} {value}' for name, value in facts.items())}\n\n{table(measures)}")
    if names == NAMES and not options.quick and not failed:
        save(measures, facts, time.monotonic() - began)
        print(f"\nkept in {BASELINE_FILE.name}")
    return 1 if failed else 0


def _run(workspace: Workspace, names: Sequence[str], *, quick: bool) -> tuple[list[Measure], bool]:
    measures: list[Measure] = []
    failed = False
    for name in names:
        began = time.monotonic()
        print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
        try:
            measures += importlib.import_module(f"benchmarks.{name}").run(workspace, quick=quick)
        except Failed as error:
            failed = True
            print(error, file=sys.stderr)
        finally:
            workspace.stop_all()
        print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    return measures, failed


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130) from None
