"""The settings of an account at a broker that uses the Noren API."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from broker.noren.presets import NorenAccount
from config.brokers import AccountSettings
from config.fields import HttpUrl, Secret, SocketUrl, Text, lower


def _calls(value: int) -> int:
    # Fewer calls leave no room for the reads that are needed to follow an order.
    if value != 0 and not 40 <= value <= 100_000:
        raise ValueError
    return value


CallsPerMinute = Annotated[
    int, AfterValidator(_calls), Field(description="a whole number from 40 to 100000, or 0")
]
MarketOrders = Annotated[
    Literal["protected", "plain"], BeforeValidator(lower), Field(description="protected or plain")
]


class TokenAccount(AccountSettings):
    """An account that is used with an access token; without `api_url`, at the broker's public address for tokens.

    - `ws_url`: the address of the order stream. None: the book is polled.
    - `calls_per_minute`: None: what the broker allows, less some for other programs. 0: not counted.
    - `market_orders`: protected: sent as limit orders; plain: sent unchanged.
    """

    user_field: ClassVar[str | None] = "user_id"

    api_url: HttpUrl | None = None
    user_id: Text | None = None
    access_token: Secret | None = None
    ws_url: SocketUrl | None = None
    calls_per_minute: CallsPerMinute | None = None
    market_orders: MarketOrders = "protected"

    def missing(self) -> Iterator[str]:
        """The fields that must be set."""
        yield from (name for name in self._needed() if getattr(self, name) is None)

    def _needed(self) -> tuple[str, ...]:
        return "user_id", "access_token"

    def credentials(self) -> NorenAccount:
        """The account as the adapter takes it. Nothing may be missing."""
        assert self.user_id is not None
        token = plain(self.access_token)
        return NorenAccount(self.api_url or "", self.user_id, access_token=token, ws_url=self.ws_url)


class LoginAccount(TokenAccount):
    """An account that may also log in with a password; no public address is known for that, so it must be set."""

    password: Secret | None = None
    totp_secret: Secret | None = None
    vendor_code: Text | None = None
    api_secret: Secret | None = None
    imei: Text | None = None

    def _needed(self) -> tuple[str, ...]:
        if self.access_token is not None:
            return ("user_id",)
        return "api_url", "user_id", "password", "totp_secret", "vendor_code", "api_secret", "imei"

    def credentials(self) -> NorenAccount:
        """The account as the adapter takes it. Nothing may be missing."""
        return replace(
            super().credentials(),
            password=plain(self.password),
            totp_secret=plain(self.totp_secret),
            vendor_code=self.vendor_code,
            api_secret=plain(self.api_secret),
            imei=self.imei,
        )


class AddressedAccount(LoginAccount):
    """As `LoginAccount`, but the address must be set for an access token too."""

    def _needed(self) -> tuple[str, ...]:
        return ("api_url", "user_id") if self.access_token is not None else super()._needed()


def plain(secret: SecretStr | None) -> str | None:
    """The text of a secret."""
    return None if secret is None else secret.get_secret_value()
