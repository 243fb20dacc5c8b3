"""The brokers that speak Noren. They differ in what stands here and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

_PRODUCTS = MappingProxyType({"MIS": "I", "NRML": "M", "CNC": "C"})


@dataclass(frozen=True, slots=True)
class Preset:
    """One broker's own ways.

    `api_url` and `ws_url` are its public addresses (no slash at the first one's end), for accounts that name none.
    `bearer` is True where an access token goes into the `Authorization` header, False where it goes into `jKey`.
    `products` maps our words to the wire's.
    """

    name: str
    api_url: str
    ws_url: str
    bearer: bool
    products: Mapping[str, str] = field(default_factory=lambda: _PRODUCTS)


PRESETS = MappingProxyType(
    {
        preset.name: preset
        for preset in (
            Preset(
                "shoonya",
                "https://api.shoonya.com/NorenWClientAPI",
                "wss://api.shoonya.com/NorenWSAPI/",
                bearer=True,
            ),
            Preset(
                "flattrade",
                "https://piconnect.flattrade.in/PiConnectTP",
                "wss://piconnect.flattrade.in/PiConnectWSTp/",
                bearer=False,
            ),
            Preset("zebu", "https://go.mynt.in/NorenWClientTP", "wss://go.mynt.in/NorenWSTP/", bearer=False),
        )
    }
)


@dataclass(frozen=True, slots=True)
class NorenAccount:
    """One trading account and what it logs in with: an access token, or everything else that is secret here.

    `api_url` has no slash at its end. `ws_url` None: the book is polled, and nothing else.
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
