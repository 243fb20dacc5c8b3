"""Measure the time from the start of the whole service until its first alert is durable and answered.

`python -m benchmarks.starting [--beside FOLDER] [--pairs N] [--kept]` measures it alone, in turns with the start of
another copy of the program where one is given.
"""

import argparse
import http.client
import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

from app.arguments import SUPERVISED
from benchmarks.measures import Measure, absolute, compared
from benchmarks.service import SECRET, environment
from benchmarks.usage import cpu_seconds, memory
from benchmarks.workspace import ROOT, Failed, Workspace, free_port

_LONGEST = 60.0
_POLL_SECONDS = 0.004
_SETTLE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class FirstAck:
    """One start. `cpu_seconds` is what all processes had used when the answer came; the memory is of a moment later."""

    seconds: float
    cpu_seconds: float
    pss_megabytes: float


def run(workspace: Workspace, *, quick: bool) -> Iterator[Measure]:
    """Start on a new database and on one that is up to date, in turns with a process that only imports the program."""
    imports, new, kept = [], [], []
    folder = workspace.new_folder("start-kept")
    first_ack(workspace, ROOT, folder)
    for index in range(3 if quick else 9):
        imports.append(_import_seconds(workspace))
        new.append(first_ack(workspace, ROOT, workspace.new_folder(f"start-{index}")).seconds)
        kept.append(first_ack(workspace, ROOT, folder).seconds)
    base = median(imports)
    for name, found in (("start to first ack, new database", new), ("start to first ack", kept)):
        yield compared(
            name, median(found), base, "s", at_most=2.0,
            note=f"beside one process that imports the program; {_spread(found)}",
        )  # fmt: skip
    yield absolute("import of the program", base, "s", note=_spread(imports))


def first_ack(workspace: Workspace, root: Path, folder: Path, *, settle: bool = False) -> FirstAck:
    """Start the program in `root`, post an alert until it is accepted, and end the program.

    Raises:
        Failed: there was no 2xx answer in time.
    """
    env = environment(folder, PORT=free_port())
    began = time.monotonic()
    service = workspace.start("service", [str(root / "trading_bot.py"), SUPERVISED], env)
    while not _is_accepted(int(env["PORT"]), f"START{began}"):
        if not service.is_running or time.monotonic() - began > _LONGEST:
            raise Failed(f"no alert was accepted: {service.tail()}")
        time.sleep(_POLL_SECONDS)
    seconds, used = time.monotonic() - began, cpu_seconds(service.pid)
    if settle:
        time.sleep(_SETTLE_SECONDS)
    pss = memory(service.pid)[0] if settle else 0.0
    service.stop()
    return FirstAck(seconds, used, pss)


def _is_accepted(port: int, strategy: str) -> bool:
    leg = {
        "tradingsymbol": "FIRST",
        "direction": "BUY",
        "qty": 50,
        "product_type": "MIS",
        "order_type": "MARKET",
    }
    body = {"secret_key": SECRET, "execution_type": "ENTRY", "strategy_name": strategy, "exchange": "NFO"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_LONGEST)
    try:
        connection.request("POST", "/webhook", json.dumps({**body, "legs": [leg]}))
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def _import_seconds(workspace: Workspace) -> float:
    began = time.monotonic()
    started = workspace.start("import", ["-c", "import trading_bot"], {})
    started.wait(_LONGEST)
    return time.monotonic() - began


def _spread(seconds: Sequence[float]) -> str:
    low, _, high = quantiles(seconds, n=4)
    return f"quartiles {low:.2f} and {high:.2f} s of {len(seconds)} starts"


def main() -> int:
    """Measure in turns, and print medians with their quartiles."""
    parser = argparse.ArgumentParser(prog="benchmarks.starting")
    parser.add_argument("--beside", type=Path, help="the folder of another copy of the program")
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument(
        "--kept", action="store_true", help="start on a database that is up to date, not on a new one"
    )
    options = parser.parse_args()
    roots = [ROOT, *([options.beside.resolve()] if options.beside else [])]
    with Workspace() as workspace:
        os.chdir(workspace.folder)
        kept = [workspace.new_folder(f"kept-{side}") for side in range(len(roots))]
        for side, root in enumerate(roots):  # it also leaves the compiled files behind
            first_ack(workspace, root, kept[side])
        found: list[list[FirstAck]] = [[] for _ in roots]
        for turn in range(options.pairs):
            for side in sorted(range(len(roots)), reverse=turn % 2 == 1):
                folder = kept[side] if options.kept else workspace.new_folder(f"{turn}-{side}")
                found[side].append(first_ack(workspace, roots[side], folder, settle=True))
    for field in ("seconds", "cpu_seconds", "pss_megabytes"):
        columns = [[getattr(each, field) for each in side] for side in found]
        texts = [_three(column) for column in columns]
        ratios = [ours / other for ours, other in zip(columns[0], columns[-1], strict=True)]
        print(f"{field:14}", *texts, f"ours / other {_three(ratios)}" if options.beside else "")
    return 0


def _three(values: Sequence[float]) -> str:
    low, _, high = quantiles(values, n=4)
    return f"{low:8.3f} [{median(values):8.3f}] {high:8.3f}   "


if __name__ == "__main__":
    raise SystemExit(main())
