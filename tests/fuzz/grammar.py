"""Orders that somebody means, written in the ways of the field, with what they must become known beforehand.

Half of them are poisoned: they hold one thing that no careful reader trades on.
"""

from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import product
from random import Random
from typing import NamedTuple
from urllib.parse import quote_plus

from domain.alert import LegRequest
from tests.fuzz.spoiling import Json, dumped

Members = list[tuple[str, Json]]


class Meant(NamedTuple):
    """A body, and the order that is meant.

    - `poison`: why it must not trade; empty where it may.
    - `no_entry`: it may trade, but nothing may be entered.
    """

    raw: bytes
    way: str
    side: str
    symbol: str
    quantity: Decimal
    price: Decimal | None
    poison: str = ""
    no_entry: bool = False


_SIDE_KEYS = ("action", "side", "direction", "order_action", "transaction_type", "Order Side", "tradeAction")
_SYMBOL_KEYS = ("ticker", "symbol", "tradingsymbol", "pair", "tv_instrument", "Symbol")
_QUANTITY_KEYS = ("quantity", "qty", "contracts", "orderQty", "order_contracts", "shares", "Quantity")
_BUYS = ("buy", "BUY", "Buy", "long", "enter_long", "LONG", "buy ")
_SELLS = ("sell", "SELL", "Sell", "short", "enter-short", "SHORT", " sell")
_SYMBOLS = ("INFY", "RELIANCE", "BTCUSDT", "EURUSD", "SBIN", "AAPL", "TATASTEEL", "ETH-PERP", "M&M")
_BESIDE: tuple[tuple[str, Json], ...] = (
    ("rsi", 61.2), ("interval", "5"), ("time", "2026-11-30T09:15:00Z"), ("close", 101.5), ("comment", "morning scan"),
    ("id", "Long"), ("bar_index", 4711), ("macd_hist", -0.25), ("timeframe", "15m"), ("open", 100.1), ("high", 102.9),
    ("low", 99.7), ("note", ""), ("trend", "up"), ("atr", 2.25), ("secret", "asecretofletters"), ("exchange", "NSE"),
)  # fmt: skip

_NO_QUANTITY: tuple[Json, ...] = (
    None, "", "NaN", "null", "1,000", "0x10", "１２", "-3", -3, [3], {"v": 3}, True, "3 lots", "{{strategy.x}}", "5%",
    "three", "3 4", "1e99", 10**19, "--3", "3.3.3", "Infinity", "1_000", "¾", "٣",
)  # fmt: skip
_NO_SIDE: tuple[Json, ...] = (
    "hold", "buy sell", "buy/sell", None, True, "ｂｕｙ", "kaufen", "", "{{strategy.order.action}}", 1, ["buy"], "none",
    {"side": "buy"}, "null", "buуy", "buy?", "not buy", "wait",
)  # fmt: skip
_NO_SYMBOL: tuple[Json, ...] = (
    None,
    "",
    "NaN",
    "{{ticker}}",
    ["INFY"],
    {"name": "INFY"},
    "A" * 65,
    "??",
    "NaN",
    "null",
)
_NO_PRICE: tuple[Json, ...] = (None, "", "NaN", 0, "-5", "1,5", "{{close}}", [5], "market", True, "1e400")


def meant(chance: Random) -> Meant:
    """One order in one way of writing it."""
    side = chance.choice(("BUY", "SELL"))
    symbol = chance.choice(_SYMBOLS)
    quantity = chance.choice(
        (Decimal(chance.randrange(1, 5000)), Decimal(chance.randrange(1, 99_999)) / 1000)
    )
    if chance.random() < 0.25:
        return _of_text(side, symbol, quantity, chance)
    price = Decimal(chance.randrange(1, 99_999)) / 100 if chance.random() < 0.3 else None
    members: Members = [
        (chance.choice(_SIDE_KEYS), chance.choice(_BUYS if side == "BUY" else _SELLS)),
        (chance.choice(_SYMBOL_KEYS), chance.choice((symbol, symbol.lower(), f"NSE:{symbol}"))),
        (chance.choice(_QUANTITY_KEYS), chance.choice((quantity, str(quantity)))),
    ]
    if price is not None:
        members += [("order_type", chance.choice(("limit", "LIMIT", "lmt")))]
        members += [
            (chance.choice(("price", "limit_price", "limitPrice")), chance.choice((price, str(price))))
        ]
    members += chance.sample(_BESIDE, chance.randrange(0, 6))
    poison, no_entry = "", False
    if chance.random() < 0.5:
        poison, no_entry = _poisoned(members, side, chance)
    chance.shuffle(members)
    way = chance.choice(_WAYS)
    return Meant(
        way(members, chance).encode("utf-8"), way.__name__, side, symbol, quantity, price, poison, no_entry
    )


def every_poison(chance: Random) -> Iterator[Meant]:
    """Each value that poisons an order, in each way of writing it."""
    for at, values in ((0, _NO_SIDE), (1, _NO_SYMBOL), (2, _NO_QUANTITY), (4, _NO_PRICE)):
        for value, way in product(values, dict.fromkeys(_WAYS)):
            members: Members = [("action", "buy"), ("ticker", "INFY"), ("quantity", 5)]
            if at == 4:
                members += [("order_type", "limit"), ("limit_price", 0)]
            members[at] = (members[at][0], value)
            raw = way(members, chance).encode()
            yield Meant(raw, way.__name__, "BUY", "INFY", Decimal(5), None, f"{members[at][0]} is {value!r}")


def _poisoned(members: Members, side: str, chance: Random) -> tuple[str, bool]:
    """Put in one thing that must not be traded on; returns what, and whether an exit may follow from it."""
    kind = chance.choice(("quantity", "side", "symbol", "price", "both", "two", "other", "switch"))
    at = {"side": 0, "symbol": 1, "quantity": 2, "price": 4}.get(kind)
    if kind == "price" and (len(members) < 5 or members[3][0] != "order_type"):
        at, kind = 2, "quantity"
    if at is not None:
        values = {"side": _NO_SIDE, "symbol": _NO_SYMBOL, "quantity": _NO_QUANTITY, "price": _NO_PRICE}[kind]
        value = chance.choice(values)
        members[at] = (members[at][0], value)
        return f"{members[at][0]} is {value!r}", False
    if kind == "switch":
        members.append((chance.choice(("closePosition", "reduce_only", "close_all", "reduceOnly")), True))
        return "", True
    keys = {"both": _SIDE_KEYS, "two": _QUANTITY_KEYS, "other": _SYMBOL_KEYS}[kind]
    used = {key.lower().replace("_", "").replace(" ", "") for key, _ in members}
    free = [key for key in keys if key.lower().replace("_", "").replace(" ", "") not in used]
    other: Json = {"both": "sell" if side == "BUY" else "buy", "two": 4999.5, "other": "WIPRO"}[kind]
    members.append((chance.choice(free), other))
    return f"{members[-1][0]} contradicts what stands beside it", False


# ways of writing it ------------------------------------------------------------------------------------------


def _flat(members: Members, chance: Random) -> str:
    return dumped(dict(members))


def _nested(members: Members, chance: Random) -> str:
    """A part of the members stands in an object of its own."""
    inner = dict(members[: chance.randrange(1, len(members) + 1)])
    outer = {key: value for key, value in members if key not in inner}
    return dumped({**outer, chance.choice(("strategy", "order", "data", "payload")): inner})


def _text(value: Json) -> str:
    return value if isinstance(value, str) else dumped(value)


def _pairs(members: Members, chance: Random) -> str:
    separator = chance.choice(("; ", ";", "\n", ", ", "|"))
    return separator.join(f"{key}={_text(value)}" for key, value in members)


def _lines(members: Members, chance: Random) -> str:
    return "\n".join(f"{key}: {_text(value)}" for key, value in members)


def _form(members: Members, chance: Random) -> str:
    return "&".join(f"{quote_plus(key)}={quote_plus(_text(value))}" for key, value in members)


_WAYS: Sequence[Callable[[Members, Random], str]] = (_flat, _flat, _flat, _nested, _pairs, _lines, _form)


def _of_text(side: str, symbol: str, quantity: Decimal, chance: Random) -> Meant:
    """Texts whose words have places, and what is no more such a text."""
    word, whole = side.lower(), int(quantity) + 1
    signed = quantity if side == "BUY" else -quantity
    good = (
        (f"{symbol} {word} {whole}", Decimal(whole)),
        (
            f"Strat (1): order {word} @ {quantity} filled on {symbol}. New strategy position is {signed}",
            quantity,
        ),
        (
            f"order {word} @ 101.5 for {quantity} filled on {symbol}. New strategy position is {signed}",
            quantity,
        ),
        (f"e=NSE s={symbol} b={word} q={quantity}", quantity),
        (f"b={word} q={quantity} s={symbol} e=NSE", quantity),
    )
    bad = (
        f"{word} {symbol} {whole} {whole + 1}", f"{symbol} {word} {whole} or {whole + 1}", f"{symbol} {word}",
        f"order {word} @ {quantity} filled on {symbol}", f"do not {word} {symbol} {whole}",
        f"order {word} @ {{{{strategy.order.contracts}}}} filled on {symbol}. New strategy position is {signed}",
        f"order {word} @ 3 filled on {symbol}. order {word} @ 3 filled on {symbol}. New strategy position is 3",
        f"e=NSE s={symbol} b={word} q={quantity} q=4999", f"e=NSE s={symbol} b=buysell q={quantity}",
        f"e=NSE s={symbol} b={word} b=hold q=3", f"{symbol} {word} {quantity}x", f"{symbol} buy sell {whole}",
        f"e=NSE s={symbol} b={word} q={quantity}%", f"{symbol} {word} -{whole}", f"{symbol} {word} {whole},000",
        f"order {word} @ {quantity} filled on {symbol}. New strategy position is NaN",
    )  # fmt: skip
    if chance.random() < 0.6:
        text, wanted = chance.choice(good)
        return Meant(text.encode(), "text", side, symbol, wanted, None)
    return Meant(
        chance.choice(bad).encode(), "text", side, symbol, quantity, None, "a text that nobody can be sure of"
    )


def complaint(order: Meant, legs: Sequence[LegRequest]) -> str:
    """What is wrong with the legs that it became; empty where nothing is."""
    if order.poison:
        return f"poisoned ({order.poison}), and it trades {[_told(leg) for leg in legs]}" if legs else ""
    if order.no_entry:
        entered = [leg for leg in legs if leg.kind in ("ENTRY", "TARGET")]
        return f"it closes, and enters {[_told(leg) for leg in entered]}" if entered else ""
    if not legs:
        return ""
    wanted = (
        "ENTRY",
        order.side,
        order.symbol,
        order.quantity,
        "LIMIT" if order.price else "MARKET",
        order.price,
    )
    got = [_told(leg) for leg in legs]
    return "" if got == [wanted] else f"expected {wanted}, got {got}"


def _told(leg: LegRequest) -> tuple[object, ...]:
    return leg.kind, leg.side, leg.symbol, leg.quantity, leg.order_type, leg.price
