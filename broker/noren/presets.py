"""The brokers that use the Noren API. They differ only in what is defined here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_PRODUCTS = MappingProxyType({"MIS": "I", "NRML": "M", "CNC": "C"})


@dataclass(frozen=True, slots=True)
class Preset:
    """The properties of one broker.

    - `api_url`: its public address for access tokens, without a trailing slash. Used for accounts that name none.
    - `bearer`: True where an access token goes into the `Authorization` header, False where it goes into `jKey`. The
      order stream is opened with the token in the same way everywhere, at the address that the account names.
    - `products`: our product names mapped to those of the API.
    - `per_minute`: how many calls it accepts from one account in a minute. Reads count, and calls of other programs.
      Further calls are refused, and seem to count as well. Source: traders' reports of 2026, which quote the answer
      "Order Recieved 121 in a current minute exceeds Limit 120 for user".
    """

    name: str
    api_url: str
    bearer: bool
    products: Mapping[str, str] = field(default_factory=lambda: _PRODUCTS)
    per_minute: int = 120


PRESETS = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            Preset("shoonya", "https://api.shoonya.com/NorenWClientAPI", bearer=True),
            Preset("flattrade", "https://piconnect.flattrade.in/PiConnectAPI", bearer=False),
            Preset("zebu", "https://go.mynt.in/NorenWClientAPI", bearer=True),
        )
    }
)


@dataclass(frozen=True, slots=True)
class NorenAccount:
    """One trading account and its credentials: an access token, or all the other secret fields here.

    - `api_url`: without a trailing slash. If it is empty, the preset's address is used.
    - `ws_url`: the address of the order stream. If it is None, the order book is only polled.
    """

    api_url: str
    user_id: str
    password: str | None = field(default=None, repr=False)
    totp_secret: str | None = field(default=None, repr=False)
    vendor_code: str | None = None
    api_secret: str | None = field(default=None, repr=False)
    imei: str | None = None
    access_token: str | None = field(default=None, repr=False)
    ws_url: str | None = None
