"""What two bodies have to do with each other: one is the other, with something changed of which the effect is known.

A relation takes a document and what it became. It returns another body, and the rule for what that becomes; None where
it says nothing about this document.
"""

import json
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from random import Random
from typing import NamedTuple
from urllib.parse import quote_plus

from tests.fuzz.opinion import ACTIONS, BUY, CONTAINERS, NOTES, SELL, UNITS, keys, number, plain
from tests.fuzz.path import Outcome
from tests.fuzz.spoiling import Json, copy, dumped, places

Rule = Callable[[Outcome, Outcome], str]
"""Compares what the two became; returns what is wrong, or an empty text."""


class Other(NamedTuple):
    """Another body, and what it may become. `without`: a third body, with which the other one may agree as well."""

    raw: bytes
    rule: Rule
    without: bytes | None = None


_ENTERED = ("ENTRY", "TARGET")
Relation = Callable[[Json, Outcome, Random], Other | None]


def same(one: Outcome, other: Outcome) -> str:
    """Nothing that counts was changed."""
    if one.orders == other.orders:
        return ""
    return f"{_told(one)} became {_told(other)}"


def same_or_refused(one: Outcome, other: Outcome) -> str:
    """Nothing that counts was changed, but not everybody may read it any more."""
    return same(one, other) if other.trades else ""


def refused(_: Outcome, other: Outcome) -> str:
    """Nobody can know what is meant."""
    return f"expected a refusal, got {_told(other)}" if other.trades else ""


def flipped(one: Outcome, other: Outcome) -> str:
    """The side was turned."""
    for before, after in zip(one.legs, other.legs, strict=False):
        if before.kind == after.kind == "ENTRY" and before.side == after.side:
            return f"the side was turned: {_told(one)} became {_told(other)}"
    return ""


def same_or_no_entry(one: Outcome, other: Outcome) -> str:
    """What it says of an exit it says no more, which the position then decides."""
    is_exit = all(leg.kind in ("EXIT", "FLAT", "CANCEL") and leg.side is None for leg in other.legs)
    return "" if is_exit else same(one, other)


def nothing_entered(_: Outcome, other: Outcome) -> str:
    """It closes."""
    return f"it closes: {_told(other)}" if any(leg.kind in _ENTERED for leg in other.legs) else ""


def _told(outcome: Outcome) -> str:
    if not outcome.trades:
        return f"{outcome.dialect}: {outcome.code} of {outcome.field}: {outcome.message}"
    return f"{outcome.dialect}: " + ", ".join(
        f"{leg.kind} {leg.side} {leg.quantity} {leg.symbol} {leg.order_type} {leg.price}"
        for leg in outcome.legs
    )


# nothing that counts is changed ------------------------------------------------------------------------------


def _shuffled(value: Json, chance: Random) -> Json:
    if isinstance(value, dict):
        members = [(key, _shuffled(each, chance)) for key, each in value.items()]
        chance.shuffle(members)
        return dict(members)
    return [_shuffled(each, chance) for each in value] if isinstance(value, list) else value


def order_of_keys(document: Json, _: Outcome, chance: Random) -> Other | None:
    return Other(dumped(_shuffled(document, chance)).encode(), same)


def white_space(document: Json, _: Outcome, chance: Random) -> Other | None:
    text = json.dumps(document, indent=chance.choice((1, "\t", "   ")), default=float, ensure_ascii=False)
    return Other(f"\r\n  {text}\n\n".encode(), same)


def byte_order_mark(document: Json, _: Outcome, chance: Random) -> Other | None:
    return Other(b"\xef\xbb\xbf" + dumped(document).encode(), same)


def case_of_keys(document: Json, _: Outcome, chance: Random) -> Other | None:
    found = places(document)
    if not all(key.isascii() for _, key in found) or any(
        len({*map(str.lower, one)}) < len(one) for one, _ in found
    ):
        return None
    turn = chance.choice((str.upper, str.title, str.swapcase))

    def turned(value: Json) -> Json:
        if isinstance(value, dict):
            return {turn(key): turned(each) for key, each in value.items()}
        return [turned(each) for each in value] if isinstance(value, list) else value

    return Other(dumped(turned(document)).encode(), same)


def escapes(document: Json, _: Outcome, chance: Random) -> Other | None:
    text = json.dumps(document, default=float)
    if "\\" in text:
        return None
    return Other(re.sub(r"(?<!\\)[a-z](?=[a-zA-Z_ ]*\":? ?)", _escaped, text, count=3).encode(), same)


def _escaped(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def in_a_list(document: Json, _: Outcome, chance: Random) -> Other | None:
    return Other(dumped([document]).encode(), same_or_refused)


def in_a_text(document: Json, _: Outcome, chance: Random) -> Other | None:
    return Other(json.dumps(dumped(document)).encode(), same_or_refused)


def a_comma_too_many(document: Json, _: Outcome, chance: Random) -> Other | None:
    return Other(dumped(document)[:-1].encode() + b", }", same_or_refused) if document else None


def typographic(document: Json, _: Outcome, chance: Random) -> Other | None:
    text = dumped(document)
    return None if "\\" in text else Other(re.sub('"([^"]*)"', r"“\1”", text).encode(), same_or_refused)


def numbers_as_texts(document: Json, _: Outcome, chance: Random) -> Other | None:
    changed = copy(document)
    for holder, key in places(changed):
        if isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
            holder[key] = str(holder[key])
    return Other(dumped(changed).encode(), same_or_refused)


def whole_numbers_as_fractions(document: Json, _: Outcome, chance: Random) -> Other | None:
    text = re.sub(r"(?<=[:\[] )(\d{1,9})(?=[,}\]])", r"\1.0", json.dumps(document, default=float))
    return Other(text.encode(), same_or_refused)


def a_note(document: Json, _: Outcome, chance: Random) -> Other | None:
    return Other(dumped({**document, "note": "from the morning scan"}).encode(), same_or_refused)


_ASKS_NOTHING = (None, "", 0, "0", False, "false", "none", "null", "NaN", "no", "off")
"""Where nothing was read because there is nothing."""


def unread_changes(document: Json, outcome: Outcome, chance: Random) -> Other | None:
    """What nothing was read from changes nothing."""
    known = {key.lower() for key in outcome.unread}
    mine = [
        key for key, value in document.items()
        if key.lower() in known and not isinstance(value, dict | list) and value not in _ASKS_NOTHING
    ]  # fmt: skip
    if not mine:
        return None
    value = chance.choice(("zzz", 424242, "4,2", None, 0.125))
    return Other(dumped({**document, chance.choice(mine): value}).encode(), same_or_refused)


def another_way_of_writing(document: Json, _: Outcome, chance: Random) -> Other | None:
    """The same members as pairs, as lines or as a form."""
    flat = {key: value for key, value in document.items() if isinstance(value, str | int | float)}
    if len(flat) != len(document) or len(flat) < 2 or any(isinstance(value, bool) for value in flat.values()):
        return None
    members = {key: str(value) for key, value in flat.items()}
    if any(re.search(r"[=;:\n|&,\"'{}]", key + value) or not value.strip() for key, value in members.items()):
        return None
    way = chance.choice(
        (
            lambda: ";".join(f"{key}={value}" for key, value in members.items()),
            lambda: "\n".join(f"{key}={value}" for key, value in members.items()),
            lambda: "\n".join(f"{key}: {value}" for key, value in members.items()),
            lambda: "&".join(f"{quote_plus(key)}={quote_plus(value)}" for key, value in members.items()),
        )
    )
    return Other(way().encode(), same_or_refused)


# the effect of a change is known -----------------------------------------------------------------------------

_TURNS = {"buy": "sell", "sell": "buy", "long": "short", "short": "long", "bull": "bear", "bear": "bull"}
_SIDES = re.compile("|".join(_TURNS), re.IGNORECASE)


def _turned(found: re.Match[str]) -> str:
    new = _TURNS[found[0].lower()]
    return new.upper() if found[0].isupper() else new


def every_side_turned(document: Json, _: Outcome, chance: Random) -> Other | None:
    changed, count = copy(document), 0
    for holder, key in places(changed):
        value = holder[key]
        if isinstance(value, str) and plain(key) not in NOTES:
            short = {"b": "s", "s": "b"}.get(value.strip().lower())
            holder[key] = short or _SIDES.sub(_turned, value)
            count += holder[key] != value
    by_strategy = "stocks" in map(plain, document)  # a screener's alert has no side
    return Other(dumped(changed).encode(), flipped) if count and not by_strategy else None


def action_turned(document: Json, _: Outcome, chance: Random) -> Other | None:
    changed, count = copy(document), 0
    inner = [(holder, key) for holder, key in places(changed) if holder is changed]
    for name, value in changed.items():  # what stands in a bar says nothing of the order
        if plain(name) in CONTAINERS:
            inner += places(value)
    for holder, key in inner:
        value = holder[key]
        if plain(key) in ACTIONS and isinstance(value, str) and plain(value) in BUY | SELL:
            new = _SIDES.sub(_turned, value)
            holder[key] = new if new != value else {"b": "s", "s": "b"}[plain(value)]
            count += 1
    return Other(dumped(changed).encode(), flipped) if count else None


def other_side_added(document: Json, outcome: Outcome, chance: Random) -> Other | None:
    if [leg.kind for leg in outcome.legs] != ["ENTRY"] or not _has(document, ACTIONS):
        return None
    free = [key for key in ("action", "side", "direction", "order_action", "transaction_type")
            if plain(key) not in map(plain, document)]  # fmt: skip
    if not free:
        return None
    word = "sell" if outcome.legs[0].side == "BUY" else "buy"
    return Other(dumped({**document, chance.choice(free): word}).encode(), refused)


def other_quantity_added(document: Json, outcome: Outcome, chance: Random) -> Other | None:
    if [leg.kind for leg in outcome.legs] != ["ENTRY"] or not _has(document, UNITS):
        return None
    free = [
        key for key in ("quantity", "qty", "contracts", "shares") if plain(key) not in map(plain, document)
    ]
    return Other(dumped({**document, chance.choice(free): 424242}).encode(), refused) if free else None


def other_symbol_added(document: Json, outcome: Outcome, chance: Random) -> Other | None:
    keys = ("ticker", "symbol", "tradingsymbol", "pair")
    if [leg.kind for leg in outcome.legs] != ["ENTRY"] or not _has(document, frozenset(keys)):
        return None
    free = [key for key in keys if plain(key) not in map(plain, document)]
    return Other(dumped({**document, chance.choice(free): "QZXW"}).encode(), refused) if free else None


def exit_switch_added(document: Json, outcome: Outcome, chance: Random) -> Other | None:
    keys = ("closePosition", "reduce_only", "close_all", "exit_position", "is_exit")
    key = chance.choice([key for key in keys if plain(key) not in map(plain, document)] or [""])
    if not key or not any(leg.kind in _ENTERED for leg in outcome.legs):
        return None
    return Other(dumped({**document, key: chance.choice((True, "true", 1))}).encode(), nothing_entered)


_CHANGES: Sequence[tuple[str, Json]] = (
    ("stop_loss", 90), ("sl", "2%"), ("take_profit", 130), ("tp_percent", 3), ("trailing_stop", "1%"), ("target", 120),
    ("quantity_type", "percent_of_equity"), ("qty_type", "lots"), ("unit", "USD"), ("currency_type", "quote"),
    ("order_type", "limit"), ("orderType", "stop"), ("limit_price", 95), ("stop_price", 95),
    ("market_position", "flat"), ("position_size", 0), ("net_position", 0), ("positionSide", "flat"),
    ("event", "exit"), ("signal", "take_profit"), ("type", "close"), ("order", "exit"), ("tradeType", "square_off"),
    ("exit", True), ("is_exit", "true"), ("intent", "close"), ("position_effect", "CLOSING"), ("is_entry", False),
    ("paper", True), ("test", True), ("dry_run", "yes"), ("simulated", 1), ("enabled", False), ("active", "off"),
    ("time_in_force", "GTC"), ("tif", "IOC"), ("validity", "GTT"), ("multiplier", 2), ("lot_size", 50), ("delay", 10),
    ("strike", 24500), ("expiry", "2026-12-31"), ("option_type", "CE"), ("reverse", True), ("cancel", True),
    ("iceberg", True), ("percent", 5), ("notional", 1000), ("exchange", "QZX"), ("product", "CNC"),
    ("size_mode", "percent"), ("amo", True), ("oco", True), ("orders", [{"action": "sell", "ticker": "Q"}]),
)  # fmt: skip
"""What makes another order of an order, whatever it stands beside; but for other sizes beside a quantity in units."""


def changes_are_not_passed_over(document: Json, outcome: Outcome, chance: Random) -> Other | None:
    key, value = chance.choice(_CHANGES)
    legs = outcome.legs
    if any(
        isinstance(each, list) for each in document.values()
    ):  # what legs share gives way to what they have
        return None
    if outcome.dialect == "native" and key in _NATIVE_NOTES:
        return None
    if (
        [leg.kind for leg in legs] != ["ENTRY"]
        or legs[0].order_type != "MARKET"
        or plain(key) in map(plain, document)
    ):
        return None

    def changed(one: Outcome, other: Outcome) -> str:
        return f"{key}: {value!r} is passed over: {_told(other)}" if one.orders == other.orders else ""

    return Other(dumped({**document, key: value}).encode(), changed)


def placeholder(document: Json, outcome: Outcome, chance: Random) -> Other | None:
    """A placeholder that was not replaced stops whatever it stands in."""
    mine = [key for key in document if plain(key).rpartition(".")[2] not in NOTES]
    if not mine or not outcome.trades:
        return None
    key = chance.choice(mine)
    if outcome.dialect == "native" and key.lower() in _NATIVE_NOTES:
        return None
    return Other(dumped({**document, key: "{{strategy.thing}}"}).encode(), refused)


_NATIVE_NOTES = ("secret_key", "underlying", "expiry", "time", "timestamp")


def nothing_in_its_place(document: Json, outcome: Outcome, chance: Random) -> Other | None:
    """null, nothing and what is no value are refused, or mean what it means to leave the member out."""
    if not document or not outcome.trades:
        return None
    changed = copy(document)
    holder, key = chance.choice(places(changed))
    holder[key] = chance.choice((None, "", "NaN", "null", [1], {"v": 1}))
    raw = dumped(changed).encode()
    del holder[key]
    return Other(raw, same_or_no_entry, dumped(changed).encode())


def three_times_as_many(document: Json, outcome: Outcome, chance: Random) -> Other | None:
    if len(outcome.legs) != 1 or outcome.legs[0].quantity is None or outcome.legs[0].kind == "TARGET":
        return None
    before, changed, count = outcome.legs[0].quantity, copy(document), 0
    for holder, key in places(changed):
        found = number(holder[key]) if not isinstance(holder[key], float) else Decimal(str(holder[key]))
        if plain(key) in UNITS and found is not None and found == before:
            holder[key] = str(found * 3)
            count += 1

    def tripled(one: Outcome, other: Outcome) -> str:
        wrong = [leg for leg in other.legs if leg.quantity not in (None, before * 3)]
        return f"three times as many: {_told(one)} became {_told(other)}" if wrong else ""

    return Other(dumped(changed).encode(), tripled) if count else None


def misspelt(document: Json, outcome: Outcome, chance: Random) -> Other | None:
    """One letter of a key that counts is wrong: what it says must not be left out."""
    mine = [key for key in document if plain(key) in _SPELT]
    if not mine or not any(leg.kind == "ENTRY" for leg in outcome.legs):
        return None
    key = chance.choice(mine)
    at = chance.randrange(1, len(key) - 1)
    wrong = chance.choice(
        (key[:at] + key[at + 1 :], key[:at] + key[at] + key[at:], key[:at] + "x" + key[at + 1 :],
         key[:at] + key[at + 1] + key[at] + key[at + 2 :])
    )  # fmt: skip
    if plain(wrong) in map(plain, document):
        return None
    return Other(dumped({wrong if each == key else each: value for each, value in document.items()}).encode(),
                 same_or_refused)  # fmt: skip


_SPELT = keys("quantity contracts ordercontracts orderqty ordertype pricetype limitprice stopprice")


def another_symbol(document: Json, outcome: Outcome, chance: Random) -> Other | None:
    symbols = {leg.symbol for leg in outcome.legs} - {""}
    changed, count = copy(document), 0
    for holder, key in places(changed):
        if (
            isinstance(holder[key], str)
            and holder[key].strip().upper() in symbols
            and plain(key) not in NOTES
        ):
            holder[key] = "QZXW"
            count += 1
    if not count or len(symbols) != 1:
        return None

    def renamed(one: Outcome, other: Outcome) -> str:
        kept = [order[:3] + order[4:] for order in one.orders] == [
            order[:3] + order[4:] for order in other.orders
        ]
        if not other.trades or (kept and {leg.symbol for leg in other.legs} == {"QZXW"}):
            return ""
        return f"the symbol is another: {_told(one)} became {_told(other)}"

    return Other(dumped(changed).encode(), renamed)


# nobody can know what is meant -------------------------------------------------------------------------------


def a_key_twice(document: Json, _: Outcome, chance: Random) -> Other | None:
    if not document:
        return None
    key = chance.choice(list(document))
    again = json.dumps(chance.choice((key, key.upper() if key.isascii() else key)))
    value = json.dumps(chance.choice(("buy", "sell", 424242, None)))
    return Other(f"{{{again}: {value}, {dumped(document)[1:]}".encode(), refused)


def cut_off(document: Json, _: Outcome, chance: Random) -> Other | None:
    text = dumped(document)
    return Other(text[: chance.randrange(1, len(text))].encode(), refused)


def twice(document: Json, _: Outcome, chance: Random) -> Other | None:
    text = dumped(document)
    return Other(
        chance.choice((text + text, f"{text}\n{text}", f"[{text},{text}]", f"{text},{text}")).encode(),
        refused,
    )


def _has(document: Json, keys: frozenset[str]) -> bool:
    return any(plain(key) in keys for key in document)


INERT: Sequence[Relation] = (order_of_keys, white_space, byte_order_mark, case_of_keys, escapes)
"""Hold for what is refused as well."""

ALL: Sequence[Relation] = (
    *INERT, in_a_list, in_a_text, a_comma_too_many, typographic, numbers_as_texts, whole_numbers_as_fractions, a_note,
    unread_changes, another_way_of_writing, every_side_turned, action_turned, other_side_added, other_quantity_added,
    other_symbol_added, exit_switch_added, placeholder, placeholder, nothing_in_its_place, nothing_in_its_place,
    three_times_as_many, misspelt, misspelt, another_symbol, a_key_twice, cut_off, twice,
    *[changes_are_not_passed_over] * 4,
)  # fmt: skip


# of texts ----------------------------------------------------------------------------------------------------


def of_text(text: str, outcome: Outcome, chance: Random) -> Other:
    """One relation of a body that is no JSON object."""
    stripped = text.strip()
    ways: list[Other] = [
        Other(b"\xef\xbb\xbf" + text.encode("utf-8", "replace"), same),
        Other(f" \n{text}\n ".encode("utf-8", "replace"), same),
    ]
    if outcome.trades and stripped[:1] not in ("{", "[", '"'):
        ways.append(Other(json.dumps(stripped).encode(), same_or_refused))
        ways.append(Other(f"{stripped}\n{stripped}".encode("utf-8", "replace"), refused))
        if "stocks" not in text and _SIDES.search(text):  # a screener's alert has no side
            ways.append(Other(_SIDES.sub(_turned, text).encode("utf-8", "replace"), flipped))
    return chance.choice(ways)
