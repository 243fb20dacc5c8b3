"""Measured figures, their table, and the file that keeps the last full run."""

import json
import os
import platform
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

BASELINE_FILE = Path(__file__).with_name("baseline.json")
_HEADS = ("measure", "ours", "baseline", "ratio", "target", "met")


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure.

    `baseline` is what it is compared with, measured in the same run. `met` None means that there is no target.
    """

    name: str
    ours: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    target: str = ""
    met: bool | None = None
    note: str = ""


def compared(
    name: str,
    ours: float,
    baseline: float,
    unit: str,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    note: str = "",
) -> Measure:
    """Make a figure whose target, if it has one, applies to its ratio to the baseline."""
    ratio = ours / baseline if baseline else float("inf")
    target, met = _judged(ratio, at_least, at_most, "x")
    return Measure(name, ours, unit, baseline, ratio, target, met, note)


def absolute(
    name: str,
    ours: float,
    unit: str,
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    note: str = "",
) -> Measure:
    """Make a figure whose target, if it has one, applies to the figure itself."""
    target, met = _judged(ours, at_least, at_most, unit)
    return Measure(name, ours, unit, target=target, met=met, note=note)


def _judged(
    value: float, at_least: float | None, at_most: float | None, unit: str
) -> tuple[str, bool | None]:
    if at_least is not None:
        return f">= {at_least:g} {unit}", value >= at_least
    if at_most is not None:
        return f"<= {at_most:g} {unit}", value <= at_most
    return "", None


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that more than this share of the values do not exceed; at most the largest value."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def table(measures: Sequence[Measure]) -> str:
    """Format the measures as a table for people, with the notes below."""
    rows = [_HEADS, *(_row(m) for m in measures)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADS))]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
    lines.insert(1, "  ".join("-" * width for width in widths))
    lines += ["", *(f"{m.name}: {m.note}" for m in measures if m.note)]
    return "\n".join(lines)


def _row(m: Measure) -> tuple[str, ...]:
    met = "" if m.met is None else "yes" if m.met else "NO"
    return (
        m.name,
        f"{_number(m.ours)} {m.unit}",
        "" if m.baseline is None else f"{_number(m.baseline)} {m.unit}",
        "" if m.ratio is None else f"{m.ratio:.2f}",
        m.target,
        met,
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def machine_facts(folder: Path) -> dict[str, object]:
    """Facts about the machine on which the figures depend."""
    return {
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load_average": round(os.getloadavg()[0], 1),  # other work on the machine, before the run
        "durable_commits_per_second": round(durable_commits(folder)),
    }


def durable_commits(folder: Path, *, rounds: int = 3, seconds: float = 0.7) -> float:
    """Measure single inserts a second of one SQLite connection, each with its fsync. Return the median of the rounds.

    This is the floor under every durable write.
    """
    return median(_commits_in(folder / f"commits-{index}.db", seconds) for index in range(rounds))


def _commits_in(path: Path, seconds: float) -> float:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE one (text TEXT)")
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < seconds:
        connection.execute("INSERT INTO one VALUES (?)", ("x" * 500,))
        count += 1
    rate = count / (time.perf_counter() - started)
    connection.close()
    return rate


def save(measures: Sequence[Measure], facts: dict[str, object], seconds: float) -> None:
    """Save a full run, to compare the next one with."""
    content = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds),
        "machine": facts,
        "measures": [asdict(m) for m in measures],
    }
    BASELINE_FILE.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
