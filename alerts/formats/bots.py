"""Bots whose bodies are as usual, with a rule or two of their own. Each is told by the keys that it has."""

from alerts.formats.guards import Guard, Part
from alerts.formats.layout import Commands, Layout, SizeUnit
from alerts.formats.words import FIELDS, Act, Meaning, Role
from alerts.reading import Reading
from domain.protection_terms import LevelUnit
from domain.sizing import SizeMode

_FALSE_OR_TRUE = frozenset(("true", "false"))

PART_TIME_LARRY = Layout(
    name="parttimelarry", needs=("passphrase", "ticker", "strategy.orderaction"), secret=("passphrase",)
)
HYPERTRADE = Layout(
    name="hypertrade",
    needs=("general.ticker", "currency.base", "order.action", "market.previousposition"),
    secret=("secret",),
    fields={Role.SYMBOL: ("currency.base",)},
)
CRYPTOGNOME = Layout(
    name="cryptognome",
    needs=("key", "symbol", "side", "qty", "closeposition", "ordermode"),
    secret=("key",),
    guards={
        "takeprofitpercent": Guard(Part.TARGET, LevelUnit.PERCENT),
        "stoplosspercent": Guard(Part.STOP, LevelUnit.PERCENT),
    },
    all_with_quantity=True,
    guards_where={"ordermode": frozenset(["both"])},  # with the other modes one of the two is meant
)
ALGO_BREAD = Layout(
    name="algo-bread",
    needs=("breadkey", "stance"),
    secret=("breadkey",),
    fields={
        Role.SIDE: ("stance",),
        Role.QUANTITY: tuple(key for key in FIELDS[Role.QUANTITY] if key != "qty"),
        Role.POSITION_SIZE: ("qty",),
    },
    targets=True,
)
_OF_FINANDY = frozenset(("name", "secret", "side", "symbol"))
_NOT_OF_FINANDY = frozenset(
    key
    for role in FIELDS.keys() - {Role.SIDE, Role.SYMBOL, Role.SIZE, Role.PRICE, Role.REFERENCE}
    for key in FIELDS[role]
)


def _finandy(reading: Reading) -> Commands | None:
    """A body of these four keys, which names nothing else of an order: its quantity, strategy and kind are set there.

    What it may have beside them is of the bar.
    """
    keys = reading.keys.keys()
    is_one = keys >= _OF_FINANDY and _NOT_OF_FINANDY.isdisjoint(keys)
    return Commands([reading.fields]) if is_one and reading.fields else None


FINANDY = Layout(
    name="finandy",
    split=_finandy,
    secret=("secret",),
    words={
        "buy": Meaning(Act.REVERSE),
        "sell": Meaning(Act.REVERSE),
        "long": Meaning(Act.REVERSE),
        "short": Meaning(Act.REVERSE),
    },
)
"""Its side opens, closes or reverses as the hook at Finandy is set, which the body does not tell."""

DYDX_CONNECTOR = Layout(
    name="dydx-connector",
    needs=("exchange", "strategy", "market", "size", "order", "reverse"),
    size_is_units=True,
)
BITGET_TRADER = Layout(
    name="bitget-trader",
    needs=("token", "action", "symbol", "side", "ordertype", "size", "leverage"),
    secret=("token",),
    size_is_units=True,
    guards={
        "takeprofit": Guard(Part.TARGET, LevelUnit.PRICE),
        "stoploss": Guard(Part.STOP, LevelUnit.PRICE),
    },
)
BLOFIN = Layout(
    name="blofin",
    needs=("signaltoken", "signal", "symbol", "side", "size", "marginmode"),
    secret=("signaltoken",),
    size_is_units=True,
)
_OF_PROCESSOR = frozenset(("stub", "direction", "symbol", "size"))


def _processor(reading: Reading) -> Commands | None:
    """A body of exactly these keys. Others ask for more than an order of that size."""
    if reading.fields is None or reading.keys.keys() - {"secret", "strategy"} != _OF_PROCESSOR:
        return None
    return Commands([reading.fields])


ALERTS_PROCESSOR = Layout(
    name="alerts-processor",
    split=_processor,
    secret=("secret",),
    fields={Role.SIDE: ("direction",)},
    sizes={
        "size": {"": SizeUnit(SizeMode.NOTIONAL, "USD"), "%": SizeUnit(SizeMode.EQUITY_PERCENT)},
    },
)
"""Its size is in dollars, or with a `%` a part of the balance. Of an exit it is a part of the position: refused."""

BOTS = (
    PART_TIME_LARRY, HYPERTRADE, CRYPTOGNOME, ALGO_BREAD, FINANDY, DYDX_CONNECTOR, BITGET_TRADER, BLOFIN,
    ALERTS_PROCESSOR,
)  # fmt: skip
