"""The settings of an account at Zerodha."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from config.brokers import AccountSettings
from config.fields import HttpUrl, Secret, Text, lower

API_URL = "https://api.kite.trade"


def _calls(value: int) -> int:
    if value != 0 and not 20 <= value <= 100_000:
        raise ValueError
    return value


OrdersPerMinute = Annotated[
    int, AfterValidator(_calls), Field(description="a whole number from 20 to 100000, or 0")
]
MarketOrders = Annotated[
    Literal["protected", "auto"], BeforeValidator(lower), Field(description="protected or auto")
]


@dataclass(frozen=True, slots=True)
class Account:
    """One trading account and its credentials.

    `algo_id`: the number that a registered algorithm's orders carry; empty: they carry none.
    """

    user_id: str
    api_key: str
    access_token: str = field(repr=False)
    api_url: str = API_URL
    algo_id: str = ""


class ZerodhaAccount(AccountSettings):
    """An account that is used with the access token of a day's login.

    - `orders_per_minute`: how many order calls to make in a minute at most. None: `description` has the default.
      0: not counted.
    - `market_orders`: protected: with MARKET_PROTECTION_PERCENT; auto: with the percentage that Zerodha sets.
    """

    user_field: ClassVar[str | None] = "user_id"

    api_url: HttpUrl | None = None
    user_id: Text | None = None
    api_key: Text | None = None
    access_token: Secret | None = None
    algo_id: Text | None = None
    orders_per_minute: OrdersPerMinute | None = None
    market_orders: MarketOrders = "protected"

    def missing(self) -> Iterator[str]:
        """The fields that must be set."""
        needed = ("user_id", "api_key", "access_token")
        yield from (name for name in needed if getattr(self, name) is None)

    def credentials(self) -> Account:
        """The account as the adapter takes it. Nothing may be missing."""
        assert self.user_id is not None and self.api_key is not None and self.access_token is not None
        return Account(
            self.user_id,
            self.api_key,
            self.access_token.get_secret_value(),
            self.api_url or API_URL,
            self.algo_id or "",
        )
