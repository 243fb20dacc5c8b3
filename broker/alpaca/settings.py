"""The settings of an account at Alpaca."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar
from urllib.parse import urlsplit

from config.brokers import AccountSettings, Complaint
from config.fields import CallLimit, Flag, HttpUrl, Secret, Text

API_URL = "https://api.alpaca.markets"
SANDBOX_URL = "https://paper-api.alpaca.markets"
DATA_URL = "https://data.alpaca.markets"


@dataclass(frozen=True, slots=True)
class Account:
    """One trading account, its pair of keys, and what its positions and orders are called here.

    Alpaca knows neither exchanges nor products of a position: all that it has stands under one word of each.
    """

    number: str
    key_id: str
    secret_key: str = field(default="", repr=False)
    api_url: str = API_URL
    data_url: str = DATA_URL
    sandbox: bool = False
    exchange: str = "US"
    product: str = "MIS"
    extended_hours: bool = False


class AlpacaAccount(AccountSettings):
    """An account that is used with a pair of keys, which lasts until somebody makes another one.

    - `account_number`: as Alpaca's pages show it; whoever the keys belong to must have it.
    - `sandbox`: the account is at the host of paper trading. Its orders cost no money.
    - `exchange`, `product`: the words under which orders name what Alpaca has; others are refused.
    - `extended_hours`: limit orders in shares trade before the open and after the close too.
    - `calls_per_minute`: how many calls to make at most, reads included; a fifth of them is kept for exits. 0: not
      counted.
    """

    user_field: ClassVar[str | None] = "account_number"

    api_url: HttpUrl | None = None
    data_url: HttpUrl | None = None
    account_number: Text | None = None
    key_id: Text | None = None
    secret_key: Secret | None = None
    sandbox: Flag = False
    exchange: Text = "US"
    product: Text = "MIS"
    extended_hours: Flag = False
    calls_per_minute: CallLimit = 180

    @property
    def user(self) -> str | None:
        """The account's number, and whether it is one of paper trading: its rows are never taken for real ones."""
        number = self.account_number
        return f"{number} (sandbox)" if number is not None and self.sandbox else number

    @property
    def is_sandbox(self) -> bool:
        """True for an account of paper trading."""
        return self.sandbox

    def missing(self) -> Iterator[str]:
        """The fields that must be set."""
        needed = ("account_number", "key_id", "secret_key")
        yield from (name for name in needed if getattr(self, name) is None)

    def problems(self) -> Iterator[Complaint]:
        """Name an address of Alpaca's that contradicts `sandbox`: real orders must not pass for paper ones."""
        host = urlsplit(self.api_url or "").hostname or ""
        is_theirs = host == "alpaca.markets" or host.endswith(".alpaca.markets")
        is_paper = host == urlsplit(SANDBOX_URL).hostname
        if is_theirs and is_paper is not self.sandbox:
            expected = SANDBOX_URL if self.sandbox else API_URL
            word = "true" if self.sandbox else "false"
            yield (
                "api_url",
                f"got {self.api_url!r}, expected {expected}, or none, where ALPACA_SANDBOX is {word}",
            )

    def credentials(self) -> Account:
        """The account as the adapter takes it. Nothing may be missing."""
        assert self.account_number is not None and self.key_id is not None and self.secret_key is not None
        return Account(
            number=self.account_number,
            key_id=self.key_id,
            secret_key=self.secret_key.get_secret_value(),
            api_url=self.api_url or (SANDBOX_URL if self.sandbox else API_URL),
            data_url=self.data_url or DATA_URL,
            sandbox=self.sandbox,
            exchange=self.exchange.upper(),
            product=self.product.upper(),
            extended_hours=self.extended_hours,
        )
