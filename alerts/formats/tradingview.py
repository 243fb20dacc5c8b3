"""TradingView's own words: its strategy placeholders as JSON, and the default text of a strategy's alert.

The number after `@` in the default text is the quantity, unless `for` follows: then it is the price.
"""

import re

from alerts.formats.layout import Commands, Layout
from alerts.formats.words import Role
from alerts.reading import Reading
from domain.errors import InvalidAlert

_ORDER = re.compile(
    r"\border (buy|sell) @ ([\d.]{1,40})(?: for ([\d.]{1,40}))? filled on ([^\s]{1,64}?)[.,]?(?=\s|$)",
    re.IGNORECASE,
)
_AFTER = re.compile(r"\bnew strategy position is (-?[\d.]{1,39}\d)", re.IGNORECASE)
_LONGEST = 4_000


def _split(reading: Reading) -> Commands | None:
    text = reading.said
    if reading.fields is not None or len(text) > _LONGEST:
        return None
    orders = _ORDER.findall(text)
    if not orders:
        return None
    after = _AFTER.search(text)
    commands = [
        {
            "action": side,
            "quantity": second or first,
            "price": first if second else "",
            "symbol": symbol,
            **({} if after is None else {"position_size": after[1]}),
        }
        for side, first, second, symbol in orders
    ]
    if len(commands) > 1:
        raise InvalidAlert(
            "AMBIGUOUS", "expected one order, got several: send each as an alert of its own", "body"
        )
    return Commands(commands)


TEXT = Layout(name="tradingview-text", split=_split, fields={Role.STRATEGY: ()})
JSON = Layout(
    name="tradingview",
    marks=(
        "marketposition", "prevmarketposition", "strategyorderaction", "orderaction", "strategy.orderaction",
        "strategy.order.action", "order.action", "strategymarketposition", "strategyinfo.marketposition",
        "positiontype", "currentpositiontype",
    ),
)  # fmt: skip
