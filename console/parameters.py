"""Parse the values of a request. A value that is not understood is refused with the name of its field."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from decimal import Decimal

from domain.actors import Actor, ActorKind
from domain.enums import Side
from domain.money import parse_decimal
from domain.ports.read_model import Wanted
from domain.states import Status

_MAX_TEXT = 200


class BadParameter(Exception):
    """A parameter is not what was expected: `field` names it, `message` says what was expected."""

    def __init__(self, field: str, message: str, code: str = "INVALID_PARAMETER") -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.message = message
        self.code = code


@dataclass(frozen=True, slots=True)
class Parameters:
    """Named values of a query or a body. An empty text counts as not given, because forms send their empty fields."""

    values: Mapping[str, object]

    def text(self, name: str) -> str | None:
        """The text without surrounding blanks; None when it was not given.

        Raises:
            BadParameter: it is no text, is too long, or contains a NUL character.
        """
        value = self.values.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            raise BadParameter(name, "expected a text")
        if len(value) > _MAX_TEXT or "\x00" in value:
            raise BadParameter(name, f"expected a text of at most {_MAX_TEXT} characters")
        return value.strip() or None

    def required(self, name: str) -> str:
        """As `text`, but the value must be given.

        Raises:
            BadParameter: it was not given, or as for `text`.
        """
        text = self.text(name)
        if text is None:
            raise BadParameter(name, "is missing", "MISSING_PARAMETER")
        return text

    def name(self, name: str) -> str | None:
        """As `text`, but a value that is given must not be blank: its sender may have meant a name.

        Raises:
            BadParameter: it is blank, or as for `text`.
        """
        text = self.text(name)
        if text is None and self.values.get(name) is not None:
            raise BadParameter(name, "is blank; leave it out where none is meant")
        return text

    def number(self, name: str, *, default: int, low: int, high: int) -> int:
        """A whole number within its bounds, both included.

        Raises:
            BadParameter: it is no whole number, or outside the bounds.
        """
        text = self.text(name)
        if text is None:
            return default
        if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or not low <= int(text) <= high:
            raise BadParameter(name, f"expected a whole number from {low} to {high}")
        return int(text)

    def side(self, name: str) -> Side | None:
        """BUY or SELL, in upper or lower case; None when it was not given.

        Raises:
            BadParameter: it is neither.
        """
        text = self.text(name)
        if text is None:
            return None
        if text.upper() not in set(Side):
            raise BadParameter(name, "expected BUY or SELL")
        return Side(text.upper())

    def status(self, name: str) -> Status | None:
        """One of the four statuses, in upper or lower case; None when it was not given.

        Raises:
            BadParameter: it is none of them.
        """
        text = self.text(name)
        if text is None:
            return None
        if text.upper() not in set(Status):
            raise BadParameter(name, f"expected one of {', '.join(Status)}")
        return Status(text.upper())

    def price(self, name: str) -> Decimal:
        """A positive price. Raises as `positive` does."""
        return self.positive(name, "price")

    def positive(self, name: str, what: str) -> Decimal:
        """A number above zero, as text or as a JSON number; `what` names it in the error.

        Raises:
            BadParameter: it is no such number, or was not given.
        """
        value = self.values.get(name)
        text = str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value
        try:
            number = parse_decimal(str(text).strip())
        except ValueError:
            number = Decimal(0)
        if number <= 0 or not -20 < number.adjusted() < 20:
            raise BadParameter(name, f"expected a positive {what}")
        return number

    def signed(self, name: str) -> Decimal:
        """A number of either sign, as text or as a JSON number.

        Raises:
            BadParameter: it is no number, or was not given.
        """
        value = self.values.get(name)
        if value is None or value == "":
            raise BadParameter(name, "is missing", "MISSING_PARAMETER")
        text = str(value) if isinstance(value, int | Decimal) and not isinstance(value, bool) else value
        try:
            number = parse_decimal(str(text).strip())
        except ValueError:
            number = Decimal("1E+99")
        if not -20 < number.adjusted() < 20:
            raise BadParameter(name, "expected a number, such as 50, or -50 of a short position")
        return number

    def instant(self, name: str, zone: tzinfo, *, end: bool) -> datetime | None:
        """Parse an ISO-8601 day or time; one without an offset is taken as in `zone`.

        With `end` a day stands for its end, so that "to the 20th" includes the 20th.

        Raises:
            BadParameter: it is neither.
        """
        text = self.text(name)
        if text is None:
            return None
        try:
            if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
                day = date.fromisoformat(text) + timedelta(days=end)
                return datetime.combine(day, time(), zone).astimezone(UTC)
            # A "+" that was not percent-encoded in a query arrives as a blank.
            at = datetime.fromisoformat(
                re.sub(r" ([0-9]{2}:?[0-9]{2})$", r"+\1", text) if "T" in text else text
            )
            return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)
        except (ValueError, OverflowError):
            raise BadParameter(
                name, "expected a day or a time such as 2026-11-20 or 2026-11-20T09:15:00Z"
            ) from None


def wanted_of(query: Parameters, zone: tzinfo) -> Wanted:
    """Return the filter that a query describes.

    Raises:
        BadParameter: one of its parameters is not understood, or `from` is not before `to`.
    """
    asked = {
        "status": query.status("status"),
        "symbol": query.text("symbol"),
        "strategy_name": query.text("strategy"),
        "client_id": query.text("client"),
        "since": query.instant("from", zone, end=False),
        "until": query.instant("to", zone, end=True),
    }
    since, until = asked["since"], asked["until"]
    if since is not None and until is not None and since >= until:  # type: ignore[operator]
        raise BadParameter("from", "expected a time before that of `to`")
    given: Wanted = {}
    given.update({name: value for name, value in asked.items() if value is not None})  # type: ignore[typeddict-item]
    return given


def operator_of(fields: Parameters) -> str:
    """Return the operator that `by` names, as an actor for the history.

    Raises:
        BadParameter: `by` was not given.
    """
    return str(Actor(ActorKind.CONSOLE, fields.required("by")))
