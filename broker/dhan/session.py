"""The session at Dhan: an access token that a person makes, which is checked before it is used."""

from collections.abc import Callable

from broker.access_tokens import TokenCheck, token_in
from broker.dhan.errors import TOKEN_ENDED, token_refused
from broker.dhan.settings import Account
from broker.dhan.wire import Reply, Wire
from broker.fields import text_of
from broker.sessions import AUTHENTICATION, LoginFailed, Session
from domain.ports import Clock


def session_of(account: Account, wire: Wire, clock: Clock, take: Callable[[], None]) -> Session:
    """Return the session of an account. `take` takes a slot in the rate budget. Raises: NotSent."""

    def token() -> str:
        return (
            account.access_token if account.login_file is None else token_in(account.login_file, TOKEN_ENDED)
        )

    def whose(token: str) -> str:
        take()
        return _user_of(wire.read("profile", token))

    final = account.login_file is None  # another token can only come by the file
    return Session(TokenCheck(account.client_id, token, whose, final=final), clock, renewable=False)


def _user_of(reply: Reply) -> str:
    if token_refused(reply):
        raise LoginFailed(f"the access token was refused: {reply.error}; {TOKEN_ENDED}", AUTHENTICATION)
    user = text_of(reply.body, "dhanClientId") if reply.ok and isinstance(reply.body, dict) else ""
    if not user:
        said = reply.error or "an answer that cannot be read"
        raise LoginFailed(f"login: HTTP {reply.status}: {said}")
    return user
