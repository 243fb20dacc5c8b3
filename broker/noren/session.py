"""The session at the broker: a key that every call carries, made when it is needed and renewed when it is refused.

Two eras. QuickAuth: a login with password, TOTP and application key gives the key. OAuth: the operator logs in with a
browser and sets the access token; it cannot be renewed from here, only tried again.
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

# After these the same login would be refused again, and some more of them lock the account.
_FINAL = ("wrong password", "wrong user", "password expired", "change password", "lock", "disabled")

# Said of the broker's own machines: neither password nor code was judged, so nothing counts against the account.
_NOBODY_LOOKED = re.compile(
    r"^(server|gateway|request) ?time[d ]*-?out\b|^internal\b|service unavailable|unable to connect"
)

_UNREACHED = (1.0, 5.0)
"""Seconds to the next login, first and longest, doubling, where nobody looked at the last one: exits wait for it."""

_REFUSED = (1.0, 60.0)
"""The same where the broker refused a session that it had given."""

_COUNTED = (60.0, 3600.0)
"""The same where it counts the login against the account, from the second in a row on."""

_ONCE_MORE = 10.0
"""Seconds to the next login after the first that was counted: it may have been a code at the edge of its 30 seconds,
and exits wait for it no longer than 15 s. The next comes with another code: no refused code is counted twice."""

_CODE_LASTS = timedelta(seconds=30)

_LOGIN_TAKES = 10.0
"""Seconds that a thread waits for the login of another: whatever holds that one up, its caller goes on."""

_NEVER = "; not tried again before a restart: put the credentials right first"

_SOON = timedelta(seconds=60)


class LoginFailed(Exception):
    """There is no session, so nothing was sent. `code` is 401 when it is for the broker's gate to let us in.

    `counts`: the broker counts it against the account. `final`: another attempt can only make it worse.
    """

    def __init__(self, message: str, code: str = "", *, counts: bool = False, final: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.counts = counts
        self.final = final


class QuickAuth:
    """Logs in with password and TOTP.

    Args:
        clock: the time of the TOTP code.
    """

    def __init__(self, account: NorenAccount, wire: Wire, clock: Clock) -> None:
        self._account = account
        self._wire = wire
        self._clock = clock
        self._refused_code = ""

    def __call__(self) -> str:
        """A new session key.

        Raises:
            LoginFailed: there is none.
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
            # Brokers take the neighbouring code too: better than the same again, or an exit that waits 30 s.
            return totp.at(now + _CODE_LASTS) if code == self._refused_code else code
        except ValueError as error:  # not base32
            raise LoginFailed(f"the TOTP secret is not one{_NEVER}", AUTHENTICATION, final=True) from error


class Session:
    """One client's session, for all its threads.

    `key` gives the key that calls carry; who is told that the broker does not know it says so by `refused`. Threads
    whose key was refused together wait for one login. Of keys that are refused soon after they were made, one is
    renewed at once; from the second in a row on each counts as a failed login: where two programs end each other's
    sessions, nothing logs in without end.
    """

    def __init__(self, login: Callable[[], str], clock: Clock, *, renewable: bool) -> None:
        """`login` makes a key; with `renewable` False it always gives the same one, and a refusal is a failure."""
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
        """The session of an account, of the era that its settings speak of."""
        token = account.access_token
        if token is not None:
            return cls(lambda: token, clock, renewable=False)
        return cls(QuickAuth(account, wire, clock), clock, renewable=True)

    def key(self) -> str:
        """The key, after a login if there is none.

        Raises:
            LoginFailed: there is none, and it is not the time for another attempt, or that failed too.
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
        """The broker does not know that key (any more). The first caller's word counts, for the key in use only."""
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
        """The wait that was set counts elapsed time: a clock that was set back must not keep a login out for hours."""
        if self._failed_at is None:
            return False
        return has_elapsed(self._failed_at, self._clock.now(), self._wait)

    def _fail(self, failure: LoginFailed) -> None:
        """Note when the next attempt may be made: never after a final failure."""
        kind = _COUNTED if failure.counts else _REFUSED if failure.code else _UNREACHED
        first, longest = kind
        failures = self._failures.get(kind, 0)
        if kind is _COUNTED:  # the first of them is soon tried again; from the second on as the others
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
