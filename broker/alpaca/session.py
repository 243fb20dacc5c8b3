"""The keys at Alpaca. There is no login: they are checked once, for whose account they are, before they are used."""

from collections.abc import Callable

from broker.access_tokens import TokenCheck
from broker.alpaca.errors import KEYS_REFUSED, keys_refused
from broker.alpaca.settings import Account
from broker.alpaca.wire import Reply, Wire
from broker.fields import text_of
from broker.sessions import AUTHENTICATION, LoginFailed, Session
from domain.ports import Clock


def session_of(account: Account, wire: Wire, clock: Clock, take: Callable[[], None]) -> Session:
    """Return the session of an account. `take` takes a slot in the rate budget. Raises: NotSent."""

    def whose(key_id: str) -> str:
        take()
        return _number_of(wire.read("v2/account", key_id))

    check = TokenCheck(account.number, lambda: account.key_id, whose, final=True)
    return Session(check, clock, renewable=False)


def _number_of(reply: Reply) -> str:
    if keys_refused(reply):
        raise LoginFailed(f"the keys were refused: {reply.error}; {KEYS_REFUSED}", AUTHENTICATION)
    number = text_of(reply.body, "account_number") if reply.ok and isinstance(reply.body, dict) else ""
    if not number:
        said = reply.error or "an answer that cannot be read"
        raise LoginFailed(f"login: HTTP {reply.status}: {said}")
    return number
