"""Logins of both generations of the wire: with password and TOTP, or with a code for an access token."""

import base64
import hashlib
import hmac
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from broker.simulator.form import Data, needed
from broker.simulator.journal import EventLog
from domain.ports import Clock
from domain.times import time_text

DEFAULT_USER = "FA00001"  # the user of a code that names none, where any login is accepted
_WRONG = "Invalid Input : Wrong user id or password"
_TOTP_SECONDS = 30


class Denied(Exception):
    """The login is refused. The text is what the wire answers."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one user has to know to log in. `QuickAuth` does not check a field that is empty.

    `access_token` is valid without a login, as if it had been obtained elsewhere.
    """

    password: str = ""
    totp_secret: str = ""
    vendor_code: str = ""
    api_secret: str = ""
    oauth_client_id: str = ""
    access_token: str = ""


def noren_proof(known: Credentials, code: str) -> str:
    """The checksum with which a code is exchanged on the Noren wire."""
    return sha256(known.oauth_client_id + known.api_secret + code)


class Sessions:
    """The logged-in users, by token. Safe to call from several threads.

    Sessions survive a restart, as at the real broker. Without accounts anybody may log in as any user.
    """

    def __init__(self, accounts: Mapping[str, Credentials] | None, journal: EventLog, clock: Clock) -> None:
        self._accounts = accounts
        self._journal = journal
        self._clock = clock
        self._lock = threading.Lock()
        self._users = {each.access_token: uid for uid, each in (accounts or {}).items() if each.access_token}
        self._made = 0
        for record in journal.records():
            if record["kind"] == "session":
                self._users[record["token"]] = record["uid"]
                self._made += 1
            elif record["kind"] == "logout":
                self._users.pop(record["token"], None)

    def login(self, data: Data) -> tuple[str, str]:
        """QuickAuth: return the user and a new session key.

        Raises:
            InvalidInput: a field is missing.
            Denied: a value is wrong.
        """
        uid, pwd, factor2, vc, appkey, _ = needed(data, "uid", "pwd", "factor2", "vc", "appkey", "imei")
        known = self._credentials(uid)
        checks = (
            (known.password, pwd == sha256(known.password)),
            (known.totp_secret, factor2 in self._one_time_passwords(known.totp_secret)),
            (known.vendor_code, vc == known.vendor_code),
            (known.api_secret, appkey == sha256(f"{uid}|{known.api_secret}")),
        )
        if not all(right for secret, right in checks if secret):
            raise Denied(_WRONG)
        return uid, self._open(uid)

    def exchange(self, data: Data, proof: Callable[[Credentials, str], str] = noren_proof) -> tuple[str, str]:
        """GenAcsTok: return the user to whom the code belongs, and a new access token.

        `proof` makes the checksum from a user's credentials and the code.

        Raises:
            InvalidInput: a field is missing.
            Denied: the checksum matches no account.
        """
        code, checksum = needed(data, "code", "checksum")
        if self._accounts is None:
            uid = data.get("uid") or DEFAULT_USER
            return uid, self._open(uid)
        for uid, known in self._accounts.items():
            if data.get("uid") in (None, uid) and checksum == proof(known, code):
                return uid, self._open(uid)
        raise Denied("Invalid Input : Invalid Code or Checksum")

    def user_of(self, token: str | None) -> str | None:
        """The user of the session with this token; None when there is no such session, or it has ended."""
        with self._lock:
            return self._users.get(token or "")

    @property
    def has_accounts(self) -> bool:
        """False where anybody may log in as any user."""
        return self._accounts is not None

    def api_key_of(self, uid: str) -> str:
        """The API key of the user's application; empty where any key is accepted."""
        return (
            "" if self._accounts is None or uid not in self._accounts else self._accounts[uid].oauth_client_id
        )

    def end(self, token: str | None) -> None:
        """End the session with this token, if there is one."""
        with self._lock:
            if token is not None and self._users.pop(token, None) is not None:
                self._journal.append([{"kind": "logout", "at": time_text(self._clock.now()), "token": token}])

    def _credentials(self, uid: str) -> Credentials:
        if self._accounts is None:
            return Credentials()
        if uid not in self._accounts:
            raise Denied(_WRONG)
        return self._accounts[uid]

    def _open(self, uid: str) -> str:
        with self._lock:
            self._made += 1
            at = time_text(self._clock.now())
            token = sha256(f"{uid} {self._made} {at}")
            self._journal.append([{"kind": "session", "at": at, "uid": uid, "token": token}])
            self._users[token] = uid
            return token

    def _one_time_passwords(self, secret: str) -> set[str]:
        """The one-time passwords of the current step and of the steps before and after it."""
        step = int(self._clock.now().timestamp()) // _TOTP_SECONDS
        return {one_time_password(secret, step + drift) for drift in (-1, 0, 1)} if secret else set()


def one_time_password(secret: str, step: int) -> str:
    """The TOTP of a base32 secret in that 30-second step since 1970: RFC 6238, SHA-1, six digits."""
    key = base64.b32decode(secret.upper() + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, step.to_bytes(8, "big"), "sha1")
    start = digest[-1] & 15
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


def sha256(text: str) -> str:
    """The SHA-256 of a text, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()
