"""The session at a broker: a key that every call carries, made when it is needed and renewed when it is refused."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from domain.ports import Clock
from domain.times import has_elapsed, is_within

log = logging.getLogger(__name__)

AUTHENTICATION = "401"
"""The code of an error that says that the broker does not know the session."""

_UNREACHED = (1.0, 5.0)
"""Seconds to the next login if the broker did not check the last one: the first wait and the longest, doubling.

Short, because exits wait for the login.
"""

_REFUSED = (1.0, 60.0)
"""The same, if the broker refused a session that it had given."""

_COUNTED = (60.0, 3600.0)
"""The same, if the broker counts the login against the account; from the second such login in a row."""

_ONCE_MORE = 10.0
"""Seconds to the next login after the first one that counted.

The refused code may have been at the edge of its 30 seconds, and exits wait for the login no longer than 15 s. The next
login uses another code, so no refused code is counted twice.
"""

_LOGIN_TAKES = 10.0
"""Seconds that a thread waits for the login of another thread. Then its caller goes on, whatever delays that login."""

_SOON = timedelta(seconds=60)


class LoginFailed(Exception):
    """There is no session, so nothing was sent.

    - `code`: 401 if the authentication itself failed, else empty.
    - `counts`: the broker counts the login against the account.
    - `final`: another attempt can only make it worse.
    """

    def __init__(self, message: str, code: str = "", *, counts: bool = False, final: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.counts = counts
        self.final = final


class Session:
    """One client's session, for all its threads.

    `key` returns the key that calls carry. A caller whose key the broker does not know reports it by `refused`. Threads
    whose key was refused at the same time wait for one login.

    Of keys that are refused soon after they were made, the first is renewed at once. From the second in a row, each
    counts as a failed login. Otherwise two programs that end each other's sessions would log in without end.
    """

    def __init__(self, login: Callable[[], str], clock: Clock, *, renewable: bool) -> None:
        """`login` makes a key. With `renewable` False it always gives the same key, and a refusal is a failure."""
        self._login = login
        self._clock = clock
        self._renewable = renewable
        self._lock = threading.Lock()
        self._key: str | None = None
        self._made_at = clock.now()
        self._soon_refused = 0
        self._failures: dict[tuple[float, float], int] = {}  # in a row, of each kind
        self._failed: LoginFailed | None = None
        self._failed_at: datetime | None = None  # after a failure that may be tried again
        self._wait = timedelta(0)

    def key(self) -> str:
        """Return the key, after a login if there is none.

        Raises:
            LoginFailed: there is no key, and another attempt is not due yet, or failed too, or is still being made by
                another thread.
        """
        key = self._key
        if key is not None:
            return key
        if not self._lock.acquire(timeout=_LOGIN_TAKES):
            raise LoginFailed("the login of another thread is not over")
        try:
            if self._key is None:
                self._key = self._log_in()
            return self._key
        finally:
            self._lock.release()

    def refused(self, key: str) -> None:
        """Report that the broker does not know the key (any more). Only the first report of the key in use counts."""
        with self._lock:
            if self._key != key:
                return
            self._key = None
            if is_within(self._made_at, self._clock.now(), _SOON):
                self._soon_refused += 1
            else:
                self._soon_refused = 0
                self._failures.pop(_REFUSED, None)
            log.warning("the broker refused the session")
            if not self._renewable:
                self._fail(
                    LoginFailed("the broker refused the access token: a new one is needed", AUTHENTICATION)
                )
            elif self._soon_refused > 1:
                self._fail(LoginFailed("the broker refuses one session after the other", AUTHENTICATION))

    def _log_in(self) -> str:
        if self._failed is not None and not self._may_try():
            last = self._failed  # not raised itself: its traceback would grow with every caller
            raise LoginFailed(str(last), last.code, counts=last.counts, final=last.final)
        try:
            key = self._login()
        except LoginFailed as failure:
            self._fail(failure)
            raise
        self._failed, self._made_at = None, self._clock.now()
        self._failures.pop(_UNREACHED, None)
        self._failures.pop(_COUNTED, None)
        return key

    def _may_try(self) -> bool:
        """True when the wait is over. Elapsed time counts: a clock that was set back must not bar logins for hours."""
        if self._failed_at is None:
            return False
        return has_elapsed(self._failed_at, self._clock.now(), self._wait)

    def _fail(self, failure: LoginFailed) -> None:
        """Record when the next attempt may be made: never after a final failure."""
        kind = _COUNTED if failure.counts else _REFUSED if failure.code else _UNREACHED
        first, longest = kind
        failures = self._failures.get(kind, 0)
        if kind is _COUNTED:  # the first is retried soon; from the second on, as the others
            wait = _ONCE_MORE if not failures else min(first * 2 ** min(failures - 1, 20), longest)
        else:
            wait = min(first * 2 ** min(failures, 20), longest)
        self._failures[kind] = failures + 1
        self._failed = failure
        self._failed_at = None if failure.final else self._clock.now()
        self._wait = timedelta(seconds=wait)
        log.error("%s%s", failure, "" if failure.final else f"; next attempt in {wait:.0f} s")
