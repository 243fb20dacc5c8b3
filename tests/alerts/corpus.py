"""Count what becomes of published alerts: `python -m tests.alerts.corpus`.

`corpus.jsonl` holds what platforms and bots send, by their documents and their users, and what a careful reader says
that each asks for. All of them are previewed under one configuration.
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from alerts.formats.registry import DIALECTS
from alerts.preview import Previewer
from domain.alert_defaults import AlertDefaults, AlertDefaultsBook
from domain.enums import Side

FILE = Path(__file__).with_name("corpus.jsonl")
QUANTITY = Decimal(7)
DEFAULTS = AlertDefaultsBook(
    AlertDefaults(exchange="NSE", product="MIS", quantity=QUANTITY, side=Side.BUY), {}, "Published"
)
PREVIEW = Previewer(DIALECTS, DEFAULTS, client_id="default", mask=str)

RIGHT = "right"
REFUSED = "refused, and names why"
DISAGREED = "disagreed"
WRONG = "wrong"

_LONG = {"LONG": "BUY", "SHORT": "SELL"}
_OF_EXIT = {"LONG": "SELL", "CLOSE_LONG": "SELL", "SHORT": "BUY"}

DISAGREEMENTS = {
    13: "the damage is certain, and repaired with a note: BUY TSLA, as the case itself says",
    14: "the damage is certain, and repaired with a note: BUY TSLA, as the case itself says",
    81: "whether BTCUSDTUSDT exists, only a list of instruments tells",
    206: "from none to 12.264199: an entry of that quantity reaches the position for certain",
    238: "from flat to long 5: an entry of that quantity reaches the position for certain",
    241: "it names no order type, so it is the default one: market",
    268: "an order of that quantity, as its two siblings; the position after it agrees with its side",
}
"""Cases that we read otherwise than they expect, and why."""


@dataclass(frozen=True)
class Case:
    """One payload, what became of it and how that is judged."""

    number: int
    platform: str
    expected: list[dict[str, Any]]
    told: dict[str, Any]
    verdict: str


def cases() -> Iterator[Case]:
    """Preview all payloads."""
    for line in FILE.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        told = dict(PREVIEW(body_of(line)))
        yield Case(row["id"], row["platform"], row["expect"], told, _verdict(row["id"], row["expect"], told))


def body_of(line: str) -> bytes:
    """The payload in one line of the file, with its template's placeholders replaced."""
    row = json.loads(line)
    return str(row.get("resolved_body") or row["body"]).encode()


def shouted(value: object) -> bytes:
    """A document with its keys in capitals, as JSON."""
    return json_of(_shouted(value))


def json_of(document: object) -> bytes:
    """A document as it was decoded, as JSON again."""
    return json.dumps(document, default=float).encode()


def _shouted(value: object) -> object:
    if isinstance(value, dict):
        return {key.upper(): _shouted(each) for key, each in value.items()}
    return [_shouted(each) for each in value] if isinstance(value, list) else value


def _verdict(number: int, expected: list[dict[str, Any]], told: dict[str, Any]) -> str:
    kinds = [each["kind"] for each in expected]
    if told["outcome"] == "info":
        return RIGHT if kinds == ["INFO"] else WRONG
    if told["outcome"] == "rejected":
        if kinds == ["REJECT"]:
            return RIGHT
        return REFUSED if told["error"]["message"] else WRONG
    if number in DISAGREEMENTS:
        return DISAGREED
    legs = told["legs"]
    if len(legs) != len(expected):
        return WRONG
    return RIGHT if all(map(_is_as_expected, expected, legs)) else WRONG


def _is_as_expected(expected: dict[str, Any], leg: dict[str, Any]) -> bool:
    return all(
        (
            _kind(expected, leg),
            _side(expected, leg),
            _symbol(str(expected["symbol"]), leg),
            _quantity(expected, leg),
            str(expected.get("type", leg["order_type"])) == leg["order_type"],
            _price(expected.get("price"), leg["price"]),
            _price(expected.get("trigger"), leg["trigger_price"]),
            _level(expected.get("tp"), leg["target"]),
            _stop(expected.get("sl"), leg),
            not any(expected.get(key) for key in ("option", "delay_s", "offset")),
        )
    )


def _kind(expected: dict[str, Any], leg: dict[str, Any]) -> bool:
    kind = str(leg["kind"])
    # All of one unit, or one unit: the same where the case names both.
    return kind == expected["kind"] or (kind == "EXIT" and expected["kind"] == "FLAT" and "qty" in expected)


def _side(expected: dict[str, Any], leg: dict[str, Any]) -> bool:
    side = expected.get("side")
    if side is None:
        return True
    words = _LONG if leg["kind"] in ("ENTRY", "TARGET") else _OF_EXIT
    return words.get(side, side) == leg["side"]


def _symbol(expected: str, leg: dict[str, Any]) -> bool:
    if expected.startswith("<") or "<" in expected:  # what stands for the chart's symbol
        return True
    exchange, _, symbol = expected.rpartition(":") if "/" not in expected else ("", "", expected)
    if "/" in expected and expected.split(":")[0].isalpha():
        exchange, _, symbol = expected.partition(":")
    return symbol.upper() == leg["symbol"] and (not exchange or exchange.upper() == leg["exchange"])


def _quantity(expected: dict[str, Any], leg: dict[str, Any]) -> bool:
    quantity = expected.get("qty")
    if isinstance(quantity, str):  # `<contracts>`, `0.1 base`: what the template's placeholder stands for
        return "<" in quantity
    if quantity is None or leg["kind"] == "FLAT":
        return (
            leg["quantity"] in (None, int(QUANTITY)) or expected["kind"] != "ENTRY" or "position" in expected
        )
    return Decimal(str(quantity)) == Decimal(str(leg["quantity"]))


def _stop(expected: object, leg: dict[str, Any]) -> bool:
    if not str(expected).startswith("trailing"):
        return _level(expected, leg["stop_loss"]) and "trailing_type" not in leg
    [percent] = re.findall(r"trailing ([\d.]+)%", str(expected))
    trail = leg.get("trailing_type"), str(leg.get("trailing_value"))
    return leg["stop_loss"] is None and trail == ("PERCENT", percent)


def _level(expected: object, got: object) -> bool:
    """Whether a stop or a target is the one expected: a price, `+10%` or `+100 price units`."""
    if expected is None:
        return got is None
    said = re.fullmatch(r"[+]?([\d.]+)(%|( price units| points)?)( stop)?", str(expected))
    unit = "" if said is None else "pt" if said[3] else said[2]
    return said is not None and got == f"{said[1]}{unit}"


def _price(expected: object, got: object) -> bool:
    if expected is None or (isinstance(expected, str) and "<" in expected):
        return (expected is None) == (got is None)
    return got is not None and Decimal(str(expected)) == Decimal(str(got))


def main() -> int:
    """Print the figures, and every case that is neither right nor refused."""
    counts, asked, became = Counter[str](), 0, 0
    for case in cases():
        counts[case.verdict] += 1
        is_order = case.expected[0]["kind"] in ("ENTRY", "EXIT", "FLAT")
        asked += is_order
        became += is_order and case.told["outcome"] == "orders"
        if case.verdict in (WRONG, DISAGREED):
            why = DISAGREEMENTS.get(case.number, case.told["legs"])
            print(f"{case.verdict}: {case.number} {case.platform}: {why}; expected {case.expected}")
        elif case.verdict == REFUSED and "-v" in sys.argv:
            print(f"refused: {case.number} {case.platform}: {case.told['error']}")
    print(", ".join(f"{verdict}: {count}" for verdict, count in counts.most_common()))
    print(f"of {asked} that ask for an order of a kind that is built, {became} become one")
    return 1 if counts[WRONG] else 0


if __name__ == "__main__":
    sys.exit(main())
