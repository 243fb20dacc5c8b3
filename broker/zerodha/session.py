"""The session at Zerodha: the access token of a day's login, which is checked before it is used.

The login itself needs a person: a browser login gives a request token, and with it and the API's secret
`python -m broker.zerodha` asks for the access token. It cannot be renewed from here, only tried again.
"""

import hashlib
from collections.abc import Callable

from broker.access_tokens import TokenPlace, named_user, session_of_token
from broker.fields import text_of
from broker.http_calls import always
from broker.sessions import AUTHENTICATION, LoginFailed, Session
from broker.wire import Wire
from broker.zerodha.errors import TOKEN_ENDED, token_refused, user_in
from broker.zerodha.settings import Account
from domain.ports import Clock


def session_of(account: Account, wire: Wire, clock: Clock, take: Callable[[], None]) -> Session:
    """Return the session of an account. `take` takes a slot in the rate budget. Raises: NotSent."""

    def whose(token: str) -> str:
        take()
        reply = wire.read("user/profile", token)
        return named_user(reply, user_in(reply), is_refusal=token_refused(reply), ended=TOKEN_ENDED)

    remedy = "log in with `python -m broker.zerodha --file`"
    place = TokenPlace(account.user_id, account.access_token, account.login_file, remedy)
    return session_of_token(place, whose, clock)


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
    reply = wire.order("POST", "session/token", "", fields, always)
    token = text_of(reply.data, "access_token") if isinstance(reply.data, dict) else ""
    if not token:
        said = f"{reply.code}: {reply.error}" if reply.error else "an answer that cannot be read"
        raise LoginFailed(f"login refused: HTTP {reply.status}: {said}", AUTHENTICATION)
    return user_in(reply), token


def checksum(api_key: str, request_token: str, api_secret: str) -> str:
    """Return the proof with which a request token is exchanged for an access token."""
    return hashlib.sha256(f"{api_key}{request_token}{api_secret}".encode()).hexdigest()
