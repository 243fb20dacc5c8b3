"""Noren brokers, what they are told, and rows as the wire writes them."""

from dataclasses import replace
from decimal import Decimal

from broker.http_calls import Timeouts
from broker.noren.adapter import NorenBroker
from broker.noren.presets import PRESETS, NorenAccount
from broker.rate_limit.limiter import Rate, RateBudget

ACCOUNT = NorenAccount(
    api_url="",
    user_id="FA1",
    password="secret",
    totp_secret="JBSW Y3DP EHPK 3PXP",  # 80 bits: brokers hand out such, and a library must not refuse them
    vendor_code="FA1_U",
    api_secret="api secret",
    imei="abc",
)
FAST = Timeouts(connect=1.0, read=0.4, send_within=2.0)


def make(url, clock, tmp_path, *, preset="shoonya", timeouts=FAST, rate=1000, protection=None, **account):
    """A broker; with `protection` None it sends market orders as they are, and needs no quotes."""
    budget = RateBudget(tmp_path / "budget", clock, Rate(rate))
    return NorenBroker(
        replace(ACCOUNT, api_url=url, **account),
        PRESETS[preset],
        clock,
        budget=budget,
        timeouts=timeouts,
        protection_percent=protection,
    )


def order_row(**changes):
    row = {
        "stat": "Ok",
        "norenordno": "26112000000001",
        "status": "OPEN",
        "exch": "NFO",
        "tsym": "NIFTY26NOV24500CE",
        "qty": "50",
        "prc": "112.50",
        "prctyp": "LMT",
        "prd": "I",
        "trantype": "B",
        "remarks": "owabc",
    }
    return {name: value for name, value in (row | changes).items() if value is not None}


def position_row(**changes):
    row = {
        "stat": "Ok",
        "exch": "NFO",
        "tsym": "NIFTY26NOV24500CE",
        "prd": "I",
        "netqty": "-50",
        "netavgprc": "112.50",
        "lp": "110.00",
        "rpnl": "12.25",
        "urmtom": "125.00",
    }
    return {name: value for name, value in (row | changes).items() if value is not None}


def d(text):
    return Decimal(text)
