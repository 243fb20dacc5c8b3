"""The calls of one account at a broker over HTTP: each takes a slot of its rate budget and carries the session's key.

An order call is sent once, and never after its last moment. What the answers mean is the broker's own matter.
"""

from datetime import datetime, timedelta
from typing import Any, Protocol

from broker.budgets import Budgets
from broker.call_errors import errors_of_a_read, errors_of_an_order
from broker.http_calls import Timeouts
from broker.rate_limit.limiter import RateBudget
from broker.rate_limit.minute_quota import PeriodicRead
from broker.sessions import Session
from broker.wire import Fields, Reply, Wire
from domain.commands import UniversalOrderCommand
from domain.enums import ExecutionType
from domain.errors import NotSent
from domain.ports import Clock


class Meaning(Protocol):
    """What a broker's answers mean."""

    def accepted(self, reply: Reply, /) -> dict[str, Any]:
        """Return what an accepted order call answers. Raises: NotSent, Refused, OutcomeUnknown."""

    def data_in(self, reply: Reply, /) -> Any:
        """Return what a read answers. Raises: ReadFailed."""

    def token_refused(self, reply: Reply, /) -> bool:
        """True when the broker does not know the session's key (any more)."""

    def minute_is_full(self, reply: Reply, /) -> bool:
        """True for an answer to an order call that says that too many were made: entries wait for a minute."""


class AccountCalls:
    """Makes the calls. Safe to call from several threads.

    Args:
        meaning: what the answers mean.
    """

    def __init__(
        self,
        session: Session,
        wire: Wire,
        clock: Clock,
        *,
        budgets: Budgets,
        timeouts: Timeouts,
        meaning: Meaning,
    ) -> None:
        self._session = session
        self._wire = wire
        self._clock = clock
        self._budgets = budgets
        self._timeouts = timeouts
        self._meaning = meaning

    def order(
        self,
        method: str,
        path: str,
        fields: Fields | None,
        *,
        urgent: bool,
        began: datetime | None = None,
    ) -> dict[str, Any]:
        """Make an order call, once. Its body never leaves after its last moment.

        Args:
            began: when the call began, from which its last moment counts; None: now.

        Raises:
            NotSent, Refused, OutcomeUnknown: as the port says.
        """
        last_moment = (began or self._clock.now()) + timedelta(seconds=self._timeouts.send_within)

        def in_time() -> bool:
            return self._clock.now() <= last_moment

        self._budgets.orders.take(urgent=urgent)
        with errors_of_an_order():
            token = self._session.key()
            if not in_time():
                raise NotSent("getting ready took too long: the order was not sent")
            reply = self._wire.order(method, path, token, fields, in_time)
        self._note(reply, token)
        if self._meaning.minute_is_full(reply):
            self._budgets.orders.exceeded()
        return self._meaning.accepted(reply)

    def read(
        self,
        path: str,
        *,
        urgent: bool = False,
        reads: PeriodicRead | None = None,
        budget: RateBudget | None = None,
        fields: Fields | None = None,
    ) -> Any:
        """Make a read call and return its data. Reads for an exit or a cancel are urgent. Raises: ReadFailed."""
        with errors_of_a_read():
            (budget or self._budgets.reads).take(urgent=urgent, reads=reads)
            token = self._session.key()
            reply = self._wire.read(path, token, fields)
        self._note(reply, token)
        return self._meaning.data_in(reply)

    def _note(self, reply: Reply, token: str) -> None:
        """Take note of what an answer says of the session."""
        if self._meaning.token_refused(reply):
            self._session.refused(token)


def is_exit(command: UniversalOrderCommand) -> bool:
    """True for an order that goes before entries in the rate budget."""
    return command.execution_type is ExecutionType.EXIT
