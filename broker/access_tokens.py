"""Access tokens that a person brings each day: from a setting or a file, and whose they are before they are used."""

import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from broker.http_calls import AnswerLost, RequestNotSent
from broker.sessions import AUTHENTICATION, LoginFailed, Session
from broker.wire import Reply
from domain.errors import NotSent
from domain.ports import Clock

log = logging.getLogger(__name__)


class TokenCheck:
    """Returns the account's access token if it is valid and belongs to the account's user.

    A token in a file is read anew each time: after a refusal that of the next login may stand there.
    A token of another user would trade that user's account under this client's name.

    Args:
        user_id: the account's user.
        token: returns the token. Raises: LoginFailed.
        whose: asks the broker whose token it is. Raises: LoginFailed, NotSent, RequestNotSent, AnswerLost.
        final: no other token can come, so that one of another user ends it.
    """

    def __init__(
        self, user_id: str, token: Callable[[], str], whose: Callable[[str], str], *, final: bool
    ) -> None:
        self._user_id = user_id
        self._token = token
        self._whose = whose
        self._final = final

    def __call__(self) -> str:
        """Check the token and return it.

        Raises:
            LoginFailed: it is not valid, is another user's, or could not be checked.
        """
        try:
            token = self._token()
            user = self._whose(token)
        except (RequestNotSent, AnswerLost, NotSent) as error:
            raise LoginFailed(f"login: {error}") from error
        if user.upper() != self._user_id.upper():
            raise LoginFailed(
                f"the access token is that of {user}, and the account's user is {self._user_id}: it is not used",
                AUTHENTICATION,
                final=self._final,
            )
        log.info("logged in as %s", user)
        return token


@dataclass(frozen=True, slots=True)
class TokenPlace:
    """Where an account's access token stands.

    - `user_id`: the account's user.
    - `token`: the token itself, where there is no file.
    - `file`: the file in which that of the day stands; None: there is none.
    - `remedy`: what a person does for a token in the file.
    """

    user_id: str
    token: str
    file: Path | None
    remedy: str


def session_of_token(place: TokenPlace, whose: Callable[[str], str], clock: Clock) -> Session:
    """Return the session of an account that is used with a token which a person brings: it is not renewed from here.

    `whose`: asks the broker whose token it is. Raises: LoginFailed, NotSent, RequestNotSent, AnswerLost.
    """

    def token() -> str:
        return place.token if place.file is None else token_in(place.file, place.remedy)

    final = place.file is None  # another token can only come by the file
    return Session(TokenCheck(place.user_id, token, whose, final=final), clock, renewable=False)


def named_user(reply: Reply, user: str, *, is_refusal: bool, ended: str) -> str:
    """Return the user whom an answer about a token names.

    Args:
        user: empty if it names none.
        is_refusal: the answer says that the token is not valid.
        ended: why tokens end, and what to do then.

    Raises:
        LoginFailed: the token was refused, or the answer names nobody.
    """
    if is_refusal:
        raise LoginFailed(f"the access token was refused: {reply.error}; {ended}", AUTHENTICATION)
    if not user:
        raise LoginFailed(f"login: HTTP {reply.status}: {reply.error or 'an answer that cannot be read'}")
    return user


def token_in(file: Path, remedy: str) -> str:
    """Return the access token that stands in a file.

    Raises:
        LoginFailed: there is none; `remedy` says what to do.
    """
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a token"
        raise LoginFailed(f"{file} cannot be read: {reason}; {remedy}", AUTHENTICATION) from error
    if not re.fullmatch(r"[!-~]{1,2000}", token):
        raise LoginFailed(f"{file} holds no access token", AUTHENTICATION)
    return token
