"""One judgement of watchers and brokers, for everything that says whether orders can flow."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.health import (
    AccountRead,
    ComparedState,
    ReadState,
    compared_state,
    loop_trouble,
    read_state,
    watchers_trouble,
)
from domain.ports import Heartbeat

NOW = datetime(2026, 11, 21, 9, 15, tzinfo=UTC)
MAX_AGE = timedelta(seconds=60)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def beat(watcher: str = "w1", loop: str = "execute", *, age: float = 0, state: str = "OK") -> Heartbeat:
    return Heartbeat(watcher, loop, "alice", ago(age), state, "secret words")


@pytest.mark.parametrize(
    ("age", "error", "state"),
    [
        (None, None, ReadState.NEVER_READ),
        (None, "no login", ReadState.NEVER_READ),
        (60, None, ReadState.CURRENT),
        (60.1, None, ReadState.STALE),
        (-60, None, ReadState.CURRENT),
        (-60.1, None, ReadState.IN_THE_FUTURE),
        (14.9, "timeout", ReadState.CURRENT),
        (15, "timeout", ReadState.CANNOT_BE_READ),
    ],
)
def test_a_read_is_judged_by_its_age_and_by_what_failed_since(age, error, state):
    read = AccountRead(None if age is None else ago(age), error, None)
    assert read_state(read, NOW, MAX_AGE) is state


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, ComparedState.CURRENT),
        ({"read_at": None}, ComparedState.NEVER_READ),
        ({"error": "timeout"}, ComparedState.LAST_READ_FAILED),
        ({"read_at": ago(61)}, ComparedState.READ_LONG_AGO),
        ({"compared_at": None}, ComparedState.NEVER_COMPARED),
        ({"compared_at": ago(61)}, ComparedState.COMPARED_LONG_AGO),
        ({"compared_at": ago(-61)}, ComparedState.COMPARED_LONG_AGO),
    ],
)
def test_only_what_was_read_and_compared_lately_is_known(changes, state):
    assert compared_state(replace(AccountRead(ago(1), None, ago(1)), **changes), NOW, MAX_AGE) is state


def test_one_sound_watcher_is_enough_and_one_hung_loop_makes_a_watcher_unsound():
    hung = [beat(), beat(loop="reconcile", age=61)]
    assert watchers_trouble(hung, NOW, MAX_AGE) == "loop reconcile of alice last beat 61 s ago"
    assert watchers_trouble([*hung, beat("w2")], NOW, MAX_AGE) is None
    assert watchers_trouble([], NOW, MAX_AGE) is None


def test_the_words_of_a_trouble_quote_others_only_where_they_may():
    failed = beat(state="ERROR")
    assert loop_trouble(failed, NOW, MAX_AGE) == "loop execute of alice is ERROR: secret words"
    assert loop_trouble(failed, NOW, MAX_AGE, detailed=False) == "loop execute of alice is ERROR"
    assert loop_trouble(beat(state="WAITING"), NOW, MAX_AGE) is None
    assert "the clock was set back" in str(loop_trouble(beat(age=-61), NOW, MAX_AGE))
