"""The session at Dhan: an access token that a person makes, which is checked before it is used."""

from collections.abc import Callable

from broker.access_tokens import TokenPlace, named_user, session_of_token
from broker.dhan.errors import TOKEN_ENDED, token_refused
from broker.dhan.settings import Account
from broker.fields import text_of
from broker.sessions import Session
from broker.wire import Wire
from domain.ports import Clock


def session_of(account: Account, wire: Wire, clock: Clock, take: Callable[[], None]) -> Session:
    """Return the session of an account. `take` takes a slot in the rate budget. Raises: NotSent."""

    def whose(token: str) -> str:
        take()
        reply = wire.read("profile", token)
        user = text_of(reply.data, "dhanClientId") if isinstance(reply.data, dict) else ""
        return named_user(reply, user, is_refusal=token_refused(reply), ended=TOKEN_ENDED)

    place = TokenPlace(account.client_id, account.access_token, account.login_file, TOKEN_ENDED)
    return session_of_token(place, whose, clock)
