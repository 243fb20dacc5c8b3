"""The settings of an account at Dhan."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from config.brokers import AccountSettings
from config.fields import CallLimit, Flag, HttpUrl, Secret, Text, TokenFile

API_URL = "https://api.dhan.co/v2"


@dataclass(frozen=True, slots=True)
class Account:
    """One trading account and its credentials: an access token, or the file in which that of the day stands."""

    client_id: str
    access_token: str = field(default="", repr=False)
    api_url: str = API_URL
    login_file: Path | None = None


class DhanAccount(AccountSettings):
    """An account that is used with the access token of a login, which lasts for 24 hours.

    - `login_file`: where a person keeps that token; a new one is used without a restart.
    - `orders_per_minute`, `orders_per_hour`, `orders_per_day`: how many order calls to make at most; a fifth of them is
      kept for exits. 0: not counted.
    - `data_plan`: the account has Dhan's paid data plan, so that last prices can be read: those of what is held too.
    """

    user_field: ClassVar[str | None] = "client_id"

    api_url: HttpUrl | None = None
    client_id: Text | None = None
    access_token: Secret | None = None
    login_file: TokenFile | None = None
    orders_per_minute: CallLimit = 230
    orders_per_hour: CallLimit = 950
    orders_per_day: CallLimit = 6500
    data_plan: Flag = False

    def missing(self) -> Iterator[str]:
        """The fields that must be set."""
        needed = ("client_id", *(() if self.login_file is not None else ("access_token",)))
        yield from (name for name in needed if getattr(self, name) is None)

    def credentials(self) -> Account:
        """The account as the adapter takes it. Nothing may be missing."""
        assert self.client_id is not None
        token = self.access_token
        return Account(
            self.client_id,
            "" if token is None else token.get_secret_value(),
            self.api_url or API_URL,
            self.login_file if token is None else None,
        )
