"""Authenticate alerts: find the client or the strategy by its secret, in any of the three ways of sending it."""

import re
import secrets as random
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import NamedTuple
from urllib.parse import unquote

from alerts.masking import MASK, SecretMask
from domain.credentials import is_same, secret_bytes, timed_signature

__all__ = ["MASK", "Identity", "Secrets", "SignatureRules", "StrategySecret"]

_SIGNATURE = re.compile(
    r"(?:t=(?P<at>[0-9]{1,12}),)?(?:strategy=(?P<strategy>[^,\s]{1,1000}),)?(?i:sha256)=(?P<hex>[0-9A-Fa-f]{64})"
)
_AHEAD = timedelta(seconds=10)
"""By how much a sender's clock may be ahead of ours."""
_NOBODY = random.token_bytes(32)
"""Signs where the strategy of a signature is unknown, so that the time taken does not reveal which ones there are."""


class StrategySecret(NamedTuple):
    """The secret of one strategy.

    - `client_id`: the client under which its alerts are kept.
    - `clients`: all that its alerts may name.
    """

    text: str
    client_id: str
    clients: frozenset[str]


class SignatureRules(NamedTuple):
    """How long a signature with a time is taken, and whether every signature needs one."""

    window: timedelta = timedelta(seconds=45)
    needs_time: bool = False


class Identity(NamedTuple):
    """Whose secret a delivery carries.

    - `client_id`: the client under which it is kept, and that trades it where it and its strategy name none.
    - `strategy_name`: the strategy whose secret it is; None: the client's, with which any strategy may be named.
    - `clients`: the clients that it may name.
    - `late`: its signature is right, and too old or without the time that it needs; says which.
    """

    client_id: str
    strategy_name: str | None
    clients: frozenset[str]
    late: str | None = None

    def may_name(self, client_id: str | None) -> bool:
        """Whether the delivery may name this client; None: none."""
        return client_id is None or client_id in self.clients


class Secrets:
    """The webhook secrets of the clients and of the strategies. No part of a secret is ever shown.

    Raises:
        ValueError: a secret is empty, there is no client, or a strategy has the secret of somebody else.
    """

    def __init__(
        self,
        by_client: Mapping[str, str],
        default_client: str,
        by_strategy: Mapping[str, StrategySecret] | None = None,
        *,
        rules: SignatureRules = SignatureRules(),  # noqa: B008 - immutable
    ) -> None:
        strategies = by_strategy or {}
        if not by_client or not all(by_client.values()) or not all(each.text for each in strategies.values()):
            raise ValueError("every client needs a webhook secret, and every strategy's secret a text")
        texts = [*set(by_client.values()), *(each.text for each in strategies.values())]
        if len(set(texts)) != len(texts):
            raise ValueError("every strategy needs a secret that nobody else has")
        self._rules = rules
        # The default client last: it wins where clients share a secret.
        ordered = sorted(by_client.items(), key=lambda item: item[0] == default_client)
        self._clients = [(secret_bytes(secret), _of_client(name)) for name, secret in ordered]
        self._strategies = {
            name: (secret_bytes(each.text), Identity(each.client_id, name, each.clients))
            for name, each in strategies.items()
        }
        # What was sent is found by a digest under a key that lives as long as this process: one look-up, however many
        # secrets there are, and nobody outside can tell from its time how much of a guess was right.
        self._key = random.token_bytes(32)
        known = [*self._clients, *self._strategies.values()]
        self._by_digest = {self._digest(secret): (secret, whose) for secret, whose in known}
        self._mask = SecretMask(texts)
        self.mask: Callable[[str], str] = self._mask.mask
        self.mask_body: Callable[[bytes], str] = self._mask.mask_body

    @property
    def strategies(self) -> tuple[str, ...]:
        """The strategies that have a secret of their own."""
        return tuple(self._strategies)

    def _digest(self, given: bytes) -> bytes:
        return blake2b(given, key=self._key, digest_size=32).digest()

    def authenticate(
        self,
        raw: bytes,
        *,
        body_secret: str | None,
        path_token: str | None,
        signature: str | None,
        at: datetime | None = None,
    ) -> Identity | None:
        """Return whose secret came with the delivery.

        None when no secret came, or when the secrets are not right, and of one owner, in every way that was used. The
        secret of a strategy goes together with that of one of its clients: the delivery is then the strategy's.

        Args:
            raw: the body as received; a signature covers it.
            body_secret: the secret that stands in the body.
            path_token: the last part of the path.
            signature: the `X-Signature` header: `sha256=<hex>`, or with the time `t=<seconds>,sha256=<hex>`; under a
                strategy's secret `strategy=<name>` stands before `sha256`.
            at: when it was received, to judge the time of a signature by; None: no time is late.
        """
        if body_secret is None and path_token is None and signature is None:
            return None
        owners = [self._owner(text) for text in (body_secret, path_token) if text is not None]
        if signature is not None:
            owners.append(self._signer(signature.strip(), raw, at))
        return _one_owner(owners)

    def owner_of(self, text: str | None) -> Identity | None:
        """Whose secret a text is; None where it is nobody's."""
        return None if text is None else self._owner(text)

    def _owner(self, text: str) -> Identity | None:
        given = secret_bytes(text)
        found = self._by_digest.get(self._digest(given))
        return found[1] if found is not None and is_same(given, found[0]) else None

    def _signer(self, signature: str, raw: bytes, at: datetime | None) -> Identity | None:
        match = _SIGNATURE.fullmatch(signature)
        if match is None:
            return None
        given = match["hex"].lower().encode()
        found = None
        # One secret where the signature names its strategy. Else every client's is compared, each in constant time, so
        # that the time taken reveals nothing; strategies' would make a large body cost as often as there are some.
        for secret, whose in self._candidates(match["strategy"]):
            right = timed_signature(secret, match["at"], raw)
            if is_same(given, right.encode()):
                found = whose
        if found is None:
            return None
        return found._replace(late=self._late(match["at"], at))

    def _candidates(self, strategy: str | None) -> list[tuple[bytes, Identity]]:
        if strategy is None:
            return self._clients
        known = self._strategies.get(unquote(strategy))
        return [(_NOBODY, _of_client(""))] if known is None else [known]

    def _late(self, stamp: str | None, at: datetime | None) -> str | None:
        if stamp is None:
            if not self._rules.needs_time:
                return None
            return "expected t=<seconds since 1970> in X-Signature (WEBHOOK_SIGNATURE_NEEDS_TIME), got none"
        if at is None:
            return None
        signed = (
            datetime.fromtimestamp(int(stamp), UTC)
            if int(stamp) < 2**35
            else datetime.max.replace(tzinfo=UTC)
        )
        age = (at - signed).total_seconds()
        if -_AHEAD.total_seconds() <= age <= self._rules.window.total_seconds():
            return None
        window = f"{self._rules.window.total_seconds():g}"
        return (
            f"expected a time in X-Signature of the last {window} s (WEBHOOK_REPLAY_SECONDS), got one of "
            f"{abs(age):.0f} s {'before' if age > 0 else 'after'} its arrival: look at the clocks of both machines"
        )


def _one_owner(owners: list[Identity | None]) -> Identity | None:
    found: Identity | None = None
    for each in owners:
        if each is None:
            return None
        if found is not None and found.strategy_name != each.strategy_name:
            narrow, wide = (found, each) if each.strategy_name is None else (each, found)
            if wide.strategy_name is not None or wide.client_id not in narrow.clients:
                return None
            each = narrow._replace(late=found.late or each.late)
        elif found is not None and found.client_id != each.client_id:
            return None
        found = each
    return found


def _of_client(client_id: str) -> Identity:
    return Identity(client_id, None, frozenset((client_id,)))
