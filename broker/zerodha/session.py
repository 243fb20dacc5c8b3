"""The session at Zerodha: the access token of a day's login, which is checked before it is used.

The login itself needs a person: a browser login gives a request token, and with it and the API's secret
`python -m broker.zerodha` asks for the access token. It cannot be renewed from here, only tried again.
"""

import hashlib
from collections.abc import Callable

from broker.access_tokens import TokenCheck, token_in
from broker.fields import text_of
from broker.sessions import AUTHENTICATION, LoginFailed, Session
from broker.zerodha.errors import TOKEN_ENDED, token_refused, user_in
from broker.zerodha.settings import Account
from broker.zerodha.wire import Reply, Wire
from domain.ports import Clock


def session_of(account: Account, wire: Wire, clock: Clock, take: Callable[[], None]) -> Session:
    """Return the session of an account. `take` takes a slot in the rate budget. Raises: NotSent."""

    def token() -> str:
        if account.login_file is None:
            return account.access_token
        return token_in(account.login_file, "log in with `python -m broker.zerodha --file`")

    def whose(token: str) -> str:
        take()
        return _user_of(wire.read("user/profile", token))

    final = account.login_file is None  # another token can only come by the file
    return Session(TokenCheck(account.user_id, token, whose, final=final), clock, renewable=False)


def _user_of(reply: Reply) -> str:
    if token_refused(reply):
        raise LoginFailed(f"the access token was refused: {reply.error}; {TOKEN_ENDED}", AUTHENTICATION)
    user = user_in(reply)
    if not user:
        said = reply.error or "an answer that cannot be read"
        raise LoginFailed(f"login: HTTP {reply.status}: {said}")
    return user


def access_token(wire: Wire, api_key: str, request_token: str, api_secret: str) -> tuple[str, str]:
    """Exchange a request token. Return the user who logged in, and the access token.

    Raises:
        LoginFailed: the broker gave none.
        RequestNotSent, AnswerLost: it could not be asked.
    """
    fields = {
        "api_key": api_key,
        "request_token": request_token,
        "checksum": checksum(api_key, request_token, api_secret),
    }
    reply = wire.login(fields)
    token = text_of(reply.data, "access_token") if isinstance(reply.data, dict) else ""
    if not token:
        said = f"{reply.error_type}: {reply.error}" if reply.error else "an answer that cannot be read"
        raise LoginFailed(f"login refused: HTTP {reply.status}: {said}", AUTHENTICATION)
    return user_in(reply), token


def checksum(api_key: str, request_token: str, api_secret: str) -> str:
    """Return the proof with which a request token is exchanged for an access token."""
    return hashlib.sha256(f"{api_key}{request_token}{api_secret}".encode()).hexdigest()
