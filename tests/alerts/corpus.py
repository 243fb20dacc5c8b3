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
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from alerts.formats.registry import DIALECTS
from alerts.preview import Previewer
from blockers.instruments import unfit
from domain.alert import ParsedAlert
from domain.alert_defaults import AlertDefaults, AlertDefaultsBook, Instrument
from domain.broker_reports import PositionsSnapshot
from domain.enums import Side
from domain.marks import Mark
from domain.sizing import Equity
from use_cases.expand_templates import ExpandTemplates
from use_cases.prepare_alert import PrepareAlert
from use_cases.size_entries import SizeEntries

FILE = Path(__file__).with_name("corpus.jsonl")
QUANTITY = Decimal(7)
NOW = datetime(2026, 11, 30, 5, tzinfo=UTC)
PRICES = {"SPY": "100", "ETH-PERP": "2.5", "BTC-PERP": "7", "BTC/USD": "7000", "ADA/USD": "0.9"}
DEFAULTS = AlertDefaultsBook(
    AlertDefaults(
        exchange="NSE",
        product="MIS",
        quantity=QUANTITY,
        side=Side.BUY,
        currency="USD",
        symbols={name: Instrument(name, "GLOBAL") for name in PRICES},
    ),
    {},
    "Published",
)
EQUITY = Decimal(10_000)


class Known:
    """Fresh prices of what is sized, and a fresh equity."""

    def marks(self, client_id: str) -> list[Mark]:
        return [
            Mark("GLOBAL", symbol, Decimal(price), NOW - timedelta(seconds=1), "published")
            for symbol, price in PRICES.items()
        ]

    def saved_positions(self, client_id: str) -> PositionsSnapshot | None:
        return None

    def equity(self, client_id: str) -> Equity | None:
        return Equity(EQUITY, NOW, "published")


_PREPARE = PrepareAlert(
    None,
    ExpandTemplates(Known(), None, {}, zone=ZoneInfo("UTC")),
    SizeEntries(Known(), {}, equity_max_age=timedelta(seconds=300)),
)


def _blocked(alert: ParsedAlert) -> list[dict[str, object]]:
    found = enumerate(map(unfit, alert.legs), 1)
    return [{"leg": number, "message": block.message} for number, block in found if block is not None]


PREVIEW = Previewer(
    DIALECTS,
    DEFAULTS,
    client_id="default",
    resolve=lambda alert: _PREPARE(alert, NOW),
    blocks=_blocked,
)

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
        yield Case(row["id"], row["platform"], row["expect"], told, verdict(row["id"], row["expect"], told))


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


def verdict(number: int, expected: list[dict[str, Any]], told: dict[str, Any]) -> str:
    kinds = [each["kind"] for each in expected]
    if told["outcome"] == "info":
        return RIGHT if kinds == ["INFO"] else WRONG
    if told["outcome"] == "rejected":
        if kinds == ["REJECT"]:
            return RIGHT
        return REFUSED if told["error"]["message"] else WRONG
    if told["blocked"]:
        return RIGHT if kinds == ["REJECT"] else REFUSED
    if number in DISAGREEMENTS:
        return DISAGREED
    legs = told["legs"]
    if kinds == ["REVERSE"] and [leg["kind"] for leg in legs] == ["FLAT", "ENTRY"]:
        return RIGHT if _is_reversal(expected[0], *legs) else WRONG
    if len(legs) != len(expected):
        return WRONG
    return RIGHT if all(map(_is_as_expected, expected, legs)) else WRONG


def _is_reversal(expected: dict[str, Any], exit_: dict[str, Any], entry: dict[str, Any]) -> bool:
    """A reversal is an exit of all and an entry of the new position, both by orders of its side."""
    sides = {exit_["side"], entry["side"], expected["side"]}
    symbols = {exit_["symbol"], entry["symbol"], expected["symbol"]}
    named = f"{'long' if entry['side'] == 'BUY' else 'short'} {entry['quantity']}"
    return len(sides) == len(symbols) == 1 and expected["target"] == named


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
            not any(expected.get(key) for key in ("option", "delay_s", "offset", "only", "tag")),
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
    if isinstance(quantity, str) and leg["sizing"]:
        return leg["quantity"] == _size(quantity, leg)
    if isinstance(quantity, str):  # `<contracts>`, `0.1 base`: what the template's placeholder stands for
        return "<" in quantity
    if quantity is None or leg["kind"] == "FLAT":
        return (
            leg["quantity"] in (None, int(QUANTITY)) or expected["kind"] != "ENTRY" or "position" in expected
        )
    return Decimal(str(quantity)) == Decimal(str(leg["quantity"]))


def _size(asked: str, leg: dict[str, Any]) -> int:
    """The units that a careful reader makes of `$50`, `5% of balance`, `risk $100 / (100-90)=10`."""
    risk = re.search(r"risk .*=(\d+)$", asked)
    if risk:
        return int(risk[1])
    price = Decimal(str(leg["price"] or PRICES[leg["symbol"]]))
    if leg["side"] == "SELL":
        price = max(price, Decimal(PRICES[leg["symbol"]]))
    percent = re.match(r"([\d.]+)% of balance", asked)
    money = EQUITY * Decimal(percent[1]) / 100 if percent else Decimal(asked.removeprefix("$"))
    return int(money / price)


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
        became += is_order and case.told["outcome"] == "orders" and not case.told["blocked"]
        if case.verdict in (WRONG, DISAGREED):
            why = DISAGREEMENTS.get(case.number, case.told["legs"])
            print(f"{case.verdict}: {case.number} {case.platform}: {why}; expected {case.expected}")
        elif case.verdict == REFUSED and "-v" in sys.argv:
            print(f"refused: {case.number} {case.platform}: {case.told['error'] or case.told['blocked']}")
    print(", ".join(f"{verdict}: {count}" for verdict, count in counts.most_common()))
    print(f"of {asked} that ask for an order of a kind that is built, {became} become one")
    return 1 if counts[WRONG] else 0


if __name__ == "__main__":
    sys.exit(main())
