"""Exits of protections that fail: asked for again, a few times, never beside a live one, and told."""

from dataclasses import replace

import pytest

from domain.broker_reports import BrokerStatus
from domain.errors import OutcomeUnknown, Refused
from domain.notices import NoticeKind
from domain.protection import ProtectionStatus
from domain.states import Phase, Status
from tests.engine.watching import Watched


@pytest.fixture
def watched(tmp_path):
    return Watched(tmp_path)


def go_on(watched: Watched, seconds: float, price: object = 90) -> None:
    """Let that time pass, second by second, with the engine at work."""
    for _ in range(int(seconds)):
        watched.at(price)
        watched.desk.engine.tick()


def phases(watched: Watched) -> list[str]:
    return [str(exit_.phase) for exit_ in watched.exits]


def failures(watched: Watched) -> list[str]:
    return [n.more for n in watched.desk.notices if n.kind is NoticeKind.PROTECTIVE_EXIT_FAILED]


def test_a_refused_exit_is_asked_for_again_and_ends_flat(watched):
    watched.desk.broker.script = [Refused("RMS: margin"), Refused("RMS: margin")]
    watched.at(110)
    go_on(watched, 20, 99)
    assert phases(watched) == [Phase.REFUSED, Phase.REFUSED, Phase.FILLED]
    assert watched.desk.store.holdings("default") == []
    go_on(watched, 2, 99)
    assert (watched.protection.status, watched.protection.is_watched) == (ProtectionStatus.FIRED, False)
    assert ["again in 2 s" in text for text in failures(watched)] == [True, False]


def test_after_the_last_try_people_are_told_that_it_is_held_without_protection(watched):
    watched.desk.broker.script = [Refused("RMS: margin") for _ in range(9)]
    watched.at(110)
    go_on(watched, 60)
    assert phases(watched) == [Phase.REFUSED] * 4
    assert watched.protection.reason == "EXIT_FAILED"
    assert len(failures(watched)) == 4 and "WITHOUT protection" in failures(watched)[-1]
    go_on(watched, 60)
    assert len(watched.exits) == 4


def test_an_exit_of_unknown_outcome_is_no_failed_one(watched):
    watched.desk.broker.script = [("after", OutcomeUnknown("no answer"))]
    watched.desk.broker.fill_at_once = False
    watched.at(110)
    watched.desk.broker.book_error = None
    go_on(watched, 90)
    assert len(watched.exits) == 1
    assert watched.exits[0].status is Status.SENT_TO_BROKER


def test_what_a_rule_of_ours_blocks_is_tried_again_when_it_may_be(tmp_path):
    watched = Watched(tmp_path, is_real=True)
    desk = watched.desk
    watched.at(110)
    allowed = desk.policies["default"]
    desk.policies["default"] = replace(allowed, live_allowed=False)
    go_on(watched, 3)
    assert phases(watched)[0] == Phase.BLOCKED
    desk.policies["default"] = allowed
    go_on(watched, 15)
    assert phases(watched)[-1] == Phase.FILLED
    assert desk.store.holdings("default") == []


def test_a_late_fill_after_the_exit_was_over_leaves_or_is_protected(tmp_path):
    watched = Watched(tmp_path, fill_at_once=False)
    desk = watched.desk
    [number] = desk.broker.orders
    desk.broker.report(number, BrokerStatus.OPEN, 20)
    desk.settle()
    watched.at(110)
    desk.broker.fill_at_once = True
    go_on(watched, 5)
    assert desk.store.holdings("default") == []
    assert watched.protection.is_watched  # the broker may show more
    desk.broker.script = [Refused("RMS: margin")]
    desk.broker.report(number, BrokerStatus.CANCELLED, 35)
    desk.clock.advance(20)
    desk.settle()
    go_on(watched, 20)
    assert desk.order(watched.entry.command_id).filled_quantity == 35
    assert desk.store.holdings("default") == []
    assert sum(exit_.filled_quantity for exit_ in watched.exits) == 35


def test_a_crash_at_the_second_try_asks_for_one_exit(watched, monkeypatch):
    watched.desk.broker.script = [Refused("RMS: margin")]
    watched.at(110, 90)
    watched.desk.engine.tick()
    watched.at(90)
    before = watched.protection
    assert before.retry_at is not None
    watched.desk.clock.advance(2)

    def dies(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr("persistence.sqlite.protections._record", dies)
        with pytest.raises(SystemExit):
            watched.at(90)
    assert (len(watched.exits), watched.protection) == (1, before)
    watched.at(90, watcher=1)
    watched.at(90, watcher=0)
    assert len(watched.exits) == 2
