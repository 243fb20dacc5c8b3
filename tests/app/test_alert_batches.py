"""Alerts that wait are made durable together, and nobody is answered before."""

import asyncio
import threading
from collections.abc import Callable, Sequence

from alerts.formats.description import AskedFor
from alerts.receiver import Answer, Received
from app.alert_batches import MOST_TOGETHER, AlertBatches
from domain.alert import Delivery
from tests.alerts.fakes import NOW
from tests.support import entry


def received(name: str) -> Received:
    return Received("default", Delivery(NOW, "x", name, "native"), AskedFor, entry())


class Committing:
    """Commits as slowly as it is told, and remembers its batches."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.may_end = threading.Event()
        self.began = threading.Event()
        self.rejects: set[str] = set()

    def together(self, alerts: Sequence[Received]) -> list[Answer | Received]:
        self.began.set()
        assert self.may_end.wait(10)
        names = [each.delivery.raw_body for each in alerts]
        self.batches.append(names)
        return [
            each if each.delivery.raw_body in self.rejects else Answer(200, each.delivery.raw_body.encode())
            for each in alerts
        ]

    def alone(self, alert: Received, take: Callable[[Answer], None]) -> None:
        threading.Thread(target=lambda: take(Answer(400, alert.delivery.raw_body.encode()))).start()


async def began(committing: Committing) -> None:
    await asyncio.get_running_loop().run_in_executor(None, committing.began.wait, 10)


def test_nobody_is_answered_before_the_commit_has_ended() -> None:
    committing = Committing()

    async def run() -> None:
        batches = AlertBatches(committing.together, committing.alone)
        answer = batches.put(received("a"))
        await began(committing)
        await asyncio.sleep(0.05)
        assert not answer.done()
        committing.may_end.set()
        assert (await asyncio.wait_for(answer, 10)).body == b"a"

    asyncio.run(run())


def test_a_single_alert_waits_for_no_other_and_what_comes_meanwhile_is_the_next_batch() -> None:
    committing = Committing()

    async def run() -> None:
        batches = AlertBatches(committing.together, committing.alone)
        answers = [batches.put(received("a"))]
        await began(committing)
        for name in "bcd":
            answers.append(batches.put(received(name)))
            await asyncio.sleep(0)
        committing.may_end.set()
        assert [(await answer).body for answer in answers] == [b"a", b"b", b"c", b"d"]

    asyncio.run(run())
    assert committing.batches == [["a"], ["b", "c", "d"]]


def test_alerts_that_are_whole_in_one_turn_of_the_loop_are_one_batch_and_none_is_too_large() -> None:
    committing = Committing()
    committing.may_end.set()
    names = [str(number) for number in range(MOST_TOGETHER + 3)]

    async def run() -> None:
        batches = AlertBatches(committing.together, committing.alone)
        answers = [batches.put(received(name)) for name in names]
        assert [(await answer).body.decode() for answer in answers] == names

    asyncio.run(run())
    assert committing.batches == [names[:MOST_TOGETHER], names[MOST_TOGETHER:]]


def test_an_alert_is_stored_though_its_sender_has_left() -> None:
    committing = Committing()

    async def run() -> None:
        batches = AlertBatches(committing.together, committing.alone)
        first = batches.put(received("a"))
        await began(committing)
        left, last = batches.put(received("left")), batches.put(received("last"))
        left.cancel()
        committing.may_end.set()
        assert (await first, (await last).body) == (Answer(200, b"a"), b"last")

    asyncio.run(run())
    assert committing.batches == [["a"], ["left", "last"]]


def test_what_turns_out_to_be_rejected_is_settled_alone_and_holds_nobody_up() -> None:
    committing = Committing()
    committing.may_end.set()
    committing.rejects = {"b"}

    async def run() -> None:
        batches = AlertBatches(committing.together, committing.alone)
        answers = [batches.put(received(name)) for name in "abc"]
        assert [(await answer).status for answer in answers] == [200, 400, 200]

    asyncio.run(run())


def test_the_thread_survives_an_error_and_the_senders_are_answered() -> None:
    committing = Committing()
    committing.may_end.set()
    together, errors = committing.together, [RuntimeError("once")]

    def fails_once(alerts: Sequence[Received]) -> list[Answer | Received]:
        if errors:
            raise errors.pop()
        return together(alerts)

    async def run() -> None:
        batches = AlertBatches(fails_once, committing.alone)
        assert (await asyncio.wait_for(batches.put(received("a")), 10)).status == 500
        assert (await asyncio.wait_for(batches.put(received("b")), 10)).status == 200

    asyncio.run(run())


def test_the_thread_outlives_the_loop_of_its_senders() -> None:
    committing = Committing()
    made: list[AlertBatches] = []

    async def leave() -> None:
        made.append(AlertBatches(committing.together, committing.alone))
        made[0].put(received("a"))
        await began(committing)

    asyncio.run(leave())
    committing.may_end.set()

    async def come() -> None:
        assert (await asyncio.wait_for(made[0].put(received("b")), 10)).body == b"b"

    asyncio.run(come())
    assert committing.batches == [["a"], ["b"]]
