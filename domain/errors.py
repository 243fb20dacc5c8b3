"""What can go wrong, named.

::

    OrderwatchError
    ├── InvalidAlert          the sender's alert cannot be traded on; names the field
    │   └── SignalReused      a signal_id came again with other content
    ├── IllegalTransition     an order was asked to move where its state does not lead
    ├── ConcurrentUpdate      somebody else moved the row first; read it again
    ├── NotFound              no such order, alert or client
    ├── NothingToLift         no loss limit is latched, or nobody knows the loss to count from
    ├── OpenOrders            not while the client has orders that have not ended
    ├── InvalidResolution     what an operator says of an order does not fit it; names the field
    ├── InvalidAdoption       units cannot be adopted as it was asked; names the field
    │   └── AdoptionNotPossible   nor as it was asked, as things are at present
    ├── StoreUnavailable      the database could not commit: nothing was kept
    │   ├── StoreFull         for the disk has no room; the database is intact
    │   └── StoreReplaced     the file is not the database that was in use, or is damaged: the process must end
    └── BrokerError           the one question that matters: may the order be live?
        ├── NotSent           no: the request provably never left us
        ├── Refused           no: the broker provably said no to this very request
        ├── OutcomeUnknown    perhaps: anything else that happened around an order call
        └── ReadFailed        a read did not succeed; it is never "empty" and never "zero"
"""


class OrderwatchError(Exception):
    """Base of all errors of ours."""


class InvalidAlert(OrderwatchError):
    """The alert cannot be traded on. `field` says where, `message` what was expected."""

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.code = code
        self.message = message
        self.field = field


class SignalReused(InvalidAlert):
    """A `signal_id` that is already in use came again with other content."""


class IllegalTransition(OrderwatchError):
    """The table of transitions has no such edge."""


class ConcurrentUpdate(OrderwatchError):
    """The row moved since it was read: compare-and-swap lost."""


class NotFound(OrderwatchError):
    """No row answers to that id."""


class OpenOrders(OrderwatchError):
    """Not while the client has orders that have not ended."""


class NothingToLift(OrderwatchError):
    """No daily loss limit is latched there, or the day's profit and loss is not known: says which and what to do."""


class InvalidResolution(OrderwatchError, ValueError):
    """What an operator says became of an order does not fit it. `field` says where, `message` what was expected."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class InvalidAdoption(OrderwatchError):
    """Units cannot become a strategy's holding as it was asked. `field` says where, `message` what was expected."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class AdoptionNotPossible(InvalidAdoption):
    """Not as things are at present: the same request may pass later, or for fewer units."""


class StoreUnavailable(OrderwatchError):
    """The database could not commit. Nothing of the work was kept; it may be tried again."""


class StoreFull(StoreUnavailable):
    """The disk has no room: nothing was kept, and nothing will be until there is some. The database is intact."""


class StoreReplaced(StoreUnavailable):
    """The file is not, or no longer, the database that was in use. Nothing was kept; the process must end."""


class BrokerError(OrderwatchError):
    """A broker call did not succeed. `code` is the broker's own code where it gave one."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class NotSent(BrokerError):
    """The request provably never left us (no connection was made). It may be sent later.

    `look_first`: it did leave us, and the broker itself said that it was turned away, as for a session that has ended.
    Front ends have said so of orders that they took: before it is sent again, a book that was read since then must not
    show its tag. Only for a broker whose book echoes our tags.
    """

    def __init__(self, message: str, code: str = "", *, look_first: bool = False) -> None:
        super().__init__(message, code)
        self.look_first = look_first


class Refused(BrokerError):
    """The broker provably refused this very request: no order of it is live."""


class OutcomeUnknown(BrokerError):
    """The request may have reached the broker: the order may be live."""


class ReadFailed(BrokerError):
    """The book, the positions or a quote could not be read. It says nothing about them."""
