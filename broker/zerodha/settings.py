"""The settings of an account at Zerodha."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator, Field

from config.brokers import AccountSettings
from config.fields import CallLimit, HttpUrl, Secret, Text, TokenFile, lower

API_URL = "https://api.kite.trade"


MarketOrders = Annotated[
    Literal["protected", "auto"], BeforeValidator(lower), Field(description="protected or auto")
]


@dataclass(frozen=True, slots=True)
class Account:
    """One trading account and its credentials: an access token, or the file in which that of the day stands.

    `algo_id`: the number that a registered algorithm's orders carry; empty: they carry none.
    """

    user_id: str
    api_key: str
    access_token: str = field(default="", repr=False)
    api_url: str = API_URL
    login_file: Path | None = None
    algo_id: str = ""


class ZerodhaAccount(AccountSettings):
    """An account that is used with the access token of a day's login.

    - `login_file`: where `python -m broker.zerodha --file` keeps that token; a new one is used without a restart.
    - `orders_per_minute`: how many order calls to make in a minute at most. None: `description` has the default.
      0: not counted.
    - `orders_per_day`: the same for a day of India; a fifth of them is kept for exits. 0: not counted.
    - `market_orders`: protected: with MARKET_PROTECTION_PERCENT; auto: with the percentage that Zerodha sets.
    """

    user_field: ClassVar[str | None] = "user_id"

    api_url: HttpUrl | None = None
    user_id: Text | None = None
    api_key: Text | None = None
    access_token: Secret | None = None
    login_file: TokenFile | None = None
    algo_id: Text | None = None
    orders_per_minute: CallLimit | None = None
    orders_per_day: CallLimit = 5000
    market_orders: MarketOrders = "protected"

    def missing(self) -> Iterator[str]:
        """The fields that must be set."""
        needed = ("user_id", "api_key", *(() if self.login_file is not None else ("access_token",)))
        yield from (name for name in needed if getattr(self, name) is None)

    def credentials(self) -> Account:
        """The account as the adapter takes it. Nothing may be missing."""
        assert self.user_id is not None and self.api_key is not None
        token = self.access_token
        return Account(
            self.user_id,
            self.api_key,
            "" if token is None else token.get_secret_value(),
            self.api_url or API_URL,
            self.login_file if token is None else None,
            self.algo_id or "",
        )
