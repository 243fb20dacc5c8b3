"""The error types of Orderwatch.

::

    OrderwatchError
    ├── InvalidAlert          the sender's alert cannot be traded on; names the field
    │   ├── SignalReused      a signal_id came again with other content
    │   └── NothingAsked      it asks for no order; it is kept, and nobody has to look at it
    ├── IllegalTransition     the state of the order does not allow this move
    ├── ConcurrentUpdate      the row was moved first by another writer; read it again
    ├── NotFound              no such order, alert or client
    ├── NothingToLift         no loss limit is latched, or the loss to count from is not known
    ├── OpenOrders            not possible while the client has orders that have not ended
    ├── InvalidResolution     an operator's resolution does not match the order; names the field
    ├── InvalidAdoption       units cannot be adopted as requested; names the field
    │   └── AdoptionNotPossible   not possible at present; the same request may pass later
    ├── StoreUnavailable      the database could not commit: nothing was kept
    │   ├── StoreFull         the disk has no room; the database is intact
    │   └── StoreReplaced     the file is not the database that was in use, or is damaged: the process must end
    └── BrokerError           a broker call failed; its subclass says whether the order may be live
        ├── NotSent           no: the request provably never left us; with `look_first` perhaps
        ├── Refused           no: the broker provably refused this very request
        ├── OutcomeUnknown    perhaps: any other failure of an order call
        └── ReadFailed        a read did not succeed; it never means "empty" or "zero"
"""


class OrderwatchError(Exception):
    """Base class of all our errors."""


class InvalidAlert(OrderwatchError):
    """The alert cannot be traded on. `field` says where, `message` what was expected."""

    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(f"{field}: {message}" if field else message)
        self.code = code
        self.message = message
        self.field = field


class SignalReused(InvalidAlert):
    """A `signal_id` that is already in use came again with different content."""


class SenderNotAllowed(InvalidAlert):
    """An alert with the right secret came from a sender that may not send its strategy's alerts."""


class SignatureLate(InvalidAlert):
    """A right signature covers a time that is too long ago or still to come, or none where one is needed."""


class NothingAsked(InvalidAlert):
    """The alert is a notice for people, and asks for no order."""


class IllegalTransition(OrderwatchError):
    """The table of transitions has no such edge."""


class ConcurrentUpdate(OrderwatchError):
    """The row moved since it was read: the compare-and-swap failed."""


class NotFound(OrderwatchError):
    """No row has that id."""


class OpenOrders(OrderwatchError):
    """The action is not possible while the client has orders that have not ended."""


class NothingToLift(OrderwatchError):
    """No daily loss limit is latched there, or the day's profit and loss is not known; says which and what to do."""


class PositionsNeverRead(OrderwatchError):
    """The client's positions were never read, so what is open is not known; says what to do."""


class InvalidResolution(OrderwatchError, ValueError):
    """An operator's resolution does not match the order. `field` says where, `message` what was expected."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class InvalidAdoption(OrderwatchError):
    """Units cannot become a strategy's holding as requested. `field` says where, `message` what was expected."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class InvalidProtection(OrderwatchError):
    """A protection cannot be changed as requested. `field` says where, `message` what was expected."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message


class AdoptionNotPossible(InvalidAdoption):
    """The adoption is not possible at present. The same request may pass later, or for fewer units."""


class StoreUnavailable(OrderwatchError):
    """The database could not commit. Nothing of the work was kept; it may be retried."""


class StoreFull(StoreUnavailable):
    """The disk has no room. Nothing was kept, and nothing will be until there is room. The database is intact."""


class StoreReplaced(StoreUnavailable):
    """The file is not, or no longer, the database that was in use. Nothing was kept, and the process must end."""


class BrokerError(OrderwatchError):
    """A broker call did not succeed. `code` is the broker's own code where it gave one."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code


class NotSent(BrokerError):
    """The request provably never left us (no connection was made). It may be sent later.

    `look_first`: the request did leave us, and the broker itself said that it turned it away, for example because the
    session has ended. Front ends have said so of orders that they accepted. Before the order is sent again, an order
    book read since then must not show its tag. Used only for a broker whose book echoes our tags.
    """

    def __init__(self, message: str, code: str = "", *, look_first: bool = False) -> None:
        super().__init__(message, code)
        self.look_first = look_first


class Refused(BrokerError):
    """The broker provably refused this very request: it made no live order."""


class OutcomeUnknown(BrokerError):
    """The request may have reached the broker: the order may be live."""


class ReadFailed(BrokerError):
    """The order book, the positions or a quote could not be read. The error says nothing about their content."""
