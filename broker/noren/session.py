"""The session at the broker: a key that every call carries, made when it is needed and renewed when it is refused.

There are two ways to get a key:

- QuickAuth: a login with password, TOTP and application key gives the key.
- OAuth: the operator logs in with a browser and sets the access token. It cannot be renewed from here, only tried
  again.
"""

import hashlib
import logging
import re
import threading
from collections.abc import Callable
from datetime import datetime, timedelta

from pyotp.totp import TOTP

from broker.noren.errors import AUTHENTICATION
from broker.noren.presets import NorenAccount
from broker.noren.wire import AnswerLost, RequestNotSent, Wire, text_of
from domain.ports import Clock
from domain.times import has_elapsed, is_within

log = logging.getLogger(__name__)

# After one of these the same login would be refused again, and a few more attempts would lock the account.
_FINAL = ("wrong password", "wrong user", "password expired", "change password", "lock", "disabled")

# The broker's own machines failed: neither password nor code was checked, so nothing counts against the account.
_NOBODY_LOOKED = re.compile(
    r"^(server|gateway|request) ?time[d ]*-?out\b|^internal\b|service unavailable|unable to connect"
)

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

_CODE_LASTS = timedelta(seconds=30)

_LOGIN_TAKES = 10.0
"""Seconds that a thread waits for the login of another thread. Then its caller goes on, whatever delays that login."""

_NEVER = "; not tried again before a restart: put the credentials right first"

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


class QuickAuth:
    """Logs in with password and TOTP.

    Args:
        clock: gives the time for the TOTP code.
    """

    def __init__(self, account: NorenAccount, wire: Wire, clock: Clock) -> None:
        self._account = account
        self._wire = wire
        self._clock = clock
        self._refused_code = ""

    def __call__(self) -> str:
        """Log in and return a new session key.

        Raises:
            LoginFailed: the login gave no key.
        """
        try:
            fields = self._fields()
            reply = self._wire.read("QuickAuth", fields, None)
        except (RequestNotSent, AnswerLost) as error:
            raise LoginFailed(f"login: {error}") from error
        key = text_of(reply.body, "susertoken") if reply.ok else ""
        if key:
            log.info("logged in as %s", self._account.user_id)
            return key
        refusal = reply.error
        if not refusal:
            raise LoginFailed(f"login: HTTP {reply.status}, an answer that cannot be read")
        final = any(words in refusal.lower() for words in _FINAL)
        if not final and _NOBODY_LOOKED.search(refusal.lower()):
            raise LoginFailed(f"login: {refusal}")
        self._refused_code = fields["factor2"]
        text = f"login refused: {refusal}{_NEVER if final else ''}"
        raise LoginFailed(text, AUTHENTICATION, counts=True, final=final)

    def _fields(self) -> dict[str, str]:
        account = self._account
        return {
            "source": "API",
            "apkversion": "1.0.0",
            "uid": account.user_id,
            "pwd": _sha256(account.password or ""),
            "factor2": self._totp(),
            "vc": account.vendor_code or "",
            "appkey": _sha256(f"{account.user_id}|{account.api_secret or ''}"),
            "imei": account.imei or "",
        }

    def _totp(self) -> str:
        secret = "".join((self._account.totp_secret or "").split())  # people paste it in groups of four
        try:
            totp, now = TOTP(secret), self._clock.now()
            code = totp.at(now)
            # Brokers accept the neighbouring code too. It avoids a second refusal, and a wait of 30 s for an exit.
            return totp.at(now + _CODE_LASTS) if code == self._refused_code else code
        except ValueError as error:  # not base32
            raise LoginFailed(f"the TOTP secret is not one{_NEVER}", AUTHENTICATION, final=True) from error


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

    @classmethod
    def for_account(cls, account: NorenAccount, wire: Wire, clock: Clock) -> "Session":
        """Return the session of an account: with an access token if its settings have one, else by QuickAuth."""
        token = account.access_token
        if token is not None:
            return cls(lambda: token, clock, renewable=False)
        return cls(QuickAuth(account, wire, clock), clock, renewable=True)

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


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
