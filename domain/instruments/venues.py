"""Exchanges as alerts name them, and the index names that stand for one index."""

from collections.abc import Mapping
from types import MappingProxyType

_FAMILIES = ({"NSE", "NFO", "CDS", "NCO"}, {"BSE", "BFO", "BCD"}, {"MCX"}, {"NCDEX"})
_WHOLE = ("NSE", "BSE")  # charts call all segments by the exchange's name

_OTHER_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "NSE_EQ": "NSE", "NSE_FO": "NFO", "NSE_CD": "CDS", "NSE_INDEX": "NSE", "NSE_DLY": "NSE", "NSEFO": "NFO",
        "NSE_FNO": "NFO", "NSE_CURRENCY": "CDS", "NSECM": "NSE", "BSE_EQ": "BSE", "BSE_FO": "BFO", "BSE_FNO": "BFO",
        "BSE_INDEX": "BSE", "BSE_DLY": "BSE", "BSEFO": "BFO", "BCD_FO": "BCD", "MCX_FO": "MCX", "MCX_COMM": "MCX",
        "MCX_DLY": "MCX",
    }
)  # fmt: skip

_INDEXES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "NIFTY": ("NIFTY_50", "NIFTY50", "CNX_NIFTY", "CNXNIFTY", "NIFTY_INDEX"),
        "BANKNIFTY": ("NIFTY_BANK", "NIFTYBANK", "BANK_NIFTY"),
        "FINNIFTY": ("NIFTY_FIN_SERVICE", "NIFTY_FIN_SERVICES", "NIFTYFINSERVICE", "CNXFINANCE"),
        "MIDCPNIFTY": ("NIFTY_MID_SELECT", "NIFTY_MIDCAP_SELECT", "NIFTYMIDSELECT"),
        "NIFTYNXT50": ("NIFTY_NEXT_50", "NIFTYNEXT50", "NIFTYJR"),
        "SENSEX": ("BSX", "BSE_SENSEX", "S_P_BSE_SENSEX"),
        "BANKEX": ("BKX", "BSE_BANKEX"),
        "SENSEX50": ("SNSX50", "BSE_SENSEX50"),
        "INDIAVIX": ("INDIA_VIX",),
    }
)
_INDEX_OF = {other: name for name, others in _INDEXES.items() for other in others}

INDEXES = frozenset(_INDEXES)
"""Indexes that are known without a row of the master, by their folded names."""


def exchange_name(name: str) -> str:
    """Return the exchange's usual name."""
    return _OTHER_NAMES.get(name.upper(), name.upper())


def may_be_at(asked: str, exchange: str) -> bool:
    """Return True where an alert that names `asked` may mean an instrument of `exchange`.

    The exchange's own name stands for all its segments; a segment's name stands for itself.
    """
    asked = exchange_name(asked)
    return asked == exchange or (
        asked in _WHOLE and any(asked in family and exchange in family for family in _FAMILIES)
    )


def are_one_venue(one: str, two: str) -> bool:
    """Return True where two names are of one exchange or of its segments."""
    one, two = exchange_name(one), exchange_name(two)
    return one == two or any(one in family and two in family for family in _FAMILIES)


def is_venue(name: str) -> bool:
    """Return True for an exchange or segment that is known."""
    return any(exchange_name(name) in family for family in _FAMILIES)


def usual_root(root: str) -> str:
    """Return the name under which masters list an underlying: a product code and an index's other names lead to it."""
    return _INDEX_OF.get(root, root)
