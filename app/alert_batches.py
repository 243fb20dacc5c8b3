"""Make the alerts that wait durable together: an event loop collects them, one thread commits them."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from queue import SimpleQueue
from typing import NamedTuple

from alerts.receiver import Answer, Received, answer_to_error

log = logging.getLogger(__name__)

MOST_TOGETHER = 64
"""Alerts of one transaction. More would make the first of them wait for long, and other processes too."""

SettleTogether = Callable[[Sequence[Received]], list[Answer | Received]]
Settle = Callable[[Received, Callable[[Answer], None]], None]


class _Waiting(NamedTuple):
    received: Received
    answer: "asyncio.Future[Answer]"


class AlertBatches:
    """Alerts on their way into the database. An alert that was put here is stored, even when its sender has left.

    What arrives while a transaction is under way makes up the next one. A single alert is not made to wait for others.

    Args:
        settle_together: makes alerts durable in one transaction; returns their answers, or what is to be settled alone.
        settle_alone: settles a delivery in another thread, and calls the function that it is given with the answer.
    """

    def __init__(self, settle_together: SettleTogether, settle_alone: Settle) -> None:
        self._settle_together = settle_together
        self._settle_alone = settle_alone
        self._collected: list[_Waiting] = []  # in this turn of the event loop
        self._handed_over: SimpleQueue[list[_Waiting]] = SimpleQueue()
        threading.Thread(target=self._work, name="commits", daemon=True).start()

    def put(self, received: Received) -> "asyncio.Future[Answer]":
        """Add an alert to the next batch. Call it on the event loop; the answer comes when the alert is durable."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(received, loop.create_future())
        if not self._collected:
            loop.call_soon(self._hand_over)  # after all others whose requests are whole by now
        self._collected.append(waiting)
        return waiting.answer

    def _hand_over(self) -> None:
        collected, self._collected = self._collected, []
        self._handed_over.put(collected)

    # in the thread ------------------------------------------------------------------------------------------

    def _work(self) -> None:
        while True:
            waiting = self._handed_over.get()
            while len(waiting) < MOST_TOGETHER and not self._handed_over.empty():
                waiting += self._handed_over.get()
            for first in range(0, len(waiting), MOST_TOGETHER):
                self._commit(waiting[first : first + MOST_TOGETHER])

    def _commit(self, batch: Sequence[_Waiting]) -> None:
        answered = []
        for each, result in zip(batch, self._results(batch), strict=True):
            if isinstance(result, Answer):
                answered.append((each.answer, result))
            else:
                self._settle_alone(result, partial(_deliver_one, each.answer))
        if answered:
            deliver(answered)

    def _results(self, batch: Sequence[_Waiting]) -> list[Answer | Received]:
        try:
            return self._settle_together([each.received for each in batch])
        except Exception as error:  # noqa: BLE001 - the thread must survive every error, or no alert is answered again
            return [answer_to_error(error)] * len(batch)


def _deliver_one(future: "asyncio.Future[Answer]", answer: Answer) -> None:
    deliver([(future, answer)])


def deliver(answers: Sequence[tuple["asyncio.Future[Answer]", Answer]]) -> None:
    """Hand answers to the event loop on which their senders wait. Call it from another thread."""
    try:
        answers[0][0].get_loop().call_soon_threadsafe(_set, answers)
    except RuntimeError:  # the event loop has ended; the alerts themselves were carried out
        log.warning("alerts were carried out, and their senders are gone with the worker that they asked")


def _set(answers: Sequence[tuple["asyncio.Future[Answer]", Answer]]) -> None:
    for future, answer in answers:
        if not future.done():
            future.set_result(answer)
