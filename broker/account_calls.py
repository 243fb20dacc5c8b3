"""The calls of one account at a broker over HTTP: each takes a slot of its rate budget and carries the session's key.

An order call is sent once, and never after its last moment. What the answers mean is the broker's own matter.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

from broker.http_calls import AnswerLost, RequestNotSent, Timeouts
from broker.rate_limit.limiter import RateBudget
from broker.rate_limit.minute_quota import PeriodicRead
from broker.sessions import LoginFailed, Session
from domain.commands import UniversalOrderCommand
from domain.enums import ExecutionType
from domain.errors import NotSent, OutcomeUnknown, ReadFailed
from domain.ports import Clock

Reply = TypeVar("Reply", contravariant=True)
R = TypeVar("R")
InTime = Callable[[], bool]


class Meaning(Protocol[Reply]):
    """What a broker's answers mean."""

    def accepted(self, reply: Reply, /) -> dict[str, Any]:
        """Return what an accepted order call answers. Raises: NotSent, Refused, OutcomeUnknown."""

    def data_in(self, reply: Reply, /) -> Any:
        """Return what a read answers. Raises: ReadFailed."""

    def token_refused(self, reply: Reply, /) -> bool:
        """True when the broker does not know the session's key (any more)."""

    def minute_is_full(self, reply: Reply, /) -> bool:
        """True for an answer to an order call that says that too many were made: entries wait for a minute."""


@dataclass(frozen=True, slots=True)
class Budgets:
    """The outgoing rates of one account, of a broker that counts orders, quotes and all other calls apart."""

    orders: RateBudget
    reads: RateBudget
    quotes: RateBudget


class AccountCalls(Generic[R]):
    """Makes the calls. Safe to call from several threads.

    Args:
        meaning: what the answers mean.
    """

    def __init__(
        self, session: Session, clock: Clock, budgets: Budgets, timeouts: Timeouts, meaning: Meaning[R]
    ) -> None:
        self._session = session
        self._clock = clock
        self._budgets = budgets
        self._timeouts = timeouts
        self._meaning = meaning

    def order(
        self, send: Callable[[str, InTime], R], *, urgent: bool, began: datetime | None = None
    ) -> dict[str, Any]:
        """Make an order call, once. Its body never leaves after its last moment.

        Args:
            send: sends it with this key; what it is given besides says whether the body may still leave.
            began: when the call began, from which its last moment counts; None: now.

        Raises:
            NotSent, Refused, OutcomeUnknown: as the port says.
        """
        last_moment = (began or self._clock.now()) + timedelta(seconds=self._timeouts.send_within)

        def in_time() -> bool:
            return self._clock.now() <= last_moment

        self._budgets.orders.take(urgent=urgent)
        try:
            token = self._session.key()
            if not in_time():
                raise NotSent("getting ready took too long: the order was not sent")
            reply = send(token, in_time)
        except LoginFailed as error:
            raise NotSent(str(error), error.code) from error
        except RequestNotSent as error:
            raise NotSent(str(error)) from error
        except AnswerLost as error:
            raise OutcomeUnknown(str(error)) from error
        self._note(reply, token)
        if self._meaning.minute_is_full(reply):
            self._budgets.orders.exceeded()
        return self._meaning.accepted(reply)

    def read(
        self,
        send: Callable[[str], R],
        *,
        urgent: bool = False,
        reads: PeriodicRead | None = None,
        budget: RateBudget | None = None,
    ) -> Any:
        """Make a read call and return its data. Reads for an exit or a cancel are urgent. Raises: ReadFailed."""
        try:
            (budget or self._budgets.reads).take(urgent=urgent, reads=reads)
            token = self._session.key()
            reply = send(token)
        except (LoginFailed, NotSent) as error:
            raise ReadFailed(str(error), error.code) from error
        except (RequestNotSent, AnswerLost) as error:
            raise ReadFailed(str(error)) from error
        self._note(reply, token)
        return self._meaning.data_in(reply)

    def _note(self, reply: R, token: str) -> None:
        """Take note of what an answer says of the session."""
        if self._meaning.token_refused(reply):
            self._session.refused(token)


def is_exit(command: UniversalOrderCommand) -> bool:
    """True for an order that goes before entries in the rate budget."""
    return command.execution_type is ExecutionType.EXIT
