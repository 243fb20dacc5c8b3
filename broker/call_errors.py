"""What stops a call to a broker, told in the errors of the port."""

from collections.abc import Iterator
from contextlib import contextmanager

from broker.http_calls import AnswerLost, RequestNotSent
from broker.sessions import LoginFailed
from domain.errors import NotSent, OutcomeUnknown, ReadFailed


@contextmanager
def errors_of_an_order() -> Iterator[None]:
    """Around an order call: without its answer the outcome is unknown, and without a session nothing was sent.

    Raises:
        NotSent, OutcomeUnknown: as the port says.
    """
    try:
        yield
    except LoginFailed as error:
        raise NotSent(str(error), error.code) from error
    except RequestNotSent as error:
        raise NotSent(str(error)) from error
    except AnswerLost as error:
        raise OutcomeUnknown(str(error)) from error


@contextmanager
def errors_of_a_read() -> Iterator[None]:
    """Around a read, with the slot that it takes. Raises: ReadFailed."""
    try:
        yield
    except (LoginFailed, NotSent) as error:
        raise ReadFailed(str(error), error.code) from error
    except (RequestNotSent, AnswerLost) as error:
        raise ReadFailed(str(error)) from error
