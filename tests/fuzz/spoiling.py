"""Spoil bodies: keys and values are changed, doubled, moved, mixed and damaged, as senders and relays do it."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from random import Random
from typing import Any
from urllib.parse import urlencode

Json = Any
Place = tuple[dict[str, Json], str]

EDGES: tuple[Json, ...] = (
    None, "", " ", "null", "NaN", "nan", "na", "None", "undefined", "false", "true", True, False, 0, "0", 1, -1, "-1",
    "1,000", "1.000,5", "0x10", "１２", "٣", "1e3", "1E400", "1e-9", "1_000", "+5", "5.", ".5", "1/2", "5%", "50q",
    "$5", "2 lots", "1800.8000000000002", 0.1, 0.30000000000000004, 10**17, 10**30, "9" * 70, "Infinity", "-0",
    [], {}, [1], [5, 5], {"value": 5}, {"a": {"b": {"c": {}}}}, ["buy"], {"side": "sell"}, "{{ticker}}",
    "{{strategy.order.action}}", "{{plot_0}}", "{close}", "buy", "sell", "BUY ", "Sell", "long", "short", "flat",
    "close", "exit", "buy sell", "buy/sell", "b", "S", "hold", "reverse", "cancel", "ｂｕｙ", "купить", "kaufen",
    "buy\u200b", "limit", "market", "stop", "stop_limit", "MIS", "LIMIT ", "NSE:INFY", "INFY", "ES1!", "BTCUSDT.P",
    "a b", "x" * 65, "<symbol>", "INFY\n", "tp1", "stop loss hit", "close_long", "percent_of_equity", "USD", "lots",
)  # fmt: skip

FAMILIES = tuple(
    tuple(words.split())
    for words in (
        "action side direction order_action transaction_type tradeAction signal type orderSide buy_sell cmd operation",
        "ticker symbol tradingsymbol pair instrument asset tv_instrument Symbol_Name security market stock",
        "quantity qty contracts size amount volume lots shares units order_size orderQty position_size vol quote_qty",
        "price limit_price limitPrice signalPrice entry_price close trigger_price stopPrice order_price last_price",
        "order_type orderType type pricetype entry_type kind mode",
        "market_position position sentiment prev_market_position previous_position position_side new_position",
        "market_position_size position_size prev_market_position_size strategy.position_size net_position",
        "exchange exch tv_exchange exchange_segment",
        "stop_loss sl stopLoss take_profit tp takeProfit stop_loss_price tp_percent trailing_stop",
        "strategy strategy_name strategyId tag",
        "quantityType qty_type currency_type unit size_type",
    )
)

ADDED: tuple[tuple[str, Json], ...] = (
    ("action", "buy"), ("side", "sell"), ("direction", "short"), ("type", "exit"), ("closePosition", True),
    ("close_position", "true"), ("reduce_only", True), ("reduceOnly", "false"), ("market_position", "flat"),
    ("market_position", "short"), ("prev_market_position", "long"), ("position_size", 0), ("position_size", "-3"),
    ("quantity", 11), ("qty", None), ("contracts", "13"), ("size", 17), ("lots", 2), ("amount", "19"), ("percent", 5),
    ("leverage", 10), ("price", 23.5), ("limit_price", "29.25"), ("stop_price", 31), ("order_type", "limit"),
    ("orderType", None), ("ordertype", "stop"), ("time_in_force", "IOC"), ("product", "NRML"), ("exchange", "BSE"),
    ("ticker", "OTHER"), ("symbol", "SECOND"), ("instrument", "forex"), ("stop_loss", 90), ("tp", "5%"),
    ("quantityType", "dollar_amount"), ("unit", "lots"), ("legs", []), ("orders", [{"side": "buy"}]),
    ("note", "sell half"), ("comment", "SL hit"), ("message", "close position"), ("event", "take_profit"),
    ("reverse", True), ("cancel", True), ("cancel_all", "true"), ("test", True), ("paper", "yes"), ("delay", 3),
    ("strike", 24500), ("option_type", "CE"), ("execution_type", "ENTRY"), ("exit", True), ("is_exit", 1),
    ("intent", "close"), ("openclose", "C"), ("effect", "closing"), ("hedge", 1), ("enabled", False), ("volume", 1e6),
    ("rsi", 61.2), ("interval", "5"), ("timenow", "2026-11-30T09:15:00Z"), ("client_id", "other"), ("key", 5),
)  # fmt: skip

_FLIPS = {
    "buy": "sell", "sell": "buy", "long": "short", "short": "long", "b": "s", "s": "b", "bullish": "bearish",
    "bearish": "bullish",
}  # fmt: skip


def places(document: Json) -> list[Place]:
    """Every member of every object in a document: the object, and the member's key."""
    return list(_places(document))


def _places(document: Json) -> Iterator[Place]:
    if isinstance(document, dict):
        for key, value in document.items():
            yield document, key
            yield from _places(value)
    elif isinstance(document, list):
        for each in document:
            yield from _places(each)


def copy(document: Json) -> Json:
    """A copy whose objects and lists are its own."""
    if isinstance(document, dict):
        return {key: copy(value) for key, value in document.items()}
    return [copy(each) for each in document] if isinstance(document, list) else document


def renamed(holder: dict[str, Json], old: str, new: str) -> None:
    """Give a member another key in the same place; one that has that key already goes."""
    members = [
        (new if key == old else key, value) for key, value in holder.items() if key != new or key == old
    ]
    holder.clear()
    holder.update(members)


def dumped(document: Json) -> str:
    """A document as JSON."""
    return json.dumps(document, ensure_ascii=False, default=_number)


def _number(value: object) -> object:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() and abs(value) < 10**20 else float(value)
    raise TypeError(type(value))


# of documents ------------------------------------------------------------------------------------------------


def _rename(document: Json, chance: Random) -> Json:
    found = places(document)
    if not found:
        return document
    holder, key = chance.choice(found)
    plain = key.lower().replace("_", "")
    family = next(
        (each for each in FAMILIES if plain in {one.lower().replace("_", "") for one in each}), None
    )
    is_missed = family is None or chance.random() < 0.3
    new = _near_miss(key, chance) if family is None or is_missed else chance.choice(family)
    renamed(holder, key, new)
    return document


def _near_miss(key: str, chance: Random) -> str:
    at = chance.randrange(len(key) + 1)
    return chance.choice(
        [key[:at] + key[at + 1 :], key[:at] + key[at : at + 1] * 2 + key[at + 1 :], key[:at] + "_" + key[at:],
         key.upper(), key + "s", "my_" + key, key + "2", key + "\u200b", "." + key, key.replace("i", "ı"), "new_" + key]
    )  # fmt: skip


def _edge(document: Json, chance: Random) -> Json:
    found = places(document)
    if found:
        holder, key = chance.choice(found)
        holder[key] = copy(chance.choice(EDGES))
    return document


def _drop(document: Json, chance: Random) -> Json:
    found = places(document)
    if found:
        holder, key = chance.choice(found)
        del holder[key]
    return document


def _add(document: Json, chance: Random) -> Json:
    holders = [document] if isinstance(document, dict) else []
    holders += [holder for holder, _ in places(document)[:3]]
    if holders:
        key, value = chance.choice(ADDED)
        chance.choice(holders)[key] = copy(value)
    return document


def _move(document: Json, chance: Random) -> Json:
    if isinstance(document, dict) and document:
        key = chance.choice(list(document))
        into = chance.choice(("strategy", "order", "data", "payload", "alert", "extra", "bar", "signal"))
        value = document.pop(key)
        holder = document.get(into)
        document[into] = {**holder, key: value} if isinstance(holder, dict) else {key: value}
    return document


def _swap(document: Json, chance: Random) -> Json:
    """Two values change places."""
    found = places(document)
    if len(found) > 1:
        (one, first), (other, second) = chance.sample(found, 2)
        if first in one and second in other and not isinstance(one[first], dict | list):
            value = other[second]
            if not isinstance(value, dict | list):
                one[first], other[second] = value, one[first]
    return document


def _flip(document: Json, chance: Random) -> Json:
    found = [
        (holder, key) for holder, key in places(document)
        if isinstance(holder[key], str) and holder[key].lower() in _FLIPS
    ]  # fmt: skip
    if found:
        holder, key = chance.choice(found)
        holder[key] = _FLIPS[holder[key].lower()]
    return document


def _wrap(document: Json, chance: Random) -> Json:
    return chance.choice(
        [[document], {"data": document}, {"payload": document}, {"body": dumped(document)}, [document, document],
         {"alert": document, "time": "2026-11-30"}, {"orders": [document]}, {"legs": [document]}]
    )  # fmt: skip


ON_DOCUMENTS: tuple[Callable[[Json, Random], Json], ...] = (
    _rename, _rename, _edge, _edge, _edge, _drop, _add, _add, _move, _swap, _flip, _wrap,
)  # fmt: skip


def spoiled(document: Json, chance: Random) -> Json:
    """A document that was changed in one to four ways."""
    document = copy(document)
    for _ in range(chance.choice((1, 1, 1, 2, 2, 3, 4))):
        document = chance.choice(ON_DOCUMENTS)(document, chance)
    return document


# of texts ----------------------------------------------------------------------------------------------------


def _twice(text: str, chance: Random) -> str:
    """A member of an object stands there twice, or the whole body does."""
    at = text.find(":")
    if text.startswith("{") and at > 0 and chance.random() < 0.5:
        value = dumped(chance.choice(EDGES))
        return f"{{{text[1:at]}: {value}, {text[1:]}"
    return text + chance.choice(("", "\n", ",", ";", " ")) + text


def _cut(text: str, chance: Random) -> str:
    return text[: chance.randrange(len(text) + 1)]


def _inserted(text: str, chance: Random) -> str:
    at = chance.randrange(len(text) + 1)
    piece = chance.choice("\"'“”{}[],:;=&|\n\t\\\x00 0-.é€") * chance.choice((1, 1, 2))
    return text[:at] + piece + text[at + chance.choice((0, 0, 1, 3)) :]


def _requoted(text: str, chance: Random) -> str:
    return text.replace('"', chance.choice(("“", "'", "”", "″", '\\"', "`")))


def _comma(text: str, chance: Random) -> str:
    return text[:-1] + chance.choice((",}", ",,}", ", ]", ",")) if text.endswith("}") else text + ","


def _in_a_text(text: str, chance: Random) -> str:
    return json.dumps(text) if chance.random() < 0.7 else f'"{text}"'


def _as_form(text: str, _: Random) -> str:
    try:
        document = json.loads(text)
    except ValueError:
        return text
    if not isinstance(document, dict):
        return text
    return urlencode(
        {key: value if isinstance(value, str) else json.dumps(value) for key, value in document.items()}
    )


ON_TEXTS: tuple[Callable[[str, Random], str], ...] = (
    _twice, _cut, _inserted, _inserted, _requoted, _comma, _in_a_text, _as_form,
)  # fmt: skip


def damaged(text: str, chance: Random) -> str:
    """A text that was damaged."""
    for _ in range(chance.choice((1, 1, 2))):
        text = chance.choice(ON_TEXTS)(text, chance)
    return text


# of bytes ----------------------------------------------------------------------------------------------------

ENCODINGS: tuple[Callable[[str], bytes], ...] = (
    lambda text: b"\xef\xbb\xbf" + text.encode("utf-8", "replace"),
    lambda text: text.encode("utf-16", "replace"),
    lambda text: text.encode("utf-16-le", "replace"),
    lambda text: text.encode("latin-1", "replace"),
    lambda text: text.encode("utf-8", "surrogatepass") + b"\x00",
    lambda text: text.encode("utf-8", "replace")[:-1] + b"\xc3",
)


def encoded(text: str, chance: Random) -> bytes:
    """A text as bytes; of ten, one is in an encoding that nobody expects."""
    if chance.random() < 0.1:
        return chance.choice(ENCODINGS)(text)
    return text.encode("utf-8", "replace")


def noise(chance: Random, pieces: list[bytes]) -> bytes:
    """Bytes at random, some of them of bodies."""
    if chance.random() < 0.3:
        return chance.randbytes(chance.randrange(120))
    parts = []
    for _ in range(chance.randrange(1, 9)):
        of = chance.choice(pieces)
        at = chance.randrange(len(of) + 1)
        parts.append(of[at : at + chance.randrange(30)])
        if chance.random() < 0.4:
            parts.append(
                chance.choice(
                    (b'"', b"{", b"}", b",", b":", b"=", b"&", b"\n", b"\xff", b"buy", b"null", b"7")
                )
            )
    return b"".join(parts)
