"""Processor time and memory of processes, as the kernel counts them (Linux)."""

import os
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_MEGABYTE = 1024.0  # in the kernel's kilobytes


def tree_of(pid: int) -> list[int]:
    """The process and all its descendants, parents first."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:  # it has ended
        return []
    return [pid, *(each for child in children for each in tree_of(child))]


def cpu_seconds(pid: int) -> float:
    """Processor time of the process and its living descendants, so far."""
    return sum(_cpu_of(each) for each in tree_of(pid))


def _cpu_of(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS


def memory(pid: int) -> tuple[float, float]:
    """Megabytes of the process and its descendants: PSS, in which shared pages count once, and the sum of RSS."""
    maps = [_rollup(each) for each in tree_of(pid)]
    return sum(each.get("Pss", 0.0) for each in maps), sum(each.get("Rss", 0.0) for each in maps)


def _rollup(pid: int) -> dict[str, float]:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return {}
    return {
        name: int(rest.split()[0]) / _MEGABYTE for name, _, rest in (line.partition(":") for line in lines)
    }
