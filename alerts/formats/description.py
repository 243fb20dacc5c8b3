"""What describes a dialect of alerts: what it recognises, where its secret is, and how it becomes a `ParsedAlert`."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from alerts.decoding import Body, Form
from domain.alert import ParsedAlert
from domain.alert_defaults import NO_DEFAULTS, AlertDefaultsBook

UNKNOWN = "unknown"
"""What is stored as the format of a delivery whose path names no dialect: such a path may hold even the secret."""

NAME = re.compile(r"[a-z0-9]([a-z0-9_\-]{0,18}[a-z0-9])?")


class AskedFor(NamedTuple):
    """What an alert asks for, as its sender wrote it: values of any type, None where there is none."""

    strategy_name: object = None
    signal_id: object = None
    execution_type: object = None
    symbols: Sequence[object] = ()


class Parse(Protocol):
    """Parses the bodies of one dialect."""

    def __call__(
        self, body: Body, *, default_client: str, defaults: AlertDefaultsBook = NO_DEFAULTS
    ) -> ParsedAlert:
        """Parse an alert; `default_client` is its client when it names none, `defaults` what else it need not name.

        Raises:
            InvalidAlert: the alert cannot be traded on. Nothing else, whatever the body holds.
        """


class SecretPlace(Protocol):
    """Where the bodies of a dialect carry the secret; `SecretField` is the usual one."""

    @property
    def key(self) -> str:
        """What errors call it."""

    def find(self, body: Body) -> str | None:
        """Return what a body gives as the secret, whether the body can be read or not.

        None when it gives none. "", which is never right, when it gives something that no secret can be.
        """

    def empty_masked(self, kept: str) -> str:
        """Empty the masked secret of a stored body, so that another way of authentication can take its place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """All that the program knows of a dialect. Nothing outside `alerts/` names it.

    `recognises` gets bodies of the dialect's form, all else gets any body. What runs before the sender is authenticated
    (`recognises`, `secret` and `client_of`) is linear in the body's length. Only `parse` raises.

    - `name`: a part of the webhook's path, and the `format` of its alerts.
    - `form`: what its bodies are made of.
    - `recognises`: whether a body is plainly of this dialect.
    - `secret`: where its secret is.
    - `client_of`: the client that a body names; None when it names none.
    - `asked_for`: what an alert asks for that cannot be traded on.
    - `parse`: turns a body into an alert.
    """

    name: str
    form: Form
    recognises: Callable[[Body], bool]
    secret: SecretPlace
    client_of: Callable[[Body], str | None]
    asked_for: Callable[[Body], AskedFor]
    parse: Parse


class Dialects:
    """The dialects that the program knows, in the order in which they are tried.

    A path may name the dialect of its alerts. Otherwise it is the first that recognises the body, and where none does,
    the first of all: its errors are the ones that help whoever writes an alert by hand.

    Raises:
        ValueError: there is none, two have one name, or a name cannot be a part of a path.
    """

    def __init__(self, *dialects: Dialect) -> None:
        self._by_name = {each.name: each for each in dialects}
        bad = [name for name in self._by_name if name == UNKNOWN or not NAME.fullmatch(name)]
        if not dialects or bad or len(self._by_name) != len(dialects):
            raise ValueError(f"dialects need names of their own: {[each.name for each in dialects]}")
        self._first = dialects[0]

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in this order."""
        return tuple(self._by_name)

    def __iter__(self) -> Iterator[Dialect]:
        return iter(self._by_name.values())

    def named(self, name: str) -> Dialect | None:
        """The dialect of this name."""
        return self._by_name.get(name)

    def dialect_of(self, body: Body, name: str | None = None) -> Dialect:
        """The dialect of a body, by the name in its path, else by its content.

        Where the name is unknown, that of its content shows where the secret of the delivery is.
        """
        if name is not None and name in self._by_name:
            return self._by_name[name]
        for each in self:
            if body.unreadable_as(each.form) is None and each.recognises(body):
                return each
        return self._first

    def empty_masked_secret(self, kept: str, name: str) -> str:
        """Empty the masked secret of a stored body, so that another way of authentication can take its place."""
        return (self._by_name.get(name) or self._first).secret.empty_masked(kept)
