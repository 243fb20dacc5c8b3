"""The keys at Alpaca. There is no login: they are checked once, for whose account they are, before they are used."""

from collections.abc import Callable

from broker.access_tokens import TokenPlace, named_user, session_of_token
from broker.alpaca.errors import KEYS_REFUSED, keys_refused
from broker.alpaca.settings import Account
from broker.fields import text_of
from broker.sessions import Session
from broker.wire import Wire
from domain.ports import Clock


def session_of(account: Account, wire: Wire, clock: Clock, take: Callable[[], None]) -> Session:
    """Return the session of an account. `take` takes a slot in the rate budget. Raises: NotSent."""

    def whose(key_id: str) -> str:
        take()
        reply = wire.read("v2/account", key_id)
        number = text_of(reply.data, "account_number") if isinstance(reply.data, dict) else ""
        return named_user(reply, number, is_refusal=keys_refused(reply), ended=KEYS_REFUSED)

    return session_of_token(TokenPlace(account.number, account.key_id, None, KEYS_REFUSED), whose, clock)
