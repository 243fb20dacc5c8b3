"""The types of the settings' values. Each description completes the sentence "expected …"."""

import re
from collections.abc import Callable
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from domain.database_url import EXPECTED, sqlite_path
from domain.limits import CooldownAfter, ExitScope, GroupPolicy, LimitAction, WhenIncomplete

# A larger number is a typing error, and its plain text could be extremely long (1e999999).
MOST = Decimal(10) ** 15


def whole(low: int, high: int, what: str = "a whole number") -> Any:
    """Bounds for an integer, and their description."""
    return Field(ge=low, le=high, description=f"{what} from {low} to {high}")


def seconds(low: float, high: float) -> Any:
    """Bounds for a time span, and their description."""
    return Field(ge=low, le=high, allow_inf_nan=False, description=f"seconds from {low:g} to {high:g}")


def amount(what: str = "a number greater than 0") -> Any:
    """Bounds for money, a price or a quantity, and their description."""
    return Field(gt=0, le=MOST, allow_inf_nan=False, description=what)


def lower(value: object) -> object:
    """Turn a text into small letters, before it is validated."""
    return value.lower() if isinstance(value, str) else value


def _upper(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


def _none_word(value: object) -> object:
    return None if isinstance(value, str) and value.lower() == "none" else value


def _digits(value: object) -> object:
    # In TOML a chat's number is naturally written without quotes.
    return str(value) if type(value) is int else value


def _user_ids(value: object) -> object:
    """The numbers of users from a text with commas, or from a list; in TOML a number needs no quotes."""
    if isinstance(value, str):
        return tuple(each for each in re.split(r"[,\s]+", value.strip()) if each)
    if isinstance(value, list | tuple):
        return tuple(str(each) if type(each) is int else each for each in value)
    return (str(value),) if type(value) is int else value


def _names(value: object) -> object:
    """Names in capitals, from a text with commas or from a list."""
    if isinstance(value, str):
        return tuple(each.strip().upper() for each in value.split(",") if each.strip())
    if isinstance(value, list):
        return tuple(each.upper() if isinstance(each, str) else each for each in value)
    return value


def _named_database(value: object) -> object:
    return sqlite_path(value) if isinstance(value, str) else value


def _database(path: Path) -> Path:
    path = path.expanduser()
    if path.name == ":memory:" or path.is_dir():
        raise ValueError
    return path


def _zone(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return ZoneInfo(value)
    except (LookupError, OSError) as error:  # a name like "Asia" is a folder of the zone files
        raise ValueError from error


def _clock_time(value: object) -> object:
    if not isinstance(value, str):
        return value
    found = re.fullmatch(r"([01][0-9]|2[0-3]):([0-5][0-9])", value)
    if found is None:
        raise ValueError
    return time(int(found[1]), int(found[2]))


def _url(*schemes: str) -> Callable[[str], str]:
    def check(value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in schemes or not parts.hostname or re.search(r"\s", value):
            raise ValueError
        return value.rstrip("/")

    return check


def _heartbeat_url(value: SecretStr) -> SecretStr:
    """A URL that anybody who reads it on its way could send in our name: only https leaves this machine."""
    url = value.get_secret_value()
    parts = urlsplit(url)
    is_here = parts.hostname in ("localhost", "::1") or re.fullmatch(r"127(\.\d+){3}", parts.hostname or "")
    if not parts.hostname or re.search(r"\s", url) or parts.scheme not in ("http", "https"):
        raise ValueError
    if parts.scheme == "http" and not is_here:
        raise ValueError
    return value


_ONE_WORD = r"^[^\s/]+$"

Flag = Annotated[bool, Field(description="true or false")]
Amount = Annotated[Decimal, amount()]
PriceOrNone = Annotated[
    Decimal | None, amount("a number greater than 0, or none"), BeforeValidator(_none_word)
]
Count = Annotated[int, whole(1, 1_000_000)]
Age = Annotated[float, seconds(0.1, 86_400)]


def _calls(value: int) -> int:
    if value != 0 and not 20 <= value <= 100_000:
        raise ValueError
    return value


CallLimit = Annotated[
    int, AfterValidator(_calls), Field(description="a whole number from 20 to 100000, or 0")
]

Host = Annotated[str, Field(pattern=_ONE_WORD, description="a host name or an IP address")]
Port = Annotated[int, whole(1, 65_535, "a port number")]
HttpUrl = Annotated[str, AfterValidator(_url("http", "https")), Field(description="a URL with https://")]
HeartbeatUrl = Annotated[
    SecretStr,
    AfterValidator(_heartbeat_url),
    Field(description="a URL with https://, or with http:// to this machine itself"),
]
SocketUrl = Annotated[str, AfterValidator(_url("ws", "wss")), Field(description="a URL with wss://")]

Text = Annotated[str, Field(min_length=1, description="a text that is not empty")]
Secret = Annotated[SecretStr, Field(min_length=1, description="a text that is not empty")]
ClientId = Annotated[
    str, Field(pattern=r"^[A-Za-z0-9_.-]{1,40}$", description="1 to 40 letters, digits or any of _ . -")
]
ChatId = Annotated[
    str,
    Field(pattern=_ONE_WORD, description="a chat's number, or the @name of a channel"),
    BeforeValidator(_digits),
]

_ANONYMOUS = ("1087968824", "136817688", "777000")
"""Accounts of Telegram's own, in whose name anonymous administrators, channels and Telegram itself write."""


def _no_one_else(ids: tuple[str, ...]) -> tuple[str, ...]:
    if any(each in _ANONYMOUS for each in ids):
        raise ValueError
    return ids


UserIds = Annotated[
    tuple[Annotated[str, Field(pattern=r"^[1-9][0-9]{0,15}$")], ...],
    Field(description="numbers of users, with commas between them"),
    BeforeValidator(_user_ids),
    AfterValidator(_no_one_else),
]

Database = Annotated[
    Path, BeforeValidator(_named_database), AfterValidator(_database), Field(description=EXPECTED)
]
File = Annotated[Path, AfterValidator(Path.expanduser), Field(description="the path of a file that exists")]
TokenFile = Annotated[
    Path, AfterValidator(Path.expanduser), Field(description="the path of a file, which may come later")
]
Folder = Annotated[
    Path, AfterValidator(Path.expanduser), Field(description="the path of a folder that exists")
]
TimeZone = Annotated[
    ZoneInfo, BeforeValidator(_zone), Field(description="the name of a time zone, such as Asia/Kolkata")
]

ClockTime = Annotated[
    time, BeforeValidator(_clock_time), Field(description="a time of day from 00:00 to 23:59, such as 06:00")
]

Percent = Annotated[
    Decimal, Field(gt=0, le=20, allow_inf_nan=False, description="a number greater than 0, 20 at most")
]
LogLevel = Annotated[
    Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"],
    BeforeValidator(_upper),
    Field(description="DEBUG, INFO, WARNING, ERROR or CRITICAL"),
]
Scope = Annotated[ExitScope, BeforeValidator(lower), Field(description="own or position")]
Action = Annotated[LimitAction, BeforeValidator(lower), Field(description="block or flatten")]
After = Annotated[CooldownAfter, BeforeValidator(lower), Field(description="any or loss")]
Share = Annotated[
    Decimal,
    Field(gt=0, le=1, allow_inf_nan=False, description="a share greater than 0, 1 at most, such as 0.8"),
]
Names = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    Field(description="names, with commas between them"),
    BeforeValidator(_names),
]
LosingDays = Annotated[int, whole(1, 60, "days")]
DrawdownDays = Annotated[int, whole(1, 366, "days")]
CollarPercent = Annotated[
    Decimal, Field(gt=0, le=100, allow_inf_nan=False, description="a number greater than 0, 100 at most")
]
Minutes = Annotated[
    Decimal, Field(gt=0, le=10_080, allow_inf_nan=False, description="minutes greater than 0, 10080 at most")
]
LogFormat = Annotated[Literal["text", "json"], BeforeValidator(lower), Field(description="text or json")]
Group = Annotated[
    GroupPolicy,
    BeforeValidator(lower),
    Field(description="independent, hedge_first, all_or_none or best_effort"),
]
Incomplete = Annotated[WhenIncomplete, BeforeValidator(lower), Field(description="unwind or tell")]
GroupSeconds = Annotated[float, Field(gt=0, le=86_400, description="seconds, above 0 and at most 86400")]
GroupMinimum = Annotated[int, Field(strict=True, ge=1, le=100, description="a number of legs, at least 1")]
ReportBuilder = Annotated[float, seconds(0, 60)]
