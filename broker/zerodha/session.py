"""The session at Zerodha: the access token of a day's login, which is checked before it is used.

The login itself needs a person: a browser login gives a request token, and with it and the API's secret
`python -m broker.zerodha` asks for the access token. It cannot be renewed from here, only tried again.
"""

import hashlib
import logging
import re
from collections.abc import Callable

from broker.fields import text_of
from broker.http_calls import AnswerLost, RequestNotSent
from broker.sessions import AUTHENTICATION, LoginFailed, Session
from broker.zerodha.errors import TOKEN_ENDED, token_refused, user_in
from broker.zerodha.settings import Account
from broker.zerodha.wire import Wire
from domain.errors import NotSent
from domain.ports import Clock

log = logging.getLogger(__name__)


class TokenCheck:
    """Returns the account's access token if it is valid and belongs to the account's user.

    A token in a file is read anew each time: after a refusal that of the next login may stand there.
    A token of another user would trade that user's account under this client's name.

    Args:
        take: takes a slot in the rate budget. Raises: NotSent.
    """

    def __init__(self, account: Account, wire: Wire, take: Callable[[], None]) -> None:
        self._account = account
        self._wire = wire
        self._take = take

    def __call__(self) -> str:
        """Check the token and return it.

        Raises:
            LoginFailed: it is not valid, is another user's, or could not be checked.
        """
        account = self._account
        try:
            token = _token_of(account)
            self._take()
            reply = self._wire.read("user/profile", token)
        except (RequestNotSent, AnswerLost, NotSent) as error:
            raise LoginFailed(f"login: {error}") from error
        if token_refused(reply):
            raise LoginFailed(f"the access token was refused: {reply.error}; {TOKEN_ENDED}", AUTHENTICATION)
        user = user_in(reply)
        if not user:
            said = reply.error or "an answer that cannot be read"
            raise LoginFailed(f"login: HTTP {reply.status}: {said}")
        if user.upper() != account.user_id.upper():
            # Another token can only come by the file.
            final = account.login_file is None
            raise LoginFailed(
                f"the access token is that of {user}, and the account's user is {account.user_id}: it is not used",
                AUTHENTICATION,
                final=final,
            )
        log.info("logged in as %s", user)
        return token


def _token_of(account: Account) -> str:
    if account.login_file is None:
        return account.access_token
    try:
        token = account.login_file.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a token"
        raise LoginFailed(
            f"{account.login_file} cannot be read: {reason}; log in with `python -m broker.zerodha --file`",
            AUTHENTICATION,
        ) from error
    if not re.fullmatch(r"[!-~]{1,200}", token):
        raise LoginFailed(f"{account.login_file} holds no access token", AUTHENTICATION)
    return token


def session_of(account: Account, wire: Wire, clock: Clock, take: Callable[[], None]) -> Session:
    """Return the session of an account."""
    return Session(TokenCheck(account, wire, take), clock, renewable=False)


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
