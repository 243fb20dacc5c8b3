"""Two ways to get the key of a session:

- QuickAuth: a login with password, TOTP and application key gives the key.
- OAuth: the operator logs in with a browser and sets the access token. It cannot be renewed from here, only tried
  again.
"""

import hashlib
import logging
import re
from datetime import timedelta

from pyotp.totp import TOTP

from broker.fields import text_of
from broker.http_calls import AnswerLost, RequestNotSent
from broker.noren.presets import NorenAccount
from broker.noren.wire import Wire
from broker.sessions import AUTHENTICATION, LoginFailed, Session
from domain.ports import Clock

log = logging.getLogger(__name__)

# After one of these the same login would be refused again, and a few more attempts would lock the account.
_FINAL = ("wrong password", "wrong user", "password expired", "change password", "lock", "disabled")

# The broker's own machines failed: neither password nor code was checked, so nothing counts against the account.
_NOBODY_LOOKED = re.compile(
    r"^(server|gateway|request) ?time[d ]*-?out\b|^internal\b|service unavailable|unable to connect"
)

_CODE_LASTS = timedelta(seconds=30)

_NEVER = "; not tried again before a restart: put the credentials right first"


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


def session_of(account: NorenAccount, wire: Wire, clock: Clock) -> Session:
    """Return the session of an account: with an access token if its settings have one, else by QuickAuth."""
    token = account.access_token
    if token is not None:
        return Session(lambda: token, clock, renewable=False)
    return Session(QuickAuth(account, wire, clock), clock, renewable=True)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
