"""The brokers that speak Noren. They differ in what stands here and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_PRODUCTS = MappingProxyType({"MIS": "I", "NRML": "M", "CNC": "C"})


@dataclass(frozen=True, slots=True)
class Preset:
    """One broker's own ways.

    `api_url` is its public address for access tokens (no slash at its end), for accounts that name none. `bearer` is
    True where an access token goes into the `Authorization` header, False where it goes into `jKey`; order updates are
    opened by the token in the same way everywhere, at the address that the account names. `products` maps our words to
    the wire's. `per_minute` is how many calls it takes in a minute from one account, reads and those of other programs
    too; what comes beyond is refused, and seems to count as well. Source: traders' reports of 2026, whose answers read
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
    """One trading account and what it logs in with: an access token, or everything else that is secret here.

    `api_url` has no slash at its end; empty, it is the preset's. `ws_url` None: the book is polled, and nothing else.
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
