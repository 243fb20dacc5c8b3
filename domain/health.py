"""Judge what watchers and brokers show of themselves. Readiness, the console and the doctor ask the same functions."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.ports.heartbeats import CANNOT_BE_READ_AFTER, WAITING, Heartbeat


@dataclass(frozen=True, slots=True)
class AccountRead:
    """When a client's positions were last read and compared with the holdings, and why they were not read since."""

    read_at: datetime | None
    error: str | None
    compared_at: datetime | None


class ReadState(StrEnum):
    """Whether a client's positions are known at present."""

    CURRENT = "CURRENT"
    NEVER_READ = "NEVER_READ"
    IN_THE_FUTURE = "IN_THE_FUTURE"  # the clock was set back: their age is not known
    CANNOT_BE_READ = "CANNOT_BE_READ"  # for so long that exits wait
    STALE = "STALE"


def read_state(account: AccountRead, now: datetime, max_age: timedelta) -> ReadState:
    """Judge the last read of a client's positions."""
    if account.read_at is None:
        return ReadState.NEVER_READ
    age = now - account.read_at
    if age < -max_age:
        return ReadState.IN_THE_FUTURE
    if account.error is not None and age >= CANNOT_BE_READ_AFTER:
        return ReadState.CANNOT_BE_READ
    return ReadState.CURRENT if age <= max_age else ReadState.STALE


class ComparedState(StrEnum):
    """Whether it is known at present how a client's positions differ from what its strategies hold."""

    CURRENT = "CURRENT"
    NEVER_READ = "NEVER_READ"
    LAST_READ_FAILED = "LAST_READ_FAILED"
    READ_LONG_AGO = "READ_LONG_AGO"
    NEVER_COMPARED = "NEVER_COMPARED"
    COMPARED_LONG_AGO = "COMPARED_LONG_AGO"


def compared_state(account: AccountRead, now: datetime, max_age: timedelta) -> ComparedState:
    """Judge the last comparison. A read of the positions alone is not one: it needs the order book as well."""
    if account.read_at is None:
        return ComparedState.NEVER_READ
    if account.error is not None:
        return ComparedState.LAST_READ_FAILED
    if abs(now - account.read_at) > max_age:
        return ComparedState.READ_LONG_AGO
    if account.compared_at is None:
        return ComparedState.NEVER_COMPARED
    if abs(now - account.compared_at) > max_age:
        return ComparedState.COMPARED_LONG_AGO
    return ComparedState.CURRENT


def loop_trouble(beat: Heartbeat, now: datetime, max_age: timedelta, *, detailed: bool = True) -> str | None:
    """Say what is wrong with a watcher's loop; None when nothing is. Without `detailed` it quotes nobody's words."""
    name = f"{beat.loop} of {beat.client_id}" if beat.client_id else beat.loop
    age = now - beat.at
    if beat.state not in ("OK", WAITING):
        return f"loop {name} is {beat.state}" + (f": {beat.detail}" if beat.detail and detailed else "")
    if age > max_age:
        return f"loop {name} last beat {age.total_seconds():.0f} s ago"
    if age < -max_age:
        ahead = -age.total_seconds()
        return f"loop {name} last beat {ahead:.0f} s in the future: the clock was set back"
    return None


def first_trouble(
    beats: Iterable[Heartbeat], now: datetime, max_age: timedelta, *, detailed: bool = True
) -> str | None:
    """Say what is wrong with the first loop that has trouble, of one watcher; None when all its loops are well."""
    troubles = (loop_trouble(beat, now, max_age, detailed=detailed) for beat in beats)
    return next((trouble for trouble in troubles if trouble is not None), None)


def by_watcher(beats: Iterable[Heartbeat]) -> list[list[Heartbeat]]:
    """Group the heartbeats by watcher, the watcher with the newest heartbeat first."""
    found: dict[str, list[Heartbeat]] = {}
    for beat in beats:
        found.setdefault(beat.watcher_id, []).append(beat)
    return sorted(found.values(), key=lambda own: max(beat.at for beat in own), reverse=True)


def watchers_trouble(
    beats: Iterable[Heartbeat], now: datetime, max_age: timedelta, *, detailed: bool = True
) -> str | None:
    """Say what is wrong with the watcher seen last; None when all loops of any watcher are well, or none was seen."""
    watchers = [first_trouble(own, now, max_age, detailed=detailed) for own in by_watcher(beats)]
    return watchers[0] if watchers and None not in watchers else None
