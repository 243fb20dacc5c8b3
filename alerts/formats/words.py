"""The words with which alerts say what to do, and the usual names of their fields. All of it is data."""

from enum import Enum, auto
from typing import NamedTuple

from domain.enums import OrderType, Side


class Act(Enum):
    """What a word asks for."""

    ENTRY = auto()
    CLOSE = auto()  # of a quantity where one is named, else of all that is held
    FLAT = auto()
    REVERSE = auto()
    TARGET = auto()  # a position to reach
    CANCEL = auto()
    ADD = auto()  # to a position whose side the alert does not name


class Meaning(NamedTuple):
    """What a word means. `of_position`: the side is that of a position (long), not that of an order (buy)."""

    act: Act
    side: Side | None = None
    of_position: bool = False


def _words(meaning: Meaning, words: str) -> dict[str, Meaning]:
    return dict.fromkeys(words.split(), meaning)


WORDS = {
    **_words(
        Meaning(Act.ENTRY, Side.BUY), "buy b bto buytoopen enterlong entrylong openlong longopen longentry"
    ),
    **_words(Meaning(Act.ENTRY, Side.BUY), "golong entrybuy buyentry bullishentry buysignal openbuy"),
    **_words(
        Meaning(Act.ENTRY, Side.SELL), "sell s sto selltoopen sellshort entershort entryshort openshort"
    ),
    **_words(
        Meaning(Act.ENTRY, Side.SELL),
        "shortopen shortentry goshort entrysell sellentry bearishentry opensell",
    ),
    **_words(Meaning(Act.ENTRY, Side.SELL), "sellsignal"),
    **_words(Meaning(Act.ENTRY, Side.BUY, of_position=True), "long"),
    **_words(Meaning(Act.ENTRY, Side.SELL, of_position=True), "short"),
    **_words(Meaning(Act.ENTRY), "open entry enter"),
    **_words(Meaning(Act.CLOSE), "exit close"),
    **_words(Meaning(Act.CLOSE, Side.SELL), "closelong exitlong longclose longexit selltoclose stc"),
    **_words(
        Meaning(Act.CLOSE, Side.BUY), "closeshort exitshort shortclose shortexit buytoclose buytocover cover"
    ),
    **_words(Meaning(Act.FLAT), "flat flatten closeall exitall closeposition exitposition squareoff goflat"),
    **_words(Meaning(Act.CANCEL), "cancel cancelall cancelorder cancelorders cancelallorders cancelpending"),
    **_words(Meaning(Act.CANCEL), "cancelpendingorders cancelopenorders cancelentry cancelentries"),
    **_words(Meaning(Act.CANCEL, Side.BUY), "cancellong cancelbuy cancelalllong"),
    **_words(Meaning(Act.CANCEL, Side.SELL), "cancelshort cancelsell cancelallshort"),
    **_words(Meaning(Act.REVERSE), "reverse flip reverseposition"),
    **_words(Meaning(Act.ADD), "add"),
}
"""The usual words. A dialect may know others beside them."""

POSITIONS = {
    **dict.fromkeys(("long", "buy", "bullish"), 1),
    **dict.fromkeys(("short", "sell", "bearish"), -1),
    **dict.fromkeys(("flat", "none", "neutral", "0"), 0),
}

ORDER_TYPES = {
    **dict.fromkeys(("market", "mkt"), OrderType.MARKET),
    **dict.fromkeys(("limit", "lmt"), OrderType.LIMIT),
    **dict.fromkeys(("stop", "stopmarket", "slm", "slmkt", "stoplossmarket"), OrderType.STOP),
    **dict.fromkeys(("stoplimit", "sl", "sllmt", "sll", "stoplosslimit"), OrderType.STOP_LIMIT),
}

PRODUCTS = {
    **{name.lower(): name for name in ("MIS", "NRML", "CNC", "CO", "BO", "MTF")},
    **dict.fromkeys(("i", "intraday"), "MIS"),
    **dict.fromkeys(("m", "margin", "carryforward"), "NRML"),
    **dict.fromkeys(("c", "delivery"), "CNC"),
}

_UNITS = "base units unit shares share contracts contract quantity qty fixed fixedquantity fixedqty"
UNITS = frozenset(_UNITS.split())
"""Words that say that a size is a number of units."""


OFF = frozenset(("false", "no", "n", "off", "disabled"))
"""Plain words with which a switch asks for nothing."""


class Role(Enum):
    """What a field of an alert means."""

    SIDE = auto()  # a word that is not known is refused
    SIDE_TOO = auto()  # a word that is not known says nothing
    SYMBOL = auto()
    SYMBOL_TOO = auto()  # where no other field names the symbol: these often hold a kind of market
    EXCHANGE = auto()
    QUANTITY = auto()  # a number of units
    SIZE = auto()  # a number of nobody knows what
    SIZE_UNIT = auto()
    ORDER_TYPE = auto()
    LIMIT = auto()
    PRICE = auto()  # a limit where the alert itself names a limit order, else the price at the signal
    REFERENCE = auto()
    TRIGGER = auto()
    PRODUCT = auto()
    STRATEGY = auto()
    SIGNAL = auto()
    POSITION = auto()
    PREVIOUS = auto()
    POSITION_SIZE = auto()
    PREVIOUS_SIZE = auto()


FIELDS: dict[Role, tuple[str, ...]] = {
    role: tuple(keys.split())
    for role, keys in {
        Role.SIDE: "action side orderaction transactiontype direction tradeaction buysell strategyorderaction "
        "positiondirection sidedirection orderside tradeside operation txntype",
        Role.SIDE_TOO: "signal order event eventtype data command cmd type positiontype closeside signaltype "
        "typeofsignal tradetype trade transaction",
        Role.SYMBOL: "ticker symbol tradingsymbol tvinstrument pair tvsymbol tvticker tickername symbolname "
        "currencypair tradingpair instrumentname securityname",
        Role.SYMBOL_TOO: "instrument market asset scrip stock security",
        Role.EXCHANGE: "exchange tvexchange exch exchangesegment exchangename",
        Role.QUANTITY: "quantity qty contracts ordercontracts orderquantity orderqty shares units tradequantity "
        "strategyordercontracts contractqty noofshares",
        Role.SIZE: "size amount volume lots lot ordersize orderamount tradesize vol quantitylots",
        Role.SIZE_UNIT: "currencytype quantitytype qtytype amounttype sizetype sizeunit unit quantityunit unittype "
        "investmenttype",
        Role.ORDER_TYPE: "ordertype pricetype type entrytype",
        Role.LIMIT: "limitprice lmtprice limit pricelimit",
        Role.PRICE: "price orderprice",
        Role.REFERENCE: "signalprice close entryprice entry triggerprices marketprice indicatorprice currentprice "
        "lastprice strategyorderprice",
        Role.TRIGGER: "stopprice triggerprice trigger",
        Role.PRODUCT: "product producttype",
        Role.STRATEGY: "strategy strategyname strategyid strategytag",
        Role.SIGNAL: "signalid idempotencykey nonce",
        Role.POSITION: "marketposition position sentiment positionside strategymarketposition currentpositiontype "
        "currentposition newposition",
        Role.PREVIOUS: "prevmarketposition previousposition prevposition strategyprevmarketposition "
        "previouspositiontype previousmarketposition",
        Role.POSITION_SIZE: "positionsize marketpositionsize currentpositionsize strategypositionsize "
        "strategymarketpositionsize",
        Role.PREVIOUS_SIZE: "prevmarketpositionsize previouspositionsize prevpositionsize previousmarketpositionsize "
        "strategyprevmarketpositionsize",
    }.items()
}
"""The usual names of each field, as `plain` writes them; the dots are levels of nesting."""

NEVER_LEFT_OUT = frozenset((
    Role.POSITION, Role.PREVIOUS, Role.POSITION_SIZE, Role.PREVIOUS_SIZE, Role.ORDER_TYPE, Role.LIMIT, Role.TRIGGER,
    Role.PRICE, Role.SIDE_TOO,
))  # fmt: skip
"""Roles that make another order of an order: their usual names are read in every dialect, whatever it calls them."""

CONTAINERS = frozenset(
    [
        "strategy",
        "order",
        "data",
        "signal",
        "alert",
        "payload",
        "currency",
        "market",
        "general",
        "strategyinfo",
    ]
)
"""Keys whose members count as if they stood beside them."""

SECRET_KEYS = (
    "secret", "passphrase", "secret_key", "secretkey", "webhook_secret", "password", "token", "apikey", "api_key",
    "auth_key", "authkey", "pin", "signaltoken", "connector_secret", "auth_token", "key",
)  # fmt: skip

_NOTES = (
    "comment note notes msg message text content description alertmessage reason metadata remark ordercomment "
    "alertname orderalertmessage orderid id name chart charturl alertnote bar ohlcv"
)
NOTES = frozenset(_NOTES.split())
"""Plain keys of words for people: nothing in them is read."""

SENTENCES = ("message", "msg", "text", "content", "alertmessage", "description")
"""Plain keys of a notice that asks for nothing."""
